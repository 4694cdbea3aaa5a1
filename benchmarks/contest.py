"""Let tools search the same pictures for duplicates, each in a process of its own, and judge what they found."""

import inspect
import os
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import judge
import truth
import watch

from toolkit import dedup

HERE = Path(__file__).resolve().parent
TURNED = "transformed"  # the option of dedup that also finds turned and mirrored pictures


@dataclass(frozen=True)
class Tool:
    """How a tool is measured.

    Args:
        default: the limit of its own choice; "" if it is called without one.
        nearer: smaller limits, judged by the distances of the pairs found at the default.
        others: limits that need a search of their own.
        ours: whether it runs in the toolkit's environment.
        once: whether it is too slow to be run more than once.
    """

    default: str = ""
    nearer: tuple[int, ...] = ()
    others: tuple[str, ...] = ()
    ours: bool = False
    once: bool = False


TOOLS = {
    "toolkit": Tool(ours=True, others=(TURNED,) * (TURNED in inspect.signature(dedup.pairs).parameters)),
    "toolkit copies": Tool(ours=True),
    "imagehash": Tool("12", (10, 8, 6, 4, 0), ours=True),
    "imagededup": Tool("10", (8, 4)),
    "difpy": Tool(once=True),
    "czkawka": Tool("10", others=("5", "2")),
    "cleanvision": Tool(),
}


@dataclass(frozen=True)
class Bench:
    """Where the work is done and with what."""

    folder: Path
    python: str
    rounds: int
    limit: float

    def run(self, file: str, *words: object, ours: bool, **environment: str) -> watch.Watched:
        """Run one of the programs beside this one, for the toolkit's own environment or that of the other tools."""
        python = sys.executable if ours else self.python
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "TOOLKIT_PROGRESS": "0", **environment}
        return watch.run([python, str(HERE / file), *map(str, words)], limit=self.limit, env=environment)

    def search(self, name: str, pictures: Path, limit: str) -> tuple[watch.Watched, judge.Pairs]:
        """Let a tool search a folder."""
        tool, pairs_file = TOOLS[name], self.folder / "pairs.csv"
        place = self.fresh(pictures) if name == "toolkit" else pictures
        function = {"toolkit": "toolkit_", "toolkit copies": "copies_"}.get(name, name)
        watched = self.run("tools.py", function, place, pairs_file, limit, ours=tool.ours)
        return watched, judge.load(pairs_file)

    def fresh(self, pictures: Path) -> Path:
        """A copy of the dataset these pictures were brought into, of which nothing is known yet."""
        stored, place = self.dataset(pictures), self.folder / "dataset"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(stored, place)
        return place

    def dataset(self, pictures: Path) -> Path:
        """Where the pictures of a folder are brought into."""
        return self.folder / "datasets" / name_of(pictures)


def name_of(pictures: Path) -> str:
    """What a set of pictures is called."""
    return "known truth" if (pictures.parent / "truth.csv").exists() else pictures.name


def brought_in(bench: Bench, sets: Sequence[Path]) -> list[dict]:
    """Bring each set into a dataset; the toolkit's search begins after that."""
    rows = []
    for pictures in sets:
        shutil.rmtree(bench.dataset(pictures), ignore_errors=True)
        into = bench.dataset(pictures)
        watched = bench.run("tools.py", "import_", pictures, bench.folder / "pairs.csv", into, ours=True)
        rows.append({"set": name_of(pictures), "pictures": count(pictures), "s": watched.work, "MB": watched.peak()})
    return rows


def duplicates(bench: Bench, sets: Sequence[Path], tools: Sequence[str]) -> tuple[list[dict], dict]:
    """Let every tool search every set, in turns; rows of times, and the pairs that each found."""
    seen, found = {}, {}
    for number in range(bench.rounds):
        for pictures in sets:
            for name in tools:
                key = name, name_of(pictures)
                if isinstance(seen.get(key), str) or (number and TOOLS[name].once):
                    continue
                try:
                    watched, found[key] = bench.search(name, pictures, TOOLS[name].default)
                    seen.setdefault(key, []).append(watched)
                    took = f"{watched.start:.2f} + {watched.work:.2f} s"
                except (RuntimeError, TimeoutError) as error:
                    seen[key] = took = str(error)
                say(f"round {number + 1}, {name_of(pictures)}, {name}: {took}")
    rows = []
    for pictures in sets:
        for name in tools:
            key, ours = (name, name_of(pictures)), seen.get(("toolkit", name_of(pictures)))
            row = {"set": name_of(pictures), "pictures": count(pictures), "tool": name}
            rows.append(row | _times(seen[key], ours) | {"pairs": len(found.get(key, ()))})
    return rows, found


def _times(runs: list[watch.Watched] | str, ours: list[watch.Watched] | str | None) -> dict[str, object]:
    if isinstance(runs, str):
        return {"start s": "", "work s": runs, "total s": "", "times the toolkit": "", "in total": "", "MB": ""}
    start, work, total = (median(runs, part) for part in ("start", "work", "total"))
    compared = isinstance(ours, list)
    return {
        "start s": start,
        "work s": work,
        "total s": total,
        "times the toolkit": work / median(ours, "work") if compared else "",
        "in total": total / median(ours, "total") if compared else "",
        "MB": max(run.peak() for run in runs),
    }


def quality(bench: Bench, known: Path, tools: Sequence[str], found: dict) -> list[dict]:
    """Precision and recall of every tool at each limit, on the set with known truth."""
    answers = truth.load(known)
    rows = []
    for name, limit, pairs in at_limits(bench, known.parent / "pictures", tools, found):
        scores = judge.scores(pairs, answers)
        rows.append({"tool": name, "limit": limit, **scores, "precision": f"{scores['precision']:.4f}"})
    return rows


def lost(bench: Bench, pictures: Path, tools: Sequence[str], found: dict) -> list[dict]:
    """How many of some pictures, all different, every tool would throw away at each limit."""
    rows = []
    for name, limit, pairs in at_limits(bench, pictures, tools, found):
        gone = judge.thrown_away(pairs)
        rows.append({"tool": name, "limit": limit, "pairs": len(pairs), f"thrown away of {count(pictures):,}": gone})
    return rows


def at_limits(
    bench: Bench, pictures: Path, tools: Sequence[str], found: dict
) -> Iterator[tuple[str, str, judge.Pairs]]:
    """Tool, limit and the pairs found with it."""
    for name in tools:
        pairs = found.get((name, name_of(pictures)))
        if pairs is not None:
            yield name, TOOLS[name].default or "default", pairs
            yield from ((name, str(limit), judge.near(pairs, limit)) for limit in TOOLS[name].nearer)
            for limit in TOOLS[name].others:
                yield name, limit, bench.search(name, pictures, limit)[1]
                say(f"{name_of(pictures)}, {name} with {limit}")


def median(runs: Sequence[watch.Watched], part: str) -> float:
    """Median of the seconds of some runs."""
    return statistics.median(getattr(run, part) for run in runs)


def count(pictures: Path) -> int:
    """How many pictures a folder has."""
    return sum(file.suffix.lower() in truth.ENDINGS for file in pictures.rglob("*"))


def say(line: str) -> None:
    """Tell whoever waits how far it is."""
    print(line, file=sys.stderr, flush=True)


def peers(folder: Path) -> str:
    """The Python of an environment with the other tools, made if it is not there."""
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        say("installing the other tools, a few gigabytes")
        extras = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-c", HERE / "constraints.txt", *extras["peers"]], check=True)
        (folder / "ready").touch()
    return str(python)
