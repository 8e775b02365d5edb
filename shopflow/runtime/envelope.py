"""From a decided message to what a channel takes: last checks, rendering, sender and way out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol

from shopflow import channel as outside
from shopflow.domain.customer import Customer
from shopflow.domain.event import Outcome
from shopflow.domain.journal import Reason
from shopflow.domain.message import Message
from shopflow.domain.ruleset import Ruleset
from shopflow.engine import consent
from shopflow.engine.outgoing import shown_now
from shopflow.engine.shopper import shopper_of
from shopflow.engine.turn import Draft
from shopflow.errors import TemplateError, TooFewProducts
from shopflow.recommend import FixedShelves, Recommender, Shelves
from shopflow.runtime.asking import asker_of
from shopflow.runtime.links import For, Links, Subject
from shopflow.runtime.tracking import may_track, tracked
from shopflow.store.records import LeasedMessage

#: Fields of the sender that templates read as `shop.<name>`.
_SHOP = ("legal_name", "address", "contact", "privacy_url", "sms_stop")


class Mode(StrEnum):
    """What may leave."""

    SINK = "sink"
    ALLOWLIST = "allowlist"
    LIVE = "live"


class Templates(Protocol):
    """What renders a message; raises `TemplateError` when it cannot."""

    def render(
        self, name: str, channel: str, locale: str, variables: Mapping[str, object]
    ) -> Mapping[str, str]:
        """The parts of the message by name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A message that does not leave, and why."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelopes:
    """Makes what channels take; says no where the last check does."""

    ruleset: Ruleset
    templates: Templates
    links: Links
    sender: outside.Sender = field(default_factory=outside.Sender)
    mode: Mode = Mode.SINK
    #: Patterns of addresses, as in `*@boutique.example`.
    allowlist: Sequence[str] = ()
    #: A replay: customers may know more than they did when the message was decided.
    event_clock: bool = False
    #: Where recommended products are looked up; nothing is recommended by default.
    shelves: Shelves = field(default_factory=FixedShelves)
    #: Name and channel of templates that look for products there.
    recommending: Collection[tuple[str, str]] = frozenset()

    def looks_up(self, message: Message) -> bool:
        """Whether `fill` may ask the shelves, which may take as long as the store takes."""
        return bool(message.promotes) or (message.template, message.channel) in self.recommending

    def fill(
        self, leased: LeasedMessage, customer: Customer | None, now: datetime
    ) -> outside.Message | Withheld:
        """The message ready to go, or why it does not."""
        message = leased.message
        withheld = self._withheld(message, customer, now)
        if withheld is not None:
            return withheld
        subject = Subject(message.customer_id, message.channel, message.purpose)
        leaves = message.message_class.value in outside.OPT_OUT_CLASSES
        way_out = self.links.unsubscribe_url(subject) if leaves else ""
        # A replay delivers long after it decided: products were then what they no longer are.
        is_late = self.event_clock
        shown = message.variables if is_late else shown_now(message, self.shelves.products)
        if shown is None:
            return Withheld(outcome=Outcome.DROPPED, reason=Reason.GUARD)
        leased = replace(leased, message=replace(message, variables=shown))
        values = {
            **shown,
            "shop": self._shop,
            "unsubscribe_url": way_out,
            "links": (ours := self._links(message, now)),
            "recommend": self._recommender(customer, now),
            "question": asker_of(self.ruleset, self.links, message, now),
        }
        try:
            # A ticket or a webhook is its values.
            content = (
                self.templates.render(message.template, message.channel, message.locale, values)
                if message.template
                else {}
            )
        except TooFewProducts:
            return Withheld(outcome=Outcome.DROPPED, reason=Reason.GUARD)
        except TemplateError:
            return Withheld(outcome=Outcome.FAILED, reason=Reason.TEMPLATE)
        # What the contract owes is never looked at: its links may be secret.
        looked_at = leaves and customer is not None and not self.event_clock
        if looked_at and customer and may_track(self.ruleset, customer, message.channel, now):
            content = tracked(content, message, self.links, now)
        mailto = self.links.unsubscribe_mailto(subject) if leaves else ""
        ready = self._filled(leased, content, way_out, mailto)
        return replace(ready, preferences_url=ours["preferences"]) if leaves else ready

    def _links(self, message: Message, now: datetime) -> Mapping[str, str]:
        """Pages of ours for this person, reached by this address."""
        says = message.customer_id, message.channel, self.links.fingerprint(message.address)
        pages = {"confirm": For.CONFIRM, "preferences": For.PREFERENCES}
        return {name: self.links.url(page, *says, now=now) for name, page in pages.items()}

    def _recommender(self, customer: Customer | None, now: datetime) -> Recommender:
        if customer is None:
            return Recommender(self.shelves)
        return Recommender(self.shelves, lambda: shopper_of(self.ruleset, customer, now))

    @property
    def _shop(self) -> Mapping[str, str]:
        """What templates may say of the shop."""
        return {name: getattr(self.sender, name) for name in _SHOP}

    def _withheld(
        self, message: Message, customer: Customer | None, now: datetime
    ) -> Withheld | None:
        if not self.event_clock:
            if now >= message.send_by:
                return Withheld(outcome=Outcome.RETURNED, reason=Reason.STALE)
            if (reason := self._forbidden(message, customer, now)) is not None:
                return Withheld(outcome=Outcome.DROPPED, reason=reason)
        if self.mode is Mode.ALLOWLIST and not self._listed(message.address):
            return Withheld(outcome=Outcome.DROPPED, reason=Reason.NOT_ALLOWED_HERE)
        return None

    def _forbidden(
        self, message: Message, customer: Customer | None, now: datetime
    ) -> Reason | None:
        if customer is None:
            # Erased meanwhile: nobody is there to be written to.
            return Reason.SUPPRESSED
        draft = Draft(customer)
        if consent.suppressed(draft, message.message_class, message.channel):
            return Reason.SUPPRESSED
        purpose = self.ruleset.purposes.get(message.purpose)
        if not consent.permits(draft, purpose, message.channel, now):
            return Reason.NO_CONSENT
        return None

    def _listed(self, address: str) -> bool:
        return any(fnmatchcase(address.lower(), pattern.lower()) for pattern in self.allowlist)

    def _filled(
        self, leased: LeasedMessage, content: Mapping[str, str], way_out: str, mailto: str
    ) -> outside.Message:
        message = leased.message
        return outside.Message(
            id=message.id,
            to=message.address,
            customer_id=message.customer_id,
            message_class=message.message_class.value,
            purpose=message.purpose,
            workflow=message.workflow,
            step=message.step,
            locale=message.locale,
            content=content,
            variables=message.variables,
            unsubscribe_url=way_out,
            unsubscribe_mailto=mailto,
            sender=self.sender,
            created_at=message.decided_at,
            attempt=leased.attempt,
        )
