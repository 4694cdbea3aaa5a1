"""Manifest rows from the lines of a ledger."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from toolkit.dataset import manifest
from toolkit.errors import ImageError
from toolkit.images import measure

PLACEHOLDER_ADDRESSES = 3  # under so many addresses the same bytes may be a host's 'gone' picture
SMALL = 96  # pixels of the longer side of a picture that is no photograph
FLAT = 4.0  # entropy in bits of a plain ground with a few words; photographs have 6 to 8


def manifest_rows(records: Mapping[str, dict], root: Path) -> Iterator[dict]:
    """One manifest row per file that exists.

    The same file may have been downloaded from several addresses, in an order that depends on the threads; the row
    describes the first by name, so that a run that was interrupted ends with the same manifest as one that was not.
    A placeholder is no picture of any class, so it is excluded; other pictures under several addresses stay in use.
    """
    by_path: dict[str, list[dict]] = defaultdict(list)
    for record in records.values():
        if record["status"] == "ok" and (root / record["path"]).exists():
            by_path[record["path"]].append(record)
    same_bytes: dict[str, list[dict]] = defaultdict(list)
    for same in by_path.values():
        same_bytes[same[0]["sha256"]] += same
    for same in by_path.values():
        first = min(same, key=lambda record: (record["source"], record["source_id"], record["url"]))
        row = {column: first[column] for column in manifest.COLUMNS if column in first}
        row |= {"status": "new", "reason": ""}
        alike = same_bytes[first["sha256"]]
        count = len({record["url"] or record["source_id"] for record in alike})
        if first["url"] and count >= PLACEHOLDER_ADDRESSES and _is_placeholder(alike, root / first["path"]):
            row |= {"status": "excluded", "reason": f"the same bytes under {count} addresses: a placeholder"}
        yield row


def _is_placeholder(records: list[dict], file: Path) -> bool:
    """Whether the same bytes from several addresses are a 'gone' picture: under several labels, small or flat.

    Addresses that differ in their query alone are one, as of a list that counts its visitors.
    """
    if len({urlsplit(record["url"])._replace(query="", fragment="") for record in records}) < PLACEHOLDER_ADDRESSES:
        return False
    if len({record["label"] for record in records}) > 1:
        return True
    try:
        measured = measure.one(file)
    except ImageError:
        return True  # no picture of anything
    return max(measured["width"], measured["height"]) <= SMALL or measured["entropy"] <= FLAT
