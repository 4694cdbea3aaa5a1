"""Pictures of datasets, trainings and results. Every function takes a result and gives a matplotlib `Figure`."""

from toolkit.plot.charts import comparison, confusion, counts, curves, prediction, reliability, sizes, threshold_curve
from toolkit.plot.figure import Figure, png
from toolkit.plot.galleries import (
    augmentations,
    before_after,
    contact_sheet,
    duplicate_groups,
    enlarged,
    gallery,
    left_out,
    mistakes,
    mixed,
    oddest,
    resize_modes,
    sample_grid,
    sheets,
    sizes_of,
    suspects,
)
from toolkit.plot.insights import disagreements, front, glowing, heat, hesitant, neighbours, robustness, trade_off
from toolkit.plot.overview import PANELS, quality
from toolkit.plot.searches import folds, trials

__all__ = [
    "PANELS",
    "Figure",
    "augmentations",
    "before_after",
    "comparison",
    "confusion",
    "contact_sheet",
    "counts",
    "curves",
    "disagreements",
    "duplicate_groups",
    "enlarged",
    "folds",
    "front",
    "gallery",
    "glowing",
    "heat",
    "hesitant",
    "left_out",
    "mistakes",
    "mixed",
    "neighbours",
    "oddest",
    "png",
    "prediction",
    "quality",
    "reliability",
    "resize_modes",
    "robustness",
    "sample_grid",
    "sheets",
    "sizes",
    "sizes_of",
    "suspects",
    "threshold_curve",
    "trade_off",
    "trials",
]
