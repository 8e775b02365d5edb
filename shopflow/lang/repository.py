"""The files of a rules repository: which there are, read and held against their schemas.

What they mean together is worked out by `shopflow.lang.build`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shopflow.lang.document import Document
from shopflow.lang.reading import parse
from shopflow.lang.schemas import (
    EVENT_SUFFIX,
    RESERVED_FIELDS,
    EventCatalogue,
    Schema,
    flaw_of,
    shipped_events,
)
from shopflow.lang.tree import Node
from shopflow.lang.validation import Soundness, check_kind, salvage, validate
from shopflow.problem import Location, Problem, Severity

PROJECT_FILE = "shopflow.yaml"
ENVIRONMENTS = "environments"
RULES = "rules"
TEMPLATES = f"{RULES}/templates"
EVENTS = f"{RULES}/events"
WORKFLOWS = f"{RULES}/workflows"
TESTS = f"{RULES}/tests"
#: Files of one of a kind.
SINGLE = {
    f"{RULES}/traits.yaml": "Traits",
    f"{RULES}/segments.yaml": "Segments",
    f"{RULES}/policies/consent.yaml": "ConsentPolicy",
    f"{RULES}/policies/caps.yaml": "FrequencyCaps",
    f"{RULES}/policies/quiet-hours.yaml": "QuietHours",
    f"{RULES}/policies/retention.yaml": "Retention",
}
#: Folders of many of a kind.
FOLDERS = {
    f"{WORKFLOWS}/": "Workflow",
    f"{TESTS}/": "WorkflowTest",
    f"{RULES}/coupons/": "Coupon",
    f"{RULES}/questions/": "Question",
}
_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One file of rules, and how much of it the compiler can work on."""

    document: Document
    kind: str
    soundness: Soundness

    @property
    def sound(self) -> bool:
        """Nothing of it is missing: a name that is not there does not exist."""
        return self.soundness is Soundness.SOUND

    @property
    def root(self) -> Node | None:
        """What the compiler can work on; None when that is nothing."""
        return None if self.soundness is Soundness.LOST else self.document.root


@dataclass(slots=True)
class Repository:
    """Every file of a repository, read, and what is wrong with each by itself."""

    root: Path
    files: dict[str, RuleFile] = field(default_factory=dict)
    catalogue: EventCatalogue = field(default_factory=EventCatalogue)
    problems: list[Problem] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[RuleFile]:
        """The files of a kind, by path."""
        return [file for _, file in sorted(self.files.items()) if file.kind == kind]

    def single(self, kind: str) -> RuleFile | None:
        """The one file of a kind; None when there is none."""
        return next(iter(self.of_kind(kind)), None)

    def texts_with(self, mark: str) -> dict[str, str]:
        """Path -> text of every file that has this mark in it, settings and templates too."""
        texts = {name: file.document.text for name, file in self.files.items()}
        around = [self.root / PROJECT_FILE, *(self.root / ENVIRONMENTS).glob("*.yaml")]
        for path in (*around, *(self.root / TEMPLATES).rglob("*")):
            # Who cannot read a file has said so by now.
            data = path.read_bytes() if path.is_file() else b""
            if mark.encode() in data:
                name = path.relative_to(self.root).as_posix()
                texts[name] = data.decode("utf-8-sig", "replace")
        return {name: text for name, text in texts.items() if mark in text}


def read_repository(root: Path, *, tests: bool = True, workflows: bool = True) -> Repository:
    """Every file of rules under the root, without the project's settings and the templates.

    Without workflows, only the files that there is one of.
    """
    repository = Repository(root)
    files = _yaml_files(root / RULES) if workflows else _single_files(root)
    for path in files:
        name = path.relative_to(root).as_posix()
        kind = _kind_of_place(name)
        if kind is None:
            _unread(repository, path, name)
        elif tests or kind != "WorkflowTest":
            add_file(repository, path, name, kind)
    repository.catalogue = _catalogue(repository)
    return repository


def add_file(repository: Repository, path: Path, name: str, kind: str) -> RuleFile:
    """Reads one file and holds it against the schema of its kind."""
    document = read_document(path, name)
    problems = [*document.problems, *check_kind(document, (kind,))]
    if not any(problem.severity is Severity.ERROR for problem in problems):
        problems += validate(document, kind)
    soundness = salvage(document, kind, problems)
    repository.problems += problems
    repository.files[name] = RuleFile(document, kind, soundness)
    return repository.files[name]


def read_document(path: Path, name: str) -> Document:
    """The file as a document; one that cannot be read has a problem and no tree."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as e:
        return _unreadable(name, f"cannot be read: {e.strerror}")
    except UnicodeDecodeError as e:
        return _unreadable(name, f"not UTF-8 at byte {e.start}", "save the file as UTF-8")
    document = parse(name, text)
    if document.root is None and not document.problems:
        document.problems += _unreadable(name, "an empty file").problems
    return document


def _unreadable(name: str, message: str, hint: str = "") -> Document:
    document = Document(name)
    problem = document.problem_at(Location(path=name), "SF001", message, hint=hint)
    document.problems.append(problem)
    return document


def _yaml_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        if path.suffix in _YAML and not hidden and parts[0] != "templates" and path.is_file():
            yield path


def _single_files(root: Path) -> Iterator[Path]:
    for name in SINGLE:
        if (path := root / name).is_file():
            yield path


def _kind_of_place(name: str) -> str | None:
    if name in SINGLE:
        return SINGLE[name]
    if not name.endswith(".yaml"):
        return None
    return next((kind for folder, kind in FOLDERS.items() if name.startswith(folder)), None)


def _unread(repository: Repository, path: Path, name: str) -> None:
    del path
    known = ", ".join([*FOLDERS, *SINGLE])
    hint = f"files are read from {known}"
    if name.endswith(".yml"):
        hint = "name it .yaml"
    problem = Problem(
        code="SF013",
        location=Location(path=name),
        message="nothing reads this file",
        hint=hint,
        severity=Severity.WARNING,
    )
    repository.problems.append(problem)


def _catalogue(repository: Repository) -> EventCatalogue:
    folder = repository.root / EVENTS
    schemas = dict(shipped_events().schemas)
    for path in sorted(folder.glob(f"*{EVENT_SUFFIX}")):
        name = path.name.removesuffix(EVENT_SUFFIX)
        schema = _event_schema(repository, path, f"{EVENTS}/{path.name}")
        if schema is not None:
            schemas[name] = schema
    return EventCatalogue(schemas)


def _event_schema(repository: Repository, path: Path, name: str) -> Schema | None:
    location = Location(path=name)

    def report(code: str, message: str, hint: str = "") -> None:
        repository.problems.append(
            Problem(code=code, location=location, message=message, hint=hint)
        )

    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        report("SF001", f"no JSON: {e}")
        return None
    if flaw := flaw_of(schema):
        report("SF004", f"no JSON Schema: {flaw}")
        return None
    if not isinstance(schema, dict) or schema.get("type") != "object":
        report("SF004", "the schema of an event says `type: object`", "payloads are objects")
        return None
    for reserved in sorted(RESERVED_FIELDS & schema.get("properties", {}).keys()):
        message = f"the field '{reserved}' is reserved for the event itself"
        report("SF004", message, "give the field another name, such as order_id")
    return schema
