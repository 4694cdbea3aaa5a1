"""The page on which pictures get their labels: many marks in one line, new classes, and what learns beside it."""

import json
import random
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest
from helpers import coloured, encoded, tiny_dataset, until
from packs import folder
from test_review import FREE, ask, marks, rows, send

from toolkit import cli, dedup, manifest, review, scrape, split, verify
from toolkit.errors import DatasetError
from toolkit.review import incoming, queues
from toolkit.review.active import NONE
from toolkit.review.journal import FILE, Journal
from toolkit.review.learner import Learner
from toolkit.review.session import Session, row_id

COLOURS = 3


@pytest.fixture
def loose(tmp_path):
    """60 pictures without a label, of three colours."""
    files = {
        f"{place}-{number}.png": encoded(coloured(place, number)) for place in range(COLOURS) for number in range(20)
    }
    scrape.collect([f"inbox:{folder(tmp_path / 'loose', files)}"], into="pets")
    return dedup.group(verify.check(manifest.load("pets"))).save()


@pytest.fixture
def journal(loose):
    opened = Journal(loose.root, loose.table)
    yield opened
    opened.close()


def played(journal, table):
    """The journal as another process finds it, while this one keeps it open."""
    copy = table.root.parent / "copy"
    copy.mkdir()
    (copy / FILE).write_bytes((table.root / FILE).read_bytes())
    again = Journal(copy, table.table)
    again.close()
    return again


def colour_of(table):
    """What each picture is, by its path: the number of its colour, as its name says."""
    names = table.table["source_id"].str.extract(r"/(\d)-", expand=False).astype(int)
    return dict(zip(table.table["path"], names, strict=True))


def features_of(table):
    """Features that tell the colours apart, in the order of the paths."""
    of, rng = colour_of(table), np.random.default_rng(0)
    return lambda: np.abs(np.eye(8)[[of[path] for path in sorted(of)]] * 5 + rng.normal(0, 0.3, (len(of), 8)))


@pytest.fixture
def learning(loose):
    with Session(loose.root) as session:
        learner = Learner(session, features=features_of(loose))
        until(lambda: learner.busy == "")
        yield learner
        learner.close()


def settled(learner):
    """Wait until it has learned from all marks."""
    learner.wait()


def many(name, paths, label, **more):
    return {"id": name, "paths": list(paths), "mark": "label", "label": label, "new": True, **more}


def lines(root):
    return [json.loads(line) for line in (root / FILE).read_text().splitlines()]


# Many marks in one line


def test_a_mark_of_many_is_one_line_that_is_played_again_as_it_was(journal, loose):
    paths = list(loose.table["path"])
    assert journal.add([many("1", paths[:30], "cats", seen="confirmed"), many("2", paths[30:50], "dogs")]) == {}
    assert len(lines(loose.root)) == 2 and len(lines(loose.root)[0]["rows"]) == 30
    assert journal.classes == {"cats": 0, "dogs": 1}
    before = {path: dict(cells) for path, cells in journal.cells.items()}
    assert {path: dict(cells) for path, cells in played(journal, loose).cells.items()} == before
    assert {before[path]["seen"] for path in paths[:30]} == {"confirmed"}
    assert {before[path]["class_index"] for path in paths[50:]} == {-1}


def test_many_are_marked_once_whatever_is_sent_again_and_undone_together(journal, loose):
    paths = list(loose.table["path"][:9])
    for _ in range(2):
        assert journal.add([many("1", paths, "cats")]) == {}
    assert journal.add([{"id": "2", "paths": paths[:4], "mark": "undo", "of": "1"}]) == {}
    assert [journal.cells[path]["label"] for path in paths] == [""] * 4 + ["cats"] * 5
    assert journal.add([{"id": "3", "paths": paths, "mark": "undo", "of": "1"}]) == {}
    assert {journal.cells[path]["label"] for path in paths} == {""}
    assert len(lines(loose.root)) == 3
    assert journal.add([{"id": "4", "paths": paths, "mark": "undo", "of": "1"}]) == {
        "4": "there is no picture that it is about"
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paths": ["raw/none.png"]}, "there is no such picture"),
        ({"paths": []}, "there is no picture that it is about"),
        ({"label": "a/b"}, "expected a label that can name a folder"),
        ({"label": ""}, "expected a label that can name a folder"),
        ({"new": False}, "expected a label of , got 'cats'"),
        ({"seen": "asleep"}, "expected seen to be one of alone, together, confirmed"),
    ],
)
def test_a_mark_of_many_is_refused_whole(journal, loose, change, message):
    mark = many("1", loose.table["path"][:3], "cats")
    if change.get("paths"):
        change = {"paths": [*mark["paths"], *change["paths"]]}
    refused = journal.add([mark | change])
    assert refused["1"].startswith(message) and journal.classes == {}
    assert not (loose.root / FILE).read_text()
    assert "twice" in journal.add([mark | {"paths": mark["paths"] * 2}])["1"]


