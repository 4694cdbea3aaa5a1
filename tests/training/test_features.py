"""Features: computed once, for what they belong to, whatever happens in between."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import backbone_weights, coloured, encoded, raw_file, ready_dataset
from PIL import Image

from toolkit import images, manifest, verify
from toolkit.core import arrays
from toolkit.errors import DatasetError
from toolkit.training import features

SCRIPT = """
import sys
from toolkit import manifest
from toolkit.training import features
features.SHARD = 2
features.of(manifest.load(sys.argv[1]), "mobilenet", size=32, weights=sys.argv[2])
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return backbone_weights(tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("features") / "set", per_class=10)


@pytest.fixture
def fresh(tmp_path):
    return ready_dataset(tmp_path / "set", per_class=4, val=0.25)


def of(table, weights, **options):
    return features.of(table, "mobilenet", weights=weights, **{"size": 32, **options})


def nothing_computed(monkeypatch):
    monkeypatch.setattr(features, "_compiled", lambda *_: pytest.fail("the backbone was asked again"))


@pytest.mark.slow
def test_features_are_those_of_the_backbone_and_in_the_order_of_the_pictures(table, weights):
    from toolkit import networks

    seen = of(table, weights)
    pictures = np.stack([images.prepare(file, 32) for file in table.files]).astype(np.float32)
    expected = networks.get("mobilenet").backbone(size=32, weights=weights).predict(pictures, verbose=0)
    assert seen.shape == (len(table), 1, 1024)
    assert np.abs(seen[:, 0] - expected).max() < 1e-5 * np.abs(expected).max()
    backwards = of(manifest.Manifest(table.root, table.table[::-1], partial=True).where(split="train"), weights)
    assert np.array_equal(backwards, seen[(table.table["split"] == "train").to_numpy()])


@pytest.mark.slow
def test_they_are_computed_once(table, weights, monkeypatch):
    first = of(table, weights, views=2)
    nothing_computed(monkeypatch)
    assert np.array_equal(first, of(table, weights, views=2))
    assert np.array_equal(first[:, :1], of(table, weights))


@pytest.mark.slow
def test_for_a_new_picture_only_that_is_computed_and_no_other_changes(fresh, weights, monkeypatch):
    before, asked = of(fresh, weights), []
    row = raw_file(fresh.root, "cars", "png", encoded(coloured(0, 99)))
    grown = verify.check(manifest.merge(fresh, [row]))
    computed = features._computed
    monkeypatch.setattr(features, "_computed", lambda todo, *a, **b: asked.extend(todo) or computed(todo, *a, **b))
    after = of(grown, weights)
    assert [name for name, _ in asked] == [(row["sha256"], 0)]
    assert np.array_equal(after[(grown.table["path"] != row["path"]).to_numpy()], before)


@pytest.mark.slow
def test_other_weights_another_size_or_another_precision_are_another_backbone(fresh, weights, tmp_path):
    others = backbone_weights(tmp_path / "others.weights.h5", seed=2)
    first = of(fresh, weights)
    assert not np.allclose(first, of(fresh, others))
    of(fresh, weights, size=48)
    of(fresh, weights, precision="bfloat16")
    assert of(fresh, weights, size=64, pooling="pyramid").shape == (len(fresh), 1, 5 * 1024)
    assert len(list((fresh.root / features.FOLDER).iterdir())) == 5
    Path(others).write_bytes(Path(weights).read_bytes())  # it is what is in the file that counts, not its name
    assert np.array_equal(first, of(fresh, others))


@pytest.mark.slow
def test_a_computation_that_is_interrupted_goes_on(fresh, weights, monkeypatch):
    expected = of(fresh, weights)
    shutil.rmtree(fresh.root / features.FOLDER)
    monkeypatch.setattr(features, "SHARD", 3)
    written, write = [], arrays.Writer.add
    monkeypatch.setattr(arrays.Writer, "add", lambda self, *shard: written.append(shard[0]) or write(self, *shard))
    opened = features._view_of
    monkeypatch.setattr(features, "_view_of", lambda task, **how: stop() if len(written) == 2 else opened(task, **how))
    with pytest.raises(KeyboardInterrupt):
        of(fresh, weights)
    monkeypatch.setattr(features, "_view_of", opened)
    assert np.array_equal(of(fresh, weights), expected)
    assert sum(map(len, written)) == len(fresh)  # nothing twice


def stop():
    raise KeyboardInterrupt


