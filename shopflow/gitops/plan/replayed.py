"""What a replay came to, kept customer by customer, so that two replays can be held together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from shopflow.domain.coupon import CodeState, Reserve, Settle
from shopflow.domain.customer import Customer
from shopflow.domain.ids import DrawId
from shopflow.domain.journal import Effect, JournalEntry, Kind, Queue, Requeue
from shopflow.domain.message import Message


class Sent(NamedTuple):
    """One message that would have left."""

    at: datetime
    customer: str
    workflow: str
    step: str
    channel: str
    message_class: str


class Withheld(NamedTuple):
    """One message that was dropped, and why; `cap` names the cap where one was full."""

    customer: str
    workflow: str
    step: str
    reason: str
    cap: str


class Place(NamedTuple):
    """Where enrolments stand: a workflow by id and digest, and one of its steps."""

    workflow: str
    digest: str
    step: str


@dataclass(slots=True, kw_only=True)
class Replayed:
    """Everything that two replays are compared by; plain values, to be sent between processes."""

    events: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    customers: int = 0
    #: Conditions and values that failed at run time, and so did not match.
    errors: int = 0
    #: What was counted lies between these instants; None when there was no event.
    since: datetime | None = None
    until: datetime | None = None
    #: What is due later than that was left alone; None where nothing was.
    left_after: str | None = "the last event"
    sends: list[Sent] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)
    #: (customer, workflow) of each enrolment that began.
    entered: set[tuple[str, str]] = field(default_factory=set)
    #: (customer, workflow) -> how the last enrolment ended.
    ended: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Coupon -> codes that were drawn and not given back.
    codes: Counter[str] = field(default_factory=Counter)
    #: Who stood where when the events were over.
    standing: Counter[Place] = field(default_factory=Counter)

    @property
    def days(self) -> float:
        """How long the counted time is; an hour at least, so that rates mean something."""
        if self.since is None or self.until is None:
            return 0.0
        return max((self.until - self.since).total_seconds() / 86_400, 1 / 24)

    def under(self, names: Mapping[str, str]) -> Replayed:
        """The same with workflows under other names, so that a new name is no difference."""

        def place(of: tuple[str, str]) -> tuple[str, str]:
            return of[0], names.get(of[1], of[1])

        return replace(
            self,
            sends=[one._replace(workflow=names.get(one.workflow, one.workflow))
                   for one in self.sends],
            withheld=[one._replace(workflow=names.get(one.workflow, one.workflow))
                      for one in self.withheld],
            entered={place(each) for each in self.entered},
            ended={place(each): how for each, how in self.ended.items()},
        )  # fmt: skip


class Recorder:
    """Listens to the effects of a replay, and keeps of them what two replays differ in."""

    def __init__(self) -> None:
        self._sends: list[Sent] = []
        self._withheld: list[tuple[datetime, Withheld]] = []
        self._entered: list[tuple[datetime, tuple[str, str]]] = []
        self._ended: list[tuple[datetime, tuple[str, str], str]] = []
        #: Draw -> when, and its coupon; as long as it was not given back.
        self._draws: dict[DrawId, tuple[datetime, str]] = {}

    def take(self, effect: Effect) -> None:
        """The effect is kept, if it says anything."""
        match effect:
            case Queue(message=message) | Requeue(message=message):
                self._sends.append(_sent(message))
            case JournalEntry():
                self._note(effect)
            case Reserve(drawn=drawn):
                self._draws[drawn.draw] = (drawn.at, drawn.coupon)
            case Settle(draw=draw, state=CodeState.FREE):
                self._draws.pop(draw, None)
            case _:
                pass

    def finish(self, since: datetime | None, customers: Iterable[Customer]) -> Replayed:
        """What was decided from that instant on, and where the customers are left standing."""
        first = since or _EVER
        return Replayed(
            sends=[one for one in self._sends if one.at >= first],
            withheld=[one for at, one in self._withheld if at >= first],
            entered={place for at, place in self._entered if at >= first},
            ended={place: how for at, place, how in self._ended if at >= first},
            codes=Counter(coupon for at, coupon in self._draws.values() if at >= first),
            standing=Counter(
                Place(one.workflow, one.digest, one.step or "")
                for customer in customers
                for one in customer.enrolments
            ),
        )

    def _note(self, entry: JournalEntry) -> None:
        if entry.workflow is None:
            return
        place = (entry.customer_id, entry.workflow)
        match entry.kind:
            case Kind.ENTERED:
                self._entered.append((entry.at, place))
            case Kind.EXITED:
                self._ended.append((entry.at, place, str(entry.reason)))
            case Kind.DROPPED:
                cap = str(entry.values.get("cap", ""))
                dropped = Withheld(*place, entry.step or "", str(entry.reason), cap)
                self._withheld.append((entry.at, dropped))
            case _:
                pass


_EVER = datetime.min.replace(tzinfo=UTC)


def _sent(message: Message) -> Sent:
    return Sent(
        message.decided_at,
        message.customer_id,
        message.workflow,
        message.step,
        message.channel,
        message.message_class.value,
    )
