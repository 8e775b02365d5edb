"""Reading the project's settings: shopflow.yaml, the environment's file, values from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from shopflow.lang.document import Document
from shopflow.lang.names import did_you_mean
from shopflow.lang.project import (
    DEFAULT_ENVIRONMENT,
    DeliveryMode,
    Project,
    SettingsReader,
    check_settings,
    overlay,
    project_of,
)
from shopflow.lang.repository import ENVIRONMENTS, PROJECT_FILE, read_document
from shopflow.lang.tree import Node
from shopflow.lang.validation import Soundness, check_kind, salvage, validate
from shopflow.problem import Location, Problem, Severity

#: What is wrong with a channel's settings, one line each, beginning with the setting's path.
Complaints = Callable[[str, Mapping[str, object]], list[str]]


@dataclass(slots=True)
class Settings:
    """The project as far as it could be read, and what is wrong with its settings."""

    project: Project
    problems: list[Problem] = field(default_factory=list)
    #: False when shopflow.yaml could not be read: then nothing is known to be missing from it.
    known: bool = True


def read_settings(
    root: Path, env: Mapping[str, str], complaints: Complaints, *, strict: bool
) -> Settings:
    """The project under the root; `strict` asks for every variable and secret to be there."""
    path = root / PROJECT_FILE
    if not path.is_file():
        problem = Problem(
            code="SF014",
            location=Location(path=PROJECT_FILE),
            message=f"no {PROJECT_FILE} in {root}",
            hint="go to the rules repository, or name it with --project; `shopflow init` makes one",
        )
        return Settings(Project(root=root), [problem], known=False)
    reader = SettingsReader(env, strict=strict)
    problems: list[Problem] = []
    base = _read(path, PROJECT_FILE, "Project", reader, problems)
    if base is None or base.root is None:
        return Settings(Project(root=root), problems, known=False)
    name = str(_data(base).get("environment", DEFAULT_ENVIRONMENT))
    documents = [base]
    data = _data(base)
    above = root / ENVIRONMENTS / f"{name}.yaml"
    if above.is_file():
        document = _read(above, f"{ENVIRONMENTS}/{name}.yaml", "Environment", reader, problems)
        if document is not None:
            documents.append(document)
            data = overlay(data, _data(document))
    problems += reader.problems
    project = replace(project_of(root, data), environment=name)
    for document in documents:
        problems += check_settings(document, project)
    problems += _channel_problems(documents, project, complaints)
    problems += _delivery_problems(documents, project)
    return Settings(project, problems)


def _read(
    path: Path, name: str, kind: str, reader: SettingsReader, problems: list[Problem]
) -> Document | None:
    document = read_document(path, name)
    found = [*document.problems, *check_kind(document, (kind,))]
    if document.root is not None and not found:
        reader.fill(document, document.root)
        document.root.forget()
        found += validate(document, kind)
    problems += found
    return document if salvage(document, kind, found) is not Soundness.LOST else None


def _data(document: Document) -> Mapping[str, object]:
    data = document.root.data if document.root is not None else None
    return data if isinstance(data, dict) else {}


def _channel_problems(
    documents: list[Document], project: Project, complaints: Complaints
) -> list[Problem]:
    problems = []
    for name, settings in project.channels.items():
        for complaint in complaints(name, settings):
            setting, _, message = complaint.partition(": ")
            document, node = _nearest(documents, setting.split("."))
            problems.append(document.problem("SF313", node, f"{setting}: {message}"))
    return problems


def _delivery_problems(documents: list[Document], project: Project) -> list[Problem]:
    if project.delivery.mode is not DeliveryMode.LIVE or project.environment == "production":
        return []
    document, node = _nearest(documents, ["delivery", "mode"])
    message = f"delivery is live in the environment '{project.environment}'"
    hint = "only `environment: production` may be live; use sink or allowlist elsewhere"
    return [document.problem("SF015", node, message, hint=hint)]


def _nearest(documents: list[Document], path: list[str]) -> tuple[Document, Node]:
    """The node of a setting in the file that says it last, or as near as that file comes."""
    best: tuple[int, Document, Node] | None = None
    for document in documents:
        node, depth = document.root, 0
        for part in path:
            if node is None or part not in node:
                break
            node, depth = (node.key(part) if depth == len(path) else node[part]), depth + 1
        if node is not None and (best is None or depth >= best[0]):
            best = (depth, document, node)
    assert best is not None, "the project's own file has a tree"  # noqa: S101
    return best[1], best[2]


def unknown_channel(name: str, installed: Mapping[str, object]) -> list[str]:
    """The complaint about a channel that is not installed."""
    hint = did_you_mean(name, installed, label="installed")
    return [f"channels.{name}: no channel named '{name}' is installed; {hint}"]


def has_errors(problems: list[Problem]) -> bool:
    """Whether any of the problems is an error."""
    return any(problem.severity is Severity.ERROR for problem in problems)
