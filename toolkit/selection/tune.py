"""Hyperparameter search: random, over a grid, or by tree-structured Parzen estimators (TPE), with Optuna.

Trials are judged on train and val alone; the test pictures stay closed. Where the backbone is frozen a trial is a
cross-validation on features that are computed once, and takes seconds; otherwise it is a training, judged on val and
stopped early (pruned) when it lags behind the others. All trials are kept: the same command goes on where it was
killed.
"""

import itertools
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import networks
from toolkit.core import locking, moved, parallel, paths, runs
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError, ToolkitError
from toolkit.selection import search_space, study
from toolkit.selection.folds import divided
from toolkit.selection.search_space import Space
from toolkit.selection.study import Asked
from toolkit.selection.trial import NO_MEMORY, TrialResult, key, run_trial
from toolkit.training import probe, train
from toolkit.training.config import Config

if TYPE_CHECKING:
    import optuna

FOLDER, FACTS, JOURNAL, TABLE, BEST = "tune", "tune.json", "journal.log", "trials.csv", "best.json"
METHODS = ("tpe", "random", "grid")


@dataclass(frozen=True, eq=False, repr=False)
class Search:
    """The trials of a search, and the best settings of all.

    Args:
        folder: holds `trials.csv`, `best.json` and the journal.
        config: the best settings found.
        trials: a row per trial: number, state ("complete", "pruned" or "failed"), accuracy, loss, seconds, reason, and
            a column per setting that was varied.
        space: what was varied.
    """

    folder: Path
    config: Config
    trials: pd.DataFrame
    space: Space

    @property
    def best(self) -> pd.Series:
        """The row of the best trial."""
        return _best(self.trials)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name} {_text(self.best[name])}" for name in self.space)
        count = f"{len(self.trials)} trials, {(self.trials['state'] == 'pruned').sum()} given up early"
        return f"{self.config.network}: {self.best['accuracy']:.1%} with {settings} ({count})"


@moved.keywords(say="log")
def search(
    manifest: Manifest,
    config: Config,
    *,
    space: Space | None = None,
    trials: int = 30,
    method: str = "tpe",
    folds: int = 5,
    seed: int = 7,
    name: str | None = None,
    overwrite: bool = False,
    jobs: int = 1,
    log: Callable[[str], None] = lambda line: None,
) -> Search:
    """Hyperparameter search: try settings, and give the best.

    The accuracy of the best trial is a little too good to be true, since it was chosen for it; only the test pictures
    tell how good it is.

    Args:
        manifest: a split manifest; its test pictures are not looked at.
        config: what all trials share.
        space: what is varied, see `search_space`; None takes `search_space.usual`.
        trials: how many in all, those of earlier calls included; a grid has no more than its points, and of a larger
            one the seed draws so many.
        method: "tpe" (Bergstra et al., 2011), "random" or "grid".
        folds: of each cross-validation, at least 2.
        seed: any integer from 0; the same one tries the same settings, with the same number of jobs.
        name: of the search, in `models/<dataset>/tune/<name>/`; None takes the network's.
        overwrite: replace a search of that name with other settings or other pictures.
        jobs: trainings at the same time, each in a process of its own, see `crossval.run`; of heads on features, folds.
            Within `parallel.cluster` trials of any kind, -1 for as many as it has workers. Trials at the same time do
            not know how the others do: none is stopped early.
        log: takes a line on each trial when it is done.

    Returns:
        The trials and the best settings, which are stored too.

    Raises:
        ToolkitError: Optuna is not installed, no trial came to an end, or none can, as two show.
            Or another search of that name is running.
        BundleError: there is a search of that name with other settings or other pictures.

    >>> search(table, Config("xception"), space={"views": [1, 2], "C": (0.001, 1)}).config  # doctest: +SKIP
    """
    if trials < 1 or method not in METHODS:
        raise ValueError(f"expected at least 1 trial and a method of {', '.join(METHODS)}, got {trials}, {method!r}")
    used = manifest.where(split=("train", "val"), status="ok")
    if not len(used):
        raise DatasetError(f"expected a split dataset, got none of {manifest.name} split; run split first")
    space = search_space.usual(config) if space is None else dict(space)
    search_space.check(config, space)
    folder = paths.models(manifest.root) / FOLDER / paths.check_label(name or networks.label(config.network))
    identity = {**train.identity(config.resolved(), used), "space": space, "method": method, "folds": folds}
    record = {**identity, "seed": seed}
    runs.check(folder / FACTS, record, kind="search", overwrite=overwrite)
    _check_possible(config, used, folds, seed)
    runs.claim(folder / FACTS, record, kind="search", overwrite=overwrite)
    with locking.alone(folder, kind="search"):
        journal = study.open_journal(folder / JOURNAL)
        if method == "grid":
            points = _grid(space, trials, seed, log)
            study.enqueue(journal, space, points)
            trials = len(points)
        attempt = partial(run_trial, config=config, used=used, folder=folder, folds=folds, seed=seed)
        runner = _Runner(attempt, jobs, trains=not config.uses_cached_features)
        try:
            _run_trials(journal, runner, config, space, trials=trials, method=method, seed=seed, log=log)
            return _gather(folder, config, space, journal)
        except ToolkitError:
            if not _succeeded(study.finished(journal)):  # nothing that a search with other settings would overwrite
                shutil.rmtree(folder)
            raise


