"""One method searches random 64-bit hashes for near pairs, in this process; `clean.py` watches it.

python benchmarks/hashes.py METHOD COUNT

A twentieth of the hashes are copies of others with up to 12 bits turned; wanted are all pairs within 10 bits.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

CORES = 2
DISTANCE = 10  # bits
ROWS = 1 << 22  # pairs compared at a time
SAMPLE = 200  # hashes that are compared with all others to check a method
Pairs = tuple[np.ndarray, np.ndarray]


def planted(count: int, *, seed: int = 1) -> np.ndarray:
    """The hashes."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    copies = count // 20
    for start in range(0, copies, 100_000):
        many = min(100_000, copies - start)
        turned = rng.random((many, 64)).argsort(axis=1) < rng.integers(0, 13, many)[:, None]
        bits = np.packbits(turned, axis=1).view(np.uint64).ravel()
        place = count - copies + start
        hashes[place : place + many] = hashes[rng.integers(0, count - copies, many)] ^ bits
    return hashes


def toolkit(hashes: np.ndarray) -> Pairs:
    """The toolkit's own search."""
    from toolkit.duplicates import hamming

    return hamming.within(hashes, DISTANCE)[:2]


def numpy(hashes: np.ndarray) -> Pairs:
    """Brute force: all with all, in blocks."""
    parts, rows = [], max(1, ROWS // len(hashes))
    for start in range(0, len(hashes), rows):
        near = np.bitwise_count(hashes[start : start + rows, None] ^ hashes[None, start:]) <= DISTANCE
        row, column = np.nonzero(near)
        later = column > row
        parts.append((row[later] + start, column[later] + start))
    first, second = (np.concatenate(side) for side in zip(*parts, strict=True))
    return first, second


def imagehash(hashes: np.ndarray) -> Pairs:
    """A loop over all pairs of hash objects."""
    import imagehash as library

    known = [library.hex_to_hash(f"{value:016x}") for value in hashes.tolist()]
    return arrays(
        (one, other)
        for one in range(len(known))
        for other in range(one + 1, len(known))
        if known[one] - known[other] <= DISTANCE
    )


def imagededup(hashes: np.ndarray) -> Pairs:
    """Its own search in Cython, two workers."""
    from imagededup.methods import PHash

    known = {str(place): f"{value:016x}" for place, value in enumerate(hashes.tolist())}
    found = PHash(verbose=False).find_duplicates(
        encoding_map=known, max_distance_threshold=DISTANCE, num_dist_workers=CORES
    )
    return arrays((int(one), int(other)) for one, others in found.items() for other in others)


def faiss(hashes: np.ndarray) -> Pairs:
    """The flat binary index: exact."""
    import faiss as library

    library.omp_set_num_threads(CORES)
    rows = hashes.view(np.uint8).reshape(-1, 8)
    index = library.IndexBinaryFlat(64)
    index.add(rows)
    parts = []
    for start in range(0, len(rows), 20_000):
        limits, _, found = index.range_search(rows[start : start + 20_000], DISTANCE + 1)
        asked = np.repeat(np.arange(start, start + len(limits) - 1), np.diff(limits.astype(np.int64)))
        parts.append(np.stack([asked, found], axis=1))
    return _ordered(np.concatenate(parts))


def usearch(hashes: np.ndarray) -> Pairs:
    """A graph of near neighbours: not exact, and at most ten neighbours each."""
    from usearch.index import Index

    rows = hashes.view(np.uint8).reshape(-1, 8)
    index = Index(ndim=64, metric="hamming", dtype="b1", connectivity=16)
    index.add(np.arange(len(rows)), rows, threads=CORES)
    found = index.search(rows, 10, threads=CORES)
    near = found.distances <= DISTANCE
    asked = np.broadcast_to(np.arange(len(rows))[:, None], near.shape)
    return _ordered(np.stack([asked[near], found.keys[near].astype(np.int64)], axis=1))


def arrays(pairs: Iterable[tuple[int, int]]) -> Pairs:
    """Pairs of positions as two arrays."""
    return _ordered(np.array(list(pairs), np.int64).reshape(-1, 2))


def _ordered(pairs: np.ndarray) -> Pairs:
    """Each pair once, the smaller position first, in order."""
    unequal = pairs[pairs[:, 0] != pairs[:, 1]]
    first, second = np.unique(np.sort(unequal, axis=1), axis=0).T
    return first, second


def fingerprint(first: np.ndarray, second: np.ndarray) -> str:
    """The same for the same pairs, whatever their order."""
    order = np.lexsort((second, first))
    return hashlib.sha256(np.stack([first[order], second[order]]).astype(np.int64).tobytes()).hexdigest()


def agrees(hashes: np.ndarray, first: np.ndarray, second: np.ndarray) -> bool:
    """Whether brute force finds the same partners for some hashes, half of them planted copies."""
    count = len(hashes)
    chosen = np.random.default_rng(2).integers(0, count, SAMPLE)
    chosen[SAMPLE // 2 :] = count - 1 - chosen[SAMPLE // 2 :] % (count // 20)
    for place in chosen.tolist():
        near = np.flatnonzero(np.bitwise_count(hashes ^ hashes[place]) <= DISTANCE)
        partners = np.concatenate([second[first == place], first[second == place]])
        if not np.array_equal(near[near != place], np.sort(partners)):
            return False
    return True


def main(method: str, count: str) -> None:
    """Search twice: some other hashes, so that whatever is made ready at first is ready, and then these."""
    search: Callable[[np.ndarray], Pairs] = globals()[method]
    hashes = planted(int(count))
    first_call = time.monotonic()
    search(planted(min(len(hashes), 50_000), seed=3) if method == "toolkit" else hashes[:50])
    begun = time.monotonic()
    first, second = search(hashes)
    ended = time.monotonic()
    said = {"begun": begun, "ended": ended, "first call": begun - first_call, "pairs": len(first)}
    said |= {"fingerprint": fingerprint(first, second), "agrees": agrees(hashes, first, second)}
    print(json.dumps(said))


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    main(*sys.argv[1:])
