"""What a deliverer says of its messages, as rows that one statement takes: begun, settled, later.

The first word on a message is the one that counts, and only from whoever holds it; an acceptance
counts from anyone, since the message has left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shopflow.domain.event import Outcome
from shopflow.domain.ids import MessageId
from shopflow.store.delivery import AFTER, IN_HAND, OPEN
from shopflow.store.records import Begun, DeliveryState, Retry, Settled
from shopflow.store.sql import rows
from shopflow.store.sql.shapes import Change
from shopflow.store.tables import micros

#: Who may say so: whoever leased it, whoever holds it, or anyone.
_LEASED, _HELD, _ANYONE = range(3)


def _listed(states: Iterable[DeliveryState]) -> str:
    return ", ".join(f"'{state.value}'" for state in sorted(states))


WORDS = Change(
    columns=(
        ("id", "text"),
        ("owner", "text"),
        ("may", "bigint"),
        ("state", "text"),
        ("reason", "text"),
        ("provider_id", "text"),
        ("attempts", "bigint"),
        ("uncertain", "bigint"),
        ("next_attempt_at", "bigint"),
        ("changed_at", "bigint"),
        ("message", "text"),
    ),
    statement=f"""
UPDATE messages SET
state = given.state,
reason = coalesce(given.reason, messages.reason),
provider_id = coalesce(given.provider_id, messages.provider_id),
attempts = messages.attempts + given.attempts,
uncertain = messages.uncertain + given.uncertain,
next_attempt_at = CASE WHEN given.may = {_LEASED} THEN messages.next_attempt_at
    ELSE given.next_attempt_at END,
lease_owner = CASE WHEN given.may = {_LEASED} THEN messages.lease_owner ELSE '' END,
lease_until = CASE WHEN given.may = {_LEASED} THEN messages.lease_until END,
changed_at = coalesce(given.changed_at, messages.changed_at),
message = coalesce(given.message, messages.message)
FROM {{given}}
WHERE messages.id = given.id AND (
    (given.may = {_LEASED} AND messages.state = '{DeliveryState.LEASED}'
        AND messages.lease_owner = given.owner)
    OR (given.may > {_LEASED} AND messages.state IN ({_listed(IN_HAND)})
        AND messages.lease_owner = given.owner)
    OR (given.may = {_ANYONE} AND messages.state IN ({_listed(OPEN)}))
)
RETURNING messages.id
""",  # noqa: S608 - states are our own words
)


def key_of(word: Begun | Retry | Settled) -> MessageId:
    """The message that it is about."""
    return word.report.message.id if isinstance(word, Settled) else word.message_id


def row_of(owner: str, word: Begun | Retry | Settled) -> rows.Row:
    """The word as a row of `WORDS`."""
    match word:
        case Begun():
            state, at = DeliveryState.ATTEMPTED.value, micros(word.at)
            return word.message_id, owner, _LEASED, state, None, None, 1, 0, None, at, None
        case Retry():
            state, at, doubt = DeliveryState.QUEUED.value, micros(word.at), int(word.uncertain)
            return word.message_id, owner, _HELD, state, word.reason, None, 0, doubt, at, None, None
        case Settled(report=report):
            accepted = report.outcome is Outcome.ACCEPTED
            return (
                report.message.id,
                owner,
                _ANYONE if accepted else _HELD,
                AFTER[report.outcome].value,
                report.reason,
                word.provider_id,
                0,
                int(report.outcome is Outcome.UNCERTAIN),
                None,
                micros(report.at),
                rows.message_json(report.message) if accepted else None,
            )


def one_each(
    words: Iterable[Begun | Retry | Settled],
) -> Iterator[list[Begun | Retry | Settled]]:
    """The words in turns, sorted, in each of which a message has one: the first, then the next."""
    left = list(words)
    while left:
        first: dict[MessageId, Begun | Retry | Settled] = {}
        rest = [word for word in left if first.setdefault(key_of(word), word) is not word]
        yield [first[key] for key in sorted(first)]
        left = rest
