"""Workflow tests as they are written, read into scenarios: who, what happens, what has to follow.

The files are sound by their schema and their names exist; only what neither lint nor the schema
can know is checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shopflow.domain.ids import StepId
from shopflow.domain.recommendation import Strategy
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.step import Split
from shopflow.domain.trial import Counts, Result
from shopflow.errors import FailureReason, RulesInvalid
from shopflow.gitops.naming import Unusable, known, length_of
from shopflow.gitops.tables import check_row, filled, title_of
from shopflow.gitops.trials import Results
from shopflow.gitops.versions import Changed, Deployment, deployments
from shopflow.lang.calendars import zone as zone_of
from shopflow.lang.document import Document
from shopflow.lang.names import did_you_mean
from shopflow.lang.tree import Node
from shopflow.problem import Location, Problem

#: The name of a customer that is written into the test itself.
UNNAMED = "customer"
#: What a test may say that the world does.
MOCKS = ("channels", "coupons", "products", "recommendations", "results", "values", "holdout")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event of a scenario, at its instant."""

    at: datetime
    type: str
    data: Json
    id: str = ""
    customer: str | None = None
    anonymous: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSend:
    """A message that left before the scenario begins."""

    at: datetime
    channel: str
    purpose: str
    workflow: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMock:
    """A channel that gives up on messages: on all of them, or on the first few."""

    channel: str
    reason: str
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One test, or one row of its table."""

    name: str
    location: Location
    workflow: str
    start: datetime
    #: The zone in which reports tell the time.
    zone: ZoneInfo
    #: Name -> what the test says of the customer.
    customers: Mapping[str, Json]
    #: Who it is about, where the events do not say.
    customer: str
    events: tuple[Happening, ...] = ()
    past_events: tuple[Happening, ...] = ()
    past_sends: tuple[PastSend, ...] = ()
    mocks: Json = field(default_factory=dict)
    #: Channel -> how it fails.
    channel_mocks: Mapping[str, ChannelMock] = field(default_factory=dict)
    #: Coupons that have no code left.
    exhausted: frozenset[str] = frozenset()
    #: Values of the workflow that are others than it ships.
    values: Json = field(default_factory=dict)
    #: Split -> what is counted of its branches from the beginning.
    results: Results = field(default_factory=dict)
    #: Other versions of the workflow, in the order in which they are deployed.
    versions: tuple[Deployment, ...] = ()
    #: How far the clock runs; None: until nothing is left to do.
    until: datetime | None = None
    expect: Json

    @property
    def title(self) -> str:
        """Where it stands and what it shows, as `-k` sees it."""
        return f"{self.location.path}:{self.location.line} {self.name}"

    def clock_of(self, moment: datetime) -> str:
        """The instant as the clock on the wall shows it."""
        return moment.astimezone(self.zone).strftime("%a %d %b %H:%M")


def read_scenarios(
    documents: Iterable[Document], ruleset: Ruleset, changed: Changed | None = None
) -> list[Scenario]:
    """Every test of these files; `changed` makes the versions that tests deploy.

    Raises:
        RulesInvalid: A test says what cannot be done; carries all such problems.
    """
    problems: list[Problem] = []
    found: list[Scenario] = []
    for document in documents:
        if document.root is not None:
            reader = _Reader(document, document.root, ruleset, problems, changed)
            found.extend(reader.scenarios())
    if problems:
        raise RulesInvalid(problems)
    return found


class _Reader:
    def __init__(
        self,
        document: Document,
        root: Node,
        ruleset: Ruleset,
        problems: list[Problem],
        changed: Changed | None,
    ) -> None:
        self._document = document
        self._root = root
        self._ruleset = ruleset
        self._problems = problems
        self._changed = changed

    def scenarios(self) -> Iterator[Scenario]:
        """Every test of the file, and every row of those that are tables."""
        for node in self._root["tests"].items:
            self._check(node)
            rows: Any = node["cases"].data if "cases" in node else [{}]
            for row in rows:
                try:
                    yield self._scenario(node, row)
                except Unusable as missing:
                    self._report(node["name"], missing.message, missing.hint)

    def _check(self, node: Node) -> None:
        """Report what is asked for and cannot be had."""
        mocks = node.get("mocks")
        for name, _ in mocks.pairs() if mocks is not None else ():
            if name not in MOCKS and mocks is not None:
                hint = did_you_mean(name, MOCKS, label="mocks")
                self._report(mocks.key(name), f"no mock named '{name}'", hint)

    def _report(self, node: Node, message: str, hint: str) -> None:
        self._problems.append(self._document.problem("SF702", node, message, hint=hint))

    def _scenario(self, node: Node, row: Json) -> Scenario:
        whole: Any = self._root.data
        check_row(row, node.data, whole.get("fixtures", {}), row.get("expect"))
        test: Any = filled(node.data, row)
        own: Any = filled(row.get("expect", {}), row)
        fixtures: Any = filled(whole.get("fixtures", {}), row)
        zone, start = self._clock(test.get("clock") or whole["clock"])
        given = test.get("customer", {})
        inline = {UNNAMED: given} if isinstance(given, dict) else {}
        customers = {**whole.get("customers", {}), **test.get("customers", {}), **inline}
        customer = UNNAMED if inline else known("customer", given, customers)
        history = test.get("history", {})
        until = test.get("until")
        mocks = test.get("mocks", {})
        for strategy, told in mocks.get("recommendations", {}).items():
            _check_recommendations(strategy, told)
        for event in (*test.get("events", ()), *history.get("events", ())):
            if isinstance(event.get("data"), str):
                known("fixture", event["data"], fixtures)
            known("customer", event.get("customer", customer), customers)
        return Scenario(
            name=title_of(test["name"], row),
            location=self._document.location(node["name"]),
            workflow=whole["workflow"],
            start=start,
            zone=zone,
            customers=customers,
            customer=customer,
            events=tuple(_happening(each, fixtures, start, 1) for each in test.get("events", ())),
            past_events=tuple(
                _happening(each, fixtures, start, -1) for each in history.get("events", ())
            ),
            past_sends=tuple(self._past_send(each, start) for each in history.get("sends", ())),
            mocks=mocks,
            channel_mocks={
                channel: self._channel_mock(channel, told)
                for channel, told in mocks.get("channels", {}).items()
            },
            exhausted=frozenset(
                self._exhausted(coupon, told) for coupon, told in mocks.get("coupons", {}).items()
            ),
            values={
                name: self._value(whole["workflow"], name, told)
                for name, told in mocks.get("values", {}).items()
            },
            results=self._results(whole["workflow"], mocks.get("results", {})),
            versions=self._versions(test.get("versions", ()), whole["workflow"], start),
            until=None if until is None else start + length_of(until),
            expect={**test["expect"], **own},
        )

    def _versions(
        self, told: Iterable[Json], workflow: str, start: datetime
    ) -> tuple[Deployment, ...]:
        if not told:
            return ()
        # Whoever reads tests only to look at them has nothing to make versions with.
        assert self._changed is not None  # noqa: S101
        return tuple(deployments(told, workflow, start, self._changed))

    def _clock(self, clock: Json) -> tuple[ZoneInfo, datetime]:
        name = clock.get("timezone", self._ruleset.timezone)
        where = zone_of(name)
        if where is None:
            raise Unusable(f"no time zone named '{name}'", "use an IANA name such as Europe/Paris")
        try:
            start = datetime.fromisoformat(clock["start"])
        except ValueError as e:
            hint = "write a local time such as 2026-03-03T10:00:00"
            raise Unusable(f"the clock cannot start at '{clock['start']}': {e}", hint) from e
        return where, start.replace(tzinfo=where).astimezone(UTC)

    def _channel_mock(self, channel: str, told: Any) -> ChannelMock:
        """`rejected`, or `{fail: rejected, times: 2}`."""
        known("channel", channel, self._ruleset.channels)
        given = told if isinstance(told, dict) else {"fail": told}
        for key in given:
            known("key of a channel's mock", key, ("fail", "times"))
        reason = known("failure", str(given.get("fail", "")), list(FailureReason))
        return ChannelMock(channel=channel, reason=reason, times=given.get("times"))

    def _exhausted(self, coupon: str, told: Any) -> str:
        """The one thing that may be said of a coupon: `exhausted`."""
        known("state of a coupon", str(told), ("exhausted",))
        return known("coupon", coupon, self._ruleset.coupons)

    def _value(self, workflow: str, name: str, told: Any) -> object:
        """Another value of the same kind."""
        shipped = self._ruleset.workflows[workflow].values
        own = shipped[known("value", name, shipped)]
        value = length_of(str(told)) if isinstance(own, timedelta) else told
        if type(value) is not type(own):
            raise Unusable(f"the value '{name}' cannot be {told!r}", f"it ships as {own!r}")
        return value

    def _results(self, workflow: str, told: Json) -> Results:
        """`{subject: {short: {sent: 100, clicked: 7}}}`."""
        steps = self._ruleset.workflows[workflow].steps.values()
        tried = {step.id: step for step in steps if isinstance(step, Split) and step.trial}
        results: dict[str, Counts] = {}
        for name, branches in told.items():
            step = tried[StepId(known("split with a test", name, tried))]
            ways = [branch.name for branch in step.branches]
            results[name] = {
                known("branch", branch, ways): {
                    Result(known("result", word, list(Result))): number
                    for word, number in counted.items()
                }
                for branch, counted in branches.items()
            }
        return results

    def _past_send(self, send: Json, start: datetime) -> PastSend:
        for key in send:
            known("key of a past send", key, ("at", "channel", "purpose", "workflow"))
        for key in ("at", "channel", "purpose"):
            if key not in send:
                raise Unusable(f"a past send needs '{key}'", "at, channel and purpose are needed")
        return PastSend(
            at=start - length_of(str(send["at"])),
            channel=known("channel", send["channel"], self._ruleset.channels),
            purpose=known("purpose", send["purpose"], self._ruleset.purposes),
            workflow=known("workflow", send["workflow"], self._ruleset.workflows)
            if "workflow" in send
            else "",
        )


def _check_recommendations(strategy: str, told: object) -> None:
    known("strategy", strategy, list(Strategy))
    lists = told.values() if isinstance(told, dict) else [told]
    if not all(isinstance(skus, list) for skus in lists):
        hint = f"write {strategy}: [A1, B2], or {strategy}: {{A1: [B2]}} with what it is about"
        raise Unusable(f"the recommendations of {strategy} are no lists of skus", hint)


def _happening(event: Json, fixtures: Json, start: datetime, sign: int) -> Happening:
    data = event.get("data", {})
    return Happening(
        at=start + sign * length_of(event["at"]),
        type=event["type"],
        data=fixtures[data] if isinstance(data, str) else data,
        id=event.get("id", ""),
        customer=event.get("customer"),
        anonymous=event.get("anonymous"),
    )
