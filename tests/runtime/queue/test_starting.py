"""Workers that start at the same moment on a database that has no tables yet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from support.production import scratch_database

from shopflow.store.opening import open_store


def test_several_workers_make_the_tables_once():
    with scratch_database() as url, ThreadPoolExecutor(6) as starting:
        stores = list(starting.map(lambda _: open_store(url, partitions=8), range(6)))
        try:
            assert [store.take_over("events:0").epoch for store in stores] == [1, 2, 3, 4, 5, 6]
        finally:
            for store in stores:
                store.close()
