"""Given splits: which of train, val and test a source put its files in, and the files that it has several times.

A picture is kept once, whatever the number of its files, so what was said of each file is read from the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import paths
from toolkit.dataset import manifest
from toolkit.dataset.manifest import Manifest
from toolkit.scrape import ledger, moved

NAMED = 3  # identical files that are named in a sentence


@dataclass(frozen=True)
class Files:
    """The files behind the pictures of a dataset.

    Args:
        names: of all files of a picture, by its path in the manifest; of files on this machine below their folder.
        splits: what their folders say, by the same path: any of train, val and test.
        same_bytes: the paths of every picture by the hash of its bytes, which may be there under several labels.
    """

    names: Mapping[str, tuple[str, ...]]
    splits: Mapping[str, tuple[str, ...]]
    same_bytes: Mapping[str, tuple[str, ...]]

    @property
    def identical(self) -> list[tuple[str, ...]]:
        """The names of files that are the same byte for byte, the largest groups first."""
        groups = (tuple(name for path in same for name in self.names[path]) for same in self.same_bytes.values())
        return sorted(
            (tuple(sorted(group)) for group in groups if len(group) > 1), key=lambda group: (-len(group), group)
        )

    @property
    def is_split(self) -> bool:
        """Whether the source came divided."""
        return any(self.splits.values())


@dataclass(frozen=True)
class Twins:
    """How many files of a given test stand in train or val too.

    Args:
        test: files of the given test.
        identical: of them, those that are there byte for byte.
        near: of them, those that are there, near-duplicates that `dedup` found included.
    """

    test: int
    identical: int
    near: int

    def __str__(self) -> str:
        if not self.test or not self.near:
            return ""
        also = f", {self.near} with near-duplicates" if self.near > self.identical else ""
        return (
            f"{self.identical} of {self.test} pictures of the given test stand in train or val too{also}: figures on "
            f"that test are to {self.near / self.test:.0%} of pictures learned by heart"
        )


def files(dataset: str | Path) -> Files:
    """The files behind the pictures of a dataset, by its ledger.

    Args:
        dataset: name of a dataset in `data/`, or the path of its folder.

    >>> len(files("cars_tanks").identical)  # doctest: +SKIP
    2
    """
    root = paths.dataset(dataset)
    gone = _moved_away(root)
    said: dict[str, dict[str, str]] = {}  # by path and name of a file, which may have been looked at several times
    by_hash: dict[str, dict[str, None]] = {}
    for record in ledger.read(root).values():
        if record["status"] != "ok" or record.get("url"):  # the same picture at two addresses is no surprise
            continue
        if record["path"] in gone:
            continue
        name = record["source_id"].rpartition("@")[0] or record["source_id"]
        said.setdefault(record["path"], {})[name] = record.get("split") or ""
        by_hash.setdefault(record["sha256"], {})[record["path"]] = None
    return Files(
        names={path: tuple(of_name) for path, of_name in said.items()},
        splits={path: tuple(filter(None, of_name.values())) for path, of_name in said.items()},
        same_bytes={sha256: tuple(same) for sha256, same in by_hash.items()},
    )


def _moved_away(root: Path) -> set[str]:
    """The paths of pictures that a person has moved to another class folder since."""
    if not manifest.base(root).exists():
        return set()
    table = manifest.load(root).table
    return set(table["path"][table["reason"].str.startswith(moved.NOTE)])


def twins(found: Files, table: Manifest) -> Twins:
    """How many files of the given test have a twin to learn from.

    Args:
        found: of `files`.
        table: the dataset, whose groups of near-duplicates count where `dedup` has found some.
    """
    groups = dict(zip(table.table["path"], table.table["group"], strict=True))
    learned = {path for path, splits in found.splits.items() if {"train", "val"} & set(splits)}
    bytes_learned = {sha for sha, same in found.same_bytes.items() if learned & set(same)}
    groups_learned = {groups.get(path, "") for path in learned} - {""}
    test = identical = near = 0
    for sha, same in found.same_bytes.items():
        for path in same:
            count = found.splits[path].count("test")
            test += count
            identical += count * (sha in bytes_learned)
            near += count * (sha in bytes_learned or groups.get(path, "") in groups_learned)
    return Twins(test, identical, near)


def in_words(found: Files) -> str:
    """How many files are there several times, and some of them; "" if none are."""
    groups = found.identical
    if not groups:
        return ""
    spare = sum(len(group) - 1 for group in groups)
    named = "; ".join(" = ".join(group) for group in groups[:NAMED])
    more = "; …" if len(groups) > NAMED else ""
    are = "file is" if spare == 1 else "files are"
    return f"{spare} {are} the same as another, byte for byte, and each picture is taken once ({named}{more})"
