"""Sends: templates, their variables and purposes (SF301 to SF304, SF325, SF403)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopflow.lang.cel.types import TypeKind
from shopflow.lang.compiler.sends import channel_nodes
from shopflow.lang.compiler.typed import type_of
from shopflow.lang.compiler.workflow import CompiledWorkflow
from shopflow.lang.fixes import renaming, without
from shopflow.lang.lint.subject import Subject
from shopflow.lang.names import did_you_mean, listing, nearest
from shopflow.lang.repository import TEMPLATES
from shopflow.lang.templates import STANDARD, Template
from shopflow.lang.tree import Node
from shopflow.problem import Problem, Related, Severity

_FITTING: Mapping[str, frozenset[TypeKind]] = {
    "string": frozenset({TypeKind.STRING}),
    "integer": frozenset({TypeKind.INT, TypeKind.UINT}),
    "number": frozenset({TypeKind.INT, TypeKind.UINT, TypeKind.DOUBLE}),
    "boolean": frozenset({TypeKind.BOOL}),
    "list": frozenset({TypeKind.LIST}),
    "object": frozenset({TypeKind.RECORD, TypeKind.MAP}),
    "timestamp": frozenset({TypeKind.TIMESTAMP, TypeKind.STRING}),
    "duration": frozenset({TypeKind.DURATION}),
}


def template_exists(subject: Subject) -> Iterator[Problem]:
    """A template of that name is there, for every channel that the step may use."""
    for each, step in subject.sends:
        node = step["template"]
        if node.text not in subject.templates.names():
            if not _is_there(subject, node.text, "*"):
                hint = did_you_mean(node.text, subject.templates.names())
                message = f"no template named '{node.text}'"
                fix = renaming(each.document, node, subject.templates.names())
                yield each.document.problem("SF301", node, message, hint=hint, fix=fix)
            continue
        yield from _channels_covered(subject, each, step, node)


def _channels_covered(
    subject: Subject, each: CompiledWorkflow, step: Node, node: Node
) -> Iterator[Problem]:
    for channel in channel_nodes(step["send"]):
        known = subject.build.context.channels.get(channel.text)
        if known is None or not known.extensions:
            continue
        if channel.text in subject.templates.channels(node.text):
            yield from _parts_missing(subject, each, node, channel.text)
        elif not _is_there(subject, node.text, channel.text):
            message = f"the template '{node.text}' is not written for the channel '{channel.text}'"
            locale = subject.build.ruleset.locale
            name = f"{TEMPLATES}/{node.text}/{channel.text}.{locale}.{known.extensions[0]}"
            yield each.document.problem("SF301", node, message, hint=f"add {name}")


def _parts_missing(
    subject: Subject, each: CompiledWorkflow, node: Node, channel: str
) -> Iterator[Problem]:
    required = subject.build.context.channels[channel].required_parts
    for template in subject.templates.written(node.text, channel):
        missing = [part for part in required if part not in template.parts]
        if missing:
            message = f"{template.path} gives no {listing(missing)}, which {channel} needs"
            hint = "write it into the template's front matter or body"
            yield each.document.problem("SF325", node, message, hint=hint)


def _is_there(subject: Subject, name: str, channel: str) -> bool:
    """Whether there are files of that template, even broken ones, whose problems say why."""
    folder = subject.build.repository.root / TEMPLATES / name
    return any(path.is_file() for path in folder.glob(f"{channel}.*"))


def variables_match(subject: Subject) -> Iterator[Problem]:
    """What the template needs is given, what is given is used, and of the right type."""
    for each, step in subject.sends:
        name, given = step["template"].text, step.get("with")
        names = set() if given is None else set(given.entries)
        templates = [
            template
            for channel in channel_nodes(step["send"])
            for template in subject.templates.written(name, channel.text)
        ]
        if not templates:
            continue
        yield from _missing(each, step, templates, names)
        if given is not None:
            yield from _unused(each, step, given, templates)
            yield from _misfits(each, given, templates)


def _missing(
    each: CompiledWorkflow, step: Node, templates: list[Template], given: set[str]
) -> Iterator[Problem]:
    wanted: dict[str, tuple[str, Related | None]] = {}
    for template in templates:
        for variable in template.variables.values():
            if variable.required and variable.name not in given and variable.name not in STANDARD:
                wanted.setdefault(variable.name, (template.path, variable.declared))
    for name, (path, declared) in sorted(wanted.items()):
        close = sorted(given - {var for template in templates for var in template.variables})
        near = nearest(name, close)
        hint = f"rename '{near}' under with" if near else f"add `{name}` under with"
        message = f"nothing provides '{name}', which {path} needs"
        yield each.document.problem("SF302", step["template"], message, hint=hint, related=declared)


def _unused(
    each: CompiledWorkflow, step: Node, given: Node, templates: list[Template]
) -> Iterator[Problem]:
    used = {name for template in templates for name in template.variables}
    for name, _ in given.pairs():
        if name not in used:
            message = f"the template never uses '{name}'"
            hint = did_you_mean(name, used - set(given.entries), label="it still wants")
            wanted = used - set(given.entries)
            fix = renaming(each.document, given.key(name), wanted)
            if not wanted:
                fix = without(each.document, [(step, "with"), (given, name)])
                hint = "remove it, or declare it in the template's front matter"
            yield each.document.problem(
                "SF303", given.key(name), message, hint=hint, severity=Severity.WARNING, fix=fix
            )


def _misfits(each: CompiledWorkflow, given: Node, templates: list[Template]) -> Iterator[Problem]:
    declared = {name for template in templates for name in _typed(template)}
    values = {node: name for name, node in given.pairs() if name in declared}
    for use in each.uses if values else ():
        if use.node not in values:
            continue
        name, found = values[use.node], type_of(use.program, use.scope)
        if found.kind in (TypeKind.DYN, TypeKind.NULL):
            continue
        for template in templates:
            wanted = _typed(template).get(name)
            if wanted is not None and found.kind not in _FITTING[wanted]:
                message = f"'{name}' is {found}, but {template.path} wants {wanted}"
                yield each.document.problem("SF304", use.node, message)
                break


def _typed(template: Template) -> dict[str, str]:
    """The variables that the template declares with a type."""
    variables = template.variables.values()
    return {each.name: each.type for each in variables if each.type in _FITTING}


def template_serves_the_purpose(subject: Subject) -> Iterator[Problem]:
    """A template is sent only under the purposes that its front matter names."""
    for each, step in subject.sends:
        root = each.document.root
        purpose = step.get("purpose") or (root["purpose"] if root is not None else None)
        for channel in channel_nodes(step["send"]):
            for template in subject.templates.written(step["template"].text, channel.text)[:1]:
                if purpose is None or not template.purposes or purpose.text in template.purposes:
                    continue
                allowed = listing(template.purposes)
                message = f"{template.path} is for {allowed}, not for '{purpose.text}'"
                hint = "use another template, or another purpose"
                yield each.document.problem("SF403", step["template"], message, hint=hint)
