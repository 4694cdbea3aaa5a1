"""Manifest rows from the lines of a ledger."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from toolkit.dataset import manifest

PLACEHOLDER_ADDRESSES = 3  # the same bytes under this many addresses are a host's 'gone' picture


def manifest_rows(records: Mapping[str, dict], root: Path) -> Iterator[dict]:
    """One manifest row per file that exists.

    The same file may have been downloaded from several addresses, in an order that depends on the threads; the row
    describes the first by name, so that a run that was interrupted ends with the same manifest as one that was not.
    """
    by_path: dict[str, list[dict]] = defaultdict(list)
    for record in records.values():
        if record["status"] == "ok" and (root / record["path"]).exists():
            by_path[record["path"]].append(record)
    addresses: dict[str, set[str]] = defaultdict(set)
    for same in by_path.values():
        for record in same:
            addresses[record["sha256"]].add(record["url"] or record["source_id"])
    for same in by_path.values():
        first = min(same, key=lambda record: (record["source"], record["source_id"], record["url"]))
        row = {column: first[column] for column in manifest.COLUMNS if column in first}
        row |= {"status": "new", "reason": ""}
        count = len(addresses[first["sha256"]])
        if first["url"] and count >= PLACEHOLDER_ADDRESSES:
            row |= {"status": "excluded", "reason": f"the same bytes under {count} addresses: a placeholder"}
        yield row
