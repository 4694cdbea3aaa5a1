"""What a stage writes goes into the table as it is by then: no mark and no row of anybody else is lost."""

import threading

import pytest
from helpers import tiny_dataset

from toolkit import manifest, review, verify
from toolkit.dataset import storage
from toolkit.errors import DatasetError


@pytest.fixture(params=["csv", "parquet"])
def pets(tmp_path, request, monkeypatch):
    """A dataset that is written whole for each change, and one that has a line added."""
    if request.param == "parquet":
        pytest.importorskip("pyarrow", reason="no pyarrow: manifests as Parquet are not tested")
        monkeypatch.setattr(storage, "LARGE", 1)
    return verify.check(tiny_dataset(tmp_path / "pets", per_class=4)).save()


def cells(root, path):
    return manifest.load(root).table.set_index("path").loc[path]


def test_a_stage_does_not_undo_what_a_person_said_while_it_ran(pets):
    first, second = pets.table["path"][0], pets.table["path"][5]
    begun = manifest.load(pets.root)
    review.exclude(pets, [first], reason="a boat")
    review.relabel(manifest.load(pets.root), [second], "cars")
    saved = begun.assign(status="poor quality", reason="dark", sharpness=1.5, label=begun.table["label"]).save()
    assert tuple(cells(pets.root, first)[["status", "reason", "reviewed", "sharpness"]]) == (
        *("excluded", "a boat", "exclude"),
        1.5,
    )
    assert tuple(cells(pets.root, second)[["label", "reviewed", "sharpness"]]) == ("cars", "label", 1.5)
    assert set(saved.table["status"]) == {"excluded", "poor quality", "ok"}  # what it gives back is what is on disk
    assert saved.table.equals(manifest.load(pets.root).table)


def test_an_exclusion_without_a_journal_stays_as_well(pets):
    path, begun = pets.table["path"][0], manifest.load(pets.root)
    manifest.load(pets.root).exclude([path], reason="a boat").save()
    begun.assign(status="ok", reason="fine").save()
    assert tuple(cells(pets.root, path)[["status", "reason"]]) == ("excluded", "a boat")


def test_two_stages_write_their_own_columns(pets):
    one, other = manifest.load(pets.root), manifest.load(pets.root)
    one.assign(split=["train", "val"] * 4).save()
    other.assign(group="g1").update({pets.table["path"][2]: {"enlarged": 2.5}}).save()
    table = manifest.load(pets.root).table
    assert list(table["split"]) == ["train", "val"] * 4
    assert set(table["group"]) == {"g1"} and list(table["enlarged"]) == [0, 0, 2.5, 0, 0, 0, 0, 0]


def test_only_the_cells_that_were_changed_are_written(pets):
    first, second = pets.table["path"][:2]
    one, other = manifest.load(pets.root), manifest.load(pets.root)
    one.update({first: {"status": "failed", "reason": "one"}}).save()
    other.update({second: {"status": "failed", "reason": "other"}}).save()
    assert list(manifest.load(pets.root).table["reason"])[:3] == ["one", "other", ""]


@pytest.mark.parametrize("column", ["split", "group"])
def test_columns_that_hold_together_are_never_mixed(pets, column):
    names = ["train", "val", "test", "train"]
    one, other = manifest.load(pets.root), manifest.load(pets.root)
    one.assign(**{column: names * 2}).save()
    mine = ["", "val", "", "test"] * 2  # two of these four are as they were
    other.assign(**{column: mine}).save()
    assert list(manifest.load(pets.root).table[column]) == mine


def test_rows_that_came_meanwhile_stay_and_new_ones_are_added(pets):
    one, other = manifest.load(pets.root), manifest.load(pets.root)
    manifest.merge(one, [{"path": "raw/cars/new.png", "label": "cars"}]).save()
    manifest.merge(other, [{"path": "raw/tanks/new.png", "label": "tanks"}]).assign(group="x").save()
    table = manifest.load(pets.root).table.set_index("path")
    assert len(table) == 10 and set(table["group"]) == {"x", ""}
    assert table.loc["raw/cars/new.png", "group"] == ""


