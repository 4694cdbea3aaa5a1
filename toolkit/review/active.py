"""Active learning: which pictures a person should label next, so that few acts label all of them (Settles, 2009).

Pictures are vectors, the principal components of what a pretrained backbone sees. At first they lie in clusters, and
one act names a whole one. Then a head, logistic regression on the labels so far, puts what is open on pages of what it
takes for one class. One act confirms a page, and each mistake on it takes one more; the page on which an act settles
most mistakes comes first. What no page is worth is asked about one by one.

All of it depends on its arguments alone.
"""

from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

PAGE = 48  # pictures that a person takes in at a glance
DIMENSIONS = 128  # of a vector
FITTED_ON = 5000  # pictures that say what the components and the clusters are; more say the same
CLUSTERS = 30  # at most
C = 10.0  # inverse regularization strength of the head
FEW = 4  # pictures of a mixed page that are asked about one by one
GENERALISATION = 0.3  # how much a doubt that is settled is worth for others, beside what it is worth for itself
CANDIDATES = 20  # for each doubtful picture that is chosen; most of them may be near-equal
FOLDS = 3
COMPARED = 1000  # labelled pictures that say what is known; more hardly say more
AT_ONCE = 4096  # pictures compared with them
NONE = -1  # the label of a picture that has none


class Proposal(NamedTuple):
    """What to do next: an act for a whole page, or one picture.

    Args:
        kind: "group" of what looks alike, "confirm" what is taken for one class, or "decide" one picture.
        indices: of its pictures.
        label: what they are taken for; `NONE` where nothing says it yet.
        few: those that say most, for a page that is too mixed to have one label.
    """

    kind: str
    indices: np.ndarray
    label: int
    few: np.ndarray