def test_a_torn_line_of_many_is_cut_off_whole(journal, loose):
    journal.add([many("1", loose.table["path"][:5], "cats"), many("2", loose.table["path"][5:9], "dogs")])
    content = (loose.root / FILE).read_bytes()
    (loose.root / FILE).write_bytes(content[:-20])
    assert sorted(played(journal, loose).classes) == ["cats"]


def test_a_line_whose_class_has_no_place_is_refused(journal, loose):
    journal.add([many("1", loose.table["path"][:2], "cats")])
    text, named = (loose.root / FILE).read_text(), '"label": "cats", "class_index": '
    (loose.root / FILE).write_text(text.replace(f"{named}0", f"{named}-1"))
    with pytest.raises(DatasetError, match=r"expected marks in .*a label without its place"):
        played(journal, loose)


def test_a_thousand_marks_are_on_disk_within_a_tenth_of_a_second(tmp_path):
    cells = [{"path": f"raw/{number:05}.png", "label": "", "sha256": f"{number:05}"} for number in range(3000)]
    table = manifest.from_rows(tmp_path / "pets", cells).assign(status="ok")
    table.save()
    journal = Journal(table.root, table.table)
    took = []
    for number in range(3):
        begun = time.perf_counter()
        assert journal.add([many(str(number), table.table["path"][1000 * number :][:1000], "cats")]) == {}
        took.append(time.perf_counter() - begun)
    journal.close()
    assert min(took) < 0.1


def test_a_new_class_comes_after_those_there_are_and_old_journals_play(tmp_path):
    pets = verify.check(tiny_dataset(tmp_path / "pets", per_class=4)).save()
    first, second = pets.table["path"][:2]
    old = {"number": 1, "id": "a", "at": "2025-01-01T00:00:00+00:00", "path": first, "mark": "label"}
    old |= {"changes": {"reviewed": "label", "label": "tanks", "class_index": 1}}
    old |= {"before": {"label": "cars", "class_index": 0, "status": "ok", "reason": "", "reviewed": ""}}
    (pets.root / FILE).write_text(json.dumps(old) + "\n")
    with Session(pets.root) as session:
        assert session.mark([{**many("1", [], "boats"), "rows": [row_id(second)], "paths": None}]) == {}
    after = manifest.load(pets.root)
    assert after.classes == ("cars", "tanks", "boats")
    assert rows(after)[first]["label"] == "tanks" and rows(after)[second]["class_index"] == 2
    back = review.undo(review.undo(after, [first]), [second])
    assert rows(back)[first]["label"] == rows(back)[second]["label"] == "cars"


def test_a_label_by_hand_still_refuses_a_class_that_there_is_not(loose):
    with pytest.raises(DatasetError, match="expected a label of , got 'catz'"):
        review.relabel(loose, [loose.table["path"][0]], "catz")


def test_marks_made_while_a_stage_runs_are_kept_with_how_they_were_seen(loose):
    with Session(loose.root) as session:
        paths = loose.table["path"][:4]
        session.mark([{**many("1", [], "cats", seen="together"), "rows": list(map(row_id, paths))}])
        session.save()
        stage = loose.assign(split=[""] * len(loose)).save()
    assert set(rows(stage)[path]["seen"] for path in paths) == {"together"}
    assert stage.classes == ("cats",)


# All of a class


