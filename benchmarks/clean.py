"""Search for duplicates: the toolkit beside other tools, on the same pictures, in one run.

python benchmarks/clean.py --pictures PICTURES/cars_tanks PICTURES/sign_digits --cifar cifar10.tar.xz
python benchmarks/clean.py --quick

The first folder gives the originals of a set with known truth (see truth.py); the pictures of each further folder must
all be different. Without `--pictures`, drawn ones are taken. Each tool works in a process of its own on two cores, and
the other tools in an environment of their own, which is made at first: it takes a few gigabytes. `--quick` needs none.
"""

import json
import shutil
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

import contest
import judge
import table
import truth
from contest import Bench, median, say

HASHES = (  # method, hashes, whether it is run more than once
    ("toolkit", 10_000, True),
    ("numpy", 10_000, True),
    ("faiss", 10_000, True),
    ("imagededup", 10_000, False),
    ("imagehash", 2_000, False),  # a twenty-fifth of the pairs of 10,000
    ("toolkit", 100_000, True),
    ("numpy", 100_000, False),
    ("faiss", 100_000, False),
    ("usearch", 100_000, False),
    ("toolkit", 1_000_000, True),
)
TEN_MILLION = (("toolkit", 10_000_000, False),)
QUICK_HASHES = (("toolkit", 10_000, False), ("numpy", 10_000, False))


def hashes(bench: Bench, wanted: Sequence[tuple[str, int, bool]]) -> list[dict]:
    """Search random hashes with every method."""
    rows, right = [], {}
    for method, many, again in wanted:
        row = {"hashes": many, "method": method}
        try:
            ours = method in ("toolkit", "numpy", "imagehash")
            runs = [bench.run("hashes.py", method, many, ours=ours) for _ in range(bench.rounds if again else 1)]
        except (RuntimeError, TimeoutError) as error:
            rows.append(row | {"s": str(error), "times the toolkit": "", "MB": "", "pairs": "", "same pairs": ""})
            continue
        said, seconds = runs[0].said, median(runs, "work")
        first = right.setdefault(many, (seconds, said["fingerprint"]))
        row |= {"s": seconds, "times the toolkit": seconds / first[0], "MB": max(run.peak() for run in runs)}
        same = said["fingerprint"] == first[1] and said["agrees"]
        rows.append(row | {"pairs": said["pairs"], "same pairs": "yes" if same else "NO"})
        say(f"{method}, {many:,} hashes")
    return rows


def first_call(bench: Bench) -> list[dict]:
    """What the toolkit's first search of many hashes costs, while its loops are compiled, and the same later."""
    cache = bench.folder / "compiled"
    shutil.rmtree(cache, ignore_errors=True)
    rows = []
    for what in ("compiled anew", "from the cache"):
        said = bench.run("hashes.py", "toolkit", 50_000, ours=True, NUMBA_CACHE_DIR=str(cache)).said
        rows.append({"first search": what, "s": said["first call"]})
    return rows


def many_files(bench: Bench, pictures: Path) -> list[dict]:
    """Bring in, verify and group many small files, one stage after the other, and list the twins of test pictures."""
    into, pairs_file = bench.folder / "many", bench.folder / "pairs.csv"
    shutil.rmtree(into, ignore_errors=True)
    rows = []
    for stage, place, other in (("import_", pictures, into), ("verify_", into, ""), ("dedup_", into, "")):
        watched = bench.run("tools.py", stage, place, pairs_file, other, ours=True)
        files = contest.count(into / "raw")
        row = {"stage": stage.strip("_"), "files": files, "start s": watched.start, "work s": watched.work}
        row |= {"files per second": files / watched.work, "MB after a third": watched.peak(until=1 / 3)}
        rows.append(row | {"MB": watched.peak()})
        say(f"{stage.strip('_')}, {pictures.name}")
    pairs_file.replace(bench.folder / "twins.csv")
    twins = {one for one, _ in judge.load(bench.folder / "twins.csv")}  # by name, so that test comes before train
    rows.append({**dict.fromkeys(rows[0], ""), "stage": "test pictures with a twin in train", "files": len(twins)})
    return rows


