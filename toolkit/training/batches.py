"""Input pipeline: from a manifest to batches of pictures and labels, for training and evaluation."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from toolkit.core import arrays, paths, remote
from toolkit.core.framework import tf
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.training import squares
from toolkit.training.augment import Augmentation, apply, draw
from toolkit.training.distribution import Shard
from toolkit.training.mixing import Mixing, mix

MEMORY = 256 << 20  # bytes of pictures that are kept in memory; more are decoded once, into a file that is mapped
FAR_MEMORY = 2 << 30  # the same of a dataset at a URL, where no file can be mapped


@dataclass(frozen=True, eq=False)
class Examples:
    """The pictures of one split, in the order of the manifest.

    Args:
        files: square PNG of each picture.
        labels: int array of shape (n,), indices of `classes`.
        classes: class names in the order of the dataset.
        size: side in pixels.
        pixels: uint8 array of shape (n, size, size, 3), in memory, or on disk where they are many.
    """

    files: tuple[Path, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    size: int
    pixels: np.ndarray | arrays.Rows

    def __len__(self) -> int:
        return len(self.files)

    def one_hot(self) -> np.ndarray:
        """float32 array of shape (n, classes)."""
        return np.eye(len(self.classes), dtype=np.float32)[self.labels]

    def class_weights(self) -> np.ndarray:
        """Balanced weight per class, n / (classes * n_c), so that a rare class counts as much as a frequent one."""
        return compute_class_weight("balanced", classes=np.arange(len(self.classes)), y=self.labels).astype(np.float32)


def examples(manifest: Manifest, *, split: str, size: int, resize_mode: str = "crop", jobs: int = -1) -> Examples:
    """The pictures of a split at one size.

    Args:
        manifest: the whole manifest, split and resized.
        split: "train", "val" or "test".
        size: side in pixels, for which `resize.write` has made squares.
        resize_mode: in which it has made them.
        jobs: workers that read, -1 for one per core.

    Raises:
        DatasetError: the split is empty, or its squares are missing.
    """
    chosen = manifest.where(split=split, status="ok")
    if not len(chosen):
        raise DatasetError(f"expected pictures in the split {split!r} of {manifest.name}, got none; run split first")
    files = tuple(chosen.sized(size, mode=resize_mode))
    missing = [file for file, exists in zip(files, remote.exist(files), strict=True) if not exists]
    if missing:
        mode = f" --mode {resize_mode}" if resize_mode != "crop" else ""
        raise DatasetError(
            f"expected squares of {size} pixels, {len(missing)} are missing, such as {missing[0].name}; run "
            f"`toolkit resize {paths.dataset_name(manifest.root)} --size {size}{mode}`"
        )
    labels = manifest.class_indices(chosen.table["label"])
    if len(files) * size * size * 3 <= (MEMORY if isinstance(manifest.root, Path) else FAR_MEMORY):
        return Examples(files, labels, manifest.classes, size, np.stack(list(squares.decoded(files, size, jobs=jobs))))
    pixels = squares.mapped(chosen, size=size, resize_mode=resize_mode, jobs=jobs)
    return Examples(files, labels, manifest.classes, size, pixels)


def training(
    examples: Examples,
    *,
    batch_size: int,
    augmentation: Augmentation | None,
    seed: int,
    epoch: int,
    weighted: bool = True,
    mixing: Mixing | None = None,
    shard: Shard | None = None,
    dtype: str = "float32",
) -> tf.data.Dataset:
    """One epoch of training batches: shuffled, augmented, every picture once.

    The order and every change depend on `seed` and `epoch` alone, so an interrupted training goes on as if nothing had
    happened.

    Args:
        examples: the pictures of the train split.
        batch_size: pictures per batch, at least 1.
        augmentation: how to change them; None leaves them as they are.
        seed: any integer.
        epoch: number of the epoch, from 0.
        weighted: weight every picture by its class, see `Examples.class_weights`.
        mixing: how to blend pictures with one another after they were changed; None leaves them apart.
        shard: the part of every batch to give, see `distribution.distribute`; None gives all of it.
        dtype: of pictures that are not changed; "uint8" is handed on for a quarter of the bytes. Changed ones are
            float32.

    Returns:
        A dataset of (pictures of shape (n, size, size, 3) from 0 to 255, one-hot labels, weights).
    """
    shard = shard or Shard()
    order = np.random.default_rng((seed, epoch)).permutation(len(examples))
    weights = examples.class_weights()[examples.labels] if weighted else np.ones(len(examples), np.float32)
    part, dtype = _part(order, weights[order], batch_size, shard), "float32" if augmentation or mixing else dtype
    batches = _batches(examples, *part, batch_size // shard.total, dtype)
    if augmentation or mixing:
        change = partial(
            _changed,
            augmentation=augmentation,
            mixing=mixing,
            size=examples.size,
            seed=seed * 100_003 + epoch,
            shard=shard,
        )
        batches = batches.enumerate().map(change, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)


def evaluation(
    examples: Examples, *, batch_size: int, shard: Shard | None = None, dtype: str = "float32"
) -> tf.data.Dataset:
    """The pictures in order, unchanged, as (pictures, one-hot labels, weights of 1); see `training` for the rest."""
    shard = shard or Shard()
    order, ones = np.arange(len(examples)), np.ones(len(examples), np.float32)
    batches = _batches(examples, *_part(order, ones, batch_size, shard), batch_size // shard.total, dtype)
    return batches.prefetch(tf.data.AUTOTUNE)


def steps(examples: Examples, *, batch_size: int) -> int:
    """Batches in an epoch."""
    return -(-len(examples) // batch_size)


def _part(order: np.ndarray, weights: np.ndarray, batch_size: int, shard: Shard) -> tuple[np.ndarray, np.ndarray]:
    """What a shard holds of every batch. The last batch is filled up with pictures that weigh nothing."""
    if shard.total == 1:
        return order, weights
    if batch_size % shard.total:
        raise ValueError(f"expected a batch_size that can be divided by {shard.total} replicas, got {batch_size}")
    missing, last = -len(order) % batch_size, len(order) % batch_size
    weights = np.append(weights, np.zeros(missing, np.float32))
    if missing:  # the mean over the batch is one over its pictures
        weights[-batch_size:] *= batch_size / last
    parts = slice(shard.first, shard.first + shard.count)
    order, weights = (
        cells.reshape(-1, shard.total, batch_size // shard.total)[:, parts].ravel()
        for cells in (np.append(order, np.resize(order, missing)), weights)
    )
    return order, weights


def _batches(
    examples: Examples, order: np.ndarray, weights: np.ndarray, batch_size: int, dtype: str
) -> tf.data.Dataset:
    with tf.device("CPU"):
        batches = tf.data.Dataset.from_tensor_slices((order, examples.labels[order], weights)).batch(batch_size)

    def load(indices: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
        pictures = tf.numpy_function(lambda rows: examples.pixels[rows], [indices], tf.uint8, stateful=False)
        pictures = tf.ensure_shape(pictures, (None, examples.size, examples.size, 3))
        return tf.cast(pictures, dtype), tf.one_hot(labels, len(examples.classes)), weights

    return batches.map(load, num_parallel_calls=tf.data.AUTOTUNE)


def _changed(
    number: tf.Tensor,
    batch: tuple[tf.Tensor, ...],
    *,
    augmentation: Augmentation | None,
    mixing: Mixing | None,
    size: int,
    seed: int,
    shard: Shard,
) -> tuple[tf.Tensor, ...]:
    pictures, labels, weights = batch
    number = number // shard.count * shard.total + shard.first + number % shard.count  # among the parts of all replicas
    seeds = tf.stack([tf.cast(seed, tf.int64), number])
    if augmentation:
        pictures = apply(pictures, draw(augmentation, tf.shape(pictures)[0], size=size, seed=seeds))
    if mixing:
        pictures, labels, weights = mix(mixing, pictures, labels, weights, seed=seeds)
    return pictures, labels, weights
