"""Cross-validation: every picture is judged once, by a network that has not seen it.

A test of 150 pictures leaves an interval of several points. In k folds all pictures are test pictures in turn, which
gives the sharpest honest figure that a small dataset can give, and an answer for each picture by a network that did not
learn from it: what finds wrong labels.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit import networks
from toolkit.core import contained, locking, moved, parallel, paths, records, runs
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError, DatasetError, ToolkitError
from toolkit.evaluation import evaluate
from toolkit.model import bundle, calibrate
from toolkit.selection.folds import Kept, are_by_hash, divided, sent
from toolkit.training import probe, train
from toolkit.training.config import Config

__all__ = ["CrossValidation", "divided", "load", "run"]

FOLDER, FACTS = "crossval", "crossval.json"
SPLIT = "cross-validated"
SENT = "pictures"  # folder of the table that folds on other machines read, while they run

Judge = Callable[[Manifest, Path], None]  # learns from a fold's train and val, and stores its answers about test


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """The answers of all folds together.

    Args:
        folder: holds `predictions.csv`, `history.csv` and `crossval.json`.
        report: of all answers, each by the network of its fold; the predictions have a column `fold` too.
        history: of all trainings, with a column `fold`.
    """

    folder: Path
    report: evaluate.Report
    history: pd.DataFrame

    @property
    def folds(self) -> pd.DataFrame:
        """A row per fold: number of pictures, and accuracy."""
        right = (self.report.predictions["label"] == self.report.predictions["predicted"]).rename("accuracy")
        grouped = right.groupby(self.report.predictions["fold"])
        return grouped.agg(pictures="size", accuracy="mean")

    def __repr__(self) -> str:
        low, high = self.folds["accuracy"].min(), self.folds["accuracy"].max()
        return f"{self.report}; folds from {low:.1%} to {high:.1%}"


class FoldResult(NamedTuple):
    """The answers about the pictures that a fold judges, and the history of its training."""

    predictions: pd.DataFrame
    history: pd.DataFrame


@moved.keywords(say="log")
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
    by: str | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> CrossValidation:
    """Stratified, grouped k-fold cross-validation: train and judge one network per fold, and gather their answers.

    Each fold has its share of every class, and near-duplicates are in one fold. Where the backbone is frozen, all of it
    takes seconds: each head is found from cached features, and again from train and val when C is chosen, as with
    `refit` (see `probe`). Otherwise every fold is a training of its own, and an interrupted one goes on from its
    checkpoint.

    Args:
        manifest: pictures in use, deduplicated; their splits do not matter. To choose between networks, give
            `manifest.where(split=("train", "val"))`: what was chosen on the test pictures has seen them.
        config: how each is trained.
        folds: at least 2.
        seed: of the division; any integer from 0.
        name: of the result, in `models/<dataset>/crossval/<name>/`; None takes the network's.
        into: folder of the result; None is the one above.
        overwrite: replace a result of that name with other settings or other pictures.
        jobs: folds at the same time; within `parallel.cluster`, -1 for as many as it has workers. Trainings are each in
            a process of their own, so that the seed gives the same networks as with one job; one graphics card has
            memory for a single one.
        ask: views of a picture to ask a head about (test-time augmentation), from 1 to `config.views`; the answer is
            their mean.
        by: a column of the manifest, such as "source", "creator" or "group": every picture is judged by a network that
            learned from no other of its value, see `grouping.together`. The name of the result then ends in it.
        log: takes a line on each fold when it is done.

    Returns:
        The gathered answers, which are stored too.

    Raises:
        DatasetError: a class has too few pictures, or groups of them, for so many folds.
        BundleError: there is a result of that name with other settings or other pictures.
        ValueError: more views to ask about than there are.

    >>> print(run(manifest.load("cars_tanks"), Config("mobilenet")))  # doctest: +SKIP
    mobilenet: 97.8% right on 1101 cross-validated pictures (95 % interval 96.8% to 98.5%); folds from 97.3% to 98.6%
    """
    config, used = config.resolved(), manifest.labelled
    _check_views(config, ask)
    name = f"{name or networks.label(config.network)}{f'-by-{by}' if by else ''}"
    folder = into or paths.models(manifest.root) / FOLDER / paths.check_label(name)
    # results from before these settings existed have no such entries
    views: dict[str, object] = {"ask": ask} if ask > 1 else {}
    views |= {"division": "hash"} if are_by_hash(len(used), by) else {}
    identity = {**train.identity(config, used), "folds": folds, "seed": seed, **views, **({"by": by} if by else {})}
    record = {"identity": identity}
    runs.check(folder / FACTS, record, kind="cross-validation", overwrite=overwrite)
    parts = divided(used, folds=folds, seed=seed, by=by)
    judge = _judge(config, used, ask, log)
    # only now, as what is refused before should leave nothing behind
    runs.claim(folder / FACTS, record, kind="cross-validation", overwrite=overwrite)
    with locking.alone(folder, kind="cross-validation"):
        with sent(parts, folder / SENT) as tasks:
            result = _gather(folder, manifest.classes, _fold_results(config, tasks, folder, judge, jobs, log))
        _write(result)
    return result


def load(manifest: Manifest, name: str) -> CrossValidation:
    """The result of an earlier `run`.

    Args:
        manifest: the dataset.
        name: of the result.

    Raises:
        BundleError: there is none.

    >>> load(manifest.load("cars_tanks"), "mobilenet").folds  # doctest: +SKIP
    """
    folder = paths.models(manifest.root) / FOLDER / name
    if not (folder / bundle.PREDICTIONS).exists():
        raise BundleError(f"expected a cross-validation at {folder}, found none; run `toolkit crossval` first")
    predictions, history = _read(folder)
    return CrossValidation(folder, evaluate.Report(name, manifest.classes, predictions, split=SPLIT), history)


def _check_views(config: Config, ask: int) -> None:
    most = config.views if config.uses_cached_features else 1
    if not 1 <= ask <= most:
        raise ValueError(f"expected to ask about 1 to {most} views, as many as the head learns from, got {ask}")


def _judge(config: Config, used: Manifest, ask: int, log: Callable[[str], None]) -> Judge:
    """What learns and answers in each fold: a head on cached features, or a training."""
    features = probe.features_for(config, used) if config.uses_cached_features else None
    if features is None:
        return partial(_train_fold, config)
    log(probe.IN_WORDS)
    on_disk = parallel.is_distributed() and not isinstance(features, np.ndarray)  # where each machine finds them
    return partial(_probe_fold, config, None if on_disk else features, ask)


def _fold_results(
    config: Config, parts: Sequence[Manifest | Kept], folder: Path, judge: Judge, jobs: int, log: Callable[[str], None]
) -> Iterator[FoldResult]:
    """The result of each fold, in order and as it is done."""
    kind: parallel.Kind = "threads" if config.uses_cached_features else "trainings"
    results = parallel.map(
        partial(_fold, judge=judge, folder=folder),
        list(enumerate(parts, start=1)),
        description=f"crossval {config.network}",
        jobs=jobs,
        kind=kind,
    )
    for number, result in enumerate(results, start=1):
        if isinstance(result, parallel.Failure):
            raise ToolkitError(f"fold {number} of {len(parts)} stopped: {result.reason}")
        fold = _read(result)
        right = (fold.predictions["label"] == fold.predictions["predicted"]).mean()
        log(f"fold {number} of {len(parts)}: {right:.1%} right on {len(fold.predictions)} pictures")
        yield fold


def _fold(task: tuple[int, Manifest | Kept], *, judge: Judge, folder: Path) -> Path:
    """The folder with the result of one fold, which may have been done before."""
    number, part = task
    into = folder / f"fold-{number}"
    if not (into / bundle.PREDICTIONS).exists():
        judge(part.opened() if isinstance(part, Kept) else part, into)
    return into


def _probe_fold(config: Config, features: probe.Features | None, ask: int, part: Manifest, into: Path) -> None:
    vectors = probe.features_for(config, part) if features is None else features
    if vectors is None:
        raise DatasetError(f"expected the features of {part.name} on this machine, got none; share the project folder")
    learned = probe.learn(replace(config, refit=True), part, vectors)
    judged = (part.table["split"] == "test").to_numpy()
    answers = np.mean([learned.probe.probabilities(vectors[judged, view]) for view in range(ask)], axis=0)
    if config.calibrate:
        answers = calibrate.rescale(answers, calibrate.temperature(learned.val, learned.val_labels))
    predictions = evaluate.predictions(part.table.loc[judged, ["path", "label"]], answers, part.classes)
    paths.write(into / bundle.HISTORY, learned.history.to_csv(index=False))
    paths.write(into / bundle.PREDICTIONS, predictions.to_csv(index=False))


def _train_fold(config: Config, part: Manifest, into: Path) -> None:
    """A training like any other; of the network nothing is kept but its answers and its history."""
    trained = train.fit(config, part, into=into)
    evaluate.measure(trained, part, record=False)
    for name in (bundle.FACTS, bundle.MODEL, bundle.SEEN, bundle.PICTURES, bundle.METRICS):
        (into / name).unlink()


def _read(folder: Path) -> FoldResult:
    strings = {"path": str, "label": str, "predicted": str}
    predictions = pd.read_csv(folder / bundle.PREDICTIONS, keep_default_na=False, dtype=strings)
    contained.paths(predictions["path"], of=folder / bundle.PREDICTIONS, anywhere=True)
    return FoldResult(predictions, pd.read_csv(folder / bundle.HISTORY))


def _gather(folder: Path, classes: tuple[str, ...], results: Iterable[FoldResult]) -> CrossValidation:
    predictions, histories = [], []
    for number, result in enumerate(results, start=1):
        predictions.append(result.predictions.assign(fold=number))
        histories.append(result.history.assign(fold=number))
    table = pd.concat(predictions).sort_values("path", ignore_index=True)
    report = evaluate.Report(folder.name, classes, table, split=SPLIT)
    return CrossValidation(folder, report, pd.concat(histories, ignore_index=True))


def _write(result: CrossValidation) -> None:
    report, file = result.report, result.folder / FACTS
    low, high = report.interval
    facts = records.read(file)
    facts |= {"accuracy": report.accuracy, "low": low, "high": high, "pictures": len(report.predictions)}
    facts["folds"] = result.folds.reset_index().to_dict(orient="records")
    paths.write(result.folder / bundle.HISTORY, result.history.to_csv(index=False))
    paths.write(result.folder / bundle.PREDICTIONS, report.predictions.to_csv(index=False))
    paths.write(file, json.dumps(facts, indent=2) + "\n")
