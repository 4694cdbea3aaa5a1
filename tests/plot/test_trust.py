"""Figures of how far to trust answers: familiarity by kind, precision against recall by class."""

import numpy as np
import pandas as pd
import pytest

from toolkit import plot
from toolkit.evaluation.evaluate import Report


def test_familiarity_has_a_histogram_of_shares_for_each_kind_and_counts_the_strangers():
    kinds = {"test": np.array([0.2, 0.6, 0.9, 0.95]), "nothing": np.array([0.0, 0.1, 0.3, 0.49, 0.5])}
    figure = plot.familiarity(kinds)
    heights = [[bar.get_height() for bar in part] for part in figure.axes[0].containers]
    assert [sum(part) for part in heights] == pytest.approx([1, 1])
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ["test: 25.0% of 4 are strangers", "nothing: 80.0% of 5 are strangers"]
    assert len(plot.png(figure)) > 5000 and len(plot.png(plot.familiarity({"none": np.zeros(0)}))) > 2000


def report(count):
    """Answers for `count` classes of 6 pictures, one of which is taken for the next class, the later the surer."""
    classes = tuple(f"class {number}" for number in range(count))
    rows, random = [], np.random.default_rng(3)
    for place, label in enumerate(classes):
        for number in range(6):
            shares = random.dirichlet(np.ones(count)) * 0.2
            shares[(place + (number == 0)) % count] += 0.5 + 0.3 * place / count
            rows.append(
                {"label": label, **dict(zip([f"p_{name}" for name in classes], shares / shares.sum(), strict=True))}
            )
    table = pd.DataFrame(rows)
    shares = table[[f"p_{name}" for name in classes]].to_numpy()
    named = np.array(classes)[shares.argmax(axis=1)]
    paths = [f"{row}.jpg" for row in range(len(table))]
    return Report("run", classes, table.assign(path=paths, predicted=named, probability=shares.max(axis=1)))


def test_precision_and_recall_have_a_curve_per_class_with_its_operating_point():
    asked = report(3)
    figure = plot.precision_recall(asked)
    curves, points = figure.axes[0].lines[::2], figure.axes[0].lines[1::2]
    assert len(curves) == len(points) == 3
    for point, curve in zip(points, curves, strict=True):
        (x,), (y,) = point.get_data()
        assert (x, y) == pytest.approx((5 / 6, 5 / 6))
        assert curve.get_xdata().max() == 1
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    scores = [float(label.rpartition(": ")[2]) for label in labels]
    assert scores == sorted(scores) and {label.partition(":")[0] for label in labels} == set(asked.classes)
    assert len(plot.png(figure)) > 5000


def test_a_threshold_moves_the_operating_point_of_its_class_alone():
    asked = report(3)
    limit = float(asked.predictions.loc[asked.predictions["predicted"] == "class 1", "probability"].median())
    before, after = (
        plot.precision_recall(asked, thresholds=one).axes[0].lines[1::2] for one in ({}, {"class 1": limit})
    )
    moved = [first.get_xdata()[0] != second.get_xdata()[0] for first, second in zip(before, after, strict=True)]
    assert sum(moved) == 1


def test_of_many_classes_those_with_the_lowest_average_precision_are_drawn():
    asked = report(14)
    assert len(plot.precision_recall(asked).axes[0].lines) == 2 * 10
