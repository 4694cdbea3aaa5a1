"""Which pictures of a folder are copies of one another: no dataset, nothing changed, nothing deleted.

Every file is opened once; what makes two pictures the same is what it is for `dedup`, see `links`.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from toolkit.core import workers
from toolkit.duplicates import hamming, matching
from toolkit.errors import DatasetError
from toolkit.images import hashes, measure

ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".mpo")
MANY = 2000  # files that are worth other processes, however small they are
BATCH, BATCH_BYTES = 64, 4_000_000  # files a worker takes at a time, at most, and their bytes together


@dataclass(frozen=True)
class Picture:
    """A picture that has copies, or is one.

    Args:
        path: of the file.
        width, height: in pixels, upright.
        bytes: of the file.
        copy_of: the path of the better one; "" for the best, and for what is only like a copy of it.
        distance: bits in which their hashes differ, 0 to 64.
        agreement: of the two pictures, 1 where their signatures are equal, about 0 where they have nothing in common.
        identical: whether the two files are the same, byte for byte.
        change: what was done to one of them: "", "mirrored", "turned by 90°", …
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


class Pair(NamedTuple):
    """Two pictures that are the same picture."""

    path: str
    other: str
    distance: int
    difference: float
    change: str


@dataclass(frozen=True, eq=False)
class Copies:
    """What was found.

    Args:
        pictures: how many could be opened.
        unreadable: path and reason of the others, sorted.
        groups: what hangs together, the largest group first; in each the best picture comes first, then its copies.
    """

    pictures: int
    unreadable: list[tuple[str, str]]
    groups: list[list[Picture]]
    _paths: list[str]
    _kinds: matching.Kinds
    _links: matching.Links

    @property
    def spare(self) -> list[Picture]:
        """The pictures of which a better copy is there."""
        return [picture for group in self.groups for picture in group if picture.copy_of]

    def pairs(self) -> Iterator[Pair]:
        """All pairs that are the same picture, also of two copies."""
        one, other, found = matching.expanded(self._kinds, self._links)
        columns = (one, other, found.distance, found.difference.round(4), found.change)
        for first, second, *told in zip(*(column.tolist() for column in columns), strict=True):
            yield Pair(self._paths[first], self._paths[second], *told)


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
    jobs: int = -1,
) -> Copies:
    """Look for copies in folders, with all below them, and among files.

    Hidden files and folders are passed over, and so are links to a file or folder that is looked at anyway. A file that
    is named is looked at whatever its ending.

    Args:
        places: a folder or a file, or several.
        max_distance, max_difference, transformed: as in `dedup.group`.
        jobs: processes, -1 for one per core.

    Returns:
        Groups, and why some files could not be opened.

    Raises:
        DatasetError: there is no such folder or file.
        ValueError: a limit is out of its range.

    >>> among("holiday").groups  # doctest: +SKIP
    """
    matching.check(max_distance, max_difference)
    files = _listed([places] if isinstance(places, str | Path) else places)
    rows, reasons = _sketched(files, workers.cores() if jobs < 1 else jobs)
    seen = np.array([place for place in range(len(files)) if place not in reasons], np.int64)
    files, rows, reasons = [files[n] for n in seen], rows[seen], {files[n].path: why for n, why in reasons.items()}
    kinds = matching.kinds(rows["grey"])
    grey = rows["grey"][kinds.one_of]
    found = matching.find(
        grey,
        hashes.perceptual(grey),
        max_distance=matching.reach(len(rows)) if max_distance is None else max_distance,
        max_difference=max_difference,
        transformed=transformed,
    )
    found = found.only(found.accepted(max_difference))
    return Copies(
        len(files),
        sorted(reasons.items()),
        _groups(files, rows, kinds, found),
        [file.path for file in files],
        kinds,
        found,
    )


