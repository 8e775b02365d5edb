"""A violation of a schema as a problem: what it is about, what was found, what was expected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shopflow.lang.compiler.shape import KINDS as KINDS_OF_STEP
from shopflow.lang.document import Document
from shopflow.lang.fixes import renaming, replacing
from shopflow.lang.names import did_you_mean, listing, nearest
from shopflow.lang.tree import Kind, Node
from shopflow.problem import Problem

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

API_VERSION = "shopflow/v1"

_WORDS = {
    "object": "keys and values",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}
#: Keys whose absence has a code of its own.
_MISSING_CODES = {"owner": "SF011", "purpose": "SF401", "clock": "SF705", "expect": "SF705"}


def problems_of(document: Document, root: Node, error: ValidationError) -> Iterator[Problem]:
    """The violation as one problem, or several where it names several keys."""
    path = list(error.absolute_path)
    node = root.at(path)
    own: Mapping[str, Any] = error.schema if isinstance(error.schema, Mapping) else {}
    where = _where(path)
    report = _REPORTS.get(str(error.validator), _otherwise)
    yield from report(document, node, where, own, error)


_Report = Callable[[Document, Node, str, Mapping[str, Any], "ValidationError"], Iterator[Problem]]


def _surplus(
    document: Document, node: Node, where: str, own: Mapping[str, Any], error: ValidationError
) -> Iterator[Problem]:
    del error
    known = own.get("properties", {})
    for name in node.entries:
        if name in known:
            continue
        message = f"no key '{name}' in {where}"
        free = [key for key in known if key not in node]
        hint, fix = did_you_mean(name, free, label="keys"), renaming(document, node.key(name), free)
        if {"id", "only_if"} <= known.keys() and name in KINDS_OF_STEP:
            hint, fix = "a step does one thing; make it a step of its own", None
        yield document.problem("SF005", node.key(name), message, hint=hint, fix=fix)


def _missing(
    document: Document, node: Node, where: str, own: Mapping[str, Any], error: ValidationError
) -> Iterator[Problem]:
    wanted: Any = error.validator_value
    # jsonschema gives one error for each missing key; its message begins with the key.
    for name in wanted:
        if name in node or not error.message.startswith(f"'{name}' "):
            continue
        known = own.get("properties", {})
        if any(key not in known and nearest(key, [name]) for key in node.entries):
            # The misspelt key is reported, with this name.
            continue
        note = own.get("properties", {}).get(name, {})
        described = note.get("description", "") if isinstance(note, Mapping) else ""
        code = "SF206" if where.endswith(".repeat") else _MISSING_CODES.get(name, "SF004")
        yield document.problem(
            code, node, f"`{name}` is missing in {where}", hint=_first_lower(described)
        )


def _type(
    document: Document, node: Node, where: str, own: Mapping[str, Any], error: ValidationError
) -> Iterator[Problem]:
    wanted: Any = error.validator_value
    expected = own.get("x-expected") or " or ".join(
        _WORDS[word] for word in ([wanted] if isinstance(wanted, str) else wanted)
    )
    message = f"{where}: expected {expected}, found {found(node)}"
    if wanted == "boolean" and node.differs_in_yaml_1_1:
        word = "true" if node.text.lower() in ("yes", "on", "y") else "false"
        yield document.problem(
            "SF003", node, message, hint=f"write {word}", fix=replacing(document, node, word)
        )
        return
    hint = ""
    if own.get("x-cel") and node.kind is not Kind.SCALAR:
        hint = "YAML takes a leading { or [ for itself: put CEL like that into quotes or a | block"
    elif own.get("type") == "string" and node.kind is Kind.SCALAR and node.text:
        hint = f'put it into quotes: "{node.text}"' if not own.get("x-code") else ""
    yield document.problem(own.get("x-code", "SF004"), node, message, hint=hint)


def _choice(
    document: Document, node: Node, where: str, own: Mapping[str, Any], error: ValidationError
) -> Iterator[Problem]:
    allowed: Any = error.validator_value
    choices = [str(word) for word in (allowed if error.validator == "enum" else [allowed])]
    lead = "one of " if len(choices) > 1 else ""
    message = f"{where}: expected {lead}{listing(choices, 20)}, found {found(node)}"
    if own.get("x-code") == "SF010":
        message = f"expected apiVersion {API_VERSION}, found {found(node)}"
    close = nearest(node.text, choices) if node.kind is Kind.SCALAR else None
    hint = f"did you mean '{close}'?" if close else ""
    yield document.problem(own.get("x-code", "SF004"), node, message, hint=hint)


def _kindless(
    document: Document, node: Node, where: str, own: Mapping[str, Any], error: ValidationError
) -> Iterator[Problem]:
    del error
    kinds = own.get("x-kinds", ())
    surplus = [
        name for name in node.entries if name not in own.get("properties", {}) or name in kinds
    ]
    for name in surplus:
        close = nearest(name, kinds)
        if close:
            message = f"no key '{name}' in {where}"
            hint, fix = f"did you mean '{close}'?", renaming(document, node.key(name), kinds)
            yield document.problem("SF005", node.key(name), message, hint=hint, fix=fix)
            return
    place = node.key(surplus[0]) if surplus else node
    message = f"{where} does not say what it is"
    if surplus:
        message = f"no key '{surplus[0]}' in {where}"
    yield document.problem("SF004", place, message, hint=f"expected one of {', '.join(kinds)}")


def _text(
    document: Document, node: Node, where: str, own: Mapping[str, Any], error: ValidationError
) -> Iterator[Problem]:
    code = own.get("x-code", "SF004")
    expected = own.get("x-expected")
    path = list(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path and error.instance in node.entries:
        node = node.key(str(error.instance))
        where = f"a key of {_where(path)}"
    if not expected:
        expected = own.get("description", f"{error.validator} {error.validator_value}")
    yield document.problem(code, node, f"{where}: expected {expected}, found {found(node)}")


def _branch(
    document: Document, node: Node, where: str, own: Mapping[str, Any], error: ValidationError
) -> Iterator[Problem]:
    del error
    expected = own.get("x-expected", "another content")
    message = f"{where}: expected {expected}"
    hint = "add `- else: []` to go on with the next step"
    yield document.problem(own.get("x-code", "SF004"), node, message, hint=hint)


def _otherwise(
    document: Document, node: Node, where: str, own: Mapping[str, Any], error: ValidationError
) -> Iterator[Problem]:
    wanted: Any = error.validator_value
    sentence = _BOUNDS.get(str(error.validator), "{validator} {wanted}")
    expected = own.get("x-expected") or sentence.format(wanted=wanted, validator=error.validator)
    message = f"{where}: expected {expected}, found {found(node)}"
    yield document.problem(own.get("x-code", "SF004"), node, message)


_BOUNDS = {
    "minimum": "at least {wanted}",
    "maximum": "at most {wanted}",
    "exclusiveMinimum": "more than {wanted}",
    "minLength": "at least {wanted} character",
    "maxLength": "at most {wanted} characters",
    "minItems": "at least {wanted} in the list",
    "maxItems": "at most {wanted} in the list",
    "minProperties": "at least {wanted} key",
    "maxProperties": "at most {wanted} keys",
    "uniqueItems": "each value once",
    "dependentRequired": "`from` and `to` together",
}

_REPORTS: Mapping[str, _Report] = {
    "additionalProperties": _surplus,
    "required": _missing,
    "type": _type,
    "enum": _choice,
    "const": _choice,
    "not": _kindless,
    "pattern": _text,
    "contains": _branch,
}


def _where(path: list[str | int]) -> str:
    """A path as people say it: steps[2].send."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "this file"


def found(node: Node) -> str:
    """What stands at a node, as messages say it; never what came from the environment."""
    if node.from_environment:
        return "a value from outside"
    if node.kind is Kind.LIST:
        return f"a list of {len(node.items)}"
    if node.kind is Kind.MAP:
        return "keys and values"
    if node.data is None:
        return "nothing"
    text = node.text if len(node.text) <= 60 else f"{node.text[:57]}..."  # noqa: PLR2004
    return f"'{text}'" if isinstance(node.data, str) else text


def _first_lower(text: str) -> str:
    text = text.rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
