"""Train a network: epoch by epoch, stopping when it no longer gets better, going on where it was killed."""

import json
import platform
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import __version__ as pillow_version
from tqdm.auto import tqdm

import toolkit
from toolkit import batches, bundle, framework, networks, parallel, paths
from toolkit.augment import Augmentation
from toolkit.bundle import Bundle
from toolkit.errors import BundleError
from toolkit.framework import keras
from toolkit.manifest import Manifest

CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Config:
    """How a network is trained. What is None is taken from the network.

    Args:
        network: one of `networks.names()`.
        style: "classic", as its authors drew it, or "modern".
        size: side of the pictures in pixels.
        epochs: passes over the training pictures, at most.
        patience: epochs without a better validation loss after which training stops; below `epochs`, or it never would.
        batch_size: pictures per step, at least 1.
        learning_rate: of Adam, above 0.
        augmentation: random changes of the training pictures; None for none.
        class_weights: weight rare classes up.
        precision: "auto", "float32" or "bfloat16", see `framework.computing_in`.
        seed: 0 to 2**32 - 1; the same one gives the same weights on one kind of machine.
        options: what the network alone understands, such as {"weights": "none"} for xception.
    """

    network: str
    style: str = "classic"
    size: int | None = None
    epochs: int | None = None
    patience: int | None = None
    batch_size: int = 32
    learning_rate: float | None = None
    augmentation: Augmentation | None = field(default_factory=Augmentation)
    class_weights: bool = True
    precision: str = "auto"
    seed: int = 7
    options: Mapping[str, object] = field(default_factory=dict)

    def resolved(self) -> "Config":
        """The same with the network's own values where it says None.

        Raises:
            ValueError: a value is out of range, or the patience could never run out.
        """
        network = networks.get(self.network)
        if self.style not in networks.STYLES:
            raise ValueError(f"expected a style of {' or '.join(networks.STYLES)}, got {self.style!r}")
        epochs = network.epochs if self.epochs is None else self.epochs
        patience = min(network.patience, max(1, epochs - 1)) if self.patience is None else self.patience
        config = replace(
            self,
            size=network.usual_size(self.options) if self.size is None else self.size,
            epochs=epochs,
            patience=patience,
            learning_rate=network.learning_rates[self.style] if self.learning_rate is None else self.learning_rate,
        )
        if min(config.size, config.epochs, config.batch_size, config.patience) < 1 or config.learning_rate <= 0:
            raise ValueError("expected size, epochs, patience and batch_size of at least 1 and a learning_rate above 0")
        if config.precision not in framework.PRECISIONS:
            raise ValueError(f"expected a precision of {', '.join(framework.PRECISIONS)}, got {config.precision!r}")
        if not 0 <= config.seed < 2**32:
            raise ValueError(f"expected a seed from 0 to {2**32 - 1}, got {config.seed}")
        if config.patience >= config.epochs > 1:
            raise ValueError(f"expected a patience below {config.epochs} epochs, got {config.patience}; it never fires")
        return config


def config_from(values: Mapping[str, object]) -> Config:
    """A config from plain values, such as those stored in a bundle; an unknown key raises ValueError.

    >>> config_from({"network": "vgg", "epochs": 3}).epochs
    3
    """
    values = dict(values)
    if isinstance(values.get("augmentation"), Mapping):
        values["augmentation"] = _from_known(Augmentation, values["augmentation"])
    return _from_known(Config, values)


def fit(
    config: Config,
    manifest: Manifest,
    *,
    name: str | None = None,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
) -> Bundle:
    """Train a network and write its bundle to `models/<dataset>/<name>/`.

    The weights of the epoch with the lowest validation loss are the ones kept. A run that was killed goes on from its
    last checkpoint and ends with the same weights as an undisturbed one. A run that is complete is not trained again.

    Args:
        config: what to train, and how.
        manifest: a split manifest whose squares of the right size are there.
        name: of the run; None takes the network's.
        overwrite: train again although there is a run of that name with other settings or on other pictures.
        checkpoint_seconds: seconds of training that may be lost when it is killed; 0 writes after every epoch.

    Returns:
        The bundle.

    Raises:
        BundleError: there is a run of that name that was trained differently.

    >>> fit(Config("vgg", epochs=5), manifest.load("cars_tanks")).history  # doctest: +SKIP
    """
    config = config.resolved()
    folder = paths.models(manifest.root) / paths.check_label(name or config.network)
    identity = {"config": _plain(config), "manifest": manifest.fingerprint(), "dataset": manifest.name}
    known = _finished(folder, identity, overwrite)
    if known:
        return known
    run = _Run(config, manifest, folder / CHECKPOINT, identity, checkpoint_seconds)
    run.resume()
    run.finish()
    facts = {
        **identity,
        "network": config.network,
        "train_seconds": round(run.seconds, 1),
        "best_epoch": run.best_epoch,
    }
    facts |= {"parameters": int(run.model.count_params()), "pictures": len(run.train), "versions": _versions()}
    facts |= {"precision": framework.chosen(config.precision)}
    finished = bundle.save(
        folder,
        run.best_model(),
        classes=manifest.classes,
        size=config.size,
        history=run.history(),
        facts=facts,
        seen=manifest.where(split=("train", "val"), status="ok").table["sha256"],
    )
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    return finished


