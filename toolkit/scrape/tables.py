"""Reading lists that people write: CSV with a header, or a JSON object per line."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from toolkit.errors import SourceError

ENDINGS = (".csv", ".jsonl", ".ndjson")
LONGEST = 256 << 20  # characters in a cell, which may hold a picture


def rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a list, each with the number of the line it ends on.

    Args:
        path: a .csv, .jsonl or .ndjson file in UTF-8. Names of columns are read without regard to case.

    Yields:
        A line number, counted from 1, and the cells by column; "" for one that is missing or null.

    Raises:
        SourceError: no such file, another kind of file, or a line that cannot be read, named by its number.

    >>> next(rows(Path("list.csv")))  # doctest: +SKIP
    (2, {'url': 'https://example.org/1.jpg', 'label': 'cars'})
    """
    if path.suffix.lower() not in ENDINGS:
        raise SourceError(
            f"expected a list that ends in {', '.join(ENDINGS)}, got {path.name}; save it as one of these"
        )
    read = _csv if path.suffix.lower() == ".csv" else _json_lines
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in read(file):
                yield number, {str(name).strip().lower(): _text(value) for name, value in row.items()}
    except OSError as error:
        raise SourceError(f"expected a list at {path}, got: {error.strerror}; check the path") from error
    except _Damaged as error:
        raise SourceError(f"line {error.args[0]} of {path.name}: {error.args[1]}; correct that line") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"expected {path.name} in UTF-8, got other bytes; save it as UTF-8") from error


class _Damaged(Exception):
    """A line number, and what is wrong there."""


def _csv(file) -> Iterator[tuple[int, dict]]:
    before = csv.field_size_limit(LONGEST)  # one setting for the whole process, so it is put back
    reader = csv.DictReader(file, strict=True, restkey="")
    try:
        for row in reader:
            if "" in row:
                raise _Damaged(reader.line_num, "expected as many cells as the header has, got more")
            yield reader.line_num, row
    except csv.Error as error:
        raise _Damaged(reader.reader.line_num, f"expected CSV, got: {error}") from error
    finally:
        csv.field_size_limit(before)


def _json_lines(file) -> Iterator[tuple[int, dict]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise _Damaged(number, f"expected JSON, got: {error}") from error
            if not isinstance(row, dict):
                raise _Damaged(number, f"expected a JSON object, got {line.strip()[:40]!r}")
            yield number, row


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, (list, dict)) else str(value).strip()
