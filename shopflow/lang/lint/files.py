"""Files and the ids in them: SF006, SF007."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from shopflow.lang.lint.subject import Subject, id_of
from shopflow.problem import Problem, Related

_NAMED_BY_ID = ("Workflow", "Coupon", "Question")


def id_is_file_name(subject: Subject) -> Iterator[Problem]:
    """A file is named after the id in it, so that it can be found."""
    for kind in _NAMED_BY_ID:
        for file in subject.files(kind):
            root, stem = file.document.root, PurePosixPath(file.document.path).stem
            found = id_of(file)
            if root is not None and found and found != stem:
                message = f"the id is '{found}', but the file is named '{stem}'"
                hint = f"rename the file to {found}.yaml, or the id to {stem}"
                yield file.document.problem("SF006", root["id"], message, hint=hint)


def ids_are_unique(subject: Subject) -> Iterator[Problem]:
    """No two files of a kind have one id."""
    for kind in _NAMED_BY_ID:
        first: dict[str, Related] = {}
        for file in subject.files(kind):
            root, found = file.document.root, id_of(file)
            if root is None or not found:
                continue
            if found in first:
                message = f"a second {kind.lower()} with the id '{found}'"
                hint = "give one of the two another id"
                yield file.document.problem(
                    "SF007", root["id"], message, hint=hint, related=first[found]
                )
            first.setdefault(found, file.document.related(root["id"], "the first"))
