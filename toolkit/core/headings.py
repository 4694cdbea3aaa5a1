"""Headings of tables: what a column of figures is called for people, with its unit, and how its values are written."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core.words import PLURALS

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

NAME, WORDS, COUNT = "name", "words", "{:,}"  # what a column holds: what may be cut, what takes lines, and numbers
SHARE, SECONDS = "{:.1%}", "{:,.0f}"
Forms = Mapping[str, tuple[str, str]]  # by column of a table of pandas: its heading, and NAME, WORDS or a format

MEASURES: dict[str, tuple[str, str]] = {  # what a comparison says of each network
    "accuracy": ("accuracy", SHARE),
    "low": ("95 % interval, from", SHARE),
    "high": ("95 % interval, to", SHARE),
    "balanced_accuracy": ("balanced accuracy", SHARE),
    "macro_f1": ("macro F1", "{:.3f}"),
    "log_loss": ("log loss, nats", "{:.3f}"),
    "ece": ("calibration error (ECE)", "{:.3f}"),
    "pictures": ("test pictures", COUNT),
    "size": ("side, pixels", COUNT),
    "start": ("began with", NAME),
    "parameters": ("weights", COUNT),
    "train_seconds": ("training, s", SECONDS),
    "milliseconds": ("a picture, ms", "{:,.1f}"),
    "milliseconds_p95": ("95 of 100 within, ms", "{:,.1f}"),
    "memory": ("memory, MB", "{:,.0f}"),
    "megabytes": ("on disk, MB", "{:,.1f}"),
}
FURTHER: dict[str, tuple[str, str]] = {  # of other tables that are looked at
    "pictures": ("pictures", COUNT),
    "agreement": ("same answers", SHARE),
    "difference": ("largest difference", "{:.4f}"),
    "p": ("p by luck", "{:.4f}"),
    "corrected": ("p, corrected", "{:.4f}"),
    "precision": ("precision", SHARE),
    "recall": ("recall", SHARE),
    "f1": ("F1", "{:.3f}"),
    "let_through": ("nonsense let through", SHARE),
    "kept": ("right answers kept", SHARE),
    "threshold": ("threshold", "{:.3f}"),
    "right": ("right", SHARE),
    "coverage": ("sets that hold the truth", SHARE),
    "loss": ("loss, nats", "{:.3f}"),
    "bytes": ("file, bytes", COUNT),
    "page_url": ("page", NAME),
    "ok": (PLURALS["ok"], COUNT),
    "C": ("C", "{:.3g}"),
    "learning_rate": ("learning rate", "{:.2g}"),
}
BETTER_HIGH = ("accuracy", "low", "high", "balanced_accuracy", "macro_f1", "agreement", "kept")
BETTER_LOW = ("log_loss", "ece", "milliseconds", "milliseconds_p95", "memory", "megabytes", "difference", "let_through")


def styled(rows: "pd.DataFrame | pd.Series", *, across: bool = False, best: bool = False) -> "Styler":
    """A table for a notebook: headings in words with units, thousands separated, shares in percent.

    Args:
        rows: a table of pandas; a column is known by its name, see `MEASURES` and `FURTHER`, another keeps it.
        across: a column for each row, so that many figures of few networks can be read.
        best: set the best value of a measure in bold, where there are several rows.

    >>> styled(compare.table(runs), across=True, best=True)  # doctest: +SKIP
    """
    table = rows.to_frame() if rows.ndim == 1 else rows
    if not table.index.is_unique:  # a class called "total" above the total: pandas cannot style two rows of one name
        table = table.reset_index(names="")
    told = table.apply(_texts).rename(columns=_heading)
    told.columns.name, told.index.name = None, None
    bold = table.apply(_best if best and len(table) > 1 else lambda column: column.map(lambda value: ""))
    bold.columns, bold.index = told.columns, told.index
    numbered = list(told.index) == list(range(len(told)))
    if across:
        told, bold = told.T, bold.T
    style = told.style.format(escape="html").format_index(escape="html").format_index(escape="html", axis="columns")
    style = style.apply(lambda _: bold, axis=None).set_properties(**{"text-align": "right"})
    if not across:
        words = [_heading(name) for name in table if table[name].dtype.kind == "O"]
        style = style.set_properties(subset=words, **{"text-align": "left"})
    style = style.set_table_styles([{"selector": "th", "props": "text-align: left; font-weight: 500"}])
    return style.hide(axis="columns" if across else "index") if numbered else style


def _heading(name: object) -> str:
    return (MEASURES | FURTHER).get(str(name), (str(name).replace("_", " "), ""))[0]


def _texts(column: "pd.Series") -> "pd.Series":
    return column.map(_writer(column))


def _writer(column: "pd.Series") -> Callable[[object], str]:
    """How the values of a column are written; what was not measured stays empty."""
    form = (MEASURES | FURTHER).get(str(column.name), ("", ""))[1]
    if form in ("", NAME, WORDS) or column.dtype == bool:
        form = COUNT if column.dtype.kind in "iu" else "{:.3g}" if column.dtype.kind == "f" else "{}"
    return lambda value: "" if value is None or value != value else _written(value, form)


def _written(value: object, form: str) -> str:
    """A value by its form; a text stays one, whatever form its column has."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return value if isinstance(value, str) else form.format(value)


def _best(column: "pd.Series") -> "pd.Series":
    """The style of each value of a measure: bold where no other is better."""
    name = str(column.name)
    if name not in BETTER_HIGH + BETTER_LOW:
        return column.map(lambda value: "")
    first = column.astype(float).max() if name in BETTER_HIGH else column.astype(float).min()
    return column.map(lambda value: "font-weight: bold" if value == first else "")
