"""Grey signatures beside the manifest: what is saved is what is read."""

import numpy as np
import pytest

from toolkit import signatures


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
    assert signatures.load(tmp_path).keys() == some(4).keys()
    assert len((tmp_path / signatures.FILE).read_bytes()) == len(first)


def test_no_pickled_object_is_read(tmp_path):
    np.savez(tmp_path / signatures.FILE, sha256=np.array([{"a": 1}], dtype=object), grey=np.zeros((1, 32, 32)))
    with pytest.raises(ValueError, match="allow_pickle"):
        signatures.load(tmp_path)
