"""Opening many pictures: all of them, or an error that names the damaged one."""

from functools import partial

import numpy as np
import pytest
from helpers import encoded, textured

from toolkit import images
from toolkit.errors import DatasetError
from toolkit.images.opening import prepare_all


@pytest.fixture
def files(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encoded(textured(number, width=40, height=30)))
    return sorted(tmp_path.iterdir())


def test_all_pictures_come_in_the_order_of_their_files(files):
    prepare = partial(images.prepare, size=16)
    assert np.array_equal(list(prepare_all(prepare, files)), [prepare(file) for file in files])


def test_a_damaged_picture_is_named_with_what_to_do_about_it(files):
    files[1].write_bytes(b"words")
    with pytest.raises(DatasetError, match=r"1\.png is damaged \(not a picture .*\); run verify again"):
        list(prepare_all(partial(images.prepare, size=16), files))
    with pytest.raises(DatasetError, match=r"1\.png is damaged .*; take it out"):
        tasks = [(16, file) for file in files]
        list(prepare_all(lambda task: images.prepare(task[1], task[0]), tasks, files=files, advice="take it out"))
