"""The way through a workflow: parallel enrolments, sends at once, events that never come (SF2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shopflow.domain.policy import MessageClass
from shopflow.domain.step import CallWebhook, OpenTicket, Send, SetValues
from shopflow.domain.workflow import Reentry
from shopflow.lang.compiler.shape import every_step
from shopflow.lang.compiler.ways import Stop, Way
from shopflow.lang.document import Document
from shopflow.lang.lint.subject import Subject
from shopflow.lang.tree import Kind, Node
from shopflow.problem import Problem, Severity


def parallel_is_bounded(subject: Subject) -> Iterator[Problem]:
    """Enrolments of one customer that run beside each other have a key or a cooldown."""
    for each in subject.build.workflows:
        workflow, root = each.workflow, each.document.root
        if workflow is None or root is None or workflow.reentry is not Reentry.PARALLEL:
            continue
        if workflow.key is None and workflow.cooldown == timedelta():
            node = root["trigger"]["reentry"]
            message = "every trigger starts another enrolment of the same customer"
            hint = "add a key (what it is about) or a cooldown"
            yield each.document.problem("SF206", node, message, hint=hint)


def awaited_events_come(subject: Subject) -> Iterator[Problem]:
    """An event about no customer is waited for by what it must match, and counts for nobody."""
    for document, watcher in _waiting(subject):
        if "match" in watcher:
            continue
        for each in _about_no_customer(subject, watcher.get("wait_for") or watcher["event"]):
            message = f"{each.text} is about no customer: it comes here by a match only"
            hint = "say which one is meant, as in match: {sku: trigger.sku}"
            yield document.problem("SF212", each, message, hint=hint)
    for document, counter in _counting(subject):
        for each in _about_no_customer(subject, counter["event"]):
            message = f"{each.text} is about no customer, so it never comes here"
            hint = "name an event of the customer"
            yield document.problem("SF212", each, message, hint=hint)


def _about_no_customer(subject: Subject, node: Node) -> Iterator[Node]:
    schemas = subject.build.context.catalogue.schemas
    for each in node.items if node.kind is Kind.LIST else [node]:
        if schemas.get(each.text, {}).get("x-about", "customer") != "customer":
            yield each


def _waiting(subject: Subject) -> Iterator[tuple[Document, Node]]:
    for document, root in subject.sound("Workflow"):
        for step in every_step(root["steps"]):
            if "wait_for" in step:
                yield document, step
        for rule in root["exit_on"].items if "exit_on" in root else ():
            if "event" in rule:
                yield document, rule


def _counting(subject: Subject) -> Iterator[tuple[Document, Node]]:
    for document, root in subject.sound("Workflow"):
        if "goal" in root:
            yield document, root["goal"]
    for document, root in subject.sound("Traits"):
        for _, trait in root["traits"].pairs() if "traits" in root else ():
            yield document, trait


def sends_are_apart(subject: Subject) -> Iterator[Problem]:
    """Nobody gets two messages of one workflow by one channel at the same moment."""
    for each in subject.build.workflows:
        messages = subject.messages_of.get(each.document.path, ())
        nodes = {message.step.id: message.node for message in messages}
        told: set[str] = set()
        found = subject.ways(each.workflow) if each.workflow is not None and len(nodes) > 1 else ()
        for way in found or ():
            for first, second in _at_once(way):
                if second.id in told or second.id not in nodes:
                    continue
                told.add(second.id)
                message = f"it leaves in the same moment as '{first.id}', by the same channel"
                hint = "wait between them, or make one message of the two"
                yield each.document.problem(
                    "SF211", nodes[second.id]["id"], message, hint=hint, severity=Severity.WARNING
                )


def _at_once(way: Way) -> Iterator[tuple[Send, Send]]:
    """Sends of a way that follow each other without a wait; one with a guard may be left out."""
    last: Stop | None = None
    for stop in way:
        step = stop.step
        # What is set between two sends may well be the address.
        if isinstance(step, SetValues):
            last = None
        if not isinstance(step, Send) or step.only_if is not None or not _comes_to_people(step):
            continue
        if last is not None and isinstance(last.step, Send):
            at_once = stop.latest is not None and stop.latest == last.latest
            if at_once and last.step.channels == step.channels:
                yield last.step, step
        last = stop


def _comes_to_people(step: Send) -> bool:
    return not isinstance(step, OpenTicket | CallWebhook)


def holdout_has_a_purpose(subject: Subject) -> Iterator[Problem]:
    """Nobody is left without a service message for the sake of a measurement."""
    purposes = subject.build.context.purposes or {}
    for each in subject.build.workflows:
        workflow, root = each.workflow, each.document.root
        if workflow is None or root is None or not workflow.holdout:
            continue
        purpose = purposes.get(workflow.purpose)
        if purpose is not None and purpose.message_class is MessageClass.SERVICE:
            message = f"a hold-out of {root['holdout'].text} would miss service messages"
            hint = "remove holdout; people are owed these messages"
            yield each.document.problem("SF410", root["holdout"], message, hint=hint)
