"""Counting what tables of words hold."""

import re
from collections.abc import Sequence

import pandas as pd

from toolkit.dataset.schema import SPLITS, STATUSES, UNLABELLED


def tally(table: pd.DataFrame) -> pd.DataFrame:
    """How often each row of a table of words is there, as the column "pictures"; the most frequent first.

    >>> tally(pd.DataFrame({"reason": ["HTTP 404", "empty", "HTTP 404"]}))
         reason  pictures
    0  HTTP 404         2
    1     empty         1
    """
    counted = table.groupby(list(table), as_index=False).size().rename(columns={"size": "pictures"})
    return counted.sort_values("pictures", ascending=False, kind="stable", ignore_index=True)


def by_label(table: pd.DataFrame, by: str, labels: Sequence[str]) -> pd.DataFrame:
    """How many pictures of each label have each value of a column, with totals.

    Args:
        table: of a manifest.
        by: name of the column.
        labels: in the order of the rows; "" for those without one.
    """
    counts = pd.crosstab(table["label"], table[by]).rename(index={"": UNLABELLED})
    order = {"status": STATUSES, "split": SPLITS}.get(by, sorted(counts.columns))
    columns = [value for value in order if value in counts]
    counts = counts.reindex(index=[label or UNLABELLED for label in labels], columns=columns, fill_value=0)
    counts = pd.concat([counts, counts.sum().to_frame("total").T]).rename_axis(index="label", columns=None)
    counts["total"] = counts.sum(axis=1)
    return counts.rename(columns={"": "not used"} if by == "split" else {})


def in_general(reason: str) -> str:
    """A reason without what differs from picture to picture: the file it repeats, and its own size."""
    reason = re.sub(r"raw/([^/]+)/[^,]+(, raw/[^/]+/[^,]+)*", r"one in \1", reason)
    return re.sub(r"^\d+x\d+ pixels, ", "", reason)
