"""What a trained network promises of its answers, before the test pictures say how well that is kept.

The promises rest on pictures that the network did not learn from: those of val, or where only a head was fitted on
features that were there before, those of train and val held out in turn.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from toolkit import networks
from toolkit.core import paths
from toolkit.core.framework import keras
from toolkit.dataset.manifest import Dataset, Manifest, opened
from toolkit.errors import BundleError
from toolkit.model import bundle, calibrate, familiarity, sets
from toolkit.model.bundle import Bundle
from toolkit.model.familiarity import FALSE_ALARMS, Familiarity
from toolkit.training import batches, probe
from toolkit.training.config import Resolved, config_from

MOST = 5000  # pictures that familiarity is learned from

Examples = Callable[[str], batches.Examples]  # the pictures of a split, by its name


def familiar(
    model: keras.Model, config: Resolved, manifest: Manifest, examples: Examples, *, frozen: bool
) -> Familiarity | None:
    """Familiarity of a network that was trained: what its last features are like on pictures it knows, see `model`.

    Args:
        model: the network.
        config, manifest: of its training.
        examples: gives the pictures of train and val.
        frozen: whether nothing of it learned but a head on cached features.

    Returns:
        None where too few pictures are there to promise anything.
    """
    channels, first = _places(config.network, model)
    if frozen and (drawn := _folds(config, manifest)):
        features, labels, folds = drawn
        return familiarity.fit(features, labels, folds=folds, channels=channels, first=first)
    held_out = len(manifest.where(split="val", status="ok"))
    if familiarity.needed(held_out, FALSE_ALARMS) > held_out:
        return None
    body = keras.Model(model.inputs, model.layers[-1].input)
    parts = [_drawn(examples(split), seed=config.seed) for split in ("train", "val")]
    size = config.batch_size
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


def given(run: Bundle | str, manifest: Dataset) -> Bundle:
    """Promises of a run that was trained before runs made any: what is familiar to it, and its sets.

    Its answers stay; what it promised already stays too. Exported files of it get the second output when they are
    exported again.

    Args:
        run: the run, or its name.
        manifest: the dataset that it was trained on, or its name.

    Returns:
        The run, which tells familiarity now, unless there are too few pictures.

    Raises:
        BundleError: the pictures it was trained on are not known any more, or it was not trained here.

    >>> given("cars_tanks/vgg", "cars_tanks").tells_familiarity  # doctest: +SKIP
    True
    """
    run = bundle.opened(run)
    if run.familiarity and run.set_limit is not None:
        return run
    if "config" not in run.facts:
        raise BundleError(f"expected a run that was trained here, {run.name} tells no settings of a training; use one")
    then, config = _then(run, opened(manifest)), config_from(run.facts["config"]).resolved()
    examples = partial(_examples, then, config)
    frozen = config.is_linear_probe and run.best[0].get("phase", "probe") == "probe"
    if not run.familiarity and (known := familiar(run.model, config, then, examples, frozen=frozen)):
        familiarity.save(known, run.folder / bundle.FAMILIARITY)
    if run.set_limit is None:
        shares, labels = _held_out(run, config, then, examples, frozen=frozen)
        facts = {**run.facts, "sets": covering(shares, labels)}
        paths.write(run.folder / bundle.FACTS, json.dumps(facts, indent=2, default=str) + "\n")
    return bundle.load(run.folder)


def _then(run: Bundle, manifest: Manifest) -> Manifest:
    """The dataset with the split that a run was trained on.

    Raises:
        BundleError: neither the run nor the dataset knows it, or it has other classes now.
    """
    if run.classes != manifest.classes:
        raise BundleError(
            f"expected a dataset of {', '.join(run.classes)}, as {run.name} learned them, got {manifest.name} of "
            f"{', '.join(manifest.classes)}; train it again"
        )
    if run.facts.get("manifest") == manifest.fingerprint():
        return manifest
    noted = run.pictures.drop_duplicates("sha256").set_index("sha256")["split"]  # raises where the run is older
    then = manifest.labelled
    return then.assign(split=then.table["sha256"].map(noted).fillna("").astype(str))


def _examples(manifest: Manifest, config: Resolved, split: str) -> batches.Examples:
    return batches.examples(manifest, split=split, size=config.size, resize_mode=config.resize_mode)


def _held_out(
    run: Bundle, config: Resolved, manifest: Manifest, examples: Examples, *, frozen: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities for pictures that a run did not learn from, and the indices of their classes."""
    if frozen:
        fitted = probe.learn(config, manifest)
        return calibrate.rescale(fitted.val, run.facts.get("temperature", 1.0)), fitted.val_labels
    val = examples("val")
    return run.model.predict(batches.evaluation(val, batch_size=config.batch_size), verbose=0), val.labels


def _folds(config: Resolved, manifest: Manifest) -> tuple[np.ndarray, np.ndarray, familiarity.Folds] | None:
    """Cached features of train and val, their labels, and folds of them; None where a class is too small for folds."""
    used = manifest.where(split=("train", "val"), status="ok")
    chosen = _proportional(used.table["label"], seed=config.seed)
    drawn = used.where(path=used.table["path"].iloc[chosen].tolist())
    labels = manifest.class_indices(drawn.table["label"])
    folds = probe.folds_of(drawn.table, labels, np.arange(len(drawn)), config.seed)
    features = probe.features_for(config, drawn) if folds else None
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
