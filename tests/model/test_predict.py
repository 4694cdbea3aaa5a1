"""Prediction: a picture gets the same answer here as in the evaluation, however it comes in."""

import numpy as np
import pytest
from helpers import cropped, dataset, encoded, textured, untrained
from PIL import Image

from toolkit import bundle, dedup, evaluate, images, parallel, predict, resize, split, verify
from toolkit.core import parts
from toolkit.errors import ImageError
from toolkit.model import uncertainty
from toolkit.training import batches


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("predict") / "models" / "photos" / "small")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """JPEGs of many sizes, so that decoding at a fraction, cropping and scaling all take part."""
    sizes = [(320, 240), (200, 300), (90, 64), (700, 500), (33, 40), (128, 128)]
    files = [
        (label, "jpg", encoded(textured(10 * n + m, width=sizes[n][0], height=sizes[n][1]), "JPEG", quality=85))
        for n in range(len(sizes))
        for m, label in enumerate(("cars", "tanks"))
    ]
    root = tmp_path_factory.mktemp("photos") / "photos"
    table = resize.write(dedup.group(verify.check(dataset(root, files))), size=32)
    return split.assign(table, val=0.2, test=0.5, seed=7)


@pytest.mark.slow
def test_a_raw_picture_gets_the_answer_it_had_in_the_evaluation(run, photos):
    report = evaluate.measure(run, photos)
    assert len(report.predictions) == 6
    for row in report.predictions.to_dict("records"):
        answer = predict.picture(run, photos.root / row["path"])
        assert answer.label == row["predicted"]
        assert answer.probability == pytest.approx(row["probability"], abs=1e-6)
        for name in run.classes:
            assert answer.probabilities[name] == pytest.approx(row[f"p_{name}"], abs=1e-6)


def test_what_the_network_saw_is_the_square_it_learned_from(run, photos):
    for raw, square in zip(photos.files, photos.sized(32), strict=True):
        assert np.array_equal(predict.picture(run, raw).pixels, np.asarray(Image.open(square)))


@pytest.mark.slow
@pytest.mark.parametrize("mode", images.MODES)
def test_training_evaluation_and_prediction_make_pictures_square_in_the_way_of_the_run(tmp_path, photos, mode):
    trained = untrained(tmp_path / "models" / "photos" / mode, resize_mode=mode)
    assert bundle.load(trained.folder).resize_mode == mode
    table = resize.write(photos, size=32, mode=mode)
    learned = batches.examples(table, split="test", size=32, resize_mode=mode).pixels
    report = evaluate.measure(trained, table)
    for raw, square, row in zip(table.where(split="test").files, learned, report.predictions.itertuples(), strict=True):
        answers = [predict.picture(trained, source) for source in (raw, raw.read_bytes())]
        assert np.array_equal(answers[0].pixels, square)
        assert np.array_equal(answers[1].pixels, square)
        assert answers[0].probability == pytest.approx(row.probability, abs=1e-6)


def test_a_path_a_text_and_bytes_agree(run, photos):
    file = photos.files[0]
    answers = [predict.picture(run, source) for source in (file, str(file), file.read_bytes())]
    assert len({tuple(answer.probabilities.values()) for answer in answers}) == 1
    assert [answer.source for answer in answers] == [file.name, file.name, "picture"]


def test_an_answer_is_a_line_for_people(run, photos):
    answer = predict.picture(run, photos.files[0])
    assert str(answer).startswith(f"{answer.source}: {answer.label}  (cars 0.")
    assert answer.probability == max(answer.probabilities.values())
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_a_text_file_that_is_named_like_a_picture_is_said(run, tmp_path):
    (tmp_path / "notes.jpg").write_text("milk, eggs, bread")
    with pytest.raises(ImageError, match=r"^notes.jpg: not a picture in a format that is read \(JPEG"):
        predict.picture(run, tmp_path / "notes.jpg")


