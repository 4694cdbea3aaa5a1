"""One trial of a search: settings are judged on train and val, and what comes of them is a verdict, be it a bad one.

A trial knows nothing of the search, so that it can be sent to another process or machine.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.framework import tf
from toolkit.dataset import resize
from toolkit.dataset.manifest import Manifest
from toolkit.errors import ToolkitError
from toolkit.model import bundle, calibrate
from toolkit.selection import crossval, search_space
from toolkit.training import train
from toolkit.training.config import Config

NO_MEMORY = "expected memory for these settings, there was too little; try a smaller size, width or batch_size"


class GivenUp(Exception):
    """Raised by who watches a training that lags behind."""


@dataclass(frozen=True)
class Verdict:
    """What came of a trial.

    Args:
        state: "complete", "pruned" for one that was given up, or "failed".
        accuracy, loss: on pictures that were not learned from; nan unless it is complete.
        reason: why it failed, in words.
    """

    state: str
    accuracy: float = float("nan")
    loss: float = float("nan")
    reason: str = ""


def judge(
    values: Mapping[str, object],
    *,
    config: Config,
    used: Manifest,
    folder: Path,
    folds: int,
    seed: int,
    jobs: int = 1,
    watch: Callable[[float, int], None] = lambda accuracy, epoch: None,
) -> Verdict:
    """Try settings.

    Args:
        values: the settings that this trial has for itself.
        config: what all trials share. Where it is a head on features, all are judged in folds, else all on val: judged
            in two ways, they could not be compared.
        used: pictures to learn from and choose by.
        folder: of the search; the trial's own, in it, is called after its settings, so one that was killed goes on.
        folds, seed, jobs: see `crossval.run`.
        watch: takes the accuracy on val and the number of the epoch after each one; may raise `GivenUp`.

    Returns:
        The verdict; settings that do not go together, or not into memory, have failed.

    >>> judge({"C": 0.1}, config=config, used=used, folder=folder, folds=5, seed=7).state  # doctest: +SKIP
    'complete'
    """
    into = folder / key(values)
    try:
        changed = search_space.changed(config, values).resolved()
        if not crossval.by_probe(changed):
            resize.write(used, size=changed.size, mode=changed.resize_mode)
        if crossval.by_probe(config):
            return _in_folds(crossval.run(used, changed, folds=folds, seed=seed, into=into, jobs=jobs))
        return _on_val(changed, used, into, watch)
    except GivenUp:
        verdict = Verdict("pruned")
    except (ToolkitError, ValueError) as error:  # settings that do not go together: the others may
        verdict = Verdict("failed", reason=str(error))
    except (MemoryError, tf.errors.ResourceExhaustedError):
        verdict = Verdict("failed", reason=NO_MEMORY)
    shutil.rmtree(into, ignore_errors=True)  # checkpoints that nobody will go on from
    return verdict


def key(values: Mapping[str, object]) -> str:
    """A short name for settings.

    >>> key({"C": 0.1, "views": 2}) == key({"views": 2, "C": 0.1})
    True
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _in_folds(outcome: crossval.Outcome) -> Verdict:
    table, classes = outcome.report.predictions, outcome.report.classes
    shares = table[[f"p_{label}" for label in classes]].to_numpy()
    labels = table["label"].map({label: place for place, label in enumerate(classes)}).to_numpy()
    return Verdict("complete", outcome.report.accuracy, calibrate.log_loss(shares, labels))


def _on_val(config: Config, used: Manifest, into: Path, watch: Callable[[float, int], None]) -> Verdict:
    def told(rows: list[dict]) -> None:
        if "C" not in rows[-1]:  # a head on features, from which fine-tuning begins, is no epoch to be compared by
            watch(bundle.kept(rows[-1], monitor=config.monitor).accuracy, len(rows))

    run = train.fit(config, used, into=into, watch=told)
    _, kept = run.kept
    (into / bundle.FACTS).unlink()
    (into / bundle.MODEL).unlink()  # its settings are what is looked for
    return Verdict("complete", kept.accuracy, kept.loss)
