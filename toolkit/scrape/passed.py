"""What the sources of a dataset had and was passed over: how many of what, kept beside the ledger."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from toolkit.core import paths
from toolkit.images.files import Passed

FILE = "passed_over.json"
COLUMNS = ["source", "reason", "files", "example"]
LONGEST = 120  # characters of an example
MOST = 4  # reasons that are told in words


class PassedOver:
    """A counter by reason of what one source had and was passed over, with the first example of each."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.examples: dict[str, str] = {}

    def add(self, one: Passed) -> None:
        """Count one more."""
        self.counts[one.reason] = self.counts.get(one.reason, 0) + 1
        self.examples.setdefault(one.reason, one.name.encode(errors="backslashreplace").decode()[:LONGEST])


def in_numbers(reasons: Counter[str]) -> str:
    """How often each reason occurs, the most frequent first, `MOST` of them.

    >>> in_numbers(Counter({"hidden": 1, "ending .xml": 2}))
    '2 × ending .xml, 1 × hidden'
    """
    more = ", …" if len(reasons) > MOST else ""
    return ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common(MOST)) + more


def keep(folder: Path, by_source: Sequence[tuple[str, PassedOver]]) -> None:
    """Write down what these sources passed over, in place of what was written of them before.

    Args:
        folder: of the dataset.
        by_source: the name of each source, which several may share, and its counts.
    """
    names = {name for name, _ in by_source}
    rows: dict[tuple[str, str], dict] = {
        (row["source"], row["reason"]): row for row in _read(folder) if row["source"] not in names
    }
    for name, passed in by_source:
        for reason, count in passed.counts.items():
            empty = {"source": name, "reason": reason, "files": 0, "example": passed.examples[reason]}
            rows.setdefault((name, reason), empty)["files"] += count
    if list(rows.values()) != _read(folder):
        paths.write(folder / FILE, json.dumps(list(rows.values()), indent=1, ensure_ascii=False) + "\n")


def passed_over(dataset: str | Path) -> pd.DataFrame:
    """What the sources of a dataset had and was passed over.

    Args:
        dataset: name of a dataset in `data/`, or the path of its folder.

    Returns:
        A table with the columns source, reason, files and example, the most first; empty if nothing was.

    >>> passed_over("pets")  # doctest: +SKIP
              source        reason  files          example
    0  folder:photos   ending .mov     12  cats/IMG_1.MOV
    """
    table = pd.DataFrame(_read(paths.dataset(dataset)), columns=COLUMNS)
    return table.sort_values("files", ascending=False, kind="stable", ignore_index=True)


def in_words(dataset: str | Path) -> str:
    """How many were passed over, and the most frequent reasons; "" if none was."""
    table = passed_over(dataset)
    if not len(table):
        return ""
    counts = Counter(table.groupby("reason", sort=False)["files"].sum().to_dict())
    return f"{counts.total():,} passed over ({in_numbers(counts)})"


def _read(folder: Path) -> list[dict]:
    try:
        rows = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return [{name: row[name] for name in COLUMNS} for row in rows]
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or damaged: the next run writes it anew
        return []
