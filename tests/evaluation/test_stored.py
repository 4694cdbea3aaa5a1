"""Stored answers are used only if they are about today, of the dataset that a run was trained on, wherever it lies."""

import json
import shutil

import pandas as pd
import pytest
from helpers import learned, ready_dataset, tiny_dataset, untrained

from toolkit import bundle, compare, evaluate, failures, manifest, paths, report, review, robustness
from toolkit.errors import BundleError, DatasetError
from toolkit.evaluation import names, stored
from toolkit.evaluation.evaluate import Report


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with a dataset and an evaluated run, made once."""
    home = tmp_path_factory.mktemp("stored") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(home))
        table = ready_dataset(paths.dataset("pets"), per_class=10)
        learned(table, "net")
    return home


@pytest.fixture
def run(made):
    shutil.copytree(made, paths.home(), dirs_exist_ok=True)
    return bundle.load("pets/net")


@pytest.fixture
def table(run):
    return manifest.load("pets")


@pytest.mark.slow
def test_answers_about_today_are_taken_as_they_are(run, table):
    assert stored.outdated(run, table) == ""
    assert stored.report(run, table).accuracy == run.metrics["accuracy"]
    assert len(evaluate.test_looks(table)) == 1  # none of this was a look


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["label", "picture", "split", "model", "no metrics", "no answers", "damaged"])
def test_answers_about_yesterday_are_told_and_given_again(run, table, changed):
    path = table.where(split="test").table["path"].iloc[0]
    other = {"cars": "tanks", "tanks": "cars"}[table.table.set_index("path")["label"][path]]
    if changed == "label":
        review.relabel(table, [path], other)
    elif changed == "picture":
        table.exclude([path], reason="blurred").save()
    elif changed == "split":
        table.update({path: {"split": ""}}).save()
    elif changed == "model":
        before = run.metrics
        run = untrained(run.folder, seed=9, dataset="pets")
        (run.folder / bundle.METRICS).write_text(json.dumps(before))
        pd.DataFrame().to_csv(run.folder / bundle.PREDICTIONS)
    elif changed == "damaged":
        (run.folder / bundle.METRICS).write_text("{")
    else:
        (run.folder / {"no metrics": bundle.METRICS, "no answers": bundle.PREDICTIONS}[changed]).unlink()
    today = manifest.load("pets")
    reason = stored.outdated(run, today)
    expected = {"model": "trained again", "no metrics": "not evaluated", "no answers": "not evaluated"}
    assert expected.get(changed, "not evaluated" if changed == "damaged" else "have changed since") in reason
    with pytest.raises(BundleError, match=r"net was not: .*; run `toolkit evaluate pets/net`"):
        report._check_today(today, [run])
    again = stored.report(run, today)
    labels = today.where(split="test", status="ok").table.set_index("path")["label"]
    assert again.predictions.set_index("path")["label"].equals(labels)
    assert stored.outdated(run, today) == ""


@pytest.mark.slow
def test_robustness_is_about_todays_labels(run, table):
    robustness.measure(run, table, count=3)
    for path in table.where(split="test").table["path"]:
        label = table.table.set_index("path")["label"][path]
        table = review.relabel(table, [path], {"cars": "tanks", "tanks": "cars"}[label])
    before = run.metrics["accuracy"]
    again = robustness.measure(run, manifest.load("pets"))
    assert run.metrics["accuracy"] == pytest.approx(1 - before)
    untouched = again.curves[again.curves["level"] == 0]["accuracy"]
    assert untouched.iloc[0] == pytest.approx(run.metrics["accuracy"])


def test_pictures_that_were_added_since_are_said(run, table):
    assert stored.added(run, table) == ""
    more = tiny_dataset(paths.dataset("more"), per_class=12)
    new = more.table[~more.table["sha256"].isin(table.table["sha256"])]
    for path in new["path"]:
        shutil.copy(more.root / path, table.root / path)
    table = manifest.merge(table, new.assign(status="ok").to_dict("records"))
    assert stored.added(run, table) == "4 pictures of pets are in no split yet"
    table = table.update({path: {"split": "train"} for path in new["path"][:3]})
    assert stored.added(run, table) == (
        "1 picture of pets is in no split yet; net has not learned from 3 that are to learn from now"
    )


def test_classes_without_a_test_picture_are_said(table):
    assert stored.unjudged(table) == ""
    gone = table.table["path"][(table.table["label"] == "cars") & (table.table["split"] == "test")]
    table = table.update({path: {"status": "excluded"} for path in gone})
    assert stored.unjudged(table) == "no test picture of cars: nothing is known of how well it is recognized"


def test_a_run_whose_folder_was_renamed_or_moved_keeps_its_dataset(run, tmp_path):
    folder = paths.home() / "models"
    (folder / "pets").rename(folder / "archive")
    assert stored.dataset_of(bundle.load("archive/net")).name == "pets"
    (folder / "archive" / "net").rename(tmp_path / "backup")
    assert stored.dataset_of(bundle.load(tmp_path / "backup")).name == "pets"
    ready_dataset(paths.dataset("archive"), per_class=8, noise=10)  # another one of the name of the folder
    (folder / "archive").mkdir(exist_ok=True)
    (tmp_path / "backup").rename(folder / "archive" / "net")
    assert stored.dataset_of(bundle.load("archive/net")).name == "pets"


def test_a_dataset_that_was_renamed_is_found_by_its_pictures_and_a_lost_one_is_named(run):
    data = paths.home() / "data"
    (data / "pets").rename(data / "animals")
    assert stored.dataset_of(run).name == "animals"
    (data / "animals" / manifest.FILE).unlink()
    ready_dataset(paths.dataset("others"), per_class=8, noise=10)
    with pytest.raises(DatasetError, match="expected the dataset 'pets' that net was trained on, found none with its"):
        stored.dataset_of(run)


@pytest.mark.slow
def test_a_dataset_called_models_has_runs_like_any_other(monkeypatch):
    table = ready_dataset(paths.dataset("models"), per_class=10)
    run = learned(table, "net")
    assert paths.dataset_of(run.folder) == table.root
    for name in ("models/net", "models/models/net", run.folder):
        assert bundle.load(name).folder == run.folder
    assert stored.dataset_of(run).root == table.root


@pytest.mark.slow
def test_runs_of_one_name_are_told_apart_by_their_dataset(run, tmp_path):
    shutil.copytree(paths.home() / "data" / "pets", paths.home() / "data" / "same")
    other = learned(manifest.load("same"), "net", seed=5)
    assert names.full([run, other]) == names.short([run, other]) == ["pets/net", "same/net"]
    assert names.short([run]) == ["net"] and names.full([run]) == ["pets/net"]
    assert set(compare.table([run, other]).index) == {"pets/net", "same/net"}
    (pair,) = compare.pairs([run, other]).to_dict("records")
    assert {pair["first"], pair["second"]} == {"pets/net", "same/net"}
    shutil.copytree(run.folder, tmp_path / "pets" / "net")
    copy = bundle.load(tmp_path / "pets" / "net")
    assert names.full([run, copy]) == [str(run.folder), str(copy.folder)]


@pytest.mark.parametrize("taken", ["label", "path", "wrong"])
def test_a_run_may_have_the_name_of_a_column(taken):
    def answers(run, named, dataset="pets"):
        rows = pd.DataFrame({"path": ["1.jpg", "2.jpg"], "label": ["a", "b"]})
        return Report(run, ("a", "b"), rows.assign(predicted=list(named), probability=0.9), dataset=dataset)

    (row,) = failures.disagreements([answers(taken, "ab"), answers("net", "bb")]).to_dict("records")
    assert row == {"path": "1.jpg", "label": "a", f"pets/{taken}": "a", "pets/net": "b", "wrong": 1}
    (row,) = failures.disagreements([answers("net", "ab"), answers("net", "bb", "same")]).to_dict("records")
    assert row == {"path": "1.jpg", "label": "a", "pets/net": "a", "same/net": "b", "wrong": 1}
    (row,) = failures.disagreements([answers("net", "ab", ""), answers("net", "bb", "")]).to_dict("records")
    assert len(row) == 5 and row["wrong"] == 1
