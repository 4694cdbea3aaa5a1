"""The ledger of a dataset: one JSON line for every picture tried, appended and never changed.

It is what a run that was killed goes on from, and what the manifest is made from.
"""

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

FILE = "ledger.jsonl"


class Ledger:
    """An append-only file of records, each with a `key`; safe to use from several threads.

    A line is written with one system call after the picture it speaks of is on disk. A last line torn by a crash is cut
    off on opening, which at worst repeats one download.

    Args:
        folder: folder of the dataset.

    >>> with Ledger(Path("data/pets")) as ledger:  # doctest: +SKIP
    ...     ledger.add({"key": "a1", "status": "ok"})
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        self.records: dict[str, dict] = _heal_and_read(self.path)
        self._lock = threading.Lock()
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        os.fsync(self._file)
        os.close(self._file)

    def add(self, record: Mapping[str, object]) -> None:
        """Append a record; the last one with a key is the one that counts."""
        line = json.dumps(dict(record), ensure_ascii=False, sort_keys=True) + "\n"
        with self._lock:
            os.write(self._file, line.encode())
            self.records[str(record["key"])] = dict(record)

    def has(self, key: str, *, root: Path, retry_failed: bool) -> bool:
        """True if nothing is left to do for this key: its file is there, or it failed and is not to be tried again."""
        record = self.records.get(key)
        if record is None:
            return False
        return (root / record["path"]).exists() if record["status"] == "ok" else not retry_failed


def _heal_and_read(path: Path) -> dict[str, dict]:
    if not path.exists():
        return {}
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        os.truncate(path, end)
    records = {}
    for line in content[:end].splitlines():
        try:
            record = json.loads(line)
            records |= {record["key"]: record} if record["label"] and record["status"] else {}
        except (ValueError, KeyError, TypeError):
            continue  # a line damaged by something else than us costs one download, not the dataset
    return records
