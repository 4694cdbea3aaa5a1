"""Batches: every picture once, in an order that the seed and epoch decide, changed in training only."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import fake_table, ready_dataset
from sklearn.utils.class_weight import compute_class_weight

from toolkit import images
from toolkit.core import arrays
from toolkit.errors import DatasetError
from toolkit.training import batches, squares
from toolkit.training.augment import Augmentation

SIZE = 16


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("batches") / "set", size=SIZE, per_class=11)


@pytest.fixture(params=["in memory", "from disk"])
def train(request, table, monkeypatch):
    if request.param == "from disk":
        monkeypatch.setattr(batches, "MEMORY", 0)
    return batches.examples(table, split="train", size=SIZE)


def joined(dataset):
    columns = zip(*dataset.as_numpy_iterator(), strict=True)
    return [np.concatenate(column) for column in columns]


def epoch(train, *, seed=7, number=0, augmentation=None, **options):
    return joined(batches.training(train, batch_size=5, augmentation=augmentation, seed=seed, epoch=number, **options))


def places(train, pictures):
    """Which picture each of a batch is."""
    known = {images.prepare(file, SIZE).tobytes(): place for place, file in enumerate(train.files)}
    return [known[picture.astype(np.uint8).tobytes()] for picture in pictures]


def test_every_picture_comes_once_with_its_label(train):
    pictures, labels, _ = epoch(train)
    order = places(train, pictures)
    assert sorted(order) == list(range(len(train)))
    assert np.array_equal(labels, train.one_hot()[order])
    names = [train.classes[place] for place in labels.argmax(axis=1)]
    assert names == [train.files[place].parent.name for place in order]


@pytest.mark.slow
def test_the_order_depends_on_seed_and_epoch_alone(train):
    orders = {
        (seed, number): places(train, epoch(train, seed=seed, number=number)[0]) for seed in (7, 8) for number in (0, 1)
    }
    assert len({tuple(order) for order in orders.values()}) == 4
    assert places(train, epoch(train, seed=8, number=1)[0]) == orders[8, 1]


def test_evaluation_is_in_the_order_of_the_manifest_and_unchanged(train, table):
    pictures, labels, weights = joined(batches.evaluation(train, batch_size=4))
    expected = np.stack([images.prepare(file, SIZE) for file in table.where(split="train").sized(SIZE)])
    assert np.array_equal(pictures, expected)
    assert pictures.dtype == np.float32
    assert np.array_equal(labels, train.one_hot())
    assert (weights == 1).all()


@pytest.mark.parametrize("augmentation", [None, Augmentation()])
def test_bytes_are_handed_on_as_they_are_unless_they_change(train, augmentation):
    plain = epoch(train, augmentation=augmentation)
    small = epoch(train, augmentation=augmentation, dtype="uint8")
    assert small[0].dtype == (np.float32 if augmentation else np.uint8)
    assert all(np.array_equal(one, other) for one, other in zip(plain, small, strict=True))
    shown = joined(batches.evaluation(train, batch_size=4, dtype="uint8"))[0]
    assert shown.dtype == np.uint8 and np.array_equal(shown, joined(batches.evaluation(train, batch_size=4))[0])


@pytest.mark.slow
def test_pictures_in_memory_and_from_disk_give_the_same_batches(table, monkeypatch):
    change = Augmentation()
    kept = batches.examples(table, split="train", size=SIZE)
    monkeypatch.setattr(batches, "MEMORY", 0)
    read = batches.examples(table, split="train", size=SIZE)
    assert isinstance(kept.pixels, np.ndarray) and isinstance(read.pixels, arrays.Rows)
    for one, other in zip(epoch(kept, augmentation=change), epoch(read, augmentation=change), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.slow
def test_training_changes_differ_by_epoch_and_batch_and_come_again_with_the_seed(train):
    change = Augmentation(rotation=0, horizontal_flip=False, brightness=0.3)
    first, again, later = (epoch(train, number=number, augmentation=change)[0] for number in (0, 0, 1))
    assert np.array_equal(first, again)
    plain = epoch(train, number=0)[0]
    factors = first.mean(axis=(1, 2, 3)) / plain.mean(axis=(1, 2, 3))
    assert len(np.unique(factors.round(5))) > len(train) * 0.8  # not the same draw in every batch
    next_factors = later.mean(axis=(1, 2, 3)) / epoch(train, number=1)[0].mean(axis=(1, 2, 3))
    assert not np.allclose(factors, next_factors)


def test_class_weights_are_the_balanced_ones_of_the_train_split_alone(tmp_path):
    labels = np.array([0] * 6 + [1] * 2 + [2] * 4)
    examples = batches.Examples((), labels, ("a", "b", "c"), SIZE, np.empty((0, SIZE, SIZE, 3), np.uint8))
    assert examples.class_weights().tolist() == pytest.approx([12 / (3 * 6), 12 / (3 * 2), 12 / (3 * 4)])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert np.allclose(examples.class_weights(), expected, rtol=1e-7)


def test_weights_follow_the_labels_and_can_be_left_out(tmp_path):
    rows = ready_dataset(tmp_path / "set", size=SIZE, per_class=10)
    fewer = rows.where(split="train", label="cars").table["path"][3:]
    uneven = rows.update({path: {"status": "excluded", "split": ""} for path in fewer})
    train = batches.examples(uneven, split="train", size=SIZE)
    counts = np.bincount(train.labels)
    assert counts[0] == 3 < counts[1]
    _, labels, weights = epoch(train)
    assert np.allclose(weights, (len(train) / (2 * counts))[labels.argmax(axis=1)])
    assert (epoch(train, weighted=False)[2] == 1).all()


def test_missing_squares_name_the_command_that_makes_them(table):
    with pytest.raises(DatasetError, match="run `toolkit resize .*set --size 24`"):
        batches.examples(table, split="val", size=24)


def test_an_empty_split_is_said(tmp_path):
    with pytest.raises(DatasetError, match="run split first"):
        batches.examples(fake_table(tmp_path, [("a", ""), ("b", "")]), split="train", size=SIZE)


def test_a_damaged_square_is_named(tmp_path):
    table = ready_dataset(tmp_path / "set", size=SIZE, per_class=6)
    square = table.where(split="train").sized(SIZE)[0]
    square.write_bytes(square.read_bytes()[:40])
    with pytest.raises(DatasetError, match=f"{square.name} is damaged"):
        batches.examples(table, split="train", size=SIZE)


def test_squares_on_disk_are_decoded_once_and_new_ones_are_added(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "MEMORY", 0)
    table = ready_dataset(tmp_path / "set", size=SIZE, per_class=6)
    opened, decode = [], squares.decoded
    monkeypatch.setattr(squares, "decoded", lambda files, *a, **b: opened.extend(files) or decode(files, *a, **b))
    expected = np.stack(list(decode(table.sized(SIZE), SIZE)))
    train = batches.examples(table, split="train", size=SIZE)
    assert sorted(opened) == sorted(train.files)
    opened.clear()
    both = squares.mapped(table, size=SIZE)
    assert set(opened) == set(table.sized(SIZE)) - set(train.files)
    assert np.array_equal(both[:], expected)
    opened.clear()
    assert np.array_equal(squares.mapped(table, size=SIZE)[::-1], expected[::-1])
    assert not opened


def test_a_square_that_was_made_otherwise_is_decoded_anew(tmp_path):
    table = ready_dataset(tmp_path / "set", size=SIZE, per_class=6)
    squares.mapped(table, size=SIZE)
    other = np.arange(SIZE * SIZE * 3, dtype=np.uint8).reshape(SIZE, SIZE, 3)
    table.sized(SIZE)[1].write_bytes(images.to_png(other))
    assert np.array_equal(squares.mapped(table, size=SIZE)[1], other)


def test_squares_that_the_disk_has_no_room_for_are_not_begun(tmp_path, monkeypatch):
    table = ready_dataset(tmp_path / "set", size=SIZE, per_class=6)
    monkeypatch.setattr(squares.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DatasetError, match=r"GB of free disk for the decoded squares in .*squares, found 0\.0"):
        squares.mapped(table, size=SIZE)
