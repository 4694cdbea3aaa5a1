"""A network: its layers, the options it takes, and how it is usually trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from toolkit.networks.transfer import Transfer

Options = Mapping[str, Any]  # of one network, as JSON has them; the network checks names and values

STYLES = ("classic", "modern")
FROM_NOTHING = {  # how a modern network learns from a thousand pictures without overfitting
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
        name: what it is called in `networks.names()`.
        draw: takes `classes`, `size`, `style` and the options; gives a `keras.Model`.
        summary: one line for people.
        size: side of the pictures in pixels it is usually given.
        smallest: least side in pixels it works with.
        epochs: passes over the training pictures, at most.
        patience: epochs without a better validation loss after which training stops; below `epochs`.
        learning_rates: of Adam, by style; batch normalization bears a higher one.
        options: names of the options that `draw` takes.
        modern: settings of `config.Config` in the modern style that differ from those above, as plain values.
        edition: of the features of a backbone; another one where other features are taken from the same weights.
        middle: index from which on the channels of its last map are features of its middle; 0 where none are.
        sizes: another usual side by the value of the option `weights`, for weights that were learned on other pictures.
    """

    name: str
    draw: Callable[..., "keras.Model"]
    summary: str
    size: int
    smallest: int
    epochs: int
    patience: int
    learning_rates: Mapping[str, float]
    options: tuple[str, ...] = ()
    modern: Mapping[str, object] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    edition: str = ""
    middle: int = 0

    def usual_size(self, options: Options) -> int:
        """The side of the pictures in pixels that goes with these options."""
        return self.sizes.get(str(options.get("weights")), self.size)

    def build(self, *, classes: int, size: int | None = None, style: str = "classic", **options: Any) -> "keras.Model":
        """A fresh network, see `networks.build`."""
        size = self.usual_size(options) if size is None else size
        if classes < 2:
            raise ValueError(f"expected at least 2 classes, got {classes}")
        self.check_names(size, style, options)
        return self.draw(classes=classes, size=size, style=style, **options)

    def check(self, *, size: int, style: str, **options: Any) -> None:
        """Raise what `build` would raise, without building: before pictures are scraped, not after."""
        self.check_names(size, style, options)

    def transfer(self, *, style: str = "classic", **options: Any) -> "Transfer":
        """The options of a network with a backbone, parsed; see `transfer.parse`.

        Raises:
            ValueError: it has no backbone.
        """
        raise ValueError(f"expected a network with a backbone, such as mobilenet, vgg16 or xception; got {self.name!r}")

    def backbone(
        self, *, size: int | None = None, weights: str = "imagenet", pooling: str = "average"
    ) -> "keras.Model":
        """Backbone: from pictures to one vector of features each, before any head decides about it.

        Args:
            size: side of the pictures in pixels; None takes the network's own.
            weights: "imagenet", a file without top, "none" for random ones, or for xception "cifar10".
            pooling: "average", the mean of each feature over the picture, or "pyramid", see `head.Head`.

        Returns:
            A `keras.Model` from (n, size, size, 3), RGB, 0 to 255, to (n, features), float32. Nothing in it learns or
            moves, batch normalization and dropout included.

        Raises:
            ValueError: it has no backbone, or the size is too small.
            BundleError: the weights cannot be had.

        >>> networks.get("mobilenet").backbone(size=224).output_shape  # doctest: +SKIP
        (None, 1024)
        """
        size = self.usual_size({"weights": weights}) if size is None else size
        self.check_names(size, "modern", {})
        return self.transfer(style="modern", weights=weights, pooling=pooling).backbone(size=size)

    def is_linear(self, *, style: str = "classic", **options: Any) -> bool:
        """Whether nothing learns but one dense layer on the pooled features of a frozen backbone.

        Then `backbone` and that layer are all of the network, and features need be computed only once.

        >>> networks.get("mobilenet").is_linear(), networks.get("vgg").is_linear()  # doctest: +SKIP
        (True, False)
        """
        return False

    def check_names(self, size: int, style: str, options: Options) -> None:
        """Raise ValueError for an unknown style or option, or too small a size, without looking for weights."""
        if size < self.smallest:
            raise ValueError(f"expected pictures of at least {self.smallest} pixels for {self.name}, got {size}")
        if style not in STYLES:
            raise ValueError(f"expected a style of {' or '.join(STYLES)}, got {style!r}")
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            raise ValueError(
                f"expected options of {self.name} from {', '.join(self.options) or 'none'}, got {unknown[0]!r}"
            )
