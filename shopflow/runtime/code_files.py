"""Files of codes, as shops export them: CSV with a header, or one code a line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TextIO

from shopflow.errors import SettingsError
from shopflow.store.codes import NewCode

#: Column names that shops use, lower case.
CODE_COLUMNS = ("code", "coupon", "coupon_code", "voucher")
END_COLUMNS = ("ends_at", "expires_at", "expiry", "valid_until", "end_date")
#: The longest code that an order form takes.
LONGEST = 64


class BadRow(NamedTuple):
    """A row that is no code, and why."""

    line: int
    reason: str


class _Columns(NamedTuple):
    code: int
    ends_at: int | None


def read_codes(path: Path, complain: Callable[[BadRow], None]) -> Iterator[NewCode]:
    """The codes of a file; what is none is told and left out.

    Raises:
        SettingsError: The file is no text, or its header names no code.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            yield from _codes(text, complain)
    except (UnicodeDecodeError, csv.Error) as e:
        raise SettingsError(f"the file of codes is no CSV in UTF-8: {e}") from e


def _codes(text: TextIO, complain: Callable[[BadRow], None]) -> Iterator[NewCode]:
    columns = _Columns(0, None)
    rows = csv.reader(text, delimiter=_delimiter(text))
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if number == 1 and (found := _header(cells)) is not None:
            columns = found
            continue
        code = _code(cells, columns)
        if isinstance(code, str):
            complain(BadRow(number, code))
        else:
            yield code


def _delimiter(text: TextIO) -> str:
    """What separates the cells of the first line; a file of one column has none."""
    first = text.readline()
    text.seek(0)
    return max(",;\t", key=first.count)


def _header(cells: list[str]) -> _Columns | None:
    names = [cell.lower() for cell in cells]
    code = next((names.index(name) for name in CODE_COLUMNS if name in names), None)
    ends_at = next((names.index(name) for name in END_COLUMNS if name in names), None)
    if code is None and len(cells) > 1:
        raise SettingsError(
            f"no column of codes: name one of them `code`; found {', '.join(cells)[:200]}"
        )
    return None if code is None else _Columns(code, ends_at)


def _code(cells: list[str], columns: _Columns) -> NewCode | str:
    """The code of a row, or what is wrong with it."""
    code = cells[columns.code] if columns.code < len(cells) else ""
    if not code:
        return "there is no code"
    if len(code) > LONGEST:
        return f"a code of {len(code)} signs; at most {LONGEST} are taken"
    if any(sign.isspace() or not sign.isprintable() for sign in code):
        return "the code has blanks inside"
    place = columns.ends_at
    given = cells[place] if place is not None and place < len(cells) else ""
    if not given:
        return NewCode(code)
    try:
        ends_at = datetime.fromisoformat(given)
    except ValueError:
        return f"'{given[:40]}' is no time; write 2026-12-31 or 2026-12-31T23:59:59Z"
    return NewCode(code, ends_at if ends_at.tzinfo else ends_at.replace(tzinfo=UTC))
