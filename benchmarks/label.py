"""Label as you go: how many acts a simulated person needs, and whether the estimate holds the truth.

python benchmarks/label.py PICTURES/cars_tanks --targets 95,98,99
python benchmarks/label.py PICTURES/sign_digits --targets 90,95,97
python benchmarks/label.py --speed               # marks on disk, and the head at 10,000 and 100,000 pictures

The labels are hidden. An act is one key for a page of at most 48 pictures, or one look at a single one, so a page on
which three are something else takes four acts; of a page that is too mixed for one key the person names four. A picture
counts as right by its mark, or else by the head. Beside that: pictures in random order, one by one, with the same head
and without any. PICTURES is a folder per class, or a dataset whose features may be there already.
"""

import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import table

from toolkit import dedup, manifest, scrape, verify
from toolkit.review import active, estimate
from toolkit.review.active import NONE
from toolkit.review.journal import Journal
from toolkit.training import features

MIXED = 0.8  # share of a group that must be one thing, or the person names a few instead
RANDOM_STEP = 10  # marks in random order between two heads
WRONG = 0.05  # share of the marks that are slips, in one of the runs
COLUMNS = 1280  # features of Lite0
AT = (5, 15, 40)  # acts after which a sample is asked about


class Sitting:
    """A person who knows the labels, and what has been labelled so far."""

    def __init__(self, vectors: np.ndarray, truth: np.ndarray, seed: int, *, wrong: float = 0.0):
        self.vectors, self.truth, self.classes = vectors, truth, int(truth.max()) + 1
        self.labels, self.alone = np.full(len(truth), NONE), np.zeros(len(truth), bool)
        self.cluster, self.shares = active.clusters(vectors, seed=seed), None
        self.acts, self._random, self._wrong = 0, np.random.default_rng(seed), wrong

    def answers(self) -> np.ndarray:
        """The class that every picture has, or is taken for."""
        taken = self.shares.argmax(axis=1) if self.shares is not None else np.zeros(len(self.truth), int)
        return np.where(self.labels == NONE, taken, self.labels)

    def right(self) -> float:
        """Share of the pictures that have, or would be given, their right label."""
        return float((self.answers() == self.truth).mean())

    def act(self) -> None:
        """What the page proposes."""
        _, rows, label, few = active.proposals(
            self.vectors, self.cluster, self.labels, self.labels == NONE, self.shares
        )[0]
        key = np.bincount(self.truth[rows]).argmax() if label == NONE else label
        others = rows[self.truth[rows] != key]
        if len(others) > (1 - MIXED) * len(rows) and label == NONE:
            rows = others = few
            self.acts -= 1  # no key for the page
        self.mark(rows)
        self.alone[others if len(rows) > 1 else rows] = True
        self.acts += 1 + len(others)
        self.learn()

    def mark(self, rows: np.ndarray) -> None:
        """Give pictures their labels, but for slips."""
        slips = self._random.random(len(rows)) < self._wrong
        shift = self._random.integers(1, self.classes, len(rows))
        self.labels[rows] = np.where(slips, (self.truth[rows] + shift) % self.classes, self.truth[rows])

    def learn(self) -> None:
        """Find the head again."""
        self.shares = active.head(self.vectors, self.labels, self.classes)

    def sampled(self, seed: int) -> bool:
        """Whether the estimate of a random sample, asked about now, holds the truth; the sitting goes on without it."""
        candidates = np.flatnonzero(~self.alone)
        rows, answers = estimate.drawn(candidates, seed=seed), self.answers()
        right = (answers[rows] == self.truth[rows]).tolist()
        told = estimate.of(right, alone=int(self.alone.sum()), candidates=len(candidates))
        answers[rows] = self.truth[rows]
        return told.low <= (answers == self.truth).mean() <= told.high


def main() -> None:
    """Run it and print a row per way."""
    parser = table.arguments(__doc__)
    parser.add_argument("pictures", nargs="?")
    parser.add_argument("--targets", default="95,98,99", help="percent of right labels")
    parser.add_argument("--sittings", type=int, default=20)
    parser.add_argument("--speed", action="store_true")
    asked = parser.parse_args()
    if asked.speed == bool(asked.pictures):
        raise SystemExit("expected a folder of pictures or --speed, got both or neither")
    asked.targets = [float(text) / 100 for text in asked.targets.split(",")]
    rows = list(speed()) if asked.speed else list(ways(asked, *brought_in(asked.pictures)))
    table.show(rows, json_file=asked.json)


