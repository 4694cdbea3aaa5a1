"""Grey signatures beside the manifest: what is saved is what is read."""

import uuid

import numpy as np
import pytest

from toolkit.core import remote
from toolkit.dataset import signatures


def some(count, seed=0):
    grey = np.random.default_rng(seed).integers(0, 256, (count, 32, 32), dtype=np.uint8)
    return {f"{number:064x}": grey[number] for number in range(count)}


def test_a_dataset_without_signatures_has_none(tmp_path):
    assert signatures.load(tmp_path) == {}


@pytest.mark.parametrize("count", [0, 1, 5])
def test_what_was_saved_is_read_back(tmp_path, count):
    signatures.save(tmp_path, some(count))
    known = signatures.load(tmp_path)
    assert sorted(known) == sorted(some(count))
    assert all(np.array_equal(known[name], grey) for name, grey in some(count).items())


def test_saving_leaves_one_file_and_the_order_does_not_matter(tmp_path):
    signatures.save(tmp_path, some(4))
    first = (tmp_path / signatures.FILE).read_bytes()
    signatures.save(tmp_path, dict(reversed(some(4).items())))
    assert [file.name for file in tmp_path.iterdir()] == [signatures.FILE]
    assert (tmp_path / signatures.FILE).read_bytes() == first


def test_what_is_added_later_is_found_too_and_of_two_the_later_holds(tmp_path):
    first, second = some(5), some(3, seed=1)
    for known in (first, second):
        signatures.add(tmp_path, list(known), np.stack(list(known.values())))
    assert all(np.array_equal(signatures.load(tmp_path)[name], grey) for name, grey in (first | second).items())
    stored, places = signatures.find(tmp_path, [*first, "f" * 64])
    assert places[-1] == -1
    assert np.array_equal(stored[places[:-1]], np.stack(list((first | second).values())))


def test_half_a_record_of_a_killed_run_harms_nothing(tmp_path):
    known = some(4)
    signatures.add(tmp_path, list(known)[:2], np.stack(list(known.values())[:2]))
    file = tmp_path / signatures.FILE
    file.write_bytes(file.read_bytes()[:-7])
    assert list(signatures.load(tmp_path)) == list(known)[:1]
    signatures.add(tmp_path, list(known)[1:], np.stack(list(known.values())[1:]))
    assert signatures.load(tmp_path).keys() == known.keys()


def test_nothing_is_found_where_there_is_nothing(tmp_path):
    assert signatures.find(tmp_path, ["a" * 64])[1].tolist() == [-1]


def far():
    return remote.path(f"memory://{uuid.uuid4()}/set")


def test_at_a_url_what_is_added_is_a_new_object_and_nothing_is_written_twice():
    root, first, second = far(), some(5), some(3, seed=1)
    signatures.save(root, first)
    before = {str(file): file.read_bytes() for file in root.iterdir()}
    signatures.add(root, list(second), np.stack(list(second.values())))
    sizes = {str(file): file.stat().st_size for file in root.iterdir() if str(file) not in before}
    assert list(sizes.values()) == [3 * signatures.RECORD.itemsize]
    assert all(file.read_bytes() == before[str(file)] for file in root.iterdir() if str(file) in before)
    loaded = signatures.load(root)
    assert loaded.keys() == first.keys()
    assert all(np.array_equal(loaded[name], grey) for name, grey in (first | second).items())  # the later holds


def test_at_a_url_many_objects_are_put_together(monkeypatch):
    monkeypatch.setattr(signatures, "MOST_CHUNKS", 3)
    root, known = far(), some(8)
    for name, grey in known.items():
        signatures.add(root, [name], grey[None])
    assert len(list(root.iterdir())) <= 4 and (root / signatures.FILE).exists()
    assert all(np.array_equal(signatures.load(root)[name], grey) for name, grey in known.items())


def test_a_buffer_holds_signatures_back_at_a_url_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(signatures, "WAITING", 4)
    known = some(7)
    for root, held in ((tmp_path, [2, 4, 6]), (far(), [0, 4, 4])):
        buffer, counts = signatures.Buffer(root), []
        for start in (0, 2, 4):
            part = list(known)[start : start + 2]
            buffer.add(part, np.stack([known[name] for name in part]))
            counts.append(len(signatures.load(root)))
        assert counts == held
        buffer.flush()
        assert len(signatures.load(root)) == 6
