"""What changed between two states of a dataset, batch by batch."""

import json

import pytest
from helpers import fake_table

from toolkit import manifest
from toolkit.dataset import changes
from toolkit.errors import DatasetError


@pytest.fixture
def table(tmp_path):
    rows = [("cars", "")] * 6 + [("tanks", "")] * 4
    table = fake_table(tmp_path / "pets", rows).assign(source="folder", source_id="old/x.jpg@1")
    return table.assign(split=["train"] * 8 + ["test"] * 2)


def marked(table, *marks):
    """A journal of (minute, path) marks."""
    table.root.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"number": number, "at": f"2026-11-{day:02}T10:{minute:02}:00+00:00", "path": path, "mark": "label"})
        for number, (day, minute, path) in enumerate(marks)
    ]
    (table.root / changes.MARKS).write_text("\n".join(lines) + "\n{torn")


def path(label, number):
    return f"raw/{label}/{number:05}.jpg"


def test_nothing_changed_is_no_row(table):
    assert len(changes.between(changes.noted(table), table)) == 0


def test_every_kind_of_change_is_told_with_what_was_there_before(table):
    before = changes.noted(table)
    new = [{"path": f"raw/cars/new{n}.jpg", "label": "cars", "sha256": f"n{n}", "status": "ok"} for n in range(2)]
    new = [{**row, "source": "reddit"} for row in new] + [{**new[0], "path": "raw/cars/no.jpg", "status": "excluded"}]
    now = manifest.merge(table, new).update(
        {
            path("cars", 0): {"label": "tanks", "class_index": 1},
            path("cars", 1): {"status": "excluded", "reason": "taken out by hand: a toy"},
            path("tanks", 9): {"split": "train"},
        }
    )
    found = changes.between(before, now).set_index("path")
    assert dict(found["change"]) == {
        path("cars", 0): "relabelled",
        path("cars", 1): "taken out",
        "raw/cars/new0.jpg": "added",
        "raw/cars/new1.jpg": "added",
        path("tanks", 9): "moved",
    }
    assert tuple(found.loc[path("cars", 0), ["was", "label"]]) == ("cars", "tanks")
    assert tuple(found.loc[path("cars", 1), ["was", "label"]]) == ("cars", "")
    assert tuple(found.loc[path("tanks", 9), ["was", "label"]]) == ("test", "train")
    assert set(found["batch"]) == {
        "relabelled by hand",
        "taken out: taken out by hand: a toy",
        "added from reddit",
        "moved to another split",
    }
    told = changes.counts(found.reset_index())
    assert list(told.iloc[0]) == ["added from reddit", 2, 0, 0, 0, 2]


def test_marks_of_one_sitting_are_a_batch_and_half_an_hour_ends_it(table):
    marked(
        table, (12, 0, path("cars", 0)), (12, 29, path("cars", 1)), (12, 59, path("cars", 2)), (13, 30, path("cars", 3))
    )
    now = table.update({path("cars", n): {"label": "tanks", "class_index": 1} for n in range(5)})
    batches = changes.between(changes.noted(table), now).set_index("path")["batch"]
    assert batches[path("cars", 0)] == batches[path("cars", 2)] == "marked on 12 Nov 2026 at 10:00"
    assert batches[path("cars", 3)] == "marked on 13 Nov 2026 at 10:30"
    assert batches[path("cars", 4)] == "relabelled by hand"


def test_a_mark_of_many_pictures_is_in_the_batch_of_its_sitting_with_all_of_them(table):
    marked(table, (12, 0, path("cars", 0)))
    several = {"at": "2026-11-12T10:10:00", "mark": "relabel", "rows": [{"path": path("cars", n)} for n in (1, 2)]}
    with (table.root / changes.MARKS).open("a") as file:
        file.writelines(f"\n{json.dumps(line)}" for line in (several, {"at": several["at"], "rows": [3]}))
    now = table.update({path("cars", n): {"label": "tanks", "class_index": 1} for n in range(4)})
    batches = changes.between(changes.noted(table), now).set_index("path")["batch"]
    assert [batches[path("cars", n)] for n in range(3)] == 3 * ["marked on 12 Nov 2026 at 10:00"]
    assert batches[path("cars", 3)] == "relabelled by hand"


def test_a_picture_that_gets_a_label_is_added_and_one_that_loses_it_taken_out(table):
    waiting = table.update({path("cars", 0): {"label": "", "class_index": -1}})
    (added,) = changes.between(changes.noted(waiting), table).itertuples()
    assert (added.path, added.change, added.label) == (path("cars", 0), "added", "cars")
    (lost,) = changes.between(changes.noted(table), waiting).itertuples()
    assert (lost.change, lost.batch) == ("taken out", "taken out: its label was taken back")


def test_the_values_of_a_column_can_be_the_batches(table):
    before = changes.noted(table)
    now = table.assign(creator=["Ann", "", *["Bob"] * 8])
    now = now.update({path("cars", n): {"label": "tanks", "class_index": 1} for n in range(3)})
    assert list(changes.between(before, now, by="creator")["batch"]) == [
        "creator Ann",
        "creator not known",
        "creator Bob",
    ]
    with pytest.raises(ValueError, match="expected one of the columns path, .*, got 'camera'"):
        changes.between(before, now, by="camera")


def test_an_earlier_state_is_read_from_a_manifest_or_from_what_a_run_noted(table):
    kept = table.update({path("cars", 0): {"status": "excluded"}})
    kept.root.mkdir(parents=True, exist_ok=True)
    kept.save()
    changes.noted(kept).to_csv(kept.root / "pictures.csv", index=False)
    for name in (manifest.FILE, "pictures.csv"):
        found = changes.between(changes.earlier(kept.root / name), table)
        assert list(found["change"]) == ["added"] and list(found["path"]) == [path("cars", 0)]
    (kept.root / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="expected the columns path, sha256, label, split in .*, missing path"):
        changes.earlier(kept.root / "other.csv")
    with pytest.raises(DatasetError, match="expected a manifest.csv or a pictures.csv at"):
        changes.earlier(kept.root / "nothing.csv")


def test_a_picture_that_is_no_longer_in_the_manifest_was_taken_out(table):
    found = changes.between(changes.noted(table), table.where(label="tanks"))
    assert set(found["change"]) == {"taken out"} and set(found["batch"]) == {"no longer in the manifest"}
