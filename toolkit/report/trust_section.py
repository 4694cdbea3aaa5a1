"""The section of the report on how far to trust answers: what became of what each network promised."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from toolkit import plot
from toolkit.dataset.manifest import Manifest
from toolkit.evaluation.ood import out_of_distribution
from toolkit.images.opening import prepare_all
from toolkit.model.bundle import Bundle
from toolkit.report import html

MOST = 200  # test pictures that the figure asks about, drawn by chance


def values(manifest: Manifest, runs: Sequence[Bundle]) -> dict[str, object]:
    """What the template of the report tells of it: a row per network that promised something, and a figure of the best.

    Args:
        manifest: the dataset.
        runs: evaluated networks, the best first.
    """
    rows = [_kept(run.name, run.metrics) for run in runs]
    telling = [run for run in runs if run.tells_familiarity]
    return {
        "promised": [row for row in rows if row["known"] or row["held"]],
        "name": telling[0].name if telling else "",
        "chart": _familiarity(telling[0], manifest) if telling else "",
    }


def _kept(name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The promises of a network as they were met on the test, and the class whose sets held the truth least often."""
    held = metrics.get("sets")
    worst = min(held["per_class"].items(), key=lambda item: item[1]["coverage"], default=None) if held else None
    told = {"name": worst[0], **worst[1]} if worst else None
    return {"run": name, "known": metrics.get("familiarity"), "held": held, "worst": told}


def _familiarity(run: Bundle, manifest: Manifest) -> Markup:
    """Familiarity of some test pictures and of pictures of nothing."""
    test = manifest.where(split="test", status="ok")
    drawn = np.random.default_rng(0).permutation(len(test))[:MOST]
    pixels = np.stack(list(prepare_all(run.prepare, [test.files[index] for index in drawn])))
    asked = {"test pictures": pixels, "pictures of nothing": out_of_distribution(run.size)}
    found = {name: run.ask(pictures, batch_size=run.small_batch).familiarity for name, pictures in asked.items()}
    figure = plot.familiarity({name: values for name, values in found.items() if values is not None})
    return html.shown(figure, f"How familiar pictures are to {run.name}")
