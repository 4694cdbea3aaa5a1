"""Dividing a dataset: the same shares in every class, no group on two sides, the same again for the same seed."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from helpers import fake_table, ready_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import manifest, split
from toolkit.dataset import dividing, lost
from toolkit.errors import DatasetError


def plain(tmp_path, **counts):
    return fake_table(tmp_path, [(label, "") for label, count in counts.items() for _ in range(count)])


def splits_of(table):
    return dict(zip(table.table["path"], table.table["split"], strict=True))


@pytest.mark.parametrize(("val", "test"), [(0.15, 0.15), (0.2, 0.1), (0.3, 0.5)])
def test_every_class_has_the_shares_within_one_picture(tmp_path, val, test):
    table = split.assign(plain(tmp_path, cars=40, tanks=101, boats=11), val=val, test=test, seed=7)
    counts = table.counts("split")
    for label, total in {"cars": 40, "tanks": 101, "boats": 11}.items():
        assert abs(counts.loc[label, "val"] - val * total) <= 1
        assert abs(counts.loc[label, "test"] - test * total) <= 1
        assert counts.loc[label, "total"] == total


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=8, max_size=40), seed=st.integers(0, 10**6))
def test_a_group_is_never_divided(tmp_path_factory, sizes, seed):
    rows = [("cars", f"g{name}") for name, size in enumerate(sizes) for _ in range(size)]
    rows += [("tanks", "") for _ in range(9)]
    table = split.assign(fake_table(tmp_path_factory.getbasetemp(), rows), val=0.2, test=0.2, seed=seed).table
    cars = table[table["label"] == "cars"]
    assert (cars.groupby("group")["split"].nunique() == 1).all()
    assert set(cars["split"]) == {"train", "val", "test"}
    for part in ("val", "test"):
        parts = cars[cars["split"] == part]
        wanted = max(1, round(0.2 * len(cars)))
        assert len(parts) <= wanted or parts["group"].nunique() == 1


def test_the_same_seed_gives_the_same_split_and_another_one_another(tmp_path):
    table = plain(tmp_path, cars=50, tanks=50)
    one, same, other = (split.assign(table, seed=seed) for seed in (7, 7, 8))
    pd.testing.assert_frame_equal(one.table, same.table)
    assert splits_of(one) != splits_of(other)


def test_the_order_of_rows_changes_nothing(tmp_path):
    table = plain(tmp_path, cars=30, tanks=30)
    mixed = manifest.Manifest(tmp_path, table.table.sample(frac=1, random_state=1))
    assert splits_of(split.assign(table, seed=7)) == splits_of(split.assign(mixed, seed=7))


def test_pictures_keep_their_split_when_others_are_added(tmp_path):
    before = split.assign(plain(tmp_path, cars=30, tanks=30), seed=7)
    new = [{"path": f"raw/cars/new{n}.jpg", "label": "cars", "sha256": f"new{n}", "status": "ok"} for n in range(40)]
    after = split.assign(manifest.merge(before, new), seed=7)
    assert splits_of(before).items() <= splits_of(after).items()
    counts = after.counts("split").loc["cars"]
    assert abs(counts["val"] - 0.15 * 70) <= 1
    assert abs(counts["test"] - 0.15 * 70) <= 1


def test_again_forgets_the_split_there_is(tmp_path):
    table = plain(tmp_path, cars=40, tanks=40)
    old = split.assign(table, seed=1)
    assert splits_of(split.assign(old, seed=2)) == splits_of(old)
    assert splits_of(split.assign(old, seed=2, again=True)) == splits_of(split.assign(table, seed=2))


@pytest.mark.slow
def test_a_new_copy_goes_where_its_group_is(tmp_path):
    table = split.assign(fake_table(tmp_path, [("cars", f"g{n}") for n in range(20)] + [("tanks", "")] * 10), seed=7)
    for _, old in table.where(label="cars").table.iterrows():
        new = {"path": "raw/cars/z.jpg", "label": "cars", "sha256": "z", "status": "ok", "group": old["group"]}
        assert splits_of(split.assign(manifest.merge(table, [new]), seed=7))["raw/cars/z.jpg"] == old["split"]


def test_pictures_not_in_use_have_no_split(tmp_path):
    table = split.assign(plain(tmp_path, cars=20, tanks=20), seed=7)
    path = table.where(split="test").table["path"].iloc[0]
    table = split.assign(table.update({path: {"status": "excluded"}}), seed=7)
    assert splits_of(table)[path] == ""


@pytest.mark.parametrize("count", [1, 2])
def test_a_class_with_too_few_pictures_is_said(tmp_path, count):
    with pytest.raises(DatasetError, match=f"pictures of 'tanks' for train, val and test, got {count}"):
        split.assign(plain(tmp_path, cars=20, tanks=count), seed=7)


def test_three_pictures_are_enough(tmp_path):
    assert Counter(splits_of(split.assign(plain(tmp_path, a=3, b=3), seed=7)).values()) == dict.fromkeys(
        ("train", "val", "test"), 2
    )


@pytest.mark.parametrize(("val", "test"), [(0, 0.2), (0.2, 0), (0.5, 0.5), (1, 0.1), (-0.1, 0.2)])
def test_shares_that_leave_nothing_are_refused(tmp_path, val, test):
    with pytest.raises(ValueError, match="val and test above 0"):
        split.assign(plain(tmp_path, a=9, b=9), val=val, test=test, seed=7)


def given_folders(tmp_path, names):
    table = plain(tmp_path, cars=20, tanks=20)
    return table.assign(split=[names[place % len(names)] for place in range(len(table))])


def test_splits_that_the_source_gave_are_kept(tmp_path):
    table = given_folders(tmp_path, ["train", "train", "train", "val", "test"])
    assert splits_of(split.assign(table, seed=7)) == splits_of(table)


@pytest.mark.parametrize("names", [["train", "train", "train", "test"], ["train", "train", "val"], ["train"]])
def test_what_the_folders_of_a_source_lack_is_taken_from_its_train_pictures(tmp_path, names):
    table = given_folders(tmp_path, names)
    after = split.assign(table, seed=7)
    moved = [
        (old, new) for old, new in zip(splits_of(table).values(), splits_of(after).values(), strict=True) if old != new
    ]
    lacking = {"val", "test"} - set(names)
    assert {old for old, _ in moved} == {"train"}
    assert {new for _, new in moved} == lacking
    assert len(moved) == len(lacking) * 2 * 3
    assert splits_of(split.assign(after, seed=8)) == splits_of(after)


@pytest.mark.parametrize("seed", range(6))
def test_val_and_test_are_taken_from_the_smallest_groups_of_train(tmp_path, seed):
    rows = [("cars", "large")] * 6 + [("cars", f"g{number}") for number in range(4)] + [("tanks", "")] * 10
    table = fake_table(tmp_path, rows).assign(split="train")
    counts = split.assign(table, val=0.2, test=0.2, seed=seed).counts("split")
    assert (
        counts.loc["cars"].to_dict() == counts.loc["tanks"].to_dict() == {"train": 6, "val": 2, "test": 2, "total": 10}
    )


def test_folders_are_laid_out_as_links(tmp_path):
    table = ready_dataset(tmp_path / "set", per_class=8)
    for size in (None, 32):
        folder = split.write_folders(table, tmp_path / f"folders{size}", size=size)
        used = table.where(split=("train", "val", "test"))
        targets = used.sized(size) if size else used.files
        for target, label, part in zip(targets, used.table["label"], used.table["split"], strict=True):
            link = folder / part / label / target.name
            assert link.is_symlink()
            assert link.resolve() == target.resolve()
        assert sum(file.is_file() for file in folder.rglob("*")) == len(used)


def test_links_are_not_written_among_other_files(tmp_path):
    table = ready_dataset(tmp_path / "set", per_class=8)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(DatasetError, match="an empty folder"):
        split.write_folders(table, tmp_path / "mine")


def test_an_unsplit_dataset_has_no_folders(tmp_path):
    with pytest.raises(DatasetError, match="run split.assign first"):
        split.write_folders(plain(tmp_path, a=3, b=3), tmp_path / "folders")


def test_a_better_copy_that_arrives_later_takes_the_split_of_the_one_it_replaces(tmp_path):
    table = split.assign(fake_table(tmp_path, [("a", f"g{n}") for n in range(20)]), seed=1)
    old = table.where(split="test").table.iloc[0]
    row = {**old.to_dict(), "path": "raw/a/better.jpg", "sha256": "better", "split": ""}
    grown = manifest.merge(table.update({old["path"]: {"status": "duplicate"}}), [row])
    grown = split.assign(grown.update({"raw/a/better.jpg": {"status": "ok", "group": old["group"]}}), seed=1)
    splits = grown.table.set_index("path")["split"]
    assert splits["raw/a/better.jpg"] == "test"
    assert splits[old["path"]] == ""


def test_a_class_of_which_nothing_is_in_use_says_what_became_of_it(tmp_path):
    table = plain(tmp_path, cars=12, tanks=5)
    status = ["ok"] * 12 + ["unreadable", "duplicate", "unreadable", "too small", "unreadable"]
    table = table.assign(status=status)
    assert lost.classes(table) == {"tanks": "3 unreadable, 1 duplicate, 1 too small"}
    with pytest.raises(DatasetError, match="of 'tanks' in use, got none: 3 unreadable, 1 duplicate, 1 too small"):
        split.assign(table, seed=7)


def test_a_split_that_came_with_the_data_and_is_gone_is_told(tmp_path):
    table = plain(tmp_path, cars=20, tanks=20)
    given = ["val" if number % 10 == 0 else "train" for number in range(40)]
    table = table.assign(split=given, status=["duplicate" if part == "val" else "ok" for part in given])
    assert lost.splits(table) == {"val": "4 duplicates"}
    with pytest.warns(UserWarning, match="no picture of the split val that came with the data is in use: 4 duplicates"):
        divided = split.assign(table, seed=7)
    assert divided.counts("split").loc["total", "val"] > 0


def of_sources(tmp_path, counts):
    """A table whose pictures come from so many sources: {source: {label: pictures}}."""
    rows = [
        (source, label) for source, labels in counts.items() for label, number in labels.items() for _ in range(number)
    ]
    return fake_table(tmp_path, [(label, "") for _, label in rows]).assign(source=[source for source, _ in rows])


def test_pictures_of_a_source_are_in_one_part_and_each_part_has_about_its_share(tmp_path):
    counts = {f"source {n}": {"cars": 4 + n % 5, "tanks": 2 + n % 3} for n in range(40)}
    table = split.assign(of_sources(tmp_path, counts), by="source", val=0.2, test=0.2, seed=7)
    assert (table.table.groupby("source")["split"].nunique() == 1).all()
    for label in ("cars", "tanks"):
        shares = table.where(label=label).table["split"].value_counts(normalize=True)
        assert abs(shares["test"] - 0.2) < 0.06 and abs(shares["val"] - 0.2) < 0.06
    other = split.assign(of_sources(tmp_path, counts), by="source", val=0.2, test=0.2, seed=8)
    assert splits_of(other) != splits_of(table)


def test_a_copy_that_two_sources_have_keeps_both_in_one_part_and_no_source_is_none(tmp_path):
    known = {f"source {n}": {"cars": 3, "tanks": 3} for n in range(8)}
    table = of_sources(tmp_path, known | {"": {"cars": 60, "tanks": 60}})
    paths = [table.where(source=f"source {n}").table["path"].iloc[0] for n in (0, 5)]
    table = split.assign(table.update({path: {"group": "g"} for path in paths}), by="source", seed=7)
    assert len(set(table.where(source=["source 0", "source 5"]).table["split"])) == 1
    assert len(set(table.where(source="").table["split"])) > 1


def test_sources_added_later_join_a_part_whole_and_divided_ones_are_refused(tmp_path):
    counts = {f"source {n}": {"cars": 3, "tanks": 3} for n in range(9)}
    before = split.assign(of_sources(tmp_path, counts), by="source", seed=7)
    new = [
        {"path": f"raw/cars/n{n}.jpg", "label": "cars", "sha256": f"n{n}", "status": "ok", "source": "s"}
        for n in range(5)
    ]
    after = split.assign(manifest.merge(before, new), by="source", seed=7)
    assert splits_of(before).items() <= splits_of(after).items()
    assert after.where(source="s").table["split"].nunique() == 1
    with pytest.raises(DatasetError, match="stay together in one part, got some in .*; divide anew with --again"):
        split.assign(split.assign(of_sources(tmp_path, counts), seed=7), by="source", seed=7)


def test_a_source_that_has_all_of_a_class_and_a_column_that_is_not_there_are_said(tmp_path):
    table = of_sources(tmp_path, {"one": {"cars": 9}, "two": {"tanks": 9}})
    with pytest.raises(DatasetError, match="'cars' for train, val and test, got 9, none for .*or leave out by"):
        split.assign(table, by="source", seed=7)
    with pytest.raises(ValueError, match="expected one of the columns path, .*, got 'camera'"):
        split.assign(table, by="camera", seed=7)


# Many pictures, many classes


def test_the_split_of_a_dataset_is_what_it_has_always_been(tmp_path):
    """By the hash of seed and group: what a stored split, or a paper, was made with."""
    rows = [(("cars", "tanks", "boats")[n % 3], f"g{n // 4}" if n % 5 else "") for n in range(60)]
    parts = split.assign(fake_table(tmp_path, rows), val=0.2, test=0.25, seed=11).table["split"]
    assert "".join(part[:2] for part in parts) == (
        "vavatetetrtrtrtetetrvatrtetrtrtrvatrtrtrtrtrtrtetrtetrtevava"
        "trtrtetetrtrvavatrtrvavavatrtrtrtrtetrtrtrvatetetrtrtetrtetr"
    )


def test_a_thousand_classes_cost_what_their_pictures_do(tmp_path):
    rows = [(f"c{n % 1000:04}", "") for n in range(5000)]
    table = split.assign(fake_table(tmp_path, rows), val=0.2, test=0.4, seed=3).table
    counts = pd.crosstab(table["label"], table["split"])
    assert (counts == [2, 2, 1]).all().all() and list(counts) == ["test", "train", "val"]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_folds_by_hash_have_their_share_of_every_class_and_divide_no_group(count):
    rng = np.random.default_rng(5)
    labels = np.repeat(np.array(["a", "b", "c"], object), [600, 40, 211])
    names = np.array([f"{label}{rng.integers(200)}" for label in labels], object)
    names[::2] = [f"alone {n}" for n in range(len(names[::2]))]
    folds = dividing.folds(labels, names, count=count, seed=4)
    counts, sizes = pd.crosstab(labels, folds), pd.Series(names).groupby(labels).value_counts()
    assert list(counts) == list(range(count))
    for label, row in counts.iterrows():
        assert row.max() - row.min() <= sizes[label].max()
    assert pd.Series(folds).groupby(names).nunique().max() == 1
    assert abs(counts.sum() - len(labels) / count).max() <= sizes.max()
    assert (folds == dividing.folds(labels, names, count=count, seed=4)).all()
    assert (folds != dividing.folds(labels, names, count=count, seed=5)).any()


def test_a_group_of_two_classes_is_in_one_fold():
    labels, names = np.array(["a", "b", "a", "b", "a", "b"], object), np.array(["x", "x", "1", "2", "3", "4"], object)
    folds = dividing.folds(labels, names, count=3, seed=0)
    assert folds[0] == folds[1] and set(folds) == {0, 1, 2}
