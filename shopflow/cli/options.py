"""Options that commands share."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import click

from shopflow.lang.lengths import parse_length
from shopflow.runtime import logs
from shopflow.runtime.logs import LogFormat


def _configured(ctx: click.Context, param: click.Parameter, value: str) -> None:
    del ctx, param
    # Workers that this one starts write as it does.
    os.environ[logs.FORMAT] = value
    logs.configure(LogFormat(value), os.environ.get(logs.LEVEL, ""))


PROJECT = click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    show_default="here",
    help="The folder of shopflow.yaml.",
)
FORMAT = click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for machines.",
)
LOGS = click.option(
    "--log-format",
    type=click.Choice([str(each) for each in LogFormat]),
    envvar=logs.FORMAT,
    default=str(LogFormat.TEXT),
    show_default=True,
    expose_value=False,
    callback=_configured,
    help="How standard error looks: lines for people, or JSON for machines.",
)


def length(ctx: click.Context, param: click.Parameter, text: str) -> timedelta:
    """The length of time that an option gives, such as 30d."""
    found = parse_length(text)
    if found is None or found <= timedelta():
        raise click.BadParameter(f"'{text}' is no length of time such as 30d or 12h", ctx, param)
    return found


def tell(style: str, record: Mapping[str, object], text: str) -> None:
    """What a command has to say, in the style of `FORMAT`."""
    click.echo(json.dumps(record) if style == "json" else text)


def write_report(path: Path, text: str) -> None:
    """The report as a file; raises click.FileError where it cannot be written."""
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as e:
        raise click.FileError(str(path), hint=e.strerror or str(e)) from e
