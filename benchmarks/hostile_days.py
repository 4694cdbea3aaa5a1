"""Two commands at once, commands that are killed, and full disks: what is lost by it?

python benchmarks/hostile_days.py pairs [--times 5]      every pair of verbs that write a dataset, started together
python benchmarks/hostile_days.py kills [--times 20]     each verb killed (kill -9) at a random moment, and run again
python benchmarks/hostile_days.py disks [--times 20]     each verb on a disk of 2 MB that runs full (needs root)

Each verb runs in a process of its own that is forked from this one, so that both of a pair begin in the same moment.
A trial is bad if a row or a mark is lost, if an error is no single line with exit code 2, or if what is there after the
same command has been run again differs from what it leaves undisturbed, but for a hidden file that was being written
when its process was killed: nobody looks at those. Ends with 1 if one is bad.
"""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import table
from PIL import Image

os.environ["TOOLKIT_PROGRESS"] = "0"

from toolkit import cli, dedup, manifest, paths, resize, review, scrape, split, verify  # noqa: E402, F401 - before forks
from toolkit.dataset import signatures  # noqa: E402

DISK = 2 << 20  # bytes
PER_CLASS = 12
Words = Callable[[Path], list[str]]


def marked(home: Path, index: int) -> str:
    """The path of a picture that one verb marks and no other does."""
    return sorted(str(file.relative_to(home / "data/pets")) for file in (home / "data/pets/raw").rglob("*.png"))[index]


VERBS: dict[str, Words] = {
    "scrape": lambda home: ["scrape", f"folder:{home / 'source'}", "--into", "pets"],
    "verify": lambda home: ["verify", "pets", "--again", "--jobs", "1"],
    "dedup": lambda home: ["dedup", "pets", "--jobs", "1"],
    "resize": lambda home: ["resize", "pets", "--size", "40", "--jobs", "1"],
    "split": lambda home: ["split", "pets", "--again", "--seed", "3"],
    "exclude": lambda home: ["exclude", "pets", marked(home, 1), "--reason", "a boat"],
    "relabel": lambda home: ["relabel", "pets", marked(home, 3), "--label", "tanks"],
}


