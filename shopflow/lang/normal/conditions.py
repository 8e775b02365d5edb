"""From the tree of a condition to its normal form: when it is true, false, or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from shopflow.domain.expression import Expression
from shopflow.lang.cel import NOT_CONSTANT, Program, ast
from shopflow.lang.cel.analysis import reads, walk
from shopflow.lang.cel.constants import value_of
from shopflow.lang.cel.types import DYN, Type, TypeKind
from shopflow.lang.normal import values as sets
from shopflow.lang.normal.form import EVERYTHING, NOTHING, Form, Term, all_of, any_of, asking
from shopflow.lang.normal.values import ANYTHING, FALSE, MISSING, PRESENT, TRUE, Texts, Values

#: Places in a source, which say nothing of what it means.
_PLACES = frozenset({"start", "end", "field_start"})
_ORDER = frozenset({"<", "<=", ">", ">="})
_SIZE = sets.of_type(Type(kind=TypeKind.INT, least=0), sure=False)


#: A node by its identity, the truth asked for, and whether it is to hold.
_Asked = tuple[int, bool, bool]


class _Atom(NamedTuple):
    """A term, what it may be at all, and the values that make the condition true, or false."""

    term: Term
    possible: Values
    true: Values
    false: Values


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads conditions of one place, with the names and types that they have there.

    `values` and `let` are the workflow's own, `segments` the conditions of all segments: what a
    name stands for is looked into.
    """

    names: Mapping[str, Type]
    values: Mapping[str, object] = field(default_factory=dict)
    let: Mapping[str, Expression] = field(default_factory=dict)
    segments: Mapping[str, Expression] = field(default_factory=dict)
    #: Names that are called otherwise in the form: what was `event` is `trigger` afterwards.
    renamed: Mapping[str, str] = field(default_factory=dict)
    #: What has been found out of a node, by its identity: it is asked for more than once.
    _atoms: dict[int, tuple[ast.Node, _Atom]] = field(default_factory=dict, repr=False)
    _forms: dict[_Asked, tuple[ast.Node, Form]] = field(default_factory=dict, repr=False)

    def true(self, node: ast.Node) -> Form:
        """When the condition is true."""
        return self._worlds(node, truth=True, holds=True)

    def untrue(self, node: ast.Node) -> Form:
        """When the condition is false or fails, so that it does not match."""
        return self._worlds(node, truth=True, holds=False)

    def _worlds(self, node: ast.Node, *, truth: bool, holds: bool) -> Form:
        """When the node is the truth asked for; without `holds`, when it is anything else."""
        asked = id(node), truth, holds
        if asked not in self._forms:
            self._forms[asked] = node, self._form(node, truth=truth, holds=holds)
        return self._forms[asked][1]

    def _form(self, node: ast.Node, *, truth: bool, holds: bool) -> Form:
        match node:
            case ast.Not():
                return self._worlds(node.operand, truth=not truth, holds=holds)
            case ast.And():
                parts = [self._worlds(item, truth=truth, holds=holds) for item in node.items]
                return all_of(parts) if truth == holds else any_of(parts)
            case ast.Or():
                parts = [self._worlds(item, truth=truth, holds=holds) for item in node.items]
                return any_of(parts) if truth == holds else all_of(parts)
            case ast.Conditional():
                return self._conditional(node, truth=truth, holds=holds)
            case ast.Literal():
                return EVERYTHING if (node.value is truth) == holds else NOTHING
        return self._named(node, truth=truth, holds=holds)

    def _conditional(self, node: ast.Conditional, *, truth: bool, holds: bool) -> Form:
        then = self._worlds(node.then, truth=truth, holds=holds)
        otherwise = self._worlds(node.otherwise, truth=truth, holds=holds)
        whether = {
            asked: self._worlds(node.condition, truth=asked, holds=True) for asked in (True, False)
        }
        found = (whether[True] & then) | (whether[False] & otherwise)
        if holds:
            return found
        fails = (self._worlds(node.condition, truth=asked, holds=False) for asked in (True, False))
        return found | all_of(fails)

    def _named(self, node: ast.Node, *, truth: bool, holds: bool) -> Form:
        if isinstance(node, (ast.Select, ast.Index)):
            inner = self._meaning(node)
            if inner is not node:
                return self._worlds(inner, truth=truth, holds=holds)
            segment = self._segment(node)
            if segment is not None:
                # A segment whose condition fails may count as left: then it is false, not failing.
                if holds and not truth:
                    return self.untrue(segment)
                return self._worlds(segment, truth=truth, holds=holds)
        if id(node) not in self._atoms:
            self._atoms[id(node)] = (node, self._atom(node))
        atom = self._atoms[id(node)][1]
        wanted = atom.true if truth else atom.false
        return asking(atom.term, atom.possible & (wanted if holds else ~wanted))

    def _meaning(self, node: ast.Node) -> ast.Node:
        """What a named value stands for."""
        match ast.path_of(node):
            case ("vars", name):
                found = self.let.get(name)
                if isinstance(found, Program) and not _is_circular(name, self.let):
                    return found.tree
        return node

    def _segment(self, node: ast.Node) -> ast.Node | None:
        match ast.path_of(node):
            case ("segments", name):
                found = self.segments.get(name)
                if isinstance(found, Program) and not _is_circular(name, self.segments):
                    return found.tree
        return None

    def _constant(self, node: ast.Node) -> object:
        match ast.path_of(node):
            case ("values", name) if name in self.values:
                return self.values[name]
        return value_of(node)

    def _atom(self, node: ast.Node) -> _Atom:
        match node:
            case ast.Has():
                path = ast.path_of(node.operand)
                if path is not None:
                    term, possible = self._term((*path, node.field))
                    return _Atom(term, possible, PRESENT, MISSING)
            case ast.Binary(op="=="):
                return self._equality(node) or self._opaque(node)
            case ast.Binary(op="!="):
                return _turned(self._equality(node) or self._opaque(_comparing(node, "==")))
            case ast.Binary() if node.op in _ORDER:
                return self._order(node)
            case ast.Binary(op="in"):
                return self._membership(node) or self._opaque(node)
        return self._opaque(node)

    def _equality(self, node: ast.Binary) -> _Atom | None:
        for one, other in ((node.left, node.right), (node.right, node.left)):
            constant = self._constant(other)
            equal = None if constant is NOT_CONSTANT else sets.only(constant)
            if equal is not None:
                return self._among(one, equal)
        return None

    def _membership(self, node: ast.Binary) -> _Atom | None:
        constants = self._constant(node.right)
        if not isinstance(constants, (list, tuple)):
            return None
        found = Values()
        for constant in constants:
            equal = sets.only(constant)
            if equal is None:
                return None
            found |= equal
        return self._among(node.left, found)

    def _among(self, node: ast.Node, wanted: Values) -> _Atom:
        term, possible = self._value(node)
        return _Atom(term, possible, wanted, PRESENT & ~wanted)

    def _order(self, node: ast.Binary) -> _Atom:
        """Every order is told by `<`: a <= b is not b < a, and both fail alike."""
        left, right = node.left, node.right
        if node.op in (">", "<="):
            left, right = right, left
        atom = self._less(left, right) or self._opaque(_comparing(node, "<", left, right))
        return _turned(atom) if node.op in (">=", "<=") else atom

    def _less(self, left: ast.Node, right: ast.Node) -> _Atom | None:
        limit = sets.less_than(self._constant(right))
        if limit is not None:
            term, possible = self._value(left)
            return _Atom(term, possible, *limit)
        constant = self._constant(left)
        limit, equal = sets.less_than(constant), sets.only(constant)
        if limit is None or equal is None:
            return None
        term, possible = self._value(right)
        less, rest = limit
        # Of what is not less than the constant, the constant itself is not more either.
        return _Atom(term, possible, rest & ~equal, less | equal)

    def _opaque(self, node: ast.Node) -> _Atom:
        """A condition that is looked at as a whole: true, false, or failing."""
        term, possible = self._value(node)
        return _Atom(term, possible, TRUE, FALSE)

    def _value(self, node: ast.Node) -> tuple[Term, Values]:
        """The value that a node gives, and what it may be as far as types tell."""
        node = self._meaning(node)
        path = ast.path_of(node)
        if path is not None:
            return self._term(path)
        roots = frozenset(self.renamed.get(each[0], each[0]) for each in reads(node))
        name = self._text(node)
        match node:
            case ast.Call(function="size"):
                of = [ast.path_of(part) for part in ast.children(node)]
                shown = f"size({self._path(of[0])})" if len(of) == 1 and of[0] else ""
                return Term(name, roots, shown, whole=True), _SIZE
            case _:
                return Term(name, roots), ANYTHING

    def _term(self, path: tuple[str, ...]) -> tuple[Term, Values]:
        found, sure = self._typed(path)
        roots = frozenset({self.renamed.get(path[0], path[0])})
        name = self._path(path)
        whole = found.kind in (TypeKind.INT, TypeKind.UINT)
        return Term(name, roots, name, whole), sets.of_type(found, sure=sure)

    def _path(self, path: tuple[str, ...]) -> str:
        return ".".join((self.renamed.get(path[0], path[0]), *path[1:]))

    def _typed(self, path: tuple[str, ...]) -> tuple[Type, bool]:
        """The type at a path, and whether there is always a value."""
        found, sure = self.names.get(path[0]), True
        for each in path[1:]:
            if found is None or found.kind is not TypeKind.RECORD or each not in found.fields:
                return DYN, False
            sure = sure and each in found.required and not found.nullable
            found = found.fields[each]
        return (DYN, False) if found is None else (found, sure)

    def _text(self, node: ast.Node) -> str:
        """The same text for what means the same; no such text comes from two meanings."""
        inside = [each.variable.index for each in walk(node) if isinstance(each, ast.Comprehension)]
        return self._written(node, min(inside, default=0))

    def _written(self, node: ast.Node, first: int) -> str:
        """`first` is the number of the first variable of a macro in the whole."""
        path = ast.path_of(node)
        if path is not None:
            return self._path(path)
        if isinstance(node, ast.Local):
            return f"#{node.index - first}"
        parts = (
            f"{each.name}={self._part(getattr(node, each.name), first)}"
            for each in fields(node)
            if each.name not in _PLACES
        )
        return f"{type(node).__name__}({','.join(parts)})"

    def _part(self, part: object, first: int) -> str:
        match part:
            case ast.Node():
                return self._written(part, first)
            case tuple():
                return f"[{','.join(self._part(each, first) for each in part)}]"
            case _:
                return f"{type(part).__name__}:{part!r}"


def event_is(types: Iterable[str]) -> Form:
    """The event has one of these types."""
    values = Values(texts=Texts(frozenset(types)))
    return asking(Term("event.type", frozenset({"event"}), "event.type"), values)


def _turned(atom: _Atom) -> _Atom:
    """What is true where the other is false."""
    return atom._replace(true=atom.false, false=atom.true)


def _comparing(
    node: ast.Binary, op: str, left: ast.Node | None = None, right: ast.Node | None = None
) -> ast.Binary:
    return ast.Binary(op=op, left=left or node.left, right=right or node.right)


def _is_circular(name: str, named: Mapping[str, Expression]) -> bool:
    """Whether a named value leads back to itself, which is reported elsewhere."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        found = named.get(todo.pop())
        for path in found.reads if found is not None else ():
            if path[0] in ("vars", "segments") and len(path) > 1 and path[1] not in seen:
                seen.add(path[1])
                todo.append(path[1])
    return name in seen
