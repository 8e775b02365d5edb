"""The `shopflow` command: finds its subcommands by name and turns errors into exit codes.

What each command does is its own module's; a module is imported only when its command is used.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

import shopflow
from shopflow.cli.commands import COMMANDS
from shopflow.errors import (
    BundleRefused,
    DeployRefused,
    RulesInvalid,
    SettingsError,
    ShopflowError,
)

#: Exit codes of every command.
CLEAN, FINDINGS, USAGE, INTERNAL = 0, 1, 2, 3

#: Wrong settings are the caller's to mend; broken rules are findings like any other.
EXIT_CODES: tuple[tuple[type[ShopflowError], int], ...] = (
    (RulesInvalid, FINDINGS),
    (DeployRefused, FINDINGS),
    (SettingsError, USAGE),
    (BundleRefused, USAGE),
    (ShopflowError, INTERNAL),
)


#: The code of a folder that is no project: nothing was found wrong with any rules.
_NOWHERE = "SF014"


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None when there is none."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does it, of commands that are not loaded for it."""
        del ctx
        room = formatter.width - 6 - max(map(len, COMMANDS))
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, click.Command(name, help=known.purpose).get_short_help_str(room))
                    for name, known in COMMANDS.items()
                ]
            )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it; a misspelt name brings the nearest right one."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            close = get_close_matches(name, COMMANDS, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise click.UsageError(f"no command '{name}'{hint}", ctx)
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]  # click's overloads promise NoReturn; we always exit
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Runs the command and exits: errors become one message and their exit code."""
        try:
            result = super().main(args, prog_name, **{**extra, "standalone_mode": False})
        except click.ClickException as e:
            e.show()
            sys.exit(USAGE)
        except (click.Abort, KeyboardInterrupt):
            click.echo("stopped", err=True)
            sys.exit(130)
        except BrokenPipeError:
            # Whoever read our output has had enough; nothing is left to say to them.
            sys.stderr.close()
            sys.exit(CLEAN)
        except ShopflowError as e:
            click.echo(told(e), err=True)
            sys.exit(exit_code(e))
        except Exception:  # noqa: BLE001 - the outermost boundary: whatever it is, exit 3 with it
            traceback.print_exc()
            click.echo("shopflow: internal error; please report it with the lines above", err=True)
            sys.exit(INTERNAL)
        sys.exit(result if isinstance(result, int) else CLEAN)


def exit_code(error: ShopflowError) -> int:
    """The exit code that this error ends a command with."""
    if isinstance(error, RulesInvalid) and any(each.code == _NOWHERE for each in error.problems):
        return USAGE
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(shopflow.__version__, prog_name="shopflow")
def main() -> None:
    """The automatic messages of an online shop, from rules kept in git."""


def told(error: ShopflowError) -> str:
    """The error as a command ends with it."""
    return str(error) if isinstance(error, RulesInvalid) else f"error: {error}"
