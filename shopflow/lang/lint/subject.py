"""What the checks look at: compiled rules with their files, and the templates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId
from shopflow.domain.policy import MessageClass, Purpose
from shopflow.domain.step import Send
from shopflow.domain.workflow import Workflow
from shopflow.lang.build import Build
from shopflow.lang.compiler.shape import every_step
from shopflow.lang.compiler.source import Use
from shopflow.lang.compiler.ways import Way, ways
from shopflow.lang.compiler.workflow import CompiledWorkflow
from shopflow.lang.document import Document
from shopflow.lang.normal import Form, Reader
from shopflow.lang.repository import RuleFile
from shopflow.lang.templates import TemplateSet
from shopflow.lang.tree import Node


@dataclass(frozen=True, slots=True, eq=False)
class SendStep:
    """A `send` step: the file's, the compiled one, and what law its message is under."""

    each: CompiledWorkflow
    workflow: Workflow
    node: Node
    step: Send
    #: None when the consent policy does not have it.
    purpose: Purpose | None

    @property
    def message_class(self) -> MessageClass | None:
        """The class of its purpose."""
        return None if self.purpose is None else self.purpose.message_class


@dataclass
class Subject:
    """A build and its templates."""

    build: Build
    templates: TemplateSet
    #: The number that takes STOP; empty when the shop names none.
    sms_stop: str = ""
    #: What the trigger of each workflow has proved, by the path of its file, once it is known.
    told: dict[str, Form] = field(default_factory=dict, repr=False)
    #: What reads a condition, and what it has found out by now; several checks ask for it.
    readers: dict[Use, Reader] = field(default_factory=dict, repr=False)
    _ways: dict[str, tuple[Way, ...] | None] = field(default_factory=dict, repr=False)

    def sound(self, kind: str) -> Iterator[tuple[Document, Node]]:
        """The files of a kind that their schema accepts."""
        for file in self.build.repository.of_kind(kind):
            if file.root is not None:
                yield file.document, file.root

    def files(self, kind: str) -> list[RuleFile]:
        """The files of a kind, sound or not."""
        return self.build.repository.of_kind(kind)

    @cached_property
    def sends(self) -> list[tuple[CompiledWorkflow, Node]]:
        """Every `send` step, with its workflow."""
        return [(each, step) for each, step in self.steps if "send" in step]

    @cached_property
    def messages(self) -> list[SendStep]:
        """Every `send` step of a workflow that compiles."""
        purposes = self.build.context.purposes or {}
        found = []
        for each, node in self.sends:
            step = each.workflow.steps.get(StepId(node["id"].text)) if each.workflow else None
            if each.workflow is not None and isinstance(step, Send):
                purpose = purposes.get(step.purpose)
                found.append(SendStep(each, each.workflow, node, step, purpose))
        return found

    @cached_property
    def coupon_steps(self) -> list[tuple[CompiledWorkflow, Node]]:
        """Every step that draws a code, to send it or for later steps, with its workflow."""
        return [(each, step) for each, step in self.steps if "coupon" in step]

    @cached_property
    def steps(self) -> list[tuple[CompiledWorkflow, Node]]:
        """Every step of every workflow, with its workflow."""
        return [
            (each, step)
            for each in self.build.workflows
            if each.document.root is not None
            for step in every_step(each.document.root["steps"])
        ]

    @cached_property
    def segments(self) -> dict[str, Expression]:
        """The conditions of all segments."""
        return {name: each.when for name, each in self.build.context.segments.items()}

    def ways(self, workflow: Workflow) -> tuple[Way, ...] | None:
        """Every way through a workflow; None when there are too many."""
        if workflow.digest not in self._ways:
            self._ways[workflow.digest] = ways(workflow)
        return self._ways[workflow.digest]

    @cached_property
    def messages_of(self) -> dict[str, list[SendStep]]:
        """The `send` steps of each workflow that has some, by the path of its file."""
        found: dict[str, list[SendStep]] = {}
        for message in self.messages:
            found.setdefault(message.each.document.path, []).append(message)
        return found

    @cached_property
    def coupons(self) -> frozenset[str]:
        """The ids of all coupons."""
        return frozenset(id_of(file) for file in self.files("Coupon"))

    @cached_property
    def questions(self) -> frozenset[str]:
        """The ids of all questions."""
        return frozenset(id_of(file) for file in self.files("Question"))


def id_of(file: RuleFile) -> str:
    """The id that a file gives itself; empty when it gives none."""
    root = file.document.root
    node = root.get("id") if root is not None else None
    return node.text if node is not None else ""
