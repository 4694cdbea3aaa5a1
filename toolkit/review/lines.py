"""The lines of a journal: a mark of one picture, or of many at once, and what a line must be to be one."""

from typing import Any

from toolkit.core.paths import check_label
from toolkit.errors import DatasetError

CELLS = ("label", "class_index", "status", "reason", "reviewed", "seen")  # what marks change
MOST = 1 << 53  # marks, and classes


def packed(entries: list[dict]) -> dict:
    """The entries of one mark as one line: what is the same for all, and `rows` of what is not.

    >>> packed([{"id": "1", "path": "raw/1.jpg"}, {"id": "1", "path": "raw/2.jpg"}])
    {'id': '1', 'rows': [{'path': 'raw/1.jpg'}, {'path': 'raw/2.jpg'}]}
    """
    shared = {name: entries[0][name] for name in ("number", "id", "at", "mark", "of") if name in entries[0]}
    return shared | {"rows": [{name: entry[name] for name in entry if name not in shared} for entry in entries]}


def unpacked(line: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of a line, one for each of its pictures."""
    shared = {name: value for name, value in line.items() if name != "rows"}
    return [shared | row for row in line["rows"]] if "rows" in line else [line]


def checked(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry, if it is a mark: its label can name a folder, and it changes nothing but what marks change.

    Raises:
        ValueError: it is none.
    """
    texts = [entry[name] for name in ("id", "path", "mark", *(("of",) if entry["mark"] == "undo" else ()))]
    parts = [entry[name] for name in ("changes", "before")] if entry["mark"] != "undo" else []
    cells = [cell for part in parts for name, cell in part.items() if name != "class_index"]
    if not all(isinstance(text, str) for text in (*texts, *cells)) or not all(
        set(part) <= set(CELLS) for part in parts
    ):
        raise ValueError(f"a line that is no mark: {str(entry)[:80]}")
    numbers = [entry["number"], *(part["class_index"] + 1 for part in parts if "class_index" in part)]
    if not all(type(number) is int and 0 <= number < MOST for number in numbers):
        raise ValueError(f"a number out of range: {numbers}")
    for part in parts:
        _check_class(part)
    return entry


def _check_class(part: dict[str, Any]) -> None:
    """Raise ValueError unless a label can name a folder, and goes with a place in the order of the classes."""
    label = part.get("label", "")
    if "label" in part and (label == "") != (part.get("class_index") == -1):
        raise ValueError(f"a label without its place in the order: {part}")
    try:
        check_label(label or "none")
    except DatasetError as error:
        raise ValueError(str(error)) from error
