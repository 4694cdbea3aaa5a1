"""Tiny datasets and pictures, made by code, the same every time."""

import hashlib
import io
import json
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from toolkit import bundle, dedup, evaluate, manifest, networks, paths, resize, split, verify
from toolkit.core.framework import keras
from toolkit.dataset.manifest import Manifest
from toolkit.evaluation import memory

COLOURS = ((200, 60, 40), (40, 120, 60), (60, 80, 190), (190, 180, 60))


def coloured(place, number, *, side=32, noise=60):
    """A picture of class number `place`: its colour, under noise that differs with every `number`."""
    rng = np.random.default_rng((place, number))
    pixels = np.array(COLOURS[place]) + rng.normal(0, noise, (side, side, 3))
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


def textured(seed, *, width=320, height=240):
    """A picture with light, shapes and detail, as a photograph has: noise at several scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cells, strength in ((3, 70), (6, 50), (12, 30), (40, 12)):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        total += (np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) / 255 - 0.5) * 2 * strength
    return Image.fromarray((total + 128).clip(0, 255).astype(np.uint8))


def cropped(picture, share):
    """The picture without `share` of its width and height at every side."""
    width, height = picture.size
    left, top = round(share * width), round(share * height)
    return picture.crop((left, top, width - left, height - top))


def encoded(picture, kind="PNG", **options):
    """The bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def dataset(root, files):
    """A new dataset of (label, ending, bytes), as a scraper leaves it."""
    return manifest.from_rows(Path(root), [raw_file(root, *file) for file in files]).save()


def class_folders(root, *, per_class):
    """Pictures of cars and tanks in a folder per class, as people have them."""
    for index, label in enumerate(("cars", "tanks")):
        (Path(root) / label).mkdir(parents=True)
        for number in range(per_class):
            (Path(root) / label / f"{number}.png").write_bytes(encoded(coloured(index, number)))
    return Path(root)


def raw_file(root, label, ending, content):
    """Put one file into `raw/` and give back its row."""
    sha256 = hashlib.sha256(content).hexdigest()
    path = Path("raw", label, f"{sha256}.{ending}")
    (Path(root) / path).parent.mkdir(parents=True, exist_ok=True)
    (Path(root) / path).write_bytes(content)
    return {"path": path.as_posix(), "label": label, "sha256": sha256, "bytes": len(content), "source": "folder"}


def tiny_dataset(root, *, per_class=12, side=32, classes=("cars", "tanks"), noise=60):
    """A new dataset whose classes differ in colour: something a network can learn in a few steps."""
    return dataset(
        root,
        [
            (label, "png", encoded(coloured(place, number, side=side, noise=noise)))
            for place, label in enumerate(classes)
            for number in range(per_class)
        ],
    )


def ready_dataset(root, *, size=32, val=0.2, test=0.25, seed=7, **options):
    """The same, verified, searched for duplicates, resized, split and saved."""
    table = resize.write(dedup.group(verify.check(tiny_dataset(root, **options))), size=size)
    return split.assign(table, val=val, test=test, seed=seed).save()


def fake_table(root, rows) -> Manifest:
    """A manifest without files: every row (label, group or "") a usable picture."""
    cells = [
        {"path": f"raw/{label}/{number:05}.jpg", "label": label, "sha256": f"{number:05}", "group": group}
        for number, (label, group) in enumerate(rows)
    ]
    table = manifest.from_rows(Path(root), cells)
    return table.assign(status="ok")


def untrained(folder, *, classes=("cars", "tanks"), size=32, resize_mode="crop", seed=1, **facts):
    """The bundle of a small network that has learned nothing yet: quick to have, and it answers all the same."""
    model = Kept(len(classes), size, seed)
    history = pd.DataFrame({"epoch": [1], "loss": 0.7, "val_loss": 0.7, "accuracy": 0.5, "val_accuracy": 0.5})
    facts = {"network": "vgg", "parameters": model.count_params(), **facts}
    shape = {"size": size, "resize_mode": resize_mode}
    return bundle.save(Path(folder), model, classes=classes, history=history, facts=facts, **shape)


class Kept:
    """A small network that was built and saved once in this process; to save it again is to copy its bytes."""

    def __init__(self, *which):
        self.content, self.parameters = _built(*which)

    def save(self, file):
        Path(file).write_bytes(self.content)

    def count_params(self):
        return self.parameters


@cache
def _built(classes, size, seed):
    keras.utils.set_random_seed(seed)
    model = networks.build("vgg", classes=classes, size=size, style="modern", width=0.1)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model.keras"))
        return Path(folder, "model.keras").read_bytes(), model.count_params()


def facts(table):
    """What a training on these pictures writes down, for `untrained`."""
    config = {"network": "vgg", "style": "modern", "batch_size": 8, "learning_rate": 1e-3, "patience": 2, "seed": 7}
    rest = {"best_epoch": 0, "train_seconds": 1.5, "pictures": 12, "precision": "float32", "versions": {"keras": "3"}}
    return {"config": config, **rest, "dataset": table.name}


def weighed(run, megabytes=512.0):
    """The run, its memory told beforehand: the process that would measure it is slow, and has tests of its own."""
    (run.folder / memory.FILE).write_text(json.dumps({"sha256": run.facts["sha256"], "megabytes": megabytes}))
    return run


def judged(table, name, **how):
    """An untrained run of a dataset, evaluated on its test pictures."""
    run = untrained(paths.models(table.root) / name, **{"dataset": table.name, "train_seconds": 1.0, **how})
    evaluate.measure(run, table)
    return weighed(run)


def learned(table, name, **how):
    """The same of a run that has seen the train and val pictures."""
    run = judged(table, name, **{**facts(table), **how})
    seen = table.where(split=("train", "val"), status="ok").table["sha256"]
    (run.folder / bundle.SEEN).write_text("\n".join(seen))
    return run


def backbone_weights(file, *, seed=1):
    """A weights file of a MobileNet that learned nothing: its random features tell colours apart all the same."""
    keras.utils.set_random_seed(seed)
    model = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(layer.gamma * 6)  # or hardly anything is left of a picture after so many layers
    model.save_weights(file)
    return str(file)


def artifacts(folder, *, classes=("cars", "tanks"), size=32, threshold=0.0):
    """A small network that has learned nothing, as `small.tflite` and `small.onnx`."""
    from toolkit.export import litert, onnx

    keras.utils.set_random_seed(1)
    model = networks.build("small_cnn", classes=len(classes), size=size, style="modern", width=0.1)
    facts = {"classes": list(classes), "size": size, "resize_mode": "crop", "threshold": threshold}
    litert.write(model, Path(folder) / "small.tflite", facts=facts, sample=lambda: None)
    onnx.write(model, Path(folder) / "small.onnx", facts=facts)
    return Path(folder)


def until(true, seconds=30):
    """Wait for something and give it back, or fail."""
    limit = time.monotonic() + seconds
    while not (happened := true()):
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)
    return happened
