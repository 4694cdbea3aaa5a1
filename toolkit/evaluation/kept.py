"""Promises kept: whether what a run promises of its answers holds on the test pictures, with intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from toolkit.evaluation.significance import wilson
from toolkit.model import sets
from toolkit.model.bundle import Bundle
from toolkit.model.classifier import Outputs
from toolkit.model.familiarity import FAMILIAR

FEW = 8  # classes that are told of in words; of more, those where least holds


def measured(run: Bundle, outputs: Outputs, labels: np.ndarray) -> dict[str, Any]:
    """What became of the promises on pictures that a run has not seen.

    Args:
        run: the model.
        outputs: what it gives for them.
        labels: indices of their classes, shape (n,).

    Returns:
        `familiarity`: the share called unlike anything that was learned, its 95 % interval `low` to `high`, and the
        share that was `promised`; `sets`: the share whose set of labels holds the true one, that for each class, the
        mean size of a set, and the coverage that was promised. Either is None where the run promises nothing of it.
    """
    return {"familiarity": _false_alarms(run, outputs), "sets": _coverage(run, outputs, labels)}


def _false_alarms(run: Bundle, outputs: Outputs) -> dict[str, float] | None:
    if outputs.familiarity is None or run.familiarity is None:
        return None
    strange = outputs.familiarity < FAMILIAR
    return {"false_alarms": _share(strange), **_interval(strange), "promised": run.familiarity.false_alarms}


def _coverage(run: Bundle, outputs: Outputs, labels: np.ndarray) -> dict[str, Any] | None:
    if run.set_limit is None:
        return None
    held = sets.covered(outputs.probabilities, labels, run.set_limit)
    of_class = {name: held[labels == index] for index, name in enumerate(run.classes)}
    return {
        "coverage": _share(held),
        **_interval(held),
        "promised": run.facts["sets"]["coverage"],
        "size": float(sets.sizes(outputs.probabilities, run.set_limit).mean()),
        "per_class": {name: {"coverage": _share(own), **_interval(own)} for name, own in of_class.items() if len(own)},
    }


def _share(found: np.ndarray) -> float:
    return float(found.mean())


def _interval(found: np.ndarray) -> dict[str, float]:
    low, high = wilson(int(found.sum()), len(found))
    return {"low": low, "high": high, "pictures": len(found)}


def in_words(metrics: Mapping[str, Any]) -> str:
    """What `measured` found, a line for each promise; "" where none was made.

    >>> in_words({"familiarity": {"false_alarms": 0.04, "low": 0.01, "high": 0.1, "promised": 0.05, "pictures": 99}})
    'familiarity: 4.0% of 99 are called unlike anything it learned (95 % interval 1.0% to 10.0%; 5% promised)'
    """
    lines = []
    if known := metrics.get("familiarity"):
        interval = f"95 % interval {known['low']:.1%} to {known['high']:.1%}; {known['promised']:.0%} promised"
        share = f"{known['false_alarms']:.1%} of {known['pictures']:,}"
        lines.append(f"familiarity: {share} are called unlike anything it learned ({interval})")
    if held := metrics.get("sets"):
        interval = f"95 % interval {held['low']:.1%} to {held['high']:.1%}; {held['promised']:.0%} promised"
        lowest = sorted(held["per_class"].items(), key=lambda pair: pair[1]["coverage"])[:FEW]
        shown = held["per_class"].items() if len(held["per_class"]) <= FEW else lowest
        classes = ", ".join(f"{name} {own['coverage']:.1%}" for name, own in shown)
        classes = classes if len(shown) == len(held["per_class"]) else f"the lowest of its classes: {classes}"
        share = f"{held['coverage']:.1%} of {held['pictures']:,}"
        lines.append(f"sets: {share} hold the true label ({interval}), {held['size']:.2f} labels each; {classes}")
    return "\n".join(lines)
