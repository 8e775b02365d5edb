"""What an enrolment has certainly, or possibly, passed when it comes to a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shopflow.lang.cel.types import STRING, TIMESTAMP, Type, record
from shopflow.lang.compiler.event_types import union

#: What every step leaves behind.
_RESULT = record(
    {"outcome": STRING, "at": TIMESTAMP, "sent_at": TIMESTAMP, "channel": STRING},
    required={"outcome", "at"},
)


@dataclass(frozen=True, slots=True)
class Passed:
    """The steps passed on the way here, with the event that a wait_for met."""

    certain: frozenset[str] = frozenset()
    possible: frozenset[str] = frozenset()
    #: Step -> the event it met on every way here, or on some.
    met: Mapping[str, Type] = field(default_factory=dict)
    maybe_met: Mapping[str, Type] = field(default_factory=dict)
    #: The steps that drew a code on every way here, or on some.
    drawn: frozenset[str] = frozenset()
    maybe_drawn: frozenset[str] = frozenset()
    #: Nobody comes further than this.
    ended: bool = False

    def after_step(self, step: str, *, event: Type | None = None) -> Passed:
        """One step further."""
        events = {} if event is None else {step: event}
        return replace(
            self,
            certain=self.certain | {step},
            possible=self.possible | {step},
            met={**self.met, **events},
            maybe_met={**self.maybe_met, **events},
        )

    def drawing(self, step: str) -> Passed:
        """One step further, with a code that it drew."""
        after = self.after_step(step).maybe_drawing(step)
        return replace(after, drawn=after.drawn | {step})

    def maybe_drawing(self, step: str) -> Passed:
        """The step may have drawn a code."""
        return replace(self, maybe_drawn=self.maybe_drawn | {step})

    def ending(self) -> Passed:
        """Nobody comes further."""
        return replace(self, ended=True)

    @staticmethod
    def either(ways: Sequence[Passed]) -> Passed:
        """Where several ways join; those that ended do not come here."""
        open_ways = [way for way in ways if not way.ended]
        if not open_ways:
            joined = Passed.either([replace(way, ended=False) for way in ways])
            return joined.ending()
        certain = frozenset.intersection(*(way.certain for way in open_ways))
        possible = frozenset().union(*(way.possible for way in ways))
        everywhere = set.intersection(*({*way.met} for way in open_ways))
        maybe: dict[str, Type] = {}
        for way in ways:
            for step, event in way.maybe_met.items():
                maybe[step] = union([maybe[step], event]) if step in maybe else event
        return Passed(
            certain=certain,
            possible=possible,
            met={step: union(way.met[step] for way in open_ways) for step in everywhere},
            maybe_met=maybe,
            drawn=frozenset.intersection(*(way.drawn for way in open_ways)),
            maybe_drawn=frozenset().union(*(way.maybe_drawn for way in ways)),
        )

    def steps_type(self, all_events: Mapping[str, Type]) -> Type:
        """What `steps` is here: a record of every step that may have been passed."""
        fields = {}
        for step in self.possible:
            event = self.met.get(step) or self.maybe_met.get(step) or all_events.get(step)
            fields[step] = self._result_type(step, event)
        return record(fields, required=self.certain)

    def _result_type(self, step: str, event: Type | None) -> Type:
        if event is None and step not in self.maybe_drawn:
            return _RESULT
        fields, required = {**_RESULT.fields}, {*_RESULT.required}
        if event is not None:
            fields["event"] = event
            if step in self.met:
                required.add("event")
        if step in self.maybe_drawn:
            fields |= {"code": STRING, "expires_at": TIMESTAMP}
            if step in self.drawn:
                required.add("code")
        return record(fields, required=required)
