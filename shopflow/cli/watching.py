"""`--watch`: a command that looks at the rules does so again whenever one of them changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

from shopflow.cli.main import CLEAN, told
from shopflow.errors import ShopflowError
from shopflow.lang.repository import PROJECT_FILE

#: What a project's rules are read from.
_READ = (PROJECT_FILE, "environments", "rules")
#: Milliseconds between two looks at whether something has changed.
_LOOK = 200
_STDIN = Path("-")


def watching(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """The command with an option to do it again and again; it takes `project` and `paths`."""

    @click.option("--watch", is_flag=True, help="Do it again whenever a file of the rules changes.")
    @wraps(command)
    def run(*args: Any, watch: bool, **options: Any) -> int | None:
        if not watch:
            return command(*args, **options)
        if _STDIN in options["paths"]:
            raise click.UsageError("standard input is read once: no --watch")
        for _ in _rounds(options):
            _once(lambda: command(*args, **options))
        return CLEAN

    return run


def _rounds(options: Mapping[str, Any]) -> Iterator[None]:
    """At once, and after every change."""
    # Only who watches pays for it.
    from watchfiles import watch  # noqa: PLC0415

    root = options["project"].resolve()
    output = options["output_file"]
    written = None if output is None else str(output.resolve())

    def concerns(_: object, path: str) -> bool:
        parts = Path(path).relative_to(root).parts
        return path != written and bool(parts) and parts[0] in _READ

    seen = watch(root, watch_filter=concerns, rust_timeout=_LOOK, yield_on_timeout=True)
    # The first answer comes once files are being watched, so no change falls in between.
    next(seen)
    yield
    for changes in seen:
        if changes:
            click.clear()
            yield


def _once(command: Callable[[], object]) -> None:
    """The command, whose end is not that of watching."""
    try:
        command()
    except click.exceptions.Exit:
        pass
    except click.ClickException as e:
        e.show()
    except ShopflowError as e:
        click.echo(told(e), err=True)
