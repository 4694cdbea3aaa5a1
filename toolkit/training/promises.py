"""What a trained network promises of its answers, before the test pictures say how well that is kept.

The promises rest on pictures that the network did not learn from: those of val, or where only a head was fitted on
features that were there before, those of train and val held out in turn.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from toolkit import networks
from toolkit.core.framework import keras
from toolkit.model import familiarity, sets
from toolkit.model.familiarity import FALSE_ALARMS, Familiarity
from toolkit.training import batches, probe
from toolkit.training.trainer import Trainer

MOST = 5000  # pictures that familiarity is learned from


def familiar(trainer: Trainer, model: keras.Model, *, frozen: bool) -> Familiarity | None:
    """Familiarity of a network that was trained: what its last features are like on pictures it knows, see `model`.

    Args:
        trainer: the training.
        model: its network.
        frozen: whether nothing of it learned but a head on cached features.

    Returns:
        None where too few pictures are there to promise anything.
    """
    channels, first = _places(trainer.config.network, model)
    if frozen and (drawn := _folds(trainer)):
        features, labels, folds = drawn
        return familiarity.fit(features, labels, folds=folds, channels=channels, first=first)
    if familiarity.needed(len(trainer.val), FALSE_ALARMS) > len(trainer.val):
        return None
    body = keras.Model(model.inputs, model.layers[-1].input)
    parts = [_drawn(examples, seed=trainer.config.seed) for examples in (trainer.train, trainer.val)]
    size = trainer.config.batch_size
    features = np.concatenate([body.predict(batches.evaluation(part, batch_size=size), verbose=0) for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    learned, held = np.split(np.arange(len(labels)), [len(parts[0])])
    return familiarity.fit(features, labels, folds=[(learned, held)], channels=channels, first=first)


def covering(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float] | None:
    """What is stored of the sets that hold the true label: their `coverage`, and the `limit` of `sets.limit`.

    Args:
        probabilities: calibrated ones, shape (n, classes), of pictures the network did not learn from.
        labels: shape (n,), indices of the true classes.

    Returns:
        None where too few pictures are there to promise anything.
    """
    if familiarity.needed(len(labels), 1 - sets.COVERAGE) > len(labels):
        return None
    return {"coverage": sets.COVERAGE, "limit": sets.limit(probabilities, labels), "pictures": len(labels)}


def _folds(trainer: Trainer) -> tuple[np.ndarray, np.ndarray, familiarity.Folds] | None:
    """Cached features of train and val, their labels, and folds of them; None where a class is too small for folds."""
    used = trainer.manifest.where(split=("train", "val"), status="ok")
    chosen = _proportional(used.table["label"], seed=trainer.config.seed)
    drawn = used.where(path=used.table["path"].iloc[chosen].tolist())
    labels = trainer.manifest.class_indices(drawn.table["label"])
    folds = probe.folds_of(drawn.table, labels, np.arange(len(drawn)), trainer.config.seed)
    features = probe.features_for(trainer.config, drawn) if folds else None
    return None if features is None else (features[:, 0], labels, folds)


def _drawn(examples: batches.Examples, *, seed: int) -> batches.Examples:
    """Some of the pictures of a split, if there are many."""
    chosen = _proportional(pd.Series(examples.labels), seed=seed)
    pixels = None if examples.pixels is None else examples.pixels[chosen]
    files = tuple(examples.files[index] for index in chosen)
    return replace(examples, files=files, labels=examples.labels[chosen], pixels=pixels)


def _proportional(labels: pd.Series, *, seed: int) -> np.ndarray:
    """Indices of MOST pictures drawn by chance, at least one of each class, in rising order."""
    if len(labels) <= MOST:
        return np.arange(len(labels))
    mixed = labels.reset_index(drop=True).sample(frac=1, random_state=seed)
    turn = mixed.groupby(mixed).cumcount() / mixed.groupby(mixed).transform("size")
    return np.sort(turn.sort_values(kind="stable").index[:MOST].to_numpy())


def _places(network: str, model: keras.Model) -> tuple[int, int]:
    """Channels of the last map of features that a network has, 0 if it has none, and the first from its middle."""
    shapes = [tuple(getattr(layer.output, "shape", ())) for layer in model.layers]
    maps = [shape[-1] for shape in shapes if len(shape) == 4]
    channels, first = maps[-1] if maps else 0, networks.get(network).middle
    return channels, first if first < channels else 0
