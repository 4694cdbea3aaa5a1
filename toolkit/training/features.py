"""Cached features: the output of a frozen backbone for every picture, in `data/<name>/features/<backbone>/`.

A frozen backbone gives the same features for a picture every time. So they are computed once, and heads, folds,
searches and checks of labels take seconds. They lie in mapped arrays, see `core.arrays`, and what they were made with
stands beside them, in `backbone.json`. New pictures are added to the cache; a computation that was killed goes on; the
folder can be removed at any time.
"""

import hashlib
import json
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toolkit import images, networks
from toolkit.core import arrays, contained, framework, parallel, paths
from toolkit.core.framework import tf
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.images.opening import prepare_all
from toolkit.networks import embedded

FOLDER, BACKBONE = "features", "backbone.json"
BATCH = 32  # pictures at a time; always as many, so that features do not depend on which others are in the batch
SHARD = 256  # views that are written at a time, and so the most that is lost when the computation is killed
SLICES = 4  # for each worker of a cluster: each loads the backbone once, and the slowest ends not long after the others
SMALLEST_CROP = 0.7  # of the shortest side; less may cut off what the label means

View = tuple[str, int]  # hash of the picture's file, number of the view
Task = tuple[View, Path]
Features = np.ndarray | arrays.Rows  # of shape (pictures, views, features), in memory or on disk


def of(
    manifest: Manifest,
    network: str,
    *,
    size: int | None = None,
    weights: str = "imagenet",
    pooling: str = "average",
    resize_mode: str = "crop",
    views: int = 1,
    precision: str = "auto",
    compute: bool = True,
) -> np.ndarray | None:
    """Features of every picture of a manifest in memory, computed where they are not cached yet.

    Args:
        manifest: pictures that can be opened, in any order; usually `manifest.where(status="ok")`.
        network: one of `networks.pretrained()`.
        size: side of the pictures in pixels; None takes the network's own.
        weights, pooling: see `Network.backbone`.
        resize_mode: how they are made square, see `images.square`.
        views: how many of each picture, see `view`; at least 1.
        precision: in which the backbone computes, see `framework.compute_policy`; the features are float32.
        compute: False only looks them up.

    Returns:
        float32 array of shape (pictures, views, features), in the order of the manifest; None if some are missing and
        not to be computed.

    Raises:
        DatasetError: a picture cannot be opened.

    >>> of(manifest.load("cars_tanks").where(status="ok"), "mobilenet").shape  # doctest: +SKIP
    (1101, 1, 1024)
    """
    found = rows(
        manifest,
        network,
        size=size,
        weights=weights,
        pooling=pooling,
        resize_mode=resize_mode,
        views=views,
        precision=precision,
        compute=compute,
    )
    return None if found is None else np.asarray(found)


def rows(
    manifest: Manifest,
    network: str,
    *,
    size: int | None = None,
    weights: str = "imagenet",
    pooling: str = "average",
    resize_mode: str = "crop",
    views: int = 1,
    precision: str = "auto",
    compute: bool = True,
) -> Features | None:
    """The same features as `of`, left on disk: they are read where they are indexed, see `arrays.Rows`.

    In memory are those that cannot be kept, since a link leads out of the dataset, and those of a dataset at a URL.
    """
    if views < 1 or weights == "none":
        raise ValueError(f"expected at least 1 view and weights that were learned, got {views} and {weights!r}")
    if not len(manifest):
        raise DatasetError(f"expected pictures of {manifest.name}, got none; run verify first")
    size = networks.get(network).usual_size({"weights": weights}) if size is None else size
    precision = framework.resolve_precision(precision)
    settings = (_weights_key(weights), pooling, resize_mode, precision)
    edition = networks.get(network).edition
    key = hashlib.sha256(repr((*settings, edition) if edition else settings).encode()).hexdigest()[:16]
    folder = _kept_in(manifest, f"{networks.label(network)}-{size}-{key}")  # other weights are another backbone
    views_of = [(sha256, number) for sha256 in manifest.table["sha256"] for number in range(views)]
    wanted = [_name(view) for view in views_of]
    store = _opened(folder)
    places = store.find(wanted)
    files = np.repeat(np.array(manifest.files, object), views)
    missing = sorted({views_of[index]: files[index] for index in np.flatnonzero(places < 0)}.items())
    if missing and not compute:
        return None
    if missing:
        made_with = {"network": network, "weights": _absolute(weights), "size": size, "pooling": pooling}
        made_with |= {"resize_mode": resize_mode, "precision": precision, "edition": edition}
        if folder is None:
            computed = _computed(missing, made_with)
            kept = {name: row for names, part in computed for name, row in zip(map(_name, names), part, strict=True)}
            return np.stack([kept[name] for name in wanted]).reshape(len(manifest), views, -1)
        _keep_all(missing, folder, made_with)
        store = _opened(folder)
        places = store.find(wanted)
        if (places < 0).any():
            raise DatasetError(f"expected features of {network} in {folder}, got others; remove that folder")
    found = store.rows(places.reshape(len(manifest), views), dtype=np.float32)
    return found if isinstance(manifest.root, Path) else found[:]


