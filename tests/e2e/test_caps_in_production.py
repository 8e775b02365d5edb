"""Caps are exact: with many workers, lost rights, torn transactions and rough channels.

What is counted is the database's own messages, by the instant of their acceptance, with windows
worked out here from the calendar and not by the program.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from support.busy_shop import RoughChannel, a_busy_shop

from shopflow.domain.customer import SentRecord
from shopflow.domain.journal import Kind, Reason
from shopflow.domain.policy import MessageClass
from shopflow.engine import caps
from shopflow.store.records import PENDING, DeliveryState

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
ZONES = ["Europe/Paris", "America/New_York", "Pacific/Auckland", "Asia/Kolkata"]
#: Both changes of the clocks of Paris, and the end of a week.
SEASONS = {
    "spring": datetime(2025, 3, 28, 5, tzinfo=UTC),
    "autumn": datetime(2025, 10, 25, 5, tzinfo=UTC),
}
CUSTOMERS = [f"c{number}" for number in range(16)]
#: A few chose themselves how much they want.
PERSONAL = {customer: 1 + number for number, customer in enumerate(CUSTOMERS[:4])}
#: From this priority on, two slots of the rolling cap are theirs.
URGENT, RESERVED = 80, 2

PROJECT = """
apiVersion: shopflow/v1
kind: Project
environment: test
delivery: {mode: allowlist, allowlist: ["*@good.example", "+33*"]}
sender: {legal_name: Shop, address: Paris, contact: hello@shop.example, sms_stop: "36111"}
timezone: Europe/Paris
locale: en
channels:
  email: {host: 127.0.0.1, from: hello@shop.example}
  sms: {url: "https://sms.example/", sender: SHOP}
"""
CONSENT = """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  service: {class: service}
  advice: {class: relationship}
  offers: {class: marketing, channels: {email: {}, sms: {}}}
"""
CAPS = """
apiVersion: shopflow/v1
kind: FrequencyCaps
caps:
  - {id: any-day, max: 4, each: day, if_capped: skip}
  - id: offers-36h
    max: 5
    in_any: 36h
    classes: [marketing]
    if_capped: skip
    reserved: {min_priority: 80, slots: 2}
  - {id: text-week, max: 2, each: week, channels: [sms], if_capped: skip}
  - {id: advice-5h, max: 1, in_any: 5h, purposes: [advice], if_capped: defer}
"""
# Marketing by SMS must have quiet hours; a minute of them will do here.
HOURS = """
apiVersion: shopflow/v1
kind: QuietHours
quiet_hours: [{id: a-minute, channels: [sms], from: "04:44", to: "04:45", timezone: UTC}]
"""


def workflow(name, trigger, steps, *, purpose, priority, **more):
    extra = "".join(f"{key}: {value}\n" for key, value in more.items())
    return f"""
