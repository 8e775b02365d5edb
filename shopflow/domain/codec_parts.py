"""Messages, sends, enrolments and goals as plain values for JSON, and back.

The rules of the shape are told in `shopflow.domain.codec`, which puts the parts together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from shopflow.domain.codec_making import maker
from shopflow.domain.coupon import DrawnCode
from shopflow.domain.customer import (
    Awaited,
    Enrolment,
    GoalWatch,
    SentRecord,
    SlotState,
    StepResult,
)
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.domain.product import IfSoldOut
from shopflow.domain.trial import Result, TrialWatch

K = TypeVar("K")
V = TypeVar("V")
Json = dict[str, Any]

_time = datetime.fromisoformat
_SLOT = {word.value: word for word in SlotState}
_SOLD_OUT = {word.value: word for word in IfSoldOut}
_NOTHING: Json = {}
_CLASS = {word.value: word for word in MessageClass}

_message = maker(Message)
_sent = maker(SentRecord)
_enrolment = maker(Enrolment)
_awaited = maker(Awaited)
_goal = maker(GoalWatch)
_result = maker(StepResult)
_drawn = maker(DrawnCode)
_trial_watch = maker(TrialWatch)


def full(json: Json) -> Json:
    """What is not empty: every reader's default is the empty value of its type."""
    return {key: value for key, value in json.items() if value}


def plain(mapping: Mapping[K, V]) -> dict[K, V]:
    """The mapping as a dict, which is all that a JSON writer takes."""
    return mapping if type(mapping) is dict else dict(mapping)


def message_to_json(message: Message) -> Json:
    """The message, whole."""
    return full(
        {
            "id": message.id,
            "cu": message.customer_id,
            "en": message.enrolment_id,
            "w": message.workflow,
            "v": message.version,
            "d": message.digest,
            "st": message.step,
            "n": message.visit,
            "ch": message.channel,
            "fb": list(message.fallbacks),
            "pu": message.purpose,
            "cl": message.message_class.value,
            "pr": message.priority,
            "g": sorted(message.tags),
            "te": message.template,
            "lo": message.locale,
            "to": message.address,
            "va": plain(message.variables),
            "co": [drawn_to_json(drawn) for drawn in message.codes],
            "pm": {name: word.value for name, word in message.promotes.items()},
            "ev": message.trigger_event_id,
            "at": message.decided_at,
            "c": message.cursor_at,
            "by": message.send_by,
        }
    )


def message_from_json(json: Json) -> Message:
    """The message of what `message_to_json` gave, once it went through JSON."""
    get = json.get
    return _message(
        id=get("id", ""),
        customer_id=get("cu", ""),
        enrolment_id=get("en", ""),
        workflow=get("w", ""),
        version=get("v", 0),
        digest=get("d", ""),
        step=get("st", ""),
        visit=get("n", 0),
        channel=get("ch", ""),
        fallbacks=tuple(get("fb", ())),
        purpose=get("pu", ""),
        message_class=_CLASS[json["cl"]],
        priority=get("pr", 0),
        tags=frozenset(get("g", ())),
        template=get("te", ""),
        locale=get("lo", ""),
        address=get("to", ""),
        variables=get("va", {}),
        codes=tuple([drawn_from_json(drawn) for drawn in get("co", ())]),
        promotes={name: _SOLD_OUT[word] for name, word in get("pm", _NOTHING).items()},
        trigger_event_id=get("ev", ""),
        decided_at=_time(json["at"]),
        cursor_at=_time(json["c"]),
        send_by=_time(json["by"]),
    )


def sent_to_json(record: SentRecord) -> Json:
    """The record, with its message while it is held."""
    return full(
        {
            "id": record.message_id,
            "en": record.enrolment_id,
            "w": record.workflow,
            "st": record.step,
            "ch": record.channel,
            "pu": record.purpose,
            "cl": record.message_class.value,
            "g": sorted(record.tags),
            "at": record.decided_at,
            "s": record.state.value,
            "ac": record.accepted_at,
            "du": record.due_at,
            "m": message_to_json(record.message) if record.message else None,
            "q": record.queued,
            "dr": list(record.draws),
        }
    )


def sent_from_json(json: Json) -> SentRecord:
    """The record of what `sent_to_json` gave, once it went through JSON."""
    get = json.get
    return _sent(
        message_id=get("id", ""),
        enrolment_id=get("en", ""),
        workflow=get("w", ""),
        step=get("st", ""),
        channel=get("ch", ""),
        purpose=get("pu", ""),
        message_class=_CLASS[json["cl"]],
        tags=frozenset(get("g", ())),
        decided_at=_time(json["at"]),
        state=_SLOT[json["s"]],
        accepted_at=_time(at) if (at := get("ac")) else None,
        due_at=_time(at) if (at := get("du")) else None,
        message=message_from_json(message) if (message := get("m")) else None,
        queued=get("q", False),
        draws=tuple(get("dr", ())),
    )


