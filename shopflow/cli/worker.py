"""`shopflow worker`: one or more processes that answer doorbells in Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import click
from redis import RedisError
from rq.exceptions import StopRequested

from shopflow.cli.options import LOGS, PROJECT
from shopflow.errors import StoreError
from shopflow.report.status import messages_line, totals_line
from shopflow.runtime.answers import Taken
from shopflow.runtime.logs import say
from shopflow.runtime.queue.bells import Kind
from shopflow.runtime.queue.burst import Burst
from shopflow.runtime.queue.fleet import Fleet, open_fleet
from shopflow.runtime.queue.schedule import Schedule
from shopflow.runtime.queue.streams import trouble
from shopflow.runtime.queue.worker import BellWorker, hold_to_json
from shopflow.runtime.simulate import Until

#: Seconds until what ended without being asked to begins again.
AGAIN = 1.0
#: Seconds between two looks after the processes.
LOOK = 0.2
#: Set for a worker of a crew.
CREW = "SHOPFLOW_CREW"


def _kinds(ctx: click.Context, param: click.Parameter, text: str) -> tuple[Kind, ...]:
    words = [word.strip() for word in text.split(",")]
    if wrong := [word for word in words if word not in set(Kind)]:
        known = ", ".join(Kind)
        raise click.BadParameter(f"no queue named '{wrong[0]}'; there are {known}", ctx, param)
    return tuple(Kind(word) for word in dict.fromkeys(words))


@click.command
@click.option(
    "--queues",
    "kinds",
    metavar="NAMES",
    default=",".join(Kind),
    show_default=True,
    callback=_kinds,
    help="The kinds of work to do, with commas between them.",
)
@click.option("--burst", is_flag=True, help="Work until nothing is left, then exit.")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="How many workers to run; one that dies is started again.",
)
@click.option(
    "--clock",
    type=click.Choice(["wall", "event"]),
    default="wall",
    show_default=True,
    help="What the time is: the machine's clock, or (for recorded events) the events themselves.",
)
@click.option(
    "--until",
    type=click.Choice([str(each) for each in Until]),
    help="With --clock event and --burst: end time at the last event, or when no timer is left.",
)
@LOGS
@PROJECT
def worker(
    kinds: tuple[Kind, ...],
    burst: bool,  # noqa: FBT001 - click passes flags by name
    processes: int,
    clock: str,
    until: str | None,
    project: Path,
) -> int:
    """Work on what the shop adds to Redis, beside as many other workers as you like.

    The state is in the database of shopflow.yaml: PostgreSQL, or SQLite with one worker only.
    SIGTERM and Ctrl-C finish the batch at hand. After any end, start it again: it goes on there.
    """
    if until is not None and not (burst and clock == "event"):
        raise click.UsageError("--until ends recorded time: it goes with --clock event and --burst")
    if processes > 1:
        words = ["--queues", ",".join(kinds), "--clock", clock, "--project", str(project)]
        words += ["--burst"] if burst else []
        words += ["--until", until] if until is not None else []
        return _Crew(words, burst=burst).run(processes)
    if os.environ.get(CREW):
        threading.Thread(target=_end_with_crew, name="crew", daemon=True).start()
    event_clock = clock == "event"
    with ExitStack() as opened:
        fleet = _opened(opened, project, kinds, event_clock=event_clock, patient=not burst)
        if burst:
            _work(fleet, Burst(fleet, Until(until) if until is not None else None))
            status = fleet.app.store.views.status()
            click.echo(totals_line({**dict.fromkeys(map(str, Taken), 0), **status.events}))
            click.echo(f"messages: {messages_line(status.messages)}")
        else:
            schedule = Schedule(fleet.streams, fleet.bells) if Kind.CLOCK in kinds else None
            _serve(fleet, schedule)
    return 0


def _opened(
    opened: ExitStack,
    project: Path,
    kinds: Sequence[Kind],
    *,
    event_clock: bool,
    patient: bool,
) -> Fleet:
    """The fleet, opened until the stack ends; who is patient waits for servers that are away."""
    while True:
        try:
            fleet = open_fleet(project, kinds=kinds, event_clock=event_clock)
            return opened.enter_context(fleet)
        except StoreError as e:
            if not (patient and e.retryable):
                raise
            say(f"{e}; trying again")
        time.sleep(AGAIN)


def _serve(fleet: Fleet, schedule: Schedule | None) -> None:
    say(f"events: XADD {fleet.streams.door} * event '{{...}}'")
    if schedule is not None:
        schedule.start()
    try:
        _work(fleet, None)
    finally:
        if schedule is not None:
            schedule.end()


def _work(fleet: Fleet, burst: Burst | None) -> None:
    """Answers until stopped or done; RQ ends a worker that lost its Redis, so begin again."""
    held, one = False, None
    # A signal may come between two of them as well.
    with suppress(StopRequested), _signals_as_before():
        while True:
            try:
                # Once: what comes later is not read, and stops nobody who is at work.
                held = held or hold_to_json(fleet)
                one = BellWorker(fleet, find_more=burst.find_more if burst else None)
                one.run()
                done = burst is not None and burst.done
            except RedisError as e:
                say(trouble(e))
                done = False
            if done or (one is not None and one.stopping):
                return
            time.sleep(AGAIN)


@contextmanager
def _signals_as_before() -> Iterator[None]:
    """What RQ does with them ends with its workers; then nothing is in hand, and they end us."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with_crew() -> None:
    """Standard input ends when whoever started this process does, however that came."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class _Crew:
    """Several workers, each a process of its own."""

    def __init__(self, words: list[str], *, burst: bool) -> None:
        code = "from shopflow.cli.main import main; main()"
        self._command = [sys.executable, "-c", code, "worker", *words]
        self._burst = burst
        self._stopping = False
        self._running: list[subprocess.Popen[bytes]] = []

    def run(self, count: int) -> int:
        """Runs so many until they are stopped or done; returns the worst exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._running = [self._start() for _ in range(count)]
        worst = 0
        while self._running:
            time.sleep(LOOK)
            for one in [one for one in self._running if one.poll() is not None]:
                self._running.remove(one)
                code = one.returncode
                # A wrong setting stays wrong; what died of anything else begins again.
                if self._stopping or code in {0, 1, 2}:
                    # One that was told to stop before it had begun had nothing in its hands.
                    early = self._stopping and code == -signal.SIGTERM
                    worst = max(worst, 0 if early else abs(code))
                    continue
                say(f"a worker ended with {code} and is started again")
                time.sleep(AGAIN)
                self._running.append(self._start())
        return worst

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own words
            self._command, stdin=subprocess.PIPE, env={**os.environ, CREW: "1"}
        )

    def _stop(self, number: int, frame: object) -> None:
        del number, frame
        self._stopping = True
        for one in self._running:
            one.terminate()