def _check_possible(config: Config, used: Manifest, folds: int, seed: int) -> None:
    """Raise DatasetError where no settings could make a trial come to an end."""
    if config.uses_cached_features:
        divided(used, folds=folds, seed=seed)
    else:
        probe.check_classes(used)


def _run_trials(
    journal: "optuna.Study",
    runner: "_Runner",
    config: Config,
    space: Space,
    *,
    trials: int,
    method: str,
    seed: int,
    log: Callable[[str], None],
) -> None:
    """Try settings until there are so many trials.

    Raises:
        ToolkitError: trials fail whatever their settings are.
    """
    with parallel.progress(None, total=trials, description=f"tune {config.network}", unit=" trials") as bar:
        while (done := len(finished := study.finished(journal))) < trials:
            _check_hope(finished, space)
            bar.update(done - bar.n)
            batch = range(done, min(trials, (done // runner.at_once + 1) * runner.at_once))  # the same if it was killed
            asked = [study.ask(journal, space, method=method, seed=seed + number) for number in batch]
            results = study.record(journal, asked, runner.run(asked))
            for number, (_, values), result in zip(batch, asked, results, strict=True):
                log(f"trial {number + 1} of {trials}: {_line(result, values)}")


def _check_hope(finished: list["optuna.trial.FrozenTrial"], space: Space) -> None:
    """Raise ToolkitError where trials failed for one reason whatever their settings were, or with all there are."""
    if not finished or _succeeded(finished):
        return
    by_reason: dict[str, list[Mapping[str, object]]] = {}
    for trial in finished:
        by_reason.setdefault(trial.user_attrs.get("reason", ""), []).append(trial.params)
    different = {key(trial.params) for trial in finished}
    is_finite = not any(map(search_space.is_range, space.values()))
    if is_finite and len(different) >= math.prod(map(len, space.values())):
        raise ToolkitError(f"no settings of these can work: {finished[0].user_attrs.get('reason', '')}")
    for reason, tried in by_reason.items():
        if reason != NO_MEMORY and all(_seen_enough(choice, name, tried) for name, choice in space.items()):
            raise ToolkitError(f"no settings can work, {len(tried)} trials failed for one reason: {reason}")


def _seen_enough(choice: search_space.Choice, name: str, tried: Sequence[Mapping[str, object]]) -> bool:
    """Whether a setting had all its choices in these trials, or of a range two values."""
    return len({str(values[name]) for values in tried}) >= (2 if search_space.is_range(choice) else len(choice))


def _succeeded(finished: list["optuna.trial.FrozenTrial"]) -> bool:
    return any(study.state(trial) != "failed" for trial in finished)


def _grid(space: Space, trials: int, seed: int, log: Callable[[str], None]) -> list[tuple]:
    """All points of a grid; of too many, as many as there are trials, from all over it."""
    points = list(itertools.product(*(search_space.points(choice) for choice in space.values())))
    if trials >= len(points):
        return points
    log(f"{trials} of {len(points)} points of the grid")
    return [points[index] for index in np.random.default_rng(seed).permutation(len(points))[:trials]]


class _Runner:
    """Runs trials in turn, or several at a time.

    Args:
        attempt: tries settings, see `run_trial`.
        jobs: see `search`.
        trains: whether a trial is a training, and not a cross-validation on cached features.
    """

    def __init__(self, attempt: Callable[..., TrialResult], jobs: int, *, trains: bool):
        self.attempt, self.jobs = attempt, jobs
        self.kind: parallel.Kind = "trainings" if trains else "threads"
        self.at_once = parallel.n_parallel(jobs) if trains or parallel.is_distributed() else 1

    def run(self, asked: list[Asked]) -> Iterator[TrialResult]:
        """The results of trials, in their order."""
        return self._together(asked) if self.at_once > 1 else self._in_turn(asked)

    def _in_turn(self, asked: list[Asked]) -> Iterator[TrialResult]:
        for trial, values in asked:
            yield self.attempt(values, jobs=self.jobs, on_epoch=partial(study.prune, trial))

    def _together(self, asked: list[Asked]) -> Iterator[TrialResult]:
        """What two trials ask for is tried once."""
        different = {key(values): values for _, values in asked}
        results = parallel.map(self.attempt, list(different.values()), jobs=self.jobs, kind=self.kind)
        finished: dict[str, TrialResult] = {}
        for name in (key(values) for _, values in asked):
            if name not in finished:
                result = next(results)
                if isinstance(result, parallel.Failure):
                    raise ToolkitError(f"a trial stopped: {result.reason}")
                finished[name] = result
            yield finished[name]


def _gather(folder: Path, config: Config, space: Space, journal: "optuna.Study") -> Search:
    finished = study.finished(journal)
    table = _table(finished, space)
    if not (table["state"] == "complete").any():
        raise ToolkitError(f"expected a trial that came to an end, none of {len(table)} did; {table['reason'].iloc[0]}")
    params = finished[int(_best(table).name)].params  # of the journal: a table makes floats of integers beside None
    best = search_space.with_settings(config, {name: params[name] for name in space})
    paths.write(folder / TABLE, table.to_csv(index=False))
    paths.write(folder / BEST, json.dumps(asdict(best), indent=2) + "\n")
    return Search(folder, best, table, space)


def _table(finished: list["optuna.trial.FrozenTrial"], space: Space) -> pd.DataFrame:
    """A row per trial, see `Search`."""
    rows = [
        {
            "number": number,
            "state": study.state(trial),
            "accuracy": trial.value if trial.value is not None else np.nan,
            "loss": trial.user_attrs.get("loss", np.nan),
            "seconds": trial.duration.total_seconds() if trial.duration else np.nan,
            "reason": trial.user_attrs.get("reason", ""),
        }
        for number, trial in enumerate(finished, start=1)
    ]
    settings = {
        name: pd.Series([trial.params.get(name) for trial in finished], dtype=object if None in choice else None)
        for name, choice in space.items()  # None among numbers would become nan, and integers floats
    }
    return pd.DataFrame(rows).assign(**settings)


def _best(trials: pd.DataFrame) -> pd.Series:
    """The row with the highest accuracy, and of those the lowest loss."""
    complete = trials[trials["state"] == "complete"]
    return complete.sort_values(["accuracy", "loss"], ascending=[False, True], kind="stable").iloc[0]


def _line(result: TrialResult, values: Mapping[str, object]) -> str:
    settings = ", ".join(f"{name} {_text(value)}" for name, value in values.items())
    outcomes = {"complete": f"{result.accuracy:.1%}", "pruned": "given up", "failed": "failed"}
    return f"{outcomes[result.state]}  {settings}"


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