def _groups(files: list[_File], rows: np.ndarray, kinds: matching.Kinds, found: matching.Links) -> list[list[Picture]]:
    """What hangs together, the best of each first."""
    pixels = rows["width"].astype(np.int64) * rows["height"]
    weight = np.array([file.bytes for file in files], np.int64)
    component = hamming.components(found.first, found.second, len(kinds.counts))
    ends = zip(found.first.tolist(), found.second.tolist(), strict=True)
    link = {pair: place for place, pair in enumerate(ends)}
    kind, side, sha256 = kinds.of.tolist(), rows[["width", "height"]].tolist(), rows["sha256"]
    groups: dict[int, list[Picture]] = {}

    def picture(place: int, **told: object) -> Picture:
        return Picture(files[place].path, *side[place], files[place].bytes, **told)

    def copy(place: int, best: int) -> Picture:
        one, other = sorted((kind[place], kind[best]))
        if one == other:
            same = weight[place] == weight[best] and bytes(sha256[place]) == bytes(sha256[best])
            return picture(place, copy_of=files[best].path, identical=bool(same))
        at = link[one, other]
        told = {"distance": int(found.distance[at]), "agreement": round(1 - float(found.difference[at]) / 2, 3)}
        return picture(place, copy_of=files[best].path, **told, change=found.change[at])

    best_first = matching.order(np.arange(len(files)), pixels, rows["sharpness"], weight)  # files are sorted
    for best, places in matching.originals(kinds, matching.around(found, kinds.counts), best_first):
        group = groups.setdefault(int(component[kinds.of[best]]), [])
        nearest = sorted((copy(place, best) for place in places.tolist()), key=lambda one: (one.distance, one.path))
        group += [picture(best), *nearest]
    return sorted(groups.values(), key=lambda group: (-len(group), group[0].path))


def _sketched(files: list[_File], jobs: int) -> tuple[np.ndarray, dict[int, str]]:
    """What is known of every file, and why some could not be opened, by their place."""
    weight = np.array([file.bytes for file in files], np.int64)
    order = np.argsort(-weight, kind="stable")  # the same files come together, and the little ones fill the end
    twice = np.zeros(len(files), bool)
    same = np.flatnonzero(weight[order][1:] == weight[order][:-1])
    twice[order[same]] = twice[order[same + 1]] = True
    batches = list(_batches(order, weight))
    work = [[(files[place].path, bool(twice[place])) for place in batch] for batch in batches]
    rows, reasons = np.zeros(len(files), measure.QUICK), {}
    for batch, (told, wrong) in zip(
        batches, workers.map_in_processes(measure.quick, work, most=jobs, at_once=len(files) > MANY), strict=True
    ):
        rows[batch] = told
        reasons |= {int(batch[place]): reason for place, reason in wrong.items()}
    return rows, reasons


def _batches(order: np.ndarray, weight: np.ndarray) -> Iterator[np.ndarray]:
    start = 0
    while start < len(order):
        many = int(np.searchsorted(np.cumsum(weight[order[start : start + BATCH]]), BATCH_BYTES, side="right"))
        yield order[start : start + max(1, many)]
        start += max(1, many)


def _listed(places: Iterable[str | Path]) -> list[_File]:
    """The files, each once, sorted by path."""
    found: dict[object, _File] = {}
    wanted = [file for place in places for file in _below(os.fspath(place))]
    for identity, file in sorted(wanted, key=lambda pair: (pair[1].link, pair[1].path)):
        found.setdefault(identity, file)
    return sorted(found.values())


def _below(place: str) -> Iterator[tuple[object, _File]]:
    """The pictures of a folder and of all below it, or the file itself; each with what tells it from all others."""
    if not Path(place).is_dir():
        if not os.path.lexists(place):
            raise DatasetError(f"expected a folder or a picture at {place}, found nothing; check the path")
        yield _named(Path(place))
        return
    folders = [place]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:  # opening it will say why
            yield folder, _File(folder, 0, False)
            continue
        for entry in entries:
            if entry.name.startswith((".", "__MACOSX")):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif entry.name.lower().endswith(ENDINGS) and not (entry.is_symlink() and Path(entry).is_dir()):
                yield _named(entry)


def _named(file: Path | os.DirEntry) -> tuple[object, _File]:
    """A file, and what tells it from all others, by whatever name and link it is reached."""
    path = os.fspath(file)
    try:
        told = file.stat()
    except OSError:  # opening it will say why
        return path, _File(path, 0, True)
    return (told.st_dev, told.st_ino) if told.st_ino else path, _File(path, told.st_size, file.is_symlink())
