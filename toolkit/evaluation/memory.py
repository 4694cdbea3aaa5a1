"""Peak memory of inference, measured in a fresh process that does nothing else.

This process has read pictures, drawn figures and perhaps trained; its memory says nothing about a model. So each model
answers in a process of its own, one picture at a time, and the operating system tells that process's peak.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import toolkit
from toolkit.core import parallel, paths, stderr
from toolkit.errors import BundleError
from toolkit.evaluation import names
from toolkit.model import bundle
from toolkit.model.bundle import Bundle

FILE = "memory.json"
PICTURES = 5  # one after the other; more change nothing


def measure(runs: Sequence[Bundle]) -> dict[str, float]:
    """Peak memory of each model's inference, stored in `memory.json` of its bundle.

    Args:
        runs: the models.

    Returns:
        By name of the run, or DATASET/RUN if they are of several datasets, the peak in megabytes (10⁶ bytes) of a
        process that only opens the model and answers one picture at a time, Python and TensorFlow included; NaN where
        the operating system does not tell.

    Raises:
        BundleError: a model that cannot be asked.

    >>> measure([bundle.load("cars_tanks/vgg")])  # doctest: +SKIP
    {'vgg': 803.2}
    """
    todo = [run for run in runs if math.isnan(stored(run))]
    failed = []
    with stderr.notice("measuring memory …"):
        measured = list(parallel.map(_in_fresh_process, todo, jobs=2))
    for run, megabytes in zip(todo, measured, strict=True):
        if isinstance(megabytes, parallel.Failure):
            failed.append(f"expected {run.name} to answer in a process of its own, got: {megabytes.reason}")
            continue
        paths.write(run.folder / FILE, json.dumps({"sha256": run.facts["sha256"], "megabytes": megabytes}) + "\n")
    if failed:  # only now, so that one does not stop the others
        raise BundleError("; ".join(failed))
    return dict(zip(names.short(runs), map(stored, runs), strict=True))


def stored(run: Bundle) -> float:
    """The megabytes that were measured of this very model; NaN if they were not."""
    file = run.folder / FILE
    record = json.loads(file.read_text()) if file.exists() else {}
    megabytes = record.get("megabytes") if record.get("sha256") == run.facts.get("sha256") else None
    return math.nan if megabytes is None else float(megabytes)


def _in_fresh_process(run: Bundle) -> float | None:
    """The peak of a process that runs this file, in megabytes."""
    package = os.pathsep.join([str(Path(toolkit.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "toolkit.evaluation.memory", str(run.folder)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": package})
    if done.returncode:
        raise BundleError((done.stderr.strip().splitlines() or ["no reason"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def _peak() -> float | None:
    """Peak memory of this process in megabytes; None where the operating system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux `getrusage` would include the peak of the parent process
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return round(int(line.split()[1]) * 1024 / 1e6, 1)
    try:
        import resource
    except ImportError:  # Windows
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1)  # bytes on macOS


def _answer(folder: str) -> None:
    """Answer a few pictures, and print the peak."""
    trained = bundle.load(folder)
    pictures = np.random.default_rng(7).integers(0, 256, (PICTURES, trained.size, trained.size, 3), dtype=np.uint8)
    for picture in pictures:
        trained.probabilities(picture[None])
    sys.stdout.write(f"{json.dumps(_peak())}\n")


if __name__ == "__main__":
    _answer(sys.argv[1])
