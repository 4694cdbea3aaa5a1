"""Find labels that are likely wrong: confident learning, on answers by networks that have not seen the picture.

A network that learned from the others says what each picture likely is. Where it is as sure of another class as it is,
on average, of that class's own pictures, the label is doubted (Northcutt et al., 2021, arXiv:1911.00068). A person
looks at what is found, on the review page or on the contact sheet; nothing is changed by a check.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from toolkit.dataset import label_issues
from toolkit.dataset.manifest import Manifest
from toolkit.errors import ToolkitError
from toolkit.evaluation import evaluate
from toolkit.selection import crossval
from toolkit.training.config import Config

NAME = "labels"  # of the cross-validation
LOOKED_AT = ("keep", "label")  # what a person said of a label
USUAL = Config("xception", style="modern", views=2, options={"weights": "cifar10"})  # comes with the package


def check(
    manifest: Manifest,
    config: Config | None = None,
    *,
    folds: int = 5,
    seed: int = 7,
    jobs: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> pd.DataFrame:
    """Cross-validate, doubt labels, and write what is found to `suspects.csv` for `review`.

    Labels that a person has looked at are not doubted again. Test pictures are checked too: a wrong label there makes
    every figure wrong.

    Args:
        manifest: pictures in use, deduplicated; their splits do not matter.
        config: the network that judges; None takes the small backbone that comes with the package. One that knows more
            finds more.
        folds, seed, jobs, say: see `crossval.run`.

    Returns:
        The suspects, see `suspects.load`: the most suspicious first.

    >>> check(manifest.load("cars_tanks"), Config("mobilenet", style="modern"))  # doctest: +SKIP
    """
    how = {"folds": folds, "seed": seed, "jobs": jobs, "name": NAME, "overwrite": True}
    outcome = crossval.run(manifest, config or USUAL, say=say, **how)
    found = doubted(outcome.report)
    settled = manifest.table.loc[manifest.table["reviewed"].isin(LOOKED_AT), "path"]
    label_issues.save(manifest.root, found[~found["path"].isin(settled)])
    return label_issues.load(manifest.root)


def doubted(report: evaluate.Report) -> pd.DataFrame:
    """The pictures whose label is likely wrong.

    Args:
        report: answers by networks that did not learn from the picture, such as those of `crossval.run`.

    Returns:
        A table of path, label, suggested (the likeliest label), score (1 less the probability of the label) and reason.

    Raises:
        ToolkitError: cleanlab is not installed.
    """
    table = report.predictions.reset_index(drop=True)
    shares = table[[f"p_{name}" for name in report.classes]].to_numpy(np.float64)
    given = table["label"].map({name: place for place, name in enumerate(report.classes)}).to_numpy(np.int64)
    found = table[_off_diagonal(given, shares)]
    own = shares[found.index, given[found.index]]
    words = [
        f"{label} {share:.0%}, rather {other} {sure:.0%}"
        for label, share, other, sure in zip(found["label"], own, found["predicted"], found["probability"], strict=True)
    ]
    return pd.DataFrame(
        {"path": found["path"], "label": found["label"], "suggested": found["predicted"], "score": 1 - own}
    ).assign(reason=words)


def _off_diagonal(given: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Which pictures count, in the confident joint, as of another class than the given one."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise ToolkitError(
            'expected cleanlab to check labels, found none; run `pip install "image-classifier-toolkit[train]"`'
        ) from error
    return find_label_issues(given, shares, filter_by="confident_learning", n_jobs=1)
