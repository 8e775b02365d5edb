"""The state of the whole: customers, cursors, inbox, event log, journal, outbox, statistics.

`protocol` says what a store promises, `records` what it hands out. `memory` keeps the promises
in dicts, `sql` in a database. `opening.open_store(url)` opens one:

- `memory:` for simulations and tests, gone when the process ends;
- `sqlite:///shop.db` for one machine, migrated when it is opened.
"""
