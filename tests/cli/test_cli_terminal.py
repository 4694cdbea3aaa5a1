"""What the verbs print holds in a terminal of 80 columns, whatever classes, networks and pictures are called."""

import os
import re
import subprocess
import sys
import unicodedata

import numpy as np
import pandas as pd
import pytest

from toolkit.cli import main, tables, terminal
from toolkit.cli.terminal import Column
from toolkit.core.headings import COUNT, NAME, SHARE, WORDS
from toolkit.evaluation.evaluate import Report

HASH = "0123456789abcdef" * 4
NASTY = {
    "long": "véhicule_blindé_de_combat_d'infanterie_à_très_long_nom_{:03}",
    "chinese": "戦車と装甲車両の写真とても長い名前{:03}号",
    "digits": "{}",
    "hashes": "raw/tanks/" + HASH + "{:03}.jpg",
    "words": "two  words\tand\na line {:03}",
    "combining": "cafe\u0301\u200b {:03}",
    "hostile": "cars\x1b[2J\u202e{:03}",
}


def breadth(text):
    """Columns of a terminal that a text takes."""
    unseen = [letter for letter in text if unicodedata.category(letter) in ("Mn", "Me", "Cf")]
    wide = [letter for letter in text if unicodedata.east_asian_width(letter) in ("W", "F")]
    return len(text) - len(unseen) + len(wide)


def holds(text, room=80):
    """Whether no line is wider than the terminal."""
    return max(map(breadth, text.split("\n"))) <= room


def cells(text):
    """The cells of every row that has all of them."""
    return [re.split(r" {2,}", line.strip()) for line in text.split("\n")]


