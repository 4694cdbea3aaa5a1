"""Heat maps, disagreements, neighbours, robustness, and accuracy against time."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from PIL import Image

from toolkit.dataset.manifest import Manifest
from toolkit.plot.figure import Figure, figure_with_axes, plain, snapped
from toolkit.plot.style import INK, Mark, as_percent, end_at_one, logarithmic, marks, shortened
from toolkit.plot.tiles import Cell, Gallery, flowing, gallery, nothing

if TYPE_CHECKING:
    from toolkit.evaluation.evaluate import Report

COSTS = {"milliseconds": "milliseconds per picture", "megabytes": "megabytes on disk"}
FEWEST = 10  # answers from which on the share of wrong ones is drawn
LARGE, GAP = 256, 8  # pixels: least height of a picture under heat, and room beside it


def heat(
    pictures: np.ndarray,
    heats: np.ndarray,
    *,
    checks: Sequence[np.ndarray] | None = None,
    captions: Sequence[str] = (),
    columns: int = 2,
    side: float = 4.2,
) -> Gallery:
    """Heat maps: pictures, and beside each the same with heat over it; what spoke for the answer glows.

    A line runs around what has at least half of the highest heat.

    Args:
        pictures: uint8, shape (n, size, size, 3).
        heats: shape (n, size, size), 0 to 1, see `explain.grad_cam`.
        checks: heat by another method, such as `explain.occlusion`, drawn beside it: each as a share of its own highest
            value, and dark below 0.
        captions: a line below each picture; none by default.
        columns: pictures per row, at least 1.
        side: width of a picture with all that is beside it, in inches.
    """
    maps: list[np.ndarray | list[np.ndarray]] = [heats]
    if checks is not None:
        maps.append([check / max(check.max(), 1e-9) for check in checks])
    cells: list[Cell] = []
    for index, picture in enumerate(pictures):
        panels = [_large(picture), *(glowing(picture, heat_map[index]) for heat_map in maps)]
        gap = np.full((len(panels[0]), GAP, 3), 255, np.uint8)
        strip = np.hstack([part for panel in panels for part in (gap, panel)][1:])
        cells.append((strip, captions[index] if index < len(captions) else ""))
    columns = min(columns, max(1, len(pictures)))
    return flowing(cells, columns=columns, side=side, aspect=1 / (1 + len(maps)))


def glowing(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture under its heat, which hides nothing where it is cold; a line runs around half of the highest heat.

    Args:
        picture: uint8 array of shape (rows, columns, 3).
        heat: shape (rows, columns), 0 to 1; what is outside is clipped.

    Returns:
        uint8 array of shape (rows, columns, 3), enlarged to 256 rows at least.
    """
    large = _large(picture).astype(np.float32)
    size = large.shape[1::-1]
    smooth = np.asarray(Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)).clip(0, 1)
    share = 0.8 * smooth[..., None]
    mixed = large * (1 - share) + colormaps["inferno"](smooth)[..., :3] * 255 * share
    hot = np.pad(smooth >= 0.5, 1, mode="edge")
    inside = hot[1:-1, 1:-1] & hot[:-2, 1:-1] & hot[2:, 1:-1] & hot[1:-1, :-2] & hot[1:-1, 2:]
    mixed[hot[1:-1, 1:-1] & ~inside] = 255
    return mixed.clip(0, 255).astype(np.uint8)


def _large(picture: np.ndarray) -> np.ndarray:
    """A picture enlarged smoothly until it can be looked at; a larger one stays as it is."""
    times = LARGE / len(picture)
    if times <= 1:
        return picture
    size = (round(picture.shape[1] * times), LARGE)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def disagreements(table: pd.DataFrame, manifest: Manifest, *, count: int = 12, columns: int = 6) -> Gallery:
    """Pictures that networks name differently, and the answer of each.

    Args:
        table: as `failures.disagreements` gives it.
        manifest: the dataset.
        count: pictures at most.
        columns: pictures per row.
    """
    runs = [name for name in table.columns if name not in ("path", "label", "wrong")]
    cells: list[Cell] = []
    for row in table.head(count).to_dict(orient="records"):
        answers = "\n".join(f"{run}: {row[run]}" for run in runs)
        cells.append((manifest.root / row["path"], f"{row['label']}\n{answers}"))
    return flowing(cells, columns=columns)


def neighbours(table: pd.DataFrame, manifest: Manifest) -> Gallery:
    """Nearest neighbours: a row per picture, itself and the training pictures most similar to it for the network.

    Args:
        table: as `failures.nearest` gives it.
        manifest: the dataset.
    """
    label = manifest.table.set_index("path")["label"]
    rows = []
    for path, near in table.groupby("path", sort=False):
        similar = [(manifest.root / row.neighbour, f"{row.label}, {row.similarity:.3f}") for row in near.itertuples()]
        rows.append([(manifest.root / path, f"asked: {label[path]}"), *similar])
    return gallery(rows, columns=max(map(len, rows), default=1), flows=False)


