"""The thing or the place: whether a network could know the label without looking at the thing.

Two checks. A small decision tree is asked to tell the label from one column of the manifest alone: light, size,
sharpness, shape, source or licence. And a cross-validation leaves out all pictures of a source at once.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.tree import DecisionTreeClassifier

from toolkit.core import paths, records
from toolkit.core.words import counted, listed
from toolkit.dataset import split, stratified
from toolkit.dataset.manifest import Manifest
from toolkit.evaluation import significance
from toolkit.model import bundle
from toolkit.selection import crossval
from toolkit.selection.crossval import CrossValidation

PROPERTIES: dict[str, tuple[str, ...]] = {  # what a person calls it, and the columns that say it
    "light": ("brightness",),
    "size": ("width", "height", "bytes"),
    "sharpness": ("sharpness",),
    "shape": ("aspect",),
    "file format": ("format",),
    "source": ("source",),
    "licence": ("license",),
}
FOLDS, DEPTH, LEAF = 5, 4, 5  # of the trees: folds, questions in a row, and pictures that a last answer rests on
VALUES = 30  # of a column of words, the most frequent ones
DRAWS = 1000
SEED = 7


class Beside(NamedTuple):
    """The usual score, and the one of networks that never saw a value of a column.

    Args:
        column: of the manifest.
        usual, without: the results of `crossval.run`, without and with `by`.
        values: a row per value that a fold or several left out: `value`, `pictures`, `right` of them, `usual` and
            `without`, and the 95 % interval of the latter, `low` to `high`; the most frequent ones first.
        p: of McNemar's exact test of the two.
    """

    column: str
    usual: CrossValidation
    without: CrossValidation
    values: pd.DataFrame
    p: float

    def __str__(self) -> str:
        first, second = self.usual.report, self.without.report
        low, high = second.interval
        told = (
            f"{second.accuracy:.1%} of {counted(len(second.predictions))} are named right by networks that learned "
            f"from no other of the same {self.column} (95 % interval {low:.1%} to {high:.1%}), {first.accuracy:.1%} by "
            "networks that did"
        )
        if self.p >= significance.LEVEL:
            return f"{told}; the two cannot be told apart, p = {self.p:.2f}."
        worse = first.accuracy > second.accuracy
        return f"{told}; {'part of the score rests on that' if worse else 'it is no worse'}, p = {self.p:.2g}."


def beside(manifest: Manifest, usual: CrossValidation, without: CrossValidation, column: str) -> Beside:
    """Put the score on values of a column left out beside the usual one.

    Args:
        manifest: the dataset.
        usual, without: the results of `crossval.run` on it, without and with `by`.
        column: that was left out by.

    >>> print(beside(table, crossval.run(table, config), crossval.run(table, config, by="source"), "source"))
    ... # doctest: +SKIP
    """
    rows = manifest.table.set_index("path")[column].astype(str)
    both = pd.DataFrame({"usual": usual.report.right, "without": without.report.right})
    both["value"] = rows[both.index].replace("", "not known")
    table = both.groupby("value").agg(pictures=("usual", "size"), usual=("usual", "mean"), right=("without", "sum"))
    table["without"] = table["right"] / table["pictures"]
    bounds = [significance.wilson(int(row.right), int(row.pictures)) for row in table.itertuples()]
    table["low"], table["high"] = zip(*bounds, strict=True) if bounds else ((), ())
    table = table.sort_values("pictures", ascending=False, kind="stable").reset_index()
    return Beside(column, usual, without, table, significance.mcnemar(both["usual"], both["without"]))


def stored(manifest: Manifest) -> list[Beside]:
    """The cross-validations with something left out that were run on the pictures as they are now.

    Args:
        manifest: the dataset.
    """
    now, found = manifest.labelled.fingerprint(), []
    for file in sorted((paths.models(manifest.root) / crossval.FOLDER).glob(f"*-by-*/{crossval.FACTS}")):
        identity = records.read(file).get("identity", {})
        column, name = identity.get("by", ""), file.parent.name
        usual = file.parent.with_name(name.removesuffix(f"-by-{column}"))
        pairs = [folder / bundle.PREDICTIONS for folder in (usual, file.parent)]
        if column in manifest.table and identity.get("manifest") == now and all(map(Path.is_file, pairs)):
            first, second = (crossval.load(manifest, folder.name) for folder in (usual, file.parent))
            if set(first.report.predictions["path"]) == set(second.report.predictions["path"]):
                found.append(beside(manifest, first, second, column))
    return found


def predictors(manifest: Manifest, *, seed: int = SEED) -> pd.DataFrame:
    """Which properties predict the label by themselves, by cross-validated decision trees (shortcut learning).

    A network can only use what it sees; that a property predicts the label says that it could, not that it does.

    Args:
        manifest: verified pictures; those in use that have a label are asked about.
        seed: of the folds and the draws.

    Returns:
        A row per property that the pictures differ in, and one for all of them together: `property`, `balanced
        accuracy` in cross-validation and its 95 % interval (`low`, `high`), `chance`, and `p`, corrected by Holm, that
        chance does as well. No rows where a class has fewer than two groups of pictures.

    Geirhos et al., 2020, arXiv:2004.07780.
    """
    used = manifest.labelled
    labels, groups = used.class_indices(used.table["label"]), split.groups(used.table).to_numpy()
    present = np.unique(labels)
    fewest = min((len(set(groups[labels == label])) for label in present), default=0)
    rows = []
    if len(present) > 1 and fewest >= 2:
        divisions = list(stratified.divide(labels, groups, folds=min(FOLDS, fewest), seed=seed))
        asked = {name: _numbers(used.table[list(columns)]) for name, columns in PROPERTIES.items()}
        asked = {name: part for name, part in asked.items() if part.shape[1]}
        if len(asked) > 1:
            asked["all together"] = np.hstack(list(asked.values()))
        rows = [{"property": name, **_score(part, labels, groups, divisions, seed)} for name, part in asked.items()]
    table = pd.DataFrame(rows, columns=["property", "balanced accuracy", "low", "high", "chance", "p"])
    return table.assign(p=significance.holm(table["p"]))


def in_words(table: pd.DataFrame) -> str:
    """The table of `predictors` in sentences that claim no more than the figures."""
    single = table[table["property"] != "all together"]
    found = single[single["p"] < significance.LEVEL].sort_values("balanced accuracy", ascending=False)
    if not len(table):
        return "There are too few pictures to say whether light, size or source predict the label."
    if not len(found):
        return f"No property predicts the label better than chance ({table['chance'].iloc[0]:.0%}) by itself."
    told = listed(
        f"{row.property} ({share:.0%} of each class in the mean)"
        for row, share in zip(found.itertuples(), found["balanced accuracy"], strict=True)
    )
    return (
        f"Without looking at the thing, the label can be told from {told}; chance is {table['chance'].iloc[0]:.0%}. "
        "A network could use that. Whether one does, this does not say: it may also be part of the thing."
    )


def _numbers(columns: pd.DataFrame) -> np.ndarray:
    """Columns as numbers: words as a column of 0 and 1 for each frequent one; what is the same for all is left out."""
    parts = []
    for name in columns:
        if pd.api.types.is_numeric_dtype(columns[name]):
            parts.append(columns[name].to_numpy(float)[:, None])
        else:
            frequent = columns[name].value_counts().index[:VALUES]
            parts.append((columns[name].to_numpy()[:, None] == frequent.to_numpy()[None]).astype(float))
    numbers = np.hstack(parts)
    return numbers[:, np.ptp(numbers, axis=0) > 0] if len(numbers) else numbers[:, :0]


def _score(numbers: np.ndarray, labels: np.ndarray, groups: np.ndarray, divisions: list, seed: int) -> dict:
    """Balanced accuracy of trees on held-out pictures, with an interval from drawing groups with replacement."""
    right = np.zeros(len(labels))
    for learned, held_out in divisions:
        tree = DecisionTreeClassifier(
            max_depth=DEPTH, min_samples_leaf=LEAF, class_weight="balanced", random_state=seed
        ).fit(numbers[learned], labels[learned])
        right[held_out] = tree.predict(numbers[held_out]) == labels[held_out]
    drawn, chance = _drawn(right, labels, groups, seed), 1 / len(np.unique(labels))
    score = float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    p = float(norm.sf((score - chance) / max(float(drawn.std()), 1e-9)))
    return {"balanced accuracy": score, "low": float(low), "high": float(high), "chance": chance, "p": p}


def _drawn(right: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Balanced accuracies of groups drawn with replacement from each class."""
    of_class = [labels == label for label in np.unique(labels)]
    means = [
        significance.bootstrap(right[own], groups[own], draws=DRAWS, seed=seed + place)
        for place, own in enumerate(of_class)
    ]
    return np.mean(means, axis=0)
