"""From the lines of a ledger to the rows of a manifest."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from toolkit.dataset import manifest

PLACEHOLDER_ADDRESSES = 3  # the same bytes under this many addresses are a host's 'gone' picture


def rows(records: Mapping[str, dict], root: Path) -> Iterator[dict]:
    """One manifest row per file that is there.

    The same file may have come several ways, in an order that depends on the threads; the row tells of the first by
    name, so that a run that was interrupted ends with the same manifest as one that was not.
    """
    ways = defaultdict(list)
    for record in records.values():
        if record["status"] == "ok" and (root / record["path"]).exists():
            ways[record["path"]].append(record)
    addresses = defaultdict(set)
    for same in ways.values():
        for record in same:
            addresses[record["sha256"]].add(record["url"] or record["source_id"])
    for same in ways.values():
        first = min(same, key=lambda record: (record["source"], record["source_id"], record["url"]))
        row = {column: first[column] for column in manifest.COLUMNS if column in first}
        row |= {"status": "new", "reason": ""}
        count = len(addresses[first["sha256"]])
        if first["url"] and count >= PLACEHOLDER_ADDRESSES:
            row |= {"status": "excluded", "reason": f"the same bytes under {count} addresses: a placeholder"}
        yield row
