"""At what hours the simulated shop lives: its visitors by their habits, its people by the clock."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")

#: How many visits fall in each hour of the day: a rise at lunch, a peak in the evening.
VISITING = (2, 1, 1, 1, 1, 2, 5, 9, 12, 15, 17, 18, 22, 20, 17, 16, 16, 18, 21, 25, 30, 29, 20, 9)
#: When parcels leave and arrive.
WORKING = (0, 0, 0, 0, 0, 0, 0, 0, 2, 6, 8, 8, 4, 5, 8, 8, 7, 4, 1, 0, 0, 0, 0, 0)


def at_some_hour(moment: datetime, weights: tuple[int, ...], rng: Random) -> datetime:
    """A time of day by these weights, on the Paris day of the moment or, if past, on the next."""
    day = moment.astimezone(PARIS).date()
    hour = rng.choices(range(24), weights)[0]
    of_day = time(hour, rng.randrange(60), rng.randrange(60), tzinfo=PARIS)
    found = datetime.combine(day, of_day)
    if found <= moment:
        found = datetime.combine(day + timedelta(days=1), of_day)
    return found.astimezone(moment.tzinfo)
