"""What learning costs as pictures and classes grow: heads on features, feeding a training, signatures at a URL.

python benchmarks/scale_learning.py --head 1000000x1280x10 --classes 1000 --feed 3000 --verify 1000,8000
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import table

SIDE = 224
APART = 3.5  # standard deviations within a class, about, from its centre to the mean of all


def main() -> None:
    """Measure what is asked for, each in a process of its own, whose peak is that of the process."""
    parser = table.arguments(__doc__)
    parser.add_argument("--head", action="append", default=[], metavar="PICTURESxFEATURESxCLASSES")
    parser.add_argument("--steps", help="of the solver at most, and one strength, for --head (default: nine, whole)")
    parser.add_argument("--classes", action="append", default=[], metavar="CLASSES", help="with five pictures each")
    parser.add_argument("--feed", action="append", default=[], metavar="PICTURES", help="squares of 224 pixels")
    parser.add_argument("--verify", help="pictures at memory://, with commas")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)  # a process for each
    asked = parser.parse_args()
    kinds: dict[str, Callable[[str], list[dict]]] = {"head": head, "classes": classes, "feed": feed, "verify": verify}
    if asked.one:
        kind, size = asked.one
        table.print_rows(head(size, int(asked.steps or 0)) if kind == "head" else kinds[kind](size))
        return
    few = ["--steps", asked.steps] if asked.steps else []
    for kind in kinds:
        values = getattr(asked, kind) or []
        for value in values.split(",") if isinstance(values, str) else values:
            print(f"\n{kind} {value}", flush=True)
            subprocess.run([sys.executable, __file__, "--one", kind, value, *few], check=True)
    print("\n" + table.in_words(table.machine()))


def head(size: str, steps: int = 0) -> list[dict]:
    """A head on made-up features that lie in a mapped array: written, then fitted with nine strengths.

    With a number of steps it is one strength, the middle one, and no more steps than that.
    """
    from toolkit.core import arrays
    from toolkit.training import logistic, probe

    count, width, labels = map(int, size.split("x"))
    names = [b"%064d/0" % number for number in range(count)]
    truth = np.arange(count) % labels
    with tempfile.TemporaryDirectory() as home:
        written = timed("write features", lambda: made_up(Path(home), names, truth, width))
        rows = arrays.Store(Path(home)).rows(np.arange(count).reshape(-1, 1), dtype=np.float32)
        held = np.random.default_rng(1).random(count) < 0.2
        parts = np.flatnonzero(~held), np.flatnonzero(held)

        def fit() -> None:
            search = probe._Search(probe.Solver(rows, parts[0]), rows, truth, parts[0], [parts], True)
            search.run(probe.CS[4:5] if steps else probe.CS)
            print(search.history().round(4).to_string(index=False))

        logistic.STEPS = steps or logistic.STEPS
        return [written, timed(f"fit one strength, {steps} steps" if steps else "fit nine strengths", fit)]


def made_up(folder: Path, names: list[bytes], labels: np.ndarray, width: int) -> None:
    """Features of classes that overlap, as much at any width, a slice at a time."""
    from toolkit.core import arrays

    centres = np.random.default_rng(0).normal(0, APART / width**0.5, (labels.max() + 1, width)).astype(np.float32)
    with arrays.Writer(folder) as writer:
        for start in range(0, len(names), 4096):
            own = labels[start : start + 4096]
            noise = np.random.default_rng(start).standard_normal((len(own), width), dtype=np.float32)
            writer.add(names[start : start + 4096], centres[own] + noise + 1)


def classes(count: str) -> list[dict]:
    """Many classes of five pictures: strengths as they are chosen, and the best of them."""
    from toolkit.training import probe

    truth = np.repeat(np.arange(int(count)), 10)
    rng = np.random.default_rng(0)
    vectors = (rng.normal(0, 0.45, (int(count), 352))[truth] + rng.normal(0, 1, (len(truth), 352))).astype(np.float32)
    learned, held = np.arange(0, len(truth), 2), np.arange(1, len(truth), 2)
    search = probe._Search(probe.Solver(vectors, learned), vectors[:, None], truth, learned, [(learned, held)], True)

    def choose() -> None:
        search.run(probe.CS)
        while C := search.further():
            search.run((C,))

    row, history = timed("choose a strength", choose), search.history()
    best = history.iloc[search.best()]
    return [{**row, "C": best["C"], "val loss": best["val_loss"], "val right": best["val_accuracy"]}]


def feed(count: str) -> list[dict]:
    """Epochs of squares in a mapped array: as they are, with the usual augmentation, and with RandAugment."""
    from toolkit.core import arrays
    from toolkit.training import batches
    from toolkit.training.augment import Augmentation
    from toolkit.training.mixing import Mixing

    pictures, size = int(count), SIDE
    with tempfile.TemporaryDirectory() as home:
        names = [b"%064d/0" % number for number in range(pictures)]
        with arrays.Writer(Path(home)) as writer:
            for start in range(0, pictures, 256):
                part = names[start : start + 256]
                drawn = np.random.default_rng(start).integers(0, 256, (len(part), size, size, 3), dtype=np.uint8)
                writer.add(part, drawn)
        pixels = arrays.Store(Path(home)).rows(np.arange(pictures))
        files, labels = (Path(),) * pictures, np.arange(pictures) % 10
        examples = batches.Examples(files, labels, TEN, size, pixels)

        def epoch(augmentation: Augmentation | None = None, mixing: Mixing | None = None, most: int = pictures) -> int:
            how = {"augmentation": augmentation, "mixing": mixing, "dtype": "uint8"}  # as a training does
            for _ in batches.training(examples, batch_size=32, seed=7, epoch=0, **how).take(most // 32):
                pass
            return most

        few = min(pictures, 640)
        for how in ({}, {"augmentation": Augmentation()}, {"mixing": Mixing(randaugment=2)}):
            epoch(**how, most=few)  # libraries, what is compiled, and the file in the system's cache
        return [
            timed("as they are", epoch, pictures),
            timed("usual augmentation", lambda: epoch(Augmentation(), most=few), few),
            timed("RandAugment 2", lambda: epoch(mixing=Mixing(randaugment=2), most=few), few),
        ]


TEN = tuple("abcdefghij")


def verify(count: str) -> list[dict]:
    """Bytes that are written to fsspec's memory by `verify` of so many small pictures there."""
    from fsspec.implementations.memory import MemoryFileSystem

    from toolkit import images, manifest
    from toolkit import verify as verification
    from toolkit.core import remote

    root, rows = remote.path(f"memory://scale-{count}/set"), []
    for number in range(int(count)):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        path = f"raw/{TEN[number % 10]}/{number}.png"
        content = images.to_png(pixels)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
        rows.append({"path": path, "label": TEN[number % 10], "sha256": f"{number:064x}", "bytes": len(content)})
    found = manifest.from_rows(root, rows).save()
    written = []
    for name in ("put_file", "pipe_file"):
        before = getattr(MemoryFileSystem, name)

        def counted(self, first, second, *rest, _before=before, **options):
            written.append(len(second) if isinstance(second, bytes) else Path(first).stat().st_size)
            return _before(self, first, second, *rest, **options)

        setattr(MemoryFileSystem, name, counted)
    row = timed("verify and save", lambda: verification.check(found).save(), int(count))
    return [{**row, "MB written": round(sum(written) / 1e6, 2), "objects": len(written)}]


def timed(name: str, work: Callable[[], object], pictures: int = 0) -> dict:
    """A row: what some work cost, and the most memory that this process ever had."""
    started, busy = time.perf_counter(), time.process_time()
    work()
    cores = time.process_time() - busy
    row = {"what": name, "seconds": round(time.perf_counter() - started, 1), "core-seconds": round(cores, 1)}
    row |= {"pictures per core-second": round(pictures / cores) if pictures else ""}
    return row | {"peak GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)}


if __name__ == "__main__":
    main()
