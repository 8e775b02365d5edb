"""What templates write numbers, dates and durations with, as the reader's language does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_currency, format_decimal
from minijinja import pass_state

from shopflow.errors import TemplateError

_NAMED = frozenset({"short", "medium", "long", "full"})
_LONGEST_PATTERN = 60
#: A duration is told in a smaller unit up to this many times it: 36 hours, not 2 days.
_THRESHOLD = 1.6


class FilterError(TemplateError):
    """Raised by a filter on a value that it cannot write; the filter does not know its place."""

    def __init__(self, filter_name: str, wanted: str) -> None:
        super().__init__(f"the filter '{filter_name}' wants {wanted}")
        self.filter_name = filter_name


class _State(Protocol):
    def lookup(self, name: str) -> Any: ...


def filters(*, currency: str, timezone: str) -> dict[str, Callable[..., Any]]:
    """The filters by name; the currency and the zone are for values that bring none."""
    zone = _zone(timezone)

    @pass_state
    def money(
        state: _State, value: object, unit: str | None = None, locale: str | None = None
    ) -> str:
        return _money(_decimal(value, "money"), unit or currency, _locale(state, locale))

    @pass_state
    def number(state: _State, value: object, locale: str | None = None) -> str:
        return str(format_decimal(_decimal(value, "number"), locale=_locale(state, locale)))

    @pass_state
    def date(state: _State, value: object, pattern: str = "long", locale: str | None = None) -> str:
        return _date(_moment(value, "date").astimezone(zone), pattern, _locale(state, locale))

    @pass_state
    def time(
        state: _State, value: object, pattern: str = "short", locale: str | None = None
    ) -> str:
        moment = _moment(value, "time").astimezone(zone)
        return str(format_time(moment, _pattern(pattern), locale=_locale(state, locale)))

    @pass_state
    def duration(state: _State, value: object, locale: str | None = None) -> str:
        length = value if isinstance(value, timedelta) else _seconds(value)
        told = format_timedelta(length, threshold=_THRESHOLD, locale=_locale(state, locale))
        return str(told)

    return {"money": money, "number": number, "date": date, "time": time, "duration": duration}


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        # Whoever reads the project's settings tells it with its place; nothing is rendered then.
        return UTC


@lru_cache(maxsize=4096)
def _money(value: Decimal, currency: str, locale: Locale) -> str:
    # Prices repeat from mail to mail; formatting one costs more than the rest of its line.
    return str(format_currency(value, currency, locale=locale))


def _date(moment: datetime, pattern: str, locale: Locale) -> str:
    if pattern in _NAMED:
        return str(format_date(moment, pattern, locale=locale))
    return str(format_datetime(moment, _pattern(pattern), locale=locale))


def _pattern(pattern: str) -> str:
    if len(pattern) > _LONGEST_PATTERN:
        raise TemplateError(f"a date pattern of more than {_LONGEST_PATTERN} characters")
    return pattern


def _decimal(value: object, name: str) -> Decimal:
    if not isinstance(value, bool) and isinstance(value, (int, float, str, Decimal)):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise FilterError(name, "a number")


def _moment(value: object, name: str) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as e:
            raise FilterError(name, "a time as in RFC 3339") from e
    if not isinstance(value, datetime):
        raise FilterError(name, "a time as in RFC 3339")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _seconds(value: object) -> timedelta:
    try:
        return timedelta(seconds=float(_decimal(value, "duration")))
    except OverflowError as e:
        raise FilterError("duration", "a number of seconds") from e


def _locale(state: _State, given: str | None) -> Locale:
    return parse_locale(str(given or state.lookup("locale")))


@lru_cache(maxsize=256)
def parse_locale(name: str) -> Locale:
    """The locale of that name.

    Raises:
        TemplateError: There is no such locale.
    """
    try:
        return Locale.parse(name.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError) as e:
        raise TemplateError("a locale that is not known; write fr or fr-CA") from e
