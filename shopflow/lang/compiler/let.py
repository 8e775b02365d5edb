"""`let`: named values, which may use one another in any order but not in a circle."""

from __future__ import annotations

from collections.abc import Mapping

from shopflow.domain.expression import Expression
from shopflow.lang.cel.types import DYN, record
from shopflow.lang.compiler.path import Passed
from shopflow.lang.compiler.setting import Setting
from shopflow.lang.compiler.shape import every_step
from shopflow.lang.compiler.typed import type_of
from shopflow.lang.tree import Node


def compile_let(setting: Setting, node: Node | None, steps: Node) -> Mapping[str, Expression]:
    """The expressions of `let`; their types go into the setting."""
    if node is None:
        return {}
    scope = setting.enrolment_scope("let")
    # Where a value is read is not known here, so any step may have been passed.
    anywhere = Passed(possible=frozenset(step["id"].text for step in every_step(steps)))
    setting.let.update({name: DYN for name, _ in node.pairs()})
    scope = scope.having(steps=anywhere.steps_type({}), vars=record(setting.let))
    compiled = {name: setting.source.cel(value, scope) for name, value in node.pairs()}
    uses = {name: _uses(expression) & compiled.keys() for name, expression in compiled.items()}
    for name in compiled:
        if name in _closure(name, uses):
            hint = "take one of the values out of the circle"
            message = f"the value '{name}' is defined by itself"
            setting.source.report("SF102", node[name], message, hint=hint)
    for name in sorted(compiled, key=lambda each: (len(_closure(each, uses)), each)):
        setting.let[name] = type_of(compiled[name], scope.having(vars=record(setting.let)))
    return compiled


def _uses(expression: Expression) -> set[str]:
    return {path[1] for path in expression.reads if path[0] == "vars" and len(path) > 1}


def _closure(name: str, uses: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = set(uses[name])
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo |= uses[each]
    return found
