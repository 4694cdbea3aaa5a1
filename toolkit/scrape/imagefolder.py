"""A folder as Hugging Face's `imagefolder` lays it out, on this machine or in an archive.

    PICTURES/metadata.csv            PICTURES/train/metadata.jsonl
    PICTURES/1.jpg                   PICTURES/train/1.jpg

A metadata file names the pictures below its folder in a column file_name, and their class in a column label; the other
columns that `urls:` knows are kept as well. Without such a file it is a folder of class folders like any other.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from toolkit.errors import SourceError
from toolkit.images.files import Passed, in_one_form
from toolkit.scrape import folder, places, tables, urls
from toolkit.scrape.item import Item, Options
from toolkit.scrape.places import File

NAMES = ("metadata.csv", "metadata.jsonl")

Rows = dict[str, tuple[str, dict[str, str]]]  # by the path of a picture: where its row is, and the row


def items(argument: str, label: str, options: Options) -> Iterator[Item | Passed]:
    """The pictures of a folder or archive, labelled by its metadata or its class folders.

    Args:
        argument: path or URL of it.
        label: class of all pictures; "" takes the column label, or the class folders.
        options: as for `folder.items`.

    Raises:
        SourceError: as `folder.items`, and for a line of the metadata that has no label. A line whose picture is
            missing is a picture that failed.

    >>> next(items("pets", "", Options())).label  # doctest: +SKIP
    'cat'
    """
    place = places.path(argument)
    with places.listed(place, also=NAMES) as (found, passed):
        yield from passed
        lists = [file for file in found if file.parts[-1] in NAMES]
        pictures = [file for file in found if file.parts[-1] not in NAMES]
        if not pictures:
            raise SourceError(folder.nothing_in(place, passed))
        rows: Rows = dict(row for file in lists for row in _metadata(file, options))
        if not rows:
            yield from _of_folders(pictures, passed, label, place, options)
            return
        counts: dict[str, int] = {}
        for file in pictures:
            where, row = rows.pop("/".join(file.parts), ("", None))
            if row is None:
                yield Passed("not in the metadata", "/".join(file.parts))
                continue
            name = label or urls.row_label(row, where)
            counts[name] = counts.get(name, 0) + 1
            if options.limit is None or counts[name] <= options.limit:
                made = folder.item(file, (folder.split_of(file), name), place, options)
                yield replace(made, source="imagefolder", **urls.metadata(row))
        yield from _missing(rows, argument, label, any_found=bool(counts))


def _of_folders(
    pictures: list[File], passed: list[Passed], label: str, place: Path, options: Options
) -> Iterator[Item | Passed]:
    folder.tell_of_folders(pictures, passed)
    for one in folder.limited(folder.labelled(pictures, label, place), place, options):
        yield one if isinstance(one, Passed) else replace(one, source="imagefolder")


def _missing(rows: Rows, argument: str, label: str, *, any_found: bool) -> Iterator[Item]:
    """The pictures that a table names and nothing is there of: each failed, or, of all of them, an error."""
    for name, (where, row) in rows.items():
        reason = f"{where}: expected a picture {name} in {argument}, found none; correct the line"
        if not any_found:
            raise SourceError(reason)
        yield Item(label or urls.row_label(row, where), "imagefolder", f"{name}@missing", read=partial(_refuse, reason))


def _refuse(reason: str) -> bytes:
    raise SourceError(reason)


def _metadata(file: File, options: Options) -> Iterator[tuple[str, tuple[str, dict[str, str]]]]:
    above, name = PurePosixPath(*file.parts[:-1]), "/".join(file.parts)
    for line, row in tables.parsed(file.parts[-1], folder.bounded(file, options.file_bytes)):
        where = f"line {line} of {name}"
        if not row.get("file_name"):
            raise SourceError(f"{where}: expected a column file_name, got {', '.join(row)}; name the picture there")
        picture = PurePosixPath(above, row["file_name"].replace("\\", "/")).as_posix()
        yield in_one_form(picture), (where, row)
