"""Image backbones of keras-hub by preset: `hub:dinov2_small`, or `hub:./folder` of one that was saved.

A preset holds the plan of a backbone, its weights, and how its pixels are scaled; that scaling becomes a part of the
network, which takes RGB from 0 to 255 like all others. Needs the extra `hub`.
"""

import math
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from toolkit.core import framework
from toolkit.core.framework import KerasTensor, keras
from toolkit.errors import BundleError, in_one_line
from toolkit.networks.head import Changes
from toolkit.networks.transfer import Pretrained, Transfer, parse

layers = keras.layers

PREFIX = "hub:"
SIZE = 224  # pixels, of presets that take pictures of any size
WEIGHTS = "model.weights.h5"  # in the folder of a preset
OPTIONS = ("trainable_layers", "frozen_below", *Changes.__annotations__)


@dataclass(frozen=True)
class HubTransfer(Transfer):
    """Transfer learning on a backbone of keras-hub, see `transfer.Transfer`; `weights` is its preset."""

    def base(self, size: int) -> keras.Model:
        """The backbone with its weights, for pictures of this size."""
        backbone = _opened(self.name, "Backbone", image_shape=(size, size, 3), dtype=keras.config.dtype_policy())
        inputs = keras.tree.flatten(backbone.input)
        if len(inputs) != 1 or tuple(inputs[0].shape) != (None, size, size, 3):
            raise BundleError(
                f"expected a preset that takes pictures of {size} by {size} pixels alone, {self.name} takes "
                f"{', '.join(str(tuple(value.shape)) for value in inputs)}; choose an image backbone, or another size"
            )
        return backbone

    def features(self, base: keras.Model, pictures: KerasTensor) -> KerasTensor:
        """Maps of features, of pictures from 0 to 255."""
        converter = _converter(self.name)
        scale, offset = converter.scale, converter.offset
        pictures = layers.Rescaling(
            1.0 if scale is None else scale, 0.0 if offset is None else offset, dtype="float32"
        )(pictures)
        names = base.input.keys() if isinstance(base.input, dict) else ()
        return maps(base({next(iter(names)): pictures} if names else pictures))


def maps(features: KerasTensor) -> KerasTensor:
    """Maps of features, from maps as they are or from tokens: a row of patches behind a class token and registers.

    The class token, which stands for the whole picture, is put behind the features of every patch.

    Raises:
        BundleError: the features have another shape.
    """
    if len(features.shape) == 4:
        return features
    if len(features.shape) != 3 or features.shape[1] is None:
        raise BundleError(f"expected a backbone that gives maps or tokens, got features of shape {features.shape}")
    _, tokens, channels = features.shape
    side = math.isqrt(tokens)
    first = tokens - side * side
    patches = layers.Reshape((side, side, channels))(layers.Cropping1D((first, 0))(features))
    if not first:
        return patches
    whole = layers.UpSampling1D(side * side)(layers.Cropping1D((0, tokens - 1))(features))
    return layers.Concatenate()([patches, layers.Reshape((side, side, channels))(whole)])


@dataclass(frozen=True)
class HubNetwork(Pretrained):
    """A network with a backbone of keras-hub."""

    def transfer(self, *, style: str = "classic", weights: str = "", **options: Any) -> HubTransfer:
        """The options of this network, parsed; the weights are those of the preset, whatever is said."""
        parsed = vars(parse(self.name, style=style, **options))
        return HubTransfer(**{**parsed, "weights": _weights(self.name)})


@cache
def network(name: str) -> HubNetwork:
    """The entry in the registry of a preset, by its name behind `PREFIX`.

    Raises:
        BundleError: keras-hub is not installed, or the preset cannot be had.
    """
    size = _converter(name).image_size
    return HubNetwork(
        name=name,
        draw=partial(_draw, name),
        summary=f"{name.removeprefix(PREFIX)}, a backbone of keras-hub, with a new head",
        size=size[0] if size else SIZE,
        smallest=1,
        epochs=8,
        patience=3,
        learning_rates={"classic": 1e-3, "modern": 1e-3},
        options=OPTIONS,
    )


def _draw(name: str, *, classes: int, size: int, style: str, **options: Any) -> keras.Model:
    return network(name).transfer(style=style, **options).build(classes=classes, size=size)


def _weights(name: str) -> str:
    """What tells the weights of a preset from others: their file, or the name."""
    preset = name.removeprefix(PREFIX)
    file = Path(preset).expanduser() / WEIGHTS
    return str(file) if file.is_file() else preset


@cache
def _converter(name: str) -> Any:
    return _opened(name, "ImageConverter")


def _opened(name: str, kind: str, **settings: Any) -> Any:
    """A part of a preset: its "Backbone" or "ImageConverter"."""
    hub, preset = framework.hub(), name.removeprefix(PREFIX)
    folder = Path(preset).expanduser()
    is_folder = preset.startswith((".", "/", "~")) or folder.is_dir()
    if is_folder and not (folder / "config.json").is_file():
        raise BundleError(f"expected the folder of a preset of keras-hub at {preset}, found no config.json in it")
    chapter = hub.models if kind == "Backbone" else hub.layers
    try:
        return getattr(chapter, kind).from_preset(str(folder.resolve()) if is_folder else preset, **settings)
    except Exception as error:  # an unknown name, no network, no rights, another size: each of its own kind
        advice = (
            ""
            if is_folder
            else (
                "; without a network, save it on a machine that has one, with "
                f"keras_hub.models.ImageClassifier.from_preset({preset!r}, num_classes=2).save_to_preset('preset'), "
                "and give hub:./preset"
            )
        )
        reason = in_one_line(error)
        raise BundleError(f"expected the {kind} of the preset {preset}, could not have it: {reason}{advice}") from error
