"""A map of a dataset: pictures that a network finds alike lie near each other."""

import numpy as np
import pandas as pd

from toolkit.dataset.manifest import Manifest
from toolkit.evaluation.failures import unit_features
from toolkit.model.bundle import Bundle

DIMENSIONS = 50  # that principal components keep for t-SNE, as its authors did
PERPLEXITY = 30


def tsne(trained: Bundle, manifest: Manifest, *, most: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Map of a dataset: t-SNE of the features of a network's last layer (van der Maaten and Hinton, 2008).

    Near each other means alike to the network; how far apart groups lie, and how large they are, means nothing.

    Args:
        trained: the network that looks.
        manifest: the dataset; its pictures in use are placed.
        most: pictures at most, at least 10; of more, some are drawn by chance, of every class in proportion.
        seed: another one draws and places otherwise.

    Returns:
        A row per picture: `path`, `label`, `split`, `x` and `y`, both 0 to 1.

    Raises:
        ValueError: fewer than 10 pictures.

    >>> embedding.tsne(trained, manifest)  # doctest: +SKIP
    """
    used = manifest.labelled
    if len(used) < 10 or most < 10:
        raise ValueError(f"expected at least 10 pictures to place, got {min(len(used), most)}; add pictures")
    chosen = used if len(used) <= most else used.where(path=sorted(_drawn(used.table, most, seed)))
    places = _placed(unit_features(trained, chosen), seed)
    return chosen.table[["path", "label", "split"]].assign(x=places[:, 0], y=places[:, 1]).reset_index(drop=True)


def _drawn(table: pd.DataFrame, most: int, seed: int) -> list[str]:
    """Paths by chance, as many of each class as its share says."""
    mixed = table.sample(frac=1, random_state=seed)
    turn = mixed.groupby("label").cumcount() / mixed.groupby("label")["path"].transform("size")
    return mixed.loc[turn.sort_values(kind="stable").index[:most], "path"].tolist()


def _placed(features: np.ndarray, seed: int) -> np.ndarray:
    """Two numbers for each picture, 0 to 1."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    dimensions = min(DIMENSIONS, *features.shape)
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    with threadpool_limits(1):  # several threads round otherwise, and wait for each other where others compute too
        reduced = PCA(dimensions, random_state=seed).fit_transform(features)
        places = TSNE(init="pca", perplexity=perplexity, random_state=seed, n_jobs=1).fit_transform(reduced)
    low, high = places.min(axis=0), places.max(axis=0)
    return (places - low) / np.maximum(high - low, 1e-12)
