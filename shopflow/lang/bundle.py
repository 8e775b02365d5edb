"""A compiled ruleset as plain JSON and back, so that it need not be compiled again.

There is no code in it: values of the classes listed here, and conditions as their source with what
the rule index asks of them. So reading one can make wrong rules at worst, and never run anything.
A condition is turned into Python when it is first asked.

Equal values are kept once, each as a row that names its parts by their numbers; so ten thousand
workflows that wait for the same order share it, in the file and in memory.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import cache
from typing import Any, cast

from shopflow import domain
from shopflow.domain.expression import Atom
from shopflow.domain.ruleset import Ruleset
from shopflow.lang.calendars import CronSchedule, PublicHolidays
from shopflow.lang.cel import Program
from shopflow.lang.constant import Constant

#: A plain value stands as it is; everything else is a row: its kind, and numbers of other rows.
Row = Any

_CONDITION = "condition"
_PLAIN = (str, int, float, bool, type(None))
_WHOLE = 2**63


class NotKept(Exception):  # noqa: N818 - the name is the claim
    """Raised when a ruleset holds a value that this form has no word for."""


class BadBundle(Exception):  # noqa: N818 - the name is the claim
    """Raised when rows do not say what a ruleset is; whatever they are, nothing was run."""


def pack(ruleset: Ruleset) -> list[Row]:
    """The ruleset as rows; the last one is the whole.

    Raises:
        NotKept: A value of it is of a kind that is not known here.
    """
    packer = _Packer()
    packer.place(ruleset)
    return packer.rows


def unpack(rows: Sequence[Row]) -> Ruleset:
    """The ruleset of such rows.

    Raises:
        BadBundle: They are not what `pack` made.
    """
    try:
        made: list[Any] = []
        for row in rows:
            made.append(_made(row, made) if type(row) is list else row)
        found = made[-1]
    except (LookupError, TypeError, ValueError, AttributeError) as e:
        raise BadBundle("it holds what is no ruleset") from e
    if not isinstance(found, Ruleset):
        raise BadBundle("it does not end with a ruleset")
    return found


class _Packer:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._places: dict[object, int] = {}
        #: By identity too, so that what is shared is walked once; kept alive meanwhile.
        self._seen: dict[int, tuple[object, int]] = {}

    def place(self, value: object) -> int:
        """The number of the value's row, which is there afterwards."""
        if (seen := self._seen.get(id(value))) is not None:
            return seen[1]
        row = self._row(value)
        # 1, 1.0 and true are equal to Python and not the same.
        key = (type(row), row) if not isinstance(row, list) else ("row", *row)
        number = self._places.setdefault(key, len(self.rows))
        if number == len(self.rows):
            self.rows.append(row)
        self._seen[id(value)] = (value, number)
        return number

    def _row(self, value: object) -> Row:
        if type(value) in _PLAIN:
            return _plain(value)
        if isinstance(value, Program):
            return self._all(_CONDITION, value.source, value.reads, value.atoms, *value.facts)
        if isinstance(value, Enum):
            return self._all("enum", type(value).__name__, value.value)
        if is_dataclass(value) and not isinstance(value, type):
            name = type(value).__name__
            if _classes().get(name) is not type(value):
                raise NotKept(f"values of {name} cannot be kept")
            content = (getattr(value, item.name) for item in fields(value) if item.init)
            return self._all("value", name, *content)
        return self._collection(value)

    def _collection(self, value: object) -> Row:
        match value:
            case Mapping():
                pairs = [part for pair in value.items() for part in pair]
                return self._all("map", *pairs)
            case frozenset() | set():
                ordered = sorted(value, key=repr)
                return self._all("set", *ordered)
            case tuple():
                return self._all("tuple", *value)
            case list():
                return self._all("list", *value)
            case timedelta() if type(value) is timedelta:
                return self._all("length", value.days, value.seconds, value.microseconds)
            case time() | datetime() | date() if type(value) in {time, datetime, date}:
                return self._all(type(value).__name__, value.isoformat())
            case _:
                raise NotKept(f"values of {type(value).__name__} cannot be kept")

    def _all(self, kind: str, *parts: object) -> list[Row]:
        return [kind, *(self.place(part) for part in parts)]


def _plain(value: object) -> Row:
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        raise NotKept("a number without an end cannot be kept")
    if isinstance(value, int) and not -_WHOLE <= value < _WHOLE:
        raise NotKept("a number of more than 64 bits cannot be kept")
    return value


def _made(row: list[Any], made: Sequence[Any]) -> Any:
    return _MAKERS[row[0]]([made[number] for number in row[1:]])


def _value(parts: list[Any]) -> object:
    made, names = _classes()[parts[0]], _names(parts[0])
    return made(**dict(zip(names, parts[1:], strict=True)))


def _condition(parts: list[Any]) -> Program:
    source, reads, atoms, is_constant, absorbs = parts
    return Program.kept(source, reads=reads, atoms=atoms, facts=(is_constant, absorbs))


def _map(parts: list[Any]) -> dict[Any, Any]:
    return dict(zip(parts[::2], parts[1::2], strict=True))


@cache
def _kinds() -> list[type]:
    """Every class of the domain, and what `lang` puts where the domain asks for a protocol."""
    found: list[type] = [Atom, Constant, CronSchedule, PublicHolidays]
    for info in pkgutil.iter_modules(domain.__path__, f"{domain.__name__}."):
        module = importlib.import_module(info.name)
        found += [
            each
            for each in vars(module).values()
            if isinstance(each, type) and each.__module__ == module.__name__
        ]
    return found


@cache
def _classes() -> dict[str, Any]:
    return {each.__name__: each for each in _kinds() if is_dataclass(each)}


@cache
def _enums() -> dict[str, type[Enum]]:
    return {each.__name__: each for each in _kinds() if issubclass(each, Enum)}


@cache
def _names(name: str) -> tuple[str, ...]:
    return tuple(item.name for item in fields(cast("Any", _classes()[name])) if item.init)


_MAKERS: Mapping[str, Callable[[list[Any]], Any]] = {
    _CONDITION: _condition,
    "enum": lambda parts: _enums()[parts[0]](parts[1]),
    "value": _value,
    "map": _map,
    "set": frozenset,
    "tuple": tuple,
    "list": list,
    "length": lambda parts: timedelta(*parts),
    "time": lambda parts: time.fromisoformat(parts[0]),
    "datetime": lambda parts: datetime.fromisoformat(parts[0]),
    "date": lambda parts: date.fromisoformat(parts[0]),
}
