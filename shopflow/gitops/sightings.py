"""What is seen of a workflow while its tests run: steps, branches, exits, answers of conditions.

The engine knows nothing of it: the workflow that it decides by carries conditions that remember
their answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shopflow.domain.expression import Expression
from shopflow.domain.journal import JournalEntry
from shopflow.domain.message import Message
from shopflow.domain.step import Choose, DrawCode, Repeat, Send, Step, WaitFor
from shopflow.domain.trigger import (
    DateTrigger,
    EventTrigger,
    ManualTrigger,
    ScheduleTrigger,
    SegmentTrigger,
    Trigger,
)
from shopflow.domain.workflow import Workflow
from shopflow.gitops.wrapping import Wrapped
from shopflow.lang.cel import Program
from shopflow.lang.cel.parts import Anatomy, is_condition

#: What a sighting is of: a word and names, such as ("branch", "second_touch", "else").
Key = tuple[str | int, ...]
#: Workflow -> what was seen of it.
Seen = dict[str, set[Key]]

#: How a `wait_for` is left.
MATCHED, TIMEOUT = "matched", "timeout"
#: How a `coupon` step is left, and what a `choose` calls its last branch.
DRAWN, ELSE = "drawn", "else"


class Sightings:
    """Everything that was seen, workflow by workflow."""

    def __init__(self) -> None:
        self._seen: Seen = {}

    def add(self, workflow: str, key: Key) -> None:
        """The workflow was seen doing this."""
        self._seen.setdefault(workflow, set()).add(key)

    def of(self, workflow: str) -> frozenset[Key]:
        """All that was seen of a workflow."""
        return frozenset(self._seen.get(workflow, ()))

    def also(self, seen: Seen) -> None:
        """What somebody else saw."""
        for workflow, keys in seen.items():
            self._seen.setdefault(workflow, set()).update(keys)

    def handed_over(self) -> Seen:
        """All that was seen; from now on it is theirs who asked."""
        seen, self._seen = self._seen, {}
        return seen

    def take(self, entry: JournalEntry, step: Step | None) -> None:
        """A way on from a step that was chosen, as the journal tells it."""
        if entry.workflow is None or entry.step is None:
            return
        way = entry.reason
        if isinstance(step, DrawCode) and way != DRAWN:
            # Why there was no code does not matter here: the way on is one.
            way = ELSE
        self.add(entry.workflow, ("branch", entry.step, way))

    def left(self, message: Message) -> None:
        """A message went out: of a send step nothing less counts."""
        self.add(message.workflow, ("step", message.step))


class Watched(Wrapped):
    """A condition that remembers its answers; without one of its own it is always true."""

    def __init__(
        self,
        inner: Expression | None,
        place: str,
        workflow: str,
        sightings: Sightings,
        *,
        also: Key | None = None,
        reached: Key | None = None,
    ) -> None:
        super().__init__(inner)
        self._place = place
        self._workflow = workflow
        self._sightings = sightings
        #: Seen when the answer is true; seen whatever the answer is.
        self._also, self._reached = also, reached
        self._anatomy = Anatomy(inner) if isinstance(inner, Program) else None

    def evaluate(self, bindings: Mapping[str, object]) -> object:
        """The value of the condition itself."""
        value = super().evaluate(bindings)
        if self._reached is not None:
            self._sightings.add(self._workflow, self._reached)
        if isinstance(value, bool):
            self._note(bindings, value=value)
        return value

    def _note(self, bindings: Mapping[str, object], *, value: bool) -> None:
        add, workflow = self._sightings.add, self._workflow
        add(workflow, outcome(self._place, value))
        if value and self._also is not None:
            add(workflow, self._also)
        if self._anatomy is not None:
            for number, answer in self._anatomy.outcomes(bindings):
                add(workflow, outcome(self._place, answer, number))


def outcome(place: str, value: bool, part: int = -1) -> Key:  # noqa: FBT001 - the answer itself
    """The answer of a condition, or of one of its parts."""
    return ("outcome", place, part, "true" if value else "false")


def watched(workflow: Workflow, sightings: Sightings) -> Workflow:
    """The same workflow, which decides the same and tells what is seen of it."""
    observer = _Observer(workflow.id, sightings)
    return replace(
        workflow,
        trigger=observer.trigger(workflow.trigger),
        exits=tuple(
            replace(
                rule,
                when=observer.condition(
                    rule.when, f"exit {rule.id}", also=("exit", rule.id), always=True
                ),
            )
            for rule in workflow.exits
        ),
        let={
            name: observer.condition(expression, f"let {name}") or expression
            if isinstance(expression, Program) and is_condition(expression)
            else expression
            for name, expression in workflow.let.items()
        },
        steps={name: observer.step(step) for name, step in workflow.steps.items()},
    )


class _Observer:
    def __init__(self, workflow: str, sightings: Sightings) -> None:
        self._workflow = workflow
        self._sightings = sightings

    def condition(
        self,
        inner: Expression | None,
        place: str,
        *,
        also: Key | None = None,
        reached: Key | None = None,
        always: bool = False,
    ) -> Expression | None:
        if inner is None and not always:
            return None
        return Watched(inner, place, self._workflow, self._sightings, also=also, reached=reached)

    def trigger(self, trigger: Trigger) -> Trigger:
        match trigger:
            case EventTrigger():
                return replace(
                    trigger,
                    when=self.condition(trigger.when, "trigger when"),
                    audience=self.condition(trigger.audience, "trigger audience"),
                )
            case ScheduleTrigger():
                return replace(
                    trigger, audience=self.condition(trigger.audience, "trigger audience")
                )
            case SegmentTrigger() | DateTrigger() | ManualTrigger():
                return replace(trigger, when=self.condition(trigger.when, "trigger when"))

    def step(self, step: Step) -> Step:
        # A send counts when its message leaves, any other step when it is carried out or skipped.
        reached = None if isinstance(step, Send) else ("step", step.id)
        only_if = self.condition(
            step.only_if, f"step {step.id} only_if", reached=reached, always=True
        )
        seen = replace(step, only_if=only_if)
        match seen:
            case Choose():
                branches = [
                    replace(
                        branch,
                        when=self.condition(branch.when, f"step {step.id} choose {branch.name}"),
                    )
                    for branch in seen.branches
                ]
                return replace(seen, branches=tuple(branches))
            case WaitFor():
                when = self.condition(
                    seen.when,
                    f"step {step.id} when",
                    also=("branch", step.id, MATCHED),
                    always=True,
                )
                return replace(seen, when=when)
            case Repeat():
                return replace(seen, while_=self.condition(seen.while_, f"step {step.id} while"))
            case _:
                return seen
