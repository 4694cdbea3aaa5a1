"""Wrong labels are found and shown; only a person changes them."""

import hashlib
import json

import pandas as pd
import pytest
from helpers import coloured, dataset, encoded, tiny_dataset

from toolkit import dedup, evaluate, labels, manifest, paths, plot, practice, review, verify
from toolkit.cli import main
from toolkit.dataset import label_issues
from toolkit.errors import DatasetError
from toolkit.review.journal import FILE, Journal
from toolkit.review.queues import build

WRONG = 8  # of 150 of each class
pytestmark = pytest.mark.usefixtures("home")


def answers(rows):
    """A report of (label, probability of a)."""
    table = pd.DataFrame(
        {"path": [f"raw/{place}.png" for place in range(len(rows))], "label": [row[0] for row in rows]}
    )
    p_a = pd.Series([row[1] for row in rows])
    shares = {"probability": p_a.where(p_a >= 0.5, 1 - p_a), "p_a": p_a, "p_b": 1 - p_a}
    predicted = ["a" if share >= 0.5 else "b" for share in p_a]
    return evaluate.Report("run", ("a", "b"), table.assign(predicted=predicted, **shares))


@pytest.fixture(scope="module")
def planted(place):
    """Practice pictures, some under the other label, and the paths of those."""
    files, wrong = [], set()
    for other, label in zip(reversed(practice.LABELS), practice.LABELS, strict=True):
        for number in range(150):
            picture = encoded(practice.vehicle(label, seed=1000 + number, width=128, height=96).picture)
            files.append((other if number < WRONG else label, "png", picture))
            wrong |= {hashlib.sha256(picture).hexdigest()} if number < WRONG else set()
    table = dedup.group(verify.check(dataset(place / "practice", files))).save()
    return table, set(table.table.loc[table.table["sha256"].isin(wrong), "path"])


@pytest.fixture(scope="module")
def found(place, planted):
    return labels.check(planted[0])


@pytest.fixture
def pets(tmp_path):
    return verify.check(tiny_dataset(tmp_path / "pets", per_class=8)).save()


def test_a_label_is_doubted_where_another_class_is_as_likely_as_that_class_is_on_its_own_pictures():
    rows = [("a", 0.9), ("a", 0.8), ("a", 0.9), ("a", 0.1), ("a", 0.4), ("b", 0.1), ("b", 0.3), ("b", 0.2), ("b", 0.8)]
    # mean of p_a over a: 0.62, mean of p_b over b: 0.65; the fifth is named otherwise, but with 0.6 only
    found = labels.doubted(answers(rows))
    assert found["path"].tolist() == ["raw/3.png", "raw/8.png"]
    assert found["suggested"].tolist() == ["b", "a"]
    assert found["score"].tolist() == pytest.approx([0.9, 0.8])
    assert found["reason"].tolist() == ["“a” 10%, rather “b” 90%", "“b” 20%, rather “a” 80%"]


def test_labels_that_look_like_numbers_stay_text_in_the_table_of_suspects(tmp_path):
    names = ["0", "1", "007"]
    rows = {"path": [f"raw/{name}/1.png" for name in names], "label": names, "suggested": names[::-1]}
    label_issues.save(tmp_path, pd.DataFrame({**rows, "score": [1, 0.5, 0], "reason": ["", "1", "NA"]}))
    table = label_issues.load(tmp_path)
    assert table["label"].tolist() == names and table["suggested"].tolist() == names[::-1]
    assert table["score"].tolist() == [1, 0.5, 0] and table["reason"].tolist() == ["", "1", "NA"]


def test_answers_without_doubt_give_no_suspects():
    assert labels.doubted(answers([("a", 0.9), ("a", 0.8), ("b", 0.1)])).empty


def test_what_is_doubted_is_written_down_but_for_labels_that_a_person_has_looked_at(pets, monkeypatch):
    table = pets.table
    first, second = table["path"][0], table["path"][15]
    shares = (table["label"] == "cars").where(~table["path"].isin([first, second]), table["label"] != "cars")
    p_cars = shares.map({True: 0.9, False: 0.05})
    predicted = p_cars.map(lambda share: "cars" if share > 0.5 else "tanks")
    columns = {"predicted": predicted, "probability": p_cars.clip(0.95), "p_cars": p_cars, "p_tanks": 1 - p_cars}
    report = evaluate.Report("run", pets.classes, table[["path", "label"]].assign(**columns))
    asked = []
    monkeypatch.setattr(labels.crossval, "run", lambda *what, **how: asked.append((what, how)) or report_in(report))
    found = labels.check(pets, folds=3, seed=11, jobs=2)
    assert set(found["path"]) == {first, second} and found.equals(label_issues.load(pets.root))
    assert asked[0][0] == (pets, labels.USUAL)
    assert [asked[0][1][name] for name in ("folds", "seed", "jobs", "name", "overwrite")] == [3, 11, 2, "labels", True]
    looked_at = pets.update({first: {"reviewed": "keep"}})
    assert labels.check(looked_at)["path"].tolist() == [second]


def report_in(report):
    return type("Outcome", (), {"report": report})


@pytest.mark.slow
def test_planted_wrong_labels_are_found_and_are_most_of_what_is_found(planted, found):
    _, wrong = planted
    hits = found["path"].isin(wrong)
    assert hits.sum() >= 0.5 * len(wrong)
    assert hits.mean() >= 0.5
    assert (found["label"] != found["suggested"]).all()
    assert found["score"].is_monotonic_decreasing


