"""Dividing the pictures of a class by hash: whole groups into parts or folds, in an order drawn from a seed.

The order is that of a hash of the seed and the name of each group, so it costs the same for every picture, and the same
group is at the same place whatever others there are.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

TRAIN = "train"


class Groups(NamedTuple):
    """The groups of a class in the order of their hashes: how large each is, and the one of every picture."""

    sizes: np.ndarray
    members: np.ndarray


def hashed(names: Sequence[str] | np.ndarray, seed: int) -> Groups:
    """The groups of pictures in an order drawn from a seed.

    Args:
        names: of the group of each picture.
        seed: any integer.
    """
    members, different = pd.factorize(np.asarray(names, object))
    sizes = np.bincount(members, minlength=len(different))
    digests = b"".join(hashlib.sha256(f"{seed}\0{name}".encode()).digest() for name in different)
    words = np.frombuffer(digests, ">u8").reshape(-1, 4)
    order = np.lexsort(words.T[::-1])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return Groups(sizes[order], rank[members])


def parts(groups: Groups, before: np.ndarray, *, shares: Mapping[str, float]) -> np.ndarray:
    """The part of each picture: that of its group, else the first that still lacks pictures.

    Args:
        groups: of the pictures.
        before: the part that each is in already, or "".
        shares: of the pictures for each part but train, what is filled first at the beginning.
    """
    wanted = {part: max(1, round(share * len(before))) for part, share in shares.items()}
    chosen = _inherited(groups, before)
    have = {part: int((before == part).sum()) for part in wanted}
    joined = np.bincount(groups.members[before != chosen[groups.members]], minlength=len(groups.sizes))
    sizes, inherited = groups.sizes.tolist(), chosen.tolist()
    for group, (size, part) in enumerate(zip(sizes, inherited, strict=True)):
        if all(have[name] >= count for name, count in wanted.items()):
            break  # all others go to train
        if part in have:
            have[part] += int(joined[group])
        elif not part and (lacking := [name for name in wanted if have[name] + size <= wanted[name]]):
            chosen[group] = lacking[0]
            have[lacking[0]] += size
    chosen[chosen == ""] = TRAIN
    for part, count in wanted.items():
        if not (chosen == part).any():
            chosen[_smallest(groups.sizes, np.flatnonzero(chosen == TRAIN), count)] = part
    return chosen[groups.members]


def folds(labels: np.ndarray, names: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """The fold of each picture: that where its class has the fewest, a group as a whole, and large groups first.

    Args:
        labels: of the pictures; a group of several labels goes by the first.
        names: of the group of each picture.
        count: of the folds.
        seed: any integer.
    """
    groups, (number, _) = hashed(names, seed), pd.factorize(labels, sort=True)
    home = np.empty(len(groups.sizes), np.int64)
    home[groups.members[::-1]] = number[::-1]  # so that the first counts
    have = [[0] * count for _ in range(number.max(initial=-1) + 1)]
    fold, sizes, classes = np.empty(len(home), np.int64), groups.sizes.tolist(), home.tolist()
    for group in np.argsort(-groups.sizes, kind="stable").tolist():
        of_class, first = have[classes[group]], classes[group] % count  # classes begin at different folds
        turned = of_class[first:] + of_class[:first]
        chosen = (turned.index(min(turned)) + first) % count
        of_class[chosen] += sizes[group]
        fold[group] = chosen
    return fold[groups.members]


def _inherited(groups: Groups, before: np.ndarray) -> np.ndarray:
    """The part of each group that has one: that of the first of its pictures that is in one."""
    chosen = np.full(len(groups.sizes), "", object)
    there = np.flatnonzero(before != "")[::-1]  # so that the first counts
    chosen[groups.members[there]] = before[there]
    return chosen


def _smallest(sizes: np.ndarray, train: np.ndarray, count: int) -> np.ndarray:
    """About `count` pictures from the smallest groups of train, at least one group, but never the last."""
    order = train[np.argsort(sizes[train], kind="stable")][:-1]
    within = np.cumsum(sizes[order]) <= count
    within[:1] = True
    return order[within]
