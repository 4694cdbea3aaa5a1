"""Kinds of pictures: how many different ones would leave use as duplicates, and how many true copies are found.

python benchmarks/kinds.py                      # the kinds that limits were chosen on
python benchmarks/kinds.py --unseen             # those that are looked at only once
python benchmarks/kinds.py --pictures FOLDER    # copies of these photographs too, not of drawn pictures alone

Every kind is a dataset of two classes and of pictures that are all different, though they look alike: one scene, one
form, one thing in several colours. So nothing may leave use. It is counted without the brake, which would hide what the
looks say. Copies are counted twice: those that share a group with the original, and those that leave use.
"""

import argparse
import io
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import table
from kinds_drawn import CHOSEN, UNSEEN, Draw, scene, specked, vehicle
from PIL import Image
from truth import ENDINGS, varied

from toolkit import copies, dedup, scrape, verify


def different(kind: Draw, folder: Path, pictures: int) -> dict[str, object]:
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


def found(originals: list[Image.Image], folder: Path) -> list[dict[str, object]]:
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
    rows = []
    for name in sorted(path.name for path in folder.iterdir() if path.name != "original"):
        files = [f"{number:04}.jpg" for number in range(len(originals))]
        both = [(str(folder / "original" / file), str(folder / name / file)) for file in files]
        alike = np.mean([frozenset(pair) in pairs for pair in both])
        left = np.mean([kept.get(a, a) == kept.get(b, b) for a, b in both])  # one of the two, or both for a third
        rows.append({"copies": name, "alike": float(alike), "out of use": float(left)})
    wrong = sum(Path(path).name != Path(best).name for path, best in kept.items())
    return [*rows, {"copies": "copies of another picture", "alike": "", "out of use": wrong}]


def main() -> None:
    """Measure the kinds that limits were chosen on, or the others."""
    parser = table.arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--unseen", action="store_true", help="the kinds that no limit was chosen on")
    parser.add_argument("--pictures", type=Path, help="photographs whose copies are looked for")
    parser.add_argument("--each", type=int, default=48, help="pictures of every kind")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    rows = []
    for name, kind in (UNSEEN if asked.unseen else CHOSEN).items():
        folder = Path(tempfile.mkdtemp())
        rows.append({"kind": name, **different(kind, folder, asked.each)})
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
    table.print_rows(found(originals, folder))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
