"""Reading lists that people write: CSV with a header, or a JSON object per line."""

import codecs
import csv
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from toolkit.errors import SourceError

ENDINGS = (".csv", ".jsonl", ".ndjson")
DELIMITERS = (",", ";", "\t")
STATED = re.compile(r"sep=(.)", re.IGNORECASE)  # as spreadsheets write it above the header
LONGEST = 256 << 20  # characters in a cell, which may hold a picture


def rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a list, each with the number of the line it ends on.

    Rows without any words are passed over, and so are columns without a name, such as the index that pandas writes.

    Args:
        path: a .csv, .jsonl or .ndjson file in UTF-8, or in UTF-16 with a byte order mark. Names of columns are read
            without regard to case; a CSV may have commas, semicolons or tabs between its cells, and say so in a line
            `sep=;` before the header.

    Yields:
        A line number, counted from 1, and the cells by column; "" for one that is missing or null.

    Raises:
        SourceError: no such file, another kind of file, two columns of one name, or a line that cannot be read, named
            by its number.

    >>> next(rows(Path("list.csv")))  # doctest: +SKIP
    (2, {'url': 'https://example.org/1.jpg', 'label': 'cars'})
    """
    if path.suffix.lower() not in ENDINGS:
        raise SourceError(
            f"expected a list that ends in {', '.join(ENDINGS)}, got {path.name}; save it as one of these"
        )
    try:
        with path.open("rb") as file:
            yield from _read(file, path.name)
    except OSError as error:
        raise SourceError(f"expected a list at {path}, got: {error.strerror}; check the path") from error


def parsed(name: str, content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a list in memory; arguments and errors as in `rows`."""
    yield from _read(io.BytesIO(content), name)


def _read(stream: BinaryIO, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    encoding = "utf-16" if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    stream.seek(0)
    file = io.TextIOWrapper(stream, encoding=encoding, newline="")
    try:
        for number, row in (_csv if name.lower().endswith(".csv") else _json_lines)(file):
            cells = {column: _text(value) for column, value in row.items()}
            if any(cells.values()):
                yield number, cells
    except _Damaged as error:
        raise SourceError(f"line {error.args[0]} of {name}: {error.args[1]}; correct that line") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"expected {name} in UTF-8, got other bytes; save it as UTF-8") from error
    finally:
        file.detach()  # the stream is closed by whoever opened it


class _Pairs(list):
    """A JSON object as its names and values, of which a name may be there twice."""


class _Damaged(Exception):
    """A line number, and what is wrong there."""


def _csv(file: TextIO) -> Iterator[tuple[int, dict[str, object]]]:
    before = csv.field_size_limit(LONGEST)  # one setting for the whole process, so it is put back
    try:
        header, above, delimiter = _header(file)
        reader = csv.reader(itertools.chain([header], file), delimiter=delimiter, strict=True)
        columns = [name.strip().lower() for name in next(reader, [])]
        _check_columns(columns, above + 1)
        for cells in reader:
            if any(cell.strip() for cell in cells[len(columns) :]):
                raise _Damaged(above + reader.line_num, "expected as many cells as the header has, got more")
            named = itertools.zip_longest(columns, cells[: len(columns)], fillvalue="")
            yield above + reader.line_num, {name: cell for name, cell in named if name}
    except csv.Error as error:
        raise _Damaged(above + reader.line_num, f"expected CSV, got: {error}") from error
    finally:
        csv.field_size_limit(before)


def _header(file: TextIO) -> tuple[str, int, str]:
    """The line that names the columns, how many lines are above it, and what stands between them."""
    first = file.readline()
    if stated := STATED.fullmatch(first.strip("\r\n")):
        return file.readline(), 1, stated[1]
    return first, 0, max(DELIMITERS, key=first.count)  # a comma if none is there


def _check_columns(columns: list[str], number: int) -> None:
    twice = sorted(name for name, count in Counter(columns).items() if name and count > 1)
    if twice:
        raise _Damaged(number, f"expected one column of a name, got {twice[0]} twice")


def _json_lines(file: TextIO) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                pairs = json.loads(line, object_pairs_hook=_Pairs)
            except ValueError as error:
                raise _Damaged(number, f"expected JSON, got: {error}") from error
            if not isinstance(pairs, _Pairs):
                raise _Damaged(number, f"expected a JSON object, got {line.strip()[:40]!r}")
            row = [(str(name).strip().lower(), value) for name, value in pairs]
            _check_columns([name for name, _ in row], number)
            yield number, dict(row)


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, (list, dict)) else str(value).strip()