@pytest.fixture(autouse=True)
def eighty(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def report():
    """Takes classes, and how many of the pictures of each are taken for the next class."""

    def made(names, wrong):
        rows = []
        for place, name in enumerate(names):
            other = names[(place + 1) % len(names)]
            rows += [(f"{name}/{number}", name, other if number < wrong[place] else name) for number in range(5)]
        table = pd.DataFrame(rows, columns=["path", "label", "predicted"]).assign(probability=0.9)
        chances = {f"p_{name}": np.where(table["predicted"] == name, 0.9, 0.1) for name in names}
        return Report("net", tuple(names), pd.concat([table, pd.DataFrame(chances)], axis=1))

    return made


def comparison(names):
    """A comparison as `compare.table` gives it, with the widest numbers there are."""
    row = dict.fromkeys(tables.MEASURES, 1.0) | {"pictures": 1_234_567, "parameters": 1_234_567_890, "size": 224}
    row |= {"start": "xception_imagenet_no_top.weights.h5", "memory": float("nan"), "milliseconds": 12_345.6}
    return pd.DataFrame([row] * len(names), index=pd.Index(names, name="run"))


@pytest.mark.parametrize("room", [40, 80, 200])
@pytest.mark.parametrize("kind", NASTY)
def test_a_table_of_any_names_is_as_wide_as_the_terminal_at_most(kind, room):
    names = [NASTY[kind].format(number) for number in range(3)]
    columns = [
        Column("picture", names),
        Column("label", names),
        Column("predicted", names),
        Column("reason", names, WORDS),
    ]
    assert holds(terminal.table([*columns, Column("probability", ["0.001"] * 3, "{:.3f}")], room=room), room)


@pytest.mark.parametrize("count", [1, 3, 12])
@pytest.mark.parametrize("kind", NASTY)
def test_a_comparison_has_a_column_for_each_network_and_every_number_whole(kind, count):
    text = tables.side_by_side(comparison([NASTY[kind].format(number) for number in range(count)]))
    assert holds(text)
    for number in ("1,234,567,890", "1,234,567", "12,345.6", "100.0%"):
        assert text.split().count(number) == count * (3 + 1 if number == "100.0%" else 1)
    for line in text.split("\n"):
        assert len(re.findall(r"1,234,567,890", line)) <= 5


@pytest.mark.parametrize("kind", ["long", "chinese", "digits"])
def test_columns_are_at_least_two_spaces_apart(kind):
    names = [NASTY[kind].format(number) for number in range(4)]
    text = terminal.table([Column("class", names), Column("taken for", names), Column("of", ["1,234"] * 4, COUNT)])
    assert [len(row) for row in cells(text)] == [3] * 5


def test_numbers_end_in_one_column_and_names_begin_in_one():
    text = terminal.table([Column("class", ["戦車", "car"]), Column("pictures", ["7", "1,234"], COUNT)])
    assert text.split("\n") == ["class  pictures", "戦車          7", "car       1,234"]


def test_a_name_keeps_its_beginning_and_its_end():
    assert terminal.shortened("véhicule blindé très long", 12) == "véhicu… long"
    assert terminal.shortened("戦車の写真", 6) == "戦…真"
    assert terminal.shortened("tanks", 5) == "tanks"


def test_a_long_heading_takes_several_lines_before_a_name_is_cut():
    name = "x" * 68
    text = terminal.table([Column("class", [name]), Column("accepted, two labels", ["3"], COUNT)])
    assert name in text and holds(text)


def test_a_hash_is_told_by_eight_letters():
    assert terminal.plain(f"raw/cars/{HASH}.jpg") == "raw/cars/01234567….jpg"


def test_the_table_goes_on_below_with_the_names_of_the_rows():
    columns = [Column(f"network_number_{number}", ["0.5"], "{}") for number in range(9)]
    blocks = terminal.table([Column("", ["accuracy"]), *columns]).split("\n\n")
    assert len(blocks) > 1 and all("accuracy" in block for block in blocks)
    assert sum(block.count("0.5") for block in blocks) == 9


@pytest.mark.parametrize("kind", ["long", "chinese", "digits"])
@pytest.mark.parametrize("count", [2, 8, 10, 100])
def test_an_evaluation_holds_for_any_number_of_classes(kind, count, report):
    made = report([NASTY[kind].format(number) for number in range(count)], [2] * count)
    assert holds(tables.per_class(made)) and holds(tables.confusion(made))
    assert ("most confused" in tables.confusion(made)) == (count > 8)


def test_of_many_classes_the_worst_are_told_and_how_many_more_there_are(report):
    names = [f"c{number:02}" for number in range(40)]
    told = tables.per_class(report(names, [4 if number in (7, 9) else 1 for number in range(40)]))
    lines = told.split("\n")
    assert lines[0] == "the 15 worst of 40 classes" and lines[-1] == "… and 25 more: see --json"
    assert {line.split()[0] for line in lines[2:4]} <= {"c07", "c09", "c08", "c10"}
    assert len(lines) == 18


def test_a_class_without_test_pictures_is_not_among_the_worst(report):
    made = report([f"c{number:02}" for number in range(40)], [1] * 40)
    without = Report("net", (*made.classes, "none"), made.predictions.assign(p_none=0.0))
    assert "none" not in tables.per_class(without)


def test_the_most_confused_classes_come_with_how_often_and_of_how_many(report):
    made = report(list("abcdefghi"), [0, 3, 0, 1, 0, 0, 0, 0, 2])
    assert made.most_confused().to_numpy().tolist() == [["b", "c", 3, 5], ["i", "a", 2, 5], ["d", "e", 1, 5]]
    assert cells(tables.confusion(made))[2] == ["b", "c", "3", "5"]


def test_nobody_confused_is_none(report):
    assert tables.confusion(report(list("abcdefghi"), [0] * 9)) == "most confused\nnone"


def test_of_many_classes_the_smallest_are_counted_above_the_total():
    counts = pd.DataFrame({"ok": range(1000, 0, -1), "total": 1000}, index=[f"c{number}" for number in range(1000)])
    told = tables.counts_of(pd.concat([counts, counts.sum().to_frame("total").T])).split("\n")
    assert told[:2] == ["the 15 smallest of 1,000 classes", "class   in use      total"]
    assert told[2].split() == ["c999", "1", "1,000"]
    assert told[-2].split() == ["total", "500,500", "1,000,000"]
    assert told[-1] == "… and 985 more: see --json"


def test_levels_of_robustness_are_told_in_words_once():
    curve = pd.DataFrame({"disturbance": ["blur", "blur", "jpeg", "crop"], "level": [0.0, 4.0, 8.0, 1.0]})
    curves = {"a": curve.assign(accuracy=[0.9, 0.5, 0.25, 0.9]), "b": curve.head(2).assign(accuracy=[0.8, 0.4])}
    rows = cells(tables.robustness(curves))
    assert rows[1:] == [
        ["as they are", "90.0%", "80.0%"],
        ["blurred by 4 % of the side", "50.0%", "40.0%"],
        ["stored as JPEG of quality 8", "25.0%"],
    ]


def test_a_course_of_a_training_tells_shares_and_losses():
    rows = pd.DataFrame({"epoch": [1, 12], "loss": [0.69317, 0.5], "val_accuracy": [0.5, 0.9955]})
    assert cells(tables.history(rows))[1:] == [["1", "0.6932", "50.0%"], ["12", "0.5000", "99.6%"]]


def test_what_was_not_measured_is_empty_and_no_rows_are_none():
    forms = {"name": ("name", NAME), "share": ("share", SHARE)}
    table = pd.DataFrame({"name": ["a", None], "share": [float("nan"), 0.5]})
    assert [line.split() for line in terminal.frame(table, forms).split("\n")] == [["name", "share"], ["a"], ["50.0%"]]
    assert terminal.frame(table.head(0), forms) == "none"


def test_a_sentence_is_broken_between_words_in_a_terminal_alone(capsys, monkeypatch):
    sentence, path = "of pictures of nothing " * 6, "/data/" + "x" * 100
    terminal.say(f"  {sentence.strip()}")
    assert capsys.readouterr().out.count("\n") == 1
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    terminal.say(f"  {sentence.strip()}\n{path}")
    *told, last = capsys.readouterr().out.splitlines()
    assert last == path and holds("\n".join(told)) and " ".join(told).split() == sentence.split()
    assert all(
        line.startswith("  of") or line.startswith("  pictures") or line.startswith("  nothing") for line in told
    )


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["evaluate", "compare", "failures", "quality"])
def test_a_verb_prints_nothing_wider_than_the_terminal(verb, run, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main([verb, "pets"]) == 0
    said = capsys.readouterr().out
    assert not re.search(r"[0-9a-f]{20}", said)
    assert holds("\n".join(line for line in said.splitlines() if "/" not in line or "  " in line))


BAR = """
import sys, time
from toolkit.cli import terminal
from toolkit.core import parallel
bar = parallel.progress(range(3), description="train vgg", unit=" epochs")
for number in bar:
    time.sleep(0.15)
    terminal.say(f"fold {number} of 3: 93.3%")
    terminal.say(f"warning {number}", error=True)
"""


def on_screen(program):
    """The lines that stand in a terminal of 80 columns when a program has ended."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 80))
    environment = {**os.environ, "COLUMNS": "80", "TOOLKIT_PROGRESS": "1"}
    done = subprocess.Popen([sys.executable, "-c", program], stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    written = b""
    while chunk := _read(leader):
        written += chunk
    assert done.wait() == 0
    return written.decode(), _drawn(written.decode())


def _read(leader):
    try:
        return os.read(leader, 65536)
    except OSError:  # Linux's way of saying that the other side was closed
        return b""


def _drawn(text):
    lines, column = [[]], 0
    for letter in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text):
        if letter == "\r":
            column = 0
        elif letter == "\n":
            lines, column = [*lines, []], 0
        else:
            lines[-1][column:] = [*[" "] * (column - len(lines[-1])), letter, *lines[-1][column + 1 :]]
            column += 1
    return ["".join(line).rstrip() for line in lines]


def test_what_is_said_under_a_progress_bar_is_not_torn():
    written, lines = on_screen(BAR)
    assert "train vgg" in written
    told = [line for number in range(3) for line in (f"fold {number} of 3: 93.3%", f"warning {number}")]
    assert [line for line in lines if line] == told


@pytest.mark.slow
def test_loading_tensorflow_is_said_in_a_terminal_and_erased():
    written, lines = on_screen("import toolkit.core.framework")
    assert "loading TensorFlow …" in written
    assert "".join(lines) == ""
