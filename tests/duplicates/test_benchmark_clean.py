"""The benchmark of the search for duplicates: its set with known truth, its judgement, and that it runs."""

import json
import subprocess
import sys
from pathlib import Path

import imagehash
import numpy as np
import pytest
from helpers import textured
from PIL import Image, ImageOps

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A set made of 6 pictures, two of which are nearly the same, and of 3 others."""
    root = tmp_path_factory.mktemp("truth")
    for name, seeds in (("first", range(5)), ("second", range(10, 13))):
        for seed in seeds:
            file = root / name / "some" / f"{seed}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            textured(seed, width=128, height=96).save(file, quality=92)
    textured(4, width=128, height=96).save(root / "first" / "some" / "twin.jpg", quality=80)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import truth

        file = truth.make([root / "first", root / "second"], root / "set", originals=3)
        return root, truth.load(file)


def of(made, variant):
    root, known = made
    return [root / "set" / "pictures" / path for path, (_, what) in sorted(known.items()) if what == variant]


def read(path):
    with Image.open(path) as picture:
        return picture.copy()


def distance(one, other):
    return imagehash.phash(one) - imagehash.phash(other)


def test_every_original_comes_in_ten_variants_and_the_rest_once(made):
    import truth

    kinds = [variant for _, variant in made[1].values()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == dict.fromkeys(truth.VARIANTS, 3) | {"other": 4}
    assert all((made[0] / "set" / "pictures" / path).exists() for path in made[1])


def test_a_picture_with_a_near_twin_is_left_out(made):
    root, _ = made
    kept = {file.read_bytes() for variant in ("original", "other") for file in of(made, variant)}
    for name in ("4.jpg", "twin.jpg"):
        assert (root / "first" / "some" / name).read_bytes() not in kept


def test_the_variants_are_what_they_are_called(made):
    for name in range(3):
        file = {variant: of(made, variant)[name] for variant in ("original", "exact", "half", "double", "turned")}
        file |= {variant: of(made, variant)[name] for variant in ("mirrored", "cropped", "bright", "quality")}
        assert file["exact"].read_bytes() == file["original"].read_bytes()
        shown = {variant: read(path) for variant, path in file.items()}
        original = shown["original"]
        assert (
            shown["half"].size == (64, 48) and shown["double"].size == (256, 192) and shown["cropped"].size == (118, 86)
        )
        assert shown["turned"].size == (96, 128) and distance(ImageOps.exif_transpose(shown["turned"]), original) <= 4
        assert distance(ImageOps.mirror(shown["mirrored"]), original) <= 4 < distance(shown["mirrored"], original)
        assert np.mean(shown["bright"]) > 1.15 * np.mean(original)
        assert file["quality"].stat().st_size < 0.6 * file["original"].stat().st_size


def test_the_same_pictures_make_the_same_set(made, tmp_path):
    import truth

    root, known = made
    again = truth.load(truth.make([root / "first", root / "second"], tmp_path / "set", originals=3))
    assert again == known
    for path in known:
        assert (tmp_path / "set" / "pictures" / path).read_bytes() == (root / "set" / "pictures" / path).read_bytes()


def test_a_folder_that_holds_something_is_refused(tmp_path):
    import truth

    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="name another"):
        truth.make([tmp_path], tmp_path)


def test_precision_counts_all_pairs_and_recall_those_with_the_original(made):
    import judge

    _, known = made
    names = {(original, variant): path for path, (original, variant) in known.items()}
    first, second, third = sorted({original for original, variant in known.values() if variant == "original"})
    other = next(path for path, (_, variant) in known.items() if variant == "other")
    pairs = [(names[one, "exact"], names[one, "original"]) for one in (first, second)]
    pairs += [(names[third, "bright"], names[third, "half"]), tuple(sorted((names[first, "half"], other)))]
    scores = judge.scores(pairs, known)
    assert scores["precision"] == 0.75 and scores["false pairs"] == 1
    assert scores["exact"] == 0.667 and scores["bright"] == 0.0
    assert scores["recall of seven"] == round(0.667 / 7, 3)


def test_what_is_thrown_away_leaves_one_of_each_group_and_follows_no_chain():
    import judge

    assert judge.thrown_away([("a", "b"), ("b", "c"), ("d", "e")]) == 2  # c is no copy of a, which is kept
    assert judge.thrown_away([]) == 0


def test_every_method_finds_the_same_pairs_and_a_lost_one_is_noticed():
    import hashes

    values = hashes.planted(7_000)
    first, second = hashes.numpy(values)
    assert len(first) > 200
    assert hashes.fingerprint(first, second) == hashes.fingerprint(*hashes.toolkit(values))
    assert hashes.fingerprint(first, second) == hashes.fingerprint(first[::-1], second[::-1])
    assert hashes.agrees(values, first, second)
    assert not hashes.agrees(values, first[::2], second[::2])


@pytest.mark.slow
def test_a_program_is_timed_and_the_memory_of_its_children_counts():
    import watch

    held = "b = bytearray(80_000_000); b[::4096] = b'x' * len(b[::4096]); time.sleep(0.6)"
    child = f"import time; {held}"
    code = (
        f"import json, subprocess, sys, time; a = time.monotonic(); subprocess.run([sys.executable, '-c', {child!r}])"
    )
    code += "; print(json.dumps({'begun': a, 'ended': time.monotonic()}))"
    watched = watch.run([sys.executable, "-c", code])
    assert watched.work >= 0.6 and watched.total > watched.work
    if Path("/proc/self/smaps_rollup").exists():
        assert 80 < watched.peak() < 160


@pytest.mark.slow
def test_a_program_that_fails_or_takes_too_long_says_so():
    import watch

    with pytest.raises(RuntimeError, match="no such tool"):
        watch.run([sys.executable, "-c", "raise SystemExit('no such tool')"])
    with pytest.raises(TimeoutError, match="after 1 s"):
        watch.run([sys.executable, "-c", "import time; time.sleep(60)"], limit=1)


@pytest.mark.slow
def test_quick_mode_prints_tables_and_writes_the_figures(tmp_path):
    words = [sys.executable, str(BENCHMARKS / "clean.py"), "--quick", "--no-hashes", "--into", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "results.json").read_text())
    assert "### Precision and recall" in done.stdout and "| toolkit " in done.stdout
    mine, *_ = (row for row in figures["Precision and recall"] if row["tool"] == "toolkit")
    assert mine["precision"] == "1.0000" and mine["exact"] == mine["turned"] == 1
    assert {row["tool"] for row in figures["Duplicates"]} == {"toolkit", "toolkit copies", "imagehash"}
    same, *_ = (row for row in figures["Precision and recall"] if row["tool"] == "toolkit copies")
    assert same | {"tool": ""} == mine | {"tool": ""}
