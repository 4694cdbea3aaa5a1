"""The section of the report on the thing or the place: what else than the thing could tell the label."""

from collections.abc import Sequence

import numpy as np

from toolkit import practice
from toolkit.dataset.manifest import Manifest
from toolkit.evaluation import explain
from toolkit.model.bundle import Bundle
from toolkit.selection import shortcuts

FORMS = {"balanced accuracy": "{:.1%}", "low": "{:.1%}", "high": "{:.1%}", "chance": "{:.1%}", "p": "{:.3f}"}
VALUES = 12  # of a column that was left out, the most frequent ones
DRAWN, FIRST, DRAWS = 40, 1_000_000, 2000  # new drawings, the seed of the first of them, and draws of the bootstrap


def values(manifest: Manifest, runs: Sequence[Bundle]) -> dict[str, object]:
    """What the template of the report tells of it: words, a row per property, what was left out at once, and heat.

    Args:
        manifest: the dataset.
        runs: the networks on the page.
    """
    alone = shortcuts.predictors(manifest)
    rows = alone.assign(**{name: alone[name].map(form.format) for name, form in FORMS.items()})
    return {
        "words": shortcuts.in_words(alone),
        "rows": rows.to_dict(orient="records"),
        "left_out": [_left_out(found) for found in shortcuts.stored(manifest)],
        "columns": [name for name in ("source", "creator") if manifest.table[name].nunique() > 1],
        "heat": [_heat(run) for run in runs if _is_drawn(manifest)],
        "drawn": DRAWN,
    }


def _left_out(found: shortcuts.Beside) -> dict[str, object]:
    """A cross-validation without the values of a column: what it says, and value by value."""
    told = found.values.head(VALUES).drop(columns="right")
    return {
        "words": str(found),
        "column": found.column,
        "values": told.to_dict(orient="records"),
        "more": len(found.values) - len(told),
    }


def _is_drawn(manifest: Manifest) -> bool:
    """Whether these are pictures of the practice world, where it is known what is the thing."""
    posts = [manifest.table["page_url"].str.contains(f"/practice_{label}/", regex=False) for label in practice.LABELS]
    return set(manifest.classes) == set(practice.LABELS) and all(bool(of_label.any()) for of_label in posts)


def _heat(run: Bundle) -> dict[str, object]:
    """How much of the heat of a network lies on the vehicle of new drawings, and how much of the picture that takes."""
    labels = [practice.LABELS[number % len(practice.LABELS)] for number in range(DRAWN)]
    drawings = [
        practice.vehicle(label, seed=FIRST + number, width=max(32, run.size), height=max(32, run.size))
        for number, label in enumerate(labels)
    ]
    pixels = np.stack([run.prepare(drawing.picture) for drawing in drawings])
    heats = explain.grad_cam(run, pixels)
    boxes = [[edge * run.size // one.picture.width for edge in one.box] for one in drawings]
    inside = np.array([explain.share_inside(heat, box) for heat, box in zip(heats, boxes, strict=True)])
    taken = np.array([(right - left) * (bottom - top) / run.size**2 for left, top, right, bottom in boxes])
    chosen = np.random.default_rng(0).integers(0, DRAWN, (DRAWS, DRAWN))
    low, high = np.quantile(inside[chosen].mean(axis=1), (0.025, 0.975))
    return {"run": run.name, "inside": float(inside.mean()), "low": low, "high": high, "taken": float(taken.mean())}
