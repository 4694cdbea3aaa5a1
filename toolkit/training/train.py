"""Train a network: epoch by epoch, stopping when it no longer gets better, going on where it was killed."""

import platform
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import __version__ as pillow_version

import toolkit
from toolkit import networks
from toolkit.core import framework, locking, moved, paths, runs
from toolkit.dataset import changes, split
from toolkit.dataset.manifest import Dataset, Manifest, opened
from toolkit.errors import BundleError
from toolkit.model import bundle, calibrate
from toolkit.model.bundle import Bundle
from toolkit.model.epochs import Row
from toolkit.training import distribution, probe, promises
from toolkit.training.checkpoint import Checkpoint
from toolkit.training.config import Config, config_from
from toolkit.training.probe import ProbeFit
from toolkit.training.tensorboard import Events
from toolkit.training.trainer import Trainer

__all__ = ["CHECKPOINT", "Config", "config_from", "fit", "identity"]

CHECKPOINT = "checkpoint"


@moved.keywords(say="log", watch="on_epoch")
def fit(
    config: Config,
    manifest: Dataset,
    *,
    name: str | None = None,
    into: Path | None = None,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
    log: Callable[[str], None] = lambda line: None,
    tensorboard: bool = False,
    on_epoch: Callable[[Sequence[Row]], None] = lambda rows: None,
) -> Bundle:
    """Train a network and write its bundle to `models/<dataset>/<name>/`.

    The weights of the best epoch by `config.monitor` are the ones kept. A run that was killed goes on from its
    last checkpoint and ends with the same weights as an undisturbed one. A run that is complete is not trained again.

    Args:
        config: what to train, and how.
        manifest: a split manifest whose squares of the right size are there, or the name of a dataset.
        name: of the run; None takes the network's.
        into: folder of the run; None is the one above.
        overwrite: train again although there is a run of that name with other settings or on other pictures.
        checkpoint_seconds: seconds of training that may be lost when it is killed; 0 writes after every epoch.
        log: takes a line when the training is done in another way than epoch by epoch.
        tensorboard: write the course of the training for TensorBoard too, into `events/` in the folder of the run.
        on_epoch: takes the rows of the history after every epoch, and after a linear probe is fitted; what it raises
            ends the training.

    Returns:
        The bundle.

    Raises:
        BundleError: there is a run of that name that was trained differently.
        DatasetError: a class has no picture to learn from.
        ValueError: a setting is out of range, or has no effect, see `Config.resolved`.

    >>> fit(Config("vgg", epochs=5), manifest.load("cars_tanks")).history  # doctest: +SKIP
    """
    config, manifest = config.resolved(), opened(manifest)
    folder = into or paths.models(manifest.root) / paths.check_label(name or networks.label(config.network))
    this = identity(config, manifest)
    finished = _finished(folder, this, overwrite)
    if finished:
        return finished
    _check_classes(manifest)
    is_linear_probe = config.is_linear_probe
    if is_linear_probe:
        log(probe.IN_WORDS)
    events = Events(folder) if tensorboard and distribution.is_chief() else None

    def report(rows: Sequence[Row]) -> None:
        on_epoch(rows)
        if events:
            events(rows)

    checkpoint = Checkpoint(folder / CHECKPOINT, this, checkpoint_seconds)
    trainer = Trainer(config, manifest, checkpoint, head_is_fitted=is_linear_probe, on_epoch=report)
    with distribution.worker_lost_in_one_line(), _alone(folder):
        trainer.resume()
        fitted = _start_from_probe(trainer) if is_linear_probe and not trainer.rows else None
        trainer.run()
        if distribution.is_chief():
            _save(trainer, fitted, folder)
            shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
        distribution.check_same_state(trainer.strategy, "done")
    return bundle.load(folder)


def _alone(folder: Path) -> AbstractContextManager:
    """Nobody else trains in a folder; of several workers on one training, the chief alone writes there."""
    if not distribution.is_chief():
        return nullcontext()
    folder.mkdir(parents=True, exist_ok=True)
    return locking.alone(folder, kind="training")


