"""Minutes of faults by chance, several kinds at a time; then the sums hold, as if none had been.

`make soak` runs it: SHOPFLOW_SOAK_MINUTES says how long, SHOPFLOW_SOAK_SEED repeats its choices.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import secrets
import signal
import sys
import time
from contextlib import ExitStack, suppress

import psycopg
import pytest
from redis import RedisError
from support.capped import CAPPED, MOST, most_within
from support.faults import Workers
from support.production import FACTS, a_shop, generated, sends_in, write_lines
from support.running import FILES, MailSink, who
from support.servers import Missing, PrivatePostgres, PrivateRedis, missing

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

MINUTES = float(os.environ.get("SHOPFLOW_SOAK_MINUTES", "20"))
SEED = int(os.environ.get("SHOPFLOW_SOAK_SEED", "0")) or secrets.randbelow(10**6)
#: Events that the shop adds at a time, and of which so many may wait.
CHUNK, MOST_WAITING = 200, 600
WORKERS = 2

SETTINGS = """
apiVersion: shopflow/v1
kind: Project
environment: test
delivery: {{mode: allowlist, allowlist: ["*"]}}
sender: {{legal_name: Shop, address: Paris, contact: hello@shop.example}}
timezone: UTC
locale: en
currency: EUR
channels:
  log: {{}}
  email: {{host: 127.0.0.1, port: {port}, tls: none, connections: 4, from: hello@shop.example}}