def backbones(manifest: Manifest) -> list[tuple[str, str]]:
    """The backbones of which features of a dataset are cached, as network and weights, if the weights are still there.

    >>> backbones(manifest.load("cars_tanks"))  # doctest: +SKIP
    [('mobilenet', 'imagenet')]
    """
    found = []
    for file in sorted((manifest.root / FOLDER).glob(f"*/{BACKBONE}")):
        record = json.loads(file.read_text())
        if record["weights"] in ("imagenet", "cifar10") or Path(record["weights"]).is_file():
            found.append((record["network"], record["weights"]))
    return found


def view(source: images.Source, size: int, *, number: int, sha256: str, mode: str = "crop") -> np.ndarray:
    """A view: the preprocessed picture, its mirror image, or a random crop.

    Args:
        source: a path, or the bytes of a file.
        size: side of the result in pixels.
        number: 0 for what `images.prepare` gives, 1 for its mirror image, from 2 on for random squares of the picture,
            scaled to the size and mirrored by chance.
        sha256: of the file, from which together with the number the square is drawn.
        mode: how the first two are made square, see `images.square`.

    Returns:
        uint8 array of shape (size, size, 3).
    """
    if number < 2:
        pixels = images.prepare(source, size, mode)
        return pixels[:, ::-1] if number else pixels
    random = np.random.default_rng((int(sha256[:16], 16), number))
    picture = images.read(source, min_side=2 * size)
    side = min(picture.size) * random.uniform(SMALLEST_CROP, 1)
    left, top = random.uniform(0, picture.width - side), random.uniform(0, picture.height - side)
    box = (left, top, left + side, top + side)
    pixels = np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0))
    return pixels[:, ::-1] if random.random() < 0.5 else pixels


def _kept_in(manifest: Manifest, name: str) -> Path | None:
    """The folder of cached features; None where a link there leads out: it is neither read nor written."""
    try:
        return contained.inside(manifest.root / FOLDER / name, manifest.root)
    except DatasetError as error:
        warnings.warn(f"features are computed and not kept: {error}", stacklevel=3)
        return None


def _absolute(weights: str) -> str:
    file = Path(weights).expanduser()
    return str(file.resolve()) if file.is_file() else weights


def _weights_key(weights: str) -> str:
    """Weights by their content where they are a file: the same file under another name holds the same."""
    file = embedded.SHIPPED / embedded.WEIGHTS if weights == "cifar10" else Path(weights).expanduser()
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else weights


