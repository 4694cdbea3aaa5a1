"""Pictures from a list of addresses.

    urls:list.csv            with columns url and label
    urls:list.jsonl=cars     a JSON object per line with url; all of one class

More columns are kept if they are there: title, license, license_url, creator, attribution, page_url, source_id,
resolution. An address may hold the picture itself (`data:image/…`); on pages such pictures are small copies, so they
are marked "thumbnail" unless the column resolution says otherwise.
"""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from toolkit.core.paths import check_label
from toolkit.errors import DatasetError, SourceError
from toolkit.scrape import datauri, licenses, tables
from toolkit.scrape.item import Item, Options

TOLD = ("title", "license", "license_url", "creator", "attribution", "page_url", "resolution")


def items(argument: str, label: str, options: Options) -> Iterator[Item]:
    """The pictures of a list.

    Args:
        argument: path of a .csv, .jsonl or .ndjson file.
        label: class of all of them; "" takes the column label.
        options: `limit` counts per class; `max_bytes` bounds a picture written into its address.

    Raises:
        SourceError: no such list, an empty one, or a line that cannot be read or has no label. A line whose address
            is no address is a picture that failed, with the line's number in its reason.

    >>> next(items("list.csv", "", Options())).url  # doctest: +SKIP
    'https://example.org/1.jpg'
    """
    path, counts, seen = Path(argument).expanduser(), {}, set()
    for line, row in tables.rows(path):
        place = f"line {line} of {path.name}"
        if "url" not in row:
            raise SourceError(
                f"{place}: expected a column url, got {', '.join(row)}; name the columns in the first line"
            )
        item = _item(row, label or row_label(row, place), place, options)
        if item.key not in seen and counts.get(item.label, 0) != options.limit:
            seen.add(item.key)
            counts[item.label] = counts.get(item.label, 0) + 1
            yield item
    if not seen:
        raise SourceError(f"expected addresses of pictures in {path.name}, found none; add a line for each")


def row_label(row: dict[str, str], place: str) -> str:
    """The label of a row.

    Args:
        row: cells by column.
        place: of the row, for the message.

    Raises:
        SourceError: it has none, or one that cannot name a folder.
    """
    try:
        return check_label(row.get("label", ""))
    except DatasetError as error:
        raise SourceError(f"{place}: {error} (column label)") from error


def told(row: dict[str, str]) -> dict[str, str]:
    """What a row says of a picture, with the line to name its creator if the licence asks for one."""
    words = {name: row.get(name, "") for name in TOLD}
    license = words["license"]
    if license and not words["attribution"] and licenses.code(license) not in licenses.NAMELESS:
        words["attribution"] = licenses.line(words["title"], words["creator"], license, "")
    return words


def _item(row: dict[str, str], label: str, place: str, options: Options) -> Item:
    address, words, name = row["url"], told(row), row.get("source_id", "")
    if address[:5].lower() == "data:":
        name = name or f"data:{hashlib.sha256(address.encode()).hexdigest()[:32]}"
        words["resolution"] = words["resolution"] or "thumbnail"
        read = partial(datauri.decode, address, max_bytes=options.max_bytes)
        return Item(label, "urls", name, read=read, **words)
    if not address.lower().startswith(("http://", "https://")):
        return Item(label, "urls", name or place, read=partial(_refuse, place, address), **words)
    return Item(label, "urls", name or address, url=address, **words)


def _refuse(place: str, address: str) -> bytes:
    raise SourceError(f"{place}: expected an address that begins with http, got {address[:60]!r}")
