"""What is known about a network besides its layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

STYLES = ("classic", "modern")


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
    check: Callable[..., None] = lambda **_: None
    sizes: Mapping[str, int] = field(default_factory=dict)

    def usual_size(self, options: Mapping[str, object]) -> int:
        """The side of the pictures in pixels that goes with these options."""
        return self.sizes.get(str(options.get("weights")), self.size)
