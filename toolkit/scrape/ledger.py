"""The ledger of a dataset: one JSON line for every picture tried, appended and not changed, unless something has to be
forgotten.

It is what a run that was killed goes on from, and what the manifest is made from.
"""

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.core import contained, locking, paths
from toolkit.errors import DatasetError

FILE = "ledger.jsonl"
REMOVED = "removed"  # status of a picture that its author deleted
NEEDED = ("path", "sha256", "source", "source_id", "url")  # texts of a picture that was had


class Ledger:
    """An append-only file of records, each with a `key`; safe to use from several threads.

    A line is written with one system call after the picture it speaks of. A last line torn by a crash is cut off on
    opening, which at worst repeats one download. Pictures are flushed to disk together when all are there, many times
    faster than one by one; one that a loss of power left empty is not as large as its line says, and comes again.

    Args:
        folder: folder of the dataset.

    Raises:
        DatasetError: another process has it open, or it is no file of the dataset's own.

    >>> with Ledger(Path("data/pets")) as ledger:  # doctest: +SKIP
    ...     ledger.add({"key": "a1", "status": "ok"})
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        self._lock = threading.Lock()
        self._file = contained.appendable(self.path)
        if not locking.is_free(self._file):
            os.close(self._file)
            raise DatasetError(
                f"expected one collection into {folder.name} at a time, found another under way; wait until it is done"
            )
        self.records = read(folder)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        os.fsync(self._file)
        os.close(self._file)

    def add(self, record: Mapping[str, object]) -> None:
        """Append a record; the last one with a key is the one that counts."""
        with self._lock:
            os.write(self._file, _line(record).encode())
            self.records[str(record["key"])] = dict(record)

    def has(self, key: str, *, root: Path, retry_failed: bool) -> bool:
        """Whether nothing is left to do for this key: its file exists, or it is not to be tried again."""
        record = self.records.get(key)
        if record is None or record["status"] == REMOVED:
            return record is not None
        if record["status"] != "ok":
            return not retry_failed
        return is_whole(root / record["path"], record.get("bytes"))


def is_whole(file: Path, size: int | None) -> bool:
    """Whether a file exists with all of its bytes."""
    try:
        return file.stat().st_size == size or size is None
    except OSError:
        return False


def forget(folder: Path, reasons: Mapping[str, str]) -> None:
    """Write the ledger anew, with nothing left of these keys but the reason why they are not to be fetched again."""
    records = read(folder)
    for key, reason in reasons.items():
        records[key] = {"key": key, "label": records[key]["label"], "status": REMOVED, "reason": reason}
    paths.write(folder / FILE, "".join(map(_line, records.values())))


def read(folder: Path) -> dict[str, dict]:
    """The records of a dataset's ledger by their key; a last line torn by a crash is cut off."""
    path = folder / FILE
    if not path.exists():
        return {}
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        with os.fdopen(contained.appendable(path), "r+b") as file:
            file.truncate(end)
    records: dict[str, dict] = {}
    for line in content[:end].splitlines():
        try:
            record = json.loads(line)
            records |= {record["key"]: record} if _is_own(record) else {}
        except (ValueError, KeyError, TypeError, RecursionError, DatasetError):
            continue  # a line damaged by something else than us costs one download, not the dataset
    return records


def _is_own(record: Mapping[str, Any]) -> bool:
    """Whether a line is one that a collection has written, and its file lies in the dataset."""
    texts = ("key", "label", "status", *(NEEDED if record["status"] == "ok" else ()))
    if not all(isinstance(record[name], str) for name in texts) or not record["status"]:
        return False
    if record["label"]:  # or it has none yet
        paths.check_label(record["label"])
    return contained.is_own(record["path"]) if record.get("path") else record["status"] != "ok"


def _line(record: Mapping[str, object]) -> str:
    return json.dumps(dict(record), ensure_ascii=False, sort_keys=True) + "\n"