apiVersion: shopflow/v1
kind: Workflow
id: {name}
title: {name}
owner: tests
status: live
purpose: {purpose}
priority: {priority}
max_per_hour: 1000000
trigger: {trigger}
{extra}steps:
{steps}
"""


SAY = "  - {{id: say, send: {}, template: word}}\n"
BOTH = "{first_of: [email, sms]}"
SEARCHED = "{event: search.performed, key: event.id, reentry: parallel}"
HURRIED = SEARCHED.replace("key:", "when: 'event.query.endsWith(\"!\")', key:")
FILES = {
    "shopflow.yaml": PROJECT,
    "rules/policies/consent.yaml": CONSENT,
    "rules/policies/caps.yaml": CAPS,
    "rules/policies/quiet-hours.yaml": HOURS,
    # Often two of one event, in the same instant: the slot that is left is for the first.
    "rules/workflows/urgent.yaml": workflow(
        "urgent", HURRIED, SAY.format(BOTH), purpose="offers", priority=90
    ),
    "rules/workflows/offer.yaml": workflow(
        "offer", SEARCHED, SAY.format(BOTH), purpose="offers", priority=50
    ),
    # It leaves soon after midnight, where the customer is; an order calls it back.
    "rules/workflows/night.yaml": workflow(
        "night",
        "{event: cart.updated, reentry: restart}",
        '  - {id: sleep, wait: {until_time: "00:10"}}\n' + SAY.format("{each_of: [email, sms]}"),
        purpose="offers",
        priority=20,
        exit_on="[{id: bought, event: order.placed, outcome: bought}]",
    ),
    "rules/workflows/advice.yaml": workflow(
        "advice",
        "{event: product.viewed, key: event.sku, reentry: ignore}",
        SAY.format("email"),
        purpose="advice",
        priority=40,
        exit_on="[{id: bought, event: order.placed, outcome: bought}]",
    ),
    "rules/workflows/thanks.yaml": workflow(
        "thanks",
        "{event: order.placed, key: event.order_id}",
        SAY.format("email"),
        purpose="service",
        priority=10,
    ),
    **{
        f"rules/templates/word/{channel}.en.txt": f"""---
{subject}purposes: [service, advice, offers]
---
A word.
"""
        for channel, subject in (("email", 'subject: "A word"\n'), ("sms", ""))
    },
}


def zone_of(customer):
    return ZoneInfo(ZONES[CUSTOMERS.index(customer) % len(ZONES)])


def introduce(shop, customer):
    """An address, a zone, consent; for some an address that drops all, and a cap of their own."""
    number = CUSTOMERS.index(customer)
    domain = "elsewhere" if number % 6 == 5 else "good"
    shop.event(
        "customer.updated",
        customer,
        email=f"{customer}@{domain}.example",
        phone=f"+336120000{number:02}",
        timezone=str(zone_of(customer)),
    )
    for channel in ("email", "sms"):
        shop.event("consent.granted", customer, channel=channel, purpose="offers", source="form")
    if customer in PERSONAL:
        shop.event("preferences.changed", customer, max_per_week=PERSONAL[customer])


def happen(shop, number):
    """Something that customers do."""
    customer = shop.rng.choice(CUSTOMERS)
    item = {"sku": f"s{shop.rng.randrange(9)}", "price": 9.5, "quantity": 1}
    match shop.rng.choices(["search", "look", "cart", "order"], [50, 25, 20, 5])[0]:
        case "search":
            shop.event(
                "search.performed", customer, query=f"q{number}" + shop.rng.choice(["", "", "!"])
            )
        case "look":
            shop.event("product.viewed", customer, sku=item["sku"], price=9.5)
        case "cart":
            shop.event("cart.updated", customer, items=[item], total=9.5)
        case "order":
            shop.event("order.placed", customer, order_id=f"o{number}", total=9.5, items=[item])


def live(shop, days):
    """So many days pass: things happen, time leaps, and the workers may be behind."""
    for customer in CUSTOMERS:
        introduce(shop, customer)
    end = shop.clock() + timedelta(days=days)
    number = 0
    while shop.clock() < end:
        for _ in range(shop.rng.randrange(30)):
            number += 1
            happen(shop, number)
        shop.clock.add(timedelta(minutes=shop.rng.randint(1, 240)))
        shop.tick()
        shop.work(turns=shop.rng.randint(1, 12))


class Accepted:
    """The messages that were accepted, or may have been, of each customer in order of time."""

    def __init__(self, messages, also=()):
        self.by_customer = defaultdict(list)
        for one in messages:
            if one.state in {DeliveryState.SENT, DeliveryState.UNCERTAIN, *also}:
                self.by_customer[one.message.customer_id].append((one.changed_at, one.message))
        for each in self.by_customer.values():
            each.sort(key=lambda pair: pair[0])

    def counted(self, customer, *, offers=False, sms=False, advice=False, below=None):
        """When those were accepted that a cap counts."""
        return [
            at
            for at, message in self.by_customer[customer]
            if message.message_class is not MessageClass.SERVICE
            and (not offers or message.purpose == "offers")
            and (not advice or message.purpose == "advice")
            and (not sms or message.channel == "sms")
            and (below is None or message.priority < below)
        ]


def rolling(moments, window):
    """The most in any window of that length; one that is just so old is out of it."""
    return max(
        (sum(1 for at in moments[n:] if at - first < window) for n, first in enumerate(moments)),
        default=0,
    )


def most_of(moments, unit):
    """The most that have the same unit of the calendar."""
    return max(Counter(map(unit, moments)).values(), default=0)


def broken(accepted):
    """Every cap that somebody had more of than it allows."""
    return [each for each in held(accepted) if each[2] > each[3]]


def held(accepted):
    """Of every customer and cap: the most messages in any of its windows, and what it allows."""
    found = []
    for customer in CUSTOMERS:
        where, counted = zone_of(customer), accepted.counted
        days = most_of(counted(customer), lambda at: at.astimezone(where).date())  # noqa: B023
        weeks = most_of(
            counted(customer, sms=True),
            lambda at: at.astimezone(where).isocalendar()[:2],  # noqa: B023
        )
        had = {
            "any-day": (days, 4),
            "text-week": (weeks, 2),
            "offers-36h": (rolling(counted(customer, offers=True), 36 * HOUR), 5),
            "reserved": (rolling(counted(customer, offers=True, below=URGENT), 36 * HOUR), 3),
            "advice-5h": (rolling(counted(customer, advice=True), 5 * HOUR), 1),
            "personal": (
                rolling(counted(customer), timedelta(days=7)),
                PERSONAL.get(customer, 10**6),
            ),
        }
        found += [(customer, cap, *pair) for cap, pair in had.items()]
    return found


def capped_and_sent(shop, messages):
    """When each workflow was told that a cap is full, and when it was to send something."""
    capped, sent = defaultdict(set), defaultdict(set)
    for customer in CUSTOMERS:
        for line in shop.store.views.timeline(customer).journal:
            if line.kind is Kind.DROPPED and line.reason == Reason.CAPPED:
                capped[line.workflow].add((customer, line.at))
    for one in messages:
        sent[one.message.workflow].add((one.message.customer_id, one.message.cursor_at))
    return capped, sent


def probe(shop, customer, count):
    """So many searches in one moment; returns how many of them it may answer, and did."""
    before = Accepted(shop.messages(), also=PENDING)
    known = {one.message.id for one in shop.messages()}
    now, where = shop.clock(), zone_of(customer)
    day = before.counted(customer)
    today = sum(1 for at in day if at.astimezone(where).date() == now.astimezone(where).date())
    week = sum(1 for at in day if now - at < timedelta(days=7))
    offers = sum(1 for at in before.counted(customer, offers=True) if now - at < 36 * HOUR)
    may = Counter()
    for _ in range(count):
        for name, most in (("urgent", 5), ("offer", 5 - RESERVED)):
            had = may.total()
            if (
                today + had < 4
                and offers + had < most
                and week + had < PERSONAL.get(customer, 9**9)
            ):
                may[name] += 1
    for number in range(count):
        shop.event("search.performed", customer, at=now, query=f"probe {number}!")
    shop.decide()
    did = [one.message.workflow for one in shop.messages() if one.message.id not in known]
    return may, Counter(did)


@pytest.mark.parametrize("season", SEASONS)
def test_nobody_ever_gets_more_than_any_cap_allows(season, tmp_path):
    with a_busy_shop(tmp_path, FILES, start=SEASONS[season], seed=7) as shop:
        live(shop, 5)
        # All of it has happened, and more than once.
        assert min(shop.answers[one] for one in (*RoughChannel.CHANCES, "accepted")) > 1
        assert min(shop.lost[one] for one in ("decide", "deliver", "killed")) > 1
        assert shop.torn["decide"] > 1
        shop.settle()
        messages = shop.messages()
        accepted = Accepted(messages)
        assert broken(accepted) == []
        # Each cap was reached: it is what held the rest back.
        reached = {cap for _, cap, had, most in held(accepted) if had == most}
        assert reached == {
            "any-day",
            "offers-36h",
            "reserved",
            "text-week",
            "advice-5h",
            "personal",
        }
        # Of two in one instant the more urgent one has what is left.
        capped, sent = capped_and_sent(shop, messages)
        assert capped["offer"] & sent["urgent"]
        assert not capped["urgent"] & sent["offer"]
        # What the contract owes is counted by nothing and held back by nothing.
        assert sent["thanks"]
        assert not capped["thanks"]
        # No slot is kept for what never left: exactly as many are free as the messages say.
        free = Counter()
        for customer in CUSTOMERS:
            may, did = probe(shop, customer, 4)
            assert did == may, customer
            free.update(did)
        assert free["urgent"]
        assert free["offer"]


def test_a_slot_that_is_not_kept_until_the_receipt_is_noticed(tmp_path, monkeypatch):
    covers = caps.covers

    def only_what_has_arrived(cap, what):
        on_its_way = isinstance(what, SentRecord) and what.accepted_at is None
        return covers(cap, what) and not on_its_way

    monkeypatch.setattr(caps, "covers", only_what_has_arrived)
    with a_busy_shop(tmp_path, FILES, start=SEASONS["spring"], seed=7) as shop:
        live(shop, 2)
        shop.settle()
        assert broken(Accepted(shop.messages()))
