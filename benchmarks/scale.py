"""What each stage costs per million pictures, and how the manifest behaves as it grows: the figures of docs/scale.md.

python benchmarks/scale.py PICTURES --rows 60000,1000000
"""

import argparse
import importlib.util
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import table

from toolkit import dedup, images, manifest, resize, scrape, split, verify
from toolkit.dataset import signatures
from toolkit.dataset.manifest import Manifest
from toolkit.duplicates import hamming
from toolkit.images.measure import SIDE

LABELS = ("cars", "tanks")


class Cost(NamedTuple):
    """Seconds on the clock, and seconds that cores were busy, which other work on the machine changes less."""

    clock: float
    cores: float


def main() -> None:
    """Time the stages on real pictures, then the manifest and the hash search on made-up rows."""
    parser = table.arguments(__doc__)
    parser.add_argument("pictures", help="a folder with a folder of pictures per class")
    parser.add_argument("--rows", default="60000,1000000", help="sizes of made-up manifests, with commas")
    parser.add_argument("--rows-only", type=int, help=argparse.SUPPRESS)  # a process for each size
    asked = parser.parse_args()
    if asked.rows_only:
        table.show(tables(asked.rows_only), json_file=asked.json)
        return
    print("stages on real pictures")
    table.show(stages(asked.pictures), json_file=asked.json)
    for rows in map(int, asked.rows.split(",")):
        print(f"\n{rows:,} made-up rows")
        sys.stdout.flush()
        subprocess.run([sys.executable, __file__, asked.pictures, "--rows-only", str(rows)], check=True)


def stages(pictures: str) -> list[dict]:
    """Seconds and core-hours per million pictures of each stage that opens files."""
    with tempfile.TemporaryDirectory() as home:
        found = scrape.collect(f"folder:{pictures}", into=Path(home, "pictures"))
        verify.check(found)  # so that libraries and files are loaded
        checked, verified = timed(lambda: verify.check(found))
        timings = {"verify": checked}
        timings["dedup, all of it"], kept = timed(lambda: dedup.group(verified))
        for size in (64, 224):
            timings[f"resize to {size}"], _ = timed(lambda size=size: resize.write(kept, size=size))
        timings["split"], _ = timed(lambda: split.assign(kept, seed=7))
        timings["reading squares of 224"], _ = timed(lambda: read(kept.where(status="ok").sized(224)))
        timings["second look at as many pairs"], _ = timed(lambda: look_again(found.root, len(found)))
        size = {side: sum(f.stat().st_size for f in kept.where(status="ok").sized(side)) for side in (64, 224)}
    cores, count = joblib.cpu_count(), len(found)
    rows = [
        {
            "stage": name,
            "pictures": count,
            "seconds": round(cost.clock, 3),
            "core-seconds": round(cost.cores, 3),
            "core-hours per million": round(cost.cores / count * 1e6 / 3600, 2),
        }
        for name, cost in timings.items()
    ]
    print(f"{cores} cores; KB per square: {', '.join(f'{s}: {b / count / 1e3:.1f}' for s, b in size.items())}")
    return rows


def tables(rows: int) -> list[dict]:
    """Seconds, bytes and memory of a manifest with so many rows: as CSV, as Parquet, and its hash search."""
    results = []
    with tempfile.TemporaryDirectory() as home:
        root = Path(home)
        whole = made_up(root, rows)
        results.append(row("save CSV", timed(whole.save)[0], root / manifest.FILE))
        results.append(row("load CSV", timed(lambda: manifest.load(root))[0]))
        (root / manifest.FILE).unlink()
        file = root / "manifest.parquet"
        if importlib.util.find_spec("pyarrow"):  # pip install pyarrow to have these two rows
            results.append(row("save Parquet", timed(lambda: whole.table.to_parquet(file))[0], file))
            results.append(row("load Parquet", timed(lambda: pd.read_parquet(file))[0]))
        usable = whole.where(status="ok")
        results.append(row("split", timed(lambda: split.assign(whole, seed=7))[0]))
        results.append(row("list files", timed(lambda: usable.files)[0]))
        hashes = np.random.default_rng(0).integers(0, 2**64, rows, dtype=np.uint64)
        hamming.within(hashes[:50_000], 12)  # compiles
        cost, (first, *_) = timed(lambda: hamming.within(hashes, 12))
        results.append(row(f"hash search at 12 bits, {len(first):,} pairs", cost))
        if rows <= 1_000_000:
            grey = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE), dtype=np.uint8)
            known = {f"{n:064x}": grey[0] for n in range(rows)}
            results.append(
                row("save signatures", timed(lambda: signatures.save(root, known))[0], root / signatures.FILE)
            )
            results.append(row("load signatures", timed(lambda: signatures.load(root))[0]))
    return results


def made_up(root: Path, rows: int) -> Manifest:
    """A manifest whose cells are as long as those of a real one."""
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 2**63, (rows, 4)).astype(np.uint64)
    names = ["".join(f"{part:016x}" for part in four) for four in digits.tolist()]
    which = rng.integers(0, len(LABELS), rows)
    labels = np.array(LABELS, dtype=object)[which]
    columns: dict[str, object] = {
        "path": [f"raw/{label}/{name}.jpg" for label, name in zip(labels, names, strict=True)],
        "label": labels,
        "class_index": which,
        "status": "ok",
        "group": "",
        "sha256": names,
        "phash": [name[:16] for name in names],
        "width": 1024,
        "height": 768,
        "bytes": rng.integers(20_000, 400_000, rows),
        "format": "JPEG",
        "sharpness": rng.normal(500, 100, rows).round(1),
        "brightness": rng.normal(120, 20, rows).round(1),
        "source": "urls",
        "url": [f"https://pictures.example/{name[:24]}.jpg" for name in names],
        "license": "CC BY 4.0",
    }
    return Manifest(root, pd.DataFrame({**manifest.COLUMNS, **columns}))


def read(files: list[Path]) -> None:
    """What training does in every epoch with pictures that do not fit into memory."""
    for file in files:
        images.read(file)


def look_again(root: Path, pairs: int) -> None:
    """Compare the signatures of pictures drawn at random."""
    grey = np.stack(list(signatures.load(root).values())).astype(np.uint8)
    dedup.differences(grey, *np.random.default_rng(0).integers(0, len(grey), (2, pairs)))


def timed(work: Callable[[], object]) -> tuple[Cost, object]:
    """What some work cost, and what came of it."""
    started, busy = time.perf_counter(), time.process_time()
    result = work()
    return Cost(time.perf_counter() - started, time.process_time() - busy), result


def row(name: str, cost: Cost, file: Path | None = None) -> dict:
    """A row of the table; the memory is the most this process ever had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    size = round(file.stat().st_size / 1e6, 1) if file else ""
    return {
        "what": name,
        "seconds": round(cost.clock, 2),
        "core-seconds": round(cost.cores, 2),
        "MB on disk": size,
        "peak GB": round(peak, 2),
    }


if __name__ == "__main__":
    main()
