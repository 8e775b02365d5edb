"""The way through a workflow: unbounded parallel enrolments (SF206), hold-outs (SF210)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shopflow.domain.policy import MessageClass
from shopflow.domain.workflow import Reentry
from shopflow.lang.lint.subject import Subject
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
