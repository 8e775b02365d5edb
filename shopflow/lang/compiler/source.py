"""One document on its way to domain values: reads its nodes, and collects what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from shopflow.domain.expression import Expression
from shopflow.domain.trigger import EventPattern
from shopflow.errors import CompileError
from shopflow.lang.calendars import zone
from shopflow.lang.cel import Program, compile_expression
from shopflow.lang.compiler.scope import Scope
from shopflow.lang.constant import Constant
from shopflow.lang.document import Document
from shopflow.lang.fixes import as_block, renaming
from shopflow.lang.lengths import parse_length, written
from shopflow.lang.names import did_you_mean
from shopflow.lang.schemas import EventCatalogue
from shopflow.lang.tree import Kind, Node
from shopflow.problem import Fix, Problem, Severity

#: Problems that may only come from what was left out of a file.
OF_MISSING_PARTS = frozenset({"SF102", "SF115", "SF201", "SF205", "SF209"})
#: Stands in for an expression that cannot be compiled; its problem keeps it from being run.
BROKEN = Constant("", value=False)


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """An expression compiled from a place of the document, in the scope it will be run in."""

    node: Node
    program: Program
    scope: Scope


@dataclass(slots=True)
class Source:
    """A document, its problems so far, and every expression found in it."""

    document: Document
    events: EventCatalogue
    #: A part of the file is missing: names that are not found may stand there.
    partial: bool = False
    problems: list[Problem] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)

    def report(
        self,
        code: str,
        node: Node,
        message: str,
        *,
        hint: str = "",
        severity: Severity = Severity.ERROR,
        known: Iterable[str] = (),
    ) -> None:
        """Adds a problem that points at a node; a name of `known` may be what was meant by it."""
        if self.partial and code in OF_MISSING_PARTS:
            return
        fix = renaming(self.document, node, known)
        problem = self.document.problem(code, node, message, hint=hint, severity=severity, fix=fix)
        self.problems.append(problem)

    def length(self, node: Node | None, default: timedelta | None = None) -> timedelta:
        """The length of time of a node that the schema has checked."""
        found = parse_length(node.text) if node is not None else default
        return found if found is not None else timedelta()

    def cel(self, node: Node, scope: Scope) -> Expression:
        """The expression of a node; numbers, true and false stand for themselves."""
        if not isinstance(node.data, str):
            return Constant(node.text, node.data)
        try:
            program = compile_expression(node.text)
        except CompileError as error:
            self._report_error(node, error)
            return BROKEN
        self.uses.append(Use(node, program, scope))
        return program

    def optional_cel(self, parent: Node, key: str, scope: Scope) -> Expression | None:
        """The expression under a key, if there is one."""
        node = parent.get(key)
        return None if node is None else self.cel(node, scope)

    def cel_map(self, node: Node | None, scope: Scope) -> Mapping[str, Expression]:
        """The expressions under a node's keys."""
        if node is None:
            return {}
        return {key: self.cel(value, scope) for key, value in node.pairs()}

    def length_cel(self, node: Node, scope: Scope) -> Expression:
        """A length of time written out, or an expression that gives one."""
        length = parse_length(node.text)
        if length is not None:
            return Constant(written(length), length)
        if node.text[:1].isdigit():
            message = f"expected a length of time such as 1h, 7d or 1d12h, found '{node.text}'"
            self.report("SF009", node, message)
            return BROKEN
        return self.cel(node, scope.wanting("duration"))

    def pattern(self, node: Node) -> EventPattern:
        """The event types and prefixes of a node; unknown ones are reported."""
        types, prefixes = set(), []
        for each in node.items if node.kind is Kind.LIST else [node]:
            if each.text.endswith(".*"):
                prefix = each.text.removesuffix("*")
                prefixes.append(prefix)
                if not self.events.under(prefix):
                    self._unknown_event(
                        each, {name.split(".")[0] + ".*" for name in self.events.schemas}
                    )
            else:
                types.add(each.text)
                if each.text not in self.events:
                    self._unknown_event(each, self.events.schemas)
        return EventPattern(types=frozenset(types), prefixes=tuple(sorted(prefixes)))

    def event_type(self, node: Node) -> str:
        """One event type; an unknown one is reported."""
        if node.text not in self.events:
            self._unknown_event(node, self.events.schemas)
        return node.text

    def timezone(self, node: Node) -> str:
        """An IANA time zone; an unknown one is reported."""
        if zone(node.text) is None:
            hint = "use an IANA name such as Europe/Paris or UTC"
            self.report("SF009", node, f"no time zone named '{node.text}'", hint=hint)
        return node.text

    def _unknown_event(self, node: Node, known: Mapping[str, object] | set[str]) -> None:
        hint = did_you_mean(node.text, known)
        if hint.startswith("known"):
            hint = "the shop's own event types go into rules/events/<type>.schema.json"
        self.report("SF106", node, f"no event type '{node.text}'", hint=hint, known=known)

    def _report_error(self, node: Node, error: CompileError) -> None:
        hint, code, message, fix = error.hint, error.code, error.message, None
        if node.is_plain_text and self.document.follows_comment(node):
            code = "SF008"
            message = f"YAML cut this condition at ' #': {message}"
            hint = "put the condition into quotes or a | block"
            fix = self._whole(node)
        location = self.document.location_in(node, error.line, error.column, error.length)
        problem = self.document.problem_at(location, code, message, hint=hint, fix=fix)
        self.problems.append(problem)

    def _whole(self, node: Node) -> Fix | None:
        """A block of the whole line, where that is a condition that compiles."""
        rest = self.document.text[node.span.start :].split("\n", 1)[0]
        try:
            compile_expression(rest.strip())
        except CompileError:
            return None
        return as_block(self.document, node.span.start)
