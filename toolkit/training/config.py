"""The settings of a training, each with its meaning, its range, and what a network takes where nothing is said."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from pathlib import Path
from types import UnionType
from typing import get_args, get_origin

from toolkit import images, networks
from toolkit.core import framework
from toolkit.training import distribution, optimizers
from toolkit.training.augment import Augmentation
from toolkit.training.finetune import FineTune
from toolkit.training.mixing import Mixing

CHOICES = {
    "monitor": ("val_loss", "val_accuracy"),
    "resize_mode": images.MODES,
    "precision": framework.PRECISIONS,
    "strategy": distribution.STRATEGIES,
}
USUAL = {"optimizer": "adam", "weight_decay": 0.004, "schedule": "constant", "augmentation": Augmentation()}
USUAL |= {"label_smoothing": 0.0, "clip": 0.0, "ema": 0.0, "mixing": None}


@dataclass(frozen=True)
class Config:
    """How a network is trained. What is None or "usual" is taken from the network and its style.

    Args:
        network: one of `networks.names()`.
        style: "classic", as its authors drew it, or "modern".
        size: side of the pictures in pixels.
        resize_mode: how they are made square, "crop", "letterbox" or "squash", see `images.square`.
        epochs: passes over the training pictures, at most.
        patience: epochs without a better validation loss after which training stops; below `epochs`, or it never would.
        batch_size: pictures per step, at least 1.
        learning_rate: of the optimizer, above 0; the first one where a schedule changes it.
        optimizer: "adam", "adamw" or "sgd".
        momentum: of "sgd", 0 up to but not 1; the others have their own.
        weight_decay: of "adamw", at least 0.
        schedule: of the learning rate: "constant"; "cosine", down to 0 at the last epoch; or epochs that are done and
            the rate from then on, such as {15: 0.003, 28: 0.001}.
        warm_up: share of the steps in which a cosine rises first, 0 up to but not 1.
        monitor: "val_loss" or "val_accuracy": what says which epoch is the best, and when it gets no better.
        augmentation: random changes of the training pictures; None for none.
        class_weights: weight rare classes up.
        features_once: find the head of a frozen backbone from features that are computed once, see `probe`, where it is
            one dense layer; False trains it epoch by epoch on changed pictures.
        views: of each picture that such a head learns from, see `features.view`; takes the place of the augmentation.
        C: how freely such a head learns, above 0, see `probe.path`; None chooses it on val.
        refit: choose C on train and val together, fold by fold, and find such a head from both. It knows a fifth more
            pictures then, and its C is chosen by more of them, but val says nothing about it any more.
        precision: "auto", "float32" or "bfloat16", see `framework.compute_policy`.
        label_smoothing: share of each label that is spread over all classes, 0 up to but not 1.
        clip: longest gradient over all weights together, 0 for any.
        ema: momentum of a moving average of the weights, which is kept where it is better, 0 for none, below 1.
        mixing: pictures blended with one another; None for none.
        fine_tune: let the last layers of a pretrained base learn after the head; None for the head alone.
        calibrate: divide by the temperature that suits the validation pictures best, see `calibrate`.
        strategy: "none", "mirrored" or "multi-worker", see `distribution.strategy`.
        seed: 0 to 2**32 - 1; the same one gives the same weights on one kind of machine.
        options: what the network alone understands, such as {"weights": "none"} for xception.
    """

    network: str
    style: str = "classic"
    size: int | None = None
    resize_mode: str = "crop"
    epochs: int | None = None
    patience: int | None = None
    batch_size: int = 32
    learning_rate: float | None = None
    optimizer: str | None = None
    momentum: float = 0.9
    weight_decay: float | None = None
    schedule: str | Mapping[int, float] | None = None
    warm_up: float = 0.1
    monitor: str = "val_loss"
    augmentation: Augmentation | str | None = "usual"
    class_weights: bool = True
    features_once: bool = True
    views: int = 1
    C: float | None = None
    refit: bool = False
    precision: str = "auto"
    label_smoothing: float | None = None
    clip: float | None = None
    ema: float | None = None
    mixing: Mixing | str | None = "usual"
    fine_tune: FineTune | None = None
    calibrate: bool = True
    strategy: str = "none"
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
        usual = {"size": network.usual_size(self.options), "epochs": network.epochs, "patience": network.patience}
        usual |= {**USUAL, "learning_rate": network.learning_rates[self.style]}
        usual |= network.modern if self.style == "modern" else {}
        blank = {"augmentation": "usual", "mixing": "usual"}
        missing = [name for name in usual if getattr(self, name) == blank.get(name)]
        config = replace(self, **_typed({name: usual[name] for name in missing}))
        if self.patience is None:  # fewer epochs leave no time for as much of it
            config = replace(config, patience=min(config.patience, max(1, config.epochs - 1)))
        _check(config)
        return config


def _check(config: Config) -> None:
    """Raise ValueError where a value is out of range."""
    for name, known in CHOICES.items():
        if getattr(config, name) not in known:
            raise ValueError(f"expected a {name} of {', '.join(known)}, got {getattr(config, name)!r}")
    if min(config.size, config.epochs, config.batch_size, config.patience) < 1 or config.learning_rate <= 0:
        raise ValueError("expected size, epochs, patience and batch_size of at least 1 and a learning_rate above 0")
    how = {"momentum": config.momentum, "decay": config.weight_decay, "warm_up": config.warm_up}
    optimizers.check(config.optimizer, config.schedule, **how)
    if config.views < 1 or (config.C is not None and config.C <= 0):
        raise ValueError(f"expected at least 1 view and a C above 0, got {config.views} and {config.C}")
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"expected a seed from 0 to {2**32 - 1}, got {config.seed}")
    if not 0 <= config.label_smoothing < 1 or not 0 <= config.ema < 1 or config.clip < 0:
        raise ValueError(
            "expected label_smoothing and ema from 0 up to but not 1, and a clip of at least 0, got "
            f"{config.label_smoothing}, {config.ema} and {config.clip}"
        )
    if config.patience >= config.epochs > 1:
        raise ValueError(f"expected a patience below {config.epochs} epochs, got {config.patience}; it never fires")


def config_from(values: Mapping[str, object]) -> Config:
    """A config from plain values, such as those stored in a bundle; an unknown key raises ValueError.

    >>> config_from({"network": "vgg", "epochs": 3}).epochs
    3
    """
    return _from_known(Config, _typed(values))


def stored(file: Path) -> dict[str, object]:
    """The settings in a JSON file, for `config_from`: `best.json` of a search, `bundle.json` of a run, or one's own.

    Args:
        file: names and values as `Config` has them, of those that are to be set.

    Raises:
        ValueError: it cannot be read, or holds something else.

    >>> stored(Path("models/mine/tune/mobilenet/best.json"))["views"]  # doctest: +SKIP
    2
    """
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"expected a JSON file of settings at {file}, got: {error}") from error
    values = values.get("config", values) if isinstance(values, dict) else values
    if not isinstance(values, dict):
        raise ValueError(f'expected names and values in {file}, such as {{"epochs": 8}}, got {values!r:.40}')
    config_from({"network": "", **values})  # an unknown name or a value of another kind raises
    return values


def _typed(values: Mapping[str, object]) -> dict[str, object]:
    """Plain values, such as JSON has, as those a config holds."""
    values = dict(values)
    for name, kind in {"augmentation": Augmentation, "mixing": Mixing, "fine_tune": FineTune}.items():
        if isinstance(values.get(name), Mapping):
            values[name] = _from_known(kind, values[name])
    if isinstance(values.get("schedule"), Mapping):  # JSON has no numbers for keys
        values["schedule"] = {int(epoch): float(rate) for epoch, rate in values["schedule"].items()}
    return values


def _from_known(kind: type, values: Mapping[str, object]) -> object:
    known = sorted(entry.name for entry in fields(kind))
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"expected the keys {', '.join(known)}, got {unknown[0]!r}")
    for entry in fields(kind):
        if entry.name in values and not isinstance(values[entry.name], _kinds(entry.type)):
            wanted = getattr(entry.type, "__name__", entry.type)
            raise ValueError(f"expected a value of the kind {wanted} for {entry.name}, got {values[entry.name]!r}")
    return kind(**values)


def _kinds(hint: object) -> tuple[type, ...]:
    """What a value may be by the type of its field; a whole number will do for any."""
    kinds = [get_origin(kind) or kind for kind in (get_args(hint) if isinstance(hint, UnionType) else (hint,))]
    return tuple({int: Integral, float: Real}.get(kind, kind) for kind in kinds)
