"""Workers under faults: killed, started again, and watched whether their work goes on.

Nothing here asks how long something takes, so that a busy machine is no failure. What counts is
the fleet's own time: each worker's schedule beats every two seconds.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

from redis import RedisError
from rq import cron_scheduler_registry

from shopflow.errors import StoreError

#: Beats of every worker, at rest and without progress, after which the work stands still: more
#: than a lease of a dead worker and the mending of its bell take.
BEATS = 15
#: The same where somebody is always at work, as a clock on the wall is.
BUSY_BEATS = 45
#: Beats after which it stands still though somebody is always at something, such as the clock.
BUSY_BEATS = 45


class Stalled(AssertionError):  # noqa: N818 - the name is the claim
    """There is work, nobody is at it, and nobody will be."""


class Workers:
    """Worker processes of a shop, on the clock of recorded events unless told otherwise."""

    def __init__(self, shop, count=2, *words, seed=1, environment=None, programs=()):
        self.shop = shop
        self.rng = random.Random(seed)
        self.words = words or ("--clock", "event")
        self.environment = {**os.environ, **(environment or {})}
        # What they say goes to a file: nobody reads a pipe meanwhile, and a full one stops them.
        self.log = shop.folder / "workers.log"
        #: What each of them runs; this program, where nothing is said.
        self.programs = [*programs, *[None] * (count - len(programs))]
        self.running = [self._start(program) for program in self.programs]
        self.kills = 0

    def _start(self, program):
        with self.log.open("ab") as log:
            return self.shop.start(
                *self.words, stdout=log, stderr=log, env=self.environment, program=program
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def add(self, program):
        """One more, of another program."""
        self.programs.append(program)
        self.running.append(self._start(program))

    def kill(self, place=None):
        """One of them is killed, and another begins."""
        place = self.rng.randrange(len(self.running)) if place is None else place
        _end(self.running[place])
        self.running[place] = self._start(self.programs[place])
        self.kills += 1

    def remove(self, place):
        """One of them is killed for good."""
        _end(self.running.pop(place))
        self.programs.pop(place)

    def end(self):
        """All of them are killed."""
        for one in self.running:
            _end(one)
        self.running = []

    def work_until(self, condition):
        """Returns once the condition holds; raises when the work stands still before that."""
        watch = _Watch(self)
        while not self.reached(condition):
            watch.look()
            time.sleep(0.05)

    def rounds(self, count):
        """Returns once every worker's schedule has rung so many times more; Redis must be there."""
        watch = _Watch(self)
        while watch.least() < count:
            self.alive()
            watch.listen()
            time.sleep(0.05)

    def wait_for_word(self, words):
        """Returns once a worker has said so."""
        while words not in self.said():
            self.alive()
            time.sleep(0.05)

    def alive(self):
        """A worker lives through anything that happens to its servers."""
        for one in self.running:
            assert one.poll() is None, f"a worker ended: {self.said()[-2000:]}"

    def said(self):
        """All that they wrote to standard output and error."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def kill_along(self, kills, most):
        """Kills a worker each time the work has come a little further, until it is done."""
        while self.kills < kills and not self.is_done():
            goal = self.shop.done() + self.rng.randint(1, most)
            self.work_until(lambda: self.is_done() or self.shop.done() >= goal)  # noqa: B023
            self.kill()

    def is_done(self):
        """Nothing waits in a stream."""
        return not self.shop.waiting()

    @staticmethod
    def reached(condition):
        """Whether it holds; a server that is away says nothing."""
        with suppress(RedisError, StoreError):
            return condition()
        return False


class _Watch:
    """Tells a fleet that stands still from one that is slow, or waits for a server."""

    def __init__(self, workers):
        self.workers = workers
        self.shop = workers.shop
        self.seen = self.told = None
        self.rung = {}
        self.beats = {}
        self.rested = self.moved = {}

    def look(self):
        """Raises when nothing has moved for long, by the workers' own time."""
        self.workers.alive()
        try:
            progress, resting = self.shop.progress(), self.shop.at_rest()
            self.listen()
        except (RedisError, StoreError):
            self.rested = self.moved = dict(self.beats)
            return
        if progress != self.seen or not resting:
            self.seen, self.rested = progress, dict(self.beats)
        # A clock on the wall moves its streams for ever.
        told = progress[:3]
        if told != self.told:
            self.told, self.moved = told, dict(self.beats)
        if self.least(self.rested) >= BEATS or self.least(self.moved) >= BUSY_BEATS:
            left = self.workers.said()[-2000:]
            raise Stalled(f"this is left, and nothing comes of it: {progress}\n{left}")

    def listen(self):
        """Counts how often each worker's schedule has rung."""
        key = cron_scheduler_registry.get_registry_key()
        ours = {str(one.pid) for one in self.workers.running}
        for name, at in self.shop.redis.zrange(key, 0, -1, withscores=True):
            pid = name.decode().split(":")[1]
            if pid in ours and self.rung.get(pid, at) != at:
                self.beats[pid] = self.beats.get(pid, 0) + 1
            self.rung[pid] = at

    def least(self, since=None):
        """How often the one that rang least did, since then."""
        before = since or {}
        pids = [str(one.pid) for one in self.workers.running]
        return min((self.beats.get(pid, 0) - before.get(pid, 0) for pid in pids), default=0)


def _end(worker):
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert worker.returncode == -signal.SIGKILL