"""
#: Each customer's first look at a product is answered by mail.
MAILS = {
    name: FILES[name]
    for name in ("rules/workflows/hello.yaml", "rules/templates/hello/email.en.txt")
}


TRAITS = "rules/traits.yaml"


def say(*words, sep=" "):
    """For whoever watches: the soak takes long."""
    print(*words, file=sys.__stderr__, flush=True, sep=sep)


def endless(shared):
    """The recorded stream, then days that are made up, each with customers of its own."""
    if shared.is_file():
        with gzip.open(shared, "rt", encoding="utf-8") as file:
            yield from (json.loads(line) for line in file)
    day = 0
    while True:
        day += 1
        for line in generated(4000, seed=day):
            event = json.loads(line)
            yield {
                **event,
                "id": f"{event['id']}-{day}",
                "customer_id": f"{event['customer_id']}-{day}",
                # Behind the recorded stream, which ends in 2019 and the like.
                "occurred_at": f"20{26 + day // 12:02}-{1 + day % 12:02}{event['occurred_at'][7:]}",
            }


class Producer:
    """The shop: adds events while little waits, keeps a copy, and sends again what may be lost."""

    def __init__(self, shop, events, rng):
        self.shop = shop
        self.events = events
        self.rng = rng
        self.known = set()
        self.lines = []
        #: Entries that were added, garbage and repetitions too; and those that Redis may have lost.
        self.added = self.lost = 0
        self.garbage = 0
        #: So many of the lines are known to be kept.
        self.safe = 0

    def feed(self):
        """Adds some more, when there is room."""
        waiting = self.shop.waiting()
        if not waiting and self.shop.status().events.get("accepted") == len(self.lines):
            self.safe = len(self.lines)
        if waiting > MOST_WAITING:
            return
        some = []
        for event, _ in zip(self.events, range(CHUNK), strict=False):
            customer = event["customer_id"]
            if customer not in self.known:
                self.known.add(customer)
                some.append(json.dumps(who(customer, event["occurred_at"])))
            some.append(json.dumps(event))
        self.lines += some
        self.add(some)
        if self.rng.random() < 0.3:
            self.garbage += 1
            self.add(["garbage", some[0]])

    def add(self, lines):
        """They are in Redis; what breaks off half-way is sent again from where all is known."""
        try:
            self.shop.add(lines)
        except RedisError:
            self.lost += len(lines)
        self.added += len(lines)

    def redis_was_lost(self):
        """Redis is empty; what is not known to be kept goes there again."""
        self.add(self.lines[self.safe :])


class Storm:
    """One fault after another."""

    def __init__(self, shop, workers, producer, sink, servers, rng):
        self.shop = shop
        self.workers = workers
        self.producer = producer
        self.sink = sink
        self.redis, self.postgres = servers
        self.rng = rng
        self.faults = {
            self.kill: 10,
            self.freeze: 3,
            self.lose_redis: 1,
            self.restart_postgres: 1,
            self.crash_postgres: 1,
            self.hold_up_postgres: 1,
            self.end_connections: 3,
            self.refuse_mails: 2,
            self.hold_up_redis: 1,
        }

    def strike(self):
        """Something goes wrong, in the middle of work."""
        fault = self.rng.choices(list(self.faults), list(self.faults.values()))[0]
        self.work(self.rng.randint(20, 400))
        say(f"{fault.__name__} at {len(self.producer.lines)} events")
        fault()

    def work(self, count):
        """The fleet gets so much further, fed by the shop."""
        goal = [None]

        def done():
            self.producer.feed()
            goal[0] = goal[0] or self.shop.done() + count
            return self.shop.done() >= goal[0]

        self.workers.work_until(done)

    def kill(self):
        self.workers.kill()

    def freeze(self):
        """A worker sleeps while the others get on, and may lose its leases meanwhile."""
        sleeper = self.workers.running.pop(self.rng.randrange(WORKERS))
        sleeper.send_signal(signal.SIGSTOP)
        try:
            self.work(300)
        finally:
            sleeper.send_signal(signal.SIGCONT)
            self.workers.running.append(sleeper)

    def lose_redis(self):
        self.producer.lost += self.shop.waiting()
        self.redis.stop(signal.SIGKILL)
        self.redis.start()
        self.producer.redis_was_lost()

    def hold_up_redis(self):
        with self.redis.held_up():
            time.sleep(self.rng.uniform(0, 15))

    def restart_postgres(self):
        self.postgres.stop()
        self.postgres.start()

    def crash_postgres(self):
        self.postgres.crash()
        self.postgres.start()

    def hold_up_postgres(self):
        with self.postgres.held_up():
            time.sleep(self.rng.uniform(0, 15))

    def end_connections(self):
        with psycopg.connect(self.postgres.url, autocommit=True) as keeper:
            keeper.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [self.shop.database.rpartition("/")[2]],
            )

    def refuse_mails(self):
        """Every other mail is refused for now, or the line breaks while it is handed over."""
        answers = ["451 later", "drop", None, None]
        self.sink.behave = lambda _: self.rng.choice(answers)
        with suppress(RedisError):
            self.work(200)
        self.sink.behave = None


@pytest.fixture
def servers():
    with ExitStack() as opened:
        try:
            redis = opened.enter_context(PrivateRedis())
            postgres = opened.enter_context(PrivatePostgres())
        except Missing as error:
            missing(error)
        yield redis, postgres


def test_after_minutes_of_faults_the_sums_hold_and_the_sends_are_those_of_simulate(
    servers, tmp_path, repo
):
    say(f"\nsoak for {MINUTES:g} minutes; SHOPFLOW_SOAK_SEED={SEED} repeats its choices")
    rng = random.Random(SEED)
    redis, postgres = servers
    with ExitStack() as opened:
        sink = opened.enter_context(MailSink().listening())
        traits = (FACTS / TRAITS).read_text(
            encoding="utf-8"
        ) + "attributes: {email: {type: string}}\n"
        files = {**CAPPED, **MAILS, TRAITS: traits}
        files["shopflow.yaml"] = SETTINGS.format(port=sink.port)
        shop = a_shop(tmp_path, redis=redis.url, postgres=postgres.url, files=files)
        shop = opened.enter_context(shop)
        stream = endless(repo.parent / "shared/data/rees46/events.jsonl.gz")
        producer = Producer(shop, stream, rng)
        with Workers(shop, WORKERS, seed=SEED) as workers:
            storm = Storm(shop, workers, producer, sink, servers, rng)
            end, strikes = time.monotonic() + 60 * MINUTES, 0
            while time.monotonic() < end:
                storm.strike()
                strikes += 1
            workers.work_until(workers.is_done)
        say(f"{strikes} faults, {len(producer.lines)} events; now to the end of time")
        for words in ("could not be decided", "stumbled"):
            assert words not in workers.said(), f"see {workers.log}"
        shop.finish("drain")
        check(shop, producer, sink)


def check(shop, producer, sink):
    events = write_lines(shop.folder, producer.lines)
    path = shop.folder / "sends.jsonl"
    shop.run("simulate", str(events), "--until", "drain", "--sends", str(path))
    status, sends = shop.status(), shop.sends()
    counted = sum(status.events.values())
    say(f"in: {producer.added}, at most {producer.lost} lost with Redis; {dict(status.events)}")
    assert producer.added - producer.lost <= counted <= producer.added
    assert status.events["accepted"] == len(producer.lines)
    assert status.events.get("dead_letter", 0) <= producer.garbage
    assert set(status.dead_letters) <= {"not_json"}
    differing(shop, sends, sends_in(path))
    assert most_within(sends) == MOST
    assert status.messages == {"sent": len(sends)}
    assert status.inbox == shop.waiting() == 0
    mails = {send[:6] for send in sends if send[4] == "email"}
    assert len(sink.counts) == len(mails)
    doubled = {message_id for message_id, count in sink.counts.items() if count > 1}
    with shop.store() as store:
        stored = store.views.messages(limit=10**9)
    uncertain = {each.message.id for each in stored if each.uncertain}
    say(f"{len(mails)} mails, {len(doubled)} of them twice, {len(uncertain)} uncertain")
    assert doubled <= uncertain


def differing(shop, sends, expected):
    """The same sends; else says how they differ, and what became of the first such customer."""
    more, less = sorted(set(sends) - set(expected)), sorted(set(expected) - set(sends))
    for what, some in (("too many", more), ("missing", less)):
        say(f"{len(some)} {what}:", *some[:5], sep="\n  ")
    if more or less:
        say(shop.status().messages)
        customer = min(more + less)[1]
        say(shop.run("explain", "customer", customer).stdout[-4000:])
    assert not more
    assert not less
    assert len(sends) == len(expected)
