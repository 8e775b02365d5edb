"""The ids of the domain, as types of their own, and those that derive from others."""

from __future__ import annotations

import hashlib
from typing import NewType

CustomerId = NewType("CustomerId", str)
EventId = NewType("EventId", str)
WorkflowId = NewType("WorkflowId", str)
StepId = NewType("StepId", str)
EnrolmentId = NewType("EnrolmentId", str)
MessageId = NewType("MessageId", str)
DrawId = NewType("DrawId", str)
TrialId = NewType("TrialId", str)

#: Hex digits of a derived id: 128 bits, so that two never meet.
ID_DIGITS = 32


#: How the ids of rows begin that stand for no person, but for what an event is about.
SUBJECT = "subject:"


def is_subject(customer: str) -> bool:
    """True for the row of a product, an article or an invoice: nobody's."""
    return customer.startswith(SUBJECT)


def derive(*parts: object) -> str:
    """A stable id of the parts: the same parts give the same id on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=ID_DIGITS // 2).hexdigest()


def enrolment_id(
    customer: CustomerId, workflow: WorkflowId, key: str, cause: EventId, number: int
) -> EnrolmentId:
    """The id of the enrolment that this cause starts; `number` counts the items of an `each`."""
    return EnrolmentId(derive("enrolment", customer, workflow, key, cause, number))


def message_id(enrolment: EnrolmentId, step: StepId, visit: int, channel: str) -> MessageId:
    """The idempotency key of a send: deciding it twice is the same message."""
    return MessageId(derive("message", enrolment, step, visit, channel))


def draw_id(enrolment: EnrolmentId, step: StepId, visit: int) -> DrawId:
    """The id of the code drawn for a step: every channel of the step shows the same code."""
    return DrawId(derive("draw", enrolment, step, visit))


def trial_id(workflow: WorkflowId, digest: str, step: StepId, run: str) -> TrialId:
    """The id of a trial: each version of a workflow, and each run of it, has trials of its own."""
    return TrialId(derive("trial", workflow, digest, step, run))


def fraction(salt: str, subject: str) -> float:
    """A number in [0, 1) of the salt and the subject only: chance that can be repeated."""
    digest = hashlib.blake2b(f"{salt}\x1f{subject}".encode(), digest_size=8).digest()
    # 53 bits are what a double holds exactly.
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)
