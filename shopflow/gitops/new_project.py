"""Making a rules repository out of the one that comes with shopflow, and what surrounds one.

What surrounds the rules (CI, owners, hooks, editor) can be written into a repository that has its
own rules already, and written anew after an upgrade.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Any

from shopflow.errors import SettingsError
from shopflow.lang.repository import FOLDERS, PROJECT_FILE, SINGLE
from shopflow.lang.schemas import EVENT_SUFFIX, KINDS, schema_of

#: What a directory may hold and still count as empty: `git init` often comes first.
IGNORED = frozenset({".git"})
#: Files that begin with a dot would mean something where they are kept.
_DOT = "dot-"
_GITIGNORE = ".gitignore"


#: Where the schemas are for editors, from the top of the repository.
SCHEMAS = ".vscode/shopflow"
_SETTINGS = ".vscode/settings.json"
#: Kinds of files whose values may come from the environment, and such a value.
_FILLED = frozenset({"Project", "Environment"})
_REFERENCE = {"type": "string", "pattern": r"\$\{"}


def scaffold() -> dict[str, bytes]:
    """The files of a new rules repository: path -> content."""
    root = files("shopflow.gitops") / "scaffold"
    found = {str(path): file.read_bytes() for path, file in _files(root, PurePosixPath())}
    return {**found, **_for_editors()}


def surroundings() -> dict[str, bytes]:
    """Of these files, those around the rules: CI, owners, hooks and the editor."""
    return {
        path: content
        for path, content in scaffold().items()
        if path.startswith(".") and path != _GITIGNORE
    }


def make_project(folder: Path, *, force: bool = False) -> list[str]:
    """The new repository's files, written into the folder; returns their paths.

    Raises:
        SettingsError: The folder holds something and `force` is not set, or it cannot be written.
    """
    try:
        if not force and folder.exists() and any(e.name not in IGNORED for e in folder.iterdir()):
            raise SettingsError(
                f"{folder} is not empty; name another directory, or use --force: "
                "it replaces files of the same name. With rules there already, --surroundings "
                "writes only what is around them"
            )
    except OSError as e:
        raise SettingsError(f"{e.filename or folder}: {e.strerror}") from e
    return _write(folder, scaffold())


def surround(folder: Path, *, force: bool = False) -> tuple[list[str], list[str]]:
    """What surrounds rules, written into their repository: (paths written, paths left alone).

    Files that are there stay as they are unless `force` is set; schemas are always those of this
    version.

    Raises:
        SettingsError: There is no project in the folder, or it cannot be written.
    """
    if not (folder / PROJECT_FILE).is_file():
        raise SettingsError(
            f"there is no {PROJECT_FILE} in {folder}; without --surroundings, "
            "`shopflow init` makes a project"
        )
    wanted = surroundings()
    kept = [
        path
        for path, content in wanted.items()
        if not (force or path.startswith(f"{SCHEMAS}/"))
        and (folder / path).exists()
        and (folder / path).read_bytes() != content
    ]
    return _write(folder, {p: c for p, c in wanted.items() if p not in kept}), kept


def _write(folder: Path, content: Mapping[str, bytes]) -> list[str]:
    try:
        for name, data in content.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as e:
        raise SettingsError(f"{e.filename or folder}: {e.strerror}") from e
    return list(content)


def _for_editors() -> dict[str, bytes]:
    """The schemas, and settings by which yaml-language-server holds each file against its own."""
    schemas: dict[str, list[str]] = {}
    placed = {
        PROJECT_FILE: "Project",
        "environments/*.yaml": "Environment",
        **SINGLE,
        **{f"{place}**/*.yaml": kind for place, kind in FOLDERS.items()},
    }
    for place, kind in placed.items():
        schemas.setdefault(f"./{SCHEMAS}/{KINDS[kind]}{EVENT_SUFFIX}", []).append(place)
    settings = {
        "yaml.schemas": schemas,
        # A schema of that name elsewhere is not ours.
        "yaml.schemaStore.enable": False,
        "files.associations": {"*.mjml": "mjml"},
    }
    found = {_SETTINGS: (json.dumps(settings, indent=2) + "\n").encode()}
    for kind in KINDS:
        schema = schema_of(kind)
        if kind in _FILLED:
            schema = _with_references(schema)
        text = json.dumps(schema, indent=2, ensure_ascii=False)
        found[f"{SCHEMAS}/{KINDS[kind]}{EVENT_SUFFIX}"] = f"{text}\n".encode()
    return found


def _with_references(schema: Any) -> Any:
    """The schema of a file before its values are filled in: `${NAME}` may stand for any scalar."""
    match schema:
        case {"properties": Mapping() as properties}:
            inner = {key: _with_references(value) for key, value in properties.items()}
            return {**schema, "properties": inner}
        case {"items": Mapping() as items}:
            return {**schema, "items": _with_references(items)}
        case {"type": "string" | "integer" | "number" | "boolean"} | {"enum": list()}:
            own = {key: value for key, value in schema.items() if key != "description"}
            described = {key: value for key, value in schema.items() if key == "description"}
            return {**described, "anyOf": [_REFERENCE, own]}
        case _:
            return schema


def _files(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        name = entry.name
        inner = path / (f".{name.removeprefix(_DOT)}" if name.startswith(_DOT) else name)
        if entry.is_dir():
            yield from _files(entry, inner)
        else:
            yield inner, entry
