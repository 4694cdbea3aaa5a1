"""Pictures of datasets, trainings and results. Every function takes a result and gives a matplotlib `Figure`."""

from toolkit.core.headings import styled as table
from toolkit.plot.charts import comparison, counts, curves, prediction, reliability, sizes, threshold_curve
from toolkit.plot.contact_sheets import contact_sheet, sheets
from toolkit.plot.embedding import embedding
from toolkit.plot.figure import Figure, png
from toolkit.plot.galleries import (
    augmentations,
    before_after,
    duplicate_groups,
    enlarged,
    least_confident_right,
    left_out,
    mistakes,
    mixed,
    oddest,
    resize_modes,
    sample_grid,
    sizes_of,
    suspects,
    worth_a_look,
)
from toolkit.plot.insights import (
    GAP,
    disagreements,
    front,
    glowing,
    heat,
    neighbours,
    risk_coverage,
    robustness,
    trade_off,
)
from toolkit.plot.learning import learning_curve, regions
from toolkit.plot.matrix import NUMBERED, confusion, most_confused
from toolkit.plot.overview import PANELS, quality
from toolkit.plot.searches import folds, trials
from toolkit.plot.style import marks
from toolkit.plot.tiles import Gallery, gallery, thumbnail
from toolkit.plot.trust import familiarity, precision_recall
from toolkit.plot.vector import svg

__all__ = [
    "GAP",
    "NUMBERED",
    "PANELS",
    "Figure",
    "Gallery",
    "augmentations",
    "before_after",
    "comparison",
    "confusion",
    "contact_sheet",
    "counts",
    "curves",
    "disagreements",
    "duplicate_groups",
    "embedding",
    "enlarged",
    "familiarity",
    "folds",
    "front",
    "gallery",
    "glowing",
    "heat",
    "learning_curve",
    "least_confident_right",
    "left_out",
    "marks",
    "mistakes",
    "mixed",
    "most_confused",
    "neighbours",
    "oddest",
    "png",
    "precision_recall",
    "prediction",
    "quality",
    "regions",
    "reliability",
    "resize_modes",
    "risk_coverage",
    "robustness",
    "sample_grid",
    "sheets",
    "sizes",
    "sizes_of",
    "suspects",
    "svg",
    "table",
    "threshold_curve",
    "thumbnail",
    "trade_off",
    "trials",
    "worth_a_look",
]