def test_a_column_of_ones_own_is_added(pets):
    one, other = manifest.load(pets.root), manifest.load(pets.root)
    one.assign(rating=range(8)).save()
    other.assign(note=["a"] * 8).save()
    table = manifest.load(pets.root).table
    assert list(table["rating"]) == list(range(8)) and set(table["note"]) == {"a"}


def test_a_table_that_was_not_read_is_saved_as_it_is(pets):
    pets.assign(group="x").save()
    fresh = manifest.from_rows(pets.root, [{"path": "raw/cars/1.png", "label": "cars"}])
    fresh.save()
    assert len(manifest.load(pets.root)) == 1


def test_a_chain_of_changes_remembers_what_was_read(pets):
    path, begun = pets.table["path"][0], manifest.load(pets.root)
    review.exclude(pets, [path])
    changed = begun.assign(status="failed").assign(status="ok").update({path: {"reason": "x"}})
    assert cells(changed.save().root, path)["reason"] == "taken out by hand"


@pytest.mark.slow
def test_many_writers_at_once_lose_nothing(pets):
    paths = list(pets.table["path"])

    def write(path):
        manifest.load(pets.root).update({path: {"title": path[-9:]}}).save()

    threads = [threading.Thread(target=write, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    table = manifest.load(pets.root).table
    assert list(table["title"]) == [path[-9:] for path in paths]


# Marks


def test_the_same_command_after_one_that_was_cut_off_makes_no_second_mark(pets, monkeypatch):
    path = pets.table["path"][0]
    for act, expected in (
        (lambda: review.relabel(manifest.load(pets.root), [path], "tanks"), ("tanks", "relabelled by hand, was cars")),
        (lambda: review.undo(manifest.load(pets.root), [path]), ("cars", "")),
        (lambda: review.exclude(manifest.load(pets.root), [path], reason="a boat"), ("cars", "a boat")),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(manifest.Manifest, "save", lambda self: (_ for _ in ()).throw(OSError(28, "full")))
            with pytest.raises(OSError, match="full"):
                act()
        act()
        assert tuple(cells(pets.root, path)[["label", "reason"]]) == expected
    lines = (pets.root / "review.jsonl").read_text().splitlines()
    assert len(lines) == 3


@pytest.mark.slow
def test_the_same_mark_again_is_none_and_another_reason_is_one(pets):
    path, other = pets.table["path"][:2]

    def marks():
        return len((pets.root / "review.jsonl").read_text().splitlines())

    for reason, count in (("a boat", 1), ("a boat", 1), ("a ship", 2), ("a ship", 2)):
        review.exclude(manifest.load(pets.root), [other], reason=reason)
        assert marks() == count and cells(pets.root, other)["reason"] == reason
    for label, reason, count in (
        ("tanks", "", 3),
        ("tanks", "", 3),
        ("cars", "", 4),
        ("cars", "seen", 5),
        ("cars", "seen", 5),
    ):
        review.relabel(manifest.load(pets.root), [path], label, reason=reason)
        assert marks() == count and cells(pets.root, path)["label"] == label
    for count in (6, 7):  # to undo once more is another one
        review.undo(manifest.load(pets.root), [path])
        assert marks() == count


POISON = [
    "{}",
    "[]",
    "7",
    '{"number": 1, "id": "a", "path": "raw/a/1.png", "mark": "label", "changes": {"label": "../../x"}, "before": {}}',
    '{"number": 1, "id": "a", "path": "raw/a/1.png", "mark": "label", "changes": {"path": "/etc"}, "before": {}}',
    '{"number": 1e999, "id": "a", "path": "x", "mark": "undo", "of": "b"}',
    '{"number": 1, "id": "a", "path": "x", "mark": "undo", "of": "b"}',
    '{"number": 99999999999999999999999, "id": "a", "path": "x", "mark": "keep", "changes": {}, "before": {}}',
    "[" * 100_000,
]


@pytest.mark.parametrize("line", POISON)
def test_a_journal_with_a_line_that_is_no_mark_is_refused_in_words(pets, line):
    (pets.root / "review.jsonl").write_text(line + "\n")
    with pytest.raises(DatasetError, match="expected marks in .*review.jsonl"):
        review.exclude(pets, [pets.table["path"][0]])
