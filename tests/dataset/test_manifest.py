"""The table of a dataset: checked, kept, merged and read back as it was written."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toolkit import manifest
from toolkit.dataset import cells
from toolkit.errors import DatasetError

ODD = [
    "NA",
    "nan",
    "007",
    "",
    " ",
    "a,b",
    'say "x"',
    "two\nlines",
    "a\rb",
    "c\r\nd",
    "é戦",
    "null",
    "1e5",
    "True",
    "'",
    ";",
]
TEXT = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))


def row(label, name, **cells):
    return {"path": f"raw/{label}/{name}.jpg", "label": label, **cells}


@pytest.fixture
def pets(tmp_path):
    """Six pictures of cats and dogs."""
    rows = [row(label, number, sha256=f"{label}{number}") for label in ("dog", "cat") for number in range(3)]
    return manifest.from_rows(tmp_path / "pets", rows)


def same(one, other):
    pd.testing.assert_frame_equal(one.table, other.table)
    return True


# Reading and writing


CELLS = st.tuples(TEXT, TEXT, TEXT, st.floats(0, 1e9), st.integers(0, 1 << 40))


@pytest.mark.parametrize("count", [8, pytest.param(60, marks=pytest.mark.slow)])
def test_a_manifest_is_read_as_it_was_written(count):
    @settings(max_examples=count)
    @given(cells=st.lists(CELLS, min_size=1, max_size=5))
    @example(cells=[(text, text, text, 0.1 + 0.2, 7) for text in ODD])
    def read_back(cells):
        rows = [
            row("cars", number, reason=reason, source_id=source, url=url, sharpness=sharpness, bytes=size, my_note="x")
            for number, (reason, source, url, sharpness, size) in enumerate(cells)
        ]
        with tempfile.TemporaryDirectory() as folder:
            written = manifest.from_rows(Path(folder), rows).save()
            assert same(written, manifest.load(folder))

    read_back()


def test_what_was_saved_twice_has_the_same_bytes(pets):
    pets.save()
    first = (pets.root / manifest.FILE).read_bytes()
    manifest.load(pets.root).save()
    assert (pets.root / manifest.FILE).read_bytes() == first


def test_labels_that_look_like_numbers_stay_text(tmp_path):
    manifest.from_rows(tmp_path, [row("007", 1), row("NA", 1), row("1.0", 1)]).save()
    assert manifest.load(tmp_path).classes == ("007", "1.0", "NA")


def test_a_row_that_says_little_gets_empty_cells(pets):
    first = pets.table.iloc[0]
    assert {column: first[column] for column in ("status", "width", "sharpness", "group", "split", "url")} == {
        "status": "new",
        "width": 0,
        "sharpness": 0.0,
        "group": "",
        "split": "",
        "url": "",
    }
    assert list(pets.table) == list(manifest.COLUMNS)
    assert pets.table["path"].is_monotonic_increasing
    bare = manifest.from_rows(pets.root, [{"path": "raw/cat/1.jpg", "label": "cat"}]).table.iloc[0].to_dict()
    assert {name for name, value in bare.items() if value not in ("", 0)} == {"path", "label", "status"}


def test_a_persons_own_columns_are_kept(pets):
    table = pets.assign(rating=range(6), note=["good, or not", "", "é", "x", "y", "z"]).save()
    read = manifest.load(pets.root)
    assert list(read.table["rating"]) == list(range(6))
    assert list(read.table["note"]) == list(table.table["note"])
    grown = manifest.merge(read, [row("cat", 9)])
    assert list(grown.where(label="dog").table["rating"]) == [3, 4, 5]


def test_a_table_that_a_spreadsheet_wrote_is_read(pets):
    pets.save()
    file = pets.root / manifest.FILE
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert same(pets, manifest.load(pets.root))


def test_no_dataset_is_an_error_that_says_how_to_make_one():
    with pytest.raises(DatasetError, match="toolkit scrape"):
        manifest.load("nothing")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: "\n",
        lambda text: text.replace("sha256", "hash"),
        lambda text: text.replace("label,class_index", "label"),
        lambda text: text.replace(",new,", ",newish,"),
        lambda text: text.replace(",cat,0,", ",cat,zero,"),
        lambda text: text.replace(",cat,0,", ",cat,,"),
        lambda text: text.replace(",cat,0,", ",cat,1,"),
        lambda text: text.replace(",cat,0,", ",cat,2,", 1),
        lambda text: text + text.splitlines()[-1] + "\n",
        lambda text: text + 'raw/x,"open quote\n',
        lambda text: b"\xff\xfe\xfa" * 50,
    ],
)
def test_a_damaged_manifest_is_an_error_in_words(pets, damage):
    pets.save()
    file = pets.root / manifest.FILE
    damaged = damage(file.read_text())
    file.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    with pytest.raises(DatasetError, match="expected"):
        manifest.load(pets.root)


@pytest.mark.parametrize(
    ("cells", "message"),
    [({"status": "fine"}, "status"), ({"split": "dev"}, "split"), ({"path": "raw/a/1.jpg"}, "every path once")],
)
def test_cells_that_cannot_be_are_refused(tmp_path, cells, message):
    with pytest.raises(DatasetError, match=message):
        manifest.from_rows(tmp_path, [row("a", 1), row("a", 2) | cells])


# Classes


def test_classes_keep_their_place_when_others_come(pets):
    assert pets.classes == ("cat", "dog")
    grown = manifest.merge(pets, [row("ant", 1), row("bee", 1), row("dog", 7)])
    assert grown.classes == ("cat", "dog", "ant", "bee")
    grown.save()
    assert manifest.merge(manifest.load(pets.root), [row("aphid", 1)]).classes == ("cat", "dog", "ant", "bee", "aphid")


def test_a_class_that_was_taken_out_leaves_its_place_free(pets):
    left = manifest.Manifest(pets.root, pets.table[pets.table["label"] == "dog"])
    assert manifest.merge(left, [row("ant", 1)]).classes == ("dog", "ant")


def test_a_selection_knows_the_place_of_its_classes(pets):
    grown = manifest.merge(pets, [row("ant", 1)])
    assert grown.where(label=["ant", "dog"]).classes == ("dog", "ant")


def test_merging_adds_what_is_new_and_keeps_what_stages_wrote(pets):
    done = pets.assign(status="ok", split="train")
    grown = manifest.merge(done, [row("cat", 1, reason="other"), row("cat", 8)])
    assert len(grown) == 7
    assert list(grown.table["status"]).count("ok") == 6
    assert grown.where(status="new").table["path"].tolist() == ["raw/cat/8.jpg"]
    assert grown.where(path="raw/cat/1.jpg").table["reason"].tolist() == [""]
    assert manifest.merge(done, [row("cat", 1)]) is done


# Selecting and changing


def test_rows_are_chosen_by_value_or_by_several(pets):
    assert len(pets.where(label="cat")) == 3
    assert len(pets.where(label=["cat", "dog"], status="new")) == 6
    assert len(pets.where(label="cow")) == 0
    with pytest.raises(ValueError, match="expected one of the columns path"):
        pets.where(colour="red")


def test_a_selection_cannot_be_saved_over_the_whole(pets):
    for selection in (pets.where(label="cat"), pets.where(label="cat").assign(split="train")):
        with pytest.raises(ValueError, match="selection"):
            selection.save()
    assert not (pets.root / manifest.FILE).exists()


def test_an_update_replaces_cells_and_keeps_their_types(pets):
    changes = {
        "raw/cat/1.jpg": {"status": "ok", "width": 640, "sharpness": 12.5},
        "raw/dog/2.jpg": {"status": "unreadable", "reason": "truncated"},
    }
    changed = pets.update(changes)
    assert list(changed.table.dtypes) == list(pets.table.dtypes)
    assert changed.where(path="raw/cat/1.jpg").table[["status", "width", "sharpness"]].values.tolist() == [
        ["ok", 640, 12.5]
    ]
    assert changed.left_out().values.tolist() == [["raw/dog/2.jpg", "unreadable", "truncated"]]
    assert same(pets.update({}), pets)
    assert set(pets.table["status"]) == {"new"}
    assert same(changed, manifest.load(changed.save().root))


def test_reasons_are_counted_whichever_files_they_name(pets):
    left = {
        "raw/cat/0.jpg": {"status": "duplicate", "reason": "the same picture as raw/cat/2.jpg"},
        "raw/cat/1.jpg": {"status": "duplicate", "reason": "the same picture as raw/cat/2.jpg"},
        "raw/dog/0.jpg": {"status": "label conflict", "reason": "the same picture as raw/cat/a b.jpg, raw/cat/2.jpg"},
        "raw/dog/1.jpg": {"status": "too small", "reason": "8x9 pixels, the shortest side is below 32"},
    }
    assert pets.update(left).left_out_reasons().values.tolist() == [
        ["duplicate", "the same picture as one in cat", 2],
        ["label conflict", "the same picture as one in cat", 1],
        ["too small", "the shortest side is below 32", 1],
    ]
    assert len(pets.left_out_reasons()) == 0


def test_provenance_counts_by_source_and_licence_and_says_where_the_licence_is_unknown(pets):
    told = pets.assign(
        source=["folder", "page", "page", "page", "page", "page"],
        license=["CC0", "", "", "", "CC0", "CC0"],
        resolution=["", "thumbnail", "", "thumbnail", "", "thumbnail"],
    )
    assert told.provenance().values.tolist() == [
        ["page", "unknown", 3, 2],
        ["page", "CC0", 2, 1],
        ["folder", "CC0", 1, 0],
    ]
    assert list(told.provenance()) == ["source", "license", "pictures", "thumbnails"]


def test_counts_add_up_by_class_and_status(pets):
    counts = pets.update({"raw/cat/1.jpg": {"status": "ok"}, "raw/dog/0.jpg": {"status": "duplicate"}}).counts()
    assert counts.loc["cat"].to_dict() == {"new": 2, "ok": 1, "duplicate": 0, "total": 3}
    assert counts.loc["total"].to_dict() == {"new": 4, "ok": 1, "duplicate": 1, "total": 6}
    assert list(counts.index) == ["cat", "dog", "total"]


def test_counts_by_split_name_what_is_not_used(pets):
    counts = pets.assign(split=["train", "train", "val", "test", "", ""]).counts("split")
    assert list(counts) == ["not used", "train", "val", "test", "total"]
    assert counts.loc["dog"].tolist() == [2, 0, 0, 1, 3]


def test_a_class_named_total_is_counted_like_any_other(tmp_path):
    counts = manifest.from_rows(tmp_path, [row("total", 1), row("cat", 1), row("cat", 2)]).counts()
    assert counts["total"].tolist() == [2, 1, 3]


def test_counting_nothing_gives_nothing(tmp_path):
    assert len(manifest.from_rows(tmp_path, [])) == 0
    assert manifest.from_rows(tmp_path, []).classes == ()
    assert manifest.from_rows(tmp_path, []).counts()["total"].tolist() == [0]


def test_the_fingerprint_changes_with_what_training_depends_on_only(pets):
    prints = [pets.fingerprint()]
    for change in ({"split": "train"}, {"status": "ok"}, {"sha256": "f"}):
        prints.append(pets.update({"raw/cat/1.jpg": change}).fingerprint())
    prints.append(manifest.merge(pets, [row("cat", 9)]).fingerprint())
    swapped = pets.assign(class_index=1 - pets.table["class_index"])
    prints.append(swapped.fingerprint())
    assert len(set(prints)) == len(prints)
    assert pets.update({"raw/cat/1.jpg": {"reason": "x", "url": "y", "width": 9}}).fingerprint() == prints[0]
    assert manifest.load(pets.save().root).fingerprint() == prints[0]


def test_the_square_copies_lie_beside_raw(pets):
    assert pets.sized(64)[0] == pets.root / "sized" / "64" / "cat" / "0.png"
    assert pets.files[0] == pets.root / "raw" / "cat" / "0.jpg"


def test_a_notebook_shows_name_and_counts(pets):
    assert pets._repr_html_().startswith("<b>pets</b>: 6 images<")


# Class indices


@pytest.mark.parametrize("rows", [[0], [39], [5, 6, 0, 39], list(range(0, 40, 3))])
@pytest.mark.parametrize("storage", ["pyarrow", "python"])
def test_cells_get_their_values_and_no_others_do(rows, storage):
    if storage == "pyarrow":
        pytest.importorskip("pyarrow")
    text = pd.StringDtype(storage, na_value=np.nan)
    table = pd.DataFrame({"path": [f"{n:02}" for n in range(40)], "why": [f"old {n}" for n in range(40)]}, dtype=text)
    table, expected = table.assign(size=7), [f"old {n}" for n in range(40)]
    for turn in range(50):  # more pieces than are kept
        changed = {f"{row:02}": f"{turn} of {row}" for row in rows}
        table = cells.replaced(table, {"why": changed, "size": {"03": turn}})
        for row in rows:
            expected[row] = changed[f"{row:02}"]
    assert table["why"].tolist() == expected and table["why"].dtype == text
    assert table["size"].tolist() == [7] * 3 + [49] + [7] * 36 and table.index.equals(pd.RangeIndex(40))


def test_class_indices_are_positions_in_the_class_order(pets):
    first, second, *_ = pets.classes
    assert pets.class_indices([second, first, second]).tolist() == [1, 0, 1]
    assert pets.class_indices([]).dtype == np.int64
    assert manifest.class_indices(["tanks", "cars"], ["tanks", "bikes", "cars"]).tolist() == [0, 2]


def test_a_label_that_is_no_class_has_no_index(pets):
    with pytest.raises(DatasetError, match="expected labels among .*, got 'planes'"):
        pets.class_indices([pets.classes[0], "planes"])


def test_notes_are_counted_without_their_numbers():
    rows = [("ok", "values from 7200 to 7800 shown"), ("ok", "values from -1.5e-07 to 3 shown"), ("ok", "")]
    rows += [("unreadable", "values from 1 to 2 shown"), ("ok", "shown on black")]
    cells = [
        {"path": f"raw/a/{n}", "label": "a", "status": status, "reason": said} for n, (status, said) in enumerate(rows)
    ]
    table = manifest.from_rows(Path("pets"), cells)
    assert table.notes().to_numpy().tolist() == [["values from … to … shown", 2], ["shown on black", 1]]
    assert len(table.where(status="unreadable").notes()) == 0
