"""Look for better settings: by chance, over a grid, or where the trials so far were good (TPE), with Optuna.

Trials are judged on train and val alone; the test pictures stay closed. Where the backbone is frozen a trial is a
cross-validation on features that are computed once, and takes seconds; otherwise it is a training, judged on val and
given up when it lags behind the others. All trials are kept: the same command goes on where it was killed.
"""

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import bundle, calibrate, crossval, parallel, paths, resize, spaces, train
from toolkit.config import Config
from toolkit.errors import BundleError, DatasetError, ToolkitError
from toolkit.manifest import Manifest
from toolkit.spaces import Space

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
        trials: how many in all, those of earlier calls included; a grid has no more than its points.
        method: "tpe" (Bergstra et al., 2011), "random" or "grid".
        folds: of each cross-validation, at least 2.
        seed: any integer from 0; the same one tries the same settings.
        name: of the search, in `models/<dataset>/tune/<name>/`; None takes the network's.
        overwrite: begin anew although there is one of that name over other settings or pictures.
        jobs: see `crossval.run`.
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
    space = spaces.usual(config) if space is None else dict(space)
    spaces.check(config, space)
    folder = paths.models(manifest.root) / FOLDER / paths.check_label(name or config.network)
    searching = {"space": json.loads(json.dumps(space)), "method": method, "folds": folds, "seed": seed}
    _begin(folder, {**train.identity(config.resolved(), used), **searching}, overwrite)
    study = _study(folder / JOURNAL)
    if method == "grid":
        points = list(itertools.product(*(spaces.points(choice) for choice in space.values())))
        trials = min(trials, len(points))
        for point in points[:trials]:
            study.enqueue_trial(dict(zip(space, point, strict=True)), skip_if_exists=True)
    for number in parallel.progress(range(_tried(study), trials), description=f"tune {config.network}"):
        study.sampler = _sampler(method, seed + number)  # by number: so a search that was killed tries the same
        trial = study.ask()
        values = {setting: spaces.suggest(trial, setting, choice) for setting, choice in space.items()}
        _tell(study, trial, values, lambda: _judged(config, values, used, trial, folder, folds, seed, jobs))  # noqa: B023
        say(_line(study.trials[trial.number], trials))
    return _outcome(folder, config, space, study)


def _judged(
    config: Config,
    values: Mapping[str, object],
    used: Manifest,
    trial: "optuna.Trial",
    folder: Path,
    folds: int,
    seed: int,
    jobs: int,
) -> tuple[float, float]:
    """Accuracy and loss of one trial; its folder is called after its settings, so one that was killed goes on."""
    by_probe = crossval.by_probe(config)
    config = spaces.changed(config, values).resolved()
    into = folder / hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode()).hexdigest()[:12]
    if by_probe:
        outcome = crossval.run(used, config, folds=folds, seed=seed, into=into, jobs=jobs)
        table = outcome.report.predictions
        shares = table[[f"p_{label}" for label in used.classes]].to_numpy()
        labels = table["label"].map({label: place for place, label in enumerate(used.classes)}).to_numpy()
        return outcome.report.accuracy, calibrate.likelihood(shares, labels)
    resize.write(used, size=config.size, mode=config.resize_mode)
    run = train.fit(config, used, into=into, watch=lambda rows: _prune(trial, rows, config.monitor))
    kept = run.kept[1]
    (into / bundle.FACTS).unlink()
    (into / bundle.MODEL).unlink()  # its settings are what is looked for
    return kept.accuracy, kept.loss


def _prune(trial: "optuna.Trial", rows: list[dict], monitor: str) -> None:
    import optuna

    if "C" in rows[-1]:  # a head on features, from which fine-tuning begins, is no epoch to be compared by
        return
    trial.report(bundle.kept(rows[-1], monitor=monitor).accuracy, len(rows))
    if trial.should_prune():
        raise optuna.TrialPruned


