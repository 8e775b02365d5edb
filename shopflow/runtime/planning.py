"""Making a plan: the same events replayed under two rulesets, side by side.

Where there are many events, the base has a process of its own. What the two replays differ in is
for `shopflow.gitops.plan` to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from shopflow.engine import Rulebook
from shopflow.gitops.plan.comparing import compare, renamed
from shopflow.gitops.plan.plan import Plan, Side
from shopflow.gitops.plan.replayed import Place, Recorder, Replayed
from shopflow.gitops.plan.rule_changes import rule_changes
from shopflow.gitops.plan.safety import findings
from shopflow.gitops.plan.thresholds import NO_THRESHOLDS, Thresholds
from shopflow.gitops.plan.worst_case import worst_case
from shopflow.gitops.revision import Revision
from shopflow.rulebook import LoadedProject, load_project
from shopflow.runtime.contact import region_of
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.memory import settled
from shopflow.runtime.recorded import Live
from shopflow.runtime.simulate import Line, Until, in_pages, simulate
from shopflow.runtime.sources import Source, open_sources

#: Bytes of events from which on a second process pays for its start.
MANY = 500_000

#: Told how many bytes are read, of how many.
Watcher = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Recorded events in files, and from when on what they lead to is counted."""

    files: tuple[Path, ...]
    #: An instant, or a length before the last event; None counts everything.
    since: datetime | timedelta | None = None
    #: Where the clock stops.
    until: Until | datetime = Until.END
    #: How customers are named in the plan; as the events name them unless given.
    naming: Callable[[str], str] | None = None
    #: How things stand where the events come from; None where only events are known.
    live: Live | None = None

    @property
    def size(self) -> int:
        """Bytes of all the files as they lie on disk."""
        return sum(file.stat().st_size for file in self.files)


def make_plan(
    base: LoadedProject,
    head: LoadedProject,
    at: Revision,
    *,
    recording: Recording | None = None,
    thresholds: Thresholds = NO_THRESHOLDS,
    allow_shrink: bool = False,
    watcher: Watcher | None = None,
) -> Plan:
    """What the head does differently from the base, which is the revision `at`.

    Raises:
        RulesInvalid: The rules of either have errors.
        SettingsError: A file of the recording cannot be read.
    """
    changes = rule_changes(base.require(), head.require())
    comparison, standing = None, Counter[Place]()
    if recording is not None:
        before, after = replay_both(base, head, recording, watcher)
        standing = before.standing if recording.live is None else recording.live.standing
        pools = {} if recording.live is None else recording.live.pools
        comparison = compare(base, head, before, after, changes, standing=standing, pools=pools)
        if recording.naming is not None:
            comparison = renamed(comparison, recording.naming)
    currency = head.ruleset.currency
    return Plan(
        base=Side(ref=at.ref, commit=at.commit, digest=base.ruleset.digest),
        head=Side(ref="working tree", digest=head.ruleset.digest),
        currency=currency,
        changes=changes,
        worst=(worst_case(base.ruleset), worst_case(head.ruleset)),
        findings=findings(base, head, changes, standing, allow_shrink=allow_shrink),
        comparison=comparison,
        breaches=() if comparison is None else thresholds.breaches(comparison, currency),
    )


def replay(loaded: LoadedProject, recording: Recording, watcher: Watcher | None = None) -> Replayed:
    """What the rules make of the events; nothing is stored and nothing leaves.

    Raises:
        RulesInvalid: The rules have errors.
        SettingsError: A file cannot be read.
    """
    loaded.require()
    recorder = Recorder()
    with ExitStack() as opened:
        sources = open_sources([str(file) for file in recording.files])
        for source in sources:
            opened.callback(source.close)
        opened.enter_context(settled())
        result = simulate(
            Rulebook(loaded.ruleset),
            Ingest(
                loaded.events.schemas, event_clock=True, region=region_of(loaded.project.locale)
            ),
            _lines(sources, recording, watcher),
            until=recording.until,
            partitions=loaded.project.partitions,
            listener=recorder.take,
        )
    since = recording.since
    if isinstance(since, timedelta):
        since = result.end - since if result.end is not None else None
    return replace(
        recorder.finish(since, result.people.values()),
        events=result.events,
        duplicates=result.duplicates,
        dead_letters=result.dead_letters.total(),
        customers=result.customers,
        errors=result.tally.errors,
        since=since or result.begin,
        until=result.end,
        left_after=_left_after(recording.until),
    )


def replay_both(
    base: LoadedProject, head: LoadedProject, recording: Recording, watcher: Watcher | None = None
) -> tuple[Replayed, Replayed]:
    """The events under the rules of the base and of the head.

    Raises:
        RulesInvalid: The rules of either have errors.
        SettingsError: A file cannot be read.
    """
    if recording.size < MANY:
        return replay(base, recording), replay(head, recording, watcher)
    # A process that begins afresh: a fork would copy this one's threads in any state.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        alone = replace(recording, naming=None, live=None)
        before = pool.submit(_replay_under, base.project.root, alone)
        after = replay(head, recording, watcher)
        return before.result(), after


def _left_after(until: Until | datetime) -> str | None:
    match until:
        case Until.END:
            return "the last event"
        case Until.DRAIN:
            return None
        case _:
            return until.isoformat()


def _replay_under(root: Path, recording: Recording) -> Replayed:
    return replay(load_project(root, strict=False), recording)


def _lines(
    sources: Sequence[Source], recording: Recording, watcher: Watcher | None
) -> Iterator[Line]:
    for source, file in zip(sources, recording.files, strict=True):
        for page in in_pages(source, str(file)):
            if watcher is not None:
                watcher(sum(each.progress[0] for each in sources), recording.size)
            yield from page
