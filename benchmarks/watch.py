"""Run a program in a process of its own, and write down how long it took and how much memory all its processes had."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.05  # seconds between two looks at the memory


@dataclass(frozen=True)
class Watched:
    """What a program did.

    Args:
        said: the JSON object it printed last; its `begun` and `ended` say when the work did, by `time.monotonic`.
        start: seconds from its start to `begun`: the interpreter, and what it imports.
        work: seconds from `begun` to `ended`.
        samples: (moment, bytes) of all its processes together; pages they share are counted once.
    """

    said: Mapping
    start: float
    work: float
    samples: Sequence[tuple[float, int]]

    @property
    def total(self) -> float:
        """Seconds from its start to the end of the work."""
        return self.start + self.work

    def peak(self, since: float = 0.0, until: float = 1.0) -> float:
        """Most megabytes at one moment, from the start of the process, or between two shares of the work."""
        begun = self.said["begun"]
        low = begun + since * self.work if since else 0
        sizes = [size for moment, size in self.samples if low <= moment <= begun + until * self.work]
        return max(sizes, default=0) / 1e6


def run(words: Sequence[str], *, limit: float | None = None, **options: object) -> Watched:
    """Run it and watch it.

    Args:
        words: the program and its arguments. Its last line of output is a JSON object with `begun` and `ended`.
        limit: seconds after which it is stopped.
        options: for `subprocess.Popen`.

    Raises:
        RuntimeError: it failed.
        TimeoutError: it took too long.
    """
    started, samples = time.monotonic(), []
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, start_new_session=True, **pipes, **options) as process:
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, samples, done))
        watcher.start()
        try:
            said, complained = process.communicate(timeout=limit)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError(f"stopped after {limit:.0f} s") from None
            raise
        finally:
            done.set()
            watcher.join()
    if process.returncode:
        raise RuntimeError(f"failed: {(complained.strip().splitlines() or ['no word'])[-1]}")
    told = json.loads(said.strip().splitlines()[-1])
    return Watched(told, told["begun"] - started, told["ended"] - told["begun"], samples)


def _watch(session: int, samples: list, done: threading.Event) -> None:
    while not done.wait(EVERY):
        samples.append((time.monotonic(), sum(map(_proportional, _members(session)))))


def _members(session: int) -> list[int]:
    """The processes of a session: the program and all it started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            facts = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(facts[3]) == session:
            found.append(int(entry.name))
    return found


def _proportional(process: int) -> int:
    """Bytes of a process; a page that n processes share counts an nth in each."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    watched = run(sys.argv[1:])
    print(f"start {watched.start:.2f} s, work {watched.work:.2f} s, peak {watched.peak():.0f} MB")
