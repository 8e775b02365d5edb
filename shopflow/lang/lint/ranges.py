"""Conditions that nothing can meet (SF111): what each field would have to be, and at once.

Only the necessary conditions of a top-level `&&` are looked at, which CEL's compiler proves; of
anything else nothing is said, so there is no false alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from shopflow.domain.expression import Atom
from shopflow.lang.lint.subject import Subject
from shopflow.problem import Problem

Path = tuple[str, ...]


@dataclass(slots=True)
class _Range:
    """What one field may be: one of some values, and within bounds; None is anything."""

    values: set[object] | None = None
    low: tuple[float, bool] = (-inf, False)
    high: tuple[float, bool] = (inf, False)
    #: Whether a bound was given, so that only numbers will do.
    numeric: bool = field(default=False)

    def narrow(self, atom: Atom) -> None:
        """Take in one more necessary condition."""
        match atom.op:
            case "==":
                self._among({_key(atom.value)})
            case "in" if isinstance(atom.value, tuple):
                self._among({_key(value) for value in atom.value})
            case ">" | ">=" if _is_number(atom.value):
                self.low = max(self.low, (float(str(atom.value)), atom.op == ">"))
                self.numeric = True
            case "<" | "<=" if _is_number(atom.value):
                self.high = min(
                    self.high, (float(str(atom.value)), atom.op == "<"), key=_tighter_above
                )
                self.numeric = True

    def _among(self, values: set[object]) -> None:
        self.values = values if self.values is None else self.values & values

    def is_empty(self) -> bool:
        """True when no value is left."""
        if self.values is not None:
            return not any(self._holds(value) for value in self.values)
        (low, above), (high, below) = self.low, self.high
        return low > high or (low == high and (above or below))

    def _holds(self, key: object) -> bool:
        if not self.numeric:
            return True
        value = key[1] if isinstance(key, tuple) else None
        if not isinstance(value, int | float):
            return False
        (low, above), (high, below) = self.low, self.high
        return (value > low if above else value >= low) and (
            value < high if below else value <= high
        )


def can_be_met(subject: Subject) -> Iterator[Problem]:
    """No condition asks for two things of one field that exclude each other."""
    for each in subject.build.workflows:
        known = _as_trigger(each.workflow.trigger) if each.workflow is not None else ()
        for use in each.uses:
            if use.scope.wants != "bool":
                continue
            own = use.program.atoms
            told = known if any(atom.path[0] == "trigger" for atom in own) else ()
            for path in _impossible((*told, *own)):
                name = ".".join(path)
                message = f"nothing can meet this: {name} would have to be two things at once"
                also = " and with the trigger's own condition" if told else ""
                hint = f"compare what is asked of {name} here{also}"
                yield each.document.problem("SF111", use.node, message, hint=hint)


def _as_trigger(trigger: object) -> tuple[Atom, ...]:
    """What the trigger's condition has proved, as steps and exits read it."""
    when = getattr(trigger, "when", None)
    atoms: Iterable[Atom] = when.atoms if when is not None else ()
    return tuple(
        Atom(("trigger", *atom.path[1:]), atom.op, atom.value)
        for atom in atoms
        if atom.path[0] == "event"
    )


def _impossible(atoms: Iterable[Atom]) -> list[Path]:
    ranges: dict[Path, _Range] = {}
    for atom in atoms:
        ranges.setdefault(atom.path, _Range()).narrow(atom)
    return sorted(path for path, found in ranges.items() if found.is_empty())


def _key(value: object) -> object:
    """CEL's equality: 1 and 1.0 are one number, true is none, text is only itself."""
    if _is_number(value):
        return ("number", value)
    return (type(value).__name__, value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tighter_above(bound: tuple[float, bool]) -> tuple[float, bool]:
    # Of two equal upper bounds the strict one is lower.
    return (bound[0], not bound[1])
