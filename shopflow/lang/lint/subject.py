"""What the checks look at: compiled rules with their files, and the templates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from shopflow.lang.build import Build
from shopflow.lang.compiler.shape import every_step
from shopflow.lang.compiler.workflow import CompiledWorkflow
from shopflow.lang.document import Document
from shopflow.lang.repository import RuleFile
from shopflow.lang.templates import Template, TemplateSet
from shopflow.lang.tree import Node


@dataclass
class Subject:
    """A build and its templates."""

    build: Build
    templates: TemplateSet
    #: The number that takes STOP; empty when the shop names none.
    sms_stop: str = ""

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

    def written(self, name: str, channel: str) -> list[Template]:
        """The template of that name for the channel, in every language it is written in."""
        found = (
            self.templates.find(name, channel, locale)
            for locale in sorted(self.templates.locales(name, channel))
        )
        return [template for template in found if template is not None]

    @cached_property
    def coupons(self) -> frozenset[str]:
        """The ids of all coupons."""
        return frozenset(id_of(file) for file in self.files("Coupon"))


def id_of(file: RuleFile) -> str:
    """The id that a file gives itself; empty when it gives none."""
    root = file.document.root
    node = root.get("id") if root is not None else None
    return node.text if node is not None else ""
