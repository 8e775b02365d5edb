"""`shopflow pause` and `shopflow resume`: the kill switch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from typing import Any

import click

from shopflow.cli.options import FORMAT, PROJECT, tell
from shopflow.cli.reading import open_for_reading
from shopflow.lang.project import Project
from shopflow.store.protocol import Store
from shopflow.store.records import Pause

_SCOPES = (
    click.argument("workflow", required=False),
    click.option("--channel", metavar="CHANNEL", help="Everything on this channel."),
    click.option(
        "--sender",
        metavar="CHANNEL/CLASS",
        help="What the sender of this class sends, as a breaker pauses it: email/marketing.",
    ),
    click.option("--marketing", is_flag=True, help="All of marketing and relationship."),
    click.option("--all", "everything", is_flag=True, help="Everything, service too."),
)


def _scoped(command: Callable[..., Any]) -> Callable[..., Any]:
    return reduce(lambda inner, option: option(inner), reversed(_SCOPES), command)


@click.command
@_scoped
@click.option("--reason", required=True, help="Why; the journal and `shopflow status` tell it.")
@FORMAT
@PROJECT
def pause(reason: str, style: str, project: Path, **scopes: object) -> None:
    """Stop sending for one workflow, one channel, all of marketing, or everything.

    Decisions go on, and messages wait in the outbox. Every worker stops within five seconds; what
    is with a provider by then has left. It lasts until `shopflow resume`, over deploys too.
    """
    scope = _scope(scopes)
    with open_for_reading(project) as (settings, store):
        _check(scope, settings, store)
        store.pause(Pause(scope=scope, reason=reason, at=datetime.now(UTC)))
    tell(style, {"paused": scope, "reason": reason}, f"paused: {scope} ({reason})")


@click.command
@_scoped
@click.option("--reason", default="", help="Why; the journal tells it.")
@FORMAT
@PROJECT
def resume(reason: str, style: str, project: Path, **scopes: object) -> None:
    """Let go what `shopflow pause` or a breaker holds back.

    Messages whose time has passed meanwhile are dropped as stale. A breaker counts anew from here.
    """
    scope = _scope(scopes)
    with open_for_reading(project) as (_, store):
        on = sorted(one.scope for one in store.views.pauses())
        was_on = store.resume(scope, at=datetime.now(UTC), reason=reason)
    if not was_on:
        raise click.ClickException(f"{scope} is not paused; paused are: {', '.join(on) or 'none'}")
    left = f"; still paused: {', '.join(one for one in on if one != scope)}" if on[1:] else ""
    tell(style, {"resumed": scope}, f"resumed: {scope}{left}")


def _scope(given: Mapping[str, object]) -> str:
    scopes = {
        "workflow": f"workflow:{given['workflow']}",
        "channel": f"channel:{given['channel']}",
        "sender": f"sender:{given['sender']}",
        "marketing": "marketing",
        "everything": "all",
    }
    chosen = [scope for name, scope in scopes.items() if given[name]]
    if len(chosen) != 1:
        raise click.UsageError(
            "name one: a WORKFLOW, --channel CHANNEL, --sender CHANNEL/CLASS, --marketing or --all"
        )
    return chosen[0]


def _check(scope: str, settings: Project, store: Store) -> None:
    """Refuses a name that stands for nothing: nobody would notice that it stops nothing."""
    kind, _, name = scope.partition(":")
    if kind == "workflow":
        documents = store.views.retained_workflows().values()
        known = {str(one["id"]) for one in documents if isinstance(one, Mapping) and "id" in one}
    elif kind in {"channel", "sender"}:
        known, name = set(settings.channels), name.partition("/")[0]
    else:
        return
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(sorted(known))}"
        what = "workflow was ever deployed" if kind == "workflow" else "channel is set up"
        raise click.ClickException(f"no {what} by the name '{name}'{hint}")
