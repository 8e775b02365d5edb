"""When a batch raises: whose fault it is, and halving it down to the one item that is at fault."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TypeVar

from shopflow.errors import DecideAgain, StoreError, Unstorable

Item = TypeVar("Item")
Result = TypeVar("Result")


def halved(
    items: Sequence[Item],
    do: Callable[[Sequence[Item]], list[Result]],
    set_aside: Callable[[Item, Exception], Result],
) -> list[Result]:
    """A result for each item: `do` of as many as go together, `set_aside` of those at fault.

    Raises:
        StoreError: The store failed, which is no item's fault.
        DecideAgain: An item asks for a fact even alone.
    """
    if not items:
        return []
    try:
        return do(items)
    except DecideAgain:
        if len(items) == 1:
            raise
    except Exception as e:  # noqa: BLE001 - the job boundary: any item may bring any error
        raise_unless_fault_of_item(e)
        if len(items) == 1:
            return [set_aside(items[0], e)]
    middle = len(items) // 2
    return halved(items[:middle], do, set_aside) + halved(items[middle:], do, set_aside)


class Complaints:
    """Tells of each fault once: one mistake may hit every event of a type."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told: set[tuple[str, str]] = set()

    def tell(self, what: str, place: str) -> None:
        """What happened and where; the same again is only counted, in the dead letters."""
        if (what, place) not in self._told:
            self._told.add((what, place))
            self._log.error("%s: %s (told once, each is kept with its reason)", what, place)


def raise_unless_fault_of_item(error: Exception) -> None:
    """A store that fails, or a fact not at hand, is nobody's fault in the batch.

    A value that the store cannot keep is.
    """
    if isinstance(error, DecideAgain):
        raise error
    if isinstance(error, StoreError) and not isinstance(error, Unstorable):
        raise error


def place_of(error: BaseException) -> str:
    """The kind of error and the line it came from; its words may hold a person's data."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    path = "/".join(PurePath(frames[-1].filename).parts[-3:])
    return f"{type(error).__name__} at {path}:{frames[-1].lineno}"
