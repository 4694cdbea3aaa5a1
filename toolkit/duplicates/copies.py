"""Copies among the pictures of a folder: no dataset, nothing changed, nothing deleted.

Every file is opened once, and what may be a copy once more; two pictures are the same as in `dedup`, see `matching`
and `confirmation`.
"""

import os
import warnings
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from toolkit.core import workers
from toolkit.duplicates import brake, hamming, matching
from toolkit.duplicates.confirmation import confirm
from toolkit.errors import DatasetError
from toolkit.images import files as walk
from toolkit.images import hashes, measure
from toolkit.images.files import Found, Passed

MANY = 2000  # files that are worth other processes, however small they are
BATCH, BATCH_BYTES = 64, 4_000_000  # files a worker takes at a time, at most, and their bytes together


@dataclass(frozen=True)
class Picture:
    """A picture that has copies, or is one.

    Args:
        path: of the file.
        width, height: in pixels, upright.
        bytes: of the file.
        copy_of: the path of the better one; "" for the best, and for what is only alike: no look makes it a copy.
        distance: bits in which their hashes differ, 0 to 64.
        agreement: of the two pictures, 1 where their signatures are equal, about 0 where they have nothing in common.
        identical: whether the two files are the same, byte for byte.
        change: what was done to one of them: "", "mirrored", "turned by 90°", …
        score: what the decisive look found, from 0 for the same pixels to 1 for a copy that is just certain.
    """

    path: str
    width: int
    height: int
    bytes: int
    copy_of: str = ""
    distance: int = 0
    agreement: float = 1.0
    identical: bool = False
    change: str = ""
    score: float = 0.0


class Pair(NamedTuple):
    """Two pictures that are the same picture."""

    path: str
    other: str
    distance: int
    difference: float
    change: str


@dataclass(frozen=True, eq=False)
class Copies:
    """The copies in a folder.

    Args:
        pictures: how many could be opened.
        unreadable: path and reason of the others, sorted.
        passed_over: how many files were not looked at, by reason: hidden, an ending that is not read, …
        groups: connected components, the largest first; in each the best picture comes first, then its copies, then
            what is only alike, each with its own copies.
        warning: why fewer are called copies than looks say; "" if none were left out.
    """

    pictures: int
    unreadable: list[tuple[str, str]]
    passed_over: dict[str, int]
    groups: list[list[Picture]]
    warning: str
    _paths: list[str]
    _unique: matching.UniqueSignatures
    _near: matching.Pairs

    @property
    def redundant(self) -> list[Picture]:
        """The redundant pictures, of which a better copy is there."""
        return [picture for group in self.groups for picture in group if picture.copy_of]

    def pairs(self) -> Iterator[Pair]:
        """All pairs that are the same picture, also of two copies."""
        left, right, near = matching.expand_pairs(self._unique, self._near)
        columns = (left, right, near.distance, near.difference.round(4), near.change)
        for first, second, distance, difference, change in zip(*(column.tolist() for column in columns), strict=True):
            yield Pair(self._paths[first], self._paths[second], distance, difference, change)


class _File(NamedTuple):
    path: str
    bytes: int
    link: bool


def among(
    places: str | Path | Iterable[str | Path],
    *,
    max_distance: int | None = None,
    max_difference: float = matching.MAX_DIFFERENCE,
    transformed: bool = False,
    max_share: float = brake.MAX_SHARE,
    jobs: int = -1,
) -> Copies:
    """Look for copies in folders, with all below them, and among files.

    Hidden files and folders are passed over, and so are links to a file or folder that is looked at anyway, and files
    that are no pictures by their ending; all are counted. A file that is named is looked at whatever its ending.

    Args:
        places: a folder or a file, or several.
        max_distance, max_difference, transformed, max_share: as in `dedup.group`.
        jobs: processes, -1 for one per core.

    Returns:
        Groups, and why some files could not be opened.

    Raises:
        DatasetError: there is no such folder or file.
        ValueError: a limit is out of its range.

    >>> among("holiday").groups  # doctest: +SKIP
    """
    matching.check(max_distance, max_difference)
    files, passed = _listed([places] if isinstance(places, str | Path) else places)
    rows, reasons = _measured(files, workers.cores() if jobs < 1 else jobs)
    unreadable = sorted((files[index].path, reason) for index, reason in reasons.items())
    opened = [index for index in range(len(files)) if index not in reasons]
    files, rows = [files[index] for index in opened], rows[opened]
    unique = matching.unique_signatures(rows["grey"])
    grey = rows["grey"][unique.first]
    near = matching.find(
        grey,
        hashes.perceptual(grey),
        max_distance=matching.default_max_distance(len(rows)) if max_distance is None else max_distance,
        max_difference=max_difference,
        transformed=transformed,
    )
    near = near.select(near.accepted(max_difference))
    groups, warning = _groups(files, rows, unique, near, max_share=max_share, jobs=jobs)
    if warning:
        warnings.warn(warning, stacklevel=2)
    return Copies(len(files), unreadable, passed, groups, warning, [file.path for file in files], unique, near)


