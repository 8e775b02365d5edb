"""Holding what came out of a rehearsal against what the test expects, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shopflow.gitops.naming import length_of
from shopflow.gitops.rehearsed import Happened, Rehearsal, What
from shopflow.gitops.scenario import Json, Scenario
from shopflow.gitops.texts import Snapshots, untold
from shopflow.gitops.verdict import told
from shopflow.lang.lengths import written

#: Key of `expect` -> what it lists; each list is complete where it is given.
LISTS: Mapping[str, What] = {"sends": What.SEND, "drops": What.DROP, "holds": What.HOLD}
#: Fields that a line of the timeline shows, in order.
_SHOWN = ("step", "channel", "reason", "outcome", "variant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the two timelines; empty where one of them has nothing."""

    #: None where the expectation gives no time.
    at: datetime | None
    expected: str
    got: str
    #: What the deciding condition saw.
    values: str = ""
    #: Expected and did not come, or came and was not expected.
    wrong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The verdict on one scenario."""

    scenario: Scenario
    problems: tuple[str, ...]
    rows: tuple[Row, ...]
    #: Why conditions said no, and what failed, in words.
    notes: tuple[str, ...] = ()
    #: The order of events of one instant in which it is so; empty for that of the file.
    order: str = ""

    @property
    def passed(self) -> bool:
        """Everything that was expected came, and nothing else."""
        return not self.problems


def judge(
    rehearsal: Rehearsal, snapshots: Snapshots | None = None, *, in_order: bool = True
) -> Result:
    """The rehearsal held against its test, and against its snapshots where they are given.

    Without `in_order` it does not matter what came before what, only what came, and when.
    """
    expect = rehearsal.scenario.expect
    start = rehearsal.scenario.start
    rows: list[Row] = []
    problems: list[str] = []
    for what in What:
        got = [each for each in rehearsal.happened if each.what is what]
        wanted = _wanted(expect, what)
        asked = _asked(what, wanted, got, start)
        rows += [_row(what, None, each, start, asked=False) for each in got if each not in asked]
        if wanted is None:
            continue
        pairs = (_aligned if in_order else _matched)(wanted, asked, start)
        rows += [_row(what, *pair, start) for pair in pairs]
        problems += _differences(what, pairs, start)
    problems += _others(rehearsal, snapshots)
    never = datetime.max.replace(tzinfo=start.tzinfo)
    rows.sort(key=lambda row: row.at or never)
    return Result(
        scenario=rehearsal.scenario,
        problems=tuple(problems),
        rows=tuple(rows),
        notes=tuple(rehearsal.notes),
    )


def line_of(happened: Happened) -> str:
    """The happening in a few words."""
    return _words(happened.what, happened.fields)


def _wanted(expect: Json, what: What) -> list[Json] | None:
    """What is expected of a kind; None when the test does not say."""
    if what is What.END:
        return [expect["end"]] if "end" in expect else None
    return next((expect.get(key) for key, kind in LISTS.items() if kind is what), None)


def _asked(
    what: What, wanted: list[Json] | None, got: list[Happened], start: datetime
) -> list[Happened]:
    """The happenings that the test asks about."""
    if wanted is None:
        return []
    if what is not What.END:
        return got
    # Of several enrolments one has to end as told; where none does, the last one is shown.
    fitting = [each for each in got if not _misfits(wanted[0], each, start)]
    return (fitting or got)[-1:]


Pair = tuple[Json | None, Happened | None]


def _aligned(wanted: Sequence[Json], got: Sequence[Happened], start: datetime) -> list[Pair]:
    """Both lists in order, with as many fitting pairs as there can be."""
    best = [[0] * (len(got) + 1) for _ in range(len(wanted) + 1)]
    for i in reversed(range(len(wanted))):
        for j in reversed(range(len(got))):
            fits = not _misfits(wanted[i], got[j], start)
            best[i][j] = max(best[i + 1][j], best[i][j + 1], fits * (1 + best[i + 1][j + 1]))
    pairs: list[Pair] = []
    i = j = 0
    while i < len(wanted) or j < len(got):
        both = i < len(wanted) and j < len(got)
        if both and not _misfits(wanted[i], got[j], start) and best[i][j] > best[i + 1][j]:
            pairs.append((wanted[i], got[j]))
            i, j = i + 1, j + 1
        elif i < len(wanted) and (j == len(got) or best[i + 1][j] >= best[i][j + 1]):
            pairs.append((wanted[i], None))
            i += 1
        else:
            pairs.append((None, got[j]))
            j += 1
    return pairs


def _matched(wanted: Sequence[Json], got: Sequence[Happened], start: datetime) -> list[Pair]:
    """Each that is expected with the first that fits and is left, in whatever order they came."""
    left = list(got)
    pairs: list[Pair] = []
    for each in wanted:
        found = next((one for one in left if not _misfits(each, one, start)), None)
        if found is not None:
            left.remove(found)
        pairs.append((each, found))
    return [*pairs, *((None, one) for one in left)]


def _misfits(wanted: Json, got: Happened, start: datetime) -> list[str]:
    """The fields in which the happening is not as expected, in words."""
    found = []
    for name, value in wanted.items():
        if name == "at":
            if got.at - start != length_of(value):
                found.append(f"at {written(got.at - start)}, expected {value}")
        elif name == "with":
            found += _differing("with.", value, got.fields.get(name))
        elif got.fields.get(name) != value:
            found.append(f"{name} {got.fields.get(name)!r}, expected {value!r}")
    return found


def _differing(prefix: str, wanted: Mapping[str, object], got: object) -> Iterator[str]:
    given = got if isinstance(got, Mapping) else {}
    for name, value in wanted.items():
        if name not in given:
            yield f"{prefix}{name} is not there, expected {value!r}"
        elif given[name] != value:
            yield f"{prefix}{name} {given[name]!r}, expected {value!r}"


def _row(
    what: What,
    wanted: Json | None,
    got: Happened | None,
    start: datetime,
    *,
    asked: bool = True,
) -> Row:
    at = got.at if got is not None else None
    if wanted is not None and at is None and "at" in wanted:
        at = start + length_of(wanted["at"])
    return Row(
        at=at,
        expected=_words(what, wanted) if wanted is not None else "",
        got=line_of(got) if got is not None else "",
        values=told(got.values) if got is not None else "",
        wrong=asked and (wanted is None or got is None),
    )


def _differences(what: What, pairs: Sequence[Pair], start: datetime) -> Iterator[str]:
    missing = [wanted for wanted, got in pairs if wanted is not None and got is None]
    surplus = [got for wanted, got in pairs if got is not None and wanted is None]
    for wanted in missing:
        near = next((got for got in surplus if _same_step(wanted, got)), None)
        if near is None:
            yield f"{_words(what, wanted)}{_when(wanted)} did not come"
        else:
            surplus.remove(near)
            differs = "; ".join(_misfits(wanted, near, start))
            yield f"{_words(what, wanted)}: {differs or 'it came in another place of the list'}"
    for got in surplus:
        yield f"{line_of(got)} at {written(got.at - start)} was not expected"


def _same_step(wanted: Json, got: Happened) -> bool:
    return "step" not in wanted or wanted["step"] == got.fields.get("step")


def _when(wanted: Json) -> str:
    return f" at {wanted['at']}" if "at" in wanted else ""


def _words(what: What, fields: Mapping[str, object]) -> str:
    words = [str(fields[name]) for name in _SHOWN if fields.get(name)]
    if fields.get("by"):
        words.append(f"by {fields['by']}")
    return " ".join([what.value, *words])


def _others(rehearsal: Rehearsal, snapshots: Snapshots | None) -> Iterator[str]:
    """What is expected beside the timeline."""
    expect: dict[str, Any] = dict(rehearsal.scenario.expect)
    entered = expect.get("entered")
    if isinstance(entered, bool) and entered != bool(rehearsal.entered):
        yield f"entered: {rehearsal.entered} enrolments began, expected {_yes(entered)}"
    elif isinstance(entered, int) and entered != rehearsal.entered:
        yield f"entered: {rehearsal.entered} enrolments began, expected {entered}"
    if "refused" in expect and expect["refused"] != rehearsal.refused:
        yield f"refused: {rehearsal.refused}, expected {expect['refused']}"
    if "active" in expect and expect["active"] != rehearsal.active:
        yield f"active: {_yes(rehearsal.active)}, expected {_yes(expect['active'])}"
    customer = rehearsal.customer
    if "attributes" in expect:
        attributes = customer.attributes if customer is not None else {}
        yield from _differing("attributes.", expect["attributes"], attributes)
    if "tags" in expect:
        tags = sorted(customer.tags) if customer is not None else []
        if tags != sorted(expect["tags"]):
            yield f"tags: {tags}, expected {sorted(expect['tags'])}"
    if "render" in expect:
        yield from untold(rehearsal, expect["render"], snapshots)


def _yes(claim: bool) -> str:  # noqa: FBT001 - the claim is all there is
    return "yes" if claim else "no"
