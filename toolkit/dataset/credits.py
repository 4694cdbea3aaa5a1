"""Credits: a page with title, creator, licence and source of each picture whose licence asks for attribution."""

from pathlib import Path

import pandas as pd

from toolkit.core import paths, templates
from toolkit.dataset.manifest import Manifest

FILE = "credits.html"
TEMPLATES = Path(__file__).parent  # where `style.html` lies, which pages on a dataset and its networks share
COLUMNS = ["title", "creator", "license", "license_url", "page_url", "attribution", "path"]


def needed(manifest: Manifest) -> pd.DataFrame:
    """Credits of a dataset: the pictures in use whose licence asks for attribution, sorted by creator and title.

    Sources write down a creator or a line of attribution only where the licence asks for one.

    Args:
        manifest: a dataset.

    Returns:
        A table with the columns title, creator, license, license_url, page_url, attribution and path.

    >>> needed(manifest.load("tanks"))["creator"].value_counts()  # doctest: +SKIP
    """
    table = _used(manifest)
    named = table[(table["creator"] != "") | (table["attribution"] != "")]
    order = {"key": lambda column: column.str.casefold(), "ignore_index": True}
    return named[COLUMNS].sort_values(["creator", "title", "path"], **order)


def unknown(manifest: Manifest) -> int:
    """How many pictures in use have no known licence.

    Args:
        manifest: a dataset.

    Returns:
        Their number; 0 if what may be done with every picture is known.

    >>> unknown(manifest.load("tanks"))  # doctest: +SKIP
    0
    """
    return int((_used(manifest)["license"] == "").sum())


def write(manifest: Manifest, *, into: Path | None = None) -> Path:
    """Write the page of credits, a single file that depends on the dataset alone.

    Args:
        manifest: a dataset.
        into: path of the page; None is `credits.html` in the dataset's folder.

    Returns:
        The path.

    >>> write(manifest.load("tanks"))  # doctest: +SKIP
    PosixPath('data/tanks/credits.html')
    """
    environment = templates.environment(TEMPLATES)
    environment.filters["linked"] = lambda address: address.startswith(("http://", "https://"))
    page = environment.get_template("credits.html").render(
        name=manifest.name,
        pictures=len(_used(manifest)),
        credits=needed(manifest).to_dict(orient="records"),
        unknown=unknown(manifest),
    )
    return paths.write(into or manifest.root / FILE, page)


def _used(manifest: Manifest) -> pd.DataFrame:
    return manifest.where(status=["new", "ok"]).table