def _groups(
    files: list[_File],
    rows: np.ndarray,
    unique: matching.UniqueSignatures,
    near: matching.Pairs,
    *,
    max_share: float,
    jobs: int,
) -> tuple[list[list[Picture]], str]:
    """Connected components, the best picture of each first; and a warning."""
    paths, contents = [file.path for file in files], _contents(files, rows)
    pixels = rows["width"].astype(np.int64) * rows["height"]
    size = np.array([file.bytes for file in files], np.int64)
    ranking = matching.best_first(np.arange(len(files)), pixels, rows["sharpness"], size)  # files are sorted
    confirmed = confirm(unique, near, ranking, paths, contents, names=paths, max_share=max_share, jobs=jobs)
    pair_of = {pair: index for index, pair in enumerate(zip(near.first.tolist(), near.second.tolist(), strict=True))}

    def picture(index: int) -> Picture:
        return Picture(files[index].path, int(rows["width"][index]), int(rows["height"][index]), files[index].bytes)

    def copy(index: int) -> Picture:
        best, look = confirmed.copies[index]
        made = replace(picture(index), copy_of=files[best].path, score=round(look.score, 3))
        first, second = sorted((int(unique.inverse[index]), int(unique.inverse[best])))
        if first == second:
            return replace(made, identical=contents[index] == contents[best])
        pair = pair_of[first, second]
        return replace(
            made,
            distance=int(near.distance[pair]),
            agreement=round(1 - float(near.difference[pair]) / 2, 3),
            change=near.change[pair],
        )

    copies: dict[int, list[Picture]] = {}
    for index, (best, _) in confirmed.copies.items():
        copies.setdefault(best, []).append(copy(index))
    component = hamming.components(near.first, near.second, len(unique.counts))[unique.inverse]
    several = np.bincount(component)[component] > 1 if len(files) else np.zeros(0, bool)
    groups: dict[int, list[Picture]] = {}
    for index in ranking[several[ranking]].tolist():
        if index not in confirmed.copies:
            nearest = sorted(copies.get(index, ()), key=lambda picture: (picture.distance, picture.path))
            groups.setdefault(int(component[index]), []).extend([picture(index), *nearest])
    return sorted(groups.values(), key=lambda group: (-len(group), group[0].path)), confirmed.warning


def _contents(files: list[_File], rows: np.ndarray) -> list[Hashable]:
    """What the bytes of each file are called: their sha256 where another file has as many bytes, else the path."""
    digests = (bytes(digest) for digest in rows["sha256"])
    return [digest if any(digest) else file.path for file, digest in zip(files, digests, strict=True)]


def _measured(files: list[_File], jobs: int) -> tuple[np.ndarray, dict[int, str]]:
    """The quick measures of every file, and by index why some could not be opened."""
    size = np.array([file.bytes for file in files], np.int64)
    order = np.argsort(-size, kind="stable")  # the same files come together, and the little ones fill the end
    twice = np.zeros(len(files), bool)
    same = np.flatnonzero(size[order][1:] == size[order][:-1])
    twice[order[same]] = twice[order[same + 1]] = True
    batches = list(_batches(order, size))
    work = [[(files[index].path, bool(twice[index])) for index in batch] for batch in batches]
    rows = np.zeros(len(files), measure.QUICK)
    reasons: dict[int, str] = {}
    measured = workers.map_in_processes(measure.quick, work, most=jobs, at_once=len(files) > MANY)
    for batch, (batch_rows, batch_reasons) in zip(batches, measured, strict=True):
        rows[batch] = batch_rows
        reasons |= {int(batch[index]): reason for index, reason in batch_reasons.items()}
    return rows, reasons


def _batches(order: np.ndarray, size: np.ndarray) -> Iterator[np.ndarray]:
    start = 0
    while start < len(order):
        many = int(np.searchsorted(np.cumsum(size[order[start : start + BATCH]]), BATCH_BYTES, side="right"))
        yield order[start : start + max(1, many)]
        start += max(1, many)


def _listed(places: Iterable[str | Path]) -> tuple[list[_File], dict[str, int]]:
    """The files, each once, sorted by path; and by reason how many were passed over."""
    by_identity: dict[object, _File] = {}
    passed: dict[str, int] = {}
    listed: list[tuple[object, _File]] = []
    for place in places:
        for found in _below(os.fspath(place)):
            if isinstance(found, Passed):
                passed[found.reason] = passed.get(found.reason, 0) + 1
            else:
                listed.append(found)
    for identity, file in sorted(listed, key=lambda pair: (pair[1].link, pair[1].path)):
        by_identity.setdefault(identity, file)
    return sorted(by_identity.values()), passed


def _below(place: str) -> Iterator[tuple[object, _File] | Passed]:
    """The pictures of a folder and of all below it, or the file itself, each with its identity; what is passed over."""
    if not Path(place).is_dir():
        if not os.path.lexists(place):
            raise DatasetError(f"expected a folder or a picture at {place}, found nothing; check the path")
        yield _named(place)
        return
    for found in _files_below(place):
        if isinstance(found, Passed):
            yield (found.path, _File(found.path, 0, True)) if found.path else found  # opening it will say why
        else:
            yield _identity(found.path, found.status), _File(found.path, found.status.st_size, found.link)


def _files_below(place: str) -> Iterator[Found | Passed]:
    try:
        yield from walk.below(place)
    except OSError as error:
        yield Passed(f"folder that cannot be read: {error.strerror}", place, place)


def _named(path: str) -> tuple[object, _File]:
    try:
        status = Path(path).stat()
    except OSError:  # opening it will say why
        return path, _File(path, 0, True)
    return _identity(path, status), _File(path, status.st_size, Path(path).is_symlink())


def _identity(path: str, status: os.stat_result) -> object:
    """What is the same whatever name or link leads to a file."""
    return (status.st_dev, status.st_ino) if status.st_ino else path