def _compiled(made_with: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """The backbone as a function from uint8 pictures to float32 features."""
    size, network = made_with["size"], networks.get(made_with["network"])
    with framework.compute_policy(made_with["precision"]):
        model = network.backbone(size=size, weights=made_with["weights"], pooling=made_with["pooling"])
    shape = tf.TensorSpec((BATCH, size, size, 3), tf.uint8)
    graph = tf.function(lambda pictures: model(tf.cast(pictures, tf.float32), training=False), [shape], autograph=False)
    return lambda pictures: graph(tf.constant(pictures)).numpy().astype(np.float32)


def _name(view: View) -> bytes:
    """What a view is called in the store."""
    sha256, number = view
    name = sha256.encode("utf-8", "surrogateescape")
    return b"%s/%d" % (name if len(name) <= 64 else hashlib.sha256(name).hexdigest().encode(), number)


def _computed(missing: Sequence[Task], made_with: Mapping[str, Any]) -> Iterator[tuple[list[View], np.ndarray]]:
    """The features of these views, a shard at a time; the next pictures are opened meanwhile."""
    backbone, described = _compiled(made_with), f"features of {made_with['network']}"
    opened = partial(_view_of, size=made_with["size"], mode=made_with["resize_mode"])
    with parallel.progress(None, total=len(missing), description=described, unit=" views") as bar:
        for start in range(0, len(missing), SHARD):
            part = missing[start : start + SHARD]
            shard = []
            files = [file for _, file in part]
            for pictures in _batched(prepare_all(opened, part, files=files)):
                padded = np.concatenate([pictures, np.zeros((BATCH - len(pictures), *pictures.shape[1:]), np.uint8)])
                shard.append(backbone(padded)[: len(pictures)])
                bar.update(len(pictures))
            yield [view for view, _ in part], np.concatenate(shard)


def _keep_all(missing: Sequence[Task], folder: Path, made_with: Mapping[str, Any]) -> None:
    """Compute and keep these views: here, or on a cluster in slices, each written by the worker that has it."""
    if not parallel.is_distributed():
        _keep(missing, folder, made_with)
        return
    size = SHARD * -(-len(missing) // (SHARD * SLICES * parallel.n_parallel(-1)))
    slices = [missing[start : start + size] for start in range(0, len(missing), size)]
    keep = partial(_keep, folder=folder, made_with=made_with)
    told = f"features of {made_with['network']}"
    for result in parallel.map(keep, slices, description=told, kind="trainings"):  # one loads TensorFlow
        if isinstance(result, parallel.Failure):
            raise DatasetError(f"expected features of all pictures, a part of the work stopped: {result.reason}")


def _keep(missing: Sequence[Task], folder: Path, made_with: Mapping[str, Any]) -> None:
    """Write each shard as soon as it is there, and beside them what they are, but for what a lost worker has kept."""
    places = arrays.Store(folder).find([_name(view) for view, _ in missing])
    missing = [task for task, place in zip(missing, places.tolist(), strict=True) if place < 0]
    with arrays.Writer(folder) as writer:
        for number, (views, features) in enumerate(_computed(missing, made_with) if missing else ()):
            if not number:
                described = {**made_with, "dtype": str(features.dtype), "shape": features.shape[1:]}
                paths.write(folder / BACKBONE, json.dumps(described) + "\n")
            writer.add([_name(view) for view in views], features)


def _view_of(task: Task, *, size: int, mode: str) -> np.ndarray:
    (sha256, number), file = task
    return view(file, size, number=number, sha256=sha256, mode=mode)


def _batched(pictures: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    batch: list[np.ndarray] = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == BATCH:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def _opened(folder: Path | None) -> arrays.Store:
    """The store in a folder, with what an older toolkit left there taken over."""
    older = sorted(folder.glob("[!.]*.npz")) if folder else []
    if folder and older:
        with arrays.Writer(folder) as writer:
            for file in older:
                names, features = _shard(file)
                if names:
                    writer.add(names, features)
                file.unlink()
    return arrays.Store(folder)


def _shard(file: Path) -> tuple[list[bytes], np.ndarray]:
    """What an older toolkit kept: an archive of 256 views; nothing, if it is damaged, and is computed again."""
    with suppress(ValueError, TypeError, AttributeError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as shard:
            names = [_name(view) for view in zip(shard["sha256"].tolist(), shard["view"].tolist(), strict=True)]
            features = shard["features"].astype(np.float32, casting="same_kind")
        if (
            features.ndim == 2
            and len(features) == len(names) == len(set(names))
            and max(map(len, names)) <= arrays.LONGEST
        ):
            return names, features
    return [], np.empty((0, 0), np.float32)
