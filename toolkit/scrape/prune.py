"""Remove what was removed on Reddit: its terms ask for it, and so do those who posted the pictures."""

import re
import shutil
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from toolkit.core import parallel
from toolkit.dataset import manifest, signatures
from toolkit.dataset.manifest import Manifest
from toolkit.errors import SourceError
from toolkit.scrape import ledger, listing_progress, reddit
from toolkit.scrape.item import Options
from toolkit.scrape.manifest_rows import manifest_rows
from toolkit.scrape.reddit_posts import removed

if TYPE_CHECKING:
    import praw

BATCH = 100  # posts Reddit tells about at a time, at most
FEW, LOOKS, TRIES = 10, 2, 5  # posts at a time of those it left out; answers that must agree, and may be asked for
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
    records = ledger.read(table.root)  # lines whose file lies elsewhere are left out
    asked = {key: _post(record) for key, record in records.items() if record.get("source") == "reddit"}
    subreddits = {post: _subreddit(records[key]) for key, post in asked.items() if post}
    reasons = _reasons(subreddits, options or Options(), sleep)
    gone = {key: records[key] | {"reason": reasons[post]} for key, post in asked.items() if post in reasons}
    if delete and gone:
        with ledger.Ledger(table.root):  # so that nothing is collected meanwhile
            _delete(table, records, gone)
    columns = {name: [str(record.get(name, "")) for record in gone.values()] for name in COLUMNS}
    return pd.DataFrame({"key": list(gone), **columns})


def _post(record: Mapping[str, object]) -> str:
    return str(record.get("source_id", "")).rpartition("-")[0]


def _subreddit(record: Mapping[str, object]) -> str:
    named = re.search(r"/r/(\w+)/", str(record.get("page_url", "")))
    return named[1] if named else ""


def _reasons(by_id: Mapping[str, str], options: Options, sleep: Callable[[float], None]) -> dict[str, str]:
    """Why posts are gone, by their id, given the subreddit of each; those that are still there are left out."""
    ids = sorted(by_id)
    if not ids:
        return {}
    # Nobody has to say that they may remove what its author took back.
    connection = reddit.connect(replace(options, permission=True))
    answers: dict[str, str] = {}
    with parallel.progress(None, total=len(ids), description="prune", unit=" posts") as bar:
        for start in range(0, len(ids), BATCH):
            answers |= _told(connection, ids[start : start + BATCH], sleep)
            bar.update(len(ids[start : start + BATCH]))
    if not answers:
        raise SourceError(
            f"expected Reddit to know some of {len(ids)} posts, got none; check that it is Reddit you ask"
        )
    missing = [post for post in ids if post not in answers]
    answers |= _asked_again(connection, missing, next(iter(answers)), sleep)
    unknown = [post for post in missing if post not in answers]
    private = {name for name in {by_id[post] for post in missing if answers.get(post) == MISSING} if name}
    private -= {by_id[post] for post, reason in answers.items() if reason != MISSING}
    private = {name for name in sorted(private) if reddit.is_private(connection, name, sleep=sleep)}
    kept = [post for post in missing if answers.get(post) == MISSING and by_id[post] in private]
    _tell(unknown, kept, private)
    return {post: reason for post, reason in answers.items() if reason and post not in kept}


def _told(connection: "praw.Reddit", ids: list[str], sleep: Callable[[float], None]) -> dict[str, str]:
    """What Reddit tells of posts: why they were removed, "" of those that are there; nothing of those it leaves out."""
    query = {"id": ",".join(f"t3_{post}" for post in ids)}
    posts_there, _ = next(reddit.pages(connection, "posts", "api/info", query, sleep=sleep))
    return {str(post["id"]): removed(post) for post in posts_there}


def _asked_again(
    connection: "praw.Reddit", missing: list[str], witness: str, sleep: Callable[[float], None]
) -> dict[str, str]:
    """What Reddit tells when it is asked once more for the posts that it left out, a few at a time.

    Its answers come back empty at random, so one of them says that a post is gone only if it shows another post, the
    witness, that is known to be there, and does so twice.
    """
    told: dict[str, str] = {}
    for start in range(0, len(missing), FEW):
        batch, looks = missing[start : start + FEW], 0
        for attempt in range(TRIES):
            answer = _told(connection, [witness, *batch], sleep)
            told |= {post: reason for post, reason in answer.items() if post in batch}
            looks += witness in answer
            if looks == LOOKS or all(post in told for post in batch):
                break
            sleep(min(30.0, 2.0**attempt))
        if looks == LOOKS:
            told |= {post: MISSING for post in batch if post not in told}
    return told


def _tell(unknown: list[str], kept: list[str], private: Collection[str]) -> None:
    if unknown:
        warnings.warn(
            f"Reddit's answers said nothing of {len(unknown)} posts; they are kept, so run the same again later",
            stacklevel=4,
        )
    if kept:
        names = ", ".join(f"r/{name}" for name in sorted(private))
        warnings.warn(f"{len(kept)} posts of {names}, private now, cannot be looked at; they are kept", stacklevel=4)


def _delete(table: Manifest, records: Mapping[str, dict], gone: Mapping[str, dict]) -> None:
    """Files first, then the table, the ledger last: a run that is killed finds the same posts again."""
    left = {key: record for key, record in records.items() if key not in gone}
    shown = {row["path"]: row for row in manifest_rows(left, table.root)}
    lost = {record["path"]: record["reason"] for record in gone.values() if record.get("path")}
    dead = {path: reason for path, reason in lost.items() if path not in shown}
    for file in _files(table.root, dead):
        file.unlink(missing_ok=True)
    shutil.rmtree(table.root / "squares", ignore_errors=True)  # pixels of all, which a training decodes again
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
