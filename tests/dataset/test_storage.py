"""The table of a dataset on disk: CSV or Parquet, a line for a change, and nothing believed of a stranger's files."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import cli, manifest, review
from toolkit.core import remote
from toolkit.dataset import parquet, storage
from toolkit.errors import DatasetError

pyarrow = pytest.importorskip("pyarrow", reason="no pyarrow: manifests as Parquet are not tested")
ODD = ("NA", "nan", "007", "", " ", "a,b", 'say "x"', "two\nlines", "a\rb", "é戦", "null", "1e5", "True", "\x00")


def row(number, **cells):
    label = ("cats", "dogs", "dogs")[number % 3]
    return {"path": f"raw/{label}/{number:04}.jpg", "label": label, "sha256": f"{number:064x}", "status": "ok", **cells}


def dataset(root, count=9, **cells):
    root.mkdir(exist_ok=True)
    return manifest.from_rows(root, [row(number, **cells) for number in range(count)]).save()


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(storage, "LARGE", 9)


@pytest.fixture
def pets(tmp_path, large):
    """A dataset of just so many pictures that it is a large one."""
    return dataset(tmp_path / "pets")


def files(root):
    return {file.name for file in root.iterdir()}


def lines(root):
    return [json.loads(line) for line in (root / storage.JOURNAL).read_bytes().splitlines()]


def same(one, other):
    pd.testing.assert_frame_equal(one.table, other.table)
    return True


# The base


@pytest.mark.parametrize(("count", "name"), [(8, "manifest.csv"), (9, "manifest.parquet")])
def test_a_table_is_csv_until_it_is_large(tmp_path, large, count, name):
    saved = dataset(tmp_path / "pets", count, sharpness=0.1 + 0.2, bytes=1 << 40, my_note=True)
    assert files(saved.root) == {name} and storage.base(saved.root).name == name
    assert same(saved, manifest.load(saved.root)) and manifest.load(saved.root).table["my_note"].all()


@pytest.mark.parametrize("root", ["small.tflite", "x" * 300, "null\0byte"])
def test_what_can_be_no_folder_holds_no_table(tmp_path, root):
    (tmp_path / "small.tflite").write_bytes(b"")
    assert storage.base(tmp_path / root) == tmp_path / root / "manifest.csv"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [1, 1 << 30])
def test_any_text_and_number_is_read_as_it_was_written(kind, monkeypatch):
    monkeypatch.setattr(storage, "LARGE", kind)
    numbers = st.tuples(st.floats(0, 1e9), st.integers(0, 1 << 40))

    @settings(max_examples=25, deadline=None)
    @given(texts=st.lists(st.sampled_from(ODD), min_size=3, max_size=3), numbers=numbers)
    def read_back(texts, numbers):
        cells = dict(zip(("reason", "title", "my_note"), [text.replace("\x00", "") for text in texts], strict=True))
        with tempfile.TemporaryDirectory() as folder:
            rows = [row(0, **cells, sharpness=numbers[0], bytes=numbers[1]), row(1, reason="x", my_note="y")]
            assert same(manifest.from_rows(Path(folder), rows).save(), manifest.load(folder))

    read_back()


def test_what_is_no_text_and_no_number_is_stored_as_text(tmp_path, large):
    table = dataset(tmp_path / "pets").assign(mixed=[1, "a", None, 2.5, *range(5)], day=pd.Timestamp("2026-11-30"))
    read = manifest.load(table.save().root).table
    assert list(read["mixed"])[:4] == ["1", "a", "", "2.5"] and set(read["day"]) == {"2026-11-30"}


def test_an_older_table_of_many_rows_opens_as_before_and_is_packed_by_the_next_stage(tmp_path, monkeypatch):
    old = dataset(tmp_path / "pets", 20)
    monkeypatch.setattr(storage, "LARGE", 9)
    opened = manifest.load(old.root)
    assert same(opened, old) and files(old.root) == {"manifest.csv"}
    stage = opened.assign(sharpness=np.arange(20) / 3).save()
    assert files(old.root) == {"manifest.parquet"} and same(manifest.load(old.root), stage)


def test_a_large_table_stays_packed_when_the_limit_changes(pets, monkeypatch):
    monkeypatch.setattr(storage, "LARGE", 1000)
    pets.assign(title="x").save()
    assert files(pets.root) == {"manifest.parquet"} and set(manifest.load(pets.root).table["title"]) == {"x"}


def test_without_pyarrow_a_table_of_any_size_is_csv(tmp_path, large, monkeypatch):
    monkeypatch.setattr(storage.extras, "is_installed", lambda module: False)
    assert files(dataset(tmp_path / "pets").root) == {"manifest.csv"}


def test_a_packed_table_without_pyarrow_is_refused_with_what_to_install(pets, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DatasetError, match=r"expected pyarrow to read .*manifest.parquet.*\[large\]"):
        manifest.load(pets.root)


def test_a_large_dataset_is_one_wherever_datasets_are_looked_for(tmp_path, large, monkeypatch, capsys):
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    dataset(tmp_path / "data" / "pets")
    dataset(tmp_path / "data" / "few", 4)
    assert [folder.name for folder in manifest.datasets()] == ["few", "pets"]
    assert cli.main(["show", "nothing"]) == 2 and "there are: few, pets" in capsys.readouterr().err


def test_a_large_table_at_a_url_is_packed_whole(tmp_path, large):
    pytest.importorskip("upath")
    root = remote.path("memory://storage/pets")
    table = manifest.from_rows(root, [row(number) for number in range(9)]).save()
    changed = manifest.load(root).exclude([table.table["path"][4]], reason="a boat").save()
    assert same(manifest.load(root), changed) and changed.table["reason"][4] == "a boat"
    assert [(root / name).exists() for name in ("manifest.csv", "manifest.parquet", "manifest.jsonl")] == [0, 1, 0]
    (root / "manifest.csv").write_text(storage.as_csv(changed.table.assign(title="edited")))
    assert set(manifest.load(root).table["title"]) == {"edited"}
    manifest.load(root).save()
    assert not (root / "manifest.csv").exists() and set(manifest.load(root).table["title"]) == {"edited"}


# The journal


def test_a_change_is_one_line_whatever_the_size_of_the_table(tmp_path, large):
    sizes = set()
    for count in (9, 900):
        table = manifest.load(dataset(tmp_path / str(count), count).root)
        before = (table.root / "manifest.parquet").read_bytes()
        table = table.exclude([table.table["path"][7]], reason="a boat").save()
        first = (table.root / storage.JOURNAL).stat().st_size
        table.update({table.table["path"][8]: {"title": "t" * 10}}).save()
        assert (table.root / "manifest.parquet").read_bytes() == before and len(lines(table.root)) == 3
        sizes.add((first, (table.root / storage.JOURNAL).stat().st_size))
    assert len(sizes) == 1


def steps(table):
    """What people and stages do, in an order in which later ones change what earlier ones did."""
    paths = list(table.table["path"])
    yield lambda now: now.exclude(paths[1:3], reason="a boat")
    yield lambda now: manifest.merge(now, [row(77, title="new"), {"path": "raw/cows/1.jpg", "label": "cows"}])
    yield lambda now: now.include(paths[2:3])
    yield lambda now: review.relabel(now, ["raw/cows/1.jpg"], "dogs", reason="seen")
    yield lambda now: now.update({"raw/cows/1.jpg": {"status": "ok", "width": 7, "sharpness": 2}})
    yield lambda now: now.assign(split=["train", "val"] * 5 + ["test"])
    yield lambda now: now.update({path: {"label": "", "class_index": -1, "sharpness": 0.1} for path in paths[:2]})
    yield lambda now: manifest.merge(now, [{"path": "raw/cows/0.jpg", "label": "cows", "rating": 5}])
    yield lambda now: review.undo(now, ["raw/cows/1.jpg"])
    yield lambda now: now


@pytest.mark.slow
def test_the_table_is_the_same_as_if_it_were_written_whole_each_time(tmp_path, monkeypatch):
    (tmp_path / "csv").mkdir()
    here, there = (manifest.from_rows(tmp_path / name, [row(n) for n in range(9)]) for name in ("csv", "parquet"))
    (tmp_path / "parquet").mkdir()
    kept = []
    for step in ("begin", *steps(here)):
        for one in (here, there):
            monkeypatch.setattr(storage, "LARGE", 1 if one is there else 100)
            one.save() if step == "begin" else step(manifest.load(one.root)).save()
        table, packed = (manifest.load(one.root).table for one in (here, there))
        columns = [name for name in table if name != "rating"]
        pd.testing.assert_frame_equal(table[columns], packed[columns])
        kept.append((tmp_path / "parquet" / storage.JOURNAL).exists())
    assert kept == [False, True, True, True, True, True, False, True, False, True, True]


def test_a_stage_folds_the_journal_in(pets):
    changed = pets.exclude([pets.table["path"][3]], reason="a boat").save()
    stage = changed.assign(sharpness=1.5).save()
    assert files(pets.root) == {"manifest.parquet"} and same(manifest.load(pets.root), stage)
    assert stage.table["reason"][3] == "a boat"


def test_a_journal_that_has_grown_long_is_folded_in(pets, monkeypatch):
    monkeypatch.setattr(storage, "LONGEST", 300)
    table, sizes = pets, []
    for number in range(5):
        table = table.update({table.table["path"][number]: {"title": "t" * 40}}).save()
        sizes.append(table.stamp.journal)
    assert sizes[0] < sizes[1] < sizes[2] and 0 in sizes and same(manifest.load(pets.root), table)


def test_the_lines_of_a_base_that_is_gone_are_not_replayed(pets):
    path = pets.table["path"][3]
    changed = pets.exclude([path], reason="a boat").save()
    journal = (pets.root / storage.JOURNAL).read_bytes()
    stage = changed.include([path]).assign(title="later").save()
    (pets.root / storage.JOURNAL).write_bytes(journal)  # killed after the base was written and before this was removed
    assert same(manifest.load(pets.root), stage)
    changed = manifest.load(pets.root).update({path: {"reason": "x"}}).save()
    assert same(manifest.load(pets.root), changed) and changed.table["reason"][3] == "x"


@pytest.mark.parametrize("torn", [b'{"set": {"raw/dogs/000', b"\xff\xfe", b'{"set": {}, "add": []}'])
def test_a_line_torn_by_a_crash_is_cut_off(pets, torn):
    path, other = pets.table["path"][3:5]
    changed = pets.exclude([path], reason="a boat").save()
    with (pets.root / storage.JOURNAL).open("ab") as journal:
        journal.write(torn)
    assert same(manifest.load(pets.root), changed)
    later = manifest.load(pets.root).update({other: {"title": "t"}}).save()
    assert same(manifest.load(pets.root), later) and len(lines(pets.root)) == 3


POISON = [
    "{}",
    "[]",
    "7",
    "null",
    "[" * 100_000,
    '{"set": 7, "add": []}',
    '{"set": {"raw/none.jpg": {"status": "ok"}}, "add": []}',
    '{"set": {"PATH": {"no such column": "x"}}, "add": []}',
    '{"set": {"PATH": {"width": "wide"}}, "add": []}',
    '{"set": {"PATH": {"width": 1e999}}, "add": []}',
    '{"set": {"PATH": {"width": 99999999999999999999999}}, "add": []}',
    '{"set": {"PATH": {"reason": ["x"]}}, "add": []}',
    '{"set": {"PATH": {"reason": null}}, "add": []}',
    '{"set": {"PATH": {"label": "../../x"}}, "add": []}',
    '{"set": {"PATH": {"status": "removed"}}, "add": []}',
    '{"set": {"PATH": {"split": "all"}}, "add": []}',
    '{"set": {"PATH": {"path": "raw/../../../etc/passwd"}}, "add": []}',
    '{"set": {}, "add": [{"path": "raw/../../x.jpg", "label": "dogs", "class_index": 1}]}',
    '{"set": {}, "add": [{"path": "raw/.git/x.jpg", "label": "dogs", "class_index": 1}]}',
    '{"set": {}, "add": [{"path": "PATH", "label": "dogs", "class_index": 1}]}',
    '{"set": {}, "add": [{"label": "dogs"}]}',
    '{"set": {}, "add": [{"path": 7, "label": "dogs", "class_index": 1}]}',
]


@pytest.mark.parametrize("line", POISON)
def test_a_line_that_is_no_change_or_a_hostile_one_is_refused_in_words(pets, line):
    path = pets.table["path"][3]
    pets.exclude([path]).save()
    with (pets.root / storage.JOURNAL).open("a") as journal:
        journal.write(line.replace("PATH", path) + "\n")
    with pytest.raises(DatasetError, match="expected"):
        manifest.load(pets.root)


def test_a_disk_that_is_full_keeps_what_was_there(pets, monkeypatch):
    changed = pets.exclude([pets.table["path"][3]], reason="a boat").save()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            changed.update({pets.table["path"][4]: {"title": "t" * 9}}).save()
    again = manifest.load(pets.root).update({pets.table["path"][4]: {"title": "u"}}).save()
    assert same(manifest.load(pets.root), again) and again.table["reason"][3] == "a boat"


# CSV as a way in and out


def test_an_export_that_nobody_edits_is_not_read_and_gone_with_the_next_change(pets, capsys):
    assert cli.main(["show", str(pets.root), "--no-sheets", "--csv"]) == 0
    csv = pets.root / "manifest.csv"
    assert capsys.readouterr().out.splitlines()[-1] == str(csv) and storage.base(pets.root).name == "manifest.parquet"
    assert csv.read_text() == storage.as_csv(pets.table)
    manifest.load(pets.root).exclude([pets.table["path"][0]]).save()
    assert not csv.exists()


def test_an_export_holds_what_the_journal_says(pets):
    changed = pets.exclude([pets.table["path"][3]], reason="a boat").save()
    assert storage.export(pets.root).read_text() == storage.as_csv(changed.table)


def test_an_edited_csv_takes_the_place_of_the_packed_table(pets):
    changed = pets.exclude([pets.table["path"][3]], reason="a boat").save()
    csv = storage.export(pets.root)
    csv.write_text(csv.read_text().replace("a boat", "a ship"))
    read = manifest.load(pets.root)
    assert read.table["reason"][3] == "a ship"
    stage = changed.assign(title="t").save()  # which had begun before
    assert (stage.table["reason"][3], set(stage.table["title"])) == ("a ship", {"t"})
    assert files(pets.root) == {"manifest.parquet"} and same(manifest.load(pets.root), stage)


def test_a_csv_is_checked_however_the_table_was_stored(pets):
    csv = storage.export(pets.root)
    csv.write_text(csv.read_text().replace(pets.table["path"][0], "raw/../../../etc/passwd"))
    with pytest.raises(DatasetError, match="expected paths of pictures"):
        manifest.load(pets.root)


def test_the_csv_of_a_small_dataset_is_what_it_is(tmp_path, capsys):
    table = dataset(tmp_path / "pets")
    before = (table.root / "manifest.csv").read_bytes()
    assert storage.export(table.root).read_bytes() == before


# Files of strangers


def packed(root, table, **options):
    pyarrow.parquet.write_table(table, root / "manifest.parquet", **options)


def columns(table, **others):
    return pyarrow.table({**{name: table.table[name].tolist() for name in table.table}, **others})


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("path", "raw/../../../../etc/passwd", "expected paths of pictures"),
        ("path", "/etc/passwd", "expected paths of pictures"),
        ("path", "raw/dogs/.hidden/x.jpg", "expected paths of pictures"),
        ("path", "raw/dogs/\\x.jpg", "expected paths of pictures"),
        ("path", "raw/dogs/", "expected paths of pictures"),
        ("path", "raw//x.jpg", "expected paths of pictures"),
        ("path", "raw/dogs/..", "expected paths of pictures"),
        ("path", "raw/x\x00.jpg", "expected paths of pictures"),
        ("label", "../../dogs", "label that can name a folder"),
        ("status", "removed", "expected status"),
        ("split", "all", "expected split"),
    ],
)
def test_the_cells_of_a_packed_table_are_checked_as_those_of_csv_are(pets, column, value, words):
    cells = [value, *pets.table[column][1:]]
    if column == "label":
        cells = [value if label == "cats" else label for label in pets.table["label"]]
    packed(pets.root, columns(pets, **{column: cells}))
    with pytest.raises(DatasetError, match=words):
        manifest.load(pets.root)


@pytest.mark.parametrize(
    "odd",
    [
        {"width": ["wide"] * 9},
        {"width": [1e300] * 9},
        {"my_note": [["a", "list"]] * 9},
        {"my_note": [{"a": 1}] * 9},
        {"my_note": [b"bytes"] * 9},
    ],
)
def test_a_packed_table_of_other_kinds_is_refused_in_words(pets, odd):
    packed(pets.root, columns(pets, **odd))
    with pytest.raises(DatasetError, match="expected a readable table in .*manifest.parquet"):
        manifest.load(pets.root)


def test_a_packed_table_of_somebody_else_is_read(pets):
    table = columns(pets).drop_columns(["title", "mark"]).append_column("mine", [list("abcdefghi")])
    packed(pets.root, table.select(table.column_names[::-1]), compression="none", use_dictionary=False)
    (pets.root / storage.JOURNAL).unlink(missing_ok=True)
    read = manifest.load(pets.root)
    assert list(read.table["mine"]) == list("abcdefghi") and set(read.table["mark"]) == {0}
    changed = read.exclude([read.table["path"][2]], reason="a boat").save()
    assert same(manifest.load(pets.root), changed)


@pytest.mark.parametrize(
    "damage", [lambda it: b"", lambda it: it[:-9], lambda it: b"x" * 99, lambda it: it[: len(it) // 2]]
)
def test_a_damaged_packed_table_is_refused_in_words(pets, damage):
    file = pets.root / "manifest.parquet"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DatasetError, match="expected a readable table in .*manifest.parquet"):
        manifest.load(pets.root)


FLIPS = """
import sys
from pathlib import Path
import numpy as np
from toolkit import manifest
from toolkit.errors import DatasetError
file, rng = Path(sys.argv[1], "manifest.parquet"), np.random.default_rng(3)
content = file.read_bytes()
for _ in range(150):
    broken = bytearray(content)
    for place in rng.integers(0, len(content), 3):
        broken[place] ^= 1 << int(rng.integers(8))
    file.write_bytes(bytes(broken))
    try:
        manifest.load(file.parent)
    except DatasetError as error:
        assert str(error).startswith("expected")
