"""What the table of a dataset costs as it grows, on made-up rows without pictures: a part of `scale.py`.

Each operation runs in a process of its own, so that its peak of memory is its own; what it needs is read first, and is
in the peak but not in the time.
"""

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit import dedup, manifest, split
from toolkit.dataset import signatures, storage
from toolkit.dataset.manifest import Manifest
from toolkit.duplicates import hamming, matching
from toolkit.images.hashes import to_text

CLASSES, COPIES, PLANTED = 10, 0.05, 10_000  # classes, share of rows whose file is there twice, pairs of near hashes
SIGNATURES = 1_000_000  # rows up to which they are made up too: a gigabyte a million

Work = Callable[[], object]


def measured(home: Path, sizes: Sequence[int], only: tuple[str, ...]) -> list[dict]:
    """Core-seconds and peak memory of every operation, a row for each, and the exponent with which it grows."""
    names = [name for name in OPERATIONS if name.startswith(only)]
    rows = []
    for name in names:
        costs = {size: cost for size in sizes if (cost := _in_a_process(home / str(size), size, name))}
        cells = {f"{size:,} rows": f"{seconds:.3g} s, {peak:,.0f} MB" for size, (seconds, peak) in costs.items()}
        rows.append({"operation": name, **cells, "exponent": _exponent(costs)})
    return rows


