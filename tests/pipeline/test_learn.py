import json
from urllib.request import urlopen

import pytest
from helpers import class_folders

import toolkit
from toolkit import bundle, explain, export, manifest, networks, predict, runtime, serve
from toolkit.errors import SourceError
from toolkit.training.finetune import FineTune

OPTIONS = {"network": "small_cnn", "width": 0.1, "size": 16, "epochs": 3, "seed": 3, "precision": "float32"}


@pytest.fixture
def pictures(tmp_path):
    return class_folders(tmp_path / "pictures", per_class=12)


@pytest.fixture
def lines():
    return []


@pytest.mark.slow
def test_three_lines_lead_from_a_folder_to_an_answer(pictures, lines):
    model = toolkit.learn(pictures, log=lines.append, **OPTIONS)
    answer = model.predict(pictures / "tanks" / "3.png")
    assert set(answer.probabilities) == {"cars", "tanks"}
    assert [line.split()[0] for line in lines] == ["scrape", "verify", "dedup", "resize", "split", "train", "evaluate"]
    assert repr(model).startswith("small_cnn: ")
    assert "right on 4 test pictures" in repr(model)


@pytest.mark.slow
def test_it_leaves_the_dataset_and_the_run_of_the_stages_behind(pictures, lines):
    model = toolkit.learn(f"{pictures}/", log=lines.append, **OPTIONS)
    assert manifest.load("pictures").table.equals(model.manifest.table)
    stored = bundle.load("pictures/small_cnn").facts["config"]
    assert (stored["style"], stored["epochs"], stored["seed"]) == ("modern", 3, 3)
    assert stored["options"]["width"] == 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:litert-int8 is written without familiarity")  # four test pictures are few
def test_the_usual_network_learns_further_is_explained_and_answers_alike_in_every_format(pictures, lines):
    tuned = {"fine_tune": FineTune(epochs=1, share=0.1), "batch_size": 8, "precision": "float32", "size": 64}
    model = toolkit.learn(pictures, log=lines.append, **tuned)
    assert model.bundle.name == networks.USUAL
    assert list(model.bundle.history["phase"].unique()) == ["probe", "fine-tune"]
    picture = pictures / "tanks" / "3.png"
    heat = explain.grad_cam(model.bundle, model.bundle.prepare(picture)[None])
    assert heat.shape == (1, 64, 64) and heat.max() == 1 and 0 <= heat.min() < 1
    done = model.export(*export.OFFLINE)
    kept = {outcome.format: outcome.file for outcome in done.outcomes if outcome.file}
    assert {"litert-float32", "litert-float16", "onnx", "savedmodel"} <= set(kept)
    expected = model.predict(picture).probabilities["tanks"]
    for format in ("litert-float32", "litert-float16", "onnx"):
        told = predict.picture(runtime.load(kept[format]), picture).probabilities["tanks"]
        assert told == pytest.approx(expected, abs=0.02)
    with serve.open(model.bundle.folder, serve.Config(port=0)) as service:
        (answer,) = json.load(urlopen(f"{service.url}/predict", data=picture.read_bytes()))["predictions"]
    assert answer["probabilities"]["tanks"] == pytest.approx(expected, abs=0.02)
    assert model.report().stat().st_size > 100_000


@pytest.mark.slow
def test_called_again_it_trains_nothing_anew(pictures, lines):
    first = toolkit.learn(pictures, log=lines.append, **OPTIONS)
    written = (first.bundle.folder / "model.keras").stat().st_mtime_ns
    toolkit.learn(pictures, log=lines.append, **OPTIONS)
    assert (first.bundle.folder / "model.keras").stat().st_mtime_ns == written


def test_a_folder_that_is_not_there_and_a_setting_that_does_not_exist_are_refused(pictures, tmp_path):
    with pytest.raises(SourceError, match="found nothing at .*picturez"):
        toolkit.learn(tmp_path / "picturez")
    with pytest.raises(ValueError, match="speed"):
        toolkit.learn(pictures, network="small_cnn", speed=9)
