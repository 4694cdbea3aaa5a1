"""Learning from a thousand pictures: cross-validated accuracy, and what it costs with a cold and a warm cache.

python benchmarks/learn.py cars PICTURES/cars_tanks --weights FOLDER         heads on features that are computed once
python benchmarks/learn.py classic PICTURES/cars_tanks --weights FOLDER      Xception run in every epoch, as the first
                                                                             project did, beside the same on features
python benchmarks/learn.py digits PICTURES/sign_digits --weights FOLDER      ten classes, and the five from 1 to 5

FOLDER holds `<network>_imagenet_no_top.weights.h5`. Everything is written to a temporary folder.
"""

import os
import shutil
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import table

from toolkit import crossval, dedup, features, resize, scrape, verify
from toolkit.manifest import Manifest
from toolkit.train import Config

HEADS = {  # name: network, pooling, views
    "mobilenet": ("mobilenet", "average", 1),
    "mobilenet, quarters, mirrored": ("mobilenet", "pyramid", 2),
    "xception": ("xception", "average", 1),
    "xception, quarters": ("xception", "pyramid", 1),
    "xception, quarters, mirrored": ("xception", "pyramid", 2),
}
DIGITS = {"mobilenet": ("mobilenet", "average", 1), "mobilenet, quarters": ("mobilenet", "pyramid", 1)}
FIVE = ("1", "2", "3", "4", "5")


def main() -> None:
    """Run one part and print a row per way of learning."""
    parser = table.arguments(__doc__)
    parser.add_argument("part", choices=("cars", "classic", "digits"))
    parser.add_argument("pictures", help="a folder per class")
    parser.add_argument("--weights", required=True, help="folder of the weights files")
    parser.add_argument("--seeds", default="7,1,2", help="of the folds; the first one meets a cold cache")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", help="one of the rows, by its name")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["TOOLKIT_HOME"] = home
        data = dedup.group(verify.check(scrape.collect(f"folder:{asked.pictures}", into="benchmark"))).save()
        rows = [row for row in {"cars": cars, "classic": classic, "digits": digits}[asked.part](data, asked)]
    table.show(rows, json_file=asked.json)


def cars(data: Manifest, asked: Namespace) -> Iterator[dict]:
    """Every head, cold and warm."""
    for name, what in HEADS.items():
        if asked.only in (None, name):
            yield judged(data, name, head(asked, *what), asked)


def digits(data: Manifest, asked: Namespace) -> Iterator[dict]:
    """Ten classes, then five of them."""
    for name, what in DIGITS.items():
        if asked.only in (None, name):
            yield judged(data, f"{name}, ten classes", head(asked, *what), asked)
            yield judged(data.where(label=FIVE), f"{name}, 1 to 5", head(asked, *what), asked)


def classic(data: Manifest, asked: Namespace) -> Iterator[dict]:
    """The first project's way, and Xception on features, in one run and on the same folds."""
    asked.seeds = asked.seeds.partition(",")[0]
    yield judged(data, "xception, quarters, mirrored", head(asked, "xception", "pyramid", 2), asked)
    config = Config("xception", style="classic", epochs=4, options={"weights": file(asked, "xception")})
    resized = resize.write(data, size=config.resolved().size).save()
    yield judged(resized, "xception in each of 4 epochs, two dense layers", config, asked)


def head(asked: Namespace, network: str, pooling: str, views: int) -> Config:
    """One dense layer on a frozen backbone."""
    return Config(
        network,
        style="modern",
        size=224,
        views=views,
        options={"weights": file(asked, network), "pooling": pooling},
    )


def file(asked: Namespace, network: str) -> str:
    """The weights of a network."""
    return str(Path(asked.weights) / f"{network}_imagenet_no_top.weights.h5")


def judged(data: Manifest, name: str, config: Config, asked: Namespace) -> dict:
    """Cross-validate once per seed of the folds; only the first has to compute the features."""
    shutil.rmtree(data.root / features.FOLDER, ignore_errors=True)
    seconds, outcomes = [], []
    for seed in map(int, asked.seeds.split(",")):
        started = time.perf_counter()
        outcomes.append(crossval.run(data, config, folds=asked.folds, seed=seed, name=f"seed {seed}", overwrite=True))
        seconds.append(time.perf_counter() - started)
        print(f"{name}, seed {seed}, {seconds[-1]:.1f} s: {outcomes[-1]}", flush=True)
    low, high = outcomes[0].report.interval
    warm = statistics.median(seconds[1:]) if len(seconds) > 1 else float("nan")
    return {
        "way": name,
        "right, by seed": " ".join(f"{outcome.report.accuracy:.1%}" for outcome in outcomes),
        "95 % interval": f"{low:.1%} to {high:.1%}",
        "pictures": len(outcomes[0].report.predictions),
        "cold s": round(seconds[0], 1),
        "warm s": round(warm, 1),
    }


if __name__ == "__main__":
    main()
