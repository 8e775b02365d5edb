"""What the program writes to standard error: a line each, for people or as JSON for machines.

No line says who somebody is: no address, no name, no payload, no id of a customer or an event, and
of an error only its kind and place. A message's id, which is a hash, leads to all of that for
those who may look: `shopflow explain`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

from shopflow.runtime.faults import place_of

#: The variables that say how and how much, for commands that are given no option.
FORMAT, LEVEL = "SHOPFLOW_LOG_FORMAT", "SHOPFLOW_LOG_LEVEL"

log = logging.getLogger("shopflow")

#: What every record has; anything else came with the line.
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogFormat(StrEnum):
    """How lines look."""

    TEXT = "text"
    JSON = "json"


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if (place := _place(record)) is not None:
            line["error"] = place
        return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()


class TextFormatter(logging.Formatter):
    """The message, and what came with it, as `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        words = [f"{record.levelname.lower()}: {record.getMessage()}"]
        words += [f"{name}={value}" for name, value in fields_of(record).items()]
        if (place := _place(record)) is not None:
            words.append(f"({place})")
        return " ".join(words)


def configure(style: LogFormat, level: str = "") -> None:
    """Every line of this process looks like this from now on.

    Unless told otherwise, people are shown warnings, and machines what is done too.
    """
    handler = _Stderr()
    handler.setFormatter(JsonFormatter() if style is LogFormat.JSON else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [each for each in root.handlers if not isinstance(each, _Stderr)]
    root.addHandler(handler)
    log.setLevel(level.upper() or ("INFO" if style is LogFormat.JSON else "WARNING"))


def say(text: str, **fields: object) -> None:
    """What people who started the command are told, and machines as a line like any other."""
    formatters = (each.formatter for each in logging.getLogger().handlers)
    if any(isinstance(each, JsonFormatter) for each in formatters):
        log.info(text, extra=fields)
    else:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is where it belongs


class _Stderr(logging.Handler):
    """Writes to whatever standard error is now."""

    def emit(self, record: logging.LogRecord) -> None:
        """The line is written; where nobody reads any more, it is lost."""
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            return


def fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """What came with the line."""
    return {name: value for name, value in vars(record).items() if name not in _PLAIN}


def _place(record: logging.LogRecord) -> str | None:
    # The words of an error may hold a person's data; its kind and its line do not.
    error = record.exc_info[1] if record.exc_info else None
    return None if error is None else place_of(error)
