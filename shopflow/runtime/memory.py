"""What the garbage collector has to look at while a process decides: what is new, and no rules.

Rules stay for as long as the process does, and each batch makes tens of thousands of values that
live until it is written. With the collector's own pace, a sixth of the time goes into looking at
both again and again.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Values that may come before the youngest are looked at: some batches full, tens of megabytes.
YOUNG = 200_000


@contextmanager
def settled() -> Iterator[None]:
    """All that has been loaded so far is taken to stay, until this ends.

    Where something stays already, as within another `settled`, all remains as it is.
    """
    if gc.get_freeze_count():
        yield
        return
    pace = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *pace[1:])
    try:
        yield
    finally:
        gc.set_threshold(*pace)
        gc.unfreeze()
