"""The nearest neighbours in a table of things and what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

#: Rows compared at once, so that memory stays bounded however many products there are.
BLOCK = 500


class Feature(NamedTuple):
    """A thing has a feature, so much of it."""

    thing: str
    feature: object
    weight: float


def nearest(
    features: Iterable[Feature], *, depth: int, damping: float = 0.0
) -> Iterator[tuple[str, dict[str, float]]]:
    """Of each thing, the others that share most with it, best first, scores of 0 to 1.

    The score is the cosine, its denominator raised by `damping`: what was seen together once is
    chance.
    """
    given = list(features)
    if not given:
        return
    things, table = _table(given)
    lengths = _lengths(table)
    across = table.T.tocsr()
    for start in range(0, len(things), BLOCK):
        shared = (table[start : start + BLOCK] @ across).tocsr()
        for row in range(shared.shape[0]):
            begin, end = shared.indptr[row], shared.indptr[row + 1]
            others = shared.indices[begin:end]
            scores = shared.data[begin:end] / (lengths[start + row] * lengths[others] + damping)
            found = _best(things, start + row, others, scores, depth)
            if found:
                yield things[start + row], found


def _table(features: list[Feature]) -> tuple[list[str], csr_matrix]:
    # Imported here: most processes never compute anything.
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    rows: dict[str, int] = {}
    columns: dict[object, int] = {}
    places: list[tuple[int, int]] = []
    weights: list[float] = []
    for thing, feature, weight in features:
        row = rows.setdefault(thing, len(rows))
        places.append((row, columns.setdefault(feature, len(columns))))
        weights.append(weight)
    shape = (len(rows), len(columns))
    return list(rows), csr_matrix((weights, tuple(zip(*places, strict=True))), shape)


def _lengths(table: csr_matrix) -> NDArray[Any]:
    import numpy as np  # noqa: PLC0415

    lengths: NDArray[Any] = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    return lengths


def _best(
    things: list[str], own: int, others: NDArray[Any], scores: NDArray[Any], depth: int
) -> dict[str, float]:
    import numpy as np  # noqa: PLC0415

    keep = (others != own) & (scores > 0)
    others, scores = others[keep], np.round(scores[keep], 6)
    if len(scores) > depth:
        # Those that tie with the last one stay, so that the name decides and not their place.
        among = scores >= np.partition(scores, -depth)[-depth]
        others, scores = others[among], scores[among]
    pairs = sorted((-float(score), things[i]) for i, score in zip(others, scores, strict=True))
    return {name: -score for score, name in pairs[:depth]}
