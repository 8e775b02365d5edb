"""The state of the whole: customers, cursors, inbox, event log, journal, outbox, statistics.

`protocol` says what a store promises, `records` what it hands out and takes in; `memory` keeps the
promises in dicts, `sql` in a database. `opening.open_store(url)` opens one:

- `memory:` for simulations and tests, gone when the process ends;
- `sqlite:///shop.db` for one machine, made and migrated when it is opened;
- `postgresql://host/shop` for several workers.

A batch is one transaction: `with store.transaction(stream, epoch) as batch:` commits all of it at
its end, or nothing. `store.outbox` is the side of the deliverer, `store.views` what can be read
without changing anything. A table is changed by a step in `migrations`.
"""
