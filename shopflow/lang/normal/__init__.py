"""Conditions in a small normal form: what each asks of the values that it reads.

A condition is taken to pieces that compare one value with a constant. Whatever else it says counts
as not known, so every answer given is certain, and many questions have none.
"""

from shopflow.lang.normal.conditions import Reader, event_is
from shopflow.lang.normal.form import EVERYTHING, NOTHING, Form, Term

__all__ = ["EVERYTHING", "NOTHING", "Form", "Reader", "Term", "event_is"]