class _Run:
    """A training under way: the model, how far it is, and its checkpoints."""

    def __init__(self, config: Config, manifest: Manifest, folder: Path, identity: dict, checkpoint_seconds: float):
        self.config, self.folder, self.identity = config, folder, identity
        self.checkpoint_seconds, self.written = checkpoint_seconds, time.monotonic()
        self.train = batches.examples(manifest, split="train", size=config.size)
        self.val = batches.evaluation(
            batches.examples(manifest, split="val", size=config.size), batch_size=config.batch_size
        )
        framework.reproducible(config.seed)
        self.model = self._build(config.precision)
        self.model.compile(
            keras.optimizers.Adam(config.learning_rate),
            keras.losses.CategoricalCrossentropy(),
            weighted_metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
            jit_compile=False,  # XLA is slower than oneDNN for convolutions on a processor
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self.rows: list[dict] = []
        self.best, self.best_epoch, self.seconds = self.model.get_weights(), -1, 0.0

    def finish(self) -> None:
        """Train until the epochs or the patience run out."""
        bar = parallel.progress(range(len(self.rows), self.config.epochs), description=f"train {self.config.network}")
        for epoch in bar:
            if self._out_of_patience():
                break
            self._epoch(epoch)
            if isinstance(bar, tqdm):
                bar.set_postfix(val_accuracy=f"{self.rows[-1]['val_accuracy']:.3f}")
            if time.monotonic() - self.written >= self.checkpoint_seconds:
                self._write()

    def resume(self) -> None:
        """Take up the last checkpoint of the same training, if there is one."""
        state = self._state()
        self._keep(state.get("last"), state.get("best"))  # the rest is half written, or of another training
        if not state:
            return
        self.model.load_weights(self.folder / state["best"])
        self.best = self.model.get_weights()
        self.model.load_weights(self.folder / state["last"])
        self.rows, self.best_epoch, self.seconds = state["rows"], state["best_epoch"], state["seconds"]

    def best_model(self) -> keras.Model:
        """The network with its best weights, computing in float32 wherever it is used."""
        model = self._build("float32")
        model.set_weights(self.best)
        return model

    def history(self) -> pd.DataFrame:
        """A row per epoch."""
        return pd.DataFrame(self.rows)

    def _build(self, precision: str) -> keras.Model:
        config = self.config
        with framework.computing_in(precision):
            return networks.build(
                config.network, classes=len(self.train.classes), size=config.size, style=config.style, **config.options
            )

    def _epoch(self, epoch: int) -> None:
        config, started = self.config, time.monotonic()
        framework.reseed(self.model, config.seed, epoch)
        data = batches.training(
            self.train,
            batch_size=config.batch_size,
            augmentation=config.augmentation,
            seed=config.seed,
            epoch=epoch,
            weighted=config.class_weights,
        )
        logs = self.model.fit(data, validation_data=self.val, shuffle=False, verbose=0).history
        row = {name: float(values[0]) for name, values in logs.items()}
        for name in ("loss", "val_loss"):
            if not np.isfinite(row[name]):
                raise BundleError(f"the {name} of {config.network} became {row[name]}; try a lower learning_rate")
        if self.best_epoch < 0 or row["val_loss"] < self.rows[self.best_epoch]["val_loss"]:
            self.best, self.best_epoch = self.model.get_weights(), epoch
        self.rows.append({"epoch": epoch + 1, **row})
        self.seconds += time.monotonic() - started

    def _out_of_patience(self) -> bool:
        return bool(self.rows) and len(self.rows) - 1 - self.best_epoch >= self.config.patience

    def _state(self) -> dict:
        file = self.folder / "state.json"
        if not file.exists():
            return {}
        state = json.loads(file.read_text())
        return state if state.get("identity") == json.loads(json.dumps(self.identity)) else {}

    def _write(self) -> None:
        """Weights under new names first, then the state that names them, then the old weights go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        last, best = f"last-{len(self.rows)}.weights.h5", f"best-{self.best_epoch + 1}.weights.h5"
        current = self.model.get_weights()
        self.model.save_weights(self.folder / last)
        if not (self.folder / best).exists():
            self.model.set_weights(self.best)
            self.model.save_weights(self.folder / best)
            self.model.set_weights(current)
        state = {"identity": self.identity, "rows": self.rows, "best_epoch": self.best_epoch, "seconds": self.seconds}
        paths.write(self.folder / "state.json", json.dumps({**state, "last": last, "best": best}))
        self._keep(last, best)
        self.written = time.monotonic()

    def _keep(self, *names: str | None) -> None:
        for file in self.folder.glob("*.weights.h5"):
            if file.name not in names:
                file.unlink()


def _finished(folder: Path, identity: dict, overwrite: bool) -> Bundle | None:
    if not (folder / bundle.FACTS).exists():
        return None
    try:
        known = bundle.load(folder)
    except BundleError:  # damaged
        if overwrite:
            return None
        raise
    if all(known.facts.get(key) == value for key, value in json.loads(json.dumps(identity)).items()):
        return known
    if not overwrite:
        raise BundleError(
            f"expected no run at {folder}, got one trained with other settings or on other pictures; give this one "
            "another name (--name), or allow it to be replaced (--overwrite)"
        )
    return None


def _from_known(kind: type, values: Mapping[str, object]) -> Config | Augmentation:
    known = sorted(entry.name for entry in fields(kind))
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"expected the keys {', '.join(known)}, got {unknown[0]!r}")
    return kind(**values)


def _plain(config: Config) -> dict:
    return json.loads(json.dumps(asdict(config)))


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "toolkit": toolkit.__version__, "keras": keras.__version__}
    return versions | {"tensorflow": framework.tf.__version__, "numpy": np.__version__, "pillow": pillow_version}
