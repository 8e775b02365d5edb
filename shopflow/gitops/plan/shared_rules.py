"""What workflows share, and what of it differs between two revisions.

Traits, segments, purposes, caps, quiet hours, coupons, templates, event schemas and the settings
that decisions depend on: each difference is a line that names the thing and its fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopflow.gitops.plan.fields import differences
from shopflow.gitops.plan.places import Thing, node_of
from shopflow.lang.digest import value_digest
from shopflow.rulebook import LoadedProject

#: Settings of the project that decisions depend on.
SETTINGS = ("timezone", "locale", "currency")


def shared_changes(base: LoadedProject, head: LoadedProject) -> dict[Thing, str]:
    """What differs of all that is shared: the thing, and a line about it."""
    old, new = things(base), things(head)
    found: dict[Thing, str] = {}
    for thing in dict.fromkeys([*new, *old]):
        if old.get(thing) != new.get(thing):
            found[thing] = _line(thing, base, head, old, new)
    return found


def things(loaded: LoadedProject) -> dict[Thing, str]:
    """Everything that is shared, with the digest of what it means."""
    ruleset = loaded.ruleset
    kinds: dict[str, Mapping[str, object]] = {
        "traits": ruleset.traits,
        "attributes": ruleset.attributes,
        "segments": ruleset.segments,
        "purposes": ruleset.purposes,
        "caps": {cap.id: cap for cap in ruleset.caps},
        "quiet_hours": {window.id: window for window in ruleset.quiet_windows},
        "coupons": ruleset.coupons,
        "channels": ruleset.channels,
        "templates": _templates(loaded),
        "events": loaded.events.schemas,
        "settings": {name: getattr(ruleset, name) for name in SETTINGS},
    }
    return {
        Thing(kind, name): value_digest(each)
        for kind, of_kind in kinds.items()
        for name, each in of_kind.items()
    }


def _templates(loaded: LoadedProject) -> dict[str, object]:
    """Each template as it was compiled, with all that it takes from shared files."""
    found: dict[str, dict[str, object]] = {}
    for template in loaded.templates:
        parts = {name: [part.kind, part.text] for name, part in template.parts.items()}
        told = [parts, sorted(template.variables), sorted(template.purposes)]
        found.setdefault(template.name, {})[f"{template.channel}.{template.locale}"] = told
    return dict(found)


def _line(
    thing: Thing,
    base: LoadedProject,
    head: LoadedProject,
    old: Mapping[Thing, str],
    new: Mapping[Thing, str],
) -> str:
    if thing not in old:
        return f"{thing} added"
    if thing not in new:
        return f"{thing} removed"
    told = [str(each) for each in _differences(thing, base, head)]
    return f"{thing} {'; '.join(told) or 'changed'}"


def _differences(thing: Thing, base: LoadedProject, head: LoadedProject) -> Iterator[object]:
    if thing.kind == "templates":
        before, after = _templates(base)[thing.name], _templates(head)[thing.name]
        yield from _template_lines(before, after)
        return
    yield from differences(_written(thing, base), _written(thing, head))


def _template_lines(before: object, after: object) -> Iterator[str]:
    old = before if isinstance(before, Mapping) else {}
    new = after if isinstance(after, Mapping) else {}
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            word = "added" if name not in old else "removed" if name not in new else "changed"
            yield f"{name} {word}"


def _written(thing: Thing, loaded: LoadedProject) -> object:
    """The thing as its file has it; an empty mapping where it stands in none."""
    match thing.kind:
        case "events":
            return loaded.events.schemas[thing.name]
        case "settings":
            return {thing.name: getattr(loaded.ruleset, thing.name)}
        case _:
            node = node_of(loaded, thing)
            return node.data if node is not None else {}
