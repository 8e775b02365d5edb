"""The store in a database: the same statements everywhere, but for the few that carry most rows.

What differs between databases is in one module each (`sqlite`), behind `dialect.Dialect`.
"""
