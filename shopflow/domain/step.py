"""The steps of a workflow, flat: each names the step that follows.

So an enrolment stands at one step id and a branch is a jump. `None` as a target is the end of the
workflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum

from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId
from shopflow.domain.product import IfSoldOut
from shopflow.domain.trial import Result
from shopflow.domain.trigger import EventPattern


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    id: StepId
    next: StepId | None
    #: False skips this step and goes on.
    only_if: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(_Step):
    """Waits for a length of time, until an instant, or until a local time of day.

    ```yaml
    - {id: settle, wait: 1h}
    ```
    """

    #: Exactly one of these three is set; a literal length compiles to a constant expression.
    length: Expression | None = None
    until: Expression | None = None
    until_time: time | None = None
    #: Weekdays that `until_time` may fall on, Monday is 0; empty means every day.
    days: frozenset[int] = frozenset()
    #: Collects up to this many further triggers of the key while waiting.
    gather: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor(_Step):
    """Waits for an event of the customer, or for the time-out.

    ```yaml
    - id: paid
      wait_for: payment.received
      match: {order_id: trigger.order_id}
      timeout: 3d
      then: [{id: done, end: converted}]
      else: [{id: remind, send: email, template: payment/reminder}]
    ```
    """

    pattern: EventPattern
    #: Payload field -> what it must equal.
    match: Mapping[str, Expression] = field(default_factory=dict)
    when: Expression | None = None
    timeout: Expression
    #: Payload fields of the event that later steps read; None keeps all of them.
    keep: frozenset[str] | None = None
    then: StepId | None
    otherwise: StepId | None


class SendMode(StrEnum):
    """How a list of channels is used."""

    FIRST_OF = "first_of"
    EACH_OF = "each_of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(_Step):
    """Sends one template over the first channel that may be used, or over each.

    ```yaml
    - {id: reminder, send: email, template: cart/reminder, with: {items: trigger.items}}
    ```
    """

    channels: tuple[str, ...]
    mode: SendMode = SendMode.FIRST_OF
    template: str
    variables: Mapping[str, Expression] = field(default_factory=dict)
    purpose: str
    #: The coupon whose code the message shows.
    coupon: str | None = None
    #: Values that hold products to be sold, and what becomes of those that nobody can buy.
    promotes: Mapping[str, IfSoldOut] = field(default_factory=dict)
    max_lateness: timedelta
    #: Quiet hours of a channel give way to the next channel instead of holding.
    skip_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTicket(Send):
    """Opens a ticket: a send whose receiver is a person of the shop's, by the help desk.

    ```yaml
    - id: call
      ticket: {subject: "'Call back: ' + trigger.order_id", priority: high}
    ```
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWebhook(Send):
    """Tells one of the shop's own services: a send whose receiver is a program.

    ```yaml
    - id: book
      webhook: {order_id: trigger.order_id, total: trigger.total}
    ```
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One way through a `choose` or a `split`."""

    name: str
    target: StepId | None
    when: Expression | None = None
    weight: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(_Step):
    """Takes the first branch whose condition holds, else the last.

    ```yaml
    - id: size
      choose:
        - when: trigger.total >= 100
          then: [{id: big, end: big_cart}]
        - else: [{id: small, end: small_cart}]
    ```
    """

    branches: tuple[Branch, ...]
    otherwise: StepId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRule:
    """How the branches of a split compete: how long, and for what."""

    #: From the beginning of the trial until its winner is known.
    decide_after: Expression
    by: Result
    #: What one trial is about, such as the issue of a letter; None: the start of a schedule, or
    #: the version of the workflow.
    per: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(_Step):
    """Takes a branch by weight: the same customer always takes the same one.

    Or tries the branches on a share of the customers; the others wait, and take the best of them.

    ```yaml
    - id: tone
      split:
        - {name: warm, weight: 50, then: [{id: a, send: email, template: hello/warm}]}
        - {name: short, weight: 50, then: [{id: b, send: email, template: hello/short}]}
    ```
    """

    #: Weights add up to 1, or in a trial to the share of those whom it is tried on.
    branches: tuple[Branch, ...]
    trial: TrialRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(_Step):
    """Goes through its body up to `limit` times with a pause between.

    ```yaml
    - id: chase
      repeat: {every: 3d, max: 3, steps: [{id: ask, send: email, template: invoice/reminder}]}
    ```
    """

    body: StepId | None
    every: Expression
    limit: int
    #: The round starts only while this holds.
    while_: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawCode(_Step):
    """Draws a code of a coupon, which later steps read as `steps.<id>.code`.

    ```yaml
    - id: gift
      coupon: cart10
      else: [{id: none_left, end: no_code}]
    ```
    """

    coupon: str
    #: Where it goes on when there is no code for this customer.
    otherwise: StepId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetValues(_Step):
    """Sets attributes of the customer, or adds and removes tags.

    ```yaml
    - {id: mark, set: {attributes: {tier: "'gold'"}, add_tags: [vip]}}
    ```
    """

    attributes: Mapping[str, Expression] = field(default_factory=dict)
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


class ConsentChange(StrEnum):
    """What a `consent` step may do: it can only ever take permission away."""

    PAUSED = "paused"
    SUNSET = "sunset"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeConsent(_Step):
    """Pauses, sunsets or lapses a consent; it never grants one.

    ```yaml
    - {id: rest, consent: {purpose: marketing, state: paused, for: 14d}}
    ```
    """

    state: ConsentChange
    purpose: str | None = None
    channel: str | None = None
    length: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit(_Step):
    """Emits an event, about this customer or about another.

    ```yaml
    - {id: tell, emit: {event: order.delayed, data: {order_id: trigger.order_id}}}
    ```
    """

    event_type: str
    data: Mapping[str, Expression] = field(default_factory=dict)
    to: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End(_Step):
    """Ends the enrolment with an outcome.

    ```yaml
    - {id: stop, end: no_answer}
    ```
    """

    outcome: str


Step = (
    Wait
    | WaitFor
    | Send
    | OpenTicket
    | CallWebhook
    | Choose
    | Split
    | Repeat
    | DrawCode
    | SetValues
    | ChangeConsent
    | Emit
    | End
)