@pytest.mark.slow
def test_a_check_changes_nothing_and_the_review_page_shows_what_it_found(planted, found):
    table, _ = planted
    before = manifest.load(table.root)
    pd.testing.assert_frame_equal(before.table, table.table)
    pd.testing.assert_frame_equal(label_issues.load(table.root), found)
    (queue,) = [queue for queue in build(before) if queue.name == "labels"]
    assert [(item.path, item.suggested) for item in queue.items] == list(
        zip(found["path"], found["suggested"], strict=True)
    )
    assert queue.items[0].why == found["reason"][0]
    assert plot.png(plot.suspects(found, before)).startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_label_that_a_person_confirmed_or_gave_is_not_doubted_again(planted, found):
    table, _ = planted
    first, second = found["path"][:2]
    seen = table.update({first: {"reviewed": "keep"}, second: {"reviewed": "label"}})
    left = set(labels.check(seen)["path"])
    label_issues.save(table.root, found)
    assert left == set(found["path"]) - {first, second}


def test_a_new_label_is_written_down_with_a_reason_and_can_be_taken_back(pets):
    path = pets.table.loc[pets.table["label"] == "cars", "path"].iloc[0]
    changed = review.relabel(pets, [path[-20:]], "tanks", reason="seen by hand")
    row = manifest.load(pets.root).table.set_index("path").loc[path]
    assert (row["label"], row["class_index"], row["status"]) == ("tanks", 1, "ok")
    assert row["reason"] == "relabelled by hand, was cars: seen by hand"
    assert json.loads((pets.root / FILE).read_text())["before"]["label"] == "cars"
    again = dedup.group(verify.judge(changed))
    assert again.table.set_index("path").loc[path, "reason"] == row["reason"]
    back = review.undo(changed, [path])
    kept = ["path", "label", "class_index", "status", "reason", "reviewed"]
    pd.testing.assert_frame_equal(back.table[kept], pets.table[kept])
    with pytest.raises(DatasetError, match="nothing left to undo"):
        review.undo(back, [path])


def test_pictures_are_relabelled_all_or_none(pets):
    paths = pets.table["path"].tolist()
    with pytest.raises(DatasetError, match="expected a label of cars, tanks, got 'boats'"):
        review.relabel(pets, paths[:2], "boats")
    with pytest.raises(DatasetError, match="which 0 have"):
        review.relabel(pets, [paths[0], "none.png"], "tanks")
    pd.testing.assert_frame_equal(manifest.load(pets.root).table, pets.table)


def test_a_dataset_under_review_on_a_page_is_not_relabelled_behind_its_back(pets):
    journal = Journal(pets.root, pets.table)
    try:
        with pytest.raises(DatasetError, match="reviewed on one page at a time"):
            review.relabel(pets, [pets.table["path"][0]], "tanks")
    finally:
        journal.close()


@pytest.mark.slow
def test_the_command_line_doubts_and_a_person_relabels_or_takes_back(tmp_path, capsys):
    files = [
        (label, "png", encoded(coloured(place, n))) for place, label in enumerate(("cars", "tanks")) for n in range(14)
    ]
    odd = encoded(coloured(1, 99))
    table = verify.check(dataset(tmp_path / "colours", [*files, ("cars", "png", odd)])).save()
    path = table.table.set_index("sha256").loc[hashlib.sha256(odd).hexdigest(), "path"]
    words, sheet = ["labels", str(table.root), "--size", "32", "--folds", "3"], tmp_path / "suspects.png"
    assert main([*words, "--json", "--show", str(sheet)]) == 0
    (doubted,) = json.loads(capsys.readouterr().out)["suspects"]
    assert (doubted["path"], doubted["label"], doubted["suggested"]) == (path, "cars", "tanks")
    assert sheet.read_bytes().startswith(b"\x89PNG")
    file = paths.models(table.root) / "crossval" / labels.NAME / "crossval.json"
    judge = json.loads(file.read_text())["identity"]["config"]
    assert all(judge[name] == getattr(labels.USUAL, name) for name in ("network", "style", "views", "options"))
    assert main(["relabel", str(table.root), path, "--label", "tanks"]) == 0
    assert main(words) == 0
    assert "no label is doubted" in capsys.readouterr().out
    assert main(["relabel", str(table.root), path, "--undo"]) == 0
    assert manifest.load(table.root).table.set_index("path").loc[path, "label"] == "cars"
    assert main(["relabel", str(table.root), path]) == 2
    assert "expected --label with one of cars, tanks, or --undo" in capsys.readouterr().err


def test_a_check_is_always_done_anew_so_nothing_is_to_be_overwritten(capsys):
    assert main(["labels", "pets", "--overwrite"]) == 2
    assert "unrecognized arguments: --overwrite" in capsys.readouterr().err


def test_the_judge_of_weights_that_are_none_is_a_network_that_learns_all_of_it(tmp_path, capsys):
    table = verify.check(tiny_dataset(tmp_path / "pets", per_class=8)).save()
    assert main(["labels", str(table.root), "--weights", "none", "--size", "32", "--folds", "9"]) == 2
    assert "expected more than 9 pictures of every class" in capsys.readouterr().err
