"""Parquet, the file of a large manifest: a tenth of the time and a quarter of the bytes of CSV. Needs pyarrow.

The file may be a stranger's. Its columns are text and numbers, or it is refused; so it is where it would grow in memory
out of all proportion to its bytes, as one text that stands for a billion cells would. Of what the file says of itself
only the number of rows is asked: pyarrow ends the process where the sizes of its parts are damaged.
"""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from toolkit.core import paths

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import FileMetaData

IDENTITY = b"toolkit.identity"  # in the metadata: another one each time the file is written
DIVERSE = ("path", "sha256", "phash", "url", "page_url", "source_id")  # columns where hardly a value is there twice
EXPANSION, SPARED = 256, 64 << 20  # times its bytes, and bytes besides, that a file may take in memory


def write(file: Path, table: pd.DataFrame) -> None:
    """Write a table, whole or not at all, under a new identity."""
    import pyarrow
    from pyarrow import parquet

    odd = [name for name in table if not (isinstance(table[name].dtype, pd.StringDtype) or _is_number(table[name]))]
    arrow = pyarrow.Table.from_pandas(table.assign(**{name: _as_text(table[name]) for name in odd}))
    repeated = [name for name in table if name not in DIVERSE and table[name].dtype.kind != "f"]
    named = arrow.replace_schema_metadata({IDENTITY: uuid.uuid4().hex})
    with paths.atomic_write(file) as temporary:
        parquet.write_table(named, temporary, compression="zstd", use_dictionary=repeated)


def read(file: Path) -> tuple[pd.DataFrame, str]:
    """Read a table, and the identity of the file.

    Raises:
        ValueError, TypeError, LookupError, NotImplementedError: it is no such table.
        OSError: it cannot be read, or is damaged; then without a number.
    """
    import pyarrow
    from pyarrow import parquet, types

    content = file.read_bytes() if not isinstance(file, Path) else b""
    source = pyarrow.BufferReader(content) if content else file
    size = len(content) or file.stat().st_size
    with parquet.ParquetFile(source) as opened:
        _check(opened.metadata, opened.schema_arrow, size)
        text = [field.name for field in opened.schema_arrow if not types.is_primitive(field.type)]
    source = pyarrow.BufferReader(content) if content else file
    with parquet.ParquetFile(source, read_dictionary=[name for name in text if name not in DIVERSE]) as opened:
        table, identity = opened.read(), identity_of(opened.metadata)
    return _expanded(table, size).to_pandas(ignore_metadata=True, split_blocks=True, self_destruct=True), identity


def identity_of(metadata: "FileMetaData") -> str:
    """The identity of a file; "" for one that somebody else wrote."""
    return (metadata.metadata or {}).get(IDENTITY, b"").decode("ascii", "replace")


def identity(file: Path) -> str:
    """The identity of a file, without reading its table."""
    from pyarrow import parquet

    return identity_of(parquet.read_metadata(file))


def _is_number(column: pd.Series) -> bool:
    return isinstance(column.dtype.kind, str) and column.dtype.kind in "iufb"


def _as_text(column: pd.Series) -> pd.Series:
    """A column of other things as CSV would have it."""
    return column.where(column.notna(), "").astype(str)


def _check(metadata: "FileMetaData", schema: "pyarrow.Schema", size: int) -> None:
    """Raise ValueError where the file says of itself what no manifest of its size would."""
    from pyarrow import types

    for field in schema:
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        is_text = types.is_string(kind) or types.is_large_string(kind)
        if not (is_text or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
            raise ValueError(f"expected columns of text and numbers, got {field.name!r} of {kind}")
    _check_bytes(metadata.num_rows * metadata.num_columns * 8, size)


def _check_bytes(expanded: int, size: int) -> None:
    if not 0 <= expanded <= EXPANSION * size + SPARED:
        raise ValueError(f"expected at most {EXPANSION} times its {size:,} bytes in memory, got {expanded:,}")


def _expanded(table: "pyarrow.Table", size: int) -> "pyarrow.Table":
    """The table with the text of each cell in place of its number in a list of values, unless that is too much."""
    from pyarrow import types

    packed = [number for number, field in enumerate(table.schema) if types.is_dictionary(field.type)]
    _check_bytes(sum(_bytes(table.column(number)) for number in packed), size)
    for number in packed:
        text = table.column(number).cast(table.schema.field(number).type.value_type)
        table = table.set_column(number, table.schema.names[number], text)
    return table


def _bytes(column: "pyarrow.ChunkedArray") -> int:
    """How many bytes the text of all cells takes at most: as many as if each were the longest."""
    from pyarrow import compute

    total = 0
    for chunk in column.chunks:
        chunk.validate(full=True)  # that each number is one of a value
        total += len(chunk) * int(compute.max(compute.binary_length(chunk.dictionary)).as_py() or 0)
    return total
