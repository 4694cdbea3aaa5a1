"""Whether a forecast from a quarter of the pictures holds, and whether blame names the batch that did harm.

python benchmarks/enough.py forecast PICTURES/cars_tanks PICTURES/sign_digits
python benchmarks/enough.py blame    PICTURES/cars_tanks PICTURES/sign_digits

A draw takes other pictures, turns other labels, and divides other folds. What is done lies in `build/enough`, and a
benchmark that was interrupted goes on from there; `--again` begins anew.
"""

import json
import os
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import table

from toolkit import blame, changes, dedup, enough, networks, scrape, verify
from toolkit.dataset.manifest import Manifest
from toolkit.evaluation import significance
from toolkit.selection import learning_curve
from toolkit.training import probe
from toolkit.training.config import Config

KEPT = Path(__file__).resolve().parents[1] / "build" / "enough"
PART = 0.25  # of the pictures, from which the score on all of them is foretold
HARM = 0.05  # of the labels, turned in one batch of marks
MENDED, ADDED = ("marks 1", "marks 2", "marks 3"), ("added 1", "added 2")  # the batches that do good
HEAD = Config(networks.USUAL)


def main() -> None:
    """Run one part on each folder and print a row for each."""
    parser = table.arguments(__doc__)
    parser.add_argument("part", choices=("forecast", "blame"))
    parser.add_argument("pictures", nargs="+", help="folders with a folder per class")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--again", action="store_true", help="forget what was done before")
    asked = parser.parse_args()
    os.environ["TOOLKIT_HOME"] = str(KEPT)
    act = {"forecast": forecast, "blame": blamed}[asked.part]
    rows = [act(brought_in(folder), asked) for folder in asked.pictures]
    table.show(rows, json_file=asked.json)


def drawn(name: str, act: Callable[[int], dict], asked: Namespace) -> list[dict]:
    """A record for each draw, with its seconds, those of earlier calls as they were."""
    file = KEPT / f"{asked.part}-{name}.jsonl"
    if asked.again:
        file.unlink(missing_ok=True)
    records = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    for draw in range(len(records), asked.draws):
        started = time.perf_counter()
        record = act(draw)
        records.append({**record, "seconds": time.perf_counter() - started})
        with file.open("a") as opened:
            opened.write(json.dumps(records[-1]) + "\n")
    return records[: asked.draws]


def brought_in(folder: str) -> Manifest:
    """The pictures of a folder, without its copies."""
    name = Path(folder).name
    return dedup.group(verify.check(scrape.collect(f"folder:{folder}", into=name))).where(status="ok")


def forecast(data: Manifest, asked: Namespace) -> dict:
    """How often the 90 % interval from a quarter of the pictures holds the score on all of them."""
    vectors = probe.features_for(HEAD.resolved(), data)
    truth = float(learning_curve.measure(data, vectors).right[-1].mean())
    return forecast_row(data, truth, drawn(data.name, lambda draw: foretold(data, vectors, draw), asked))


def foretold(data: Manifest, vectors: np.ndarray, draw: int) -> dict:
    """What is foretold from a quarter of the pictures."""
    part = quarter(data, draw)
    some = Manifest(data.root, data.table.iloc[part], partial=True)
    curve = learning_curve.measure(some, vectors[part], seed=draw)
    return enough.expected(some, curve, times=1 / PART, seed=draw).iloc[0].to_dict()


def forecast_row(data: Manifest, truth: float, rows: list[dict]) -> dict:
    """A line of the table."""
    told = pd.DataFrame(rows)
    holds = int(((told["low"] <= truth) & (truth <= told["high"])).sum())
    return {
        "pictures": f"{round(len(data) * PART)} of {len(data):,} of {data.name}",
        "right, all": f"{truth:.1%}",
        "right, a quarter": f"{told['now'].mean():.1%}",
        "foretold, mean": f"{told['then'].mean():.1%}",
        "interval, mean": f"{told['low'].mean():.1%} to {told['high'].mean():.1%}",
        "holds": between(holds, len(told)),
        "s each": round(float(told["seconds"].median()), 1),
    }


def quarter(data: Manifest, draw: int) -> np.ndarray:
    """Rows of a quarter of every class, by chance."""
    random, labels = np.random.default_rng(draw), data.table["label"].to_numpy()
    rows = [random.permutation(np.flatnonzero(labels == label)) for label in data.classes]
    return np.sort(np.concatenate([part[: round(PART * len(part))] for part in rows]))


def blamed(data: Manifest, asked: Namespace) -> dict:
    """How often the batch of turned labels is named first, and how often a good one is called worse."""
    return blamed_row(data, drawn(data.name, lambda draw: verdicts(data, draw), asked))


def verdicts(data: Manifest, draw: int) -> dict:
    """What is said of each batch, the most harmful first."""
    found = blame.find(*planted(data, draw), HEAD, by="batch", seed=draw).batches
    return dict(zip(found["batch"], found["verdict"], strict=True))


def blamed_row(data: Manifest, found: list[dict]) -> dict:
    """A line of the table."""
    first = sum(next(iter(told)) == "batch harm" for told in found)
    worse = sum(told["batch harm"] == "worse" for told in found)
    wrongly = sum(list(told.values()).count("worse") for told in found) - worse
    return {
        "pictures": f"{len(data):,} of {data.name}",
        "labels turned": f"{HARM:.0%}, {round(HARM * len(data))}",
        "named first": between(first, len(found)),
        "called worse": between(worse, len(found)),
        "good batches called worse": f"{wrongly} of {len(found) * len(MENDED + ADDED)}",
        "s each": round(float(np.median([told["seconds"] for told in found])), 1),
    }


def planted(data: Manifest, draw: int) -> tuple[Manifest, pd.DataFrame]:
    """A dataset now, and how it was: since then pictures were added, labels mended, and in one batch turned.

    Before, 5 % of the labels were wrong, which three batches of marks have mended, and a fifth was not there yet.
    """
    order = np.random.default_rng(draw).permutation(len(data))
    count = round(HARM * len(data))
    batches = {"harm": order[:count]}
    batches |= dict(zip(MENDED, np.array_split(order[count : 2 * count], len(MENDED)), strict=True))
    batches |= dict(zip(ADDED, np.array_split(order[2 * count : 6 * count], len(ADDED)), strict=True))
    names = np.full(len(data), "none", dtype=object)
    for name, rows in batches.items():
        names[rows] = name
    now = turned(data.assign(batch=names), names == "harm", draw)
    before = turned(data.assign(batch=names), np.isin(names, MENDED), draw)
    return now, changes.noted(replace(before, table=before.table[~np.isin(names, ADDED)]))


def turned(data: Manifest, rows: np.ndarray, seed: int) -> Manifest:
    """The dataset with another label for these rows."""
    places = data.class_indices(data.table["label"])
    other = (places + np.random.default_rng(seed).integers(1, len(data.classes), len(places))) % len(data.classes)
    indices = np.where(rows, other, places)
    return data.assign(label=[data.classes[place] for place in indices], class_index=indices)


def between(hits: int, count: int) -> str:
    """A count with its 95 % interval."""
    low, high = significance.wilson(hits, count)
    return f"{hits} of {count} ({low:.0%} to {high:.0%})"


if __name__ == "__main__":
    main()
