"""More pictures later: trained again beside the earlier run, which stays and is compared."""

import pandas as pd
import pytest
from helpers import class_folders, coloured, encoded, fake_table, untrained

import toolkit
from toolkit import bundle, evaluate, paths, train
from toolkit.dataset import changes
from toolkit.errors import BundleError
from toolkit.pipeline import again

CONFIG = train.Config("vgg", epochs=2)
OPTIONS = {"network": "small_cnn", "width": 0.1, "size": 16, "epochs": 2, "seed": 3, "precision": "float32"}


@pytest.fixture
def table(tmp_path):
    table = fake_table(paths.dataset("pets"), [("cars", "")] * 6 + [("tanks", "")] * 6)
    return table.assign(split=["train", "val", "test"] * 4)


def trained(table, name, config=CONFIG):
    """A run of these pictures and settings; the network in it has learned nothing."""
    folder = paths.models(table.root) / name
    folder.mkdir(parents=True)
    changes.noted(table).to_csv(folder / bundle.PICTURES, index=False)
    return untrained(folder, **train.identity(config.resolved(), table))


def fewer(table):
    return table.update({path: {"status": "excluded"} for path in table.table["path"][:3]})


def test_the_same_pictures_and_settings_are_the_same_run(table):
    assert again._place(CONFIG, table, "vgg") == ("vgg", None)
    trained(table, "vgg")
    assert again._place(CONFIG, table, "vgg") == ("vgg", None)


def test_other_pictures_have_a_run_beside_the_last_one_of_the_same_settings(table):
    trained(fewer(table), "vgg")
    place, before = again._place(CONFIG, table, "vgg")
    assert (place, before.name) == ("vgg-2", "vgg")
    trained(table.update({table.table["path"][0]: {"split": "val"}}), "vgg-2")
    place, before = again._place(CONFIG, table, "vgg")
    assert (place, before.name) == ("vgg-3", "vgg-2")
    trained(table, "vgg-3")
    place, before = again._place(CONFIG, table, "vgg")
    assert (place, before.name) == ("vgg-3", "vgg-2")


def test_other_settings_are_refused_as_ever_and_those_of_a_run_beside_are_passed_by(table):
    trained(table, "vgg", train.Config("vgg", epochs=9))
    assert again._place(CONFIG, fewer(table), "vgg") == ("vgg", None)
    with pytest.raises(BundleError, match="epochs 9 → 2"):
        again.fit(CONFIG, table, name="vgg")
    trained(fewer(table), "own")
    trained(table, "own-2", train.Config("vgg", epochs=9))
    place, before = again._place(CONFIG, table, "own")
    assert (place, before.name) == ("own-3", "own")


def test_what_changed_since_is_counted_by_kind(table):
    run = trained(fewer(table), "vgg")
    now = table.update({table.table["path"][5]: {"label": "tanks", "class_index": 1}})
    assert again.since(run, now) == "since vgg 4 pictures: 3 added and 1 relabelled"
    (run.folder / bundle.PICTURES).unlink()
    assert again.since(run, now) == "other pictures, labels or splits since vgg"


def test_both_are_compared_on_the_test_pictures_they_share(table):
    old = trained(table, "vgg")
    rows = pd.DataFrame({"path": [f"{n}.png" for n in range(12)], "label": ["cars"] * 12, "predicted": ["tanks"] * 12})
    rows.assign(predicted=["cars"] * 2 + ["tanks"] * 10).to_csv(old.folder / bundle.PREDICTIONS, index=False)
    new = rows.assign(predicted="cars").assign(path=[f"{n}.png" for n in range(4, 16)])
    said = again.beside(old, evaluate.Report("vgg-2", ("cars", "tanks"), new))
    assert said == ("of the 8 test pictures of both, vgg names 0.0% right, vgg-2 100.0%; they differ, p = 0.0078")
    assert again.beside(old, evaluate.Report("vgg-2", ("cars", "tanks"), new.assign(label="tanks"))) == ""
    (old.folder / bundle.PREDICTIONS).unlink()
    assert again.beside(old, evaluate.Report("vgg-2", ("cars", "tanks"), new)) == ""


@pytest.mark.slow
def test_pictures_added_to_the_folder_are_learned_from_and_the_first_run_stays(tmp_path):
    pictures, lines = class_folders(tmp_path / "pictures", per_class=12), []
    first = toolkit.learn(pictures, log=lines.append, **OPTIONS)
    for number in range(100, 106):
        (pictures / "cars" / f"{number}.png").write_bytes(encoded(coloured(0, number)))
    second = toolkit.learn(pictures, log=lines.append, **OPTIONS)
    assert (first.bundle.name, second.bundle.name) == ("small_cnn", "small_cnn-2")
    assert bundle.load("pictures/small_cnn").facts["sha256"] == first.bundle.facts["sha256"]
    assert any("since small_cnn 6 pictures: 6 added; small_cnn stays" in line for line in lines)
    assert any("of the 4 test pictures of both, small_cnn names" in line for line in lines)
    before = len(lines)
    third = toolkit.learn(pictures, log=lines.append, **OPTIONS)
    assert third.bundle.name == "small_cnn-2" and len(lines) > before
    assert set(bundle.load("pictures/small_cnn-2").pictures) == set(changes.NOTED)
