"""Codes of conditions and of the way through a workflow: SF1 and SF2."""

from __future__ import annotations

from collections.abc import Mapping

from shopflow.lang.lint.codes.entry import Entry, error, warning

CODES: Mapping[str, Entry] = {
    "SF101": error(
        "condition syntax",
        "The condition is no CEL. Other languages' words (and, or, not, =) are the usual cause.",
    ),
    "SF102": error(
        "unknown name",
        "A variable, step, segment or workflow of that name does not exist in this place.",
    ),
    "SF103": error(
        "unknown field",
        "The event, the customer or an attribute has no such field. The names come from the "
        "event schemas and traits.yaml.",
    ),
    "SF104": error(
        "type mismatch",
        "Values of types that do not go together, such as text compared with a number, or "
        "text as a condition.",
    ),
    "SF106": error(
        "unknown event type",
        "No schema for this event type, in the shipped catalogue or in rules/events.",
    ),
    "SF107": error(
        "value outside the list",
        "The field takes only the values that its schema lists; this one can never be met.",
    ),
    "SF108": warning(
        "field that may be missing",
        "The field is optional. Where it is missing the condition fails and does not match; "
        "ask with has() first.",
    ),
    "SF109": error(
        "bad literal",
        "A duration, timestamp or pattern inside a condition that cannot be read.",
    ),
    "SF110": error(
        "constant condition",
        "The condition is always true or always false, whatever happens.",
    ),
    "SF111": error(
        "condition that nothing can meet",
        "Two parts of the condition, or the condition and the trigger's own, exclude each other: "
        "no event will ever match.",
    ),
    "SF114": error(
        "event in a step",
        "A step runs long after the event. What started the enrolment is trigger; what a "
        "wait_for met is steps.<id>.event.",
    ),
    "SF115": warning("unused let", "A named value that nothing reads."),
    "SF116": error("condition too large", "The condition is too long or too deeply nested."),
    "SF117": error(
        "value that is no text",
        "A key is written as text, and this is a list, a record or another value without such a "
        "form.",
    ),
    "SF118": error(
        "secret in a condition",
        "The event's schema marks the field as secret, such as a reset link. Only a value under "
        "the `with` of a send may read it.",
    ),
    "SF201": error("unreachable step", "Every way to this step ends before it."),
    "SF202": error(
        "choose without else",
        "A choose has exactly one else, and it stands last. `else: []` goes on with the next step.",
    ),
    "SF205": error(
        "longer than max_age",
        "The waits of the longest way add up to more than in_flight.max_age, so that the last "
        "step could never run.",
    ),
    "SF206": error(
        "without bound",
        "A repeat without max, or parallel enrolments without key or cooldown.",
    ),
    "SF209": error(
        "step that may not have run",
        "The result of a step is read where not every way passes that step.",
    ),
    "SF212": error(
        "event that never comes",
        "An event about a product or a pool is nobody's: a wait_for or an exit gets it by a "
        "`match` that says which one is meant, a goal or a trait never.",
    ),
    "SF214": error(
        "trial without an answer",
        "The branches of a split compete for something that cannot be counted, or for no time, or "
        "what one trial is about may change while somebody waits for its winner.",
    ),
    "SF215": warning(
        "trial of little use",
        "The branches are tried on more than half of the customers, or the winner is known before "
        "a schedule has come to all of them.",
    ),
}
