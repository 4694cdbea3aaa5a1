"""Galleries: samples, duplicates, pictures that are not used, augmentations, mistakes, label issues."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from toolkit import images
from toolkit.dataset import quality
from toolkit.dataset.manifest import Manifest
from toolkit.dataset.schema import COMPARED, STATUSES, UNLABELLED
from toolkit.plot.figure import Figure, show, snapped
from toolkit.plot.tiles import Cell, Gallery, flowing, gallery

if TYPE_CHECKING:  # so that looking at pictures does not wait for TensorFlow
    from toolkit.evaluation.evaluate import Report

PER_ROW = 8  # copies of a picture, with the gaps between groups


def sample_grid(manifest: Manifest, *, per_class: int = 8, seed: int = 0, most: int | None = None) -> Gallery:
    """Some pictures of every class, a row each, and of those without a label.

    Args:
        manifest: what to look at; `manifest.where(status="ok")` for what is in use.
        per_class: pictures per row, at least 1.
        seed: another one shows other pictures.
        most: classes, drawn by the seed where there are more, in their order; None shows all.
    """
    order = np.random.default_rng(seed).permutation(len(manifest.labels))[:most]
    rows, labels = [], [manifest.labels[index] for index in sorted(order)]
    for label in labels:
        files = manifest.where(label=label).files
        drawn = np.random.default_rng(seed).permutation(len(files))[:per_class]
        rows.append([(files[index], "") for index in sorted(drawn)])
    return gallery(rows, titles=[label or UNLABELLED for label in labels], columns=per_class)


def left_out(manifest: Manifest, *, per_status: int = 5) -> Gallery:
    """Some pictures that are not used, of every status, with the reason under each.

    Args:
        manifest: the dataset.
        per_status: pictures of each status, at most.
    """
    table = manifest.left_out().groupby("status").head(per_status).sort_values("path")
    table = table.sort_values("status", key=lambda statuses: statuses.map(STATUSES.index), kind="stable")
    cells = [(manifest.root / row.path, f"{row.status}: {_hidden_names(row.reason)}") for row in table.itertuples()]
    return flowing(cells, columns=7, side=1.45)


def duplicate_groups(manifest: Manifest, *, count: int = 8, pairs: pd.DataFrame | None = None) -> Gallery:
    """Groups of pictures that were found to be the same picture, set apart by a gap; the kept copy comes first.

    Args:
        manifest: what `dedup.group` gave.
        count: groups, at most; the largest ones.
        pairs: what `dedup.pairs` gave; then every copy also says how far it is from the first of its group: bits of the
            hash, and what the second look found.
    """
    copies = manifest.table[manifest.table["status"].isin(COMPARED) & (manifest.table["group"] != "")]
    sizes = copies["group"].value_counts()
    names = sorted(sizes[sizes > 1].index, key=lambda name: (-sizes[name], name))[:count]
    distances = {} if pairs is None else _distances(pairs)
    rows: list[list[Cell]] = [[]]
    groups: dict[str, list[Cell]] = {}
    for number, name in enumerate(names, 1):
        members = copies[copies["group"] == name].sort_values(["status", "path"], ascending=[False, True]).head(6)
        cells = groups[f"group {number} of {(sizes > 1).sum()}"] = _group(manifest, members, distances)
        if len(rows[-1]) + 1 + len(cells) > PER_ROW:
            rows.append([])
        rows[-1] += [(None, "")] if rows[-1] else []
        rows[-1] += cells
    figure = gallery(rows, columns=PER_ROW, side=1.3)
    figure.groups = groups
    return figure


def _group(manifest: Manifest, members: pd.DataFrame, distances: dict[frozenset[str], str]) -> list[Cell]:
    """The pictures of a group of copies, the kept one first."""
    cells: list[Cell] = []
    for row in members.itertuples():
        status = "kept" if row.status == "ok" else row.status
        distance = distances.get(frozenset((row.path, members["path"].iloc[0])), "")
        cells.append((manifest.root / row.path, f"{row.label}, {status}\n{row.width}×{row.height}{distance}"))
    return cells


def oddest(manifest: Manifest, *, count: int = 7) -> Gallery:
    """The darkest, brightest, blurriest, emptiest and most elongated pictures, a row each, the oddest first.

    Args:
        manifest: what `verify.check` gave; `manifest.where(status="ok")` for what is in use.
        count: pictures per row, at least 1.

    >>> oddest(manifest.where(status="ok"))  # doctest: +SKIP
    """
    table = manifest.table[manifest.table["width"] > 0]
    longer = np.maximum(table["aspect"], 1 / table["aspect"])
    orders = {
        "darkest": (table["brightness"], "brightness {:.0f}"),
        "brightest": (-table["brightness"], "brightness {:.0f}"),
        "blurriest": (table["sharpness"], "sharpness {:.0f}"),
        "emptiest": (table["entropy"], "entropy {:.1f}"),
        "longest": (-longer, "{:.1f} : 1"),
    }
    rows = []
    for values, caption in orders.values():
        chosen = values.sort_values(kind="stable").head(count)
        rows.append([(manifest.root / table["path"][row], caption.format(abs(value))) for row, value in chosen.items()])
    return gallery(rows, titles=list(orders), columns=count)


def worth_a_look(manifest: Manifest, *, count: int = 6) -> Gallery:
    """The pictures in use that are dark, bright, blurred, …, a row each: those furthest outside the limit.

    Args:
        manifest: a verified manifest.
        count: pictures per row, at least 1.
    """
    found = {name: rows for name, rows in quality.outside(manifest).items() if len(rows)}
    rows: list[list[Cell]] = []
    for name, odd in found.items():
        column = quality.LIMITS[name][0]
        told = odd[column].map("{:.1f} : 1".format if column == "aspect" else f"{column} {{:.3g}}".format)
        rows.append([(manifest.root / path, words) for path, words in zip(odd["path"], told, strict=True)][:count])
    return gallery(rows, titles=[f"{name}: {len(odd)}" for name, odd in found.items()], columns=count)


def before_after(sources: Sequence[images.Source], *, size: int) -> Figure:
    """Pictures as they came with the square that is kept drawn in, above what the network sees.

    Args:
        sources: paths, or the bytes of files.
        size: side of the squares in pixels.
    """
    figure = Figure(figsize=(snapped(1.7 * len(sources)), 3.6), layout="constrained")
    grid = figure.subplots(2, len(sources), squeeze=False)
    for column, source in enumerate(sources):
        picture = images.read(source)
        side = min(picture.size)
        corner = ((picture.width - side) / 2 - 0.5, (picture.height - side) / 2 - 0.5)
        show(grid[0, column], np.asarray(picture), f"{picture.width}×{picture.height}")
        grid[0, column].add_patch(Rectangle(corner, side, side, fill=False, edgecolor="white", linewidth=2))
        show(grid[1, column], images.prepare(source, size), f"{size}×{size}")
    return figure


def sizes_of(source: images.Source, sizes: Sequence[int]) -> Gallery:
    """One picture as squares of several sizes, all drawn equally large.

    Args:
        source: a path, or the bytes of a file.
        sizes: sides in pixels.
    """
    return gallery([[(images.prepare(source, size), f"{size}×{size}") for size in sizes]], columns=len(sizes), side=2)


def resize_modes(sources: Sequence[images.Source], *, size: int) -> Gallery:
    """Resize modes: a row per picture, as it came and as a square of each mode.

    Args:
        sources: paths, or the bytes of files.
        size: side of the squares in pixels.
    """
    rows = []
    for source in sources:
        picture = images.read(source)
        squares = [(images.prepare(source, size, mode), mode) for mode in images.MODES]
        rows.append([(np.asarray(picture), f"as it came, {picture.width}×{picture.height}"), *squares])
    return gallery(rows, columns=1 + len(images.MODES), side=1.8)


def enlarged(manifest: Manifest, *, size: int, count: int = 6) -> Gallery:
    """The pictures that were enlarged most, as squares, each with its size and the factor; they hold no more detail.

    Args:
        manifest: as `resize.write` gives it.
        size: side of the squares in pixels.
        count: pictures at most.
    """
    table = manifest.table[manifest.table["enlarged"] > 1].sort_values("enlarged", ascending=False, kind="stable")
    cells = [
        (images.prepare(manifest.root / row.path, size), f"{row.width}×{row.height}\nenlarged {row.enlarged:g} times")
        for row in table.head(count).itertuples()
    ]
    return flowing(cells, columns=6, side=1.5)


def augmentations(original: np.ndarray, changed: np.ndarray) -> Gallery:
    """One picture and several random changes of it.

    Args:
        original: uint8 array of shape (side, side, 3).
        changed: uint8 array of shape (n, side, side, 3), from `augment.examples`.
    """
    cells = [(original, "original"), *((picture, "") for picture in changed)]
    return flowing(cells, columns=math.ceil(len(cells) / 2), side=1.5)


def mixed(
    before: np.ndarray, after: np.ndarray, *, labels: np.ndarray, classes: Sequence[str], columns: int = 8
) -> Gallery:
    """A batch before it is mixed, and below what the network sees, with the mixed labels.

    Args:
        before, after: uint8 arrays of shape (n, side, side, 3), the second from `mixing.examples`.
        labels: shape (n, classes), the shares that came with it.
        classes: names of the classes.
        columns: pictures to show, from the first.
    """
    shares = [
        "\n".join(f"{name} {share:.0%}" for name, share in zip(classes, row, strict=True) if share >= 0.005)
        for row in labels[:columns]
    ]
    rows = [[(picture, "") for picture in before[:columns]], list(zip(after[:columns], shares, strict=True))]
    return gallery(rows, titles=("before", "after"), columns=columns)


def mistakes(report: "Report", manifest: Manifest, *, count: int = 12) -> Gallery:
    """The pictures named wrong, the most confident answer first, each with its true and its predicted class.

    Args:
        report: of `evaluate`.
        manifest: the dataset.
        count: pictures at most.
    """
    cells = [
        (manifest.root / row.path, f"{row.label}, called\n{row.predicted} ({row.probability:.0%})")
        for row in report.mistakes.head(count).itertuples()
    ]
    return flowing(cells, columns=6, side=1.5)


def least_confident_right(table: pd.DataFrame, manifest: Manifest, *, columns: int = 6) -> Gallery:
    """The least confident right answers, each with its probability.

    Args:
        table: as `failures.least_confident_right` gives it.
        manifest: the dataset.
        columns: pictures per row.
    """
    cells = [(manifest.root / row.path, f"{row.label}, only {row.probability:.0%}") for row in table.itertuples()]
    return flowing(cells, columns=columns)


def suspects(table: pd.DataFrame, manifest: Manifest, *, count: int = 24) -> Gallery:
    """A contact sheet of the likeliest wrong labels: the probability of the given one, and of what it may be instead.

    Args:
        table: what `labels.check` gives.
        manifest: the dataset.
        count: pictures that are shown, the most suspicious first.
    """
    cells = [(manifest.root / row.path, row.reason.replace(", ", "\n")) for row in table.head(count).itertuples()]
    return flowing(cells, columns=6, side=1.5)


def _distances(pairs: pd.DataFrame) -> dict[frozenset[str], str]:
    """How far the two pictures of each pair are from each other, in words."""
    return {
        frozenset((row.path, row.other)): f"\n{row.distance} bits, {row.difference:.3f}" for row in pairs.itertuples()
    }


def _hidden_names(reason: str) -> str:
    """A reason without the long file names in it, which nobody reads on a picture."""
    return re.sub(r"raw/([^/]+)/\S+", r"one in \1", reason)
