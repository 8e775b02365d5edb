"""Everything that a team has written in git, compiled: what the engine decides by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shopflow.domain.coupon import Coupon
from shopflow.domain.policy import FrequencyCap, Purpose, QuietWindow, Retention
from shopflow.domain.question import Question
from shopflow.domain.trait import Attribute, Segment, Trait
from shopflow.domain.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """What the engine needs to know of an installed channel."""

    name: str
    #: The attribute that holds the address; None for channels that need none.
    address_attribute: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """New workflows for a share of the customers; for all others those that were live before."""

    #: Of the customers, 0 to 1; who is in stays in while it grows.
    share: float
    #: What tells the customers of one ramp from those of another.
    salt: str
    #: The workflows of everybody else, by id.
    others: Mapping[str, Workflow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """The compiled rules of one revision, and the project settings that decisions depend on."""

    workflows: Mapping[str, Workflow]
    purposes: Mapping[str, Purpose]
    caps: tuple[FrequencyCap, ...] = ()
    quiet_windows: tuple[QuietWindow, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    traits: Mapping[str, Trait] = field(default_factory=dict)
    segments: Mapping[str, Segment] = field(default_factory=dict)
    coupons: Mapping[str, Coupon] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)
    channels: Mapping[str, ChannelFacts] = field(default_factory=dict)
    #: Event types that are about no customer, but about a product or a pool.
    subject_events: frozenset[str] = frozenset()
    retention: Retention = field(default_factory=Retention)
    timezone: str = "UTC"
    locale: str = "en"
    currency: str = "EUR"
    #: Digest over everything above.
    digest: str = ""
    #: Compiled workflows of older revisions that enrolments may still be pinned to, by digest.
    retained: Mapping[str, Workflow] = field(default_factory=dict)
