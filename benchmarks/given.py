"""A dataset that comes as train, valid and test with copies across them: the figure on that test, and the honest one.

python benchmarks/given.py

Cars and tanks are drawn and put into folders as a labelling service exports them. A share of the test pictures stands
in train or valid too: half of them byte for byte, half saved again at another quality. A network is trained on the
given train, and asked about the given test as it came, about its twins alone, and about what `split --given` leaves.
"""

import io
import os
import shutil
import tempfile
from pathlib import Path

import table
from PIL import Image

from toolkit import dedup, evaluate, practice, predict, resize, scrape, split, train, verify
from toolkit.evaluation.significance import wilson
from toolkit.scrape import given
from toolkit.training.train import Config

COUNTS = {"train": 130, "valid": 30, "test": 60}  # per class
LABELS = ("cars", "tanks")
SHARE = 0.26  # of the test, that stands in train or valid too
CONFIG = Config("xception", style="modern", size=64, C=10.0, options={"weights": "cifar10"})


def draw(root: Path, *, side: int) -> None:
    """The folders, as they were before anything was copied."""
    for label in LABELS:
        seed = 0
        for part, count in COUNTS.items():
            (root / part / label).mkdir(parents=True)
            for number in range(count):
                drawn = practice.draw.vehicle(label, seed=seed, width=side, height=side)
                (root / part / label / f"{number:03}.jpg").write_bytes(encoded(drawn.picture, quality=92))
                seed += 1


def leak(root: Path) -> None:
    """Copy a share of the test pictures into train and valid."""
    for label in LABELS:
        files = sorted((root / "test" / label).iterdir())[: round(SHARE * COUNTS["test"])]
        for number, file in enumerate(files):
            into = root / ("valid" if number % 4 == 3 else "train") / label / f"again-{number:03}.jpg"
            content = file.read_bytes()
            into.write_bytes(encoded(Image.open(file), quality=70) if number % 2 else content)


def encoded(picture: Image.Image, *, quality: int) -> bytes:
    """The bytes of a JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def row(what: str, right: list[bool]) -> dict[str, object]:
    """Accuracy of some answers, with its interval."""
    low, high = wilson(sum(right), len(right))
    share = f"{sum(right) / len(right):.1%}"
    return {"test": what, "pictures": len(right), "right": share, "95 % interval": f"{low:.1%} to {high:.1%}"}


def main() -> None:
    """Print a row per test."""
    parser = table.arguments(__doc__)
    parser.add_argument("--side", type=int, default=96, help="of the drawn pictures, in pixels")
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp())
    os.environ["TOOLKIT_HOME"] = str(home)
    root = home / "export"
    draw(root, side=asked.side)
    leak(root)
    pictures = dedup.group(verify.check(scrape.collect(f"folder:{root}", into="given")))
    files = given.files(pictures.root)
    honest = split.assign(resize.write(pictures, size=CONFIG.size), seed=7, given=files.splits).save()
    print(f"{given.in_words(files)}\n{given.twins(files, honest)}\n")
    trained = train.fit(CONFIG, honest)
    report = evaluate.measure(trained, honest)
    clean = {name for path in report.predictions["path"] for name in files.names[path]}
    names = [(label, file) for label in LABELS for file in sorted((root / "test" / label).iterdir())]
    answers = predict.pictures(trained, [file for _, file in names])
    right = {
        file.relative_to(home).as_posix(): a.label == label for (label, file), a in zip(names, answers, strict=True)
    }
    twins = [was for name, was in right.items() if name not in clean]
    rows = [
        row("as it was given", list(right.values())),
        row("its twins alone", twins),
        row("without them (`split --given`)", [was for name, was in right.items() if name in clean]),
    ]
    table.show(rows, json_file=asked.json)
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
