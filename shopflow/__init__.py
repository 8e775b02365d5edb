"""shopflow: the automatic messages of an online shop, from rules kept in git."""

__version__ = "0.1.0"
