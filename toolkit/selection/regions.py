"""Thin regions of the map of a dataset: where pictures are few and far apart, and heads are in doubt.

They say what to photograph next. A region is a cluster of features (k-means on their principal components).
"""

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from toolkit.dataset.manifest import Manifest
from toolkit.selection.learning_curve import Curve

DIMENSIONS = 50  # principal components
SIZE = 25  # pictures of a region, about
MOST = 60  # regions
NEIGHBOURS = 5
PRIOR = 5  # pictures that a region is taken to have besides, as doubtful as all are in the mean
SHOWN = 6  # pictures of each, those nearest to its middle


def thin(manifest: Manifest, vectors: np.ndarray, measured: Curve, *, seed: int = 7) -> pd.DataFrame:
    """Regions with more doubt than the dataset has in the mean, those first where it is greatest and pictures are few.

    Args:
        manifest: the pictures.
        vectors: their features, shape (pictures, features).
        measured: their learning curve, whose last step says how doubtful each is.
        seed: of the clusters.

    Returns:
        A row per region: `pictures`, `label` of most of them and how many these are (`of_label`), how many were named
        `wrong`, `doubt` (1 less the mean probability of the own label), `apart` (how far the neighbours are, 1 as in
        all of the dataset), and `paths` of the pictures nearest to its middle.
    """
    places, apart = _placed(vectors, seed)
    count = int(np.clip(len(places) // SIZE, 2, MOST))
    clusters = KMeans(count, n_init=3, random_state=seed).fit(places)
    doubts, rows = 1 - measured.own, []
    for number, middle in enumerate(clusters.cluster_centers_):
        inside = np.flatnonzero(clusters.labels_ == number)
        nearest = inside[np.linalg.norm(places[inside] - middle, axis=1).argsort(kind="stable")[:SHOWN]]
        labels = manifest.table["label"].iloc[inside].value_counts()
        rows.append(
            {
                "pictures": len(inside),
                "label": labels.index[0],
                "of_label": int(labels.iloc[0]),
                "wrong": int((measured.right[-1, inside] < 0.5).sum()),
                "doubt": (doubts[inside].sum() + PRIOR * doubts.mean()) / (len(inside) + PRIOR),
                "apart": float(apart[inside].mean()),
                "paths": manifest.table["path"].iloc[nearest].tolist(),
            }
        )
    table = pd.DataFrame(rows)
    order = (table["doubt"] * table["apart"]).sort_values(ascending=False, kind="stable").index
    table = table.loc[order]
    return table[table["doubt"] > doubts.mean()].reset_index(drop=True)


def _placed(vectors: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The principal components of features of length 1, and how far each one's neighbours are, 1 in the mean."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    dimensions = min(DIMENSIONS, *unit.shape)
    places = PCA(dimensions, svd_solver="randomized", random_state=seed).fit_transform(unit)
    near = min(NEIGHBOURS, len(places) - 1)
    distances, _ = NearestNeighbors(n_neighbors=near).fit(places).kneighbors()  # without itself
    far = distances[:, -1]
    return places, far / max(float(far.mean()), 1e-12)
