"""`shopflow rule`: what a code of lint means, shown wrong and right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import click

from shopflow.cli.options import PROJECT
from shopflow.lang.lint.catalogue import FAMILIES, Entry, Example, catalogue
from shopflow.lang.names import did_you_mean

_HEAD = """# Lint

Every problem that shopflow finds in rules, by its code, as `shopflow rule --all --format markdown` writes it.
An error fails lint; a warning asks for attention.
What is locked cannot be suppressed.
What has a safe fix is mended by `shopflow lint --fix`, where it can tell for sure what was meant.
"""  # noqa: E501 - one sentence a line


@click.command()
@click.argument("codes", nargs=-1, metavar="[CODE]...")
@click.option("--all", "every", is_flag=True, help="Every code that there is.")
@PROJECT
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="For people, for machines, or as the page of all codes.",
)
def rule(codes: tuple[str, ...], *, every: bool, project: object, style: str) -> None:
    """Say what a code of `shopflow lint` means, with a wrong and a right example.

    Several codes may be named; a prefix such as SF4 means all that begin so.
    """
    del project  # the codes are the same in every project
    if bool(codes) == every:
        raise click.UsageError("name a code such as SF103, or ask for --all")
    entries = list(catalogue().values()) if every else named(codes)
    if style == "json":
        click.echo(json.dumps([*map(_as_data, entries)], indent=2, ensure_ascii=False))
    elif style == "markdown":
        click.echo(as_markdown(entries), nl=False)
    elif every:
        click.echo("\n".join(f"{each.code}  {_words(each):<28}{each.title}" for each in entries))
    else:
        click.echo("\n".join(each.page for each in entries), nl=False)


def named(words: Sequence[str]) -> list[Entry]:
    """The entries of codes and prefixes of codes, each once; raises UsageError for others."""
    known = catalogue()
    found: dict[str, Entry] = {}
    for word in words:
        prefix = word.upper()
        under = {code: entry for code, entry in known.items() if code.startswith(prefix)}
        if not under or not prefix.startswith("SF"):
            hint = did_you_mean(prefix, known, label="codes")
            raise click.UsageError(f"no code '{word}'; {hint} `shopflow rule --all` lists them")
        found |= under
    return list(found.values())


def as_markdown(entries: Iterable[Entry]) -> str:
    """The entries as one page, by family."""
    parts = [_HEAD]
    family = ""
    for entry in entries:
        if entry.family != family:
            family = entry.family
            parts.append(f"\n## {FAMILIES[family]}\n")
        parts.append("\n" + entry.page.replace("\n## ", "\n#### ").replace("# ", "### ", 1))
    return "".join(parts)


def _words(entry: Entry) -> str:
    fix = f"{entry.fix} fix" if entry.fix else ""
    return ", ".join(filter(None, [entry.severity, "locked" if entry.locked else "", fix]))


def _as_data(entry: Entry) -> dict[str, object]:
    return {
        "code": entry.code,
        "title": entry.title,
        "family": FAMILIES[entry.family],
        "severity": str(entry.severity),
        "locked": entry.locked,
        "fix": str(entry.fix) if entry.fix else None,
        "explanation": entry.explanation,
        "wrong": _files(entry.wrong),
        "right": _files(entry.right),
    }


def _files(examples: Sequence[Example]) -> list[dict[str, object]]:
    return [{"path": each.path or None, "text": each.text} for each in examples]
