"""The way through a workflow: parallel enrolments (SF206), events that never come (SF212)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shopflow.domain.policy import MessageClass
from shopflow.domain.workflow import Reentry
from shopflow.lang.compiler.shape import every_step
from shopflow.lang.document import Document
from shopflow.lang.lint.subject import Subject
from shopflow.lang.tree import Kind, Node
from shopflow.problem import Problem


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


def awaited_events_concern_customers(subject: Subject) -> Iterator[Problem]:
    """What is waited for, watched or counted for a customer is an event about customers."""
    schemas = subject.build.context.catalogue.schemas
    for document, node in _awaited(subject):
        for each in node.items if node.kind is Kind.LIST else [node]:
            about = schemas.get(each.text, {}).get("x-about", "customer")
            if about != "customer":
                message = f"{each.text} is about no customer, so it never comes here"
                hint = "wait for an event of the customer; others can only start a workflow"
                yield document.problem("SF212", each, message, hint=hint)


def _awaited(subject: Subject) -> Iterator[tuple[Document, Node]]:
    for document, root in subject.sound("Workflow"):
        for step in every_step(root["steps"]):
            if "wait_for" in step:
                yield document, step["wait_for"]
        watched = [*(root["exit_on"].items if "exit_on" in root else ())]
        watched += [root["goal"]] if "goal" in root else []
        yield from ((document, each["event"]) for each in watched if "event" in each)
    for document, root in subject.sound("Traits"):
        for _, trait in root["traits"].pairs() if "traits" in root else ():
            yield document, trait["event"]


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
