"""Quality of a dataset in tables: its balance, sizes, light and sharpness, its copies, and what cleaning left."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit.core import remote
from toolkit.core.words import named
from toolkit.dataset.manifest import Manifest
from toolkit.dataset.schema import COMPARED, UNLABELLED

UNREAD = ("new", "unreadable", "failed", "too small")  # nothing was measured on these
QUANTILES = {"least": 0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "most": 1}
LIMITS = {  # name: column, and the range in which nobody needs to look
    "dark": ("brightness", 40, np.inf),
    "bright": ("brightness", -np.inf, 215),
    "blurred": ("sharpness", 20, np.inf),
    "all but empty": ("entropy", 2, np.inf),
    "tall": ("aspect", 0.4, np.inf),
    "wide": ("aspect", -np.inf, 2.5),
}


@dataclass(frozen=True, eq=False)
class Summary:
    """A dataset in tables.

    Args:
        cleaning: pictures per class by status, see `Manifest.counts`.
        resizing: pictures and megabytes as they came, in use, and at each side they were resized to.
        measures: how width, height, aspect, bytes, brightness, sharpness and entropy are spread, by quantile.
        worth_a_look: how many pictures in use are dark, bright, blurred, …
        repeated: groups of near-duplicates, pictures left out as such, and label conflicts.
        left_out: status, reason and how many, see `Manifest.left_out_reasons`.
    """

    cleaning: pd.DataFrame
    resizing: pd.DataFrame
    measures: pd.DataFrame
    worth_a_look: pd.DataFrame
    repeated: pd.DataFrame
    left_out: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """All of them by name."""
        return dict(vars(self))


def summary(manifest: Manifest, *, limits: Mapping[str, tuple[str, float, float]] = LIMITS) -> Summary:
    """Summary of a dataset in tables.

    Args:
        manifest: a verified manifest; what dedup and resize add is there if they were run.
        limits: what is worth a look: `{name: (column, least, most)}`; a picture outside is counted.

    Returns:
        The tables.

    >>> summary(manifest).resizing  # doctest: +SKIP
    """
    return Summary(
        cleaning=manifest.counts(),
        resizing=resizing(manifest),
        measures=_measures(measured(manifest)),
        worth_a_look=_worth_a_look(manifest, limits),
        repeated=_repeated(manifest),
        left_out=manifest.left_out_reasons(),
    )


def measured(manifest: Manifest) -> pd.DataFrame:
    """The rows that were opened, with the shortest `side`; entropy is NaN where an older table lacks it."""
    table = manifest.table[~manifest.table["status"].isin(UNREAD) & (manifest.table["width"] > 0)]
    aspect = table["aspect"].where(table["aspect"] > 0, table["width"] / table["height"].clip(lower=1))
    unknown = table.empty or not table["entropy"].any()
    return table.assign(aspect=aspect, side=table[["width", "height"]].min(axis=1)).assign(
        entropy=np.nan if unknown else table["entropy"]
    )


def resizing(manifest: Manifest) -> pd.DataFrame:
    """Pictures, megabytes and kilobytes per picture before and after resizing.

    Args:
        manifest: a dataset; sized copies are looked for beside it.

    Returns:
        A row for what came, one for what is in use, and one for each side in `sized/`; `share` is of what is in use.
    """
    used = manifest.table["status"] == "ok"
    rows = {
        "as they came": (len(manifest), manifest.table["bytes"].sum()),
        "in use": (used.sum(), manifest.table.loc[used, "bytes"].sum()),
    }
    for name, sizes in remote.bytes_by_folder(manifest.root / "sized").items():
        side, dash, kind = name.partition("-")
        rows[f"{side}×{side}{' ' if dash else ''}{kind}"] = (len(sizes), sum(sizes))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["pictures", "bytes"]).astype(int)
    each = table["bytes"] / table["pictures"].clip(lower=1)
    whole = max(int(table.loc["in use", "bytes"]), 1)
    return pd.DataFrame(
        {
            "pictures": table["pictures"],
            "MB": (table["bytes"] / 1e6).round(2),
            "KB each": (each / 1e3).round(1),
            "share": (table["bytes"] / whole).round(3),
        }
    )


def in_words(tables: Summary) -> str:
    """The summary in words: classes in use, their balance, and what is worth a look."""
    counts = tables.cleaning.drop(index="total")
    used = counts["ok"] if "ok" in counts else counts["total"] * 0
    of_class = used.drop(index=UNLABELLED, errors="ignore")
    sentences = [f"{int(used.sum()):,} of {int(counts['total'].sum()):,} pictures are in use."]
    if len(of_class) < len(used):
        sentences.append(f"{int(used[UNLABELLED]):,} of these have no label yet.")
    if len(of_class) > 1 and of_class.min() > 0:
        times = f"{of_class.max() / of_class.min():.1f}"
        largest, smallest = named(of_class.idxmax()), named(of_class.idxmin())
        unlike = f"The largest class, {largest}, has {times} times the pictures of the smallest, {smallest}."
        sentences.append(unlike if times != "1.0" else "The classes are balanced.")
    odd = tables.worth_a_look[tables.worth_a_look["pictures"] > 0]
    if len(odd):
        sentences.append(
            "Worth a look: " + ", ".join(f"{row.pictures:,} {row.Index}" for row in odd.itertuples()) + "."
        )
    return " ".join(sentences)


def _measures(table: pd.DataFrame) -> pd.DataFrame:
    names = ["width", "height", "aspect", "bytes", "brightness", "sharpness", "entropy"]
    spread = (
        table[names].astype(float).quantile(list(QUANTILES.values())).T if len(table) else pd.DataFrame(index=names)
    )
    spread = spread.reindex(columns=list(QUANTILES.values()))
    return spread.set_axis(list(QUANTILES), axis=1).round(2).dropna(how="all")


def outside(manifest: Manifest, *, limits: Mapping[str, tuple[str, float, float]] = LIMITS) -> dict[str, pd.DataFrame]:
    """The pictures in use that are worth a look, by the name of the limit they are outside of, furthest ones first.

    Args:
        manifest: a verified manifest.
        limits: as in `summary`.

    >>> outside(manifest)["dark"]["path"].head()  # doctest: +SKIP
    """
    table, rows = measured(manifest.where(status="ok")), {}
    for name, (column, least, most) in limits.items():
        beyond = np.maximum(least - table[column], table[column] - most)
        rows[name] = table.loc[beyond[beyond > 0].sort_values(ascending=False, kind="stable").index]
    return rows


def _worth_a_look(manifest: Manifest, limits: Mapping[str, tuple[str, float, float]]) -> pd.DataFrame:
    rows = {}
    for name, odd in outside(manifest, limits=limits).items():
        column, least, most = limits[name]
        words = f"{column} below {least:g}" if np.isinf(most) else f"{column} above {most:g}"
        rows[name] = {"pictures": len(odd), "that is": words}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["pictures", "that is"])


def _repeated(manifest: Manifest) -> pd.DataFrame:
    table = manifest.table
    compared = table[table["status"].isin(COMPARED) & (table["group"] != "")]
    several = compared[compared["group"].duplicated(keep=False)]
    copies, claimed = table[table["status"] == "duplicate"], table[table["status"] == "label conflict"]
    rows = {
        "groups of the same picture": (several["group"].nunique(), several),
        "copies left out": (len(copies), copies),
        "left out since two labels claim them": (len(claimed), claimed),
    }
    cells = {name: (count, round(part["bytes"].sum() / 1e6, 2)) for name, (count, part) in rows.items()}
    return pd.DataFrame.from_dict(cells, orient="index", columns=["count", "MB"]).astype({"count": int})
