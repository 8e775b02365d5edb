"""The files that the examples on the pages of lint's codes stand for."""

from __future__ import annotations

import re

from support.sound_project import place_of

#: What a workflow has where an example says nothing else.
WORKFLOW = {
    "apiVersion": "shopflow/v1",
    "kind": "Workflow",
    "id": "example",
    "version": "1",
    "title": "An example",
    "owner": "lifecycle-team",
    "status": "draft",
    "purpose": "service",
    "trigger": "{event: order.placed, key: event.order_id}",
    "steps": "\n  - {id: settle, wait: 1h}",
}


def files_of(examples):
    """Path -> text of the files that examples stand for."""
    found = {}
    for example in examples:
        whole = example.path or re.search("^kind:", example.text, re.MULTILINE)
        text = example.text if whole else workflow_with(example.text)
        name = re.search(r"^id: (\S+)", text, re.MULTILINE)
        found[example.path or place_of(text, name[1] if name else "example")] = text
    return found


def workflow_with(part):
    """A workflow with these keys, written as they stand, in place of its own."""
    given = set(re.findall(r"^(\w+):", part, re.MULTILINE))
    own = "".join(f"{key}: {value}\n" for key, value in WORKFLOW.items() if key not in given)
    return own + part
