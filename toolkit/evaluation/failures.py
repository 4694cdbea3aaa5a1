"""Where networks fail: what they are sure of and wrong, what they can hardly decide, and what they disagree about."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit.core.framework import keras
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.evaluation.evaluate import Report
from toolkit.images.opening import prepare_all
from toolkit.model.bundle import Bundle
from toolkit.training import probe
from toolkit.training.config import config_from


def surest_mistakes(report: Report, *, count: int = 20) -> pd.DataFrame:
    """The pictures named wrong, the surest first: wrong labels and blind spots come out on top.

    Args:
        report: of `evaluate`.
        count: rows at most, at least 1.

    Returns:
        Rows of `report.predictions`.
    """
    return report.mistakes.head(count)


def most_hesitant(report: Report, *, count: int = 20) -> pd.DataFrame:
    """The pictures named right, but only just: the least probable right answers first.

    Args:
        report, count: as in `surest_mistakes`.
    """
    right = report.predictions[report.predictions["label"] == report.predictions["predicted"]]
    return right.sort_values(["probability", "path"], ignore_index=True).head(count)


def disagreements(reports: Sequence[Report]) -> pd.DataFrame:
    """The pictures that models name differently, those most of them get wrong first.

    Args:
        reports: at least two, of the same pictures.

    Returns:
        `path`, `label`, a column per run with what it said, and `wrong`, how many were.

    Raises:
        ValueError: fewer than two reports, or of other pictures.
    """
    if len(reports) < 2:
        raise ValueError(f"expected at least two reports to disagree, got {len(reports)}")
    first = reports[0].predictions.set_index("path")
    said = {report.run: report.predictions.set_index("path")["predicted"] for report in reports}
    if any(set(answers.index) != set(first.index) for answers in said.values()):
        raise ValueError("expected reports of the same pictures, got others; evaluate all runs again")
    table = first[["label"]].assign(**said)
    table["wrong"] = sum((table[name] != table["label"]).astype(int) for name in said)
    differ = table[list(said)].nunique(axis=1) > 1
    return table[differ].sort_values(["wrong", "path"], ascending=[False, True]).reset_index()


def nearest(trained: Bundle, manifest: Manifest, paths: Sequence[str], *, count: int = 5) -> pd.DataFrame:
    """The training pictures that look most alike to the model: it thinks so because of these.

    Two pictures are alike if what the last layer decides by points the same way (cosine).

    Args:
        trained: the model.
        manifest: the dataset it was trained on.
        paths: pictures of it, as in its `path` column.
        count: neighbours of each, at least 1.

    Returns:
        A row per neighbour, the most alike first: `path`, `neighbour`, its `label`, and `similarity`, -1 to 1.

    Raises:
        DatasetError: a picture is not in the dataset, or none was trained on.
    """
    train = manifest.where(split="train", status="ok")
    asked = manifest.where(path=list(paths))
    missing = sorted(set(paths) - set(asked.table["path"]))
    if missing or not len(train):
        what = f"no {missing[0]}" if missing else "no pictures to train on"
        raise DatasetError(f"expected pictures of {manifest.name} that was split, got {what}")
    both = manifest.where(path=sorted({*train.table["path"], *paths}))
    places = pd.Series(np.arange(len(both)), index=both.table["path"])
    directions = _directions(trained, both)
    known, rows = directions[places[train.table["path"]]], []
    for path in paths:
        alike = known @ directions[places[path]]
        alike[(train.table["path"] == path).to_numpy()] = -2  # not itself
        for place in np.argsort(-alike, kind="stable")[:count]:
            row = train.table.iloc[place]
            rows.append((path, row["path"], row["label"], float(alike[place])))
    return pd.DataFrame(rows, columns=["path", "neighbour", "label", "similarity"])


def _directions(trained: Bundle, manifest: Manifest) -> np.ndarray:
    """What the last layer decides by, per picture, brought to length 1."""
    vectors = _known(trained, manifest)
    vectors = _computed(trained, manifest) if vectors is None else vectors
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _known(trained: Bundle, manifest: Manifest) -> np.ndarray | None:
    """The same from the features that a head was learned from, if that is all there is to the network."""
    if "options" not in trained.facts.get("config", {}):
        return None
    config = config_from(trained.facts["config"])
    if not config.uses_cached_features or set(manifest.table["status"]) != {"ok"}:
        return None
    features, width = probe.features_for(config, manifest, compute=False), trained.model.layers[-1].input.shape[-1]
    return None if features is None or features.shape[-1] != width else features[:, 0]  # an older head pooled otherwise


def _computed(trained: Bundle, manifest: Manifest) -> np.ndarray:
    body = keras.Model(trained.model.inputs, trained.model.layers[-1].input)
    parts = []
    for start in range(0, len(manifest), 256):
        pixels = np.stack(list(prepare_all(trained.prepare, manifest.files[start : start + 256])))
        for first in range(0, len(pixels), 32):
            parts.append(np.asarray(body.predict_on_batch(pixels[first : first + 32].astype(np.float32))))
    return np.concatenate(parts).astype(np.float32)