def reduced(features: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Principal components of features, whose roots make what few channels see weigh less (Arandjelović, 2012).

    Args:
        features: of shape (pictures, features).
        seed: another one draws otherwise from more than `FITTED_ON` pictures.

    Returns:
        float32 array of shape (pictures, components), of mean squared length 1.
    """
    roots = np.sqrt(np.maximum(features, 0, dtype=np.float32))
    roots /= np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12)
    drawn = roots[_drawn(len(roots), FITTED_ON, seed)]
    components = min(DIMENSIONS, *drawn.shape)
    with np.errstate(invalid="ignore"):  # where all pictures are the same
        vectors = PCA(components, svd_solver="randomized", random_state=seed).fit(drawn).transform(roots)
    return (vectors / max(float(np.sqrt((vectors**2).sum(axis=1).mean())), 1e-12)).astype(np.float32)


def clusters(vectors: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Clusters by k-means: the number of each picture's one, at most `CLUSTERS`, of 15 pictures or more on average."""
    drawn = vectors[_drawn(len(vectors), FITTED_ON, seed)]
    count = min(max(len(vectors) // 15, 1), CLUSTERS, len(np.unique(drawn, axis=0)))
    with threadpool_limits(1):
        return KMeans(count, n_init=3, random_state=seed).fit(drawn).predict(vectors)


def head(vectors: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray | None:
    """Probabilities of the classes for all pictures, by a head on those with a label.

    Args:
        vectors: of all pictures.
        labels: index of the class of each, or `NONE`.
        classes: how many there are.

    Returns:
        float array of shape (pictures, classes); None while there are fewer than two classes to tell apart.
    """
    known = np.flatnonzero(labels != NONE)
    if len(np.unique(labels[known])) < 2:
        return None
    with threadpool_limits(1):
        fitted = LogisticRegression(C=C, max_iter=200, tol=1e-3).fit(vectors[known], labels[known])
    shares = np.zeros((len(vectors), classes))
    shares[:, fitted.classes_] = fitted.predict_proba(vectors)
    return shares


def proposals(
    vectors: np.ndarray, cluster: np.ndarray, labels: np.ndarray, open: np.ndarray, shares: np.ndarray | None
) -> list[Proposal]:
    """What to do next, the most useful first.

    Args:
        vectors, labels: as in `head`.
        cluster: of each picture, see `clusters`.
        open: whether each is still to be labelled.
        shares: as `head` gives them.

    Returns:
        At least one, unless nothing is open.
    """
    groups = _groups(vectors, cluster, labels, open)
    touched = len(np.unique(cluster[labels != NONE]))
    wanted = max(6, 2 * len(np.unique(labels[labels != NONE])) + 2)
    if shares is None or (touched < wanted and groups):
        return groups or [_one(index) for index in np.flatnonzero(open).tolist()]
    pages = _pages(vectors, open, shares)
    return pages + groups


def surest(open: np.ndarray, shares: np.ndarray, label: int, *, most: int = PAGE) -> np.ndarray:
    """The open pictures that are taken for a class, the surest first."""
    rows = np.flatnonzero(open & (shares.argmax(axis=1) == label))
    return rows[np.argsort(-shares[rows, label], kind="stable")][:most]


def doubtful(vectors: np.ndarray, open: np.ndarray, shares: np.ndarray, *, most: int = 20) -> np.ndarray:
    """The open pictures that the head doubts, unlike each other: near-equal ones are asked about once."""
    rows = np.flatnonzero(open)
    rows = rows[np.argsort(_margins(shares[rows]), kind="stable")][: CANDIDATES * most]
    if not len(rows):
        return rows
    doubt, chosen = 1 - _margins(shares[rows]), [0]
    distance = _distances(vectors[rows], vectors[rows[0]])
    while len(chosen) < min(most, len(rows)):
        score = distance * doubt
        score[chosen] = -1
        chosen.append(int(score.argmax()))
        distance = np.minimum(distance, _distances(vectors[rows], vectors[rows[chosen[-1]]]))
    return rows[chosen]


def alike(vectors: np.ndarray, open: np.ndarray, index: int) -> np.ndarray:
    """Nearest neighbours: the open pictures, those most like this one first, itself if it is open."""
    rows = np.flatnonzero(open)
    return rows[np.argsort(_distances(vectors[rows], vectors[index]), kind="stable")]


def unlike(
    vectors: np.ndarray, labels: np.ndarray, open: np.ndarray, *, seed: int = 0, most: int = 4 * PAGE
) -> np.ndarray:
    """Novelty: the open pictures that are furthest from the nearest labelled one, perhaps of a class not named yet.

    Args:
        vectors, labels, open: as in `proposals`.
        seed: another one draws otherwise from more than `COMPARED` labelled pictures.
        most: how many.
    """
    rows, known = np.flatnonzero(open), np.flatnonzero(labels != NONE)
    if not len(known):
        return rows[:0]
    compared = vectors[known[_drawn(len(known), COMPARED, seed)]]
    lengths, nearest = (compared**2).sum(axis=1), np.empty(len(rows), np.float32)
    for start in range(0, len(rows), AT_ONCE):
        part = vectors[rows[start : start + AT_ONCE]]
        squares = (part**2).sum(axis=1)[:, None] + lengths - 2 * part @ compared.T
        nearest[start : start + AT_ONCE] = squares.min(axis=1)
    return rows[np.argsort(-nearest, kind="stable")][:most]


def disagreements(vectors: np.ndarray, labels: np.ndarray, *, seed: int = 0, most: int = 200) -> np.ndarray:
    """The labelled pictures that a head which has not learned from them calls something else, the clearest first."""
    known = np.flatnonzero(labels != NONE)
    _, own, counts = np.unique(labels[known], return_inverse=True, return_counts=True)
    if len(counts) < 2 or counts.min() < FOLDS:
        return known[:0]
    share = np.empty((len(known), len(counts)))
    for learned, held_out in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(own, own):
        part = np.where(np.isin(np.arange(len(known)), learned), own, NONE)
        answers = head(vectors[known], part, len(counts))
        share[held_out] = answers[held_out] if answers is not None else 0
    rows = np.arange(len(known))
    against = share.max(axis=1) - share[rows, own]
    order = np.argsort(-against, kind="stable")
    return known[order[against[order] > 0]][:most]


def _groups(vectors: np.ndarray, cluster: np.ndarray, labels: np.ndarray, open: np.ndarray) -> list[Proposal]:
    """The clusters in which nothing is labelled yet: large ones first, each far from those before it."""
    numbers, middles = np.unique(cluster), {}
    for number in numbers:
        middles[number] = vectors[cluster == number].mean(axis=0)
    touched = np.unique(cluster[labels != NONE])
    left = [number for number in numbers if number not in touched and open[cluster == number].any()]
    done = [middles[number] for number in touched]
    found = []
    while left:
        near = [min((float(_distances(middle, middles[number])) for middle in done), default=1.0) for number in left]
        sizes = [(open & (cluster == number)).sum() for number in left]
        number = left.pop(int(np.argmax(np.multiply(near, sizes))))
        rows = np.flatnonzero(open & (cluster == number))
        rows = rows[np.argsort(_distances(vectors[rows], middles[number]), kind="stable")][:PAGE]
        found.append(Proposal("group", rows, NONE, _spread(vectors, rows)))
        done.append(middles[number])
    return found


def _pages(vectors: np.ndarray, open: np.ndarray, shares: np.ndarray) -> list[Proposal]:
    """Pages of what is taken for one class, and single pictures, by how many mistakes an act is expected to settle."""
    rows, top, taken = np.flatnonzero(open), shares.max(axis=1), shares.argmax(axis=1)
    found: list[tuple[float, Proposal]] = []
    for label in np.unique(taken[rows]):
        of_class = rows[taken[rows] == label]
        of_class = of_class[np.argsort(top[of_class], kind="stable")]
        for start in range(0, len(of_class), PAGE // 2):
            page = of_class[start : start + PAGE]
            wrong = float((1 - top[page]).sum())
            worth = (wrong + GENERALISATION * float(np.minimum(1 - top[page], 0.5).sum())) / (1 + wrong)
            found.append((worth, Proposal("confirm", page, int(label), _spread(vectors, page))))
    for index in doubtful(vectors, open, shares).tolist():
        found.append(((1 - float(top[index])) * (1 + GENERALISATION), _one(index)))
    return [proposal for _, proposal in sorted(found, key=lambda pair: -pair[0])]


def _one(index: int) -> Proposal:
    return Proposal("decide", np.array([index]), NONE, np.array([index]))


def _spread(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some of these rows that are unlike each other."""
    chosen = [0]
    distance = _distances(vectors[rows], vectors[rows[0]])
    while len(chosen) < min(FEW, len(rows)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, _distances(vectors[rows], vectors[rows[chosen[-1]]]))
    return rows[np.unique(chosen)]


def _margins(shares: np.ndarray) -> np.ndarray:
    """How much likelier the first class is than the second."""
    ranked = np.sort(shares, axis=1)
    return ranked[:, -1] - ranked[:, -2]


def _distances(vectors: np.ndarray, middle: np.ndarray) -> np.ndarray:
    return ((vectors - middle) ** 2).sum(axis=-1)


def _drawn(count: int, most: int, seed: int) -> np.ndarray:
    return np.arange(count) if count <= most else np.random.default_rng(seed).permutation(count)[:most]
