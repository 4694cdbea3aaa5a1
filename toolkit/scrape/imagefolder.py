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
    known = _metadata(Path(argument).expanduser().resolve())
    if not known:
        yield from (replace(item, source="imagefolder") for item in folder.items(argument, label, options))
        return
    counts: dict[str, int] = {}
    for item in folder.items(argument, label or "unlabelled", replace(options, limit=None)):
        place, row = known.pop(folder.name_within(item), ("", None))
        if row is None:
            continue  # the metadata says nothing of it
        name = label or urls.row_label(row, place)
        counts[name] = counts.get(name, 0) + 1
        if options.limit is None or counts[name] <= options.limit:
            yield replace(item, label=name, source="imagefolder", **urls.told(row))
    for name, (place, _) in known.items():
        raise SourceError(f"{place}: expected a picture {name} in {argument}, found none; correct the line")


def _metadata(place: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """Where each picture is named, and the row that does, by its path below the folder."""
    found = {}
    for file in sorted(file for name in NAMES for file in place.rglob(name)):
        for line, row in tables.rows(file):
            above = file.parent.relative_to(place)
            where = f"line {line} of {(above / file.name).as_posix()}"
            if not row.get("file_name"):
                raise SourceError(f"{where}: expected a column file_name, got {', '.join(row)}; name the picture there")
            found[PurePosixPath(above.as_posix(), row["file_name"]).as_posix()] = (where, row)
    return found
