"""What is known about a network besides its layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

STYLES = ("classic", "modern")
FROM_NOTHING = {  # how a modern network learns from a thousand pictures without learning them by heart
    "epochs": 60,
    "patience": 59,
    "learning_rate": 2e-3,
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "schedule": "cosine",
    "label_smoothing": 0.05,
    "clip": 1.0,
    "ema": 0.98,
    "augmentation": {"rotation": 12.0, "brightness": 0.25, "contrast": 0.25, "shift": 0.1, "zoom": 0.25},
    "mixing": {"cutmix": 0.5},
}


@dataclass(frozen=True)
class Network:
    """A network and how it is usually trained.

    Args:
        build: takes `classes`, `size`, `style` and the options; gives a `keras.Model`.
        summary: one line for people.
        size: side of the pictures in pixels it is usually given.
        smallest: least side in pixels it works with.
        epochs: passes over the training pictures, at most.
        patience: epochs without a better validation loss after which training stops; below `epochs`.
        learning_rates: of Adam, by style; batch normalization bears a higher one.
        options: names of the options `build` understands.
        modern: settings of `config.Config` in the modern style that differ from those above, as plain values.
        check: takes `size` and the options, and raises before any work is done if they cannot work.
        sizes: another usual side by the value of the option `weights`, for weights that were learned on other pictures.
    """

    build: Callable
    summary: str
    size: int
    smallest: int
    epochs: int
    patience: int
    learning_rates: Mapping[str, float]
    options: tuple[str, ...] = ()
    modern: Mapping[str, object] = field(default_factory=dict)
    check: Callable[..., None] = lambda **_: None
    sizes: Mapping[str, int] = field(default_factory=dict)

    def usual_size(self, options: Mapping[str, object]) -> int:
        """The side of the pictures in pixels that goes with these options."""
        return self.sizes.get(str(options.get("weights")), self.size)