def enrolment_to_json(enrolment: Enrolment) -> Json:
    """The enrolment, whole."""
    return full(
        {
            "id": enrolment.id,
            "w": enrolment.workflow,
            "v": enrolment.version,
            "d": enrolment.digest,
            "k": enrolment.key,
            "in": enrolment.entered_at,
            "ev": enrolment.trigger_event_id,
            "tr": plain(enrolment.trigger),
            # In a list, so that an item that is empty is not taken for none.
            "it": None if enrolment.item is None else [enrolment.item],
            "st": enrolment.step,
            "cu": enrolment.cursor_at,
            "du": enrolment.due_at,
            "he": enrolment.held_since,
            "ho": enrolment.holdout,
            "se": enrolment.sent,
            "re": {step: _result_to_json(result) for step, result in enrolment.results.items()},
            "vi": plain(enrolment.visits),
            "ga": [plain(data) for data in enrolment.gathered],
            "aw": [[one.event_type, one.key, one.since] for one in enrolment.awaits],
            "n": enrolment.number,
        }
    )


def enrolment_from_json(json: Json) -> Enrolment:
    """The enrolment of what `enrolment_to_json` gave, once it went through JSON."""
    get = json.get
    return _enrolment(
        id=get("id", ""),
        workflow=get("w", ""),
        version=get("v", 0),
        digest=get("d", ""),
        key=get("k", ""),
        entered_at=_time(json["in"]),
        trigger_event_id=get("ev", ""),
        trigger=get("tr", {}),
        item=item[0] if (item := get("it")) else None,
        step=get("st"),
        cursor_at=_time(json["cu"]),
        due_at=_time(at) if (at := get("du")) else None,
        held_since=_time(at) if (at := get("he")) else None,
        holdout=get("ho", False),
        sent=get("se", False),
        results={step: _result_from_json(result) for step, result in results.items()}
        if (results := get("re"))
        else {},
        visits=get("vi", {}),
        gathered=tuple(get("ga", ())),
        awaits=tuple(
            [
                _awaited(event_type=kind, key=key, since=_time(since))
                for kind, key, since in get("aw", ())
            ]
        ),
        number=get("n", 0),
    )


def goal_to_json(goal: GoalWatch) -> Json:
    """The watched goal, whole."""
    return full(
        {
            "en": goal.enrolment_id,
            "w": goal.workflow,
            "v": goal.version,
            "d": goal.digest,
            "at": goal.since_at,
            "un": goal.until,
            "ho": goal.holdout,
            "ch": goal.channel,
            "st": goal.step,
            "t": plain(goal.trigger),
        }
    )


def goal_from_json(json: Json) -> GoalWatch:
    """The watched goal of what `goal_to_json` gave, once it went through JSON."""
    get = json.get
    return _goal(
        enrolment_id=get("en", ""),
        workflow=get("w", ""),
        version=get("v", 0),
        digest=get("d", ""),
        since_at=_time(json["at"]),
        until=_time(json["un"]),
        holdout=get("ho", False),
        channel=get("ch"),
        step=get("st"),
        trigger=get("t", {}),
    )


def _result_to_json(result: StepResult) -> list[object]:
    event = None if result.event is None else plain(result.event)
    told = [result.outcome, result.at, result.sent_at, result.channel, event]
    return told if result.code is None else [*told, result.code, result.expires_at]


def drawn_to_json(drawn: DrawnCode) -> list[object]:
    """The drawn code, whole."""
    return [
        drawn.draw,
        drawn.coupon,
        drawn.pool,
        drawn.code,
        drawn.enrolment_id,
        drawn.at,
        drawn.ends_at,
        drawn.issued,
        drawn.used_at,
    ]


def drawn_from_json(json: list[Any]) -> DrawnCode:
    """The drawn code of what `drawn_to_json` gave, once it went through JSON."""
    draw, coupon, pool, code, enrolment, at, ends_at, issued, used_at = json
    return _drawn(
        draw=draw,
        coupon=coupon,
        pool=pool,
        code=code,
        enrolment_id=enrolment,
        at=_time(at),
        ends_at=_time(ends_at) if ends_at else None,
        issued=issued,
        used_at=_time(used_at) if used_at else None,
    )


def trial_watch_to_json(watch: TrialWatch) -> list[object]:
    """The part in a trial, whole."""
    return [
        watch.trial,
        watch.workflow,
        watch.version,
        watch.step,
        watch.enrolment_id,
        watch.branch,
        watch.until,
        list(watch.messages),
        sorted(watch.seen),
    ]


def trial_watch_from_json(json: list[Any]) -> TrialWatch:
    """The part in a trial of what `trial_watch_to_json` gave, once it went through JSON."""
    trial, workflow, version, step, enrolment, branch, until, messages, seen = json
    return _trial_watch(
        trial=trial,
        workflow=workflow,
        version=version,
        step=step,
        enrolment_id=enrolment,
        branch=branch,
        until=_time(until),
        messages=tuple(messages),
        seen=frozenset(map(Result, seen)),
    )


def _result_from_json(json: list[Any]) -> StepResult:
    outcome, at, sent_at, channel, event, *drawn = json
    code, expires_at = drawn or (None, None)
    return _result(
        outcome=outcome,
        at=_time(at),
        sent_at=_time(sent_at) if sent_at else None,
        channel=channel,
        event=event,
        code=code,
        expires_at=_time(expires_at) if expires_at else None,
    )
