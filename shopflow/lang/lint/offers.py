"""What consent is for: offers only in marketing (SF403), and no way round it unsaid (SF408)."""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.domain.policy import MessageClass
from shopflow.domain.step import CallWebhook, DrawCode, OpenTicket
from shopflow.lang.lint.subject import SendStep, Subject
from shopflow.lang.names import listing
from shopflow.lang.tree import Node
from shopflow.problem import Problem


def offer_is_marketing(subject: Subject) -> Iterator[Problem]:
    """A message with an offer is marketing, whatever its purpose calls itself."""
    for message in subject.messages:
        # A ticket and a webhook come to nobody who could be tempted.
        if isinstance(message.step, OpenTicket | CallWebhook):
            continue
        if message.message_class in (None, MessageClass.MARKETING):
            continue
        for node, what in _offers(message):
            text = f"{what} in a message of class {message.message_class}"
            hint = "give the send a purpose of class marketing, or take the offer out"
            yield message.each.document.problem("SF403", node, text, hint=hint)


def _offers(message: SendStep) -> Iterator[tuple[Node, str]]:
    """What the message offers, each with its place in the file."""
    node, step = message.node, message.step
    if "coupon" in node:
        yield node["coupon"], "a coupon"
    if "promotes" in node:
        yield node["promotes"], f"products to be sold ({listing(sorted(step.promotes))})"
    draws = {each for each, one in message.workflow.steps.items() if isinstance(one, DrawCode)}
    for name, value in node["with"].pairs() if "with" in node else ():
        read = step.variables[name].reads
        if any(path[0] == "steps" and path[2:3] == ("code",) and path[1] in draws for path in read):
            yield value, "the code of a coupon"


def no_notice_has_a_reason(subject: Subject) -> Iterator[Problem]:
    """Who does without the notice of the soft opt-in has written down why."""
    for document, root in subject.sound("ConsentPolicy"):
        for _, purpose in root["purposes"].pairs():
            channels = purpose["channels"].pairs() if "channels" in purpose else ()
            for soft in (each["soft_opt_in"] for _, each in channels if "soft_opt_in" in each):
                if "notice" in soft and soft["notice"].text == "optional" and "reason" not in soft:
                    text = "own customers would be written to without having been told, unexplained"
                    hint = "write notice: required, or say in `reason` why none is needed"
                    yield document.problem("SF408", soft["notice"], text, hint=hint)
