"""Copies in any folder: the same as in a dataset, whatever lies about there, and nothing heavy loaded."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zoo
from helpers import cropped, encoded, textured
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from toolkit import copies, dedup, manifest, verify
from toolkit.cli import main
from toolkit.duplicates import hamming
from toolkit.errors import DatasetError
from toolkit.images import hashes, measure

HEAVY = (
    "tensorflow",
    "keras",
    "matplotlib",
    "pandas",
    "scipy",
    "numba",
    "joblib",
    "sklearn",
    "toolkit.dataset.manifest",
)
VARIANTS = {
    "original.jpg": lambda picture: encoded(picture, "JPEG", quality=90),
    "exact.jpg": lambda picture: encoded(picture, "JPEG", quality=90),
    "again.jpg": lambda picture: encoded(picture, "JPEG", quality=30),
    "half.jpg": lambda picture: encoded(picture.reduce(2), "JPEG"),
    "double.jpg": lambda picture: encoded(picture.resize((2 * picture.width, 2 * picture.height)), "JPEG"),
    "bright.jpg": lambda picture: encoded(ImageEnhance.Brightness(picture).enhance(1.15), "JPEG"),
    "cropped.jpg": lambda picture: encoded(cropped(picture, 0.04), "JPEG"),
    "lossless.png": lambda picture: encoded(picture, "PNG", compress_level=1),
    "web.webp": lambda picture: encoded(picture, "WEBP", quality=60),
    "mirrored.jpg": lambda picture: encoded(ImageOps.mirror(picture), "JPEG"),
    "turned.jpg": lambda picture: turned(picture),
}


def turned(picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Seven pictures in eleven variants each, a folder for each picture."""
    root = tmp_path_factory.mktemp("pictures")
    for seed in range(7):
        (root / str(seed)).mkdir()
        for name, variant in VARIANTS.items():
            (root / str(seed) / name).write_bytes(variant(textured(seed, width=200 + 100 * seed, height=160)))
    return root


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def jpeg(seed, **options):
    return encoded(textured(seed, width=96, height=72), "JPEG", **options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"transformed": True}, {"max_distance": 4, "max_difference": 0.02}])
def test_the_same_pairs_are_found_as_in_a_dataset_and_the_same_pictures_kept(folder, tmp_path, options):
    shutil.copytree(folder, tmp_path / "set")
    rows = [
        {"path": file.relative_to(folder).as_posix(), "label": "cars", "bytes": file.stat().st_size, "source": "folder"}
        | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for file in sorted(folder.glob("*/*"))
    ]
    table = verify.check(manifest.from_rows(tmp_path / "set", rows))
    told = dedup.pairs(table, **options).assign(**{} if "transformed" in options else {"change": ""})
    wanted = {(frozenset((one, other)), *rest) for one, other, *rest in told.itertuples(index=False)}
    found = copies.among(folder, **options, max_share=1)

    def named(path):
        return Path(path).relative_to(folder).as_posix()

    pairs = {(frozenset((named(pair.path), named(pair.other))), *pair[2:]) for pair in found.pairs()}
    assert {pair for pair, *_ in pairs} == {pair for pair, *_ in wanted}
    assert {pair[:2] + pair[3:] for pair in pairs} == {pair[:2] + pair[3:] for pair in wanted}
    differences = {pair: difference for pair, _, difference, _ in wanted}
    assert all(abs(difference - differences[pair]) < 2e-4 for pair, _, difference, _ in pairs)
    assert len(pairs) > 100
    marked = dedup.group(table, **options, max_share=1).table
    assert {named(one.path) for one in found.redundant} == set(marked.loc[marked["status"] == "duplicate", "path"])


@pytest.mark.slow
def test_a_group_begins_with_the_best_picture_and_tells_what_its_copies_are(folder):
    found = copies.among(folder, transformed=True, max_share=1)
    assert len(found.groups) == 7
    assert found.pictures == 7 * len(VARIANTS)
    for group in found.groups:
        best, *others = group
        assert best.path.endswith("double.jpg")
        assert not best.copy_of
        assert all(one.copy_of == best.path and one.agreement > 0.97 for one in others)
        assert {one.change for one in others} == {"", "mirrored"}
        assert [one.distance for one in others] == sorted(one.distance for one in others)


def test_a_file_that_is_there_twice_is_identical_and_one_that_looks_alike_is_not(tmp_path):
    plain = jpeg(1)
    write(tmp_path, {"a.jpg": plain, "b/c.jpg": plain, "d.jpg": plain[:2] + b"\xff\xfe\0\4hi" + plain[2:]})
    (best, *others) = copies.among(tmp_path).groups[0]
    assert best.path == str(tmp_path / "d.jpg")  # as many pixels, as sharp, the largest file
    assert [(one.distance, one.identical) for one in others] == [(0, False), (0, False)]
    (tmp_path / "d.jpg").unlink()
    assert [one.identical for one in copies.among(tmp_path).groups[0]] == [False, True]