def wanted_sets(asked: Namespace) -> list[Path]:
    """The folders of pictures, the set with known truth the last; made if they are not there."""
    folders = asked.pictures
    if not folders:
        folders, many = [], (40, 40) if asked.quick else (600, 400)
        for name, drawings, seed in zip(("drawn", "others"), many, (0, 100_000), strict=True):
            folders.append(asked.into / f"{name}{drawings}")
            if not folders[-1].exists():
                truth.drawn(folders[-1], count=drawings, seed=seed)
    known = asked.into / "truth"
    shutil.rmtree(known, ignore_errors=True)
    truth.make(folders, known, originals=12 if asked.quick else 500, seed=asked.seed)
    return [*folders, known / "pictures"]


def measure(asked: Namespace, file: Path) -> None:
    """Print every table, and write all of them down, as soon as it is there."""
    done = {"machine": table.machine()}

    def section(title: str, rows: list[dict]) -> None:
        if rows:
            done[title] = rows
            print(f"\n### {title}\n")
            table.print_rows(rows)
            sys.stdout.flush()
            file.write_text(json.dumps(done, indent=2, default=str) + "\n")

    rounds = 1 if asked.quick else asked.rounds
    python = sys.executable if asked.quick else contest.peers(asked.into / "peers")
    bench = Bench(asked.into, python, rounds, asked.limit)
    if asked.tools:
        sets = [folder.resolve() for folder in wanted_sets(asked)]
        section("Bringing in", contest.brought_in(bench, sets))
        rows, found = contest.duplicates(bench, sets, asked.tools)
        section("Duplicates", rows)
        section("Precision and recall", contest.quality(bench, sets[-1].parent / "truth.csv", asked.tools, found))
        for folder in sets[1:-1]:
            section(f"All different: {folder.name}", contest.lost(bench, folder, asked.tools, found))
    if asked.hashes:
        if not asked.quick:
            section("First search", first_call(bench))
        section("Hash search", hashes(bench, QUICK_HASHES if asked.quick else HASHES + TEN_MILLION * asked.ten_million))
    if asked.cifar:
        section("Many small files", many_files(bench, asked.cifar.resolve()))
    print("\n" + table.in_words(done["machine"]))


def main() -> None:
    """Measure what is asked for."""
    parser = table.arguments(__doc__)
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.add_argument("--pictures", nargs="+", type=Path, default=[], metavar="FOLDER")
    parser.add_argument(
        "--cifar", type=Path, metavar="ARCHIVE", help="many small pictures in train and test, or a folder"
    )
    parser.add_argument("--into", type=Path, default=Path("build/clean"), help="folder for all that is made")
    parser.add_argument("--tools", help="some of " + ",".join(contest.TOOLS) + '; "" for none')
    parser.add_argument("--no-hashes", dest="hashes", action="store_false", help="leave the hash search out")
    parser.add_argument("--ten-million", action="store_true", help="search 10 million hashes too")
    parser.add_argument("--seed", type=int, default=7, help="chooses the originals of the set with known truth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=1200, help="seconds after which a tool is stopped")
    parser.add_argument("--quick", action="store_true", help="a few drawn pictures and no other tools")
    asked = parser.parse_args()
    chosen = (
        ("toolkit,toolkit copies,imagehash" if asked.quick else ",".join(contest.TOOLS))
        if asked.tools is None
        else asked.tools
    )
    asked.tools = [name for name in chosen.split(",") if name]
    if unknown := set(asked.tools) - set(contest.TOOLS):
        parser.error(f"expected tools from {', '.join(contest.TOOLS)}, got {', '.join(sorted(unknown))}")
    if len({folder.name for folder in asked.pictures}) < len(asked.pictures):
        parser.error("expected folders of different names, since the tables name them")
    asked.into = asked.into.resolve()
    asked.into.mkdir(parents=True, exist_ok=True)
    measure(asked, Path(asked.json or asked.into / "results.json"))


if __name__ == "__main__":
    main()
