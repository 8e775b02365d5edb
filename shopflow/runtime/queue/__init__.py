"""The production runtime: Redis Streams in, RQ jobs as doorbells, many workers on one database.

Deciding and delivering are those of the embedded runner; only the edges are here.
"""
