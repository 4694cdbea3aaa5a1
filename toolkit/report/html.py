"""Pages of HTML that need nothing besides themselves, and the one on the quality of a dataset."""

import base64
import io
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

import toolkit
from toolkit import images, plot
from toolkit.core import paths, templates
from toolkit.dataset import credits
from toolkit.dataset import quality as measures
from toolkit.dataset.manifest import Manifest

FILE = "quality.html"
PANELS = {  # of `plot.quality`, all but what was left out, which a table says better here
    "balance": "Pictures per class by status",
    "bytes": "Kilobytes per picture before and after",
    "sides": "Histogram of the shortest side",
    "aspect": "Histogram of width over height",
    "brightness": "Histogram of brightness",
    "sharpness": "Histogram of sharpness",
    "entropy": "Histogram of entropy",
}
CLASSES = 30  # of which a page shows samples: no one looks at more, and a thousand take a minute to draw
FOLDED = 12  # classes beyond which their samples are folded
COPIES = 3  # groups of the same picture that a page on quality shows
THUMBNAIL = 168  # pixels of a picture's width


def quality(manifest: Manifest, *, into: Path | None = None) -> Path:
    """Write the quality page of a dataset, and the same as a picture beside it.

    Args:
        manifest: a verified dataset.
        into: path of the page; None is `quality.html` in the folder of the dataset. The picture ends in .png.

    Returns:
        The path of the page.
    """
    target = into or manifest.root / FILE
    tables = measures.summary(manifest)
    charts = {name: shown(plot.quality(manifest, panels=(name,)), PANELS[name]) for name in PANELS}
    written = write(
        target,
        "quality.html",
        name=manifest.name,
        made=datetime.now(UTC).strftime("%d %B %Y"),
        version=toolkit.__version__,
        words=measures.in_words(tables),
        tables={name: rows(table) for name, table in tables.tables().items()},
        charts=charts,
        samples=samples(manifest, per_class=6),
        classes=len(manifest.classes),
        copies=shown(plot.duplicate_groups(manifest, count=COPIES), "The same picture, more than once"),
        odd=shown(plot.worth_a_look(manifest), "Pictures worth a look"),
    )
    paths.write(target.with_suffix(".png"), plot.png(plot.quality(manifest)))
    return written


def samples(manifest: Manifest, *, per_class: int) -> Markup:
    """Some pictures in use of each class, or of some classes where they are many; folded where they are long."""
    used = manifest.where(status="ok")
    total = len(used.labels)
    words = f"Some pictures of {f'{CLASSES} of {total:,} classes' if total > CLASSES else 'each class'}"
    grid = shown(plot.sample_grid(used, per_class=per_class, most=CLASSES), words)
    return Markup("<details><summary>{}</summary>{}</details>").format(words, grid) if total > FOLDED else grid


def write(target: Path, template: str, **values: object) -> Path:
    """Fill a template of `templates/` and write the page, whole or not at all."""
    return paths.write(target, _environment().get_template(template).render(values))


def shown(figure: Figure, words: str) -> Markup:
    """A figure as HTML: a chart as SVG, a gallery as single pictures that flow with the page.

    Args:
        figure: of `plot`.
        words: the text alternative, for those who cannot see it.

    Returns:
        HTML that holds the pixels itself; "" for a gallery without pictures.
    """
    if isinstance(figure, plot.Gallery) and not figure.rows:
        return Markup("")
    if isinstance(figure, plot.Gallery):
        within = "groups" if figure.groups else "rows" if figure.titles else ""
        values = {"rows": _cells(figure), "words": words, "strips": figure.aspect < 1, "within": within}
        return Markup(_environment().get_template("gallery.html").render(values))
    return Markup('<div class="scroll">{}</div>').format(Markup(plot.svg(figure, words=words)))


def _cells(gallery: plot.Gallery) -> list[dict]:
    """The rows of a gallery with their pictures as small JPEGs."""
    rows = [[cell for row in gallery.rows for cell in row]] if gallery.flows else gallery.rows
    titles = [*gallery.titles, *[""] * len(rows)]
    if gallery.groups:
        titles, rows = list(gallery.groups), list(gallery.groups.values())
    described = []
    for title, row in zip(titles, rows, strict=False):
        cells = [
            {"addresses": [_small(part) for part in _parts(source)], "caption": caption}
            for source, caption in row
            if source is not None
        ]
        described.append({"title": title, "cells": cells})
    return described


def _parts(source: images.Source | np.ndarray) -> list[images.Source | np.ndarray]:
    """The pictures of a strip of heat, so that the page shows between them; any other picture is its only part."""
    if not isinstance(source, np.ndarray) or source.shape[1] <= len(source):
        return [source]
    return [source[:, left : left + len(source)] for left in range(0, source.shape[1], len(source) + plot.GAP)]


def _small(source: images.Source | np.ndarray) -> str:
    picture = Image.fromarray(plot.thumbnail(source, THUMBNAIL))
    if picture.height > THUMBNAIL:
        picture = picture.resize(
            (round(THUMBNAIL * picture.width / picture.height), THUMBNAIL), Image.Resampling.LANCZOS
        )
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=78)
    return _address(buffer.getvalue(), "jpeg")


def _address(content: bytes, kind: str) -> str:
    """An address that holds the picture itself."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def rows(table: pd.DataFrame) -> dict[str, list]:
    """A table as its header, with which columns are text, and its rows, numbers with commas."""
    unnamed = isinstance(table.index, pd.RangeIndex)
    cells = table if unnamed else table.reset_index(names="")
    rows = [[_cell(value) for value in row] for row in cells.itertuples(index=False)]
    is_text = [isinstance(value, str) for value in cells.iloc[0]] if len(cells) else []
    return {"header": list(zip(cells.columns, is_text, strict=False)), "rows": rows}


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"


def _number(value: float, form: str, unit: str = "") -> str:
    """A number as a page shows it; nothing where it was not measured."""
    return "" if pd.isna(value) else f"{form.format(value)} {unit}".strip()


def _environment() -> jinja2.Environment:
    environment = templates.environment(Path(__file__).parent / "templates", credits.TEMPLATES)
    environment.filters["percent"] = lambda share: _number(share, "{:.1%}")
    environment.filters["thousands"] = lambda number, unit="": _number(number, "{:,.0f}", unit)
    environment.filters["p"] = lambda value: "< 0.001" if value < 0.001 else f"{value:.3f}"
    environment.filters["fixed"] = lambda number, digits, unit="": _number(number, f"{{:.{digits}f}}", unit)
    return environment
