"""The settings of a training, each with its meaning, its range, and what a network takes where nothing is said."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from numbers import Integral, Real
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from toolkit import images, networks
from toolkit.core import framework, runs
from toolkit.training import distribution, optimizers
from toolkit.training.augment import Augmentation
from toolkit.training.finetune import FineTune
from toolkit.training.mixing import Mixing

Values = Mapping[str, Any]  # settings by name, as JSON has them; `config_from` checks names and kinds
Kind = TypeVar("Kind")

CHOICES = {
    "monitor": ("val_loss", "val_accuracy"),
    "resize_mode": images.MODES,
    "precision": framework.PRECISIONS,
    "strategy": distribution.STRATEGIES,
}
USUAL = "usual"  # not set, for settings in which None means none
DEFAULTS: Values = {  # of networks that have no values of their own
    "optimizer": "adam",
    "weight_decay": 0.004,
    "schedule": "constant",
    "augmentation": Augmentation(),
    "label_smoothing": 0.0,
    "clip": 0.0,
    "ema": 0.0,
    "mixing": None,
}
NEEDS_PROBE = {"only": "linear probe"}  # marks a setting that only a linear probe has a use for


@dataclass(frozen=True)
class Config:
    """How a network is trained.

    A setting that is None is not set: `resolved` takes the value of the network and its style. Only in `augmentation`
    and `mixing` None means none, and "usual" is not set. All settings stand side by side, whatever they are about, for
    that is how the command line, a JSON file and a search over settings name them.

    Args:
        network: one of `networks.names()`.
        style: "modern", or "classic", as its authors drew it.
        size: side of the pictures in pixels.
        resize_mode: how they are made square, "crop", "letterbox" or "squash", see `images.square`.
        epochs: passes over the training pictures, at most.
        patience: epochs without a better validation loss after which training stops; below `epochs`, or it never would.
        batch_size: pictures per step, at least 1.
        learning_rate: of the optimizer, above 0; the first one where a schedule changes it.
        optimizer: "adam", "adamw" or "sgd".
        momentum: of "sgd", 0 up to but not 1; the others have their own.
        weight_decay: of "adamw", at least 0.
        schedule: of the learning rate: "constant"; "cosine", down to 0 at the last epoch; or the rate from an epoch on,
            such as {15: 0.003, 28: 0.001} after 15 and 28 epochs.
        warm_up: share of the steps in which a cosine rises first, 0 up to but not 1.
        monitor: metric that selects the best epoch and ends the training: "val_loss" or "val_accuracy".
        augmentation: random changes of the training pictures; None for none.
        class_weights: weight rare classes up.
        features_once: fit a linear probe on features that are computed once, where the network is one, see `probe`;
            False trains its head epoch by epoch on changed pictures.
        views: of each picture that a linear probe learns from, see `features.view`, in place of the augmentation.
        C: inverse regularization strength of a linear probe, above 0; None chooses it on val.
        refit: choose the C of a linear probe by cross-validation on train and val together, and fit it on both: on a
            fifth more pictures, but val measures nothing any more.
        precision: "auto", "float32" or "bfloat16", see `framework.compute_policy`.
        label_smoothing: share of each label that is spread over all classes, 0 up to but not 1.
        clip: largest norm of the gradient over all weights together; 0 does not clip.
        ema: momentum of an exponential moving average of the weights, which is kept where it is better; 0 for none,
            below 1.
        mixing: pictures blended with one another; None for none.
        fine_tune: let the last layers of a pretrained base learn after the head; None for the head alone.
        calibrate: divide by the temperature with the lowest validation loss, see `calibrate`.
        strategy: "none", "mirrored" or "multi-worker", see `distribution.strategy`.
        seed: 0 to 2**32 - 1; the same one gives the same weights on one kind of machine.
        options: network-specific options, such as {"weights": "none"} for xception.
    """

    network: str
    style: str = "modern"
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
    augmentation: Augmentation | str | None = USUAL
    class_weights: bool = True
    features_once: bool = True
    views: int = field(default=1, metadata=NEEDS_PROBE)
    C: float | None = field(default=None, metadata=NEEDS_PROBE)
    refit: bool = field(default=False, metadata=NEEDS_PROBE)
    precision: str = "auto"
    label_smoothing: float | None = None
    clip: float | None = None
    ema: float | None = None
    mixing: Mixing | str | None = USUAL
    fine_tune: FineTune | None = None
    calibrate: bool = True
    strategy: str = "none"
    seed: int = 7
    options: networks.Options = field(default_factory=dict)

    @property
    def is_linear_probe(self) -> bool:
        """Whether all that learns is one dense layer on a frozen backbone, which `probe` then fits at once."""
        wanted = self.features_once and self.strategy == "none"
        return wanted and networks.get(self.network).is_linear(style=self.style, **self.options)

    @property
    def uses_cached_features(self) -> bool:
        """Whether it is a linear probe and nothing else, so that cached features are all it needs."""
        return self.is_linear_probe and not self.fine_tune

    def without_probe(self) -> "Config":
        """The same without what only a linear probe has a use for."""
        return replace(self, **_probe_only())

    def plain(self) -> dict[str, Any]:
        """The settings as JSON has them."""
        return runs.as_stored(asdict(self))

    def resolved(self) -> "Resolved":
        """The same with the network's own value for each setting that is not set.

        Raises:
            ValueError: a value is out of range, the patience could never run out, or a setting has no effect.
        """
        network = networks.get(self.network)
        if self.style not in networks.STYLES:
            raise ValueError(f"expected a style of {' or '.join(networks.STYLES)}, got {self.style!r}")
        own: dict[str, Any] = {
            **DEFAULTS,
            "size": network.usual_size(self.options),
            "epochs": network.epochs,
            "patience": network.patience,
            "learning_rate": network.learning_rates[self.style],
            **(network.modern if self.style == "modern" else {}),
        }
        settings = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        unset = [name for name in own if settings[name] == getattr(Config, name)]
        settings |= _typed({name: own[name] for name in unset})
        if self.patience is None:  # fewer epochs leave no time for as much of it
            settings["patience"] = min(settings["patience"], max(1, settings["epochs"] - 1))
        return Resolved(**settings)


@dataclass(frozen=True, kw_only=True)
class Resolved(Config):
    """A config in which every setting is set and checked; `Config.resolved` makes it."""

    size: int
    epochs: int
    patience: int
    learning_rate: float
    optimizer: str
    weight_decay: float
    schedule: str | Mapping[int, float]
    augmentation: Augmentation | None
    label_smoothing: float
    clip: float
    ema: float
    mixing: Mixing | None

    def __post_init__(self) -> None:
        _check_ranges(self)
        networks.get(self.network).check_names(self.size, self.style, self.options)
        _check_effects(self)

    def resolved(self) -> "Resolved":
        """The same."""
        return self


def _check_ranges(config: Resolved) -> None:
    """Raise ValueError where a value is out of range."""
    for name, choices in CHOICES.items():
        if getattr(config, name) not in choices:
            raise ValueError(f"expected a {name} of {', '.join(choices)}, got {getattr(config, name)!r}")
    for name in ("augmentation", "mixing"):
        if isinstance(getattr(config, name), str):
            raise ValueError(f"expected settings of the {name}, {USUAL!r} or none, got {getattr(config, name)!r}")
    if min(config.size, config.epochs, config.batch_size, config.patience) < 1 or config.learning_rate <= 0:
        raise ValueError("expected size, epochs, patience and batch_size of at least 1 and a learning_rate above 0")
    optimizers.check(
        config.optimizer,
        config.schedule,
        momentum=config.momentum,
        decay=config.weight_decay,
        warm_up=config.warm_up,
    )
    if config.views < 1 or (config.C is not None and config.C <= 0):
        raise ValueError(f"expected at least 1 view and a C above 0, got {config.views} and {config.C}")
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"expected a seed from 0 to {2**32 - 1}, got {config.seed}")
    if not 0 <= config.label_smoothing < 1 or not 0 <= config.ema < 1 or config.clip < 0:
        raise ValueError(
            "expected label_smoothing and ema from 0 up to but not 1, and a clip of at least 0, got "
            f"{config.label_smoothing}, {config.ema} and {config.clip}"
        )


def _check_effects(config: Resolved) -> None:
    """Raise ValueError where a setting could have no effect."""
    if config.patience >= config.epochs > 1:
        raise ValueError(f"expected a patience below {config.epochs} epochs, got {config.patience}; it never fires")
    idle = [name for name, off in _probe_only().items() if getattr(config, name) != off and not config.is_linear_probe]
    if idle or (config.refit and config.fine_tune):
        raise ValueError(
            f"expected {(*idle, 'refit')[0]} for one dense layer on a frozen backbone alone, see `probe`, got it for "
            f"{config.network} as set; leave it out, or train such a head: mobilenet, say, without fine-tuning"
        )


def _probe_only() -> dict[str, Any]:
    """The settings that only a linear probe has a use for, and their values where they are off."""
    return {entry.name: entry.default for entry in fields(Config) if entry.metadata == NEEDS_PROBE}


def config_from(values: Values) -> Config:
    """A config from plain values, such as those stored in a bundle.

    Raises:
        ValueError: an unknown name, or a value of another kind.

    >>> config_from({"network": "vgg", "epochs": 3}).epochs
    3
    """
    return _made(Config, _typed(values))


def stored(file: Path) -> dict[str, Any]:
    """The settings in a JSON file, for `config_from`: `best.json` of a search, `bundle.json` of a run, or one's own.

    Args:
        file: names and values as `Config` has them, of those that are to be set.

    Raises:
        ValueError: it cannot be read, or holds something else.

    >>> stored(Path("models/mine/tune/mobilenet/best.json"))["views"]  # doctest: +SKIP
    2
    """
    try:
        values = json.loads(file.read_bytes())  # which knows byte order marks and UTF-16
    except (OSError, ValueError) as error:
        raise ValueError(f"expected a JSON file of settings at {file}, got: {error}") from error
    values = values.get("config", values) if isinstance(values, dict) else values
    if not isinstance(values, dict):
        raise ValueError(f'expected names and values in {file}, such as {{"epochs": 8}}, got {values!r:.40}')
    config_from({"network": "", **values})  # an unknown name or a value of another kind raises
    return values


def _typed(values: Values) -> dict[str, Any]:
    """Plain values, such as JSON has, as those a config holds."""
    values = dict(values)
    kinds: dict[str, type] = {"augmentation": Augmentation, "mixing": Mixing, "fine_tune": FineTune}
    for name, kind in kinds.items():
        if isinstance(values.get(name), Mapping):
            values[name] = _made(kind, values[name])
    if isinstance(values.get("schedule"), Mapping):  # JSON has no numbers for keys
        values["schedule"] = {int(epoch): float(rate) for epoch, rate in values["schedule"].items()}
    return values


def _made(kind: type[Kind], values: Values) -> Kind:
    """A dataclass from plain values, each checked against the type of its field."""
    entries = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type] # only dataclasses come here
    unknown = sorted(set(values) - set(entries))
    if unknown:
        raise ValueError(f"expected the keys {', '.join(sorted(entries))}, got {unknown[0]!r}")
    for entry in entries.values():
        if entry.name in values and not isinstance(values[entry.name], _kinds(entry.type)):
            wanted = getattr(entry.type, "__name__", entry.type)
            raise ValueError(f"expected a value of the kind {wanted} for {entry.name}, got {values[entry.name]!r}")
    return kind(**values)


def _kinds(hint: object) -> tuple[type, ...]:
    """The classes of which a value may be, by the type of its field; a whole number will do for any number."""
    kinds = [get_origin(kind) or kind for kind in (get_args(hint) if isinstance(hint, UnionType) else (hint,))]
    return tuple({int: Integral, float: Real}.get(kind, kind) for kind in kinds)
