"""A set of pictures of which it is known which are the same: what a search for duplicates is measured against.

python benchmarks/truth.py PICTURES/cars_tanks PICTURES/sign_digits --into TRUTH

    TRUTH/pictures/VARIANT/NAME.jpg     500 pictures in ten variants, a folder each, and the others in `other`
    TRUTH/truth.csv                     path, original, variant: two rows of one original are the same picture

The first folder gives the originals. What is left of it, and all pictures of the further folders, are there to be
confused with each other; the pictures of each further folder must all be different. A picture of the first folder
whose hash is near that of another is left out, since nobody has said whether the two are the same.
"""

import argparse
import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from random import Random

import imagehash
import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from toolkit import practice

VARIANTS = ("original", "exact", "half", "double", "quality", "bright", "cropped", "watermark", "turned", "mirrored")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
APART = 12  # bits; originals differ in more than that from every other picture of their folder
ORIENTATION = 0x0112  # the EXIF tag
ROWS = 256  # hashes compared with all others at a time


def make(folders: Sequence[Path], into: Path, *, originals: int = 500, seed: int = 7) -> Path:
    """Make the set.

    Args:
        folders: pictures, in folders below or not; the first one gives the originals.
        into: folder of the set, new or empty.
        originals: how many pictures come in ten variants; fewer if the first folder has not so many.
        seed: chooses them.

    Returns:
        The file that says which picture is which.

    Raises:
        FileExistsError: there is something in that folder.
    """
    if into.exists() and any(into.iterdir()):
        raise FileExistsError(f"expected a new folder, {into} holds something; name another or remove it")
    first, *further = map(pictures, folders)
    usable = [file for file, lonely in zip(first, apart(first), strict=True) if lonely]
    chosen = sorted(Random(seed).sample(usable, min(originals, len(usable))))
    others = [file for file in usable if file not in set(chosen)] + [file for files in further for file in files]
    rows = [row for number, file in enumerate(chosen) for row in _varied(file, f"{number:05}", into)]
    rows += [_copied(file, f"other{number:05}", "other", into) for number, file in enumerate(others)]
    truth = into / "truth.csv"
    with truth.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["path", "original", "variant"])
        writer.writerows(sorted(rows))
    return truth


def load(truth: Path) -> dict[str, tuple[str, str]]:
    """Original and variant of every path."""
    with truth.open(newline="") as stream:
        return {row["path"]: (row["original"], row["variant"]) for row in csv.DictReader(stream)}


def pictures(folder: Path) -> list[Path]:
    """The picture files in a folder and below, sorted; of files with the same bytes only the first."""
    found = {}
    for file in sorted(Path(folder).rglob("*")):
        if file.suffix.lower() in ENDINGS:
            found.setdefault(hashlib.sha256(file.read_bytes()).hexdigest(), file)
    return sorted(found.values())


def apart(files: Sequence[Path]) -> np.ndarray:
    """For each picture, whether no other one's hash, of pixels or of mirrored pixels, is near."""
    upright, mirrored = [], []
    for file in files:
        picture = opened(file)
        upright.append(int(str(imagehash.phash(picture)), 16))
        mirrored.append(int(str(imagehash.phash(ImageOps.mirror(picture))), 16))
    plain, other = np.array(upright, np.uint64), np.array(mirrored, np.uint64)
    lonely = np.zeros(len(plain), bool)
    for start in range(0, len(plain), ROWS):
        part = slice(start, start + ROWS)
        near = np.bitwise_count(plain[part, None] ^ plain) <= APART
        near |= np.bitwise_count(plain[part, None] ^ other) <= APART
        near[np.arange(len(near)), np.arange(start, start + len(near))] = False
        lonely[part] = ~near.any(axis=1)
    return lonely


def opened(file: Path) -> Image.Image:
    """A picture in RGB, upright."""
    with Image.open(file) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def varied(picture: Image.Image) -> dict[str, tuple[Image.Image, dict]]:
    """The variants that are encoded anew, with the options they are saved with."""
    width, height = picture.size
    side = round(0.05 * min(width, height))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned clockwise when shown
    return {
        "half": (picture.resize((width // 2, height // 2), Image.Resampling.LANCZOS), {}),
        "double": (picture.resize((2 * width, 2 * height), Image.Resampling.LANCZOS), {}),
        "quality": (picture, {"quality": 30}),
        "bright": (ImageEnhance.Brightness(picture).enhance(1.3), {}),
        "cropped": (picture.crop((side, side, width - side, height - side)), {}),
        "watermark": (_marked(picture), {}),
        "turned": (picture.transpose(Image.Transpose.ROTATE_90), {"exif": exif}),
        "mirrored": (ImageOps.mirror(picture), {}),
    }


def drawn(into: Path, *, count: int, side: int = 128, seed: int = 0) -> Path:
    """Drawn cars and tanks, for those who have no pictures at hand."""
    for number in range(count):
        label = practice.LABELS[number % len(practice.LABELS)]
        file = into / label / f"{number:05}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        practice.vehicle(label, seed=seed + number, width=side, height=side).picture.save(file, quality=92)
    return into


def _marked(picture: Image.Image) -> Image.Image:
    """A white plate with words in the lower right corner, a third of the width."""
    marked, unit = picture.copy(), min(picture.size) / 128
    right, low = picture.width, picture.height
    draw = ImageDraw.Draw(marked)
    draw.rectangle((right - 44 * unit, low - 16 * unit, right - 2 * unit, low - 3 * unit), fill="white")
    font = ImageFont.load_default(size=10 * unit)
    draw.text((right - 42 * unit, low - 15 * unit), "r/tanks", fill=(200, 0, 0), font=font)
    return marked


def _varied(file: Path, name: str, into: Path) -> list[tuple[str, str, str]]:
    rows = [_copied(file, name, variant, into) for variant in VARIANTS[:2]]
    for variant, (picture, options) in varied(opened(file)).items():
        place = _place(into, variant, f"{name}.jpg")
        picture.save(place, **{"quality": 92, **options})
        rows.append((place.relative_to(into / "pictures").as_posix(), name, variant))
    return rows


def _copied(file: Path, name: str, variant: str, into: Path) -> tuple[str, str, str]:
    place = _place(into, variant, name + file.suffix.lower())
    place.write_bytes(file.read_bytes())
    return place.relative_to(into / "pictures").as_posix(), name, variant


def _place(into: Path, variant: str, name: str) -> Path:
    folder = into / "pictures" / variant
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def main() -> None:
    """Make the set from the pictures named, or from drawn ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--originals", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7, help="chooses them")
    asked = parser.parse_args()
    file = make(asked.pictures, asked.into, originals=asked.originals, seed=asked.seed)
    print(f"{len(load(file)):,} pictures, {file}")


if __name__ == "__main__":
    main()
