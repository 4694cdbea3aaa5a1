"""Which pictures leave use: of what looks alike, only what a decisive look confirms.

Links by hashes and signatures make groups. Within a group the best picture is kept; another one is its copy only if a
look says so. Where most looks at a group say otherwise it is a scene, and takes the stronger evidence; so does a pair
under two labels. What no look confirms stays in use.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice, product
from typing import NamedTuple

import numpy as np

from toolkit.core import workers
from toolkit.duplicates import hamming
from toolkit.duplicates.decisive import Look
from toolkit.duplicates.matching import Pairs, UniqueSignatures

TRIES = 4  # looks at a picture that may fail, at the kept pictures it is most like
SCENE = 6  # looks at a group from which on most of them tell whether it is a scene
CLAIMED = 20  # pictures under other labels after which a picture needs no further look

LookAt = Callable[[int, int, str], Look]  # two positions, and what was done to one of the pictures


class Evidence(NamedTuple):
    """The other picture, by its position, and what the look said."""

    other: int
    look: Look


@dataclass(frozen=True)
class Confirmed:
    """What was confirmed, by the position of each picture that leaves use.

    Args:
        copies: of each copy, the picture that is kept.
        conflicts: of each picture that is there under another label too, the others.
    """

    copies: dict[int, Evidence] = field(default_factory=dict)
    conflicts: dict[int, list[Evidence]] = field(default_factory=dict)


class _Near(NamedTuple):
    """A signature that another one is paired with."""

    difference: float
    kind: int
    change: str


def confirm(
    unique: UniqueSignatures,
    pairs: Pairs,
    best_first: np.ndarray,
    labels: Sequence[str] | None,
    looks: Callable[[], LookAt],
    *,
    jobs: int = -1,
) -> Confirmed:
    """Take a decisive look at what would leave use.

    Args:
        unique: the signatures of all pictures.
        pairs: of signatures that are alike.
        best_first: positions of the pictures, in the order of preference.
        labels: of all pictures; None where there are none.
        looks: makes what looks at two pictures, for one group in one thread.
        jobs: threads, -1 for one per core.

    Returns:
        The copies and the label conflicts; of a pair both pictures are linked, and a copy's kept picture comes before
        it in the order and stays in use.
    """
    near, groups = _near(unique, pairs), _groups(unique, pairs, best_first)
    names = np.full(len(unique.inverse), "", object) if labels is None else np.asarray(labels, object)
    confirmed = Confirmed()

    def judged(members: list[int]) -> Confirmed:
        return _Group(members, unique.inverse, near, names, looks()).judge()

    with ThreadPoolExecutor(workers.cores() if jobs < 1 else jobs) as pool:
        for group in pool.map(judged, groups):
            confirmed.copies.update(group.copies)
            confirmed.conflicts.update(group.conflicts)
    return confirmed


def _near(unique: UniqueSignatures, pairs: Pairs) -> dict[int, list[_Near]]:
    """Of every signature itself and those it is paired with, the nearest first."""
    near: dict[int, list[_Near]] = defaultdict(list)
    columns = (pairs.difference, pairs.first, pairs.second, pairs.change)
    for difference, first, second, change in zip(*(column.tolist() for column in columns), strict=True):
        near[first].append(_Near(difference, second, change))
        near[second].append(_Near(difference, first, change))
    for kind in np.flatnonzero(unique.counts > 1).tolist():
        near[kind].append(_Near(-1.0, kind, ""))
    return {kind: sorted(others) for kind, others in near.items()}


def _groups(unique: UniqueSignatures, pairs: Pairs, best_first: np.ndarray) -> Iterator[list[int]]:
    """The pictures of every group that has several, in the order of preference."""
    component = hamming.components(pairs.first, pairs.second, len(unique.counts))[unique.inverse[best_first]]
    order = np.argsort(component, kind="stable")
    _, sizes = np.unique(component, return_counts=True)
    ends = np.cumsum(sizes).tolist()
    for start, end in zip([0, *ends], ends, strict=False):
        if end - start > 1:
            yield best_first[order[start:end]].tolist()


class _Group:
    """The pictures of one group, the best first."""

    def __init__(
        self, members: list[int], kind: np.ndarray, near: dict[int, list[_Near]], labels: np.ndarray, look_at: LookAt
    ):
        self._members, self._kind, self._near, self._labels = members, kind, near, labels
        self._look_at = look_at

    def judge(self) -> Confirmed:
        """What leaves use."""
        conflicts = self._conflicts()
        left = [place for place in self._members if place not in conflicts]
        copies, looks = self._copies(left, strict=False)
        if looks >= SCENE and len(copies) < looks / 2:
            copies, _ = self._copies(left, strict=True)
        return Confirmed(copies, conflicts)

    def _copies(self, members: list[int], *, strict: bool) -> tuple[dict[int, Evidence], int]:
        """Of every copy the kept picture that it is most like, and how many looks were taken."""
        kept: dict[tuple[int, str], list[int]] = defaultdict(list)
        copies, looks = {}, 0
        for place in members:
            kind, label = int(self._kind[place]), self._labels[place]
            likely = ((other, link.change) for link in self._near.get(kind, ()) for other in kept[link.kind, label])
            for other, change in islice(likely, TRIES):
                look, looks = self._look_at(other, place, change), looks + 1
                if look.certain(strict=strict):
                    copies[place] = Evidence(other, look)
                    break
            else:
                kept[kind, label].append(place)
        return copies, looks

    def _conflicts(self) -> dict[int, list[Evidence]]:
        """Of every picture those that are the same under other labels."""
        conflicts: dict[int, list[Evidence]] = {place: [] for place in self._members}
        earlier: dict[tuple[int, str], list[int]] = defaultdict(list)
        labels = sorted(set(self._labels[self._members]))
        for place in self._members if len(labels) > 1 else ():
            kind, label, failed = int(self._kind[place]), self._labels[place], 0
            foreign = [name for name in labels if name != label]
            for link, name in product(self._near.get(kind, ()), foreign):
                for other in earlier[link.kind, name]:
                    if failed < TRIES and min(len(conflicts[place]), len(conflicts[other])) < CLAIMED:
                        look = self._look_at(other, place, link.change)
                        if look.certain(strict=True):
                            conflicts[place].append(Evidence(other, look))
                            conflicts[other].append(Evidence(place, look))
                        failed += not look.certain(strict=True)
            earlier[kind, label].append(place)
        return {place: evidence for place, evidence in conflicts.items() if evidence}
