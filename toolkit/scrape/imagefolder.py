"""A folder as Hugging Face's `imagefolder` lays it out, on this machine.

    PICTURES/metadata.csv            PICTURES/train/metadata.jsonl
    PICTURES/1.jpg                   PICTURES/train/1.jpg

A metadata file names the pictures below its folder in a column file_name, and their class in a column label; the other
columns that `urls:` knows are kept as well. Without such a file it is a folder of class folders like any other.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from toolkit.errors import SourceError
from toolkit.scrape import folder, tables, urls
from toolkit.scrape.item import Item, Options

NAMES = ("metadata.csv", "metadata.jsonl")


def items(argument: str, label: str, options: Options) -> Iterator[Item]:
    """The pictures of a folder, labelled by its metadata or its class folders.

    Args:
        argument: path of the folder.
        label: class of all pictures; "" takes the column label, or the class folders.
        options: as for `folder.items`.

    Raises:
        SourceError: as `folder.items`, and for a line of the metadata that has no label or names no picture.

    >>> next(items("pets", "", Options())).label  # doctest: +SKIP
    'cat'
    """
    rows = _metadata(Path(argument).expanduser().resolve())
    if not rows:
        yield from (replace(item, source="imagefolder") for item in folder.items(argument, label, options))
        return
    counts: dict[str, int] = {}
    for item in folder.items(argument, label or "unlabelled", replace(options, limit=None)):
        where, row = rows.pop(folder.name_within(item), ("", None))
        if row is None:
            continue  # not in the metadata
        name = label or urls.row_label(row, where)
        counts[name] = counts.get(name, 0) + 1
        if options.limit is None or counts[name] <= options.limit:
            yield replace(item, label=name, source="imagefolder", **urls.metadata(row))
    for name, (where, _) in rows.items():
        raise SourceError(f"{where}: expected a picture {name} in {argument}, found none; correct the line")


def _metadata(place: Path) -> dict[str, tuple[str, dict[str, str] | None]]:
    """The row of each picture and where it is, by the picture's path below the folder."""
    rows: dict[str, tuple[str, dict[str, str] | None]] = {}
    for file in sorted(file for name in NAMES for file in place.rglob(name)):
        for line, row in tables.rows(file):
            above = file.parent.relative_to(place)
            where = f"line {line} of {(above / file.name).as_posix()}"
            if not row.get("file_name"):
                raise SourceError(f"{where}: expected a column file_name, got {', '.join(row)}; name the picture there")
            rows[PurePosixPath(above.as_posix(), row["file_name"]).as_posix()] = (where, row)
    return rows