def prepared(place: Path) -> Path:
    """A home with a dataset that has been through all stages, and pictures that it does not have yet."""
    home = place / "template"
    os.environ["TOOLKIT_HOME"] = str(home)
    noise = np.random.default_rng(0)
    for label, number in itertools.product(("cars", "tanks"), range(PER_CLASS)):
        (home / "source" / label).mkdir(parents=True, exist_ok=True)
        pixels = noise.integers(0, 256, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(home / "source" / label / f"{number}.png")
    scraped = scrape.collect(f"folder:{home / 'source'}", into="pets")
    split.assign(resize.write(dedup.group(verify.check(scraped)), size=24), seed=7).save()
    for label in ("cars", "tanks"):
        shutil.copy(home / "source" / label / "0.png", home / "source" / label / "new.png")
        with (home / "source" / label / "new.png").open("ab") as file:
            file.write(b"new")  # other bytes, the same picture
    return home


def begun(words: list[str], home: Path, said: Path) -> int:
    """Run a verb in a process forked from this one; its id."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.environ["TOOLKIT_HOME"] = str(home)
        with said.open("w") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        code = cli.main(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Its exit code; minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def copied(template: Path, target: Path) -> Path:
    """A fresh copy of the home."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(template, target, symlinks=True)
    return target


def complaint(said: Path, code: int) -> str:
    """What is wrong with how a verb ended, or ""."""
    lines = [line for line in said.read_text().splitlines() if line.startswith("toolkit: ")]
    if code not in (0, 2) or (code == 2 and len(lines) != 1):
        return f"ended with {code}: {said.read_text()[-200:]!r}"
    return ""


def lost(home: Path, names: tuple[str, ...], codes: tuple[int, ...]) -> str:
    """Which row or mark is not there, though its verb said so; or ""."""
    os.environ["TOOLKIT_HOME"] = str(home)
    rows = manifest.load("pets").table.set_index("path")
    done = {name for name, code in zip(names, codes, strict=True) if code == 0}
    if len(rows) != len(list((home / "data/pets/raw").rglob("*.png"))) and "scrape" not in names:
        return f"{len(rows)} rows"
    if "scrape" in done and len(rows) < 2 * PER_CLASS + 2:
        return f"{len(rows)} rows"
    if "exclude" in done and rows.loc[marked(home, 1), "status"] != "excluded":
        return "exclude"
    if "relabel" in done and rows.loc[marked(home, 3), "label"] != "tanks":
        return "relabel"
    return ""


def pairs(template: Path, place: Path, times: int) -> list[dict]:
    """Every pair, and every verb beside itself."""
    rows = []
    for names in itertools.combinations_with_replacement(VERBS, 2):
        outcomes, problems = Counter(), []
        for _ in range(times):
            home = copied(template, place / "home")
            said = [place / f"said{number}" for number in range(2)]
            words = [VERBS[name](home) for name in names]
            children = [begun(word, home, file) for word, file in zip(words, said, strict=True)]
            codes = tuple(map(ended, children))
            wrong = [complaint(*pair) for pair in zip(said, codes, strict=True)] + [lost(home, names, codes)]
            problems += filter(None, wrong)
            outcomes["both" if codes == (0, 0) else "one refused" if 0 in codes else "neither"] += 1
        said_so = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        rows.append({"pair": " + ".join(names), "trials": times, "done": said_so, "bad": "; ".join(problems) or 0})
    return rows


def state(home: Path) -> dict[str, object]:
    """What a verb leaves behind, but for moments and the order of lines."""
    os.environ["TOOLKIT_HOME"] = str(home)
    root = paths.dataset("pets")
    files = {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("[!.]*.png")}
    known = {name: grey.tobytes() for name, grey in signatures.load(root).items()}
    keys = {line.partition('"path"')[2] for line in (root / "ledger.jsonl").read_text().splitlines()}
    return {"table": manifest.load(root).table.to_csv(), "files": files, "signatures": known, "ledger": keys}


def undisturbed(template: Path, place: Path, name: str) -> tuple[dict[str, object], float]:
    """What a verb leaves behind when nothing happens, and the seconds it takes."""
    home = copied(template, place / "home")
    started = time.perf_counter()
    ended(begun(VERBS[name](home), home, place / "said"))
    seconds = time.perf_counter() - started
    return state(home), seconds


def again(home: Path, name: str, expected: dict[str, object], place: Path) -> str:
    """Run it again: how what it leaves differs, or ""."""
    code = ended(begun(VERBS[name](home), home, place / "said"))
    if code:
        return f"again: {code} {(place / 'said').read_text()[-200:]!r}"
    after = state(home)
    return ", ".join(f"another {part}" for part in expected if after[part] != expected[part])


def kills(template: Path, place: Path, times: int) -> list[dict]:
    """Each verb, killed at a random moment."""
    rows = []
    for name in VERBS:
        expected, seconds = undisturbed(template, place, name)
        rng, killed, problems = random.Random(name), 0, []
        for _ in range(times):
            home = copied(template, place / "home")
            child = begun(VERBS[name](home), home, place / "said")
            time.sleep(rng.uniform(0, seconds))
            os.kill(child, signal.SIGKILL)
            killed += ended(child) == -signal.SIGKILL
            problems += filter(None, [again(home, name, expected, place)])
        rows.append({"verb": name, "trials": times, "killed": killed, "bad": "; ".join(problems) or 0})
    return rows


def disks(template: Path, place: Path, times: int) -> list[dict]:
    """Each verb, on a disk that has a little room left."""
    rows, disk = [], place / "disk"
    disk.mkdir(exist_ok=True)
    for name in VERBS:
        expected, _ = undisturbed(template, place, name)
        rng, full, problems = random.Random(name), 0, []
        for _ in range(times):
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", disk], check=True)
            try:
                home = copied(template, disk / "home")
                space = os.statvfs(disk)
                (disk / "filler").write_bytes(bytes(max(0, space.f_bavail * space.f_frsize - rng.randint(0, 60_000))))
                code = ended(begun(VERBS[name](home), home, place / "said"))
                full += code == 2
                problems += filter(None, [complaint(place / "said", code)])
                (disk / "filler").unlink()
                problems += filter(None, [again(home, name, expected, place)])
            finally:
                subprocess.run(["umount", disk], check=True)
        rows.append({"verb": name, "trials": times, "disk full": full, "bad": "; ".join(problems) or 0})
    return rows


def main() -> None:
    """Print the table that was asked for."""
    parser = table.arguments(__doc__)
    parser.add_argument("what", choices=("pairs", "kills", "disks"))
    parser.add_argument("--times", type=int, help="trials each (default: 5 of pairs, 20 of others)")
    asked = parser.parse_args()
    times = asked.times or (5 if asked.what == "pairs" else 20)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run = {"pairs": pairs, "kills": kills, "disks": disks}[asked.what]
        rows = run(prepared(place), place, times)
    table.show(rows, json_file=asked.json)
    sys.exit(any(row["bad"] for row in rows))


if __name__ == "__main__":
    main()
