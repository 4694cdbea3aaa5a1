"""What a person marked, in the order it was marked: a line each in `review.jsonl`, on disk before it counts as done.

A line holds what it changes and what was there before, so any mark can be undone, and reading the lines again gives the
same rows. A mark of many pictures is one line, so that it is there whole or not at all. The manifest notes with each
row the number of the last mark that it holds; marks after that number are those it has missed.
"""

import json
import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit.core import contained, locking
from toolkit.core.paths import check_label
from toolkit.errors import DatasetError
from toolkit.review import lines
from toolkit.review.lines import CELLS

FILE = "review.jsonl"
MARKS = ("keep", "use", "exclude", "label", "doubt")
RENAME = "rename"  # the mark of all pictures of a class, which says nothing of any of them
SEEN = ("", "alone", "together", "confirmed")  # how a person saw the picture
USABLE = ("duplicate", "label conflict", "poor quality", "excluded")  # a person may take these into use after all
BY_HAND = "taken out by hand"


class Refused(ValueError):
    """A mark that cannot be made, with the reason in words."""


class Journal:
    """The marks of one dataset, and the cells of its rows with all of them applied. Safe to use from several threads.

    Args:
        root: folder of the dataset.
        table: that of its manifest.

    Raises:
        DatasetError: another process has it open, or a line of it is no mark.
    """

    def __init__(self, root: Path, table: pd.DataFrame):
        self.path = root / FILE
        self.lock = threading.RLock()
        self._file = contained.appendable(self.path)
        if not locking.is_free(self._file):
            os.close(self._file)
            raise DatasetError(
                f"expected {root.name} to be reviewed on one page at a time, found another; stop that one, or open its "
                "address in a second tab"
            )
        self._numbers: dict[str, int] = {}  # of every mark, by its id
        self._live: dict[str, list[dict]] = defaultdict(list)  # marks of a path that are not undone
        self._changed: list[tuple[int, str]] = []  # number and path of every mark
        self.version = 0  # another one whenever a cell has changed
        self.cells: dict[str, dict] = {}
        self.classes: dict[str, int] = {}
        self._latest: dict[str, dict] = {}  # line of each path
        self._renamed: set[str] = set()  # names that classes had, or were not to have after all
        try:
            for entry in self._entries():
                self._play(entry)
            self.adopt(table)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self.close()
            raise DatasetError(f"expected marks in {self.path}, got: {error!r}; mend or move the file") from error

    def close(self) -> None:
        """Close the file, which unlocks the dataset."""
        os.close(self._file)

    @property
    def last(self) -> int:
        """Number of the last mark."""
        return max(self._changed[-1][0] if self._changed else 0, self._begun_at)

    @property
    def undoable(self) -> list[dict]:
        """The marks that are not undone, with `id`, `path` and `before`, the oldest first."""
        with self.lock:
            live = [entry for path, entries in self._live.items() if path in self.cells for entry in entries]
        return sorted(live, key=lambda entry: entry["number"])

    @property
    def named(self) -> tuple[str, ...]:
        """The classes, but for names without a picture that another has replaced."""
        with self.lock:
            gone = self._renamed and self._renamed - {str(cells["label"]) for cells in self.cells.values()}
            return tuple(label for label in self.classes if label not in gone)

    def last_of(self, path: str) -> str:
        """The id of the last mark of a picture that is not undone, or ""."""
        with self.lock:
            live = self._live.get(path)
            return live[-1]["id"] if live else ""

    def is_made(self, mark: Mapping[str, str], table: pd.DataFrame) -> bool:
        """Whether a mark is the last of its picture already: the command that made it was cut off before its end.

        To undo once more is another mark, unless the manifest has missed the last one.
        """
        latest = self._latest.get(mark["path"])
        if latest is None or latest["mark"] != mark["mark"]:
            return False
        if mark["mark"] == "undo":
            return mark["path"] in self.missed(table)
        is_same = latest["changes"].get("label") == (mark.get("label") if mark["mark"] == "label" else None)
        return is_same and latest["changes"].get("reason", "").endswith(mark.get("reason", ""))

    def check(self, mark: Mapping[str, str]) -> None:
        """Raise DatasetError for a mark that `add` would refuse."""
        try:
            self._entry(mark)
        except Refused as reason:
            raise DatasetError(f"{mark['path']}: {reason}") from None

    def adopt(self, table: pd.DataFrame) -> None:
        """Take over the rows of a manifest, but for those with fewer marks than here."""
        columns = ["path", *CELLS, "mark", "phash"]
        with self.lock:
            self.version += 1
            for path, *values, verified in table[columns].to_numpy(object):  # pyarrow's cells are slow one by one
                cells = dict(zip((*CELLS, "mark"), values, strict=True))
                mine = self.cells.get(path, cells)
                newest = cells | mine if mine["mark"] > cells["mark"] else cells
                self.cells[path] = newest | {"verified": bool(verified)}
            for path in set(self.cells) - set(table["path"]):
                del self.cells[path]
            self._begun_at = int(table["mark"].max()) if len(table) else 0
            lived = [entry["before"] for entries in self._live.values() for entry in entries]
            pairs = {(cells["class_index"], cells["label"]) for cells in (*self.cells.values(), *lived)}
            pairs.discard((-1, ""))
            self.classes = {label: index for index, label in sorted(pairs)}  # also one that has lost its last picture

    def missed(self, table: pd.DataFrame) -> dict[str, dict]:
        """The rows of a manifest that have missed a mark, as `Manifest.update` wants them."""
        with self.lock:
            missed = {}
            marked = table[table["path"].isin([path for _, path in self._changed])]
            for path, number in zip(marked["path"], marked["mark"], strict=True):
                cells = self.cells[path]
                if cells["mark"] > number:
                    missed[path] = {name: cells[name] for name in (*CELLS, "mark")}
            return missed

    def add(self, marks: Iterable[Mapping[str, str]]) -> dict[str, str]:
        """Append marks, and return when they are on disk. A mark whose id is known is not applied again.

        Args:
            marks: each with an `id`, a `path` or many `paths`, and a `mark` of `MARKS` or "undo"; with a `label`, which
                may be `new`, `words` why, the whole `reason` to exclude it, how it was `seen`, or the id `of` what is
                to be undone. A mark of many pictures is refused if one of them is. "rename" is about all pictures of
                the class that it `was`, and an undo without a path about all that there is of a mark.

        Returns:
            Why marks were refused, by their id.

        Raises:
            OSError: the disk takes no more. What was written is kept; the same marks can be sent again.
        """
        refused = {}
        with self.lock:
            for mark in marks:
                if mark["id"] in self._numbers:
                    continue
                try:
                    entries = self._entries_of(mark)
                except Refused as reason:
                    refused[mark["id"]] = str(reason)
                    continue
                self._write(entries[0] if "path" in mark else lines.packed(entries))
                for entry in entries:
                    self._play(entry)
            os.fsync(self._file)
        return refused

    def changed(self, since: int) -> list[str]:
        """Paths of rows that were marked after the mark of this number."""
        with self.lock:
            return sorted({path for number, path in self._changed if number > since and path in self.cells})

    def _entries_of(self, mark: Mapping[str, Any]) -> list[dict]:
        """What a mark says of each of its pictures; an undo, of those where there is something to undo."""
        if "path" in mark:
            return [self._entry(mark)]
        paths = self._of_class(mark) if mark["mark"] == RENAME else mark.get("paths", ())
        if mark["mark"] == "undo":
            among = mark.get("paths", list(self.cells))
            paths = [path for path in among if any(live["id"] == mark.get("of") for live in self._live[path])]
        if not paths:
            raise Refused("there is no picture that it is about")
        if len(set(paths)) < len(paths):
            raise Refused("a picture is there twice")
        return [self._entry({**mark, "path": path}) for path in paths]

    def _entry(self, mark: Mapping[str, Any]) -> dict:
        """The line for a mark."""
        path, kind = mark["path"], mark["mark"]
        if path not in self.cells:
            raise Refused("there is no such picture")
        entry = {"number": self.last + 1, "id": mark["id"], "at": datetime.now(UTC).isoformat(timespec="seconds")}
        entry |= {"path": path, "mark": kind}
        if kind == "undo":
            if mark.get("of") not in [live["id"] for live in self._live[path]]:
                raise Refused("there is nothing left to undo")
            return entry | {"of": mark["of"]}
        cells = self.cells[path]
        looked = {"reviewed": kind, "seen": mark.get("seen", "")} if kind != RENAME else {}
        changes = looked | self._changes(kind, cells, mark)
        if changes.get("seen", "") not in SEEN:
            raise Refused(f"expected seen to be one of {', '.join(SEEN[1:])}, got {changes['seen']!r}")
        return entry | {"changes": changes, "before": {name: cells[name] for name in CELLS}}

    def _changes(self, kind: str, cells: Mapping[str, object], mark: Mapping[str, str]) -> dict[str, object]:
        if kind == "exclude":
            words = ": ".join(filter(None, (BY_HAND, mark.get("words", "").strip())))
            return {"status": "excluded", "reason": mark.get("reason") or words}
        if kind == "use" and cells["status"] in USABLE:
            return {"status": "ok" if cells["verified"] else "new", "reason": ""}
        if kind in ("label", RENAME):
            label, index = self._class(mark)
            changes: dict[str, object] = {"label": label, "class_index": index}
            reason = mark.get("words", "").strip()
            if reason and cells["status"] in ("new", "ok"):  # any other has a reason: why it is not used
                changes["reason"] = reason
            return changes
        if kind not in MARKS:
            raise Refused(f"expected a mark of {', '.join((*MARKS, 'undo'))}, got {kind!r}")
        return {}

    def _of_class(self, mark: Mapping[str, Any]) -> list[str]:
        """The pictures of the class that a mark renames, used or not."""
        was, label = mark.get("was", ""), mark.get("label", "")
        if was not in self.named or was == label:
            raise Refused(f"expected a class to rename, of {', '.join(self.named)}, and another name, got {was!r}")
        return [path for path, cells in self.cells.items() if cells["label"] == was]

    def _class(self, mark: Mapping[str, Any]) -> tuple[str, int]:
        """The label of a mark, and its place in the order of the classes: at the end, if it is a new one."""
        label = mark.get("label", "")
        if label in self.classes:
            return label, self.classes[label]
        if not mark.get("new"):
            raise Refused(f"expected a label of {', '.join(self.classes)}, got {label!r}")
        try:
            return check_label(label), max(self.classes.values(), default=-1) + 1
        except DatasetError as error:
            raise Refused(str(error)) from error

    def _play(self, entry: dict) -> None:
        """Apply a line: a mark to what was there before it, an undo by applying those after the undone one again."""
        live = self._live[entry["path"]]
        if entry["mark"] == "undo":
            index = [mark["id"] for mark in live].index(entry["of"])
            undone = live.pop(index)
            cells = undone["before"]
            if undone["mark"] == RENAME:
                self._renamed.add(undone["changes"]["label"])
            for later in live[index:]:
                later["before"] = cells
                cells = cells | later["changes"]
        else:
            live.append(entry)
            if entry["mark"] == RENAME:
                self._renamed.add(entry["before"]["label"])
            cells = entry["before"] | entry["changes"]
        self._numbers[entry["id"]] = entry["number"]
        self._changed.append((entry["number"], entry["path"]))
        self._latest[entry["path"]] = entry
        previous = self.cells.get(entry["path"], {})
        self.cells[entry["path"]] = now = previous | cells | {"mark": entry["number"]}
        if now["label"]:
            self.classes.setdefault(now["label"], now["class_index"])
        self.version += 1

    def _write(self, entry: Mapping[str, object]) -> None:
        size = os.fstat(self._file).st_size
        line = (json.dumps(entry, ensure_ascii=False) + "\n").encode()
        try:
            if os.write(self._file, line) != len(line):
                raise OSError(f"expected to write all of a mark to {self.path}, the disk is full; make room")
        except OSError:
            os.ftruncate(self._file, size)
            raise

    def _entries(self) -> list[dict]:
        """The lines on disk; a last one that was torn by a crash was never acknowledged, and is cut off."""
        content = self.path.read_bytes()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            os.ftruncate(self._file, end)
        return [
            lines.checked(entry) for line in content[:end].splitlines() for entry in lines.unpacked(json.loads(line))
        ]
