"""Kinds of pictures: how many different ones would leave use as duplicates, and how many true copies are found.

python benchmarks/kinds.py                      # the kinds that limits were chosen on
python benchmarks/kinds.py --unseen             # those that are looked at only once
python benchmarks/kinds.py --pictures FOLDER    # copies of these photographs too, not of drawn pictures alone
python benchmarks/kinds.py --peers build/clean  # beside other tools, in the environment that clean.py makes there

Every kind is a dataset of two classes and of pictures that are all different, though they look alike: one scene, one
form, one thing in several colours. So nothing may leave use. It is counted without the brake, which would hide what the
looks say. Copies are counted twice: those that share a group with the original, and those that leave use. Of other
tools, which know one kind of pair only, it is told how many pictures would go if each paired with one that stays goes.
"""

import argparse
import io
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import contest
import cv2
import judge
import numpy as np
import table
from kinds_drawn import CHOSEN, UNSEEN, Draw, scene, specked, vehicle
from PIL import Image
from truth import ENDINGS, varied

from toolkit import copies, dedup, scrape, verify

PEERS = ("imagededup", "czkawka", "cleanvision")


def others(bench: contest.Bench | None, folder: Path) -> dict[str, judge.Pairs]:
    """The pairs that each other tool finds by its own limit; nothing if none was asked for."""
    if bench is None:
        return {}
    return {name: bench.search(name, folder, contest.TOOLS[name].default)[1] for name in PEERS}


def different(kind: Draw, folder: Path, pictures: int, bench: contest.Bench | None = None) -> dict[str, object]:
    """How many of some pictures, all different, would leave use; half of them as JPEG."""
    rng = np.random.default_rng(7)
    for number in range(pictures):
        file = folder / "in" / ("one", "other")[number // 2 % 2] / f"{number:04}.{('png', 'jpg')[number % 2]}"
        file.parent.mkdir(parents=True, exist_ok=True)
        made = kind(number, rng)
        if file.suffix == ".jpg" and made.mode == "RGB":
            made.save(file, quality=int(rng.integers(80, 95)))
        else:
            made.save(file.with_suffix(".png"))
    checked = verify.check(scrape.collect(f"folder:{folder / 'in'}", into=folder / "set"))
    begun = time.process_time()
    judged = dedup.group(checked, max_share=1).table
    spent = time.process_time() - begun
    used = judged[judged["status"] == "ok"]
    return {
        "pictures": len(judged),
        "in groups": int(judged["group"].duplicated(keep=False).sum()),
        "out of use": len(judged) - len(used),
        "classes lost": 2 - used["label"].nunique(),
        "ms a picture": 1000 * spent / len(judged),
        **{f"{name} loses": judge.thrown_away(pairs) for name, pairs in others(bench, folder / "in").items()},
    }


def changes(picture: Image.Image, rng: np.random.Generator) -> dict[str, bytes]:
    """Copies of a picture, as files."""
    made = varied(picture) | {"grey": (picture.convert("L"), {"quality": 85})}
    for share in (0.01, 0.02, 0.03):
        made[f"salt and pepper {share:.0%}"] = specked(picture, share, rng), {"quality": 85}
    del made["mirrored"]
    return {name: encoded(changed, **{"quality": 92, **options}) for name, (changed, options) in made.items()}


def encoded(picture: Image.Image, **options: object) -> bytes:
    """The bytes of a JPEG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def found(originals: list[Image.Image], folder: Path, bench: contest.Bench | None = None) -> list[dict[str, object]]:
    """For each change how many copies share a group with the original, and how many leave use."""
    rng = np.random.default_rng(11)
    for number, picture in enumerate(originals):
        for name, content in ({"original": encoded(picture, quality=95)} | changes(picture, rng)).items():
            file = folder / name / f"{number:04}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    result = copies.among(folder, max_share=1)
    pairs = {frozenset((pair.path, pair.other)) for pair in result.pairs()}
    kept = {picture.path: picture.copy_of for picture in result.redundant}
    theirs = others(bench, folder)
    rows = []
    for name in sorted(path.name for path in folder.iterdir() if path.name != "original"):
        files = [f"{number:04}.jpg" for number in range(len(originals))]
        both = [(str(folder / "original" / file), str(folder / name / file)) for file in files]
        alike = np.mean([frozenset(pair) in pairs for pair in both])
        left = np.mean([kept.get(a, a) == kept.get(b, b) for a, b in both])  # one of the two, or both for a third
        row = {"copies": name, "alike": float(alike), "out of use": float(left)}
        names = [tuple(sorted((f"original/{file}", f"{name}/{file}"))) for file in files]
        rows.append(row | {tool: float(np.mean([pair in pairs for pair in names])) for tool, pairs in theirs.items()})
    wrong = sum(Path(path).name != Path(best).name for path, best in kept.items())
    false = {tool: sum(Path(a).name != Path(b).name for a, b in pairs) for tool, pairs in theirs.items()}
    return [*rows, {"copies": "of another picture, or such pairs", "alike": "", "out of use": wrong, **false}]


def main() -> None:
    """Measure the kinds that limits were chosen on, or the others."""
    parser = table.arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--unseen", action="store_true", help="the kinds that no limit was chosen on")
    parser.add_argument("--pictures", type=Path, help="photographs whose copies are looked for")
    parser.add_argument("--each", type=int, default=48, help="pictures of every kind")
    parser.add_argument("--peers", type=Path, help="folder of clean.py, whose other tools are asked too")
    asked = parser.parse_args()
    bench = asked.peers and contest.Bench(asked.peers.resolve(), contest.peers(asked.peers.resolve() / "peers"), 1, 600)
    cv2.setNumThreads(1)
    rows = []
    for name, kind in (UNSEEN if asked.unseen else CHOSEN).items():
        folder = Path(tempfile.mkdtemp())
        rows.append({"kind": name, **different(kind, folder, asked.each, bench)})
        print(name, file=sys.stderr, flush=True)
        shutil.rmtree(folder)
    table.print_rows(rows)
    originals = [scene(70_000 + 1000 * asked.unseen + n) for n in range(asked.each // 2)]
    originals += [vehicle(900 + 100 * asked.unseen + n, np.random.default_rng(n)) for n in range(asked.each // 2)]
    if asked.pictures:
        files = sorted(file for file in asked.pictures.rglob("*") if file.suffix.lower() in ENDINGS)
        files = random.Random(5).sample(files, 2 * asked.each)[asked.unseen :: 2]
        originals = [Image.open(file).convert("RGB") for file in files]
    folder = Path(tempfile.mkdtemp())
    print()
    table.print_rows(found(originals, folder, bench))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
