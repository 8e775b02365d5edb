"""Expressions: names and types (SF1), secrets (SF118), keys (SF409), unused `let` (SF115)."""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.lang.expressions import check_keys, check_secrets, check_uses
from shopflow.lang.fixes import without
from shopflow.lang.lint.subject import Subject
from shopflow.problem import Problem, Severity


def types_fit(subject: Subject) -> Iterator[Problem]:
    """Every expression fits the names and types of its place."""
    for each in subject.build.workflows:
        yield from check_uses(each.document, each.uses, partial=each.partial)
    for document, use in subject.build.uses:
        yield from check_uses(document, [use])


def secrets_stay_secret(subject: Subject) -> Iterator[Problem]:
    """What a schema marks as secret is read by nothing but messages."""
    for each in subject.build.workflows:
        yield from check_secrets(each.document, each.uses)
    for document, use in subject.build.uses:
        yield from check_secrets(document, [use])


def keys_are_not_personal(subject: Subject) -> Iterator[Problem]:
    """No key is an address, a telephone number or a name."""
    for each in subject.build.workflows:
        yield from check_keys(each.document, each.uses)


def lets_are_used(subject: Subject) -> Iterator[Problem]:
    """Every `let` is read somewhere."""
    for each in subject.build.workflows:
        root = each.document.root
        node = root.get("let") if root is not None else None
        if root is None or node is None or each.partial:
            continue
        reads = {path for use in each.uses for path in use.program.reads if path[0] == "vars"}
        if ("vars",) in reads:
            continue
        used = {path[1] for path in reads}
        for name, _ in node.pairs():
            if name not in used:
                yield each.document.problem(
                    "SF115",
                    node.key(name),
                    f"nothing reads vars.{name}",
                    hint="remove it, or use it",
                    severity=Severity.WARNING,
                    fix=without(each.document, [(root, "let"), (node, name)]),
                )