def test_a_missing_file_is_said(run, tmp_path):
    with pytest.raises(ImageError, match="gone.jpg: no file at"):
        predict.picture(run, tmp_path / "gone.jpg")


def test_what_cannot_be_opened_keeps_its_place_among_many(run, photos):
    sources = [photos.files[0], b"words", photos.files[1], b"", photos.files[2]]
    for batch_size in (1, 2, 32):
        answers = predict.pictures(run, sources, batch_size=batch_size)
        failed = [isinstance(answer, parallel.Failure) for answer in answers]
        assert failed == [False, True, False, True, False]
        for answer, source in zip(answers, sources, strict=True):
            if not isinstance(answer, parallel.Failure):
                alone = predict.picture(run, source)
                assert (answer.source, answer.label) == (source.name, alone.label)
                assert answer.probability == pytest.approx(alone.probability, abs=1e-6)


def test_many_that_all_fail_and_none_at_all(run):
    assert predict.pictures(run, []) == []
    assert [answer.status for answer in predict.pictures(run, [b"", b"words"])] == ["unreadable", "unreadable"]


@pytest.mark.parametrize(
    ("orientation", "stored"), [(3, "ROTATE_180"), (6, "ROTATE_90"), (8, "ROTATE_270"), (2, "FLIP_LEFT_RIGHT")]
)
def test_a_picture_stored_on_its_side_gets_the_answer_of_the_upright_one(run, orientation, stored):
    upright = textured(3, width=120, height=80)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = encoded(upright.transpose(Image.Transpose[stored]), exif=exif)
    one, other = predict.picture(run, encoded(upright)), predict.picture(run, turned)
    assert np.array_equal(one.pixels, other.pixels)
    assert one.probabilities == other.probabilities


def test_different_pictures_get_different_answers(run):
    answers = [predict.picture(run, encoded(cropped(textured(seed), 0.1))).probability for seed in range(4)]
    assert len(set(answers)) == 4


def test_a_picture_larger_than_the_square_and_one_smaller_are_both_answered(run):
    for size in ((1, 1), (5, 2000), (31, 33)):
        assert predict.picture(run, encoded(Image.new("RGB", size, "red"))).pixels.shape == (32, 32, 3)


def test_any_number_of_pictures_is_answered_with_a_batch_of_them_in_memory(run):
    content, asked, answered = encoded(textured(1, width=64, height=64)), 0, 0

    def sources():
        nonlocal asked
        for _ in range(100):
            asked += 1
            yield content

    for _ in predict.stream(run, sources(), batch_size=8):
        answered += 1
        assert asked - answered < 8
    assert answered == 100


