"""Failed downloads, and why they failed."""

import json
from pathlib import Path

import pandas as pd

from toolkit.core import contained, paths
from toolkit.scrape.ledger import FILE

COLUMNS = ["label", "source", "reason", "url", "page_url", "source_id"]


def failures(dataset: str | Path) -> pd.DataFrame:
    """Failed downloads: the pictures that were tried in vain, each once, with the last reason.

    Args:
        dataset: name of a dataset in `data/`, or the path of its folder.

    Returns:
        A table with the columns label, source, reason, url, page_url and source_id; empty if nothing failed.

    >>> failures("cars_tanks")["reason"].value_counts()  # doctest: +SKIP
    reason
    HTTP 404    12
    empty        3
    """
    file = contained.folder(paths.dataset(dataset)) / FILE
    last: dict[str, dict | None] = {}
    for line in file.read_bytes().splitlines() if file.exists() else []:
        try:
            record = json.loads(line)
            last[record["key"]] = record if record["status"] == "failed" else None
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # torn or damaged, which the next run mends
    return pd.DataFrame([record for record in last.values() if record], columns=COLUMNS).fillna("")


def in_words(dataset: str | Path) -> str:
    """How many pictures could not be had, and the most frequent reasons; "" if there is nothing to say."""
    table = failures(dataset)
    if not len(table):
        return ""
    reasons = table["reason"].value_counts().head(3)
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    return f"{len(table)} could not be had ({counted}{', …' if table['reason'].nunique() > 3 else ''})"
