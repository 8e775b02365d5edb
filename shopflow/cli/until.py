"""Where the clock of a replay stops: an option of the commands that replay recorded events."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from shopflow.runtime.simulate import Until


def _until(ctx: click.Context, param: click.Parameter, text: str) -> Until | datetime:
    """A word of Until, or an instant; one without a zone is UTC."""
    if text in list(Until):
        return Until(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as e:
        raise click.BadParameter(
            f"'{text}' is neither end, drain nor a time such as 2026-03-01T10:00:00Z", ctx, param
        ) from e
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


UNTIL = click.option(
    "--until",
    metavar="end|drain|TIME",
    callback=_until,
    default=Until.END.value,
    show_default=True,
    help="Stop the clock at the last event (end), when no timer is left (drain), or at a time.",
)
