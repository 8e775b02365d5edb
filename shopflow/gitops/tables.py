"""Tests that are tables: one scenario, and rows of values that are put into its places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shopflow.gitops.naming import Unusable
from shopflow.lang.names import did_you_mean

#: What a row may say beside its values: a name of its own, and what is expected of it alone.
ROW_NAME, ROW_EXPECT = "name", "expect"

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")

Json = Mapping[str, Any]


def title_of(name: str, row: Json) -> str:
    """The name of the test with what tells this row from the others."""
    if ROW_NAME in row:
        return f"{name} [{row[ROW_NAME]}]"
    told = ", ".join(f"{key}={value}" for key, value in _values(row).items())
    return f"{name} [{told}]" if told else name


def filled(data: object, row: Json) -> object:
    """The data with `{name}` replaced by the row's value: as it is where it stands alone."""
    if not row:
        return data
    match data:
        case dict():
            return {key: filled(value, row) for key, value in data.items()}
        case list():
            return [filled(item, row) for item in data]
        case str():
            alone = _PLACE.fullmatch(data)
            if alone and alone[1] in row:
                return row[alone[1]]
            return _PLACE.sub(lambda match: str(row.get(match[1], match[0])), data)
        case _:
            return data


def check_row(row: Json, *templates: object) -> None:
    """Every value of the row has a place in one of these; raises Unusable.

    A row whose value goes nowhere would pass for a reason that is not its own.
    """
    places = {place for each in templates for place in _places(each)}
    for name in _values(row):
        if name not in places:
            hint = did_you_mean(name, places, label="places")
            raise Unusable(
                f"the row's value '{name}' goes nowhere: no {{{name}}} in the test", hint
            )


def _values(row: Json) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in {ROW_NAME, ROW_EXPECT}}


def _places(data: object) -> Iterator[str]:
    match data:
        case dict():
            for value in data.values():
                yield from _places(value)
        case list():
            for item in data:
                yield from _places(item)
        case str():
            yield from _PLACE.findall(data)
        case _:
            pass
