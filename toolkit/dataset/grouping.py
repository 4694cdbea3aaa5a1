"""Groups of pictures that stay together: near-duplicates, and where asked those of one source, creator or other value.

A network that has learned from a photographer's other pictures may know the place rather than the thing. Where all
pictures of a value are on one side, the score is that on photographers it has never seen.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from toolkit.errors import DatasetError


def copies(rows: pd.DataFrame) -> pd.Series:
    """Groups of near-duplicates that must not be divided: that of each row of a manifest, or the picture itself.

    >>> copies(pd.DataFrame({"group": ["", "g1"], "sha256": ["aa", "bb"]})).tolist()
    ['aa', 'g1']
    """
    return rows["group"].where(rows["group"] != "", rows["sha256"])


def together(rows: pd.DataFrame, by: str) -> pd.Series:
    """Groups of pictures that share a value of a column, or a near-duplicate, if only through others.

    A picture whose value is empty shares it with none.

    Args:
        rows: of a manifest.
        by: a column, such as "source" or "creator"; "group" takes near-duplicates alone.

    Returns:
        The number of the group of each row.

    Raises:
        ValueError: there is no such column.

    >>> rows = {"group": ["", "g1", "g1", ""], "sha256": [*"abcd"], "source": ["x", "x", "y", "z"]}
    >>> together(pd.DataFrame(rows), "source").tolist()
    [0, 0, 0, 1]
    """
    if by not in rows:
        raise ValueError(f"expected one of the columns {', '.join(rows)}, got {by!r}")
    kept = copies(rows)
    values = rows[by].astype(str)
    shared = ("value " + values).where(values != "", "picture " + rows["sha256"]) if by != "group" else kept
    first, second = (pd.factorize(column)[0] for column in (kept, shared))
    links = coo_array((np.ones(len(rows)), (first, second + first.max(initial=0) + 1)), shape=(2 * len(rows) + 1,) * 2)
    _, component = connected_components(links, directed=False)
    return pd.Series(pd.factorize(component[first])[0], index=rows.index)


def divide(
    labels: Sequence[str], groups: Sequence[int], before: Sequence[str], *, shares: Mapping[str, float], seed: int
) -> list[str]:
    """Put whole groups into parts, so that each part has about its share of every class; large groups choose first.

    Args:
        labels: of the pictures.
        groups: of the pictures, see `together`.
        before: the part that a picture is in already, or "".
        shares: of the pictures for each part; they sum to 1.
        seed: of the order of groups alike.

    Returns:
        The part of each picture.

    Raises:
        DatasetError: pictures of one group are in two parts already.
    """
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    classes, label = np.unique(np.asarray(labels, object), return_inverse=True)
    counts = csr_array((np.ones(len(number), np.int64), (number, label)), shape=(len(names), len(classes)))
    sizes, totals = np.bincount(number, minlength=len(names)), np.bincount(label, minlength=len(classes))
    wanted = {part: share * totals for part, share in shares.items()}
    have = {part: np.zeros(len(classes)) for part in shares}
    chosen = _chosen(groups, before)
    order = np.random.default_rng(seed).permutation(names)
    rows = dict(zip(names.tolist(), range(len(names)), strict=True))
    for group in sorted(order.tolist(), key=lambda one: (one not in chosen, -sizes[rows[one]])):
        own = counts[[rows[group]]].toarray()[0]  # a row at a time: of all groups it may be too much
        lack = {part: float(((wanted[part] - have[part]) / wanted[part].clip(1e-9) * own).sum()) for part in shares}
        chosen.setdefault(group, max(shares, key=lambda part: lack[part]))
        have[chosen[group]] = have[chosen[group]] + own
    return [chosen[group] for group in groups]


def _chosen(groups: Sequence[int], before: Sequence[str]) -> dict[int, str]:
    """The part of each group that has one."""
    chosen: dict[int, str] = {}
    for group, part in zip(groups, before, strict=True):
        if part and chosen.setdefault(group, part) != part:
            raise DatasetError(
                f"expected pictures that stay together in one part, got some in {chosen[group]} and some in {part}; "
                "divide anew with --again"
            )
    return chosen
