"""Operating points: for each class, the probability below which its answers are better taken for "not sure"."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit.evaluation.significance import wilson

if TYPE_CHECKING:
    from toolkit.evaluation.evaluate import Report

PRECISION = 0.95  # of the answers of a class, that are to be right
USED = ("label", "predicted", "probability")  # columns of answers, which have one for each class besides


def at(report: "Report", thresholds: Mapping[str, float]) -> pd.DataFrame:
    """What becomes of the answers of each class at its operating point.

    Args:
        report: the answers.
        thresholds: by class, 0 to 1, the probability below which an answer is "not sure"; 0 for classes without one.

    Returns:
        A row per class: `threshold`, `answers` that are left, their `precision` with its 95 % interval, `low` to
        `high` (NaN where none is left), and `recall`, the share of the class's pictures among them (NaN without any).
    """
    rows, answers = [], report.predictions[list(USED)]
    sure = answers[answers["probability"] >= answers["predicted"].map(lambda name: thresholds.get(name, 0))]
    named = (sure["predicted"], sure["predicted"][sure["label"] == sure["predicted"]], answers["label"])
    counted = (names.value_counts().reindex(list(report.classes), fill_value=0).tolist() for names in named)
    for name, count, right, pictures in zip(report.classes, *counted, strict=True):
        low, high = wilson(right, count) if count else (np.nan, np.nan)
        row = {"threshold": float(thresholds.get(name, 0)), "answers": count}
        row |= {"precision": right / count if count else np.nan, "low": low, "high": high}
        rows.append(row | {"recall": right / pictures if pictures else np.nan})
    return pd.DataFrame(rows, index=pd.Index(report.classes, name="class"))


def found(report: "Report", precision: float = PRECISION) -> pd.DataFrame:
    """The lowest operating point of each class at which enough of its answers are right.

    It is found on the pictures that its figures are then about, which makes these a little too good: find it on one
    half, or on val, and look at it on others.

    Args:
        report: the answers.
        precision: share of the answers of a class that are to be right, above 0 and up to 1.

    Returns:
        As `at`; the threshold is NaN, and no answer left, where no threshold is high enough.

    Raises:
        ValueError: precision out of range.
    """
    if not 0 < precision <= 1:
        raise ValueError(f"expected a precision above 0 and up to 1, got {precision}")
    named = dict(iter(report.predictions[list(USED)].groupby("predicted")))
    thresholds = {name: _lowest(named[name], precision) if name in named else None for name in report.classes}
    table = at(report, {name: 2.0 if value is None else value for name, value in thresholds.items()})
    return table.assign(threshold=[np.nan if value is None else value for value in thresholds.values()])


def _lowest(named: pd.DataFrame, precision: float) -> float | None:
    """In the middle between the last answer that is taken and the next one, so that rounding it changes nothing."""
    named = named.sort_values("probability", ascending=False)
    shares = named["probability"].to_numpy()
    right = (named["label"] == named["predicted"]).cumsum().to_numpy() / np.arange(1, len(named) + 1)
    last = np.append(shares[:-1] != shares[1:], True)[: len(shares)]  # answers of one probability stay together
    enough = np.flatnonzero((right >= precision - 1e-12) & last)
    if not len(enough):
        return None
    place = int(enough[-1])
    return 0.0 if place == len(shares) - 1 else float((shares[place] + shares[place + 1]) / 2)