def robustness(curves: Mapping[str, pd.DataFrame], *, lowest: float | None = None, legend: bool = True) -> Figure:
    """Robustness curves: accuracy against severity, a panel per corruption and a line per network.

    Args:
        curves: by the name of the run, as `robustness.curves` gives them.
        lowest: where all vertical axes begin, 0 to 1; None leaves it to the data.
        legend: whether it says which colour is whose; False where something beside it does.
    """
    names = list(dict.fromkeys(name for table in curves.values() for name in table["disturbance"]))
    if not names:
        return nothing()
    columns = min(4, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(snapped(2.9 + 2 * (columns - 1)), 2.3 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in grid[len(names) :]:
        axes.axis("off")
    looks = marks(curves)
    for axes, name in zip(grid, names, strict=False):
        _robustness(axes, name, {run: table[table["disturbance"] == name] for run, table in curves.items()}, looks)
    if lowest is not None:
        grid[0].set_ylim(lowest - 0.03, 1.03)
    end_at_one(grid[0])
    if legend:
        handles = grid[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper right", ncols=4 if columns > 1 else 3, frameon=False, fontsize=8)
    return figure


def _robustness(axes: Axes, name: str, curves: Mapping[str, pd.DataFrame], looks: Mapping[str, Mark]) -> None:
    """The panel of one corruption."""
    from toolkit.evaluation.corruptions import UNITS

    for run, table in curves.items():
        steps, (colour, marker, dash) = range(len(table)), looks[run]
        axes.fill_between(steps, table["low"], table["high"], color=colour, alpha=0.15, linewidth=0)
        label = shortened(run)
        axes.plot(steps, table["accuracy"], marker=marker, linestyle=dash, color=colour, label=label, markersize=4)
        axes.set_xticks(steps, [f"{level:g}" for level in table["level"]])
    axes.set_title(name, fontsize=10, color=INK)
    axes.set_xlabel(UNITS.get(name, ""), fontsize=9)
    as_percent(axes.yaxis)
    plain(axes)


def trade_off(table: pd.DataFrame, *, against: str = "milliseconds") -> Figure:
    """Accuracy against what an answer costs; a line joins the runs that no other beats in both (Pareto front).

    A dot has the 95 % interval of its accuracy where the table tells it. Of times it is the median, and the thin line
    to the right ends where 95 of 100 pictures are done.

    Args:
        table: as `compare.table` gives it, or of exported files, a row each with `accuracy` and the cost.
        against: the cost: `milliseconds` a picture, `megabytes` on disk, or another column of positive numbers.
    """
    figure, axes = figure_with_axes(6.4, 3.4)
    looks = marks(table.index)
    ends = table.get(f"{against}_p95", table[against]).fillna(table[against])  # an older run may lack them
    for (name, run), end in zip(table.iterrows(), ends, strict=True):
        colour, marker, _ = looks[name]
        accuracy, cost = run["accuracy"], run[against]
        errors = [[accuracy - run["low"]], [run["high"] - accuracy]] if "low" in run else None
        axes.plot([cost, end], [accuracy] * 2, color=colour, linewidth=1)
        axes.errorbar(
            cost, accuracy, yerr=errors, fmt=marker, color=colour, capsize=3, elinewidth=1, label=shortened(name)
        )
    best = front(table, against=against)
    axes.plot(best[against], best["accuracy"], color=INK, linewidth=1, alpha=0.4, zorder=0)
    logarithmic(axes.xaxis, table[against].min() * 0.8, ends.max() * 1.2)
    as_percent(axes.yaxis)
    end_at_one(axes)
    axes.set(xlabel=COSTS.get(against, against), ylabel="right on the test pictures")
    figure.legend(loc="outside right center", frameon=False, fontsize=9)
    return figure


def front(table: pd.DataFrame, *, against: str = "milliseconds") -> pd.DataFrame:
    """Pareto front: the runs that no other beats in both accuracy and cost, the cheapest first.

    Args:
        table: as `compare.table` gives it.
        against: the column with the cost, as for `trade_off`.
    """
    ordered = table.sort_values([against, "accuracy"], ascending=[True, False])
    return ordered[ordered["accuracy"] > ordered["accuracy"].cummax().shift(fill_value=-1)]


def risk_coverage(reports: Mapping[str, "Report"], *, chosen: float | None = None) -> Figure:
    """Risk-coverage curves: the share of wrong answers among the surest, for every share of pictures answered.

    Fewer answers than `FEWEST` tell nothing and are not drawn, unless there are no more.

    Args:
        reports: by the name of a run, as `evaluate.load` gives it.
        chosen: a probability below which a network is "not sure", marked on each curve; None marks none.

    Source: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017.
    """
    figure, axes = figure_with_axes(6.4, 3.4)
    for name, (colour, marker, dashes) in marks(reports).items():
        answers = reports[name].predictions.sort_values("probability", ascending=False, kind="stable")
        wrong = (answers["label"] != answers["predicted"]).to_numpy()
        answered = np.arange(1, len(wrong) + 1)
        covered, risk = answered / len(wrong), wrong.cumsum() / answered
        told = slice(min(FEWEST, len(wrong)) - 1, None)
        axes.plot(covered[told], risk[told], color=colour, linestyle=dashes, label=shortened(name))
        sure = int((answers["probability"] >= chosen).sum()) if chosen is not None else 0
        axes.plot(covered[sure - 1 : sure], risk[sure - 1 : sure], marker, color=colour, markersize=8)
    as_percent(axes.xaxis)
    as_percent(axes.yaxis)
    axes.set_ylim(bottom=0)
    axes.set(
        xlabel="share of the pictures that get an answer, the surest first", ylabel="wrong among these", xlim=(0, 1.02)
    )
    figure.legend(loc="outside right center", frameon=False, fontsize=9)
    return figure