def _tell(study: "optuna.Study", trial: "optuna.Trial", values: Mapping, judge: Callable) -> None:
    """Ask for the result of a trial, and write down what came of it."""
    import optuna

    failed, pruned = optuna.trial.TrialState.FAIL, optuna.trial.TrialState.PRUNED
    try:
        accuracy, loss = judge()
    except optuna.TrialPruned:
        study.tell(trial, state=pruned)
    except (ToolkitError, ValueError) as error:  # settings that do not go together: the others may
        trial.set_user_attr("reason", str(error))
        study.tell(trial, state=failed)
    else:
        trial.set_user_attr("loss", loss)
        study.tell(trial, accuracy)


def _study(file: Path) -> "optuna.Study":
    """The study in a file; trials that were under way when it was killed are begun again first."""
    optuna = _optuna()
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(file)))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1)
    study = optuna.create_study(
        study_name="tune", storage=storage, pruner=pruner, direction="maximize", load_if_exists=True
    )
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


def _tried(study: "optuna.Study") -> int:
    """How many trials came to an end, be it a bad one; those that were killed did not."""
    return sum(_state(trial) in ("complete", "pruned", "failed") for trial in study.trials)


def _state(trial: "optuna.trial.FrozenTrial") -> str:
    names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed" if "reason" in trial.user_attrs else "killed"}
    return names.get(trial.state.name, "waiting")


def _sampler(method: str, seed: int) -> "optuna.samplers.BaseSampler":
    samplers = _optuna().samplers
    return samplers.TPESampler(seed=seed) if method == "tpe" else samplers.RandomSampler(seed=seed)


def _begin(folder: Path, identity: dict, overwrite: bool) -> None:
    file = folder / FACTS
    known = json.loads(file.read_text()) if file.exists() else None
    if known == json.loads(json.dumps(identity)):
        return
    if known is not None:
        if not overwrite:
            raise BundleError(
                f"expected no search at {folder}, got one over other settings or other pictures; give this one "
                "another name (--name), or allow it to be replaced (--overwrite)"
            )
        shutil.rmtree(folder)
    paths.write(file, json.dumps(identity, indent=2) + "\n")


def _outcome(folder: Path, config: Config, space: Space, study: "optuna.Study") -> Outcome:
    rows = [
        {
            "number": number,
            "state": _state(trial),
            "accuracy": trial.value if trial.value is not None else np.nan,
            "loss": trial.user_attrs.get("loss", np.nan),
            "seconds": trial.duration.total_seconds() if trial.duration else np.nan,
            "reason": trial.user_attrs.get("reason", ""),
            **{name: trial.params.get(name) for name in space},
        }
        for number, trial in enumerate(
            (trial for trial in study.trials if _state(trial) not in ("killed", "waiting")), start=1
        )
    ]
    table = pd.DataFrame(rows)
    if not (table["state"] == "complete").any():
        raise ToolkitError(f"expected a trial that came to an end, none of {len(table)} did; {table['reason'].iloc[0]}")
    outcome = Outcome(folder, config, table, space)
    best = spaces.changed(config, {name: _plain(outcome.best[name]) for name in space})
    paths.write(folder / TABLE, table.to_csv(index=False))
    paths.write(folder / BEST, json.dumps(asdict(best), indent=2) + "\n")
    return Outcome(folder, best, table, space)


def _line(trial: "optuna.trial.FrozenTrial", trials: int) -> str:
    settings = ", ".join(f"{name} {_text(value)}" for name, value in trial.params.items())
    found = {"complete": f"{trial.value:.1%}" if trial.value is not None else "", "pruned": "given up"}
    return f"trial {trial.number + 1} of {trials}: {found.get(_state(trial), 'failed')}  {settings}"


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _optuna() -> "optuna":
    try:
        import optuna
    except ImportError as error:
        raise ToolkitError(
            'expected Optuna for a search, found none; run `pip install "image-classifier-toolkit[tune]"`'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
