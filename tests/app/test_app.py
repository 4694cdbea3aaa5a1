"""The app in one process: no page fails, it answers as `predict` does, and opens a model once."""

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
from helpers import coloured, encoded, ready_dataset, untrained

from toolkit import app, bundle, cli, evaluate, export, manifest, paths, predict, runtime
from toolkit.errors import BundleError, ToolkitError
from toolkit.report import card

pytestmark = pytest.mark.skipif(not find_spec("streamlit"), reason="Streamlit is not installed")
PICTURES = {f"{place}.png": encoded(coloured(place % 2, 50 + place)) for place in range(3)}
BARS = re.compile(r"<tr><th>(.*?)</th>.*?title=\"([\d.]+)\"", re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A dataset with two evaluated runs, one of them exported and with a card."""
    folder = tmp_path_factory.mktemp("app")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(folder))
        root = paths.dataset("pets")
        table = ready_dataset(root, per_class=24)
        config = {"network": "vgg", "options": {"weights": "none"}}
        for name, seed in (("good", 1), ("other", 2)):
            facts = {"seed": seed, "config": config, "pictures": 30, "train_seconds": 1.0}
            run = untrained(paths.models(root) / name, **facts)
            evaluate.measure(run, table)
        export.write(run, table, to=("litert-float32", "onnx"), max_loss=1.0, abstain_below=0.4)
        card.write(run, table)
    return folder


@pytest.fixture(autouse=True)
def here(home, monkeypatch):
    import streamlit as st

    monkeypatch.setenv("TOOLKIT_HOME", str(home))
    st.cache_resource.clear()


def opened(name, page="model", **how):
    """The app as a person sees it who opens it at a page."""
    from streamlit.testing.v1 import AppTest

    from toolkit.app import server, state

    state.use(state.find(name, page=page, **how))
    return AppTest.from_file(server.SCRIPT, default_timeout=60).run()


def shown(at):
    """All text of a page, and that nothing went wrong on it."""
    assert not at.exception
    assert not at.error
    parts = [*at.title, *at.subheader, *at.markdown, *at.caption, *at.info]
    return "\n".join([*(part.value for part in parts), *(part.body for part in at.html)])


def put(at, files):
    at.file_uploader[0].set_value([(name, content, "image/png") for name, content in files.items()])
    return at.run()


ARTIFACTS = ("pets/other/export/float32.tflite", "pets/other/export/model.onnx")


def slow(*names):
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("name", [ARTIFACTS[0], *slow("pets", "pets/other", ARTIFACTS[1])])
def test_no_page_fails_whatever_the_app_is_started_with(name):
    for page in app.PAGES:
        assert shown(opened(name, page))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pets/other", ARTIFACTS[0], *slow(ARTIFACTS[1])])
def test_a_picture_gets_the_answer_that_predict_gives(name):
    at = put(opened(name, "predict"), PICTURES)
    text = shown(at)
    articles = [part.body for part in at.html if "<article" in part.body]
    assert len(articles) == len(PICTURES)
    for article, (picture, content) in zip(articles, PICTURES.items(), strict=True):
        expected = predict.picture(runtime.load(name), content)
        found = {label: float(share) for label, share in BARS.findall(article)}
        assert picture in article
        assert f"<h3>{expected.label}</h3>" in article
        assert found == pytest.approx(expected.probabilities, abs=1e-4)
        assert ("where it looked" in article) == (name == "pets/other")
    assert ("not of a model that was exported" in text) == (name != "pets/other")


@pytest.mark.slow
def test_a_file_that_is_no_picture_is_told_in_words_among_those_that_are():
    text = shown(put(opened(ARTIFACTS[0], "predict"), {"notes.png": b"milk", "<b>.png": b"", **PICTURES}))
    assert "This file could not be read: not a picture in a format that is read" in text
    assert "&lt;b&gt;.png" in text
    assert "**5 pictures:**" in text
    assert "2 unreadable" in text


@pytest.mark.slow
def test_it_is_not_sure_below_the_threshold_of_the_model_of_the_command_line_or_of_the_person():
    at = put(opened(ARTIFACTS[0], "predict"), PICTURES)
    assert at.slider[0].value == 40
    assert "Not sure" not in shown(at)
    at.slider[0].set_value(99)
    assert shown(at.run()).count("Not sure") == len(PICTURES)
    at = put(opened(ARTIFACTS[0], "predict", abstain_below=1.0), PICTURES)
    assert shown(at).count("Not sure") == len(PICTURES)


@pytest.mark.slow
def test_many_pictures_are_shown_a_part_at_a_time():
    many = {f"{number}.png": encoded(coloured(0, number)) for number in range(14)}
    at = put(opened(ARTIFACTS[0], "predict"), many)
    assert shown(at).count("<article") == 12
    at.pagination[0].set_value(2)
    assert shown(at.run()).count("<article") == 2


@pytest.mark.slow
def test_a_snapshot_gets_the_answer_that_predict_gives():
    at = opened(ARTIFACTS[1], "camera")
    content = encoded(coloured(1, 9), "JPEG")
    at.camera_input[0].set_value(("shot.jpg", content, "image/jpeg"))
    text = shown(at.run())
    expected = predict.picture(runtime.load(ARTIFACTS[1]), content)
    assert dict(BARS.findall(text)) == {name: f"{share:.6f}" for name, share in expected.probabilities.items()}


@pytest.mark.slow
def test_live_video_says_what_it_needs(monkeypatch):
    from toolkit.app import camera

    at = opened(ARTIFACTS[0], "camera")
    monkeypatch.setattr(camera, "find_spec", lambda name: None)
    at.segmented_control[0].set_value("Live")
    assert '[live]"`. Then start the app again.' in shown(at.run())


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("streamlit_webrtc"), reason="streamlit-webrtc is not installed")
def test_live_video_is_not_loaded_after_tensorflow_which_would_end_the_process():
    at = opened(ARTIFACTS[0], "camera")
    assert "tensorflow" in sys.modules
    assert "pylibsrtp" not in sys.modules
    at.segmented_control[0].set_value("Live")
    assert "start the app with `toolkit app`" in shown(at.run())


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("streamlit_webrtc"), reason="streamlit-webrtc is not installed")
def test_live_video_that_is_loaded_before_tensorflow_bears_it():
    program = "from toolkit.app import camera; camera.prepare(); import tensorflow, aiortc"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


@pytest.mark.slow
def test_samples_on_the_model_page_are_of_all_classes_alike():
    from toolkit.app import model_page

    table = manifest.load("pets")
    drawn = model_page._samples(str(table.root), 0, table)
    assert [cell["words"] for cell in drawn] == ["cars"] * 6 + ["tanks"] * 6


@pytest.mark.slow
def test_the_model_page_says_how_good_it_is_what_it_learned_from_and_how_it_compares():
    text = shown(opened("pets"))
    run = bundle.load("pets/good")
    assert f"{run.metrics['accuracy']:.1%}" in text
    assert "test pictures" in text
    assert "Beside the others" in text
    assert "began with" in text
    at = opened(ARTIFACTS[0])
    assert "exported from other" in shown(at)
    assert "litert-float32" in shown(at)
    assert "What it takes and gives" in at.expander[0].markdown[0].value


@pytest.mark.slow
def test_a_class_that_is_a_digit_has_its_own_key_and_no_number_the_key_of_another():
    from toolkit.app import quiz

    assert quiz.keys("0123456789") == list("0123456789")
    assert quiz.keys(["cars", "tanks"]) == ["1", "2"]
    assert quiz.keys(["6 legs", "cars", "tanks"]) == ["a", "b", "c"]
    assert quiz.keys(["八", "九"]) == ["1", "2"]
    assert quiz.keys([f"class {number}" for number in range(12)]) == [*"123456789", None, None, None]


@pytest.mark.slow
def test_a_person_plays_against_the_network_and_the_score_is_kept():
    at = opened(ARTIFACTS[0], "test")
    game = at.session_state["game"]
    for place, label in enumerate(game.labels[:3]):
        said = label if place < 2 else next(name for name in ("cars", "tanks") if name != label)
        at.button(key=f"say {said}").click().run()
        assert f"**{label}**" in shown(at)
        next(button for button in at.button if button.label == "Next").click().run()
    right = sum(answer.label == label for answer, label in zip(game.answers, game.labels, strict=False))
    text = shown(at)
    assert "2 right of 3" in text
    assert f"{right} right of 3" in text
    next(button for button in at.button if button.label == "Let it finish alone").click().run()
    count, alone = len(game.labels), shown(at)
    assert (
        "2 right of 3" in alone and f" right of {count}" in alone
    )  # a person is asked about three, the network of all
    found = re.search(r"you were asked about, you named 2 right and (\S+) (\d): (.*)\.", alone)
    assert int(found[2]) == right
    assert found[3] == ("you win" if right < 2 else "a draw" if right == 2 else f"{found[1]} wins")
    assert shown(at).count("<figure") == count
    next(button for button in at.button if button.label == "Another round").click().run()
    assert "0 right of 0" in shown(at)


@pytest.mark.slow
def test_whoever_has_no_picture_at_hand_asks_about_a_test_picture_of_the_dataset():
    at = opened(ARTIFACTS[0], "predict")
    assert "<article" not in shown(at)
    offered = [button for button in at.button if button.label == "What is it?"]
    assert len(offered) == 4
    path = offered[1].key.removeprefix("sample ")
    text = shown(offered[1].click().run())
    expected = predict.picture(runtime.load(ARTIFACTS[0]), paths.dataset("pets") / path)
    assert float(BARS.findall(text)[0][1]) == pytest.approx(expected.probability, abs=1e-4)
    assert f"<h3>{expected.label}</h3><span>{expected.probability:.1%}, " in text or expected.abstained


@pytest.mark.slow
def test_a_model_is_opened_once_for_all_sessions_and_reruns(monkeypatch):
    opening, load = [], runtime.load
    monkeypatch.setattr(runtime, "load", lambda name, **how: opening.append(str(name)) or load(name, **how))
    # one after the other: what stands for a server in these tests is one for the whole process
    pages = [put(opened("pets/other", "predict").run(), PICTURES) for _ in range(3)]
    assert all("<article" in shown(page.run()) for page in pages)
    opened("pets/other", "model").run()
    assert opening == [str(paths.run("pets/other"))]


@pytest.mark.slow
def test_choosing_another_network_asks_that_one():
    at = put(opened("pets", "predict"), PICTURES)
    names = [str(option) for option in at.selectbox[0].options]
    assert sorted(names) == ["good", "other"]
    for name in names:
        at.selectbox[0].set_value(paths.run(f"pets/{name}"))
        text = shown(at.run())
        expected = predict.picture(bundle.load(f"pets/{name}"), PICTURES["0.png"])
        assert float(BARS.findall(text)[0][1]) == pytest.approx(expected.probability, abs=1e-4)


@pytest.mark.slow
def test_the_review_page_is_served_until_it_is_ended(home):
    from toolkit.app import review_page

    at = opened("pets", "review")
    at.button[0].click().run()
    assert "127.0.0.1" in at.link_button[0].url
    at = opened("pets/other", "review")  # another session
    at.button[0].click().run()
    assert not at.link_button
    at.button[0].click().run()
    review_page.reviews.close()
    assert not (home / "data" / "pets" / ".review-token").exists()
    assert "toolkit review pets" in shown(opened("pets", "review", private=False))


@pytest.mark.slow
def test_what_is_not_there_is_said_in_one_line(capsys, home):
    assert cli.main(["app", "cats"]) == 2
    assert "expected a trained run at" in capsys.readouterr().err
    assert cli.main(["app", "pets", "--page", "cellar"]) == 2
    assert "expected a page of model, predict" in capsys.readouterr().err
    with pytest.raises(BundleError, match="expected trained runs of empty, found none"):
        ready_dataset(home / "data" / "empty")
        opened("empty")
    with pytest.raises(ToolkitError, match="choose another with --port"):
        app.serve("pets", host="192.0.2.1", port=1)


@pytest.mark.slow
def test_an_exported_model_is_shown_without_a_framework(home):
    program = """
import sys
from streamlit.testing.v1 import AppTest
sys.modules |= dict.fromkeys(sys.argv[2:])  # none of them can be imported
from toolkit.app import server, state
for page in ("model", "predict", "camera", "test"):
    state.use(state.find(sys.argv[1], page=page))
    at = AppTest.from_file(server.SCRIPT, default_timeout=60).run()
    assert not at.exception and not at.error, page
print("all")
"""
    missing = ["tensorflow", "keras", "matplotlib", "sklearn", "scipy", "numba", "imagehash", "praw", "fastapi"]
    words = [sys.executable, "-c", program, ARTIFACTS[0], *missing]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout.split() == ["all"], done.stderr
