"""Fine-tuning: after the head has learned on a frozen base, let the last layers of the base learn too.

First the head, then the base: a head that still guesses would send large, meaningless gradients into features that took
a million pictures to learn (Kumar et al., 2022, arXiv:2202.10054). Batch normalization stays frozen all the while.
"""

from dataclasses import dataclass

from toolkit.core.framework import keras
from toolkit.networks import transfer


@dataclass(frozen=True)
class FineTune:
    """How the last layers of a base learn.

    Args:
        epochs: passes over the training pictures, at least 1.
        share: of the base's layers, counted from its end, that learn; above 0, 1 for all.
        learning_rate: of AdamW for the head, above 0; it rises over the first tenth of the steps and falls as a cosine.
        decay: factor on that rate from one layer with weights to the one below it, above 0, 1 for the same everywhere.
        weight_decay: of AdamW, 0 for none.
    """

    epochs: int = 5
    share: float = 0.2
    learning_rate: float = 1e-4
    decay: float = 0.9
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0 < self.share <= 1 or not 0 < self.decay <= 1:
            raise ValueError(
                "expected at least 1 epoch of fine-tuning and a share and a decay above 0 and at most 1, got "
                f"{self.epochs}, {self.share} and {self.decay}"
            )
        if self.learning_rate <= 0 or self.weight_decay < 0:
            raise ValueError(
                "expected a learning_rate above 0 and a weight_decay of at least 0, got "
                f"{self.learning_rate} and {self.weight_decay}"
            )


def base_of(model: keras.Model) -> keras.Model:
    """The pretrained part of a network: the model within it.

    Raises:
        ValueError: it has none, or several.
    """
    bases = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if len(bases) != 1:
        raise ValueError(
            f"expected a network with one pretrained base to fine-tune, got {model.name} with {len(bases)}; leave "
            "fine-tuning out, or choose another network such as xception or mobilenet"
        )
    return bases[0]


def unfreeze(model: keras.Model, *, share: float) -> None:
    """Let the last layers of the base learn, but no batch normalization; see `transfer.freeze`.

    Args:
        model: a network whose base is frozen.
        share: of the base's layers, from its end.
    """
    base = base_of(model)
    transfer.freeze(base, round(len(base.layers) * (1 - share)))


def rates(model: keras.Model, *, decay: float) -> dict[str, float]:
    """Layer-wise learning rate decay: a factor on the rate for each weight of the base, by its path.

    The first layers know edges and colours and need little correction, the last ones dogs and teapots. One factor of
    `decay` for each layer with weights that learn, counted from the last one of the base.

    >>> rates(model, decay=0.9)["block14_sepconv2/pointwise_kernel"]  # doctest: +SKIP
    0.9
    """
    learning = [layer for layer in base_of(model)._flatten_layers(include_self=False) if layer.trainable_variables]
    depths = enumerate(reversed([layer for layer in learning if not isinstance(layer, keras.Model)]), start=1)
    return {weight.path: decay**depth for depth, layer in depths for weight in layer.trainable_variables}