@pytest.mark.slow
def test_what_cannot_be_read_is_a_row_with_a_reason_and_stops_nothing(tmp_path):
    for number, (name, (content, _)) in enumerate(sorted(zoo.bad().items())):
        write(tmp_path, {f"bad {number} {name[:20].replace('/', ' ')}.jpg": content})
    (tmp_path / "odd").mkdir()
    said = zoo.places(tmp_path / "odd")
    write(tmp_path, {"one.jpg": jpeg(1), "other.jpg": jpeg(1, quality=40)})
    found = copies.among(tmp_path)
    assert len([path for path, _ in found.unreadable if "bad " in path]) == len(zoo.bad())
    assert all(reason for _, reason in found.unreadable)
    reasons = {Path(path).name: reason for path, reason in found.unreadable}
    for name in ("dangling.jpg", "loop.jpg", "device.jpg", "pipe.jpg"):
        assert said[name] in reasons[name]
    assert ["one.jpg", "other.jpg"] in [sorted(Path(one.path).name for one in group) for group in found.groups]


def test_files_named_by_hand_are_looked_at_whatever_their_ending(tmp_path):
    write(tmp_path, {"a": jpeg(1), "b.txt": jpeg(1, quality=40), "c.jpg": b"no picture"})
    found = copies.among([tmp_path / "a", tmp_path / "b.txt", tmp_path / "c.jpg", tmp_path / "a"])
    assert found.pictures == 2
    assert len(found.groups) == 1
    assert [(path, "not a picture" in reason) for path, reason in found.unreadable] == [(str(tmp_path / "c.jpg"), True)]


def test_links_to_what_is_there_anyway_are_no_copies(tmp_path):
    write(tmp_path, {"a.jpg": jpeg(1), "b/c.jpg": jpeg(2), ".hidden/d.jpg": jpeg(1), "e.jpg": jpeg(3)})
    (tmp_path / "0.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "again").symlink_to(tmp_path)
    os.link(tmp_path / "e.jpg", tmp_path / "f.jpg")
    found = copies.among([tmp_path, tmp_path / "b"])
    assert (found.pictures, found.groups, found.unreadable) == (3, [], [])


@pytest.mark.parametrize("files", [{}, {"one.jpg": 1}, {"words.txt": 1}])
def test_an_empty_folder_and_a_single_picture_have_no_copies(tmp_path, files):
    write(tmp_path, {name: jpeg(seed) for name, seed in files.items()})
    found = copies.among(tmp_path)
    assert (found.groups, found.unreadable, list(found.pairs())) == ([], [], [])
    assert found.pictures == ("one.jpg" in files)


def test_a_place_that_is_not_there_and_a_limit_out_of_range_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="found nothing"):
        copies.among(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="from 0 to 64"):
        copies.among(tmp_path, max_distance=65)


@pytest.mark.slow
def test_the_number_of_processes_changes_nothing(folder):
    one, two = (copies.among(folder, jobs=jobs, max_share=1) for jobs in (1, 2))
    assert one.groups == two.groups
    assert list(one.pairs()) == list(two.pairs())


@pytest.mark.slow
def test_nothing_heavy_is_loaded(folder):
    program = (
        "import sys; from toolkit.cli import main; "
        f"code = main(['copies', {str(folder)!r}, '--max-share', '1', '--json']); "
        f"print(code, *[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["0"]
    assert json.loads(done.stdout)["pictures"] == 7 * len(VARIANTS)


def test_the_command_line_prints_groups_and_writes_a_table_and_changes_nothing(tmp_path, capsys):
    write(
        tmp_path / "in",
        {"a.jpg": jpeg(1), "b.jpg": jpeg(1), "c.jpg": jpeg(1, quality=30), "d.jpg": b"", "e.jpg": jpeg(2)},
    )
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "in").iterdir()}
    assert main(["copies", str(tmp_path / "in"), "--csv", str(tmp_path / "out.csv")]) == 0
    shown = capsys.readouterr().out
    assert "3 pictures\n" in shown
    assert "identical" in shown
    assert "agreement 0.99" in shown
    assert "d.jpg: empty file" in shown
    assert "pictures: 4; groups of copies: 1; copies to spare: 2 (" in shown
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["group"] for row in rows] == ["1"] * 3
    assert [row["copy_of"] for row in rows] == ["", rows[0]["path"], rows[0]["path"]]
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "in").iterdir()} == before
    assert main(["copies", str(tmp_path / "in"), "--json", "--max-distance", "0"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["unreadable"] == [{"path": str(tmp_path / "in" / "d.jpg"), "reason": "empty file"}]
    assert told["groups"][0][1]["identical"] is True
    assert main(["copies", str(tmp_path / "nowhere")]) == 2


def test_a_name_that_is_no_text_is_printed_all_the_same(tmp_path, capsys):
    try:
        write(tmp_path, {os.fsdecode(name): jpeg(1) for name in (b"\xff.jpg", b"\xfe.jpg")})
    except OSError:
        pytest.skip("this disk takes no such names")
    assert main(["copies", str(tmp_path), "--csv", str(tmp_path / "out.csv")]) == 0
    assert "\\udcff.jpg'  identical" in capsys.readouterr().out
    assert b"\xff.jpg" in (tmp_path / "out.csv").read_bytes()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 40))
