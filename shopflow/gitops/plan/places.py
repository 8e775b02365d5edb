"""What workflows share, by name, and where everything stands, for findings to point at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shopflow.lang.document import Document
from shopflow.lang.tree import Node
from shopflow.problem import Location, Problem, Severity
from shopflow.rulebook import LoadedProject


class Thing(NamedTuple):
    """Something that workflows share, by its kind and name: `caps.marketing-week`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}"


#: The file of each kind of shared thing, and the key under which they stand.
_FILES: Mapping[str, tuple[str, str]] = {
    "traits": ("rules/traits.yaml", "traits"),
    "attributes": ("rules/traits.yaml", "attributes"),
    "segments": ("rules/segments.yaml", "segments"),
    "purposes": ("rules/policies/consent.yaml", "purposes"),
    "caps": ("rules/policies/caps.yaml", "caps"),
    "quiet_hours": ("rules/policies/quiet-hours.yaml", "quiet_hours"),
}


def document_of(loaded: LoadedProject, thing: Thing) -> Document | None:
    """The file that the thing stands in; None where it is no file of rules, or is not there."""
    return loaded.shared.get(path_of(thing))


def path_of(thing: Thing) -> str:
    """Where the thing stands, or would stand."""
    match thing.kind:
        case "coupons":
            return f"rules/coupons/{thing.name}.yaml"
        case "templates":
            return f"rules/templates/{thing.name}"
        case "events":
            return f"rules/events/{thing.name}.schema.json"
        case "channels" | "settings":
            return "shopflow.yaml"
        case kind:
            return _FILES[kind][0]


def node_of(loaded: LoadedProject, thing: Thing) -> Node | None:
    """The thing as its file has it."""
    document = document_of(loaded, thing)
    root = document.root if document is not None else None
    if root is None or thing.kind == "coupons":
        return root
    if thing.kind not in _FILES or (below := root.get(_FILES[thing.kind][1])) is None:
        return None
    named = (each for each in below.items if _text(each, "id") == thing.name)
    return below.get(thing.name) or next(named, None)


def reason_in(loaded: LoadedProject, thing: Thing) -> tuple[str, str]:
    """What the thing gives as its reason, and its file for all that stands in it."""
    document, node = document_of(loaded, thing), node_of(loaded, thing)
    root = document.root if document is not None else None
    return _text(node, "reason"), _text(root, "reason")


def shared_problem(
    loaded: LoadedProject,
    thing: Thing,
    code: str,
    message: str,
    *,
    key: str = "",
    hint: str = "",
    severity: Severity = Severity.ERROR,
) -> Problem:
    """A finding about something shared: at its key, or at its file where it is gone."""
    document, node = document_of(loaded, thing), node_of(loaded, thing)
    if document is None or document.root is None:
        location = Location(path=path_of(thing))
        return Problem(code=code, location=location, message=message, hint=hint, severity=severity)
    if node is None:
        location = Location(path=document.path)
        return document.problem_at(location, code, message, hint=hint, severity=severity)
    return document.problem(code, node.get(key) or node, message, hint=hint, severity=severity)


def workflow_problem(
    loaded: LoadedProject,
    workflow: str,
    code: str,
    message: str,
    *,
    key: str = "id",
    hint: str = "",
    severity: Severity = Severity.ERROR,
) -> Problem:
    """A finding about a workflow, at a key of its file."""
    document = loaded.workflows[workflow]
    root = document.root
    if root is None:
        raise ValueError(f"the workflow {workflow} has no file")
    node = root.key(key) if key in root and key != "id" else root["id"]
    return document.problem(code, node, message, hint=hint, severity=severity)


def _text(node: Node | None, key: str) -> str:
    found = node.get(key) if node is not None else None
    return found.text if found is not None else ""
