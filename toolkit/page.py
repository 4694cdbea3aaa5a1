"""Pages of HTML that need nothing besides themselves, and the one on the quality of a dataset."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import pandas as pd
from matplotlib.figure import Figure

import toolkit
from toolkit import paths, plot
from toolkit import quality as measures
from toolkit.manifest import Manifest

FILE = "quality.html"


def quality(manifest: Manifest, *, into: Path | None = None) -> Path:
    """Write the page on the quality of a dataset, and the same as a picture beside it.

    Args:
        manifest: a verified dataset.
        into: path of the page; None is `quality.html` in the folder of the dataset. The picture ends in .png.

    Returns:
        The path of the page.
    """
    target = into or manifest.root / FILE
    tables = measures.summary(manifest)
    shown = [name for name in plot.PANELS if name != "left_out"]  # which a table says better here
    charts = {name: embedded(plot.quality(manifest, panels=(name,))) for name in shown}
    written = write(
        target,
        "quality.html",
        name=manifest.name,
        made=datetime.now(UTC).strftime("%d %B %Y"),
        version=toolkit.__version__,
        words=measures.in_words(tables),
        tables={name: rows(table) for name, table in tables.tables().items()},
        charts=charts,
        samples=embedded(plot.sample_grid(manifest.where(status="ok"), per_class=6)),
    )
    paths.write(target.with_suffix(".png"), plot.png(plot.quality(manifest)))
    return written


def write(target: Path, template: str, **values: object) -> Path:
    """Fill a template of `templates/` and write the page, whole or not at all."""
    return paths.write(target, _environment().get_template(template).render(values))


def embedded(figure: Figure) -> str:
    """A figure as an address that holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(plot.png(figure)).decode()


def rows(table: pd.DataFrame) -> dict[str, list]:
    """A table as its header, with which columns are words, and its rows, numbers with commas."""
    named = isinstance(table.index, pd.RangeIndex)
    cells = table if named else table.reset_index(names="")
    rows = [[_cell(value) for value in row] for row in cells.itertuples(index=False)]
    words = [isinstance(value, str) for value in cells.iloc[0]] if len(cells) else []
    return {"header": list(zip(cells.columns, words, strict=False)), "rows": rows}


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = lambda share: f"{share:.1%}"
    environment.filters["thousands"] = lambda number: f"{number:,.0f}"
    return environment
