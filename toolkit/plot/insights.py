"""Where networks looked, where they fail, and what they bear."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import colormaps

from toolkit import images
from toolkit.dataset.manifest import Manifest
from toolkit.plot.figure import COLOURS, INK, Figure, figure_with_axes, nothing, plain
from toolkit.plot.galleries import gallery

if TYPE_CHECKING:
    from toolkit.evaluation.evaluate import Report


def heat(
    pictures: np.ndarray,
    heats: np.ndarray,
    *,
    checks: Sequence[np.ndarray] | None = None,
    captions: Sequence[str] = (),
    columns: int = 3,
) -> Figure:
    """Pictures, and beside each the same with heat over it: what spoke for the answer glows.

    Args:
        pictures: uint8, shape (n, size, size, 3).
        heats: shape (n, size, size), 0 to 1, see `explain.grad_cam`.
        checks: another way to ask, such as `explain.occlusion`, drawn beside it: each as a share of its own highest
            value, and dark below 0.
        captions: a line below each picture; none by default.
        columns: pictures per row, at least 1.
    """
    words = [*captions, *[""] * (len(pictures) - len(captions))]
    glows = [heats, *([] if checks is None else [[check / max(check.max(), 1e-9) for check in checks]])]
    strips = [
        np.hstack([picture, *(glowing(picture, heat) for heat in some)])
        for picture, *some in zip(pictures, *glows, strict=True)
    ]
    cells = list(zip(strips, words, strict=True))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    return gallery(rows, columns=min(columns, max(1, len(pictures))), side=2.6, aspect=1 / (1 + len(glows)))


def glowing(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture in grey under its heat: uint8 array of the picture's shape."""
    grey = picture.astype(np.float32).mean(axis=-1, keepdims=True)
    share = 0.75 * heat[..., None].clip(0, 1)
    colours = colormaps["inferno"](heat.clip(0, 1))[..., :3] * 255
    return (grey * (1 - share) + colours * share).clip(0, 255).astype(np.uint8)


def disagreements(table: pd.DataFrame, manifest: Manifest, *, count: int = 12, columns: int = 6) -> Figure:
    """Pictures that networks name differently, and what each said.

    Args:
        table: as `failures.disagreements` gives it.
        manifest: the dataset.
        count: pictures at most.
        columns: pictures per row.
    """
    runs = [name for name in table.columns if name not in ("path", "label", "wrong")]
    cells = []
    for row in table.head(count).to_dict(orient="records"):
        said = "\n".join(f"{run}: {row[run]}" for run in runs)
        cells.append((manifest.root / row["path"], f"{row['label']}\n{said}"))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    return gallery(rows, columns=columns)


def neighbours(table: pd.DataFrame, manifest: Manifest) -> Figure:
    """A row per picture: itself, then the training pictures that are most alike to the network.

    Args:
        table: as `failures.nearest` gives it.
        manifest: the dataset.
    """
    label = manifest.table.set_index("path")["label"]
    rows = []
    for path, near in table.groupby("path", sort=False):
        alike = [(manifest.root / row.neighbour, f"{row.label}, {row.similarity:.3f}") for row in near.itertuples()]
        rows.append([(manifest.root / path, f"asked: {label[path]}"), *alike])
    return gallery(rows, columns=max(map(len, rows), default=1), flows=False)


def robustness(curves: Mapping[str, pd.DataFrame], *, lowest: float | None = None) -> Figure:
    """Accuracy against how much the pictures were made worse, a panel per disturbance and a line per network.

    Args:
        curves: by the name of the run, as `robustness.curves` gives them.
        lowest: where all vertical axes begin, 0 to 1; None leaves it to what is shown.
    """
    from toolkit.evaluation.corruptions import UNITS

    names = list(dict.fromkeys(name for table in curves.values() for name in table["disturbance"]))
    if not names:
        return nothing()
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(max(2.9, 2.4 * columns), 2.3 * lines + 0.4), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(names) :]:
        axes.axis("off")
    for axes, name in zip(grid.flat, names, strict=False):
        for colour, (run, table) in zip(COLOURS, curves.items(), strict=False):
            part = table[table["disturbance"] == name]
            places = range(len(part))
            axes.fill_between(places, part["low"], part["high"], color=colour, alpha=0.15, linewidth=0)
            axes.plot(places, part["accuracy"], "o-", color=colour, label=run, markersize=4)
            axes.set_xticks(places, [f"{level:g}" for level in part["level"]])
        axes.set_title(name, fontsize=10, color=INK)
        axes.set_xlabel(UNITS.get(name, ""), fontsize=8)
        if lowest is not None:
            axes.set_ylim(lowest - 0.03, 1.03)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        plain(axes)
    handles = grid.flat[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper right", ncols=4 if columns > 1 else 3, frameon=False, fontsize=8)
    return figure


def trade_off(table: pd.DataFrame) -> Figure:
    """Accuracy against the time a picture takes; those that no other beats in both are joined by a line (Pareto).

    The dot is the median time with the 95 % interval of the accuracy; the thin line to the right ends where 95 of 100
    pictures are done.

    Args:
        table: as `compare.table` gives it.
    """
    figure, axes = figure_with_axes(5.2, 3.2)
    for colour, (name, run) in zip(COLOURS, table.iterrows(), strict=False):
        off = [[run["accuracy"] - run["low"]], [run["high"] - run["accuracy"]]]
        axes.plot([run["milliseconds"], run["milliseconds_p95"]], [run["accuracy"]] * 2, color=colour, linewidth=1)
        axes.errorbar(run["milliseconds"], run["accuracy"], yerr=off, fmt="o", color=colour, capsize=3, elinewidth=1)
        axes.annotate(name, (run["milliseconds"], run["accuracy"]), (6, 7), textcoords="offset points", color=colour)
    best = front(table)
    axes.plot(best["milliseconds"], best["accuracy"], color=INK, linewidth=1, alpha=0.4, zorder=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set(xlabel="milliseconds per picture", ylabel="right on the test pictures")
    axes.margins(x=0.2)
    return figure


def front(table: pd.DataFrame) -> pd.DataFrame:
    """The runs that no other beats in both accuracy and time, the fastest first."""
    ordered = table.sort_values(["milliseconds", "accuracy"], ascending=[True, False])
    return ordered[ordered["accuracy"] > ordered["accuracy"].cummax().shift(fill_value=-1)]


def hesitant(report: "Report", manifest: Manifest, *, count: int = 12, columns: int = 6) -> Figure:
    """The least sure right answers, with how sure they were.

    Args:
        report: of `evaluate`.
        manifest: the dataset.
        count: pictures at most.
        columns: pictures per row.
    """
    from toolkit.evaluation import failures

    rows = failures.most_hesitant(report, count=count).itertuples()
    cells: list[tuple[images.Source, str]] = [
        (manifest.root / row.path, f"{row.label}, only {row.probability:.0%}") for row in rows
    ]
    return gallery([cells[start : start + columns] for start in range(0, len(cells), columns)], columns=columns)
