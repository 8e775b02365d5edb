"""How often somebody may do something: counted in this process, forgotten after a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

#: Names that are remembered; of more, whoever was seen longest ago is forgotten.
REMEMBERED = 10_000


class Limit:
    """So many times in so many seconds, each name by itself: a bucket that fills up evenly."""

    def __init__(
        self, times: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._times = times
        self._each = seconds / times
        self._clock = clock
        #: When each name's bucket will be full again.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def allows(self, name: str) -> bool:
        """Whether the name may once more, which it then has."""
        now = self._clock()
        full_at = max(self._full_at.get(name, now), now) + self._each
        if full_at - now > self._each * self._times:
            return False
        self._full_at[name] = full_at
        self._full_at.move_to_end(name)
        if len(self._full_at) > REMEMBERED:
            self._full_at.popitem(last=False)
        return True
