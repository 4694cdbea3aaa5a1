"""Cross-validation: every picture is judged once, by a network that has not seen it.

A test of 150 pictures leaves an interval of several points. In k folds all pictures are test pictures in turn, which
gives the sharpest honest figure that a small dataset can give, and an answer for each picture by a network that did not
learn from it: what finds wrong labels.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from toolkit.core import parallel, paths, runs
from toolkit.dataset import split
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError, DatasetError, ToolkitError
from toolkit.evaluation import evaluate
from toolkit.model import bundle, calibrate
from toolkit.training import probe, train
from toolkit.training.config import Config

FOLDER, FACTS = "crossval", "crossval.json"
VAL_PARTS = 7  # one of them, of the pictures that a fold does not judge, is for choosing the epoch or the strength


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a cross-validation.

    Args:
        folder: where `predictions.csv`, `history.csv` and `crossval.json` lie.
        report: of all answers together, each by the network of its fold; the predictions have a column `fold` too.
        history: of all trainings, with a column `fold`.
    """

    folder: Path
    report: evaluate.Report
    history: pd.DataFrame

    @property
    def folds(self) -> pd.DataFrame:
        """A row per fold: pictures, and the share named right."""
        right = (self.report.predictions["label"] == self.report.predictions["predicted"]).rename("accuracy")
        grouped = right.groupby(self.report.predictions["fold"])
        return grouped.agg(pictures="size", accuracy="mean")

    def __str__(self) -> str:
        low, high = self.folds["accuracy"].min(), self.folds["accuracy"].max()
        return f"{self.report}; folds from {low:.1%} to {high:.1%}"


