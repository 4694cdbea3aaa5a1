"""Error analysis: confident mistakes, uncertain answers, disagreements between networks, and nearest neighbours."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.core.framework import graph, keras
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.evaluation import names
from toolkit.evaluation.evaluate import Report
from toolkit.images.opening import prepare_all
from toolkit.model.bundle import Bundle
from toolkit.training import probe
from toolkit.training.config import config_from


def most_confident_wrong(report: Report, *, count: int = 20) -> pd.DataFrame:
    """The pictures named wrong, the most confident answer first: wrong labels and blind spots come out on top.

    Args:
        report: of `evaluate`.
        count: rows at most, at least 1.

    Returns:
        Rows of `report.predictions`.
    """
    return report.mistakes.head(count)


def least_confident_right(report: Report, *, count: int = 20) -> pd.DataFrame:
    """The pictures named right, the least probable answer first.

    Args:
        report, count: as in `most_confident_wrong`.

    Returns:
        Rows of `report.predictions`.
    """
    right = report.predictions[report.predictions["label"] == report.predictions["predicted"]]
    return right.sort_values(["probability", "path"], ignore_index=True).head(count)


def disagreements(reports: Sequence[Report]) -> pd.DataFrame:
    """The pictures that models name differently, those that most models get wrong first.

    Args:
        reports: at least two, of the same pictures.

    Returns:
        `path`, `label`, a column per run with its answer, and `wrong`, the number of wrong answers. A run is known by
        its name, or by DATASET/RUN where two have one name or it is that of another column.

    Raises:
        ValueError: fewer than two reports, or of other pictures.
    """
    if len(reports) < 2:
        raise ValueError(f"expected at least two reports to disagree, got {len(reports)}")
    first = reports[0].predictions.set_index("path")
    runs, fuller = [report.run for report in reports], [f"{report.dataset}/{report.run}" for report in reports]
    columns = names.distinct(runs, fuller, taken=("path", "label", "wrong"))
    answers = {
        name: report.predictions.set_index("path")["predicted"] for name, report in zip(columns, reports, strict=True)
    }
    if any(set(predicted.index) != set(first.index) for predicted in answers.values()):
        raise ValueError("expected reports of the same pictures, got others; evaluate all runs again")
    table = first[["label"]].assign(**answers)
    table["wrong"] = table[list(answers)].ne(table["label"], axis=0).sum(axis=1)
    differ = table[list(answers)].nunique(axis=1) > 1
    return table[differ].sort_values(["wrong", "path"], ascending=[False, True]).reset_index()


def nearest(trained: Bundle, manifest: Manifest, paths: Sequence[str], *, count: int = 5) -> pd.DataFrame:
    """Nearest neighbours: the training pictures most similar to a picture, by the features of the last layer.

    Similarity is the cosine of these features, so neighbours show what the model's answer rests on.

    Args:
        trained: the model.
        manifest: the dataset it was trained on.
        paths: pictures of it, as in its `path` column.
        count: neighbours of each, at least 1.

    Returns:
        A row per neighbour, the most similar first: `path`, `neighbour`, its `label`, and `similarity`, -1 to 1.

    Raises:
        DatasetError: a picture is not in the dataset, or none was trained on.

    >>> nearest(trained, manifest, report.mistakes["path"].head(4))  # doctest: +SKIP
    """
    train = manifest.where(split="train", status="ok")
    asked = manifest.where(path=list(paths))
    missing = sorted(set(paths) - set(asked.table["path"]))
    if missing or not len(train):
        lacking = f"no {missing[0]}" if missing else "no pictures to train on"
        raise DatasetError(f"expected pictures of {manifest.name} that was split, got {lacking}")
    columns = ["path", "neighbour", "label", "similarity"]
    if not len(paths):
        return pd.DataFrame(columns=columns)
    both = manifest.where(path=sorted({*train.table["path"], *paths}))
    rows_of = pd.Series(np.arange(len(both)), index=both.table["path"])
    features = unit_features(trained, both)
    train_features, rows = features[rows_of[train.table["path"]]], []
    for path in paths:
        similarity = train_features @ features[rows_of[path]]
        similarity[(train.table["path"] == path).to_numpy()] = -2  # not itself
        for index in np.argsort(-similarity, kind="stable")[:count]:
            neighbour = train.table.iloc[index]
            rows.append((path, neighbour["path"], neighbour["label"], float(similarity[index])))
    return pd.DataFrame(rows, columns=columns)


def unit_features(trained: Bundle, manifest: Manifest) -> np.ndarray:
    """The input of the last layer for each picture, scaled to length 1."""
    features = _cached_features(trained, manifest)
    return unit_features_of(trained, manifest.files) if features is None else _unit(features)


def unit_features_of(trained: Bundle, files: Sequence[Path]) -> np.ndarray:
    """The same of any files that can be opened."""
    return _unit(_computed_features(trained, files))


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _cached_features(trained: Bundle, manifest: Manifest) -> np.ndarray | None:
    """The features that the head was learned from; None unless the network is that head on its backbone."""
    if "options" not in trained.facts.get("config", {}):
        return None
    config = config_from(trained.facts["config"])
    if not config.uses_cached_features or set(manifest.table["status"]) != {"ok"}:
        return None
    features, width = probe.features_for(config, manifest, compute=False), trained.model.layers[-1].input.shape[-1]
    return None if features is None or features.shape[-1] != width else features[:, 0]  # an older head pooled otherwise


def _computed_features(trained: Bundle, files: Sequence[Path]) -> np.ndarray:
    body = graph(keras.Model(trained.model.inputs, trained.model.layers[-1].input))
    parts = []
    for start in range(0, len(files), 256):
        pixels = np.stack(list(prepare_all(trained.prepare, files[start : start + 256])))
        for first in range(0, len(pixels), 32):
            parts.append(body(pixels[first : first + 32])[0])
    return np.concatenate(parts).astype(np.float32)
