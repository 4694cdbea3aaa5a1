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
from toolkit.images.files import Passed
from toolkit.scrape import datauri, licenses, tables
from toolkit.scrape.item import Item, Metadata, Options, mended


def items(argument: str, label: str, options: Options) -> Iterator[Item | Passed]:
    """The pictures of a list, and what is listed twice.

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
    path = Path(argument).expanduser()
    counts: dict[str, int] = {}
    keys: set[str] = set()
    for line, row in tables.rows(path):
        where = f"line {line} of {path.name}"
        if "url" not in row:
            raise SourceError(
                f"{where}: expected a column url, got {', '.join(row)}; name the columns in the first line"
            )
        item = _item(row, label or row_label(row, where), where, options)
        if item.key in keys:
            yield Passed("listed before", where)
        elif counts.get(item.label, 0) != options.limit:
            keys.add(item.key)
            counts[item.label] = counts.get(item.label, 0) + 1
            yield item
    if not keys:
        raise SourceError(f"expected addresses of pictures in {path.name}, found none; add a line for each")


def row_label(row: dict[str, str], where: str) -> str:
    """The label of a row.

    Args:
        row: cells by column.
        where: the row is, for the message.

    Raises:
        SourceError: it has none, or one that cannot name a folder.
    """
    if "label" not in row:
        raise SourceError(f"{where}: expected a column label, got {', '.join(row)}; name the columns in the first line")
    try:
        return check_label(mended(row["label"]))
    except DatasetError as error:
        raise SourceError(f"{where}: {error} (column label)") from error


def metadata(row: dict[str, str]) -> Metadata:
    """The metadata of a row, with the line to name its creator if the licence asks for one."""
    title, license, creator = (row.get(name, "") for name in ("title", "license", "creator"))
    attribution = row.get("attribution", "")
    if license and not attribution and licenses.code(license) not in licenses.NAMELESS:
        attribution = licenses.line(title, creator, license, "")
    return Metadata(
        page_url=row.get("page_url", ""),
        title=title,
        license=license,
        license_url=row.get("license_url", ""),
        creator=creator,
        attribution=attribution,
        resolution=row.get("resolution", ""),
    )


def _item(row: dict[str, str], label: str, where: str, options: Options) -> Item:
    address, fields, name = row["url"], metadata(row), row.get("source_id", "")
    if address[:5].lower() == "data:":
        name = name or f"data:{hashlib.sha256(address.encode()).hexdigest()[:32]}"
        fields["resolution"] = fields["resolution"] or "thumbnail"
        read = partial(datauri.decode, address, max_bytes=options.download_bytes)
        return Item(label, "urls", name, read=read, **fields)
    if not address.lower().startswith(("http://", "https://")):
        return Item(label, "urls", name or where, read=partial(_refuse, where, address), **fields)
    return Item(label, "urls", name or address, url=address, **fields)


def _refuse(where: str, address: str) -> bytes:
    raise SourceError(f"{where}: expected an address that begins with http, got {address[:60]!r}")
