"""One trial of a search: settings are judged on train and val, and even those that fail have a result.

A trial knows nothing of the search, so that it can be sent to another process or machine.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.core.framework import tf
from toolkit.dataset import resize
from toolkit.dataset.manifest import Manifest
from toolkit.errors import ToolkitError
from toolkit.evaluation.evaluate import Report
from toolkit.model import bundle, epochs
from toolkit.selection import crossval, search_space
from toolkit.training import train
from toolkit.training.config import Config

NO_MEMORY = "expected memory for these settings, there was too little; try a smaller size, width or batch_size"

OnEpoch = Callable[[float, int], None]


class Pruned(Exception):
    """Raised to stop a training that lags behind those of other trials."""


@dataclass(frozen=True)
class TrialResult:
    """What a trial achieved.

    Args:
        state: "complete", "pruned" for one that was stopped early, or "failed".
        accuracy, loss: on pictures that were not learned from; nan unless it is complete.
        reason: why it failed, in words.
    """

    state: Literal["complete", "pruned", "failed"]
    accuracy: float = float("nan")
    loss: float = float("nan")
    reason: str = ""


def run_trial(
    values: Mapping[str, object],
    *,
    config: Config,
    used: Manifest,
    folder: Path,
    folds: int,
    seed: int,
    jobs: int = 1,
    on_epoch: OnEpoch = lambda accuracy, epoch: None,
) -> TrialResult:
    """Train with settings and judge them: by cross-validation, or on val.

    Args:
        values: the settings of this trial alone.
        config: what all trials share. Where it is a head on features, all trials are judged in folds, otherwise all on
            val: results of two methods could not be compared.
        used: pictures to learn from and choose by.
        folder: of the search; a trial's own, in it, is named after its settings, so an interrupted one goes on.
        folds, seed, jobs: see `crossval.run`.
        on_epoch: takes the accuracy on val and the number of the epoch after each one; may raise `Pruned`.

    Returns:
        The result; settings that do not go together, or not into memory, have failed.

    >>> run_trial({"C": 0.1}, config=config, used=used, folder=folder, folds=5, seed=7).state  # doctest: +SKIP
    'complete'
    """
    into = folder / key(values)
    try:
        changed = search_space.with_settings(config, values).resolved()
        if not changed.uses_cached_features:
            resize.write(used, size=changed.size, mode=changed.resize_mode)
        if config.uses_cached_features:
            return _result_of(crossval.run(used, changed, folds=folds, seed=seed, into=into, jobs=jobs).report)
        return _train_and_validate(changed, used, into, on_epoch)
    except Pruned:
        result = TrialResult("pruned")
    except (ToolkitError, ValueError) as error:  # settings that do not go together: the others may
        result = TrialResult("failed", reason=str(error))
    except (MemoryError, tf.errors.ResourceExhaustedError):
        result = TrialResult("failed", reason=NO_MEMORY)
    shutil.rmtree(into, ignore_errors=True)  # checkpoints from which nothing will go on
    return result


def key(values: Mapping[str, object]) -> str:
    """A short name for settings.

    >>> key({"C": 0.1, "views": 2}) == key({"views": 2, "C": 0.1})
    True
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _result_of(report: Report) -> TrialResult:
    return TrialResult("complete", report.accuracy, report.log_loss)


def _train_and_validate(config: Config, used: Manifest, into: Path, on_epoch: OnEpoch) -> TrialResult:
    def watch(rows: Sequence[epochs.Row]) -> None:
        if "C" not in rows[-1]:  # a head on features, from which fine-tuning begins, is no epoch to be compared by
            on_epoch(epochs.better_weights(rows[-1], monitor=config.monitor).accuracy, len(rows))

    trained = train.fit(config, used, into=into, on_epoch=watch)
    _, kept = trained.best
    (into / bundle.FACTS).unlink()
    (into / bundle.MODEL).unlink()  # the search is for its settings
    return TrialResult("complete", kept.accuracy, kept.loss)
