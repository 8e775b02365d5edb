"""Workflow tests: there are some (SF701), their names exist (SF702), payloads fit (SF706)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import jsonschema_rs

from shopflow.domain.step import Send
from shopflow.domain.workflow import Status
from shopflow.lang.build import address_of
from shopflow.lang.compiler.shape import every_step
from shopflow.lang.document import Document
from shopflow.lang.fixes import renaming
from shopflow.lang.lint.subject import Subject, id_of
from shopflow.lang.names import did_you_mean
from shopflow.lang.repository import TESTS, WORKFLOWS
from shopflow.lang.tree import Kind, Node
from shopflow.problem import Problem, Severity

#: Where a row of `cases` puts its value.
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_LISTS = ("sends", "drops", "holds")


def names_exist(subject: Subject) -> Iterator[Problem]:
    """A misspelt name in a test is an error, never a silent pass."""
    for document, root in subject.sound("WorkflowTest"):
        yield from _Names(subject, document, root).problems()


@dataclass
class _Names:
    subject: Subject
    document: Document
    root: Node
    #: The rows of the test at hand, when it is a table.
    rows: list[object] = field(default_factory=list)

    def problems(self) -> Iterator[Problem]:
        """Every name of the file that does not exist."""
        files = self.subject.files("Workflow")
        # Of two with one id the first counts; the second is reported. One that cannot be read is
        # known by its file.
        workflows = {
            id_of(file) or PurePosixPath(file.document.path).stem: file for file in reversed(files)
        }
        yield from self.known("workflow", self.root["workflow"], workflows)
        file = workflows.get(self.root["workflow"].text)
        workflow = file.root if file is not None and file.sound else None
        for customer in self.customers():
            yield from self.customer(customer)
        for test in self.root["tests"].items:
            cases = test["cases"].items if "cases" in test else []
            self.rows = [case.data for case in cases]
            yield from self.references(test)
            for each in (test, *cases):
                if workflow is not None and "expect" in each:
                    yield from self.expected(each["expect"], [workflow, *_other_versions(test)])

    def known(self, what: str, node: Node, names: Iterable[str]) -> Iterator[Problem]:
        for text in self.texts(node):
            if text not in names:
                hint = did_you_mean(text, names, label=f"{what}s")
                message = f"no {what} named '{text}'"
                yield self.document.problem(
                    "SF702", node, message, hint=hint, fix=renaming(self.document, node, names)
                )

    def texts(self, node: Node) -> list[str]:
        """The text, or what each row of `cases` makes of it."""
        if not has_place(node):
            return [node.text]
        return [_in_place(node.text, row) for row in self.rows if isinstance(row, Mapping)]

    def customers(self) -> Iterator[Node]:
        for parent in (self.root, *self.root["tests"].items):
            if "customers" in parent:
                yield from (node for _, node in parent["customers"].pairs())
        for test in self.root["tests"].items:
            if "customer" in test and test["customer"].kind is Kind.MAP:
                yield test["customer"]

    def customer(self, node: Node) -> Iterator[Problem]:
        context = self.subject.build.context
        configured = [channel for channel in context.channels.values() if channel.configured]
        addresses = filter(None, map(address_of, configured))
        known = {*context.traits, *context.attributes, *addresses}
        for key in ("traits", "attributes"):
            for name, _ in node[key].pairs() if key in node else ():
                if context.open_profile:
                    continue
                yield from self.known(key.removesuffix("s"), node[key].key(name), known)
        for channel, purposes in node["consent"].pairs() if "consent" in node else ():
            yield from self.known("channel", node["consent"].key(channel), context.channels)
            for purpose in purposes.items if context.purposes is not None else ():
                yield from self.known("purpose", purpose, context.purposes or ())

    def references(self, test: Node) -> Iterator[Problem]:
        names = _keys(self.root, "customers") | _keys(test, "customers")
        if "customer" in test and test["customer"].kind is Kind.SCALAR:
            yield from self.known("customer", test["customer"], names)
        for event in events_of(test):
            if event["type"].text not in self.subject.build.context.catalogue:
                known = self.subject.build.context.catalogue.schemas
                hint = did_you_mean(event["type"].text, known)
                message = f"no event type '{event['type'].text}'"
                yield self.document.problem(
                    "SF106",
                    event["type"],
                    message,
                    hint=hint,
                    fix=renaming(self.document, event["type"], known),
                )
            if "data" in event and event["data"].kind is Kind.SCALAR:
                yield from self.known("fixture", event["data"], _keys(self.root, "fixtures"))
            if "customer" in event:
                yield from self.known("customer", event["customer"], names)

    def expected(self, expect: Node, versions: Iterable[Node]) -> Iterator[Problem]:
        steps, exits = set[str](), set[str]()
        for each in versions:
            if "steps" in each:
                steps |= {step["id"].text for step in every_step(each["steps"]) if "id" in step}
            if "exit_on" in each:
                exits |= {item["id"].text for item in each["exit_on"].items if "id" in item}
        for each in (item for key in _LISTS if key in expect for item in expect[key].items):
            if "step" in each:
                yield from self.known("step", each["step"], steps)
            if "channel" in each:
                yield from self.known(
                    "channel", each["channel"], self.subject.build.context.channels
                )
            if "template" in each:
                yield from self.known("template", each["template"], self.subject.templates.names())
        for each in _render_checks(expect):
            if "step" in each:
                yield from self.known("step", each["step"], steps)
        if "end" in expect and "by" in expect["end"]:
            yield from self.known("exit", expect["end"]["by"], {*exits, *steps})


def live_workflows_are_tested(subject: Subject) -> Iterator[Problem]:
    """Whatever sends something to customers has a test that says what."""
    roots = (file.document.root for file in subject.files("WorkflowTest"))
    tested = {root["workflow"].text for root in roots if root is not None and "workflow" in root}
    for each in subject.build.workflows:
        workflow, root = each.workflow, each.document.root
        if workflow is None or root is None or workflow.status is not Status.LIVE:
            continue
        if workflow.id in tested or not any(isinstance(s, Send) for s in workflow.steps.values()):
            continue
        place = PurePosixPath(each.document.path.replace(WORKFLOWS, TESTS, 1))
        message = "it is live, and no test says what it sends"
        hint = f"add {place.with_suffix('.test.yaml')}"
        yield each.document.problem(
            "SF701", root["status"], message, hint=hint, severity=Severity.WARNING
        )


def payloads_are_valid(subject: Subject) -> Iterator[Problem]:
    """What a test sends is what the shop could send."""
    schemas = subject.build.context.catalogue.schemas
    validators: dict[str, jsonschema_rs.Validator] = {}
    for document, root in subject.sound("WorkflowTest"):
        seen: set[tuple[str, str]] = set()
        for event in (event for test in root["tests"].items for event in events_of(test)):
            name = event["type"].text
            if name not in schemas or "data" not in event:
                continue
            node = event["data"]
            if node.kind is Kind.SCALAR:
                if (name, node.text) in seen or node.text not in _keys(root, "fixtures"):
                    continue
                seen.add((name, node.text))
                node = root["fixtures"][node.text]
            if has_place(node):
                continue
            if name not in validators:
                validators[name] = jsonschema_rs.validator_for(
                    dict(schemas[name]), validate_formats=True
                )
            for error in validators[name].iter_errors(node.data):
                yield _invalid(document, node, name, error)


def _invalid(document: Document, node: Node, event_type: str, error: Any) -> Problem:
    path = [part if isinstance(part, int) else str(part) for part in error.instance_path]
    message = f"{event_type} does not allow this: {error.message}"
    return document.problem("SF706", node.at(path), message)


def _render_checks(expect: Node) -> list[Node]:
    render = expect.get("render")
    if render is None:
        return []
    return render.items if render.kind is Kind.LIST else [render]


def _other_versions(test: Node) -> list[Node]:
    """What the versions that a test deploys change of the workflow's file."""
    deployed = test["versions"].items if "versions" in test else []
    return [each["change"] for each in deployed if "change" in each]


def events_of(test: Node) -> Iterator[Node]:
    """The events of a test, its history included."""
    for parent in (test, test.get("history")):
        if parent is not None and "events" in parent:
            yield from parent["events"].items


def _keys(node: Node, key: str) -> set[str]:
    return set(node[key].entries) if key in node else set()


def _in_place(text: str, row: Mapping[str, object]) -> str:
    return _PLACE.sub(lambda place: str(row.get(place[1], place[0])), text)


def has_place(node: Node) -> bool:
    """Whether a text in it is filled in from the rows of `cases`."""
    children = (*node.items, *(value for _, value in node.pairs()))
    return _PLACE.search(node.text) is not None or any(map(has_place, children))
