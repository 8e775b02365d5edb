"""Alternatives of what several values have to be at once, with a bound on how many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import product
from typing import NamedTuple

from shopflow.lang.normal.values import Values

#: More alternatives than this are not kept apart: a form then says less than it could.
MOST = 64


@dataclass(frozen=True, slots=True)
class Term:
    """A value that a condition reads or works out; two of one name are the same value."""

    #: A path such as event.total, or what is worked out, written without white space.
    name: str
    #: The variables that it is read from.
    roots: frozenset[str] = field(compare=False)
    #: How a person would call it; empty where that takes more than a name.
    shown: str = field(default="", compare=False)
    #: Its numbers have no fractions.
    whole: bool = field(default=False, compare=False)


class Conflict(NamedTuple):
    """Why a clause fell away: a term that cannot be what is asked of it."""

    #: How a person would call the term; may be empty.
    shown: str
    #: Its type alone says so; else two parts of the condition do.
    by_type: bool


#: What each value has to be; one that is not named may be anything.
Clause = Mapping[Term, Values]


@dataclass(frozen=True, slots=True)
class Form:
    """At least one clause holds; without any, nothing ever does.

    Every operation may give a form that holds more often than it should, and never less often.
    """

    clauses: tuple[Clause, ...]
    #: Why clauses fell away.
    conflicts: frozenset[Conflict] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nothing can ever meet it."""
        return not self.clauses

    def __and__(self, other: Form) -> Form:
        if self is EVERYTHING and len(other.clauses) <= 1:
            return other
        if other is EVERYTHING and len(self.clauses) <= 1:
            return self
        conflicts = {*self.conflicts, *other.conflicts}
        if len(self.clauses) * len(other.clauses) > MOST:
            # Each holds wherever both do.
            return min(self, other, key=lambda form: len(form.clauses))
        joined = (_joined(*pair, conflicts) for pair in product(self.clauses, other.clauses))
        clauses = tuple(clause for clause in joined if clause is not None)
        if len(clauses) > 1:
            clauses = tuple({tuple(clause.items()): clause for clause in clauses}.values())
        return Form(clauses, frozenset(conflicts))

    def __or__(self, other: Form) -> Form:
        conflicts = self.conflicts | other.conflicts
        clauses = (*self.clauses, *other.clauses)
        if any(not clause for clause in clauses):
            return Form(({},), conflicts)
        return Form(clauses, conflicts) if len(clauses) <= MOST else Form(({},), conflicts)

    def about(self, is_kept: Callable[[Term], bool]) -> Form:
        """What it says of some terms; nothing is said of the others."""
        clauses = (
            {term: values for term, values in clause.items() if is_kept(term)}
            for clause in self.clauses
        )
        return reduce(Form.__or__, (Form((clause,)) for clause in clauses), NOTHING)


EVERYTHING = Form(({},))
NOTHING = Form(())


def asking(term: Term, values: Values) -> Form:
    """The term has to be one of the values."""
    if values.is_empty(whole=term.whole):
        return Form((), frozenset({Conflict(term.shown, by_type=True)}))
    return Form(({term: values},))


def all_of(forms: Iterable[Form]) -> Form:
    """Every one of them holds."""
    return reduce(Form.__and__, forms, EVERYTHING)


def any_of(forms: Iterable[Form]) -> Form:
    """At least one of them holds."""
    return reduce(Form.__or__, forms, NOTHING)


def _joined(one: Clause, other: Clause, conflicts: set[Conflict]) -> Clause | None:
    """Both at once; None when some term cannot be what both ask of it."""
    joined = dict(one)
    for term, values in other.items():
        if term in joined:
            values = values & joined[term]  # noqa: PLW2901 - what is left of it
            if values.is_empty(whole=term.whole):
                conflicts.add(Conflict(term.shown, by_type=False))
                return None
        joined[term] = values
    return joined
