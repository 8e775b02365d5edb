"""What a page has answered is on the disk, and not only with the system."""

from __future__ import annotations

import shutil
import sqlite3

from shopflow.store.opening import open_store


def test_after_sync_the_file_alone_has_what_was_committed(tmp_path, now):
    store = open_store(f"sqlite:///{tmp_path}/shop.db", partitions=4)
    try:
        store.keys.add("aa", at=now, condemn=False)
        store.sync()
        # A copy without the log beside it: only what a checkpoint has moved is there.
        shutil.copy(tmp_path / "shop.db", tmp_path / "copy.db")
    finally:
        store.close()
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT max(number) FROM link_keys").fetchone() == (1,)
    copy.close()


def test_every_store_can_be_asked(store):
    store.sync()
