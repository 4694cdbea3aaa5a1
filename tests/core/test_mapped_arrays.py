"""Mapped arrays: what was written is read by name and place, whoever wrote it and whatever stopped them."""

import io
import pickle
import uuid

import numpy as np
import pytest

from toolkit.core import arrays, remote


def names(*numbers):
    return [b"%064d/%d" % (number, number % 3) for number in numbers]


def ramp(count, *shape, dtype=np.float32, start=0):
    return (np.arange(count * int(np.prod(shape))) + start).reshape(count, *shape).astype(dtype)


def written(folder, numbers, rows, step=2):
    with arrays.Writer(folder) as writer:
        for start in range(0, len(rows), step):
            writer.add(names(*numbers[start : start + step]), rows[start : start + step])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8])
def test_rows_are_found_by_name_whichever_process_wrote_them_and_in_whichever_order(tmp_path, dtype):
    rows = ramp(7, 3, dtype=dtype)
    written(tmp_path / "new" / "store", [4, 0, 6], rows[[4, 0, 6]])
    written(tmp_path / "new" / "store", [5, 1, 3], rows[[5, 1, 3]])
    store = arrays.Store(tmp_path / "new" / "store")
    places = store.find(names(6, 2, 1, 0, 5))
    assert len(store) == 6 and places[1] == -1 and (places[[0, 2, 3, 4]] >= 0).all()
    found = store.rows(places[[0, 2, 3, 4]])
    assert found.dtype == dtype and np.array_equal(np.asarray(found), rows[[6, 1, 0, 5]])


def test_rows_are_indexed_as_an_array_is_along_the_axes_of_their_places(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "AT_ONCE", 50)  # bytes: some four rows at a time
    rows = ramp(12, 3)
    written(tmp_path, range(12), rows, step=5)
    store = arrays.Store(tmp_path)
    whole = rows[::-1].reshape(4, 3, 3)
    lazy = store.rows(store.find(names(*reversed(range(12)))).reshape(4, 3), dtype=np.float64)
    mask = np.array([True, False, True, True])
    for key in (2, slice(1, None), [3, 0], mask, (mask, 1), (slice(None), 2), (slice(None), slice(0, 2)), ()):
        assert np.array_equal(lazy[key], whole[key])
    assert (lazy.shape, lazy.ndim, len(lazy), lazy.nbytes) == ((4, 3, 3), 3, 4, whole.size * 8)
    assert np.asarray(lazy).dtype == np.float64
    assert np.array_equal(pickle.loads(pickle.dumps(lazy))[1:], whole[1:])


def test_a_file_of_rows_is_one_that_numpy_opens(tmp_path):
    written(tmp_path, range(5), ramp(5, 2, 2))
    (file,) = [file for file in tmp_path.iterdir() if not file.name.endswith(arrays.NAMES)]
    assert np.array_equal(np.load(file), ramp(5, 2, 2))
    (file,) = tmp_path.glob(f"*{arrays.NAMES}")
    assert np.load(file).tolist() == names(*range(5))


def test_a_row_counts_once_it_and_its_name_are_complete(tmp_path):
    written(tmp_path, range(5), ramp(5, 4))
    (named,) = tmp_path.glob(f"*{arrays.NAMES}")
    rows = named.with_name(named.name.replace(arrays.NAMES, arrays.ROWS))
    whole, all_names = rows.read_bytes(), named.read_bytes()
    rows.write_bytes(whole[:-3])
    assert len(arrays.Store(tmp_path)) == 4
    rows.write_bytes(whole + b"half a row")
    named.write_bytes(all_names[: -arrays.LONGEST])
    store = arrays.Store(tmp_path)
    assert len(store) == 4 and np.array_equal(store.rows(store.find(names(3)))[0], ramp(5, 4)[3])


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    for folder in (tmp_path / "none", None):
        store = arrays.Store(folder)
        assert len(store) == 0 and store.find(names(1)).tolist() == [-1]
        assert store.rows(np.empty((0, 2), int))[:].shape == (0, 2, 0)
    with arrays.Writer(tmp_path / "none"):
        pass
    assert not (tmp_path / "none").exists()


def npy(array, **options):
    packed = io.BytesIO()
    np.save(packed, array, **options)
    return packed.getvalue()


def header(descr, shape):
    packed = io.BytesIO()
    np.lib.format.write_array_header_1_0(packed, {"descr": descr, "fortran_order": False, "shape": shape})
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no array",
        npy(np.array([{"a": 1}] * 2), allow_pickle=True),
        npy(np.asfortranarray(ramp(2, 4))),
        npy(ramp(2, 4, dtype=np.int64)),
        npy(ramp(2, 1)[:, 0]),
        header("<f4", (2**62, 2**40)),
        header("<f4", (2, 0)),
        header("|V99999999", (2, 4)),
        header("<f4", (-2, 4)) + bytes(32),
        b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10_000,
        b"\x93NUMPY\x03\x00" + header("<f4", (2, 4))[8:],
    ],
    ids=range(12),
)
def test_rows_of_a_stranger_are_passed_over_and_never_run(tmp_path, content):
    written(tmp_path, [1], ramp(1, 4))
    (tmp_path / "a.npy").write_bytes(content)
    (tmp_path / "a.names.npy").write_bytes(npy(np.array(names(7, 8))))
    store = arrays.Store(tmp_path)
    assert store.find(names(1, 7)).tolist() == [0, -1]


@pytest.mark.parametrize(
    "stored", [np.array(["a", "b"]), np.arange(2), np.array([names(7, 8)]), np.array([b"x" * 999])]
)
def test_names_that_are_none_are_passed_over(tmp_path, stored):
    (tmp_path / "a.npy").write_bytes(npy(ramp(2, 4)))
    (tmp_path / "a.names.npy").write_bytes(npy(stored))
    assert len(arrays.Store(tmp_path)) == 0


def test_of_rows_of_two_shapes_the_most_count_unless_one_is_asked_for(tmp_path):
    written(tmp_path, range(3), ramp(3, 4))
    written(tmp_path, range(5, 7), ramp(2, 5))
    assert arrays.Store(tmp_path).rows(np.arange(3)).shape == (3, 4)
    assert len(arrays.Store(tmp_path, shape=(5,))) == 2


@pytest.mark.parametrize(("rows", "named"), [(ramp(1, 4, dtype=np.int32), names(1)), (ramp(1, 4), [b"x" * 97])])
def test_what_cannot_be_stored_is_refused(tmp_path, rows, named):
    with (
        arrays.Writer(tmp_path) as writer,
        pytest.raises(ValueError, match="expected rows of .* and names of 96 bytes"),
    ):
        writer.add(named, rows)
    assert not list(tmp_path.iterdir())


def test_at_a_url_every_slice_is_an_object_of_its_own():
    folder = remote.path(f"memory://{uuid.uuid4()}/store")
    rows = ramp(5, 4)
    written(folder, range(5), rows)
    store = arrays.Store(folder)
    assert len(list(folder.glob("*.npy"))) == 6
    assert np.array_equal(store.rows(store.find(names(4, 0, 2)))[:], rows[[4, 0, 2]])
