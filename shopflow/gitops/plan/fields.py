"""The fields in which two files of rules differ, by path; their layout is none of them.

A step is named by its id wherever it stands, so that moving one is one line and not a dozen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shopflow.lang.digest import canonical_source

#: What says nothing of how the rules behave.
LABELS = frozenset({"apiVersion", "kind", "version", "title", "owner", "reason"})
#: The longest value that is shown.
LONGEST = 60
#: Texts, which are passed over, and what joins and encloses the parts of a condition.
_JOINTS = re.compile(r"""\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|&&|\|\||[?()\[\]{}]""", re.DOTALL)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_LOOSER = frozenset({"||", "?"})
#: Keys under which steps stand.
_STEPS = frozenset({"steps", "then", "else"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that was added, removed or changed; what is not there is None."""

    path: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.path} added: {self.after}"
        if self.after is None:
            return f"{self.path} removed: {self.before}"
        return f"{self.path} {self.before} -> {self.after}"


@dataclass(slots=True)
class _Flat:
    """A document laid flat."""

    #: Path -> the value in one line.
    leaves: dict[str, str] = field(default_factory=dict)
    #: Step -> what it does, in a few words.
    steps: dict[str, str] = field(default_factory=dict)

    def put(self, path: str, value: object) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if path or key not in LABELS:
                    self._inside(f"{path}.{key}" if path else str(key), str(key), inner)
        elif isinstance(value, list) and _is_nested(value):
            for number, inner in enumerate(value, 1):
                self.put(f"{path}.{_name(inner, number)}", inner)
        else:
            self.leaves[path] = _text(value)

    def _inside(self, path: str, key: str, value: object) -> None:
        if key in _STEPS and isinstance(value, list):
            for number, step in enumerate(value, 1):
                self._step(path, number, step)
        else:
            self.put(path, value)

    def _step(self, path: str, number: int, step: object) -> None:
        if not isinstance(step, Mapping):
            self.put(f"{path}.{number}", step)
            return
        name = _name(step, number)
        self.steps[name] = _summary(step)
        if path != "steps":
            self.leaves[f"steps.{name} stands under"] = path
        for key, inner in step.items():
            if key != "id":
                self._inside(f"steps.{name}.{key}", key, inner)


def differences(before: object, after: object) -> list[Difference]:
    """What differs between two documents of plain data, in the order of the later one."""
    old, new = _Flat(), _Flat()
    old.put("", before)
    new.put("", after)
    found = list(_steps(old, new))
    found += _leaves(old, new)
    return found


def _steps(old: _Flat, new: _Flat) -> Iterator[Difference]:
    for name in [*new.steps, *(each for each in old.steps if each not in new.steps)]:
        if (name in old.steps) != (name in new.steps):
            yield Difference(
                path=f"steps.{name}", before=old.steps.get(name), after=new.steps.get(name)
            )
    kept = [name for name in old.steps if name in new.steps]
    order = [name for name in new.steps if name in old.steps]
    if kept != order:
        yield Difference(
            path="the order of steps",
            before=_short(", ".join(kept)),
            after=_short(", ".join(order)),
        )


def _leaves(old: _Flat, new: _Flat) -> Iterator[Difference]:
    one_sided = old.steps.keys() ^ new.steps.keys()
    for path in dict.fromkeys([*new.leaves, *old.leaves]):
        before, after = old.leaves.get(path), new.leaves.get(path)
        # Of a step that came or went, one line says enough.
        if same(before, after) or step_of(path) in one_sided:
            continue
        yield Difference(path=path, before=_shown(before), after=_shown(after))


def same(before: str | None, after: str | None) -> bool:
    """True when the values mean the same, whatever their layout and the order of `&&`."""
    if before is None or after is None:
        return before is after
    return before == after or _operands(before) == _operands(after)


def _operands(source: str) -> list[str]:
    """What a condition joins by `&&`, in order of the alphabet; anything else is one operand."""
    text = canonical_source(source)
    depth, begin, found = 0, 0, list[str]()
    for match in _JOINTS.finditer(text):
        sign = match.group()
        if sign in _OPENING:
            depth += 1
        elif sign in _CLOSING:
            depth -= 1
        elif depth == 0 and sign == "&&":
            found.append(text[begin : match.start()])
            begin = match.end()
        elif depth == 0 and sign in _LOOSER:
            # They bind less than `&&`, so its operands are not those of the whole.
            return [text]
    return sorted([*found, text[begin:]])


def step_of(path: str) -> str:
    """The step that a field is of; empty where it is of none."""
    head, _, rest = path.partition(".")
    return rest.partition(".")[0].partition(" ")[0] if head == "steps" else ""


def _name(value: object, number: int) -> str:
    if isinstance(value, Mapping):
        for key in ("id", "name"):
            if isinstance(found := value.get(key), str):
                return found
    return str(number)


def _summary(step: Mapping[str, object]) -> str:
    """A step in a few words: its kind, and what that says, such as `send email cart/offer`."""
    kind = next((key for key in step if key not in {"id", "only_if"}), "")
    value = step[kind] if kind else ""
    if isinstance(value, Mapping):
        told = " ".join(f"{key} {_text(each)}" for key, each in value.items())
    else:
        told = _text(value) if not _is_nested(value) else ""
    return _short(" ".join(part for part in (kind, told, str(step.get("template", ""))) if part))


def _is_nested(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(each, Mapping) for each in value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, list):
        # One of a list and the same by itself are written either way.
        return _text(value[0]) if len(value) == 1 else f"[{', '.join(map(_text, value))}]"
    return str(value)


def _shown(text: str | None) -> str | None:
    return None if text is None else _short(" ".join(text.split()))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
