"""Versions of a workflow inside one test: which is deployed when, while somebody is on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shopflow.domain.ruleset import Ruleset
from shopflow.domain.workflow import Workflow
from shopflow.gitops.naming import Unusable, length_of
from shopflow.lang.compiler.workflow import compile_document
from shopflow.lang.document import of_data
from shopflow.lang.validation import validate
from shopflow.problem import Severity
from shopflow.rulebook import LoadedProject

Json = Mapping[str, Any]
#: (id of a workflow, keys of its file that are others) -> the workflow; raises Unusable.
Changed = Callable[[str, Json], Workflow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """From this instant on the workflow is this one."""

    at: datetime
    workflow: Workflow


def changed_by(loaded: LoadedProject) -> Changed:
    """Makes other versions of a project's workflows."""

    def changed(name: str, change: Json) -> Workflow:
        root = loaded.workflows[name].root
        data: Any = root.data if root is not None else {}
        other = {key: value for key, value in {**data, **change}.items() if value is not None}
        if other.get("id") != name:
            raise Unusable("a version keeps the id of its workflow", "leave `id` out of the change")
        document = of_data(f"another version of {name}", other)
        problems = validate(document, "Workflow")
        if not problems and document.root is not None:
            compiled = compile_document(document, document.root, loaded.context)
            problems = [one for one in compiled.problems if one.severity is Severity.ERROR]
            if compiled.workflow is not None and not problems:
                return compiled.workflow
        told = "; ".join(problem.message for problem in problems)
        raise Unusable(f"a version of {name} does not compile: {told}", problems[0].hint)

    return changed


def deployments(
    told: Iterable[Json], workflow: str, start: datetime, changed: Changed
) -> Iterator[Deployment]:
    """The deployments that a test tells of, in the order of their times; raises Unusable."""
    found = [
        Deployment(
            at=start + length_of(each["at"]), workflow=changed(workflow, each.get("change", {}))
        )
        for each in told
    ]
    yield from sorted(found, key=lambda each: each.at)


def with_version(ruleset: Ruleset, version: Workflow) -> Ruleset:
    """The ruleset after the deployment: who is on the way is still pinned to what was there."""
    before = ruleset.workflows[version.id]
    retained = {**ruleset.retained, before.digest: before}
    retained.pop(version.digest, None)
    return replace(ruleset, workflows={**ruleset.workflows, version.id: version}, retained=retained)
