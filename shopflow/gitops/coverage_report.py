"""Coverage as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopflow.gitops.coverage import Aspect, Coverage, Share, floor

_TOTAL = "total"
_NOTHING = "-"


def coverage_text(coverage: Coverage) -> str:
    """A table of the workflows, then each thing that no test shows, with its place."""
    blocks = ["\n".join(_table(coverage))]
    if missing := coverage.never_seen:
        blocks.append("\n".join(["never seen", *(f"  {problem}" for problem in missing)]))
    return "\n\n".join(blocks)


def coverage_json(coverage: Coverage) -> dict[str, object]:
    """The same as plain values."""
    return {
        **_shares(coverage.share, coverage.shares),
        "workflows": {one.workflow: _shares(one.share, one.shares) for one in coverage.workflows},
        "never_seen": [
            {
                "code": problem.code,
                "file": problem.location.path,
                "line": problem.location.line,
                "column": problem.location.column,
                "message": problem.message,
            }
            for problem in coverage.never_seen
        ],
    }


def _shares(share: Share, shares: Mapping[Aspect, Share]) -> dict[str, object]:
    return {
        "percent": floor(share.percent),
        **{aspect.value: {"seen": one.seen, "of": one.of} for aspect, one in shares.items()},
    }


def _table(coverage: Coverage) -> Iterator[str]:
    rows = [("coverage", [aspect.value for aspect in Aspect], "all")]
    rows += [
        (one.workflow, [_told(one.shares[aspect]) for aspect in Aspect], _percent(one.share))
        for one in coverage.workflows
    ]
    shares = coverage.shares
    rows.append((_TOTAL, [_told(shares[aspect]) for aspect in Aspect], _percent(coverage.share)))
    first = max(len(name) for name, _, _ in rows)
    for name, cells, share in rows:
        yield f"{name:<{first}}  " + "".join(f"{cell:>10}" for cell in cells) + f"{share:>9}"


def _told(share: Share) -> str:
    return f"{share.seen}/{share.of}" if share.of else _NOTHING


def _percent(share: Share) -> str:
    return f"{floor(share.percent):g} %"
