"""Does the heat lie on the vehicle? Grad-CAM on drawn pictures, where the vehicle's place is known.

python benchmarks/explain.py

A head is learned on the backbone that comes with the toolkit. Then the same network is asked with random weights.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import table

from toolkit import bundle, explain, networks, practice
from toolkit.core.framework import keras
from toolkit.evaluation import receptive_fields
from toolkit.training import probe

SHARES = (0.5, 0.7)  # of the width, that vehicles take
FAINT = 18  # deviation of the grey values around a vehicle, of 255; the tenth below it is fog and night


@dataclass(frozen=True, eq=False)
class Drawn:
    """Pictures with what is on them and where: uint8 arrays, places of labels, boxes (left, top, right, bottom)."""

    pictures: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray


def draw(count: int, *, size: int, seed: int, shares: tuple[float, float] = SHARES) -> Drawn:
    """Cars and tanks in turn, each in a scene of its own, somewhere on a square picture; those one can see."""
    rng, drawings = np.random.default_rng(seed), []
    while len(drawings) < count:
        label, seed = practice.LABELS[len(drawings) % 2], seed + 1
        drawing = practice.vehicle(label, seed=seed, width=size, height=size, share=rng.uniform(*shares))
        drawings += [drawing] if _visible(drawing) else []
    pictures = np.stack([np.asarray(drawing.picture) for drawing in drawings])
    return Drawn(pictures, np.arange(count) % 2, np.array([drawing.box for drawing in drawings]))


def _visible(drawing: practice.Drawing) -> bool:
    """Whether there is anything to see where the vehicle is: neither fog nor night."""
    return float(np.asarray(drawing.picture.crop(drawing.box).convert("L")).std()) >= FAINT


def learned(train: Drawn, *, C: float = 0.1) -> bundle.Bundle:
    """A head on the shipped backbone, learned from these pictures."""
    size = train.pictures.shape[1]
    seen = networks.get("xception").backbone(size=size, weights="cifar10", pooling="average")
    parts = [train.pictures[start : start + 32] for start in range(0, len(train.pictures), 32)]
    features = np.concatenate([np.asarray(seen.predict_on_batch(part)) for part in parts])
    ((_, head),) = probe.regularization_path(features, train.labels, Cs=(C,))
    model = networks.build("xception", classes=2, size=size, style="modern", weights="cifar10", pooling="average")
    head.copy_into(model)
    return named(model, size)


def unlearned(size: int, *, seed: int) -> bundle.Bundle:
    """The same network with random weights in place of all that it has learned."""
    keras.utils.set_random_seed(seed)
    model = networks.build("xception", classes=2, size=size, style="modern", weights="cifar10", pooling="average")
    for layer in model._flatten_layers(include_self=False):
        if hasattr(layer, "kernel"):
            layer.kernel.assign(keras.initializers.GlorotUniform(seed)(layer.kernel.shape))
            layer.bias.assign(keras.ops.zeros(layer.bias.shape))
    return named(model, size)


def named(model: keras.Model, size: int) -> bundle.Bundle:
    """A model with the classes of the drawn pictures, without a folder."""
    trained = bundle.Bundle(Path(), practice.LABELS, size)
    trained.__dict__["model"] = model
    return trained


def judged(trained: bundle.Bundle, test: Drawn) -> Mapping[str, float]:
    """How often it is right, and how often the hottest pixel for the true class is inside the vehicle's box."""
    right = trained.probabilities(test.pictures).argmax(axis=1) == test.labels
    heat = explain.grad_cam(trained, test.pictures, labels=[practice.LABELS[place] for place in test.labels])
    inside = np.array([_hottest_inside(one, box) for one, box in zip(heat, test.boxes, strict=True)])
    shares = [explain.share_inside(one, box) for one, box in zip(heat, test.boxes, strict=True)]
    return {"right": right.mean(), "inside": inside.mean(), "heat": float(np.mean(shares))}


def explained(name: str) -> Mapping[str, object]:
    """Whether heat can be drawn for a network, with random weights, on its smallest pictures."""
    size = max(64, networks.get(name).smallest)
    weights = {"weights": "none"} if name in networks.pretrained() and name != "xception" else {}
    weights = {"weights": "cifar10"} if name == "xception" else weights
    keras.backend.clear_session()
    trained = named(networks.build(name, classes=2, size=size, style="modern", **weights), size)
    pictures = draw(2, size=size, seed=0).pictures
    heat = explain.grad_cam(trained, np.concatenate([pictures, pictures]), labels=["cars", "cars", "tanks", "tanks"])
    grid = receptive_fields.of(explain.maps(trained.model))[0]
    cells = f"{explain.maps(trained.model).shape[1]} at {grid.start:g} + {grid.step:g} i"
    return {"network": name, "pixels": size, "cells": cells, "heat": "yes" if heat.max() == 1 else "no"}


def chance(test: Drawn) -> float:
    """How often a random pixel is inside the box: its mean share of the picture."""
    left, top, right, bottom = test.boxes.T
    return float(((right - left) * (bottom - top)).mean() / test.pictures.shape[1] ** 2)


def _hottest_inside(heat: np.ndarray, box: Sequence[int]) -> bool:
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    left, top, right, bottom = box
    return bool(heat.max() > 0 and left <= column < right and top <= row < bottom)


def main() -> None:
    """Print a row per network."""
    parser = table.arguments(__doc__)
    parser.add_argument("--train", type=int, default=2000)
    parser.add_argument("--test", type=int, default=400)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--random", type=int, default=5, help="networks with random weights")
    parser.add_argument("--every", action="store_true", help="instead, draw heat for every network there is")
    asked = parser.parse_args()
    started = time.perf_counter()
    if asked.every:
        table.show([explained(name) for name in networks.names()], json_file=asked.json)
        return
    train = draw(asked.train, size=asked.size, seed=0)
    test = draw(asked.test, size=asked.size, seed=1_000_000)
    networks_asked = {"learned": learned(train)}
    networks_asked |= {f"random {seed}": unlearned(asked.size, seed=seed) for seed in range(asked.random)}
    rows = []
    for name, trained in networks_asked.items():
        found = judged(trained, test)
        words = {"right": f"{found['right']:.1%}", "peak in the box": f"{found['inside']:.1%}"}
        rows.append({"weights": name, **words, "heat in the box": f"{found['heat']:.1%}"})
    print(f"{asked.test} pictures of {asked.size} pixels; the box is {chance(test):.1%} of the picture on average")
    print(f"{time.perf_counter() - started:.0f} s in all\n")
    table.show(rows, json_file=asked.json)


if __name__ == "__main__":
    main()
