"""Steps: from nested lists in the file to flat steps, each naming the one that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shopflow.domain.ids import StepId
from shopflow.domain.step import End, Send, Step
from shopflow.lang.compiler.path import Passed
from shopflow.lang.compiler.setting import Setting
from shopflow.lang.compiler.shape import kind_of
from shopflow.lang.compiler.step_kinds import COMPILERS, Common
from shopflow.lang.tree import Node


@dataclass(slots=True)
class StepCompiler:
    """Compiles the steps of one workflow."""

    setting: Setting
    steps: dict[StepId, Step] = field(default_factory=dict)

    def sequence(
        self, nodes: Sequence[Node], after: StepId | None, passed: Passed
    ) -> tuple[StepId | None, Passed]:
        """Steps one after the other: where they begin, and what has been passed at their end."""
        known = [node for node in nodes if kind_of(node) is not None]
        ids = [StepId(node["id"].text) for node in known]
        for index, node in enumerate(known):
            following = ids[index + 1] if index + 1 < len(ids) else after
            if passed.ended:
                self._unreachable(node)
            passed = self.step(node, ids[index], following, passed)
        return (ids[0] if ids else after), passed

    def _unreachable(self, node: Node) -> None:
        self.setting.source.report(
            "SF201",
            node.key("id"),
            f"step '{node['id'].text}' is never reached: every way before it ends",
            hint="move it before the end, or remove it",
        )

    def step(self, node: Node, step_id: StepId, following: StepId | None, passed: Passed) -> Passed:
        """One step with all inside it; what has been passed after it."""
        scope = self.setting.step_scope(passed)
        only_if = self.setting.source.optional_cel(node, "only_if", scope.wanting("bool"))
        common = Common(node, step_id, following, only_if, passed)
        # Outer steps stand before inner ones, as in the file.
        self.steps[step_id] = End(id=step_id, next=None, outcome="")
        compiled, after = COMPILERS[kind_of(node) or "end"](self, common)
        self.steps[step_id] = compiled
        if only_if is not None:
            # A send that its guard stops has a result all the same; another step has none.
            skipped = passed.after_step(step_id) if isinstance(compiled, Send) else passed
            after = Passed.either([after, skipped])
        return after