def test_a_table_is_whole_or_not_there(run, photos, tmp_path):
    def rows():
        yield predict.row(run, "one", predict.picture(run, photos.files[0]))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict.write_rows(rows(), csv_file=tmp_path / "out.csv", jsonl_file=tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_in_memory_gets_the_answer_of_the_file(run, photos):
    content = encoded(textured(77, width=90, height=60))
    expected = predict.picture(run, content).probabilities
    picture = images.read(content)
    pixels = np.asarray(picture)
    for source in (picture, pixels, pixels / 255, pixels.astype(np.float32), pixels.astype(np.uint16)):
        assert predict.picture(run, source).probabilities == expected
        assert predict.pictures(run, [source, content])[0].probabilities == expected
    for array in (pixels, pixels / 255, np.dstack([pixels, np.full((60, 90, 1), 255, np.uint8)])):
        assert predict.frame(run, array).probabilities == expected


def test_many_files_are_answered_in_parts_that_are_gone_when_the_table_is_there(run, photos, tmp_path, monkeypatch):
    files, table = [*photos.files, tmp_path / "none.jpg"], tmp_path / "answers.csv"
    counted = predict.write(run, files, csv_file=table, batch_size=5)
    expected = table.read_bytes()
    monkeypatch.setattr(parts, "PART", 3)
    asked, stream = [], predict.stream

    def stopping(trained, names, **options):
        asked.extend(names)
        if len(asked) > 5:
            raise KeyboardInterrupt
        return stream(trained, names, **options)

    monkeypatch.setattr(predict, "stream", stopping)
    with pytest.raises(KeyboardInterrupt):
        predict.write(run, files, csv_file=table, jsonl_file=tmp_path / "answers.jsonl", batch_size=5)
    asked.clear()
    monkeypatch.setattr(predict, "stream", lambda *what, **options: asked.extend(what[1]) or stream(*what, **options))
    assert predict.write(run, files, csv_file=table, jsonl_file=tmp_path / "answers.jsonl", batch_size=5) == counted
    assert asked == [str(file) for file in files[5:]]  # nothing twice
    assert table.read_bytes() == expected
    assert sorted(file.name for file in tmp_path.iterdir()) == ["answers.csv", "answers.jsonl"]
    with pytest.raises(ValueError, match="batch_size of at least 1"):
        predict.write(run, files, csv_file=table, batch_size=0)


@pytest.mark.slow
def test_two_processes_write_the_table_of_one(run, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART", 4)
    for jobs in (1, 2):
        predict.write(run, photos.files * 3, csv_file=tmp_path / f"{jobs}.csv", jobs=jobs, abstain_below=0.6)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def test_a_lone_picture_is_one_and_a_stack_is_many(run, photos, tmp_path):
    file = photos.files[0]
    for lone in (file, str(file), file.read_bytes(), images.read(file), np.asarray(images.read(file))):
        assert len(predict.pictures(run, lone)) == 1
    assert sum(predict.write(run, str(file), csv_file=tmp_path / "one.csv").values()) == 1
    stack = np.stack([run.prepare(file) for file in photos.files[:3]])
    assert [answer.probabilities for answer in predict.pictures(run, stack)] == [
        predict.picture(run, pixels).probabilities for pixels in stack
    ]


def test_an_array_that_is_no_picture_is_one_failure_among_others_and_refused_as_a_frame(run, photos):
    wrong = np.zeros((3, 32, 32))
    answers = predict.pictures(run, [photos.files[0], wrong, photos.files[1]])
    assert [isinstance(answer, parallel.Failure) for answer in answers] == [False, True, False]
    assert "put the channels last" in answers[1].reason
    with pytest.raises(ValueError, match="put the channels last"):
        predict.frame(run, wrong)
    with pytest.raises(ImageError, match="picture: expected an array of shape"):
        predict.picture(run, wrong)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_of_no_pictures_is_refused_wherever_one_is_asked_for(run, photos, size):
    pixels = run.prepare(photos.files[0])[None]
    for ask in (
        lambda: predict.pictures(run, photos.files, batch_size=size),
        lambda: run.probabilities(pixels, batch_size=size),
        lambda: uncertainty.views(run, pixels, batch_size=size),
        lambda: uncertainty.dropout(run, pixels, batch_size=size),
    ):
        with pytest.raises(ValueError, match=f"batch_size of at least 1, got {size}"):
            ask()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"abstain_below": 1.5}, "expected abstain_below from 0 to 1, got 1.5"),
        ({"abstain_below": -0.1}, "expected abstain_below from 0 to 1, got -0.1"),
        ({"passes": -2}, "expected passes of at least 0, got -2"),
        ({"passes": 3, "views": True}, "expected views or passes, got both, 3 passes"),
    ],
)
def test_an_option_out_of_range_is_said_by_itself(run, photos, options, words):
    with pytest.raises(ValueError, match=words):
        predict.pictures(run, photos.files, **options)


def test_an_answer_quotes_labels_that_are_digits():
    answer = predict.Prediction("hand.jpg", "6", 0.9, {"6": 0.9, "thumb": 0.1}, np.zeros((8, 8, 3), np.uint8))
    assert str(answer) == "hand.jpg: “6”  (“6” 0.900  thumb 0.100)"
