"""What generated code calls by short names: operators, checks, macros, CEL's absorbing logic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Never

from shopflow.errors import EvaluationError
from shopflow.lang.cel import arithmetic, functions, operators
from shopflow.lang.cel.operators import no_overload

#: What an evaluation may raise and CEL calls an error; everything else is a defect.
CEL_ERRORS = (
    EvaluationError,
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    RecursionError,  # a value from outside may nest deeper than Python recurses
)

_Thunk = Callable[[], object]


def boolean(value: object) -> bool:
    """The value, which must be a bool."""
    if value is True or value is False:
        return bool(value)
    raise no_overload("bool operator", value)


def elements(source: object) -> Iterable[object]:
    """What a macro visits: the elements of a list, the keys of a map."""
    if isinstance(source, (list, dict)):
        return source
    raise no_overload("macro", source)


def counted(source: object, left: list[int]) -> Iterable[object]:
    """What a macro inside a macro visits; raises EvaluationError once too much was visited."""
    visited = elements(source)
    left[0] -= len(visited) + 1  # type: ignore[arg-type] # a list or a dict
    if left[0] < 0:
        raise EvaluationError("macros inside macros visit too many elements; shorten the lists")
    return visited


def mapping(*parts: object) -> dict[object, object]:
    """A map literal from its keys and values in turn."""
    made: dict[object, object] = {}
    for key, value in zip(parts[::2], parts[1::2], strict=True):
        if not isinstance(key, (str, int)):
            raise no_overload("map key", key)
        if key in made:
            raise ValueError(f"repeated map key {key!r}")
        made[key] = value
    return made


def bad(operator: str, *operands: object) -> Never:
    """Raise the error that says which operator met which types."""
    raise no_overload(operator, *operands)


def unknown(name: str, *_: object) -> Never:
    """Say that there is no such function."""
    raise EvaluationError(f"no function named {name!r} for these operands")


def _decide(thunks: Iterable[_Thunk], deciding: bool) -> bool:  # noqa: FBT001 - two truths
    error: Exception | None = None
    for thunk in thunks:
        try:
            value = boolean(thunk())
        except CEL_ERRORS as raised:
            error = error or raised
            continue
        if value is deciding:
            return deciding
    if error is not None:
        raise error
    return not deciding


def absorbing_and(*thunks: _Thunk) -> bool:
    """CEL's &&: one false decides, whatever raised before or after."""
    return _decide(thunks, deciding=False)


def absorbing_or(*thunks: _Thunk) -> bool:
    """CEL's ||: one true decides, whatever raised before or after."""
    return _decide(thunks, deciding=True)


def _thunks(visited: Iterable[object], predicate: Callable[[object], object]) -> Iterable[_Thunk]:
    for element in visited:
        yield lambda element=element: predicate(element)  # type: ignore[misc]


def absorbing_all(visited: Iterable[object], predicate: Callable[[object], object]) -> bool:
    """CEL's all(): one false decides, whatever raised."""
    return _decide(_thunks(visited, predicate), deciding=False)


def absorbing_exists(visited: Iterable[object], predicate: Callable[[object], object]) -> bool:
    """CEL's exists(): one true decides, whatever raised."""
    return _decide(_thunks(visited, predicate), deciding=True)


def one(flags: Iterable[bool]) -> bool:
    """Whether exactly one flag is true."""
    return sum(flags) == 1


#: Operator to the name generated code knows it by.
OPERATORS = {
    "==": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "in": "contains",
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "%": "mod",
}

#: The whole world generated code lives in; nothing else can be reached from it.
NAMESPACE: dict[str, object] = {
    "__builtins__": {},
    "str": str,
    "bool": bool,
    "list": list,
    "dict": dict,
    "len": len,
    "all": all,
    "any": any,
    "eq": operators.equals,
    "ne": operators.differs,
    "lt": operators.less,
    "le": operators.at_most,
    "gt": operators.more,
    "ge": operators.at_least,
    "contains": operators.contains,
    "has": operators.has_field,
    "select": operators.select,
    "index": operators.index,
    "bad": bad,
    "add": arithmetic.add,
    "sub": arithmetic.subtract,
    "mul": arithmetic.multiply,
    "div": arithmetic.divide,
    "mod": arithmetic.modulo,
    "neg": arithmetic.negate,
    "truth": boolean,
    "elements": elements,
    "counted": counted,
    "mapping": mapping,
    "unknown": unknown,
    "one": one,
    **functions.OF_CATALOGUE,
    "and_": absorbing_and,
    "or_": absorbing_or,
    "all_": absorbing_all,
    "exists_": absorbing_exists,
}
