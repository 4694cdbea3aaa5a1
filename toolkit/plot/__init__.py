"""Pictures of datasets, trainings and results. Every function takes a result and gives a matplotlib `Figure`."""

from toolkit.plot.charts import comparison, confusion, counts, curves, prediction, reliability, sizes
from toolkit.plot.figure import Figure, png
from toolkit.plot.galleries import (
    augmentations,
    before_after,
    contact_sheet,
    duplicate_groups,
    gallery,
    left_out,
    mistakes,
    mixed,
    sample_grid,
    sheets,
    sizes_of,
)
from toolkit.plot.insights import disagreements, front, glowing, heat, hesitant, neighbours, robustness, trade_off
from toolkit.plot.searches import folds, trials

__all__ = [
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
    "png",
    "prediction",
    "reliability",
    "robustness",
    "sample_grid",
    "sheets",
    "sizes",
    "sizes_of",
    "trade_off",
    "trials",
]
