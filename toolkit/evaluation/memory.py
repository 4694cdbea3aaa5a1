"""What an answer takes: the memory of a process that does nothing else, measured from outside of this one.

This process has read pictures, drawn figures and perhaps trained; what it holds says nothing of a model. So each is
asked in a fresh process, one picture at a time, and the system tells the most memory it had at any moment.
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
from toolkit.core import parallel, paths
from toolkit.errors import BundleError
from toolkit.model import bundle
from toolkit.model.bundle import Bundle

FILE = "memory.json"
PICTURES = 5  # one after the other; more change nothing


def measure(runs: Sequence[Bundle]) -> dict[str, float]:
    """How much memory each model takes to answer, kept in `memory.json` of its bundle.

    Args:
        runs: the models.

    Returns:
        By name of the run, the most megabytes (10⁶ bytes) that a process had at any moment which only opens the model
        and answers one picture at a time, Python and TensorFlow included; NaN where the system does not tell.

    Raises:
        BundleError: a model that cannot be asked.

    >>> measure([bundle.load("cars_tanks/vgg")])  # doctest: +SKIP
    {'vgg': 803.2}
    """
    todo = [run for run in runs if math.isnan(known(run))]
    for run, found in zip(todo, parallel.map(_asked, todo, jobs=2), strict=True):
        if isinstance(found, parallel.Failure):
            raise BundleError(f"expected {run.name} to answer in a process of its own, got: {found.reason}")
        paths.write(run.folder / FILE, json.dumps({"sha256": run.facts["sha256"], "megabytes": found}) + "\n")
    return {run.name: known(run) for run in runs}


def known(run: Bundle) -> float:
    """The megabytes that were measured of this very model; NaN if they were not."""
    file = run.folder / FILE
    found = json.loads(file.read_text()) if file.exists() else {}
    megabytes = found.get("megabytes") if found.get("sha256") == run.facts.get("sha256") else None
    return math.nan if megabytes is None else float(megabytes)


def _asked(run: Bundle) -> float | None:
    """The answer of a fresh process that runs this file."""
    here = os.pathsep.join([str(Path(toolkit.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "toolkit.evaluation.memory", str(run.folder)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": here})
    if done.returncode:
        raise BundleError((done.stderr.strip().splitlines() or ["no reason"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def _peak() -> float | None:
    """The most memory this process had at any moment, in megabytes; None where the system does not tell."""
    facts = Path("/proc/self/status")
    if facts.exists():  # and not what `getrusage` says on Linux, where a process inherits the peak of its parent
        (line,) = (line for line in facts.read_text().splitlines() if line.startswith("VmHWM:"))
        return round(int(line.split()[1]) * 1024 / 1e6, 1)
    try:
        import resource
    except ImportError:  # Windows
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1)  # bytes on macOS


def _answer(folder: str) -> None:
    """What the fresh process does."""
    trained = bundle.load(folder)
    pictures = np.random.default_rng(7).integers(0, 256, (PICTURES, trained.size, trained.size, 3), dtype=np.uint8)
    for picture in pictures:
        trained.probabilities(picture[None])
    sys.stdout.write(f"{json.dumps(_peak())}\n")


if __name__ == "__main__":
    _answer(sys.argv[1])
