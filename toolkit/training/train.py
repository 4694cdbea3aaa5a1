"""Train a network: epoch by epoch, stopping when it no longer gets better, going on where it was killed."""

import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import __version__ as pillow_version

import toolkit
from toolkit.core import framework, paths, runs
from toolkit.core.framework import keras
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError
from toolkit.model import bundle, calibrate
from toolkit.model.bundle import Bundle
from toolkit.training import distribution, probe
from toolkit.training.config import Config, config_from
from toolkit.training.tensorboard import Events
from toolkit.training.trainer import Training

__all__ = ["CHECKPOINT", "Config", "check", "config_from", "fit", "identity"]

CHECKPOINT = "checkpoint"
OF_HEADS = {"views": 1, "C": None, "refit": False}  # what only a head on features uses, and its value where it is off


def fit(
    config: Config,
    manifest: Manifest,
    *,
    name: str | None = None,
    into: Path | None = None,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
    say: Callable[[str], None] = lambda line: None,
    tensorboard: bool = False,
    watch: Callable[[list[dict]], None] = lambda rows: None,
) -> Bundle:
    """Train a network and write its bundle to `models/<dataset>/<name>/`.

    The weights of the best epoch by `config.monitor` are the ones kept. A run that was killed goes on from its
    last checkpoint and ends with the same weights as an undisturbed one. A run that is complete is not trained again.

    Args:
        config: what to train, and how.
        manifest: a split manifest whose squares of the right size are there.
        name: of the run; None takes the network's.
        into: folder of the run; None is the one above.
        overwrite: train again although there is a run of that name with other settings or on other pictures.
        checkpoint_seconds: seconds of training that may be lost when it is killed; 0 writes after every epoch.
        say: takes a line when the training is done in another way than epoch by epoch.
        tensorboard: write the course of the training for TensorBoard too, into `events/` in the folder of the run.
        watch: takes the rows of the history after every epoch, and after a head that is found at once; what it raises
            ends the training.

    Returns:
        The bundle.

    Raises:
        BundleError: there is a run of that name that was trained differently.
        ValueError: a setting could have no effect, see `check`.

    >>> fit(Config("vgg", epochs=5), manifest.load("cars_tanks")).history  # doctest: +SKIP
    """
    config = config.resolved()
    folder = into or paths.models(manifest.root) / paths.check_label(name or config.network)
    known = _finished(folder, identity(config, manifest), overwrite)
    if known:
        return known
    check(config)
    if probe.suits(config):
        say(probe.IN_WORDS)
    run = Training(config, manifest, folder / CHECKPOINT, identity(config, manifest), checkpoint_seconds)
    watchers = [watch, *([Events(folder)] if tensorboard and distribution.is_chief() else [])]
    run.watch = lambda rows: [told(rows) for told in watchers]
    with distribution.together():
        run.resume()
        run.finish()
        if distribution.is_chief():
            _save(run, folder, manifest)
            shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
        distribution.agree(run.strategy, "done")
    return bundle.load(folder)


def check(config: Config) -> None:
    """Raise ValueError for a setting that only a head on a frozen backbone uses, where there is none, see `probe`.

    >>> check(Config("mobilenet", views=4))  # of vgg it raises
    """
    suits = probe.suits(config)
    idle = [name for name, off in OF_HEADS.items() if getattr(config, name) != off and not suits]
    if idle or (config.refit and config.fine_tune):
        raise ValueError(
            f"expected {(*idle, 'refit')[0]} for one dense layer on a frozen backbone alone, see `probe`, got it for "
            f"{config.network} as set; leave it out, or train such a head: mobilenet, say, without fine-tuning"
        )


def identity(config: Config, manifest: Manifest) -> dict[str, object]:
    """What makes a training the same as another one: its settings, resolved, and its pictures, labels and splits."""
    return {"config": runs.as_stored(asdict(config)), "manifest": manifest.fingerprint(), "dataset": manifest.name}


def _save(run: Training, folder: Path, manifest: Manifest) -> None:
    config, model = run.config, run.best_model()
    facts = {
        **run.identity,
        "network": config.network,
        "train_seconds": round(run.seconds, 1),
        "best_epoch": run.best_epoch,
        "temperature": _calibrated(model, run) if config.calibrate else 1.0,
    }
    facts |= {"parameters": int(model.count_params()), "pictures": len(manifest.where(split="train", status="ok"))}
    facts |= {"versions": _versions()}
    facts |= {"precision": framework.resolve_precision(config.precision)}
    bundle.save(
        folder,
        model,
        classes=manifest.classes,
        size=config.size,
        resize_mode=config.resize_mode,
        history=run.history(),
        facts=facts,
        seen=manifest.where(split=("train", "val"), status="ok").table["sha256"],
    )


def _calibrated(model: keras.Model, run: Training) -> float:
    """Put the temperature that suits the validation pictures best into the model, and give it."""
    found = calibrate.temperature(*run.answers(model))
    calibrate.apply_temperature(model, found)
    return found


def _finished(folder: Path, identity: dict, overwrite: bool) -> Bundle | None:
    if not (folder / bundle.FACTS).exists():
        return None
    try:
        known = bundle.load(folder)
    except BundleError:  # damaged
        if overwrite:
            return None
        raise
    if runs.is_same(known.facts, identity):
        return known
    runs.check_overwrite(folder, kind="run", overwrite=overwrite)
    return None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "toolkit": toolkit.__version__, "keras": keras.__version__}
    return versions | {"tensorflow": framework.tf.__version__, "numpy": np.__version__, "pillow": pillow_version}
