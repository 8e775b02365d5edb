"""A message that a decision put into the outbox; rendering and delivery come later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shopflow.domain.coupon import DrawnCode
from shopflow.domain.ids import CustomerId, EnrolmentId, EventId, MessageId, StepId, WorkflowId
from shopflow.domain.policy import MessageClass
from shopflow.domain.product import IfSoldOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One send over one channel; `id` is its idempotency key and never changes."""

    id: MessageId
    customer_id: CustomerId
    enrolment_id: EnrolmentId
    workflow: WorkflowId
    version: int
    digest: str
    step: StepId
    visit: int
    channel: str
    #: Channels that are tried, in order, after this one failed for good.
    fallbacks: tuple[str, ...] = ()
    purpose: str
    message_class: MessageClass
    priority: int
    tags: frozenset[str] = frozenset()
    template: str
    locale: str
    #: Empty for channels that need no address.
    address: str
    #: The values of `with`, as plain JSON.
    variables: Mapping[str, object] = field(default_factory=dict)
    #: The codes that it shows: issued once it is accepted.
    codes: tuple[DrawnCode, ...] = ()
    #: Variables with products to be sold, looked up once more before it leaves.
    promotes: Mapping[str, IfSoldOut] = field(default_factory=dict)
    trigger_event_id: EventId
    #: The instant of the decision, and the one that lateness is measured from.
    decided_at: datetime
    cursor_at: datetime
    #: From this instant on the message is handed back instead of sent.
    send_by: datetime