def renamed(name, was, label):
    return {"id": name, "mark": "rename", "was": was, "label": label, "new": True}


def test_a_class_is_renamed_in_one_line_with_its_unused_pictures_and_back_again(journal, loose):
    paths = list(loose.table["path"])
    journal.add([many("1", paths[:5], "cat", seen="alone"), many("2", paths[5:9], "dogs", seen="together")])
    journal.add([{"id": "3", "path": paths[0], "mark": "exclude", "words": "blurred"}])
    before = {path: dict(cells) for path, cells in journal.cells.items()}
    assert journal.add([renamed("4", "cat", "cats")]) == {}
    assert len(lines(loose.root)) == 4
    assert [journal.cells[path]["label"] for path in paths[:10]] == ["cats"] * 5 + ["dogs"] * 4 + [""]
    changed = {"label": "cats", "class_index": 2, "mark": 4}
    assert journal.cells[paths[1]] == before[paths[1]] | changed, "how it was seen and reviewed stays"
    assert journal.cells[paths[0]] == before[paths[0]] | changed
    assert journal.named == ("dogs", "cats") and journal.classes["cat"] == 0
    again = played(journal, loose)
    assert again.cells == journal.cells and again.named == journal.named
    assert journal.add([{"id": "5", "mark": "undo", "of": "4"}]) == {}
    without = [{name: cells[name] for name in cells if name != "mark"} for cells in journal.cells.values()]
    assert without == [{name: cells[name] for name in cells if name != "mark"} for cells in before.values()]
    assert journal.named == ("cat", "dogs")


def test_classes_are_merged_and_what_was_marked_since_stays_when_that_is_undone(journal, loose):
    paths = list(loose.table["path"])
    journal.add([many("1", paths[:5], "cats"), many("2", paths[5:9], "kittens"), renamed("3", "kittens", "cats")])
    assert journal.named == ("cats",)
    assert {journal.cells[path]["class_index"] for path in paths[:9]} == {0}
    journal.add([many("4", paths[5:6], "dogs"), {"id": "5", "mark": "undo", "of": "3"}])
    assert [journal.cells[path]["label"] for path in paths[4:9]] == ["cats", "dogs"] + ["kittens"] * 3
    assert sorted(journal.named) == ["cats", "dogs", "kittens"]


def test_a_new_class_never_takes_the_place_of_one_that_was_renamed(journal, loose):
    paths = list(loose.table["path"])
    journal.add([many("1", paths[:3], "cat"), renamed("2", "cat", "cats"), many("3", paths[3:6], "dogs")])
    journal.add([{"id": "4", "mark": "undo", "of": "2"}])
    journal.add([many("5", paths[6:9], "birds")])
    places = {cells["label"]: cells["class_index"] for cells in journal.cells.values()}
    assert len(set(places.values())) == len(places) and set(places) == {"", "cat", "dogs", "birds"}


@pytest.mark.parametrize(
    ("was", "label", "message"),
    [
        ("", "cats", "expected a class to rename, of cat, and another name, got ''"),
        ("dogs", "cats", "expected a class to rename, of cat, and another name, got 'dogs'"),
        ("cat", "cat", "expected a class to rename, of cat, and another name, got 'cat'"),
        ("cat", "a/b", "expected a label that can name a folder"),
    ],
)
def test_a_class_is_only_renamed_if_there_is_one_and_the_name_can_be_one(journal, loose, was, label, message):
    journal.add([many("1", loose.table["path"][:2], "cat")])
    assert journal.add([renamed("2", was, label)])["2"].startswith(message)
    assert len(lines(loose.root)) == 1


def test_a_mark_of_no_pictures_is_refused_and_not_of_all(journal):
    assert journal.add([{"id": "1", "mark": "label", "label": "cats", "new": True}])["1"].startswith("there is no pict")
    assert journal.add([{"id": "2", "mark": "undo", "of": "1"}])["2"].startswith("there is no picture")
    assert {cells["label"] for cells in journal.cells.values()} == {""}


# What learns


