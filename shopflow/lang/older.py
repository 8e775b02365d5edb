"""Workflows of older revisions, by what was kept of them: enrolments go on as they began."""

from __future__ import annotations

from collections.abc import Mapping

from shopflow.domain.workflow import Workflow
from shopflow.errors import RulesInvalid
from shopflow.lang.compiler.context import Context
from shopflow.lang.compiler.workflow import compile_document
from shopflow.lang.document import of_data
from shopflow.lang.validation import validate

#: Problems with which a workflow of an older revision cannot be run.
_FATAL = frozenset({"SF007", "SF009", "SF101", "SF116"})


def compile_workflow(data: Mapping[str, object], context: Context) -> Workflow:
    """The workflow of a document kept as plain JSON, such as one from an older revision.

    What it refers to may have changed since, so only what keeps it from being run is an error.

    Raises:
        RulesInvalid: The document is no workflow, or one of its expressions does not compile.
    """
    document = of_data(f"workflow {data.get('id', '')} of an older revision", data)
    problems = validate(document, "Workflow")
    if problems or document.root is None:
        raise RulesInvalid(problems)
    compiled = compile_document(document, document.root, context)
    if compiled.workflow is None or any(each.code in _FATAL for each in compiled.problems):
        raise RulesInvalid(compiled.problems)
    return compiled.workflow
