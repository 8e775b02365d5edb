"""The shape of steps in a file: which kind each is, and the steps inside it."""

from __future__ import annotations

from shopflow.lang.tree import Kind, Node

#: The word that says what a step is, in the order in which the schema looks for it.
KINDS = (
    "wait",
    "wait_for",
    "send",
    "choose",
    "split",
    "repeat",
    "coupon",
    "set",
    "consent",
    "emit",
    "ticket",
    "webhook",
    "end",
)


def kind_of(node: Node) -> str | None:
    """The word that says what a step is."""
    return next((kind for kind in KINDS if kind in node), None)


def branches_of(node: Node) -> list[Node]:
    """The lists of steps inside a step, in the order of the file."""
    match kind_of(node):
        case "wait_for" | "coupon":
            return [node[key] for key in ("then", "else") if key in node]
        case "choose":
            branches = node["choose"].items
            return [each[key] for each in branches for key in ("then", "else") if key in each]
        case "split":
            return [each["then"] for each in split_branches(node["split"]) if "then" in each]
        case "repeat":
            return [node["repeat"]["steps"]]
        case _:
            return []


def split_branches(split: Node) -> list[Node]:
    """The branches of a `split`: a list by itself, or beside how they are tried."""
    return split["branches"].items if split.kind is Kind.MAP else split.items


def every_step(steps: Node) -> list[Node]:
    """All steps of a workflow, outer before inner, in the order of the file."""
    found = []
    for step in steps.items:
        found.append(step)
        for branch in branches_of(step):
            found += every_step(branch)
    return found
