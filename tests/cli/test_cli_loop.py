"""The verbs for what comes after a first network, as a person and a program call them."""

import json
import shutil

import pytest
from helpers import class_folders, coloured, encoded, judged, ready_dataset

from toolkit import bundle, manifest, paths
from toolkit.cli import main, schemas
from toolkit.dataset import changes

HEAD = ["--network", "xception", "--weights", "cifar10", "--size", "32"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with a dataset whose features are cached, made once."""
    home = tmp_path_factory.mktemp("loop") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(home))
        table = ready_dataset(paths.dataset("pets"), per_class=30)
        table.assign(source=[("web", "phone", "page")[n % 3] for n in range(len(table))]).save()
        judged(table, "vgg")
    return home


@pytest.fixture
def table(made):
    shutil.copytree(made, paths.home(), dirs_exist_ok=True)
    facts = paths.run("pets/vgg") / bundle.FACTS
    facts.write_text(facts.read_text().replace(str(made), str(paths.home())))
    return manifest.load("pets")


def told(capsys, verb, *words):
    """The document that a verb prints, as its schema says."""
    assert main([verb, *map(str, words), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    from jsonschema import Draft202012Validator  # here, since its grammars take seconds to load

    Draft202012Validator(schemas.DOCUMENTS[verb]).validate(found)
    return found


@pytest.mark.slow
def test_enough_prints_a_forecast_and_draws_it(table, capsys, tmp_path):
    pictures = [tmp_path / "curve.png", tmp_path / "next.png"]
    words = ["pets", *HEAD, "--folds", "3", "--times", "3", "--show", pictures[0], "--regions", pictures[1]]
    assert main(["enough", *map(str, words)]) == 0
    said = capsys.readouterr().out
    assert "with 3 times as many of the same kind" in said and "what to photograph next" in said
    assert all(picture.stat().st_size > 1000 for picture in pictures)
    found = told(capsys, "enough", *words[:-4])
    assert [row["class"] for row in found["forecast"]] == ["all", "cars", "tanks"] and found["times"] == 3


@pytest.mark.slow
def test_a_source_left_out_stands_below_the_usual_score(table, capsys):
    found = told(capsys, "crossval", "pets", *HEAD, "--folds", "3", "--by", "source")
    assert sorted(row["value"] for row in found["by"]["values"]) == ["page", "phone", "web"]
    assert found["by"]["folder"].endswith("xception-by-source") and found["folder"].endswith("xception")
    assert told(capsys, "crossval", "pets", *HEAD, "--folds", "3")["by"] is None


def test_split_by_a_column_puts_each_value_into_one_part(table, capsys):
    told(capsys, "split", "pets", "--by", "source", "--again", "--val", "0.33", "--test", "0.33")
    assert (manifest.load("pets").table.groupby("source")["split"].nunique() == 1).all()


def test_blame_lists_what_changed_since_a_copy_of_the_manifest(table, capsys, tmp_path):
    before = shutil.copy(table.root / manifest.FILE, tmp_path / "before.csv")
    path = table.table["path"][0]
    table.update({path: {"status": "excluded", "reason": "a toy"}}).save()
    found = told(capsys, "blame", "pets", "--since", before, "--list")
    (row,) = found["changes"]
    assert (row["path"], row["change"], row["was"], row["batch"]) == (path, "taken out", "cars", "taken out: a toy")
    assert main(["blame", "pets", "--since", str(before), "--list"]) == 0
    assert "taken out: a toy" in capsys.readouterr().out


def test_blame_takes_the_last_run_with_other_pictures_and_says_where_there_is_none(table, capsys):
    assert main(["blame", "pets"]) == 2
    assert "expected a run of pets that noted its pictures, found none" in capsys.readouterr().err
    assert main(["blame", "pets", "--since", "pets/vgg"]) == 2
    assert "trained by an older version" in capsys.readouterr().err
    changes.noted(table).to_csv(paths.run("pets/vgg") / bundle.PICTURES, index=False)
    assert told(capsys, "blame", "pets") == {
        "since": "pets/vgg",
        "changes": [],
        "counts": [],
        "batches": [],
        "in_words": "",
    }


@pytest.mark.slow
def test_blame_tells_the_effect_of_each_batch(table, capsys):
    changes.noted(table).to_csv(paths.run("pets/vgg") / bundle.PICTURES, index=False)
    cars = table.where(label="cars", source="web").table["path"]
    table.update({path: {"label": "tanks", "class_index": 1} for path in cars[:6]}).save()
    found = told(capsys, "blame", "pets", *HEAD, "--by", "source")
    (row,) = found["batches"]
    assert row["batch"] == "source web" and row["pictures"] == 6 and row["verdict"] in ("worse", "cannot be told")
    assert "6 pictures changed in 1 batch." in found["in_words"]


@pytest.mark.slow
def test_drift_compares_a_folder_with_the_test_pictures(table, capsys, tmp_path):
    class_folders(tmp_path / "kept", per_class=10)
    found = told(capsys, "drift", "pets/vgg", tmp_path / "kept")
    assert found["pictures"] == 20 and len(found["measures"]) == 7 and set(found["answers"]) == {"cars", "tanks"}
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "one.png").write_bytes(encoded(coloured(0, 1)))
    assert main(["drift", "pets/vgg", str(tmp_path / "few")]) == 2
    assert "expected at least 10 pictures that came in" in capsys.readouterr().err
