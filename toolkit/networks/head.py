"""Heads: the layers that turn the features of a backbone into one probability per class."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, Unpack

from toolkit.core.framework import KerasTensor, keras

layers = keras.layers

POOLINGS = ("average", "pyramid", "flatten")


class Changes(TypedDict, total=False):
    """Options of a head, see `Head`; None leaves the style's value, and one dense layer may be a plain number."""

    pooling: str | None
    normalize: bool | None
    dense: int | Sequence[int] | None
    dropout: float | None
    l1: float | None
    l2: float | None


@dataclass(frozen=True)
class Head:
    """The layers after the backbone.

    Args:
        pooling: "average" over the picture; "pyramid", that and the average over each of its quarters (Lazebnik et al.,
            2006); or "flatten", which keeps where in the picture each feature was.
        normalize: batch normalization of the features.
        dense: units of the dense layers before the last one; () for none.
        dropout: share of values dropped after each of them, or of the features if there are none; 0 up to but not 1.
        l1, l2: weight of the sum of the absolute or squared values of all dense kernels in the loss; 0 for none.
    """

    pooling: str = "average"
    normalize: bool = False
    dense: tuple[int, ...] = ()
    dropout: float = 0.0
    l1: float = 0.0
    l2: float = 0.0

    def changed(self, **changes: Unpack[Changes]) -> "Head":
        """The same with other values where they are not None.

        Raises:
            ValueError: a value is out of range.
        """
        values: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
        if "dense" in values:
            values["dense"] = (values["dense"],) if isinstance(values["dense"], int) else tuple(values["dense"])
        head = replace(self, **values)
        if head.pooling not in POOLINGS:
            raise ValueError(f"expected a pooling of {' or '.join(POOLINGS)}, got {head.pooling!r}")
        if not 0 <= head.dropout < 1:
            raise ValueError(f"expected a dropout from 0 up to but not 1, got {head.dropout}")
        if min(head.l1, head.l2) < 0 or min(head.dense, default=1) < 1:
            raise ValueError("expected l1 and l2 of at least 0, and dense layers of at least 1 unit")
        return head

    def __call__(self, features: KerasTensor, classes: int) -> KerasTensor:
        """Probabilities, as a Keras tensor."""
        outputs = pooled(features, self.pooling)
        if self.normalize:
            outputs = layers.BatchNormalization()(outputs)
        for units in self.dense:
            outputs = layers.Dense(units, activation="relu", kernel_regularizer=self._penalty())(outputs)
            outputs = self._dropped(outputs)
        if not self.dense:
            outputs = self._dropped(outputs)
        last = layers.Dense(classes, activation="softmax", dtype="float32", kernel_regularizer=self._penalty())
        return last(outputs)

    def _dropped(self, outputs: KerasTensor) -> KerasTensor:
        return layers.Dropout(self.dropout)(outputs) if self.dropout else outputs

    def _penalty(self) -> keras.Regularizer | None:
        return keras.regularizers.L1L2(self.l1, self.l2) if self.l1 or self.l2 else None


def pooled(features: KerasTensor, pooling: str, *, dtype: str | None = None) -> KerasTensor:
    """Pooling: one vector per picture from its map of features.

    Args:
        features: Keras tensor of shape (n, height, width, channels).
        pooling: see `Head`.
        dtype: in which it is computed; None leaves it to the policy there is.
    """
    if pooling == "flatten":
        return layers.Flatten(dtype=dtype)(features)
    whole = layers.GlobalAveragePooling2D(dtype=dtype)(features)
    if pooling == "average":
        return whole
    sides = features.shape[1:3]
    quarters = layers.AveragePooling2D(
        [-(-side // 2) for side in sides], strides=[max(1, side // 2) for side in sides], dtype=dtype
    )
    return layers.Concatenate(dtype=dtype)([whole, layers.Flatten(dtype=dtype)(quarters(features))])


PLAIN = Head()
MODERN = Head("pyramid", dropout=0.2)  # of three backbones on two datasets, none did better without the quarters
HEADS = {  # as the authors of the projects drew them; all others are plain, as in the papers
    "xception": Head("flatten", normalize=True, dense=(1024, 1024), dropout=0.5),
    "vgg16": Head("flatten", dense=(256,), dropout=0.6),
}