def brought_in(pictures: str) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of the pictures in use, and the numbers of their classes."""
    with tempfile.TemporaryDirectory() as folder:
        if (Path(pictures) / manifest.FILE).exists():
            data = manifest.load(Path(pictures).resolve())
        else:
            data = dedup.group(verify.check(scrape.collect(f"folder:{pictures}", into=Path(folder) / "data"))).save()
        used = data.labelled
        vectors = active.reduced(features.of(used, "efficientnet_lite0")[:, 0])
        return vectors, used.class_indices(used.table["label"])


def ways(asked: Namespace, vectors: np.ndarray, truth: np.ndarray) -> Iterator[dict]:
    """A row per way of labelling: acts until so much is right, as the median and the most of all sittings."""
    hits: list[bool] = []
    runs = [sitting(vectors, truth, seed, asked.targets, hits) for seed in range(asked.sittings)]
    yield told("pages that learn", runs, asked.targets)
    yield told(
        "random order, the same head", [by_chance(vectors, truth, s, asked.targets) for s in range(3)], asked.targets
    )
    alone = [[int(np.ceil(target * len(truth))) for target in asked.targets] + [len(truth)]]
    yield told("one by one, no head", alone, asked.targets)
    acts = int(np.median([run[-2] for run in runs]))
    slips = [mistaken(vectors, truth, seed, WRONG, acts) for seed in range(5)]
    right, found, marks = np.mean(slips, axis=0)
    print(f"with {WRONG:.0%} wrong marks, after as many acts as the last target takes without: {right:.1%} right;")
    print(f"of {marks:.0f} wrong marks {found:.0f} are among as many labels in doubt")
    print(f"the estimate held the truth in {sum(hits)} of {len(hits)} samples\n")


def told(name: str, runs: list[list[int]], targets: list[float]) -> dict:
    """A row of the table."""
    names = [f"{target:.0%} right" for target in targets] + ["all labelled"]
    columns = zip(*runs, strict=True)
    return {"way": name} | {
        column: f"{np.median(acts):.0f} (most {max(acts)})" if len(runs) > 1 else f"{acts[0]:,}"
        for column, acts in zip(names, columns, strict=True)
    }


def sitting(vectors: np.ndarray, truth: np.ndarray, seed: int, targets: list[float], hits: list[bool]) -> list[int]:
    """Acts until each target, and until everything is labelled; whether samples on the way held the truth."""
    person, reached, asked = Sitting(vectors, truth, seed), dict.fromkeys(targets, 0), list(AT)
    while (person.labels == NONE).any():
        person.act()
        for target in targets:
            if not reached[target] and person.right() >= target:
                reached[target] = person.acts
        while asked and person.acts >= asked[0]:
            hits.append(person.sampled(1000 * seed + asked.pop(0)))
    return [*reached.values(), person.acts]


def by_chance(vectors: np.ndarray, truth: np.ndarray, seed: int, targets: list[float]) -> list[int]:
    """Acts until each target, in random order, one by one."""
    person, reached = Sitting(vectors, truth, seed), dict.fromkeys(targets, 0)
    order = np.random.default_rng(seed).permutation(len(truth))
    for start in range(0, len(order), RANDOM_STEP):
        rows = order[start : start + RANDOM_STEP]
        person.mark(rows)
        person.learn()
        for target in targets:
            if not reached[target] and person.right() >= target:
                reached[target] = start + len(rows)
        if all(reached.values()):
            break
    return [*reached.values(), len(truth)]


def mistaken(vectors: np.ndarray, truth: np.ndarray, seed: int, share: float, acts: int) -> tuple[float, int, int]:
    """With slips: the share that is right, how many slips are among as many labels in doubt, and how many there are."""
    person = Sitting(vectors, truth, seed, wrong=share)
    while (person.labels == NONE).any() and person.acts < acts:
        person.act()
    wrong = (person.labels != NONE) & (person.labels != truth)
    doubted = active.disagreements(vectors, person.labels, most=int(wrong.sum()))
    return person.right(), int(wrong[doubted].sum()), int(wrong.sum())


def speed() -> Iterator[dict]:
    """How long a page waits: for a look at features, for what is learned after a mark, and for marks on disk."""
    for count in (10_000, 100_000):
        yield {"pictures": count, **learning(count), "1,000 marks on disk, ms": 1000 * marking(count)}


def learning(count: int) -> dict[str, float]:
    """Seconds for drawn features of ten classes, as many as Lite0 has, half of which have labels."""
    truth, given = lite_like(count)
    labels = np.where(np.random.default_rng(1).random(count) < 0.5, truth, NONE)
    vectors, reducing = timed(active.reduced, given)
    cluster, clustering = timed(active.clusters, vectors)
    shares, heading = timed(active.head, vectors, labels, 10)
    _, doubting = timed(active.disagreements, vectors, labels)
    _, showing = timed(active.proposals, vectors, cluster, labels, labels == NONE, shares)
    once = {"components, once, s": reducing, "clusters, once, s": clustering}
    return once | {"head on half, s": heading, "labels in doubt, s": doubting, "what to show next, s": showing}


def lite_like(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes, and features that are at least 0 and mostly small, as those after a ReLU and a mean are."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, count)
    middles, directions = rng.normal(0, 1, (10, 128)), rng.normal(0, 0.1, (128, COLUMNS)).astype(np.float32)
    hidden = (middles[truth] + rng.normal(0, 1.5, (count, 128))).astype(np.float32)
    return truth, np.maximum(hidden @ directions, 0)


def timed(act: Callable, *arguments: object) -> tuple:
    """What a function returns, and the seconds it took."""
    begun = time.perf_counter()
    found = act(*arguments)
    return found, time.perf_counter() - begun


def marking(count: int) -> float:
    """Seconds until a mark of 1,000 pictures is on disk, the median of nine."""
    cells = [{"path": f"raw/{number:06}.png", "label": "", "sha256": f"{number:06}"} for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        data = manifest.from_rows(Path(folder) / "data", cells).assign(status="ok").save()
        journal, took = Journal(data.root, data.table), []
        for number in range(9):
            paths = list(data.table["path"][1000 * number :][:1000])
            begun = time.perf_counter()
            journal.add([{"id": str(number), "paths": paths, "mark": "label", "label": "cats", "new": True}])
            took.append(time.perf_counter() - begun)
        journal.close()
    return float(np.median(took))


if __name__ == "__main__":
    main()
