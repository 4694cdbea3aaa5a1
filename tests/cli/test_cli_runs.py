"""Which run, and whose truth: runs are found in every way people name them, and a bad one stops no other."""

import json
import shutil

import pytest
from helpers import encoded, learned, ready_dataset, textured, weighed

from toolkit import bundle, manifest, paths, resize, review, split, verify
from toolkit.cli import main, runs
from toolkit.errors import BundleError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two datasets with the same pictures and runs of the same names."""
    home = tmp_path_factory.mktemp("runs") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(home))
        table = ready_dataset(paths.dataset("mine"), per_class=10)
        shutil.copytree(table.root, paths.dataset("same"))
        for name in ("mine", "same"):
            answers = learned(manifest.load(name), "net", seed=len(name)).predictions["predicted"]
            for seed in range(10, 40):  # one that answers otherwise
                if not learned(manifest.load(name), "label", seed=seed).predictions["predicted"].equals(answers):
                    break
    return home


@pytest.fixture
def here(made):
    shutil.copytree(made, paths.home(), dirs_exist_ok=True)
    return paths.home()


def add_a_class():
    """A third class in `mine`, of which the runs there are do not know."""
    table = manifest.load("mine")
    for number in range(8):
        content = encoded(textured(number, width=40, height=40))
        (table.root / "raw" / "boats").mkdir(exist_ok=True)
        (table.root / "raw" / "boats" / f"{number}.png").write_bytes(content)
        row = {"path": f"raw/boats/{number}.png", "label": "boats", "sha256": f"{number}", "bytes": len(content)}
        table = manifest.merge(table, [row])
    return split.assign(resize.write(verify.check(table), size=32), val=0.2, test=0.25, seed=7).save()


def told(capsys, *words):
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err


@pytest.mark.slow
def test_a_run_is_found_in_every_way_people_name_it(here, monkeypatch, tmp_path):
    net, label, other = (here / "models" / name for name in ("mine/net", "mine/label", "same/net"))
    for words in (["mine/net"], ["mine", "net"], ["models/mine/net"], [str(net)]):
        assert runs.folders(words) == [net]
        assert runs.one([*words, "a.jpg"]) == (net, ["a.jpg"])
        assert runs.only(words) == net
    assert runs.folders(["mine"]) == runs.folders([str(here / "models" / "mine")]) == [label, net]
    assert runs.folders(["mine", "net", "label"]) == [net, label]
    assert runs.folders(["mine", "net", "same/net", "mine/net"]) == [net, other]
    assert runs.folders(["mine", "same", "net"]) == [label, net, other]
    (here / "models" / "mine").rename(here / "models" / "archive")
    assert runs.folders(["archive"]) == [here / "models" / "archive" / name for name in ("label", "net")]
    assert runs.folders(["archive", "net"]) == [here / "models" / "archive" / "net"]


@pytest.mark.slow
def test_a_dataset_with_one_run_stands_for_it_and_one_with_several_lists_them(here):
    with pytest.raises(BundleError, match="expected one run of mine, got label, net; name it: mine/label"):
        runs.one(["mine", "a.jpg"])
    shutil.rmtree(here / "models" / "mine" / "label")
    assert runs.one(["mine", "a.jpg"]) == (here / "models" / "mine" / "net", ["a.jpg"])


@pytest.mark.slow
def test_a_word_that_means_two_things_is_refused(here, monkeypatch, tmp_path):
    shutil.copytree(here / "data" / "mine", here / "data" / "net")
    for ask in (runs.folders, runs.one):
        with pytest.raises(BundleError, match="got a run of mine and a dataset.*write mine/net"):
            ask(["mine", "net"])
    shutil.rmtree(here / "data" / "net")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net").write_text("a file")
    with pytest.raises(BundleError, match="got a run of mine and a file.*write mine/net"):
        runs.one(["mine", "net"])


@pytest.mark.slow
def test_runs_of_one_name_in_two_datasets_are_two_under_every_verb(here, capsys):
    both = ["mine/net", "same/net"]
    measured, _ = told(capsys, "evaluate", *both)
    compared, _ = told(capsys, "compare", *both)
    failed, _ = told(capsys, "failures", *both)
    assert list(measured) == both
    assert set(compared["runs"]) == {row["run"] for row in compared["comparison"]} == set(both)
    (pair,) = compared["pairs"]
    assert {pair["first"], pair["second"]} == set(both)
    assert set(failed) == {*both, "disagreements"}
    assert all({"path", "label", "wrong", *both} == set(row) for row in failed["disagreements"])
    assert all(name in compared["in_words"] for name in both)


@pytest.mark.slow
def test_a_run_called_label_does_not_take_the_place_of_the_labels(here, capsys):
    failed, _ = told(capsys, "failures", "mine")
    true = manifest.load("mine").table.set_index("path")["label"]
    assert failed["disagreements"]
    assert all(row["label"] == true[row["path"]] for row in failed["disagreements"])


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["compare", "failures"])
def test_what_was_relabelled_since_is_measured_again(here, capsys, verb):
    table = manifest.load("mine")
    before = bundle.load("mine/net").metrics["accuracy"]
    for path in table.where(split="test").table["path"]:
        other = {"cars": "tanks", "tanks": "cars"}[table.table.set_index("path")["label"][path]]
        table = review.relabel(table, [path], other)
    told(capsys, verb, "mine")
    assert bundle.load("mine/net").metrics["accuracy"] == pytest.approx(1 - before)


@pytest.mark.slow
def test_a_bad_run_is_left_out_and_said_and_alone_it_is_an_error(here, capsys):
    (here / "models" / "mine" / "label" / bundle.MODEL).write_bytes(b"damaged")
    measured, said = told(capsys, "evaluate", "mine", "same")
    assert set(measured) == {"mine/net", "same/label", "same/net"}
    assert "left out mine/label: " in said and "missing or not the file that was saved" in said
    compared, said = told(capsys, "compare", "mine", "same/net")
    assert len(compared["comparison"]) == 2 and "left out mine/label" in said
    assert [left["run"] for left in compared["left_out"]] == ["mine/label"]
    assert main(["compare", "mine/label"]) == 2
    assert main(["failures", "mine/net", "mine/no-such-run"]) == 0
    assert "left out mine/no-such-run: expected a trained run" in capsys.readouterr().err


@pytest.mark.slow
def test_runs_judged_on_other_pictures_are_left_out_of_a_comparison(here, capsys):
    table = manifest.load("same")
    table.exclude([table.where(split="test").table["path"].iloc[0]], reason="blurred").save()
    compared, said = told(capsys, "compare", "mine", "same/net")
    assert {row["run"] for row in compared["comparison"]} == {"mine/label", "mine/net"}
    assert "left out same/net: it was judged on other test pictures" in said
    assert main(["compare", "mine/net", "same/net"]) == 2
    assert "same/net and mine/net were not" in capsys.readouterr().err
    failed, said = told(capsys, "failures", "mine/net", "mine/label", "same/net")
    assert "disagreements are those of mine/net, mine/label" in said and "same/net" in failed


@pytest.mark.slow
def test_what_was_added_since_is_said(here, capsys):
    table = manifest.load("mine")
    table.update({path: {"split": ""} for path in table.where(split="train").table["path"][:2]}).save()
    _, said = told(capsys, "compare", "mine")
    assert "warning: 2 pictures of mine are in no split yet" in said


@pytest.mark.slow
def test_every_verb_over_all_that_can_be_wrong_with_runs_says_the_right_words(here, capsys, tmp_path):
    """Two datasets with the same names, a damaged run, an old run, a renamed folder, an added class."""
    table = add_a_class()
    learned(table, "new", classes=table.classes, seed=3)
    weighed(bundle.load("mine/new"))
    (here / "models" / "same" / "label" / bundle.MODEL).write_bytes(b"damaged")
    (here / "models" / "same").rename(here / "models" / "archive")
    words = ["mine", "archive"]
    kept = {"mine/new", "archive/net"}

    measured, said = told(capsys, "evaluate", *words)
    assert set(measured) == kept
    for left, reason in {
        "mine/net": "expected a model of cars, tanks, boats",
        "mine/label": "expected a model of cars, tanks, boats",
        "archive/label": "missing or not the file that was saved",
    }.items():
        assert any(line.startswith(f"warning: left out {left}: ") and reason in line for line in said.splitlines())
    failed, said = told(capsys, "failures", *words)
    assert set(failed) == {*kept, "disagreements"} and "the others have other test pictures" in said
    robust, _ = told(capsys, "robustness", *words)
    assert set(robust) == kept
    compared, said = told(capsys, "compare", "mine")
    assert [row["run"] for row in compared["comparison"]] == ["mine/new"]
    assert {left["run"] for left in compared["left_out"]} == {"mine/net", "mine/label"}
    page, said = told(capsys, "report", "mine")
    assert page["runs"] == ["new"] and len(page["left_out"]) == 2
    html = (here / "models" / "mine" / "report.html").read_text()
    assert "Mine/net is left out: expected a model of cars, tanks, boats" in html
    assert main(["report", "mine/new", "archive/net"]) == 2
    assert "expected runs of one dataset for a page" in capsys.readouterr().err
    told(capsys, "report", "mine", "new")
    picture = manifest.load("mine").files[0]
    for run in (["mine/net"], ["archive", "net"], [str(here / "models" / "archive" / "net" / bundle.MODEL)]):
        answers, _ = told(capsys, "predict", *run, picture)
        assert set(answers[0]["probabilities"]) == {"cars", "tanks"}
        told(capsys, "explain", *run, picture, "--into", tmp_path / "heat.png")
    exported, _ = told(capsys, "export", "archive", "net", "--format", "litert-float32", "--max-loss", 1)
    assert set(exported) == {"litert-float32"}
    assert main(["export", "mine/net", "--format", "onnx"]) == 2
    assert "mine has other classes" in capsys.readouterr().err
    assert main(["predict", "archive", "label", str(picture)]) == 2
    assert main(["predict", "nothing/net", str(picture)]) == 2
    assert "there are: archive/label, archive/net, mine/label, mine/net, mine/new" in capsys.readouterr().err
