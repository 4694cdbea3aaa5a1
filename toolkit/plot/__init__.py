"""Pictures of datasets, trainings and results. Every function takes a result and gives a matplotlib `Figure`."""

from toolkit.plot.charts import comparison, confusion, counts, curves, prediction, sizes, threshold_curve
from toolkit.plot.figure import Figure, png
from toolkit.plot.galleries import (
    augmentations,
    before_after,
    contact_sheet,
    duplicate_groups,
    gallery,
    left_out,
    mistakes,
    oddest,
    sample_grid,
    sheets,
    sizes_of,
)

__all__ = [
    "Figure",
    "augmentations",
    "before_after",
    "comparison",
    "confusion",
    "contact_sheet",
    "counts",
    "curves",
    "duplicate_groups",
    "gallery",
    "left_out",
    "mistakes",
    "oddest",
    "png",
    "prediction",
    "sample_grid",
    "sheets",
    "sizes",
    "sizes_of",
    "threshold_curve",
]
