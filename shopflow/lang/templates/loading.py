"""Reading the templates' folder, with every problem of every file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from shopflow.problem import Problem, in_order

from .assembly import Assembler
from .compiling import ENDINGS, Compilation
from .environment import Environments
from .source import Place, problem_at
from .templates import Template, TemplateSet, fallbacks

#: A file larger than this is no template.
MAX_BYTES = 512 * 1024
#: The code of problems with the names and the set of files.
CODE = "SF323"

_FILE = re.compile(
    r"(?P<channel>[a-z][a-z0-9_-]*)\.(?P<locale>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\.(?P<ending>\w+)"
)
#: Which endings a template may have at once, the main one first.
_TOGETHER = frozenset(
    {
        ("mjml",),
        ("html",),
        ("txt",),
        ("json",),
        ("yaml",),
        ("yml",),
        ("mjml", "txt"),
        ("html", "txt"),
    }
)


def load_templates(
    root: Path,
    *,
    locale: str,
    currency: str = "EUR",
    timezone: str = "UTC",
    prefix: str = "rules/templates",
) -> tuple[TemplateSet, list[Problem]]:
    """The templates under a folder, and all that is wrong with them.

    A template at fault is left out, the others are there. Folders and files whose names begin
    with an underscore hold what templates share; `prefix` is the folder's name in problems.
    """
    problems: list[Problem] = []
    files = _read(root, prefix, problems)
    environments = Environments(currency=currency, timezone=timezone)
    templates = []
    for (name, channel, each), endings in sorted(_grouped(files, prefix, problems).items()):
        key = f"{name}/{channel}.{each}"
        path = f"{prefix}/{key}.{endings[0]}"
        if endings not in _TOGETHER:
            message = f"files that do not go together: {', '.join(endings)}"
            problems.append(problem_at(Place(path=path), CODE, message))
            continue
        found: list[Problem] = []
        assembler = Assembler(files=files, prefix=prefix, locales=fallbacks(each))
        made = Compilation(key, environments, assembler, found)
        # The text first: written by hand, it is not derived.
        for ending in reversed(endings):
            made.file(f"{prefix}/{key}.{ending}", ending, files[f"{key}.{ending}"])
        problems += found
        if not found:
            templates.append(
                Template(
                    name=name,
                    channel=channel,
                    locale=each,
                    path=path,
                    endings=endings,
                    purposes=made.purposes,
                    variables=made.variables,
                    parts=made.parts,
                    longest=made.longest,
                    derives_text=made.derives_text,
                    strategies=frozenset(made.strategies),
                    questions=frozenset(made.questions),
                )
            )
    return TemplateSet(templates, environments, locale=locale), in_order(problems)


def _read(root: Path, prefix: str, problems: list[Problem]) -> dict[str, str]:
    files = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not path.is_file() or any(part.startswith(".") for part in name.split("/")):
            continue
        place = Place(path=f"{prefix}/{name}")
        try:
            data = path.read_bytes()
            if len(data) > MAX_BYTES:
                message = f"a file of more than {MAX_BYTES // 1024} KiB"
                problems.append(problem_at(place, CODE, message))
                continue
            text = data.decode("utf-8-sig")
        except OSError as e:
            problems.append(problem_at(place, "SF001", f"cannot be read: {e.strerror}"))
        except UnicodeDecodeError as e:
            message = f"not UTF-8 at byte {e.start}"
            problems.append(problem_at(place, "SF001", message, hint="save the file as UTF-8"))
        else:
            files[name] = text.replace("\r\n", "\n")
    return files


def _grouped(
    files: Mapping[str, str], prefix: str, problems: list[Problem]
) -> dict[tuple[str, str, str], tuple[str, ...]]:
    groups: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for path in files:
        folder, _, base = path.rpartition("/")
        if any(part.startswith("_") for part in path.split("/")):
            continue
        match = _FILE.fullmatch(base)
        if match is None or match["ending"] not in ENDINGS or not folder:
            message = "the name of a template is <area>/<name>/<channel>.<locale>.<ext>"
            hint = f"<ext> is one of {', '.join(ENDINGS)}; shared files begin with an underscore"
            problems.append(problem_at(Place(path=f"{prefix}/{path}"), CODE, message, hint=hint))
            continue
        place = (folder, match["channel"], match["locale"])
        together = {*groups.get(place, ()), match["ending"]}
        groups[place] = tuple(sorted(together, key=ENDINGS.index))
    return groups
