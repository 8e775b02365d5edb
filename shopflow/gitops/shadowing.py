"""Changed workflows beside the live ones: they decide and journal everything, and send nothing.

Each gets a name of its own and `status: shadow`, and joins the live bundle as it is. So what people
are sent does not change, and what the changed ones would have sent stands in the journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from shopflow.domain.step import ChangeConsent, DrawCode, Emit, SetValues
from shopflow.domain.workflow import Status, Workflow
from shopflow.errors import DeployRefused
from shopflow.gitops.bundle import Bundle, Manifest, content_digest, labelled
from shopflow.gitops.deploying import SHADOW, Candidate, compiled, difference
from shopflow.gitops.ramping import MAY_COME, changed_around
from shopflow.store.protocol import Store

#: Where changed workflows lie.
FOLDER = "rules/workflows/shadow/"
#: Steps that change something even where nothing is sent.
_TELLING = (SetValues, Emit, ChangeConsent, DrawCode)


def shadowed(root: Path, store: Store, new: Candidate) -> Candidate:
    """The live bundle with what is new or changed in another one beside it.

    Raises:
        DeployRefused: Nothing is live, nothing of workflows differs, or more than that does; or a
            changed workflow would change customers without sending anything.
        RulesInvalid: The two cannot stand together.
    """
    live = store.deployments.newest()
    kept = store.deployments.bundle(live.digest) if live is not None else None
    if kept is None:
        raise DeployRefused(
            "nothing to shadow: nothing is live that others could stand beside; deploy without "
            "--shadow first"
        )
    before = _without_shadows(Bundle.from_bytes(kept.content))
    if changed := changed_around(before, new.bundle):
        raise DeployRefused(
            f"more than workflows: {', '.join(changed[:5])} differ too, and the shadow would "
            "decide by what is live; deploy that first without --shadow"
        )
    shadows = {name: text for one in _changed(before, new) for name, text in [_file(one, new)]}
    if not shadows:
        raise DeployRefused("nothing to shadow: no workflow is new or changed")
    files = {
        **{name: text for name, text in new.bundle.files.items() if name.startswith(MAY_COME)},
        **before.files,
        **shadows,
    }
    return _compiled(root, files, new.bundle.manifest)


def _changed(before: Bundle, new: Candidate) -> Iterator[Workflow]:
    """The workflows that would begin for somebody, and differ from what is live."""
    changes = difference(before.manifest, new.bundle.manifest)
    for name in (*changes.added, *changes.changed):
        workflow = new.loaded.ruleset.workflows[name]
        if workflow.status not in {Status.LIVE, Status.SHADOW}:
            continue
        telling = [step.id for step in workflow.steps.values() if isinstance(step, _TELLING)]
        if telling:
            raise DeployRefused(
                f"no mere shadow: the steps {', '.join(telling)} of {name} change customers, codes "
                "or other workflows without sending anything; `shopflow plan` shows what they do"
            )
        yield workflow


def _file(workflow: Workflow, new: Candidate) -> tuple[str, bytes]:
    source: Mapping[str, Any] = new.loaded.sources[workflow.digest]
    name = f"{workflow.id}{SHADOW}"
    document = {**source, "id": name, "status": str(Status.SHADOW)}
    # JSON is YAML too.
    return f"{FOLDER}{name}.yaml", orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _without_shadows(bundle: Bundle) -> Bundle:
    """What was live before anything stood beside it."""
    files = {name: text for name, text in bundle.files.items() if not name.startswith(FOLDER)}
    gone = {Path(name).stem for name in bundle.files.keys() - files.keys()}
    workflows = {name: one for name, one in bundle.manifest.workflows.items() if name not in gone}
    return Bundle(manifest=replace(bundle.manifest, workflows=workflows), files=files)


def _compiled(root: Path, files: Mapping[str, bytes], like: Manifest) -> Candidate:
    digest = content_digest(files, like.settings)
    draft = Bundle(manifest=replace(like, digest=digest, workflows={}), files=files)
    made = compiled(root, draft)
    manifest = replace(draft.manifest, workflows=labelled(made.loaded.ruleset))
    return Candidate(bundle=Bundle(manifest=manifest, files=files), loaded=made.loaded)