"""


@pytest.mark.slow
def test_flipped_bits_end_in_a_table_or_in_words(pets):
    done = subprocess.run([sys.executable, "-c", FLIPS, str(pets.root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_a_text_that_stands_for_millions_of_cells_is_refused_before_it_is_expanded(pets):
    count = 1_000_000
    cell = pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(count, np.int32)), pyarrow.array(["x" * 100_000]))
    names = pyarrow.array([f"raw/dogs/{number}.jpg" for number in range(count)])
    packed(pets.root, pyarrow.table({"path": names, "reason": cell}))
    assert (pets.root / "manifest.parquet").stat().st_size < 10 << 20
    with pytest.raises(DatasetError, match=r"in memory, got 1\d\d,\d\d\d,\d\d\d,\d\d\d"):
        manifest.load(pets.root)


def test_more_rows_and_columns_than_the_bytes_allow_are_refused(pets, monkeypatch):
    monkeypatch.setattr(parquet, "SPARED", 0)
    count = 300_000
    zeros = {f"n{number}": np.zeros(count, np.int64) for number in range(40)}
    packed(pets.root, pyarrow.table({"path": [""] * count, **zeros}))
    assert (pets.root / "manifest.parquet").stat().st_size < 40 * count * 8 / parquet.EXPANSION
    with pytest.raises(DatasetError, match="expected at most 256 times its .* bytes in memory, got 98,400,000"):
        manifest.load(pets.root)


def test_a_journal_that_is_a_link_is_not_written_through(pets, tmp_path):
    changed = pets.exclude([pets.table["path"][3]]).save()
    content = (pets.root / storage.JOURNAL).read_bytes()
    outside = tmp_path / "thesis.txt"
    outside.write_bytes(content)
    (pets.root / storage.JOURNAL).unlink()
    (pets.root / storage.JOURNAL).symlink_to(outside)
    with pytest.raises(DatasetError, match="link"):
        manifest.load(pets.root)
    with pytest.raises(DatasetError, match="link"):
        changed.update({pets.table["path"][4]: {"title": "t"}}).save()
    assert outside.read_bytes() == content
