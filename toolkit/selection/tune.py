"""Look for better settings: by chance, over a grid, or where the trials so far were good (TPE), with Optuna.

Trials are judged on train and val alone; the test pictures stay closed. Where the backbone is frozen a trial is a
cross-validation on features that are computed once, and takes seconds; otherwise it is a training, judged on val and
given up when it lags behind the others. All trials are kept: the same command goes on where it was killed.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit.core import parallel, paths, runs
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError, ToolkitError
from toolkit.selection import crossval, search_space, study
from toolkit.selection.search_space import Space
from toolkit.selection.study import Asked
from toolkit.selection.trial import Verdict, judge, key
from toolkit.training import train
from toolkit.training.config import Config

if TYPE_CHECKING:
    import optuna

FOLDER, FACTS, JOURNAL, TABLE, BEST = "tune", "tune.json", "journal.log", "trials.csv", "best.json"
METHODS = ("tpe", "random", "grid")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a search.

    Args:
        folder: where `trials.csv`, `best.json` and the journal lie.
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
        """The row of the best trial: the highest accuracy, and of those the lowest loss."""
        done = self.trials[self.trials["state"] == "complete"]
        return done.sort_values(["accuracy", "loss"], ascending=[False, True], kind="stable").iloc[0]

    def __str__(self) -> str:
        found = ", ".join(f"{name} {_text(self.best[name])}" for name in self.space)
        count = f"{len(self.trials)} trials, {(self.trials['state'] == 'pruned').sum()} given up early"
        return f"{self.config.network}: {self.best['accuracy']:.1%} with {found} ({count})"


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
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Try settings, and give the best.

    The accuracy of the best trial is a little too good to be true, since it was chosen for it; only the test pictures
    say how good it is.

    Args:
        manifest: a split manifest; its test pictures are not looked at.
        config: what all trials share.
        space: what is varied, see `spaces`; None takes `spaces.usual`.
        trials: how many in all, those of earlier calls included; a grid has no more than its points, and of a larger
            one the seed draws so many.
        method: "tpe" (Bergstra et al., 2011), "random" or "grid".
        folds: of each cross-validation, at least 2.
        seed: any integer from 0; the same one tries the same settings, with the same number of jobs.
        name: of the search, in `models/<dataset>/tune/<name>/`; None takes the network's.
        overwrite: begin anew although there is one of that name over other settings or pictures.
        jobs: trainings at the same time, each in a process of its own, see `crossval.run`; of heads on features, folds.
            Within `parallel.cluster` trials of any kind, -1 for as many as it has workers. Trials at the same time do
            not know how the others do: none is given up early.
        say: takes a line on each trial when it is done.

    Returns:
        The outcome; it is on disk too.

    Raises:
        ToolkitError: Optuna is not installed, or no trial came to an end.
        BundleError: there is a search of that name over other settings or pictures.

    >>> search(table, Config("xception"), space={"views": [1, 2], "C": (0.001, 1)}).config  # doctest: +SKIP
    """
    if trials < 1 or method not in METHODS:
        raise ValueError(f"expected at least 1 trial and a method of {', '.join(METHODS)}, got {trials}, {method!r}")
    used = manifest.where(split=("train", "val"), status="ok")
    if not len(used):
        raise DatasetError(f"expected a split dataset, got none of {manifest.name} split; run split first")
    space = search_space.usual(config) if space is None else dict(space)
    search_space.check(config, space)
    folder = paths.models(manifest.root) / FOLDER / paths.check_label(name or config.network)
    identity = {**train.identity(config.resolved(), used), "space": space, "method": method, "folds": folds}
    runs.claim(folder / FACTS, {**identity, "seed": seed}, kind="search", overwrite=overwrite)
    known = study.begin(folder / JOURNAL)
    if method == "grid":
        points = _points(space, trials, seed, say)
        study.enqueue(known, space, points)
        trials = len(points)
    trainings = not crossval.by_probe(config)
    at_once = parallel.n_parallel(jobs) if trainings or parallel.is_distributed() else 1
    judging = partial(judge, config=config, used=used, folder=folder, folds=folds, seed=seed)
    with parallel.progress(None, total=trials, description=f"tune {config.network}") as bar:
        while (tried := len(study.ended(known))) < trials:
            bar.update(tried - bar.n)
            numbers = range(tried, min(trials, (tried // at_once + 1) * at_once))  # the same after it was killed
            asked = [study.ask(known, space, method=method, seed=seed + number) for number in numbers]
            verdicts = _together(asked, judging, jobs, trainings) if at_once > 1 else _alone(asked, judging, jobs)
            for number, verdict in zip(numbers, study.told(known, asked, verdicts), strict=True):
                say(f"trial {number + 1} of {trials}: {_line(verdict, asked[number - tried][1])}")
    return _outcome(folder, config, space, known)


def _points(space: Space, trials: int, seed: int, say: Callable[[str], None]) -> list[tuple]:
    """All points of a grid; of too many, some from all over it."""
    points = list(itertools.product(*(search_space.points(choice) for choice in space.values())))
    if trials >= len(points):
        return points
    say(f"{trials} of {len(points)} points of the grid")
    return [points[place] for place in np.random.default_rng(seed).permutation(len(points))[:trials]]


def _alone(asked: list[Asked], judging: Callable[..., Verdict], jobs: int) -> Iterator[Verdict]:
    """Verdicts, one after the other: a training may be given up early."""
    for trial, values in asked:
        yield judging(values, jobs=jobs, watch=partial(study.prune, trial))


def _together(asked: list[Asked], judging: Callable[..., Verdict], jobs: int, trainings: bool) -> Iterator[Verdict]:
    """Verdicts on trials at the same time; what two of them ask for is tried once."""
    different = {key(values): values for _, values in asked}
    kind: parallel.Kind = "trainings" if trainings else "threads"
    results = parallel.map(judging, list(different.values()), jobs=jobs, kind=kind)
    known: dict[str, Verdict] = {}
    for name in (key(values) for _, values in asked):
        known[name] = known[name] if name in known else next(results)
        if isinstance(known[name], parallel.Failure):
            raise ToolkitError(f"a trial stopped: {known[name].reason}")
        yield known[name]


def _outcome(folder: Path, config: Config, space: Space, known: "optuna.Study") -> Outcome:
    tried = study.ended(known)
    rows = [
        {
            "number": number,
            "state": study.state(trial),
            "accuracy": trial.value if trial.value is not None else np.nan,
            "loss": trial.user_attrs.get("loss", np.nan),
            "seconds": trial.duration.total_seconds() if trial.duration else np.nan,
            "reason": trial.user_attrs.get("reason", ""),
        }
        for number, trial in enumerate(tried, start=1)
    ]
    varied = {
        name: pd.Series([trial.params.get(name) for trial in tried], dtype=object if None in choice else None)
        for name, choice in space.items()  # None among numbers would become one, and they fractions
    }
    table = pd.DataFrame(rows).assign(**varied)
    if not (table["state"] == "complete").any():
        raise ToolkitError(f"expected a trial that came to an end, none of {len(table)} did; {table['reason'].iloc[0]}")
    best = tried[Outcome(folder, config, table, space).best.name].params
    outcome = Outcome(folder, search_space.changed(config, {name: best[name] for name in space}), table, space)
    paths.write(folder / TABLE, table.to_csv(index=False))
    paths.write(folder / BEST, json.dumps(asdict(outcome.config), indent=2) + "\n")
    return outcome


def _line(verdict: Verdict, values: dict[str, object]) -> str:
    settings = ", ".join(f"{name} {_text(value)}" for name, value in values.items())
    found = {"complete": f"{verdict.accuracy:.1%}", "pruned": "given up"}
    return f"{found.get(verdict.state, 'failed')}  {settings}"


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
