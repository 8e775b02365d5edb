"""Recommendations: rankings computed from a shop's past, and products picked from them.

`compute` makes rankings once in a while; `Recommender` picks from them when a message leaves or
somebody asks. Where rankings are kept, and when they are made, is left to others.
"""

from .compute import compute
from .history import TYPES, History
from .recommender import Recommender
from .shelves import FixedShelves, Shelves
from .words import words_of

__all__ = ["TYPES", "FixedShelves", "History", "Recommender", "Shelves", "compute", "words_of"]