def _in_a_process(root: Path, size: int, name: str) -> tuple[float, float] | None:
    if name.startswith("dedup") and size > SIGNATURES:
        return None
    _prepare(root, size)
    done = subprocess.run([sys.executable, __file__, str(root), name], stdout=subprocess.PIPE, check=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    print(f"{size:,} {name}: {seconds:.3g} core-seconds, {peak:,.0f} MB", flush=True)
    return seconds, peak


def _prepare(root: Path, size: int) -> None:
    if not root.exists():
        subprocess.run([sys.executable, __file__, str(root), str(size)], check=True)


def _exponent(costs: dict[int, tuple[float, float]]) -> str:
    """By how much the cost grows with the rows, between the smallest size and the largest."""
    if len(costs) < 2:
        return ""
    (small, (few, _)), (large, (many, _)) = min(costs.items()), max(costs.items())
    return f"{math.log(max(many, 1e-3) / max(few, 1e-3)) / math.log(large / small):.2f}"


def make(root: Path, rows: int) -> None:
    """Store a dataset whose cells are as long as those of a real one, and its signatures."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(0)
    same = np.where(rng.random(rows) < COPIES, np.arange(rows) - np.arange(rows) % 2, np.arange(rows))
    digest = pd.Series(_hexadecimal(rng, rows), dtype="str").iloc[same].reset_index(drop=True)
    hashes = rng.integers(0, 2**64, rows, dtype=np.uint64)[same]
    which = np.sort(rng.integers(0, CLASSES, rows))  # so that the rows are in the order in which they are kept
    label = pd.Series([f"class {number}" for number in range(CLASSES)], dtype="str").iloc[which].reset_index(drop=True)
    number = pd.Series(np.arange(rows), dtype="int64").astype("str").str.zfill(8)
    columns = {
        "path": "raw/" + label + "/" + number + digest.str[:56] + ".jpg",
        "label": label,
        "class_index": which,
        "status": "ok",
        "sha256": digest,
        "phash": pd.Series(to_text(hashes), dtype="str"),
        "width": 1024,
        "height": 768,
        "bytes": rng.integers(20_000, 400_000, rows),
        "format": "JPEG",
        **{name: rng.normal(500, 100, rows).round(1) for name in ("sharpness", "brightness")},
        "source": "urls",
        "url": "https://pictures.example/" + digest.str[:24] + ".jpg",
        "license": "CC BY 4.0",
    }
    Manifest(root, pd.DataFrame({**manifest.COLUMNS, **columns})).save()
    if rows <= SIGNATURES:
        grey = rng.integers(0, 256, (4096, 32, 32), dtype=np.uint8)
        for start in range(0, rows, len(grey)):
            part = slice(start, min(start + len(grey), rows))
            own = grey[: part.stop - part.start] ^ hashes[part].view(np.uint8).reshape(-1, 8).repeat(4, 1)[:, None]
            signatures.add(root, digest[part].tolist(), own)


def _hexadecimal(rng: np.random.Generator, rows: int) -> list[str]:
    digits = rng.bytes(32 * rows).hex()
    return [digits[start : start + 64] for start in range(0, len(digits), 64)]


def load(root: Path) -> Work:
    """Read the table."""
    return lambda: manifest.load(root)


def save(root: Path) -> Work:
    """Write it whole."""
    changed = manifest.load(root).assign(title="")
    return changed.save


def load_csv(root: Path) -> Work:
    """Read it as CSV."""
    storage.LARGE = 1 << 40
    copied = root.with_name(f"{root.name}-csv")
    if not copied.exists():
        copied.mkdir()
        Manifest(copied, manifest.load(root).table).save()
    return lambda: manifest.load(copied)


def save_csv(root: Path) -> Work:
    """Write it as CSV."""
    load_csv(root)
    return manifest.load(root.with_name(f"{root.name}-csv")).save


def change(root: Path) -> Work:
    """Take a picture out of use, in a table that is open, and store that."""
    opened = manifest.load(root)
    used = np.flatnonzero(opened.table["status"] == "ok")
    path = opened.table["path"].iloc[used[len(used) // 3]]
    return lambda: opened.exclude([path], reason="a boat").save()


def count(root: Path) -> Work:
    """What `show` prints."""
    opened = manifest.load(root)
    return lambda: (opened.counts(), opened.provenance(), opened.left_out_reasons(), opened.notes())


def divide(root: Path) -> Work:
    """Split."""
    opened = manifest.load(root)
    return lambda: split.assign(opened, seed=7, again=True)


def group(root: Path) -> Work:
    """All of dedup but the decisive look, for which the made-up rows have no pictures."""
    opened = manifest.load(root)
    return lambda: dedup.group(opened)


def search(root: Path) -> Work:
    """Near hashes among as many as there are rows, planted pairs among them, all of which have to be there."""
    rows = int(root.name)
    rng, bits = np.random.default_rng(1), matching.default_max_distance(rows)
    hashes = rng.integers(0, 2**64, rows, dtype=np.uint64)
    planted = rng.permutation(rows)[: 2 * min(PLANTED, rows // 2)].reshape(2, -1)
    near = (rng.permutation(64)[: place % (bits + 1)] for place in range(len(planted[0])))
    turned = [sum(1 << int(bit) for bit in few) for few in near]
    hashes[planted[1]] = hashes[planted[0]] ^ np.array(turned, np.uint64)
    hamming.within(hashes[:50_000], bits)  # compiles

    def work() -> None:
        first, second, _ = hamming.within(hashes, bits)
        found = np.isin(planted.min(axis=0) * rows + planted.max(axis=0), first * rows + second)
        print(f"{bits} bits: {len(first):,} pairs, {found.sum():,} of {len(found):,} planted", file=sys.stderr)
        hamming.components(first, second, rows)

    return work


OPERATIONS: dict[str, Callable[[Path], Work]] = {
    "load": load,
    "save, whole": save,
    "one change": change,
    "load as CSV": load_csv,
    "save as CSV": save_csv,
    "counts, provenance, reasons": count,
    "split": divide,
    "dedup, with signatures": group,
    "search of near hashes": search,
}


def main(root: Path, what: str) -> None:
    """Make a dataset of so many rows, or run one operation on it and print what it cost."""
    if what.isdecimal():
        make(root, int(what))
        return
    work = OPERATIONS[what](root)
    before = _busy()
    work()
    print(json.dumps([_busy() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3]))


def _busy() -> float:
    """Seconds for which cores were busy with this process and those it has started."""
    return time.process_time() + sum(os.times()[2:4])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
