"""Which pictures leave use: of what looks alike, only what a decisive look confirms.

Links by hashes and signatures make groups. Within a group the best picture is kept; another one is its copy only if a
look says so. Where most looks at a group say otherwise it is a scene, and takes the stronger evidence; so does a pair
under two labels. What no look confirms stays in use.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np

from toolkit.core import parallel, remote
from toolkit.duplicates import brake, hamming
from toolkit.duplicates.decisive import Look
from toolkit.duplicates.looks import Looks
from toolkit.duplicates.matching import Pairs, UniqueSignatures
from toolkit.errors import ToolkitError
from toolkit.images import Source

TRIES = 4  # looks at a picture that may fail, at the kept pictures it is most like
SCENE = 6  # looks at a group from which on most of them tell whether it is a scene
CLAIMED = 1  # pictures under other labels after which a picture needs no further look

LookAt = Callable[[int, int, str], Look]  # two pictures, and what was done to one of them


class Evidence(NamedTuple):
    """The other picture, by its index, and what the look said."""

    other: int
    look: Look


@dataclass(frozen=True)
class Confirmed:
    """What was confirmed, by the index of each picture that leaves use.

    Args:
        copies: of each copy, the picture that is kept.
        conflicts: of each picture that is there under another label too, the others.
        warning: why more than that was left in use; "" if it was not.
    """

    copies: dict[int, Evidence] = field(default_factory=dict)
    conflicts: dict[int, list[Evidence]] = field(default_factory=dict)
    warning: str = ""


class _Near(NamedTuple):
    """A signature that another one is paired with."""

    difference: float
    signature: int
    change: str


def confirm(
    unique: UniqueSignatures,
    pairs: Pairs,
    ranking: np.ndarray,
    sources: Sequence[Source],
    contents: Sequence[Hashable],
    *,
    names: Sequence[str],
    labels: Sequence[str] | None = None,
    max_share: float = brake.MAX_SHARE,
    jobs: int = -1,
) -> Confirmed:
    """Take a decisive look at what would leave use.

    Args:
        unique: the signatures of all pictures.
        pairs: of signatures that are alike.
        ranking: indices of the pictures, the best first.
        sources: a file per picture.
        contents: per picture what its bytes are called, such as their sha256.
        names: what each is called in a warning.
        labels: of each, "" for none; None where there are none at all.
        max_share: of all pictures, that looks may take out of use; 1 is off. See `brake`.
        jobs: processes, -1 for one per core; within `parallel.cluster` its workers.

    Returns:
        The copies and the label conflicts; a copy's kept picture ranks before it or has a label that it has not, and
        stays in use.
    """
    component = hamming.components(pairs.first, pairs.second, len(unique.counts))[unique.inverse]
    named = np.asarray(labels if labels is not None else [""] * len(component), object)
    near = _near(unique, pairs)
    files = _Files(unique.inverse, named, sources, contents)
    groups = [files.of(group, near) for group in _groups(component, ranking)]
    found = _all_judged(groups, only_identical=False, jobs=jobs)
    taken = {index: evidence[0] for index, evidence in found.conflicts.items()} | found.copies
    warning = brake.warning(taken, component, names, labels, max_share=max_share)
    return replace(_all_judged(groups, only_identical=True, jobs=jobs), warning=warning) if warning else found


class _Members(NamedTuple):
    """The pictures of one group, the best first, and all that another process needs to judge them."""

    indices: list[int]
    signatures: np.ndarray
    labels: np.ndarray
    sources: list[Source]
    contents: list[Hashable]
    near: dict[int, list[_Near]]


class _Files(NamedTuple):
    """Of every picture its signature, its label, its file and what its bytes are called."""

    signatures: np.ndarray
    labels: np.ndarray
    sources: Sequence[Source]
    contents: Sequence[Hashable]

    def of(self, group: list[int], near: dict[int, list[_Near]]) -> _Members:
        """The pictures of one group."""
        signatures = self.signatures[group]
        sources, contents = [self.sources[index] for index in group], [self.contents[index] for index in group]
        alike = {signature: near[signature] for signature in set(signatures.tolist()) if signature in near}
        return _Members(group, signatures, self.labels[group], sources, contents, alike)


def _all_judged(groups: Sequence[_Members], *, only_identical: bool, jobs: int) -> Confirmed:
    """What leaves use in all groups, each with looks of its own that are forgotten with it."""
    is_far = any(remote.is_url(source) for group in groups[:1] for source in group.sources[:1])
    kind: parallel.Kind = "threads" if is_far else "processes"  # other processes may not see that place
    judge, confirmed = partial(_judged, only_identical=only_identical), Confirmed()
    for part in parallel.map(judge, groups, jobs=jobs if jobs > 0 else -1, kind=kind):
        if isinstance(part, parallel.Failure):
            raise ToolkitError(f"expected a look at every group of pictures, one stopped: {part.reason}")
        confirmed.copies.update(part.copies)
        confirmed.conflicts.update(part.conflicts)
    return confirmed


def _judged(group: _Members, *, only_identical: bool) -> Confirmed:
    """What leaves use in one group, by the indices of all pictures."""
    look_at, whole = Looks(group.sources, group.contents, only_identical=only_identical).at, group.indices
    found = _Group(list(range(len(whole))), group.signatures, group.near, group.labels, look_at).judge()
    copies = {whole[place]: Evidence(whole[other], look) for place, (other, look) in found.copies.items()}
    conflicts = {
        whole[place]: [Evidence(whole[other], look) for other, look in evidence]
        for place, evidence in found.conflicts.items()
    }
    return Confirmed(copies, conflicts)


def _near(unique: UniqueSignatures, pairs: Pairs) -> dict[int, list[_Near]]:
    """Of every signature itself and those it is paired with, the nearest first."""
    near: dict[int, list[_Near]] = defaultdict(list)
    columns = (pairs.difference, pairs.first, pairs.second, pairs.change)
    for difference, first, second, change in zip(*(column.tolist() for column in columns), strict=True):
        near[first].append(_Near(difference, second, change))
        near[second].append(_Near(difference, first, change))
    for signature in np.flatnonzero(unique.counts > 1).tolist():
        near[signature].append(_Near(-1.0, signature, ""))
    return {signature: sorted(others) for signature, others in near.items()}


def _groups(component: np.ndarray, ranking: np.ndarray) -> Iterator[list[int]]:
    """The pictures of every group that has several, the best first."""
    order = np.argsort(component[ranking], kind="stable")
    _, sizes = np.unique(component[ranking], return_counts=True)
    ends = np.cumsum(sizes).tolist()
    for start, end in zip([0, *ends], ends, strict=False):
        if end - start > 1:
            yield ranking[order[start:end]].tolist()


class _Group:
    """The pictures of one group, the best first."""

    def __init__(
        self, pictures: list[int], signature: np.ndarray, near: dict[int, list[_Near]], labels: np.ndarray, look: LookAt
    ):
        self._pictures, self._signature, self._near, self._labels = pictures, signature, near, labels
        self._look = look

    def judge(self) -> Confirmed:
        """What leaves use."""
        conflicts = self._conflicts()
        remaining = [index for index in self._pictures if index not in conflicts]
        copies, looks = self._copies(remaining, strict=False)
        if looks >= SCENE and len(copies) < looks / 2:
            copies, _ = self._copies(remaining, strict=True)
        return Confirmed(copies, conflicts)

    def _copies(self, pictures: list[int], *, strict: bool) -> tuple[dict[int, Evidence], int]:
        """Of every copy the kept picture that it is most like, and how many looks were taken."""
        kept: dict[tuple[int, str], list[int]] = defaultdict(list)
        copies, looks = {}, 0
        labels = sorted(set(self._labels[pictures]))
        for index in sorted(pictures, key=lambda index: self._labels[index] == ""):  # a labelled copy is kept
            under = [self._labels[index]] if self._labels[index] else labels
            for other, change in islice(self._alike(index, kept, under), TRIES):
                look, looks = self._look(other, index, change), looks + 1
                if look.certain(strict=strict):
                    copies[index] = Evidence(other, look)
                    break
            else:
                kept[self._signature[index], self._labels[index]].append(index)
        return copies, looks

    def _conflicts(self) -> dict[int, list[Evidence]]:
        """Of every picture those that are the same under other labels."""
        conflicts: dict[int, list[Evidence]] = {index: [] for index in self._pictures}
        earlier: dict[tuple[int, str], list[int]] = defaultdict(list)
        labels = sorted(set(self._labels[self._pictures]) - {""})
        for index in (index for index in self._pictures if len(labels) > 1 and self._labels[index]):
            failed, label = 0, self._labels[index]
            for other, change in self._alike(index, earlier, [name for name in labels if name != label]):
                if failed == TRIES:
                    break
                if min(len(conflicts[index]), len(conflicts[other])) < CLAIMED:
                    look = self._look(other, index, change)
                    if look.certain(strict=True):
                        conflicts[index].append(Evidence(other, look))
                        conflicts[other].append(Evidence(index, look))
                    else:
                        failed += 1
            earlier[self._signature[index], label].append(index)
        return {index: evidence for index, evidence in conflicts.items() if evidence}

    def _alike(
        self, index: int, pictures: dict[tuple[int, str], list[int]], labels: Sequence[str]
    ) -> Iterator[tuple[int, str]]:
        """Pictures under these labels that are alike, the most alike first, and what was done to one of them."""
        for near in self._near.get(int(self._signature[index]), ()):
            for label in labels:
                yield from ((other, near.change) for other in pictures[near.signature, label])
