"""The record of processing activities (RGPD, article 30), from the policies of a project."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shopflow.domain.policy import MessageClass, Purpose, Retention
from shopflow.domain.ruleset import Ruleset
from shopflow.lang.project import SenderIdentity

_BASES = {
    MessageClass.SERVICE: "contract, article 6(1)(b)",
    MessageClass.RELATIONSHIP: "legitimate interest, article 6(1)(f)",
    MessageClass.MARKETING: "consent, article 6(1)(a)",
    MessageClass.INTERNAL: "legitimate interest, article 6(1)(f)",
    MessageClass.TRACKING: "consent, article 6(1)(a)",
}
_OBJECTIONS = {
    MessageClass.SERVICE: "none: it belongs to the contract",
    MessageClass.INTERNAL: "none: it reaches no customer",
    MessageClass.TRACKING: "preference page",
}
_OBJECTION = "link in each message, preference page, reply"


def record(ruleset: Ruleset, controller: SenderIdentity) -> str:
    """The record as Markdown: who, what for, on what basis, whose data, for how long."""
    return "\n".join(_lines(ruleset, controller)) + "\n"


def _lines(ruleset: Ruleset, controller: SenderIdentity) -> Iterator[str]:
    yield "# Record of processing activities"
    yield ""
    yield "Automatic messages to customers; written by `shopflow article30` from the policies."
    yield ""
    yield f"- Controller: {controller.legal_name or 'not named'}, {controller.address or '-'}"
    yield f"- Contact: {controller.contact or '-'}; notice: {controller.privacy_url or '-'}"
    yield f"- Recipients: {', '.join(sorted(ruleset.channels)) or 'none'} (each channel's provider)"
    yield "- People: customers, and visitors of the shop"
    yield f"- Data: {', '.join(sorted(ruleset.attributes))}; events of the shop; consents"
    yield f"- Computed: {', '.join(sorted(ruleset.traits)) or 'nothing'}"
    yield ""
    yield "| purpose | class | basis | channels | evidence | objection | workflows |"
    yield "|---|---|---|---|---|---|---|"
    for name, purpose in sorted(ruleset.purposes.items()):
        used = sorted(w.id for w in ruleset.workflows.values() if w.purpose == name)
        cells = (
            f"`{name}`" + (f" (under `{purpose.parent}`)" if purpose.parent else ""),
            purpose.message_class,
            _basis(purpose),
            _channels(purpose),
            _evidence(purpose),
            _OBJECTIONS.get(purpose.message_class, _OBJECTION),
            ", ".join(used) or "-",
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "| data | kept |"
    yield "|---|---|"
    for what, length in _kept(ruleset.retention):
        yield f"| {what} | {length} |"


def _basis(purpose: Purpose) -> str:
    basis = _BASES[purpose.message_class]
    if any(each.soft_opt_in for each in purpose.channels.values()):
        return f"{basis}; own customers: soft opt-in, CPCE article L34-5"
    return basis


def _channels(purpose: Purpose) -> str:
    if not purpose.channels:
        return "any" if purpose.message_class is not MessageClass.MARKETING else "none"
    double = {name for name, each in purpose.channels.items() if each.double_opt_in}
    return ", ".join(
        f"{name} (double opt-in)" if name in double else name for name in sorted(purpose.channels)
    )


def _evidence(purpose: Purpose) -> str:
    if purpose.message_class in {MessageClass.SERVICE, MessageClass.INTERNAL}:
        return "the event that led to it"
    if purpose.message_class is MessageClass.RELATIONSHIP:
        return "the event that led to it; objections in the ledger"
    return "the consent ledger"


def _kept(retention: Retention) -> Iterator[tuple[str, str]]:
    yield "events", _days(retention.events)
    for name, length in sorted(retention.event_types.items()):
        yield f"events `{name}`", _days(length)
    yield "decisions", _days(retention.journal)
    yield "addresses and values of messages", _days(retention.bodies)
    yield "what could not be processed", _days(retention.dead_letters)
    yield "sign-ups that nobody confirmed", _days(retention.unconfirmed)
    if retention.people_since is None:
        yield "people", "no end is set: name a trait in `people` of retention.yaml"
    else:
        after = f"after the last contact (`{retention.people_since}`)"
        yield "people", f"{_days(retention.people)} {after}"
    yield "proof of a consent", f"{_days(retention.consent_proof)} after its end"


def _days(length: timedelta) -> str:
    return f"{length.days} days"
