"""What each stage costs per million pictures, and what the table costs as it grows: the figures of docs/scale.md.

python benchmarks/scale.py PICTURES                               # stages on real pictures
python benchmarks/scale.py --rows 10000,100000,1000000,10000000   # the table alone, of made-up rows
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import table
import table_rows

from toolkit import dedup, images, resize, scrape, split, verify
from toolkit.dataset import signatures


class Cost(NamedTuple):
    """Seconds on the clock, and seconds that cores were busy, which other work on the machine changes less."""

    clock: float
    cores: float


def main() -> None:
    """Time the stages on real pictures, or what the table does on made-up rows."""
    parser = table.arguments(__doc__)
    parser.add_argument("pictures", nargs="?", help="a folder with a folder of pictures per class")
    parser.add_argument("--rows", default="", help="sizes of made-up tables, with commas")
    parser.add_argument("--into", help="folder that made-up tables are kept in, for parts of it (default: none)")
    parser.add_argument("--only", default="", help="beginning of the names of operations, with commas (default: all)")
    asked = parser.parse_args()
    if asked.pictures:
        print("stages on real pictures")
        table.show(stages(asked.pictures), json_file=asked.json)
    if asked.rows:
        with tempfile.TemporaryDirectory() as home:
            into, only = Path(asked.into or home), tuple(asked.only.split(","))
            table.show(table_rows.measured(into, [*map(int, asked.rows.split(","))], only), json_file=asked.json)


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


if __name__ == "__main__":
    main()
