"""A shop at work in threads: readers, deliverers and faults side by side on PostgreSQL and Redis.

Time is the test's own and only moves forward, so that days with a change of the clocks pass in
seconds. Nothing keeps two workers from a partition or a seat but what SQL says: whoever comes last
has taken over. What works is the program's own; only the channel and the faults are made up.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from support.production import administer, redis_namespace, scratch_database, write_files

from shopflow.channel import ContentSpec, FailureReason, OnUncertain, Receipt
from shopflow.errors import ChannelError, Conflict, StoreError
from shopflow.rulebook import load_project
from shopflow.runtime.app import App
from shopflow.runtime.carrier import Carrier, Delivery
from shopflow.runtime.deliver import Deliverer
from shopflow.runtime.envelope import Envelopes, Mode
from shopflow.runtime.queue.delivery import Deliveries
from shopflow.runtime.queue.intake import Intake
from shopflow.runtime.queue.partition import Deciders, Reader
from shopflow.runtime.queue.streams import Moved, Streams
from shopflow.runtime.retry import RetryPolicy
from shopflow.runtime.sealing import links_of
from shopflow.store.opening import open_store

PARTITIONS = 4
WORKERS = 4
#: Turns of one worker.
SOME = 12


class Killed(BaseException):
    """Nothing catches it, as nothing catches kill -9."""


class Torn(StoreError):  # noqa: N818 - the name is the claim
    """A transaction that was rolled back, or whose answer was lost."""


class Clock:
    """The time of everybody in the shop."""

    def __init__(self, start):
        self._now = start
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            # No two instants are equal, as with a clock on the wall.
            self._now += timedelta(microseconds=1)
            return self._now

    def add(self, length):
        with self._lock:
            self._now += length


@dataclass
class Faults:
    """How often what goes wrong; nothing, while it is calm."""

    rng: random.Random
    calm: bool = False

    def strike(self, chance):
        return not self.calm and self.rng.random() < chance


class RoughChannel:
    """Takes messages, refuses them, is silent, breaks, or dies with its worker."""

    #: Of a hundred answers; the others accept.
    CHANCES = {"killed": 3, "down": 8, "broken": 3, "silent": 4, "refused": 22, "late": 5}  # noqa: RUF012

    needs_address = True
    content = ContentSpec()

    def __init__(self, name, faults, clock, counts):
        self.name = name
        self._faults, self._clock, self._counts = faults, clock, counts

    async def send(self, messages):
        for message in messages:
            answer = self._answer()
            self._counts[answer] += 1
            match answer:
                case "killed":
                    raise Killed
                case "down":
                    raise ChannelError(FailureReason.RATE_LIMITED, retryable=True)
                case "broken":
                    raise RuntimeError("a plugin's own mistake")
                case "silent":
                    yield message.id, Receipt.uncertain(FailureReason.REJECTED, detail="no answer")
                case "refused":
                    yield message.id, Receipt.failed(FailureReason.REJECTED, retryable=False)
                case "late":
                    # Others may meanwhile hold the lease to be over.
                    self._clock.add(timedelta(minutes=20))
                    yield message.id, Receipt.accepted(provider_id=message.id)
                case _:
                    yield message.id, Receipt.accepted(provider_id=message.id)

    def _answer(self):
        drawn = self._faults.rng.randrange(100)
        for answer, chance in self.CHANCES.items():
            drawn -= chance
            if drawn < 0 and not self._faults.calm:
                return answer
        return "accepted"

    async def aclose(self):
        """Nothing to let go of."""


class TornStore:
    """A store some of whose transactions are rolled back, or answered by nobody."""

    def __init__(self, store, faults):
        self._store, self._faults = store, faults

    def __getattr__(self, name):
        return getattr(self._store, name)

    @contextmanager
    def transaction(self, *stream):
        with self._store.transaction(*stream) as batch:
            yield batch
            if self._faults.strike(0.04):
                raise Torn("rolled back")
        if self._faults.strike(0.04):
            raise Torn("committed, and nobody was told")


class _Desk:
    """One worker of the shop's app: what `Deliveries` asks an app for, by the shop's clock."""

    def __init__(self, shop, store):
        self.shop, self.store = shop, store

    def deliverer(self, write, *, owner, fence, carriers):
        loaded = self.shop.loaded
        envelopes = Envelopes(
            ruleset=loaded.ruleset,
            templates=loaded.templates,
            links=links_of(loaded.project, {}),
            mode=Mode.ALLOWLIST,
            allowlist=loaded.project.delivery.allowlist,
        )
        delivery = Delivery(
            store=self.store,
            envelopes=envelopes,
            write=write,
            clock=self.shop.clock,
            owner=owner,
            fence=fence,
            retry=RetryPolicy(first=timedelta(minutes=1)),
        )
        return Deliverer(carriers, delivery)


class Worker:
    """What one process has, on a store of its own."""

    def __init__(self, shop, number):
        self.shop = shop
        self.rng = random.Random(f"{shop.seed}/{number}")
        self.faults = Faults(random.Random(f"{shop.seed}/{number}/faults"))
        self.store = open_store(shop.database, partitions=PARTITIONS)
        app = App(loaded=shop.loaded, store=TornStore(self.store, self.faults))
        parts = app.parts(deliver=False)
        parts.write.close()
        self.deciders = Deciders(
            store=app.store,
            processor=parts.processor,
            timers=parts.timers,
            sweeps=parts.sweeps,
            clock=shop.clock,
        )
        carriers = {
            name: Carrier(
                name=name,
                channel=RoughChannel(name, self.faults, shop.clock, shop.answers),
                on_uncertain=uncertain,
                deliverers=2,
            )
            for name, uncertain in (("email", OnUncertain.RESEND), ("sms", OnUncertain.HOLD))
        }
        self.desk = _Desk(shop, self.store)
        self.deliveries = Deliveries(self.desk.store, carriers)

    def close(self):
        self.deliveries.close()
        self.store.close()

    def turn(self):
        """One job of any kind; what stops it stops nothing else."""
        job = self.rng.choice([self.route, self.decide, self.decide, self.deliver])
        try:
            job()
        except (Conflict, Moved):
            self.shop.lost[job.__name__] += 1
        except StoreError:
            self.shop.torn[job.__name__] += 1
        except BaseExceptionGroup as group:
            deaths, others = group.split(Killed)
            if others is not None:
                raise
            self.shop.lost["killed"] += len(deaths.exceptions)

    def route(self):
        streams = self.shop.streams
        Intake(self.store, streams).work(lambda _: None, lambda: False)

    def decide(self):
        """Takes a partition over, whoever is at it, and goes on for a few batches."""
        reader = Reader(self.deciders, self.shop.streams, self.rng.randrange(PARTITIONS))
        batches = iter(range(self.rng.randint(1, 4)))
        reader.work(lambda: next(batches, None) is None)

    def deliver(self):
        looks = iter(range(self.rng.randint(1, 12)))
        seat = self.rng.choice(self.deliveries.seats)
        self.deliveries.work(self.desk, seat, lambda: next(looks, None) is None, lambda: None)


class BusyShop:
    """Rules, a clock, workers in threads, and what they did."""

    def __init__(self, folder, redis, namespace, database, *, start, seed):
        self.seed = seed
        self.rng = random.Random(seed)
        self.clock = Clock(start)
        self.database = database
        self.loaded = load_project(folder).require()
        self.streams = Streams(redis, namespace, PARTITIONS)
        self.store = open_store(database, partitions=PARTITIONS)
        App(loaded=self.loaded, store=self.store).deploy(start)
        #: What the channels answered, which rights were lost, and where transactions were torn.
        self.answers, self.lost, self.torn = Counter(), Counter(), Counter()
        self.workers = [Worker(self, number) for number in range(WORKERS)]
        self._number = 0

    def close(self):
        for worker in self.workers:
            worker.close()
        self.store.close()

    def event(self, event_type, customer, at=None, **data):
        """Something happens now, and is told at the door."""
        self._number += 1
        told = {
            "id": f"e{self._number}",
            "type": event_type,
            "occurred_at": (at or self.clock()).isoformat(),
            "customer_id": customer,
            "data": data,
        }
        self.streams.add([json.dumps(told).encode()])

    def tick(self):
        """Time passes in the stream too."""
        self.streams.add_tick(self.clock())

    def work(self, turns=SOME):
        """Every worker takes so many turns, side by side; raises what none of them may."""
        raised = []

        def run(worker):
            try:
                for _ in range(turns):
                    worker.turn()
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                raised.append(error)

        threads = [threading.Thread(target=run, args=[one], daemon=True) for one in self.workers]
        for thread in threads:
            thread.start()
        if self.rng.random() < 0.2 and not self.workers[0].faults.calm:
            self.end_connections()
        for thread in threads:
            thread.join()
        if raised:
            raise raised[0]

    def end_connections(self):
        """PostgreSQL ends them all, in the middle of whatever they are at."""
        name = self.database.rpartition("/")[2]
        administer(
            self.database.replace("+psycopg", ""),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{name}' AND pid <> pg_backend_pid()",
        )

    def settle(self):
        """Nothing goes wrong any more, and the workers go on until nothing is left to do."""
        for worker in self.workers:
            worker.faults.calm = True
        while self._is_busy():
            # Longer than a lease and every pause.
            self.clock.add(timedelta(minutes=40))
            self.tick()
            self.work()

    def _is_busy(self):
        waiting = self.streams.waiting() or self.store.views.status().inbox
        return waiting or self.store.outbox.pending()

    def decide(self):
        """One worker decides all that there is, and nothing leaves."""
        worker = self.workers[0]
        worker.route()
        for partition in range(PARTITIONS):
            Reader(worker.deciders, self.streams, partition).work(lambda: False)

    def messages(self):
        """Every message that there ever was, as it is kept."""
        return self.store.views.messages(limit=10**6)


@contextmanager
def a_busy_shop(folder, files, *, start, seed):
    """The shop with these files, on servers that tests share; nothing of it is left."""
    write_files(folder, files)
    with ExitStack() as opened:
        redis, namespace = opened.enter_context(redis_namespace())
        database = opened.enter_context(scratch_database())
        shop = BusyShop(folder, redis, namespace, database, start=start, seed=seed)
        opened.callback(shop.close)
        yield shop
