"""Deploy windows: what is refused while the settings of an environment freeze its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from shopflow.gitops.ramping import Refusal
from shopflow.lang.freezes import Freeze


def frozen(freezes: Iterable[Freeze], at: datetime, despite: str) -> Iterator[Refusal]:
    """The freezes that hold at that moment; none when there is a reason to deploy despite them."""
    if despite:
        return
    for freeze in freezes:
        ends = freeze.ends_at(at)
        if ends is not None:
            local = ends.astimezone(ZoneInfo(freeze.timezone))
            why = f" ({freeze.reason})" if freeze.reason else ""
            yield Refusal(
                reason="frozen",
                message=f"nothing is deployed from {freeze.source}{why}, so not until "
                f"{local:%Y-%m-%d %H:%M} {freeze.timezone}; wait, or deploy all the same with "
                "--despite-freeze REASON",
            )