def identity(config: Config, manifest: Manifest) -> dict[str, object]:
    """What makes a training the same as another one: its settings, resolved, and its pictures, labels and splits."""
    return {"config": config.plain(), "manifest": manifest.fingerprint(), "dataset": manifest.name}


def _check_classes(manifest: Manifest) -> None:
    """Raise DatasetError where a class cannot be learned; warn where one is not there to choose by."""
    probe.check_classes(manifest)
    missing = split.missing_classes(manifest, "val")
    if missing:
        names = ", ".join(missing)
        warnings.warn(f"val has no picture of {names}: the epoch and the temperature are chosen without", stacklevel=3)


def _start_from_probe(trainer: Trainer) -> ProbeFit:
    """Fit the head at once, as a linear probe; its rows of the history are one for each C that was tried."""
    started, config = time.monotonic(), trainer.config
    fitted = probe.learn(config, trainer.manifest)
    fitted.probe.copy_into(trainer.model)
    phase = {"phase": "probe"} if config.fine_tune else {}
    rows = [{**row, **phase} for row in fitted.history.to_dict(orient="records")]
    trainer.start_from(rows, best_epoch=fitted.best, seconds=time.monotonic() - started)
    return fitted


def _save(trainer: Trainer, fitted: ProbeFit | None, folder: Path) -> None:
    config, manifest, model = trainer.config, trainer.manifest, trainer.best_model()
    frozen = config.is_linear_probe and trainer.rows[trainer.best_epoch].get("phase", "probe") == "probe"
    answers, labels = _held_out(model, trainer, fitted if frozen else None)
    temperature = _calibrate(model, answers, labels) if config.calibrate else 1.0
    facts = {
        **trainer.checkpoint.identity,
        "network": config.network,
        "train_seconds": round(trainer.seconds, 1),
        "best_epoch": trainer.best_epoch,
        "temperature": temperature,
        "parameters": int(model.count_params()),
        "pictures": len(manifest.where(split="train", status="ok")),
        "versions": _versions(),
        "precision": framework.resolve_precision(config.precision),
        "sets": promises.covering(calibrate.rescale(answers, temperature), labels),
    }
    (folder / bundle.FACTS).unlink(missing_ok=True)  # an older run here ends before its pictures are others
    paths.write(folder / bundle.PICTURES, changes.noted(manifest).to_csv(index=False))
    bundle.save(
        folder,
        model,
        classes=manifest.classes,
        size=config.size,
        resize_mode=config.resize_mode,
        history=pd.DataFrame(trainer.rows),
        facts=facts,
        seen=manifest.where(split=("train", "val"), status="ok").table["sha256"],
        known=promises.familiar(
            model, config, manifest, lambda split: trainer.train if split == "train" else trainer.val, frozen=frozen
        ),
    )


def _held_out(model: framework.keras.Model, trainer: Trainer, fitted: ProbeFit | None) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities for pictures that the network did not learn from, and the indices of their classes."""
    return (fitted.val, fitted.val_labels) if fitted else trainer.answers(model)


def _calibrate(model: framework.keras.Model, answers: np.ndarray, labels: np.ndarray) -> float:
    """Put the temperature with the lowest validation loss into the model, and return it."""
    temperature = calibrate.temperature(answers, labels)
    calibrate.apply_temperature(model, temperature)
    return temperature


def _finished(folder: Path, identity: Mapping[str, object], overwrite: bool) -> Bundle | None:
    """The run of that identity, if it is complete."""
    if not (folder / bundle.FACTS).exists():
        return None
    try:
        run = bundle.load(folder)
    except BundleError:  # damaged
        if overwrite:
            return None
        raise
    if runs.is_same(run.facts, identity):
        return run
    runs.check_overwrite(folder, kind="run", differs=runs.changes(run.facts, identity), overwrite=overwrite)
    return None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "toolkit": toolkit.__version__}
    versions |= {"keras": framework.keras.__version__}
    return versions | {"tensorflow": framework.tf.__version__, "numpy": np.__version__, "pillow": pillow_version}
