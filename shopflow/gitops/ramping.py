"""What a ramp asks of rules: that old and new workflows can stand side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shopflow.gitops.bundle import Bundle
from shopflow.store.deployments import Deployment
from shopflow.store.protocol import Store

#: Folders in which files may differ: each side has its own.
_OF_WORKFLOWS = ("rules/workflows/", "rules/tests/")
#: Folders to which files may come: the old workflows do not know them.
MAY_COME = ("rules/templates/", "rules/coupons/")
#: Files that are named one by one.
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason not to deploy, and what would let it pass."""

    reason: str
    message: str


def beside(
    store: Store, live: Deployment | None, new: Bundle, share: float | None
) -> Iterator[Refusal]:
    """Reasons why these rules cannot be ramped up beside the live ones; none without a share."""
    if share is None:
        return
    kept = store.deployments.bundle(live.digest) if live is not None else None
    if kept is None:
        message = "nothing is live that the others could stay with; deploy without --ramp first"
        yield Refusal(reason="nothing to ramp from", message=message)
        return
    changed = changed_around(Bundle.from_bytes(kept.content), new)
    if changed:
        named = f"{', '.join(changed[:_SHOWN])}{' …' if len(changed) > _SHOWN else ''}"
        yield Refusal(
            reason="more than workflows",
            message=f"{named} would change for everybody at once: deploy that first without "
            "--ramp, and ramp the workflows then",
        )


def changed_around(before: Bundle, new: Bundle) -> list[str]:
    """What differs of that which all customers share, whichever workflows are theirs."""
    differing = [
        name
        for name in sorted(before.files.keys() | new.files.keys())
        if not name.startswith(_OF_WORKFLOWS) and before.files.get(name) != new.files.get(name)
    ]
    found = [name for name in differing if name in before.files or not name.startswith(MAY_COME)]
    if before.manifest.settings != new.manifest.settings:
        found.append("the settings that rules depend on")
    return found