def test_groups_first_then_pages_of_a_class_then_nothing_is_left(learning, loose):
    of, names, kinds = colour_of(loose), ["red", "green", "blue"], set()
    for turn in range(60):
        proposal = learning.propose("next")
        if not len(proposal.indices):
            break
        kinds.add(proposal.kind)
        chosen = [learning.paths[index] for index in proposal.indices]
        for colour in {of[path] for path in chosen}:
            part = [row_id(path) for path in chosen if of[path] == colour]
            part = part[: 1 + len(part) // 2]
            mark = {**many(f"{turn}-{colour}", [], names[colour], seen="together"), "rows": part}
            assert learning.session.mark([mark]) == {}
        settled(learning)
    assert kinds >= {"group", "confirm"}
    progress = learning.progress()
    assert (progress["labelled"], progress["open"]) == (60, 0)
    assert sorted(one["count"] for one in progress["classes"]) == [20, 20, 20]
    assert learning.propose("disagree").indices.tolist() == []


def half_labelled(learner, loose, names=("red", "green", "blue")):
    """Ten of each colour labelled as one act, and the first wrongly."""
    of = colour_of(loose)
    for colour, name in enumerate(names):
        chosen = [row_id(path) for path in learner.paths if of[path] == colour][:10]
        learner.session.mark([{**many(name, [], name, seen="together"), "rows": chosen}])
    settled(learner)


def test_views_show_the_surest_of_a_class_and_labels_in_doubt(learning, loose):
    half_labelled(learning, loose)
    of = colour_of(loose)
    surest = learning.propose("confirm", label="green")
    assert {of[learning.paths[index]] for index in surest.indices} == {1} and len(surest.indices) == 10
    assert surest.label == 1
    assert len(learning.propose("confirm", label="violet").indices) == 0
    assert len(learning.propose("decide").indices) == 20
    wrong = next(path for path in learning.paths if of[path] == 0)
    learning.session.mark([{**marks(("w", wrong, "label", "blue"))[0], "row": row_id(wrong)}])
    settled(learning)
    assert [learning.paths[index] for index in learning.propose("disagree").indices] == [wrong]
    learning.session.mark([{"id": "k", "row": row_id(wrong), "mark": "keep"}])
    assert len(learning.propose("disagree").indices) == 0


def test_a_sample_is_asked_about_without_hints_and_becomes_an_estimate(learning, loose):
    half_labelled(learning, loose)
    of, names = colour_of(loose), ["red", "green", "blue"]
    sample = learning.propose("sample").indices
    assert len(sample) == 40 and learning.progress()["estimate"] is None
    for number, index in enumerate(sample):
        path = learning.paths[index]
        name = names[of[path]] if number else names[of[path] - 1]  # one of them is not what it was taken for
        learning.session.mark(
            [{"id": f"s{number}", "row": row_id(path), "mark": "label", "label": name, "seen": "alone"}]
        )
    told = learning.progress()["estimate"]
    assert told["asked"] == 40 and told["share"] == pytest.approx((40 + 20 * 39 / 40) / 60)
    assert told["low"] < told["share"] < told["high"] and learning.progress()["alone"] == 40
    assert len(learning.propose("sample").indices) == 20, "what was looked at alone is not drawn again"


def test_pictures_of_a_sample_that_have_no_class_count_for_nothing(learning, loose):
    half_labelled(learning, loose)
    sample = learning.propose("sample").indices
    for number, index in enumerate(sample):
        kind = ("doubt", "exclude")[number % 2] if number < 10 else "label"
        label = learning.taken_for(index)[0]
        mark = {"id": f"s{number}", "row": row_id(learning.paths[index]), "mark": kind, "label": label, "seen": "alone"}
        assert learning.session.mark([mark]) == {}
    assert learning.progress()["estimate"]["asked"] == 30


def test_what_is_like_one_picture_and_unlike_all_labels_is_shown_on_pages(learning, loose):
    of = colour_of(loose)
    green = next(path for path in learning.paths if of[path] == 1)
    like = learning.propose("like", like=green)
    assert like.kind == "like" and learning.paths[like.indices[0]] == green
    assert {of[learning.paths[index]] for index in like.indices[:20]} == {1} and len(like.indices) == 48
    assert len(learning.propose("like", like=green, skip=1).indices) == 12
    assert learning.propose("unlike").kind == "group", "nothing has a label yet"
    chosen = [index for index, path in enumerate(learning.paths) if of[path] != 2]
    learning.mark(chosen[:30], "no blue")
    unlike = learning.propose("unlike")
    assert unlike.kind == "unlike" and len(unlike.indices) == 30
    assert {of[learning.paths[index]] for index in unlike.indices[:20]} == {2}


def test_the_map_has_a_place_for_each_picture_near_those_like_it(learning, loose):
    places, of = learning.places(), colour_of(loose)
    assert places.shape == (60, 2) and places.min() >= 0 and places.max() <= 1000
    colours = np.array([of[path] for path in learning.paths])
    middles = np.array([places[colours == colour].mean(axis=0) for colour in range(3)])
    nearest = ((places[:, None] - middles) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == colours).all()


def test_an_estimate_brings_a_forecast_once_there_are_labels_enough(learning, loose):
    half_labelled(learning, loose)
    of, names = colour_of(loose), ["red", "green", "blue"]
    assert learning.progress()["forecast"] is None
    for index in learning.propose("sample").indices:
        learning.mark([index], names[of[learning.paths[index]]], seen="alone")
    assert learning.progress()["estimate"] is not None
    settled(learning)
    told, progress = learning.progress()["forecast"], learning.progress()
    assert told["more"] == progress["open"] > 0 and told["low"] < told["share"] <= told["high"] <= 1


def test_a_sample_is_drawn_anew_when_a_class_it_names_is_renamed(learning, loose):
    half_labelled(learning, loose)
    first = learning.propose("sample").indices
    assert learning.session.mark([renamed("r", "red", "crimson")]) == {}
    settled(learning)
    assert learning.propose("sample").indices.tolist() != first.tolist()
    progress = learning.progress()
    assert [one["label"] for one in progress["classes"]] == ["green", "blue", "crimson"]
    assert {one["count"] for one in progress["classes"]} == {10}


def test_what_is_not_sure_or_left_out_is_asked_no_more(learning, loose):
    shown = learning.propose("next").indices
    first, second = (row_id(learning.paths[index]) for index in shown[:2])
    learning.session.mark([{"id": "1", "row": first, "mark": "doubt"}, {"id": "2", "row": second, "mark": "exclude"}])
    progress = learning.progress()
    assert (progress["open"], progress["labelled"]) == (58, 0)
    assert not set(shown[:2]) & set(learning.propose("next").indices)


def test_without_features_the_pictures_are_shown_in_their_order(loose):
    def broken():
        raise DatasetError("no weights")

    with Session(loose.root) as session:
        learner = Learner(session, features=broken)
        until(lambda: "no weights" in learner.busy)
        assert learner.propose("next").indices.tolist() == list(range(48))
        assert learner.propose("next", skip=1).indices.tolist() == list(range(48, 60))
        assert (learner.labels().index == NONE).all()


# The page


@pytest.fixture
def served(loose, monkeypatch):
    monkeypatch.setattr(Learner, "_computed", lambda learner: features_of(loose)())
    with review.open(loose, port=FREE, label=True) as page:
        page.base = page.url.removesuffix("label")
        yield page


def told(page, path):
    status, body = ask(f"{page.base}label/{path}")
    assert status == 200, body
    return json.loads(body)


def sent_frame(page, label, frame):
    asked = urllib.request.Request(f"{page.base}label/frame?label={urllib.parse.quote(label)}", frame, method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def posted(page, *sent):
    return send(type("Page", (), {"url": page.base}), *sent)


def test_the_page_asks_marks_many_and_tells_how_far_it_is(served):
    assert b"find or name a class" in ask(served.url)[1]
    until(lambda: told(served, "progress")["busy"] == "")
    proposal = told(served, "proposal")
    chosen = [picture["row"] for picture in proposal["pictures"]]
    mark = {"id": "1", "rows": chosen, "mark": "label", "label": "cats", "new": True, "seen": "together"}
    status, answer = posted(served, mark)
    assert status == 200 and answer["refused"] == {}
    assert {row["seen"] for row in answer["rows"]} == {"together"} and len(answer["rows"]) == len(chosen)
    everything = told(served, "rows")
    assert len(everything["rows"]) == 60 and everything["labels"].count(0) == len(chosen)
    (undoable,) = told(served, "undoable")
    assert undoable["id"] == "1" and sorted(undoable["rows"]) == sorted(chosen)
    assert proposal["progress"]["labelled"] == 0 and told(served, "progress")["labelled"] == len(chosen)


def test_the_page_gets_the_map_and_renames_and_undoes_without_naming_pictures(served):
    until(lambda: told(served, "progress")["busy"] == "")
    everything = told(served, "rows")
    chosen = everything["rows"][:7]
    mark = {"id": "1", "rows": chosen, "mark": "label", "label": "cat", "new": True, "seen": "together"}
    posted(served, mark, renamed("2", "cat", "cats"))
    assert {place for place in told(served, "rows")["labels"]} == {-1, 1}
    assert told(served, "rows")["classes"] == ["cat", "cats"]
    assert [one["label"] for one in told(served, "progress")["classes"]] == ["cats"]
    status, answer = posted(served, {"id": "3", "mark": "undo", "of": "2"})
    assert (status, answer["refused"]) == (200, {}) and {row["label"] for row in answer["rows"]} == {"cat"}
    places = told(served, "map")
    assert len(places["x"]) == len(places["y"]) == 60
    like = told(served, f"proposal?view=like&like={chosen[2]}")
    assert like["kind"] == "like" and len(like["pictures"]) == 48


def test_frames_of_a_camera_come_into_their_class_when_it_is_off(served, loose, monkeypatch):
    until(lambda: told(served, "progress")["busy"] == "")
    monkeypatch.setattr(Learner, "_computed", lambda learner: np.eye(80)[: len(learner.paths)] + 0.01)
    frames = [encoded(coloured(place, 90 + number), "JPEG") for place, number in ((0, 0), (0, 1), (1, 2))]
    for number, frame in enumerate(frames):
        kept = sent_frame(served, "train" if number < 2 else "b b", frame)
        assert kept == (200, {"frames": (1, 2, 1)[number]})
    assert sent_frame(served, "train", frames[0]) == (200, {"frames": 2}), "once, whatever is sent again"
    assert sent_frame(served, "a/b", frames[0])[0] == 422
    assert sent_frame(served, "train", b"no picture")[0] == 422
    assert json.loads(ask(f"{served.base}label/frames", {})[1]) == {"added": 3}
    until(lambda: told(served, "progress")["busy"] == "")
    progress = told(served, "progress")
    assert progress["pictures"] == 63 and progress["labelled"] == 3
    assert {one["label"]: one["count"] for one in progress["classes"]} == {"train": 2, "b b": 1}
    assert not (loose.root / "camera").exists()
    everything = told(served, "rows")
    labelled = [row for row, place in zip(everything["rows"], everything["labels"], strict=True) if place >= 0]
    row = next(row for row in labelled if served.session.state(row)["label"] == "train")
    posted(served, {"id": "1", "row": row, "mark": "label", "label": "b b", "seen": "alone"})
    served.close()
    table = manifest.load(loose.root).table
    assert sorted(table["label"]) == [""] * 60 + ["b b", "b b", "train"] and set(table["status"]) == {"ok"}


def test_frames_that_a_crash_left_are_there_when_the_page_is_opened_again(loose, monkeypatch):
    incoming.keep(loose.root, "cats", encoded(coloured(0, 77), "JPEG"))
    monkeypatch.setattr(Learner, "_computed", lambda learner: np.ones((61, 8)))
    with review.open(loose, port=FREE, label=True) as page:
        page.base = page.url.removesuffix("label")
        assert told(page, "progress")["pictures"] == 61


def test_what_is_done_ends_the_page_and_says_so(loose, monkeypatch):
    monkeypatch.setattr(Learner, "_computed", lambda learner: features_of(loose)())
    page = review.open(loose, port=FREE, label=True)
    status, _ = ask(page.url + "/done", {})
    assert status == 200
    page._thread.join(10)
    assert page.done and not page._thread.is_alive()


def test_a_review_has_no_page_to_label(loose):
    with review.open(loose, port=FREE) as page:
        assert ask(f"{page.url}label")[0] == 404


def test_new_pictures_are_verified_before_they_are_shown(tmp_path, monkeypatch):
    files = {"a.png": encoded(coloured(0, 1)), "b.png": b"no picture"}
    table = scrape.collect([f"inbox:{folder(tmp_path / 'loose', files)}"], into="pets")
    monkeypatch.setattr(Learner, "_computed", lambda learner: np.ones((1, 8)))
    with review.open(table, port=FREE, label=True) as page:
        page.base = page.url.removesuffix("label")
        assert told(page, "progress")["pictures"] == 1
    assert sorted(manifest.load("pets").table["status"]) == ["ok", "unreadable"]


def test_labels_made_on_the_page_are_split_and_a_test_knows_how_they_were_seen(learning, loose):
    half_labelled(learning, loose)
    learning.session.save()
    parts = split.assign(manifest.load(loose.root), seed=7)
    test = parts.where(split="test")
    assert set(test.table["seen"]) == {"together"}
    first, *rest = sorted(test.table["path"])
    assert split.in_words(parts).startswith(f"{len(test)} of {len(test)} test pictures got their label together")
    assert [item.path for item in queues.build(parts)[0].items] == [first, *rest]
    looked = parts.update({first: {"seen": "alone"}, rest[0]: {"seen": "confirmed"}})
    assert split.in_bulk(looked) == [path for path in test.table["path"] if path != first]
    assert split.in_words(parts.assign(seen="alone")) == "" == split.in_words(parts.assign(seen=""))


def test_the_command_trains_when_the_person_is_done(loose, monkeypatch, capsys):
    monkeypatch.setattr(review, "label", lambda table, **rest: (table, True))
    called = []
    monkeypatch.setattr("toolkit.pipeline.learn.learn", lambda root, **rest: called.append(root) or "learned")
    assert cli.main(["label", "pets", "--no-browser"]) == 0
    assert called == [loose.root] and "learned" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals differ there")
def test_50_kills_in_2000_marks_lose_none_and_make_none_twice(tmp_path):
    cells = [{"path": f"raw/{number:05}.png", "label": "", "sha256": f"{number:05}"} for number in range(400)]
    table = manifest.from_rows(tmp_path / "pets", cells).assign(status="ok").save()
    rng, expected = random.Random(3), dict.fromkeys(table.table["path"], "")
    waiting = []
    for number in range(2000):
        chosen = rng.sample(list(expected), rng.choice((1, 1, 1, 20)))
        waiting.append(many(str(number), chosen, rng.choice(("cats", "dogs", "birds"))))
        expected |= dict.fromkeys(chosen, waiting[-1]["label"])
    for _ in range(51):
        program = "import json, sys; from pathlib import Path; from toolkit.review.session import Session\n"
        program += "session = Session(Path(sys.argv[1])); print('ready', flush=True)\n"
        program += "for line in sys.stdin:\n    mark = json.loads(line); session.journal.add([mark])\n"
        program += "    session._marked.set(); print(mark['id'], flush=True)\n"
        command = [sys.executable, "-c", program, str(table.root)]
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert running.stdout.readline() == "ready\n"
        sent = waiting if _ == 50 else waiting[: rng.randrange(20, 61)]
        for mark in sent:
            running.stdin.write(json.dumps(mark) + "\n")
            running.stdin.flush()
        until_id = str(int(sent[0]["id"]) + rng.randrange(len(sent)))
        acknowledged = 0
        for line in running.stdout:
            acknowledged += 1
            if line.strip() == (sent[-1]["id"] if _ == 50 else until_id):
                break
        running.kill()
        running.communicate()
        waiting = waiting[rng.randrange(acknowledged) if _ < 50 else len(waiting) :]  # some are sent a second time
    with Session(table.root) as session:
        assert {path: cells["label"] for path, cells in session.journal.cells.items()} == expected
    assert [line["id"] for line in lines(table.root)] == [str(number) for number in range(2000)]
    assert {path: cells["label"] for path, cells in rows(manifest.load(table.root)).items()} == expected
