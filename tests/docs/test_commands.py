"""Every command helps, docs/commands.md is what they say, and no page names one that is not."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click
import pytest

from shopflow.cli.main import main

REPO = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md")])
HEADER = """# Commands

What `shopflow COMMAND --help` says, written by `make docs`.
Exit codes are the same everywhere: 0 clean, 1 findings, 2 wrong usage or files that cannot be read, 3 an error of the program or its surroundings.
"""  # noqa: E501 - one sentence a line


def tree(command, name, parent=None):
    """The command and all below it, each with the context that its help is made in."""
    context = click.Context(command, info_name=name, parent=parent)
    yield context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            yield from tree(command.get_command(context, below), below, context)


def everything():
    return list(tree(main, "shopflow"))


@pytest.fixture(scope="module")
def contexts():
    """All commands by the words that call them."""
    return {context.command_path: context for context in everything()}


def test_every_command_and_option_says_what_it_does(contexts):
    silent = [path for path, context in contexts.items() if not context.command.help]
    silent += [
        f"{path} {parameter.opts[0]}"
        for path, context in contexts.items()
        for parameter in context.command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert not silent


def described(option, context):
    """An option as a row of a table."""
    names = ", ".join([*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    default = ""
    if option.show_default is True and not option.is_flag:
        default = f" Default: `{option.default}`."
    elif isinstance(option.show_default, str):
        default = f" Default: {option.show_default}."
    # Even inside backticks a bar would end the cell.
    form = f"{names}{value}".replace("|", r"\|")
    return f"| `{form}` | {' '.join(option.help.split())}{default} |"


def chapter(path, context):
    """What one command says, as Markdown."""
    command = context.command
    words = [parameter.make_metavar(context) for parameter in command.params
             if isinstance(parameter, click.Argument)]  # fmt: skip
    yield f"\n## {' '.join([path, *words])}\n"
    for paragraph in inspect.cleandoc(command.help).split("\n\n"):
        sentences = re.sub(r"(?<=[.:!?]) (?=[A-Z`])", "\n", " ".join(paragraph.split()))
        yield f"\n{sentences}\n"
    options = [each for each in command.params if isinstance(each, click.Option)]
    shown = [described(option, context) for option in options if not option.hidden]
    if shown:
        yield "\n| option | what it does |\n|---|---|\n"
        yield "".join(f"{row}\n" for row in shown)


def test_commands_page_is_what_the_commands_say(contexts, golden):
    parts = [HEADER]
    for path, context in contexts.items():
        if path != "shopflow":
            parts += chapter(path, context)
    golden(REPO / "docs/commands.md", "".join(parts))


def calls(page):
    """Each `shopflow …` that a page shows, in a block or between backticks."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        yield from re.findall(r"(?:^|\| |/)shopflow ([^\n|]*)", block, re.MULTILINE)
    yield from re.findall(r"`shopflow ([^`\n]+)`", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_commands_and_options_named_in_pages_exist(page, contexts):
    wrong = []
    for call in calls(page):
        words = re.split(r"\s{3,}", call)[0].split()
        path = "shopflow"
        while words and f"{path} {words[0]}" in contexts:
            path = f"{path} {words.pop(0)}"
        known = {name for parameter in contexts[path].command.params for name in parameter.opts}
        known |= {"--help", "--version"}
        # `COMMAND` stands for any; a group needs one of its own.
        group = isinstance(contexts[path].command, click.Group)
        if group and words and not words[0].startswith("-") and not words[0].isupper():
            wrong.append(call)
        wrong += [f"{path} {word}" for word in words if word.startswith("--") and word not in known]
    assert not wrong
