"""Tables for a terminal, as wide as it is: names without their middle, numbers whole and at the right."""

import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from toolkit.core.headings import NAME, WORDS, Forms
from toolkit.core.words import printable

if TYPE_CHECKING:
    import pandas as pd

MOST = 15  # classes that a table shows
NARROW = 40  # columns, below which a table goes beyond the edge
GAP = "  "
HASH = re.compile(r"(?<![0-9a-f])([0-9a-f]{8})[0-9a-f]{24,}")


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, its cells as text, and NAME, WORDS, or anything else for numbers."""

    heading: str
    cells: Sequence[str]
    form: str = NAME

    @property
    def is_text(self) -> bool:
        """Whether its cells may be cut."""
        return self.form in (NAME, WORDS)

    def natural(self, heading: int = 14) -> int:
        """The width that shows all of it; a heading of more columns than that takes several lines."""
        words = max(map(breadth, self.heading.split()), default=1)
        return max([words, min(heading, breadth(self.heading)), *map(breadth, self.cells)])

    def least(self, share: int) -> int:
        """The width it needs: a name and a long heading may be cut to a share of the terminal, a number never."""
        numbers = () if self.is_text else map(breadth, self.cells)
        return max([min(self.natural(0), share), *numbers])


def width() -> int:
    """Columns of the terminal, or of COLUMNS; 80 where there is none."""
    return max(NARROW, shutil.get_terminal_size((80, 24)).columns)


def say(text: str, *, error: bool = False) -> None:
    """Print text above the progress bars that are running, which draw themselves again; in a terminal between words.

    Args:
        text: one line or several; a path or another word that is longer than a line stays whole.
        error: print on standard error.
    """
    stream = sys.stderr if error else sys.stdout
    text = printable(text)
    if stream.isatty():
        text = "\n".join(map(_folded, text.split("\n")))
    bars = getattr(sys.modules.get("tqdm"), "tqdm", None)
    write = bars.write if bars else print
    write(text, file=stream)
    stream.flush()


def _folded(line: str) -> str:
    """A sentence over several lines if it is longer than one; a row of a table as it is."""
    room, inner = width(), line.strip()
    if breadth(line) <= room or GAP in inner:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    return "\n".join(indent + part for part in wrapped(inner, room - len(indent), whole=True))


def breadth(text: str) -> int:
    """Columns that a text takes in a terminal: two for a Chinese character, none for an accent that is added.

    >>> breadth("tank"), breadth("戦車")
    (4, 4)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def shortened(text: str, columns: int) -> str:
    """A text of at most so many columns, without its middle: what tells names apart is often at their end.

    >>> shortened("véhicule blindé très long", 12), shortened("戦車の写真", 6)
    ('véhicu… long', '戦…真')
    """
    if breadth(text) <= columns:
        return text
    end = (columns - 1) // 2
    return f"{_fitting(text, columns - 1 - end)}…{_fitting(text[::-1], end)[::-1]}"


def _fitting(text: Iterable[str], columns: int) -> str:
    """As much of the beginning of a text as fits."""
    fitting = ""
    for letter in text:
        columns -= _columns(letter)
        if columns < 0:
            break
        fitting += letter
    return fitting


def wrapped(text: str, columns: int, *, whole: bool = False) -> list[str]:
    """A text over as many lines as it takes; a word that is longer than a line loses its middle, or stays `whole`.

    >>> wrapped("label conflict", 8)
    ['label', 'conflict']
    """
    lines = [""]
    for word in text.split():
        word = word if whole else shortened(word, columns)
        if lines[-1] and breadth(f"{lines[-1]} {word}") > columns:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def frame(rows: "pd.DataFrame", forms: Forms, *, most: int | None = None, total: bool = False) -> str:
    """A table of pandas as text, see `table`; what was not measured stays empty.

    Args:
        rows: the table.
        forms: its columns that are shown, the one that names the rows first.
        most: rows that are shown; below them stands how many more there are. None shows all.
        total: the last row sums up the others, and is shown whatever their number.

    >>> frame(rows, {"label": ("class", NAME), "pictures": ("pictures", "{:,}")})  # doctest: +SKIP
    """
    if not len(rows):
        return "none"
    count = len(rows) - total
    shown = min(count, most or count)
    part = rows.iloc[[*range(shown), *range(count, len(rows))]]
    columns = [Column(head, [cell(one, form) for one in part[name]], form) for name, (head, form) in forms.items()]
    more = count - shown
    return table(columns) + (f"\n… and {more:,} more: see --json" if more else "")


def cell(value: object, form: str) -> str:
    """A value as text; what was not measured is empty.

    >>> cell(12345, "{:,}"), cell(float("nan"), "{:.1%}")
    ('12,345', '')
    """
    if value is None or value != value:  # NaN
        return ""
    return f"{value}" if form in (NAME, WORDS) else form.format(value)


def plain(text: str) -> str:
    """A text as a cell: in one line, without what moves the cursor, hashes as their first eight letters."""
    return HASH.sub(r"\1…", printable(" ".join(text.split())))


def table(columns: Sequence[Column], *, room: int | None = None) -> str:
    """Columns as text that is nowhere wider than the terminal.

    Names and long headings are shortened until all fit. Where they do not, the table goes on below, under its first
    column again.

    Args:
        columns: the first names the rows.
        room: columns of the terminal; None asks it.
    """
    room = room or width()
    key, *rest = [Column(plain(each.heading), [*map(plain, each.cells)], each.form) for each in columns]
    blocks, first = [[key]], key.least(room * 3 // 10)
    taken = first
    for column in rest:
        least = len(GAP) + column.least(room * 3 // 20)
        if taken + least > room and len(blocks[-1]) > 1:
            blocks.append([key])
            taken = first
        blocks[-1].append(column)
        taken += least
    return "\n\n".join(_block(block, _widths(block, room)) for block in blocks)


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """The width of each column: as wide as it likes, but for the widest ones, of which there is not room enough."""
    widths = [min(column.natural(), room) for column in columns]
    key, *rest = columns
    steps = [[column.natural(0) for column in columns]]  # first headings take more lines
    for part in (1, 2, room):  # then names are cut; in a narrow terminal more than that
        share = max(3, room * 3 // 20 // part)
        steps.append([key.least(2 * share), *(column.least(share) for column in rest)])
    for least in steps:
        while sum(widths) + len(GAP) * (len(columns) - 1) > room:
            spare = [(wide, place) for place, wide in enumerate(widths) if wide > least[place]]
            if not spare:
                break
            widths[max(spare)[1]] -= 1
    return widths


def _block(columns: Sequence[Column], widths: Sequence[int]) -> str:
    heads = [wrapped(column.heading, wide) for column, wide in zip(columns, widths, strict=True)]
    tall = max(map(len, heads))
    rows = [[[""] * (tall - len(head)) + head for head in heads]]
    rows += [list(map(_lines, row, columns, widths)) for row in zip(*(column.cells for column in columns), strict=True)]
    lines = [line for row in rows for line in zip_longest(*row, fillvalue="")]
    return "\n".join(GAP.join(map(_aligned, line, columns, widths)).rstrip() for line in lines)


def _lines(cell: str, column: Column, wide: int) -> list[str]:
    if column.form == WORDS:
        return wrapped(cell, wide)
    return [shortened(cell, wide) if column.form == NAME else cell]


def _aligned(cell: str, column: Column, wide: int) -> str:
    space = " " * (wide - breadth(cell))
    return cell + space if column.is_text else space + cell
