"""The steps that make the tables and change them; each is one file in `versions`.

A step is written by hand; a test holds the outcome of all of them against `shopflow.store.tables`.
"""

#: The last step; a database that stands there needs none.
LATEST = "0014"