def run(
    manifest: Manifest,
    config: Config,
    *,
    folds: int = 5,
    seed: int = 7,
    name: str | None = None,
    into: Path | None = None,
    overwrite: bool = False,
    jobs: int = 1,
    ask: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Train and judge one network per fold, and put their answers together.

    Folds are stratified and grouped: each has its share of every class, and near-duplicates are in one fold. Where the
    backbone is frozen, all of it takes seconds (see `probe`), and each head is found again from all that its fold does
    not judge when C is chosen, as `refit` does; otherwise every fold is a training of its own, and one that was killed
    goes on from its checkpoint.

    Args:
        manifest: pictures in use, deduplicated; their splits do not matter. To choose between networks, give
            `manifest.where(split=("train", "val"))`: what was chosen on the test pictures has seen them.
        config: how each is trained.
        folds: at least 2.
        seed: of the division; any integer from 0.
        name: of the result, in `models/<dataset>/crossval/<name>/`; None takes the network's.
        into: folder of the result; None is the one above.
        overwrite: do it again although there is one of that name with other settings or other pictures.
        jobs: folds at the same time; within `parallel.cluster`, -1 for as many as it has workers. Trainings are each in
            a process of their own, so that the seed gives the same networks as with one job; one graphics card has
            memory for a single one.
        ask: views of a picture to ask a head on features about, from 1 to `config.views`; the answer is their mean.
        say: takes a line on each fold when it is done.

    Returns:
        The outcome; it is on disk too.

    Raises:
        DatasetError: a class has too few pictures, or groups of them, for so many folds.
        BundleError: there is one of that name that was done differently.
        ValueError: more views to ask about than there are.

    >>> print(run(manifest.load("cars_tanks"), Config("mobilenet")))  # doctest: +SKIP
    mobilenet: 97.8% right on 1101 cross-validated pictures (95 % interval 96.8% to 98.5%); folds from 97.3% to 98.6%
    """
    config, used = config.resolved(), manifest.where(status="ok")
    folder = into or paths.models(manifest.root) / FOLDER / paths.check_label(name or config.network)
    most = config.views if by_probe(config) else 1
    if not 1 <= ask <= most:
        raise ValueError(f"expected to ask about 1 to {most} views, as many as the head learns from, got {ask}")
    asked = {"ask": ask} if ask > 1 else {}  # what was done before this could be asked for stays known
    identity = {**train.identity(config, used), "folds": folds, "seed": seed, **asked}
    runs.claim(folder / FACTS, {"identity": identity}, kind="cross-validation", overwrite=overwrite)
    parts = divided(used, folds=folds, seed=seed)
    known = probe.seen(config, used) if by_probe(config) else None
    if known is not None:
        say(probe.IN_WORDS)
    one = partial(_fold, config=config, known=known, ask=ask, folder=folder)
    kind: parallel.Kind = "trainings" if known is None else "threads"
    numbered = list(enumerate(parts, start=1))
    done = parallel.map(one, numbered, description=f"crossval {config.network}", jobs=jobs, kind=kind)
    tables, histories = [], []
    for number, result in enumerate(done, start=1):
        if isinstance(result, parallel.Failure):
            raise ToolkitError(f"fold {number} of {folds} stopped: {result.reason}")
        tables.append(result[0].assign(fold=number))
        histories.append(result[1].assign(fold=number))
        right = (tables[-1]["label"] == tables[-1]["predicted"]).mean()
        say(f"fold {number} of {folds}: {right:.1%} right on {len(tables[-1])} pictures")
    predictions = pd.concat(tables).sort_values("path", ignore_index=True)
    report = evaluate.Report(folder.name, manifest.classes, predictions, split="cross-validated")
    outcome = Outcome(folder, report, pd.concat(histories, ignore_index=True))
    _write(outcome)
    return outcome


def load(manifest: Manifest, name: str) -> Outcome:
    """The outcome of an earlier `run`.

    Raises:
        BundleError: there is none.
    """
    folder = paths.models(manifest.root) / FOLDER / name
    if not (folder / bundle.PREDICTIONS).exists():
        raise BundleError(f"expected a cross-validation at {folder}, found none; run `toolkit crossval` first")
    report = evaluate.Report(name, manifest.classes, _table(folder), split="cross-validated")
    return Outcome(folder, report, pd.read_csv(folder / bundle.HISTORY))


def divided(manifest: Manifest, *, folds: int, seed: int) -> list[Manifest]:
    """The manifest once per fold, with what the fold judges as "test", and the others as "train" and "val".

    Args:
        manifest: pictures in use.
        folds: at least 2.
        seed: any integer from 0.

    Raises:
        DatasetError: a class has too few pictures, or groups of them, for so many folds.
    """
    if folds < 2:
        raise ValueError(f"expected at least 2 folds, got {folds}")
    table = manifest.table
    groups = split.groups(table).to_numpy()
    labels = table["label"].to_numpy()
    counts = pd.Series(groups).groupby(labels).nunique()
    if not len(counts) or counts.min() <= folds:
        few = f"{counts.min()} of {counts.idxmin()!r}" if len(counts) else "none"
        raise DatasetError(f"expected more than {folds} pictures of every class for {folds} folds, got {few}")
    parts = []
    for number, (rest, judged) in enumerate(_folds(folds, seed).split(labels, labels, groups), start=1):
        splits = np.full(len(table), "train", dtype=object)
        splits[judged], splits[rest[_chosen_by(labels[rest], groups[rest], seed)]] = "test", "val"
        missing = sorted(set(labels) - set(labels[splits == "train"]))
        if missing:
            raise DatasetError(
                f"expected pictures of every class to learn from in fold {number} of {folds}, got none of "
                f"{missing[0]!r}: too many of them are near-duplicates of one another, which stay together; take "
                "another seed or number of folds, or add pictures"
            )
        parts.append(manifest.assign(split=splits))
    return parts


def _chosen_by(labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Places of the pictures to choose by: of the first division that leaves some of every class on both sides.

    Large groups may allow none: then of the first one that leaves some to learn from, or else of the very first.
    """
    most = min(VAL_PARTS, int(pd.Series(groups).groupby(labels).nunique().min()))
    divisions = list(_folds(max(2, most), seed).split(labels, labels, groups))
    kinds = len(set(labels))

    def lacking(division: tuple[np.ndarray, np.ndarray]) -> tuple[bool, bool]:
        train, val = (len(set(labels[part])) < kinds for part in division)
        return train, val

    return min(divisions, key=lacking)[1]  # the first of the best


def _folds(count: int, seed: int) -> StratifiedGroupKFold:
    return StratifiedGroupKFold(count, shuffle=True, random_state=seed)


def by_probe(config: Config) -> bool:
    """Whether folds are heads on features that are computed once, and so take seconds."""
    return probe.suits(config) and not config.fine_tune


def _fold(
    task: tuple[int, Manifest], *, config: Config, known: np.ndarray | None, ask: int, folder: Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The answers of one fold and its history, from disk if they are there."""
    number, part = task
    place = folder / f"fold-{number}"
    if not (place / bundle.PREDICTIONS).exists():
        if known is None:
            _trained(config, part, place)
        else:
            _probed(config, part, place, known, ask)
    return _table(place), pd.read_csv(place / bundle.HISTORY)


def _probed(config: Config, part: Manifest, place: Path, known: np.ndarray, ask: int) -> None:
    learned = probe.learn(replace(config, refit=True), part, known)
    judged = (part.table["split"] == "test").to_numpy()
    shares = np.mean([learned.probe.probabilities(known[judged, view]) for view in range(ask)], axis=0)
    if config.calibrate:
        shares = calibrate.rescale(shares, calibrate.temperature(learned.val, learned.val_labels))
    answers = evaluate.predictions(part.table.loc[judged, ["path", "label"]], shares, part.classes)
    paths.write(place / bundle.HISTORY, learned.history.to_csv(index=False))
    paths.write(place / bundle.PREDICTIONS, answers.to_csv(index=False))


def _trained(config: Config, part: Manifest, place: Path) -> None:
    """A training like any other; of the network nothing is kept but its answers and its history."""
    trained = train.fit(config, part, into=place)
    evaluate.measure(trained, part, record=False)
    for name in (bundle.FACTS, bundle.MODEL, bundle.SEEN, bundle.METRICS):
        (place / name).unlink()


def _table(folder: Path) -> pd.DataFrame:
    words = {"path": str, "label": str, "predicted": str}
    return pd.read_csv(folder / bundle.PREDICTIONS, keep_default_na=False, dtype=words)


def _write(outcome: Outcome) -> None:
    report, file = outcome.report, outcome.folder / FACTS
    low, high = report.interval
    facts = json.loads(file.read_text())
    facts |= {"accuracy": report.accuracy, "low": low, "high": high, "pictures": len(report.predictions)}
    facts["folds"] = outcome.folds.reset_index().to_dict(orient="records")
    paths.write(outcome.folder / bundle.HISTORY, outcome.history.to_csv(index=False))
    paths.write(outcome.folder / bundle.PREDICTIONS, report.predictions.to_csv(index=False))
    paths.write(file, json.dumps(facts, indent=2) + "\n")
