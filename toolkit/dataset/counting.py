"""Counting what tables of words hold."""

import re

import pandas as pd


def tally(table: pd.DataFrame) -> pd.DataFrame:
    """How often each row of a table of words is there, as the column "pictures"; the most frequent first.

    >>> tally(pd.DataFrame({"reason": ["HTTP 404", "empty", "HTTP 404"]}))
         reason  pictures
    0  HTTP 404         2
    1     empty         1
    """
    counted = table.groupby(list(table), as_index=False).size().rename(columns={"size": "pictures"})
    return counted.sort_values("pictures", ascending=False, kind="stable", ignore_index=True)


def in_general(reason: str) -> str:
    """A reason without what differs from picture to picture: the file it repeats, and its own size."""
    reason = re.sub(r"raw/([^/]+)/[^,]+(, raw/[^/]+/[^,]+)*", r"one in \1", reason)
    return re.sub(r"^\d+x\d+ pixels, ", "", reason)