@pytest.mark.slow
def test_a_computation_that_is_killed_goes_on(fresh, weights, tmp_path):
    (tmp_path / "compute.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "compute.py"), str(fresh.root), weights]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, cwd=tmp_path)
    limit = time.monotonic() + 120
    while process.poll() is None and not rows_kept(fresh) and time.monotonic() < limit:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    known = rows_kept(fresh)
    assert known > 0
    assert of(fresh, weights).shape == (len(fresh), 1, 1024)
    assert rows_kept(fresh) == len(fresh)  # nothing twice


def rows_kept(table):
    return sum(len(arrays.Store(folder)) for folder in table.root.glob("features/*"))


@pytest.mark.slow
def test_what_an_older_toolkit_kept_is_taken_over_and_nothing_is_computed_again(fresh, weights, monkeypatch):
    expected = of(fresh, weights, views=2)
    (folder,) = (fresh.root / features.FOLDER).iterdir()
    for file in folder.glob("*.npy"):
        file.unlink()
    hashes = np.repeat(fresh.table["sha256"].to_numpy(str), 2)
    older = {"sha256": hashes, "view": np.arange(len(hashes)) % 2, "features": expected.reshape(len(hashes), -1)}
    for number, part in enumerate((slice(0, 5), slice(5, None))):
        np.savez(folder / f"{number}.npz", **{name: cells[part] for name, cells in older.items()})
    (folder / "2.npz").write_bytes(b"damaged")
    nothing_computed(monkeypatch)
    assert np.array_equal(of(fresh, weights, views=2), expected)
    assert not list(folder.glob("*.npz"))


@pytest.mark.slow
def test_what_features_were_made_with_stands_beside_them(fresh, weights):
    of(fresh, weights, size=64, pooling="pyramid")
    (file,) = (fresh.root / features.FOLDER).rglob(features.BACKBONE)
    told = json.loads(file.read_text())
    assert (told["dtype"], told["shape"], told["size"], told["pooling"]) == ("float32", [5 * 1024], 64, "pyramid")


@pytest.mark.slow
def test_features_on_disk_are_those_in_memory_and_travel_as_places(table, weights):
    seen = of(table, weights, views=2)
    on_disk = features.rows(table, "mobilenet", size=32, weights=weights, views=2)
    assert isinstance(on_disk, arrays.Rows) and on_disk.shape == seen.shape
    assert np.array_equal(on_disk[::-2, 1], seen[::-2, 1])
    packed = pickle.dumps(on_disk)
    assert len(packed) < seen.nbytes / 10
    assert np.array_equal(pickle.loads(packed)[:], seen)


@pytest.mark.slow
def test_what_is_damaged_is_computed_again(fresh, weights):
    expected = of(fresh, weights)
    for content in (b"", b"no array", None):
        for names in fresh.root.rglob("features/*/*.names.npy"):
            rows = names.with_name(names.name.replace(".names", ""))
            rows.write_bytes(rows.read_bytes()[:-200] if content is None else content)
        assert np.array_equal(of(fresh, weights), expected)


@pytest.mark.slow
def test_a_picture_that_cannot_be_opened_is_an_error_that_says_why(fresh, weights):
    fresh.files[0].write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"not a picture in a format that is read .*; run verify again"):
        of(fresh, weights)


@pytest.mark.parametrize("wrong", [{"views": 0}, {"weights": "none"}])
def test_what_makes_no_sense_is_refused(table, weights, wrong):
    with pytest.raises(ValueError, match="expected at least 1 view and weights that were learned"):
        of(table, **{"weights": weights, **wrong})


def test_the_first_view_is_the_picture_the_second_its_mirror_and_the_others_are_cut_out_of_it():
    source = encoded(coloured(0, 1, side=80))
    one = [features.view(source, 32, number=number, sha256="ab" * 32) for number in range(4)]
    assert np.array_equal(one[0], images.prepare(source, 32))
    assert np.array_equal(one[1], one[0][:, ::-1])
    assert {view.shape for view in one} == {(32, 32, 3)}
    assert not np.array_equal(one[2], one[3])
    assert np.array_equal(one[3], features.view(source, 32, number=3, sha256="ab" * 32))
    assert not np.array_equal(one[3], features.view(source, 32, number=3, sha256="cd" * 32))


def test_a_further_view_is_a_square_part_of_the_picture_and_not_too_small():
    across, down = np.meshgrid(np.linspace(0, 255, 96), np.linspace(0, 255, 64))
    source = encoded(Image.fromarray(np.stack([across, down, 0 * down], axis=-1).astype(np.uint8)))
    sides, mirrored = [], 0
    for number in range(2, 22):
        view = features.view(source, 32, number=number, sha256="ab" * 32).astype(float)
        wide = np.ptp(view[..., 0]) / 255 * 96  # pixels of the picture from the left edge of the view to its right one
        high = np.ptp(view[..., 1]) / 255 * 64
        assert wide == pytest.approx(high, abs=3)  # a square of the picture, in its own shape
        sides.append(high / 64)
        mirrored += bool(view[0, 0, 0] > view[0, -1, 0])
    assert features.SMALLEST_CROP - 0.08 < min(sides) < max(sides) <= 1
    assert max(sides) - min(sides) > 0.1
    assert 5 <= mirrored <= 15


@pytest.mark.slow
def test_a_folder_of_features_that_is_a_link_leading_out_is_left_as_it_is(tmp_path):
    table = ready_dataset(tmp_path / "set", per_class=3).where(status="ok")
    kept = features.of(table, "xception", size=32, weights="cifar10")
    (folder,) = (tmp_path / "set" / "features").iterdir()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    before = {file: file.read_bytes() for file in (tmp_path / "elsewhere").iterdir()}
    with pytest.warns(UserWarning, match="not kept: expected .* a link that leads out"):
        again = features.of(table, "xception", size=32, weights="cifar10")
    np.testing.assert_array_equal(again, kept)
    assert {file: file.read_bytes() for file in (tmp_path / "elsewhere").iterdir()} == before