def test_what_hangs_together_is_what_scipy_says(seed, count):
    first, second = np.random.default_rng(seed).integers(0, count, (2, count // 2))
    found = hamming.components(first, second, count)
    graph = coo_array((np.ones(len(first)), (first, second)), (count, count))
    known = connected_components(graph, directed=False)[1]
    assert len(set(zip(found.tolist(), known.tolist(), strict=True))) == len(set(known)) == len(set(found.tolist()))


def test_a_long_chain_hangs_together():
    order = np.random.default_rng(1).permutation(50_000)
    assert not hamming.components(order[:-1], order[1:], 50_000).any()


def test_flat_and_symmetric_signatures_are_hashed_as_imagehash_does_it():
    import scipy.fft

    half = np.random.default_rng(3).integers(0, 256, (20, 32, 16), dtype=np.uint8)
    flat = np.full((3, 32, 32), 1, np.uint8) * np.array([0, 7, 255], np.uint8)[:, None, None]
    ramp = np.tile(np.arange(32, dtype=np.uint8), (2, 32, 1))
    grey = np.concatenate([np.concatenate([half, half[:, :, ::-1]], axis=2), flat, ramp, ramp.transpose(0, 2, 1)])
    down = scipy.fft.dct(grey.astype(np.float64), axis=1)[:, :8]
    across = scipy.fft.dct(down, axis=2)[:, :, :8].reshape(len(grey), 64)
    bits = np.packbits(across > np.median(across, axis=1, keepdims=True), axis=1)
    assert hashes.perceptual(grey).tolist() == [int.from_bytes(row.tobytes(), "big") for row in bits]


@pytest.mark.parametrize(
    "size", [(128, 128), (129, 131), (300, 200), (33, 500), (50, 70), (32, 32), (20, 9), (1, 1), (1000, 31)]
)
def test_signatures_made_together_are_those_made_one_by_one(tmp_path, size):
    files = {f"{seed}.png": encoded(textured(seed, width=size[0], height=size[1])) for seed in range(5)}
    files |= {"other.png": encoded(textured(9, width=50, height=70)), "again.png": files["1.png"], "bad.png": b"no"}
    names = [str(write(tmp_path, files) / name) for name in files]
    rows, reasons = measure.quick([(name, True) for name in names])
    assert list(reasons) == [7]
    damaged, reasons = measure.quick([(names[7], True), (names[0], True), (names[7], True)])
    assert reasons.keys() == {0, 2} and reasons[0] == reasons[2]  # a damaged file that is there twice
    assert not damaged["width"][[0, 2]].any() and damaged["width"][1] == size[0]
    for name, row in zip(names[:7], rows[:7], strict=True):
        told = measure.one(name)
        assert (row["grey"] == told["signature"]).all()
        assert (row["width"], row["height"], row["sharpness"]) == (told["width"], told["height"], told["sharpness"])


def test_what_is_not_looked_at_is_counted_by_reason(tmp_path):
    write(tmp_path, {"a.jpg": jpeg(1), "b/c.jpg?w=1": jpeg(2), "b/d": jpeg(3), "b/e": b"words"})
    write(tmp_path, {"f.xml": b"x", "b/g.XML": b"x"})
    write(tmp_path, {".hidden/d.jpg": jpeg(1), "@eaDir/d.jpg": jpeg(1)})
    (tmp_path / "again").symlink_to(tmp_path)
    found = copies.among(tmp_path)
    assert found.pictures == 3
    assert found.passed_over == {
        **{"hidden": 1, "of the system": 1, "link to a folder that is read anyway": 1},
        **{"ending .xml": 2, "no ending, and no picture": 1},
    }


def test_a_linked_folder_is_looked_at_once(tmp_path):
    write(tmp_path, {"here/a.jpg": jpeg(1), "there/b.jpg": jpeg(1)})
    (tmp_path / "here" / "link").symlink_to(tmp_path / "there")
    (tmp_path / "here" / "link2").symlink_to(tmp_path / "there")
    found = copies.among(tmp_path / "here")
    assert found.pictures == 2 and found.redundant[0].identical
