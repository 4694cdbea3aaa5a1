"""Remove what was removed on Reddit: its terms ask for it, and so do those who posted the pictures."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from toolkit.core import parallel
from toolkit.dataset import manifest, signatures
from toolkit.dataset.manifest import Manifest
from toolkit.errors import SourceError
from toolkit.scrape import ledger, listing_progress, reddit
from toolkit.scrape.item import Options
from toolkit.scrape.manifest_rows import manifest_rows
from toolkit.scrape.reddit_posts import removed

BATCH = 100  # posts Reddit tells about at a time, at most
KEPT = ("path", "label", "class_index", "source", "mark")  # of a row whose picture was removed
COLUMNS = ("label", "path", "source_id", "reason")
MISSING = "no longer on Reddit"


def posts(
    dataset: str | Path,
    *,
    delete: bool = False,
    options: Options | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> pd.DataFrame:
    """Ask Reddit about every post of a dataset, and find those that were removed since.

    Args:
        dataset: name of a dataset in `data/`, or the path of its folder.
        delete: False only looks. True removes the pictures from `raw/` and `sized/`, empties their rows and gives them
            the status "excluded", and leaves nothing of them in the ledger but that they are not to be fetched again.
            Models that were trained on them stay as they are.
        options: `reddit` holds the credentials; None takes the defaults of `Options`.
        sleep: waits between attempts, given a number of seconds.

    Returns:
        A row per picture: `key` in the ledger, `label`, `path` ("" if it was never had), `source_id` and `reason`.

    Raises:
        SourceError: Reddit does not answer, or knows none of the posts.
        DatasetError: there is no such dataset.

    >>> posts("cars_tanks")["reason"].value_counts()  # doctest: +SKIP
    """
    table = manifest.load(dataset)
    records = ledger.read(table.root)
    asked = {key: _post(record) for key, record in records.items() if record.get("source") == "reddit"}
    reasons = _reasons(sorted(set(asked.values()) - {""}), options or Options(), sleep)
    gone = {key: records[key] | {"reason": reasons[post]} for key, post in asked.items() if post in reasons}
    if delete and gone:
        _delete(table, records, gone)
    columns = {name: [str(record.get(name, "")) for record in gone.values()] for name in COLUMNS}
    return pd.DataFrame({"key": list(gone), **columns})


def _post(record: Mapping[str, object]) -> str:
    return str(record.get("source_id", "")).rpartition("-")[0]


def _reasons(ids: list[str], options: Options, sleep: Callable[[float], None]) -> dict[str, str]:
    """Why posts are gone, by their id; those that are still there are left out."""
    if not ids:
        return {}
    # Nobody has to say that they may remove what its author took back.
    connection = reddit.connect(replace(options, permission=True))
    answers: dict[str, str] = {}
    with parallel.progress(None, total=len(ids), description="prune", unit=" posts") as bar:
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            query = {"id": ",".join(f"t3_{post_id}" for post_id in batch)}
            posts_there, _ = next(reddit.pages(connection, "posts", "api/info", query, sleep=sleep))
            answers |= {str(post["id"]): removed(post) for post in posts_there}
            bar.update(len(batch))
    if not answers:
        raise SourceError(
            f"expected Reddit to know some of {len(ids)} posts, got none; check that it is Reddit you ask"
        )
    reasons = {post_id: answers.get(post_id, MISSING) for post_id in ids}
    return {post_id: reason for post_id, reason in reasons.items() if reason}


def _delete(table: Manifest, records: Mapping[str, dict], gone: Mapping[str, dict]) -> None:
    """Files first, then the table, the ledger last: a run that is killed finds the same posts again."""
    left = {key: record for key, record in records.items() if key not in gone}
    shown = {row["path"]: row for row in manifest_rows(left, table.root)}
    lost = {record["path"]: record["reason"] for record in gone.values() if record.get("path")}
    dead = {path: reason for path, reason in lost.items() if path not in shown}
    for file in _files(table.root, dead):
        file.unlink(missing_ok=True)
    kept = signatures.load(table.root)
    if kept:
        signatures.save(table.root, {name: grey for name, grey in kept.items() if name not in _stems(dead)})
    _blank(table, dead).update(_of_others(table, shown, lost)).save()
    listing_progress.forget(table.root)
    ledger.forget(table.root, {key: record["reason"] for key, record in gone.items()})


def _files(root: Path, dead: Mapping[str, str]) -> Iterator[Path]:
    """The pictures at these paths, and their copies of every size."""
    for path in dead:
        yield root / path
        copy = Path(path).relative_to("raw")
        yield from (folder / copy.with_suffix(e) for folder in (root / "sized").glob("*") for e in (".png", ".jpg"))


def _stems(dead: Mapping[str, str]) -> set[str]:
    return {Path(path).stem for path in dead}


def _blank(table: Manifest, dead: Mapping[str, str]) -> Manifest:
    """The table with nothing left of these pictures but that they are excluded, and why."""
    empty = {name: value for name, value in manifest.COLUMNS.items() if name not in KEPT}
    listed = set(table.table["path"])
    return table.update(
        {path: {**empty, "status": "excluded", "reason": reason} for path, reason in dead.items() if path in listed}
    )


def _of_others(table: Manifest, shown: Mapping[str, dict], lost: Mapping[str, str]) -> dict[str, dict]:
    """Where pictures came from that another post still shows: from that one."""
    listed = set(table.table["path"])
    shared = [shown[path] for path in lost if path in shown and path in listed]
    return {
        row["path"]: {name: row[name] for name in row if name not in ("path", "status", "reason")} for row in shared
    }
