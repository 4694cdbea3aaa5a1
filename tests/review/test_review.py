"""Marks of a person: on disk before they count, once each, undone in any order; and stages that respect them."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path

import pandas as pd
import pytest
from helpers import coloured, encoded, raw_file, textured, tiny_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import cli, dedup, manifest, paths, review, scrape, split, verify
from toolkit.dataset import label_issues
from toolkit.errors import DatasetError, ToolkitError
from toolkit.review.journal import CELLS, FILE, Journal
from toolkit.review.queues import build
from toolkit.review.session import Session, row_id

FREE = 0  # a port that the system chooses


def rows(table):
    """What marks change, by path."""
    return table.table.set_index("path")[list(CELLS)].to_dict(orient="index")


def marks(*words):
    return [dict(zip(("id", "path", "mark", "label"), word, strict=False)) for word in words]


@pytest.fixture
def pets(tmp_path):
    return verify.check(tiny_dataset(tmp_path / "pets", per_class=4)).save()


@pytest.fixture
def journal(pets):
    opened = Journal(pets.root, pets.table)
    yield opened
    opened.close()


@pytest.fixture
def served(pets):
    with review.open(pets, port=FREE) as page:
        yield page


def ask(url, content=None, **headers):
    """Status and body of an answer."""
    body = json.dumps(content).encode() if content is not None else None
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def send(page, *sent, since=0):
    status, body = ask(f"{page.url}marks", {"marks": list(sent), "since": since})
    return status, json.loads(body)


# The journal


def test_a_mark_says_what_it_changes(journal, pets):
    first, second, third, fourth = pets.table["path"][:4]
    known = ("1", first, "keep"), ("2", second, "exclude"), ("3", third, "label", "tanks"), ("4", fourth, "use")
    assert journal.add(marks(*known)) == {}
    assert [journal.cells[path]["reviewed"] for path in (first, second, third, fourth)] == [
        "keep",
        "exclude",
        "label",
        "use",
    ]
    assert (journal.cells[second]["status"], journal.cells[second]["reason"]) == ("excluded", "taken out by hand")
    assert (journal.cells[third]["label"], journal.cells[third]["class_index"]) == ("tanks", 1)
    assert journal.cells[fourth]["status"] == "ok"


def test_the_same_mark_again_is_not_applied_again(journal, pets):
    path = pets.table["path"][0]
    for _ in range(3):
        journal.add(marks(("1", path, "exclude")))
    assert len((pets.root / FILE).read_text().splitlines()) == 1
    undo = {"id": "2", "path": path, "mark": "undo", "of": "1"}
    assert journal.add([undo]) == journal.add([undo]) == {}
    assert journal.cells[path]["status"] == "ok"


def test_marks_that_make_no_sense_are_refused_with_the_reason_and_the_others_taken(journal, pets):
    path = pets.table["path"][0]
    wrong = marks(("1", "raw/no.png", "keep"), ("2", path, "label", "dogs"), ("3", path, "burn"), ("4", path, "undo"))
    refused = journal.add([*wrong, *marks(("5", path, "keep"))])
    assert sorted(refused) == ["1", "2", "3", "4"]
    assert refused["2"] == "expected a label of cars, tanks, got 'dogs'"
    assert journal.cells[path]["reviewed"] == "keep"


def test_a_line_torn_by_a_crash_is_cut_off_and_the_others_count(pets):
    path = pets.table["path"][0]
    first = Journal(pets.root, pets.table)
    first.add(marks(("1", path, "exclude")))
    first.close()
    with (pets.root / FILE).open("ab") as file:
        file.write(b'{"number": 2, "id": "2", "pa')
    again = Journal(pets.root, pets.table)
    assert again.cells[path]["status"] == "excluded"
    again.add(marks(("2", path, "keep")))
    again.close()
    assert [json.loads(line)["number"] for line in (pets.root / FILE).read_text().splitlines()] == [1, 2]


def test_a_full_disk_takes_nothing_by_half(journal, pets, monkeypatch):
    path, real = pets.table["path"][0], os.write
    monkeypatch.setattr(os, "write", lambda file, line: real(file, line[:20]))
    with pytest.raises(OSError, match="disk is full"):
        journal.add(marks(("1", path, "exclude")))
    assert (pets.root / FILE).read_bytes() == b""
    monkeypatch.setattr(os, "write", real)
    assert journal.add(marks(("1", path, "exclude"))) == {}
    assert journal.cells[path]["status"] == "excluded"


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_two_pages_of_one_dataset_are_refused(journal, pets):
    with pytest.raises(DatasetError, match="second tab"):
        Journal(pets.root, pets.table)


steps = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 3), st.sampled_from(["keep", "use", "exclude", "label"]), st.integers(0, 1)),
        st.tuples(st.just("undo"), st.integers(0, 9)),
    ),
    max_size=16,
)


@pytest.mark.slow
@given(steps=steps, restart=st.sets(st.integers(0, 15), max_size=3))
@settings(max_examples=25)
def test_any_marks_and_undos_end_as_the_marks_that_are_left(tmp_path_factory, steps, restart):
    root = tmp_path_factory.mktemp("marks")
    cells = [
        {
            "path": f"raw/{label}/{n}.png",
            "label": label,
            "status": status,
            "reason": "r",
            "sha256": str(n),
            "phash": "0",
        }
        for n, (label, status) in enumerate(zip("abab", ("ok", "duplicate", "label conflict", "ok"), strict=True))
    ]
    table = manifest.from_rows(root, cells)
    journal, left = Journal(root, table.table), []
    for number, step in enumerate(steps):
        if step[0] == "undo":
            if left:
                path, undone, *_ = left.pop(-1 - step[1] % len(left))
                assert journal.add([{"id": f"s{number}", "path": path, "mark": "undo", "of": undone}]) == {}
        else:
            place, kind, label = step
            path = table.table["path"][place]
            journal.add([{"id": f"s{number}", "path": path, "mark": kind, "label": "ab"[label]}])
            left.append((path, f"s{number}", kind, label))
        if number in restart:  # as after a kill: nothing but the journal is left, with or without a saved manifest
            table = table.update(journal.missed(table.table)) if number % 2 else table
            journal.close()
            journal = Journal(root, table.table)
    expected = {
        row["path"]: {**row, "class_index": "ab".index(row["label"]), "reviewed": "", "seen": ""} for row in cells
    }
    for path, _, kind, label in left:
        row = expected[path]
        row["reviewed"] = kind
        if kind == "exclude":
            row |= {"status": "excluded", "reason": "taken out by hand"}
        elif kind == "use" and row["status"] != "ok":
            row |= {"status": "ok", "reason": ""}
        elif kind == "label":
            row |= {"label": "ab"[label], "class_index": label}
    now = {path: {name: cells[name] for name in CELLS} for path, cells in journal.cells.items()}
    assert now == {path: {name: row[name] for name in CELLS} for path, row in expected.items()}
    assert [mark["id"] for mark in journal.undoable] == [mark[1] for mark in left]
    assert rows(table.update(journal.missed(table.table))) == now
    journal.close()


# The manifest follows, and so do the other stages


def test_what_a_stage_wrote_meanwhile_is_kept_and_so_are_the_marks(pets):
    first, second = pets.table["path"][:2]
    with Session(pets.root) as session:
        session.mark([{"id": "1", "row": row_id(first), "mark": "exclude"}])
        pets.update({second: {"status": "duplicate", "reason": "a copy"}}).save()
        session.save()
        now = rows(manifest.load(pets.root))
        assert (now[first]["status"], now[second]["status"]) == ("excluded", "duplicate")
        pets.save()  # a stage that had read the table before the mark
        session.mark([{"id": "2", "row": row_id(second), "mark": "keep"}])
    now = rows(manifest.load(pets.root))
    assert (now[first]["status"], now[second]["reviewed"]) == ("excluded", "keep")


def test_what_a_stage_made_of_a_marked_row_is_not_undone_by_a_restart(pets):
    path = pets.table["path"][0]
    with Session(pets.root) as session:
        session.mark([{"id": "1", "row": row_id(path), "mark": "label", "label": "tanks"}])
    manifest.load(pets.root).update({path: {"status": "duplicate", "reason": "a copy"}}).save()
    with Session(pets.root):
        pass
    assert rows(manifest.load(pets.root))[path]["status"] == "duplicate"


@pytest.mark.slow
def test_a_picture_under_another_label_stays_there_through_all_stages(tmp_path):
    folder = tmp_path / "pictures"
    for place, label in enumerate(("cars", "tanks")):
        (folder / label).mkdir(parents=True)
        for number in range(12):
            (folder / label / f"{number}.png").write_bytes(encoded(coloured(place, number)))
    table = dedup.group(verify.check(scrape.collect(f"folder:{folder}", into=tmp_path / "set"))).save()
    moved, out = table.where(label="cars").table["path"][:2]
    with Session(table.root) as session:
        session.mark([{"id": "1", "row": row_id(moved), "mark": "label", "label": "tanks"}])
        session.mark([{"id": "2", "row": row_id(out), "mark": "exclude", "words": "a boat"}])
    (folder / "cars" / "new.png").write_bytes(encoded(coloured(0, 99)))
    table = dedup.group(verify.check(scrape.collect(f"folder:{folder}", into=tmp_path / "set"), again=True))
    table = split.assign(table, seed=1).save()
    assert len(table) == 25 and table.classes == ("cars", "tanks")
    now = table.table.set_index("path").loc[[moved, out]]
    assert now["label"].tolist() == ["tanks", "cars"]
    assert now["status"].tolist() == ["ok", "excluded"]
    assert now["reason"].tolist() == ["", "taken out by hand: a boat"]
    assert now["split"][moved] in ("train", "val", "test") and now["split"][out] == ""
    folders = split.write_folders(table, tmp_path / "folders")
    assert [file.parent.name for file in folders.rglob(Path(moved).name)] == ["tanks"]


def test_a_copy_that_a_person_wants_to_use_is_used_but_stays_in_its_group(tmp_path):
    picture, root = textured(1), tmp_path / "set"
    files = [("a", "png", encoded(picture)), ("a", "jpg", encoded(picture, "JPEG")), ("b", "png", encoded(textured(2)))]
    table = manifest.from_rows(root, [raw_file(root, *file) for file in files])
    table = dedup.group(verify.check(table)).save()
    (copy,) = table.where(status="duplicate").table["path"]
    with Session(root) as session:
        session.mark([{"id": "1", "row": row_id(copy), "mark": "use"}])
    again = dedup.group(manifest.load(root))
    assert set(again.table["status"]) == {"ok"}
    assert again.table.set_index("path")["group"].groupby(again.table["label"].to_numpy()).nunique()["a"] == 1


def test_a_picture_of_poor_quality_that_a_person_wants_to_use_is_used(pets):
    verify.judge(pets, min_brightness=254).save()
    path = pets.table["path"][0]
    with Session(pets.root) as session:
        session.mark([{"id": "1", "row": row_id(path), "mark": "use"}])
    again = rows(verify.judge(manifest.load(pets.root), min_brightness=254))
    assert again[path]["status"] == "ok"
    assert {row["status"] for name, row in again.items() if name != path} == {"poor quality"}


def test_the_last_picture_of_a_class_can_leave_it_and_come_back(pets):
    tanks = pets.where(label="tanks").table["path"]
    with Session(pets.root) as session:
        session.mark([{"id": p, "row": row_id(p), "mark": "label", "label": "cars"} for p in tanks])
    with Session(pets.root) as session:
        assert session.journal.classes == {"cars": 0, "tanks": 1}
        session.mark([{"id": "b", "row": row_id(tanks.iloc[0]), "mark": "label", "label": "tanks"}])
    assert manifest.load(pets.root).classes == ("cars", "tanks")


# What is worth a look


def test_the_queues_put_the_most_suspicious_first_and_say_why(tmp_path):
    root, picture = tmp_path / "set", textured(1)
    files = [("a", "png", encoded(picture)), ("b", "jpg", encoded(picture, "JPEG"))]
    files += [("a", "png", encoded(textured(2))), ("a", "jpg", encoded(textured(2), "JPEG"))]
    files += [("b", "png", encoded(textured(n))) for n in range(3, 9)]
    table = manifest.from_rows(root, [raw_file(root, *file) for file in files])
    table = dedup.group(verify.check(table)).save()
    named = list(table.where(label="b", status="ok").table["path"])
    run = paths.models(root) / "vgg"
    run.mkdir(parents=True)
    answers = {"path": named[:4], "label": "b", "predicted": ["a", "a", "b", "b"], "probability": [0.7, 0.9, 0.6, 0.99]}
    pd.DataFrame(answers).to_csv(run / "predictions.csv", index=False)
    found = {"path": named[4:], "label": "b", "suggested": "a", "score": [0.8, 0.95], "reason": ["odd", ""]}
    label_issues.save(root, pd.DataFrame(found))
    queues = {queue.name: queue.items for queue in build(table)}
    assert [(item.path, item.why) for item in queues["labels"]] == [
        (named[5], "a is more likely (95%)"),
        (named[4], "odd"),
    ]
    assert [(item.path, item.why, item.suggested) for item in queues["mistakes"]] == [
        (named[1], "vgg says a (90.0%)", "a"),
        (named[0], "vgg says a (70.0%)", "a"),
    ]
    assert [item.path for item in queues["hesitant"]] == [named[2]]
    one, other = queues["conflicts"]
    assert (one.others, other.others) == ((other.path,), (one.path,))
    (copy,) = queues["copies"]
    assert table.table.set_index("path")["status"][[copy.path, *copy.others]].tolist() == ["duplicate", "ok"]
    assert len(queues["all"]) == len(table) == len(queues["class:a"]) + len(queues["class:b"])


def test_answers_of_a_run_that_are_no_numbers_cost_no_other_run_its_own(tmp_path):
    table = tiny_dataset(tmp_path / "pets", per_class=2)
    path = table.table["path"][0]
    for name, probability in (("good", "0.75"), ("odd", "a lot")):
        file = paths.models(table.root) / name / "predictions.csv"
        file.parent.mkdir(parents=True)
        file.write_text(f"path,predicted,probability\n{path},other,{probability}\n")
    queues = {queue.name: queue.items for queue in build(table)}
    assert [(item.path, item.why) for item in queues["mistakes"]] == [(path, "good says other (75.0%)")]


def test_what_is_alike_and_in_use_is_offered_beside_the_largest_of_its_group(tmp_path):
    cells = [
        ("g1", "ok", 20),
        ("g1", "ok", 50),
        ("g1", "duplicate", 90),
        ("g2", "ok", 9),
        ("g2", "excluded", 9),
        ("", "ok", 9),
    ]
    rows = [{"path": f"raw/a/{n}.png", "label": "a", "sha256": str(n)} for n in range(8)]
    table = manifest.from_rows(tmp_path, rows)
    group, status, width = zip(*cells, ("g1", "ok", 30), ("", "ok", 9), strict=True)
    table = table.assign(group=group, status=status, width=width, height=1)
    queues = {queue.name: queue.items for queue in build(table)}
    assert [(item.path, item.others) for item in queues["alike"]] == [
        ("raw/a/0.png", ("raw/a/1.png", "raw/a/6.png")),
        ("raw/a/6.png", ("raw/a/1.png", "raw/a/0.png")),
    ]


def test_odd_pictures_come_first(tmp_path):
    cells = [{"path": f"raw/a/{n:03}.png", "label": "a", "sha256": str(n)} for n in range(200)]
    table = manifest.from_rows(tmp_path, cells).assign(
        width=9, sharpness=range(100, 300), brightness=[float(n + 1) for n in range(200)], status="ok"
    )
    table = table.update({"raw/a/150.png": {"sharpness": 1.0}})
    first = build(table)[0].items[0:3]
    assert {item.path for item in first} == {"raw/a/000.png", "raw/a/150.png", "raw/a/199.png"}
    assert {item.why for item in first} == {f"one of the {w}" for w in ("darkest", "blurriest", "brightest")}


def test_a_table_of_suspects_without_its_columns_is_refused(tmp_path):
    assert len(label_issues.load(tmp_path)) == 0
    (tmp_path / label_issues.FILE).write_text("path,label\n")
    with pytest.raises(DatasetError, match="check the labels again|missing suggested"):
        label_issues.load(tmp_path)


# The server


def test_the_page_needs_nothing_but_its_server(served):
    status, body = ask(served.url)
    assert status == 200
    assert not re.search(r"<link[^>]+https?:|@import|https?://", body.decode())


def test_marks_are_taken_and_told_to_other_tabs_and_are_in_the_manifest_at_the_end(pets):
    with review.open(pets, port=FREE) as page:
        (first, second) = map(row_id, pets.table["path"][:2])
        status, answer = send(page, {"id": "1", "row": first, "mark": "exclude"})
        assert (status, answer["refused"], answer["last"]) == (200, {}, 1)
        assert [state["status"] for state in answer["rows"]] == ["excluded"]
        _, answer = send(page, {"id": "2", "row": second, "mark": "label", "label": "tanks"}, since=0)
        assert {state["row"] for state in answer["rows"]} == {first, second}
        assert send(page, {"id": "3", "row": "0", "mark": "keep"})[1]["refused"] == {"3": "there is no such picture"}
    now = manifest.load(pets.root).table
    assert (now["status"][0], now["label"][1]) == ("excluded", "tanks")
    assert not (pets.root / ".review-token").exists()


def test_pictures_are_shown_by_row_and_nothing_else_is(served, pets):
    row = row_id(pets.table["path"][0])
    status, body = ask(f"{served.url}picture/{row}/320")
    assert status == 200 and body.startswith(b"\xff\xd8")
    for wrong in (f"picture/{row}/4000", "picture/..%2fmanifest.csv/320", "picture/0/320", "manifest.csv"):
        assert ask(served.url + wrong)[0] == 404
    (pets.root / pets.table["path"][1]).write_bytes(b"")
    assert ask(f"{served.url}picture/{row_id(pets.table['path'][1])}/320")[0] == 404


def test_a_queue_that_is_not_there_is_said_and_no_fault_of_the_server(served):
    for words in ("rows?queue=dogs", "items?queue=dogs"):
        status, body = ask(served.url + words)
        assert (status, json.loads(body)) == (404, {"detail": "no such queue"})


def test_a_part_of_a_queue_is_given(served):
    everything = json.loads(ask(f"{served.url}items?queue=all")[1])["items"]
    some = json.loads(ask(f"{served.url}items?queue=all&start=2&count=3")[1])
    assert len(everything) == 8 and some["items"] == everything[2:5]
    assert [state["row"] for state in some["rows"]] == sorted(item["row"] for item in some["items"])
    assert json.loads(ask(f"{served.url}items?queue=all&start=-1&count=-1")[1])["items"] == []


def test_where_to_listen_and_what_to_show_first_reach_the_server(pets, monkeypatch, capsys):
    class Recorder(review._server()):
        def run(self):
            asked.append(("run", self.url))
            self._end()

        def start(self):
            asked.append(("start", self.url))
            self._end()

    asked, opened = [], []
    monkeypatch.setattr(review, "_server", lambda: Recorder)
    monkeypatch.setattr(webbrowser, "open", opened.append)
    where = {"host": "127.0.0.2", "queue": "class:tanks"}  # neither is what it is without saying so
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        where["port"] = probe.getsockname()[1]
    review.serve(pets, **where)
    review.open(pets, **where)
    words = [word for name, value in where.items() for word in (f"--{name}", str(value))]
    assert cli.main(["review", str(pets.root), *words]) == 0
    assert [how for how, _ in asked] == ["run", "start", "run"]
    assert all(url.startswith(f"http://127.0.0.2:{where['port']}/") for _, url in asked)
    assert opened == [asked[-1][1]] and opened[0] in capsys.readouterr().out
    assert cli.main(["review", str(pets.root), "--no-browser", "--port", "0"]) == 0
    assert len(opened) == 1


def test_only_who_has_the_address_is_answered(served):
    token = served.url.split("/")[3]
    assert ask(served.url.replace(token, "x" * len(token)))[0] == 403
    assert ask(served.url.replace(token, "x" * len(token)) + "marks", {"marks": [], "since": 0})[0] == 403
    assert ask(f"{served.url}state", Host="evil.example")[0] == 403
    assert ask(f"{served.url}state", Host="evil.example:8642")[0] == 403
    for name in ("localhost:1", "127.0.0.1", "[::1]:80", "192.168.1.7:8642"):
        assert ask(f"{served.url}state", Host=name)[0] == 200


def test_an_address_that_is_taken_or_a_queue_that_is_not_there_is_a_clear_error(served, tmp_path, pets):
    other = tiny_dataset(tmp_path / "other")
    with pytest.raises(ToolkitError, match="choose another with --port"):
        review.open(other, port=int(served.url.split(":")[2].split("/")[0]))
    with pytest.raises(ValueError, match="expected a queue of all, class:cars, class:tanks, got 'dogs'"):
        review.open(other, port=FREE, queue="dogs")
    with pytest.raises(DatasetError, match="second tab"):
        review.open(pets, port=FREE)


def test_without_the_packages_the_error_says_how_to_install_them(pets, monkeypatch):
    monkeypatch.delitem(sys.modules, "toolkit.review.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ToolkitError, match=r"install it with `pip install .*\[serve\]"):
        review.open(pets)


def started(root, *words):
    """The command line in a process of its own, and the address it prints."""
    command = [sys.executable, "-m", "toolkit", "review", str(root), "--no-browser", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals differ there")
def test_a_kill_loses_nothing_that_was_acknowledged_and_an_interrupt_ends_in_order(pets):
    process, url = started(pets.root, "--port", "0")
    page = type("Page", (), {"url": url})
    for number, path in enumerate(pets.table["path"]):
        assert send(page, {"id": str(number), "row": row_id(path), "mark": "exclude"})[0] == 200
    process.kill()
    process.communicate()
    port = re.search(r":(\d+)/", url)[1]
    process, again = started(pets.root, "--port", port)
    assert again == url  # a page that was open goes on
    assert set(manifest.load(pets.root).table["status"]) == {"excluded"}
    last = {"id": "undo", "row": row_id(pets.table["path"][0]), "mark": "undo", "of": "0"}
    assert send(type("Page", (), {"url": url}), last)[1]["refused"] == {}
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and " pictures marked" in said
    assert list(manifest.load(pets.root).table["status"]).count("ok") == 1


def test_a_whole_journal_finds_its_rows_again_when_the_manifest_was_lost(pets):
    path = pets.table["path"][0]
    with Session(pets.root) as session:
        session.mark([{"id": "1", "row": row_id(path), "mark": "exclude"}])
    pets.save()  # as it was before anybody looked
    with Session(pets.root):
        pass
    assert rows(manifest.load(pets.root))[path]["status"] == "excluded"


def test_the_prune_of_a_picture_is_not_undone_by_its_marks(pets, monkeypatch):
    from toolkit.scrape import prune

    path = pets.table["path"][0]
    with Session(pets.root) as session:
        session.mark([{"id": "1", "row": row_id(path), "mark": "keep"}])
    table = prune._blank(manifest.load(pets.root), {path: "no longer there"}).save()
    shutil.rmtree(pets.root / "raw" / "cars")
    with Session(pets.root) as session:
        assert session.journal.cells[path]["status"] == "excluded"
    assert manifest.load(pets.root).table.equals(table.table)


# Strangers


def test_a_secret_that_came_with_a_dataset_is_not_taken(pets):
    (pets.root / ".review-token").write_text("A" * 43)
    with review.open(pets, port=FREE) as page:
        assert "A" * 43 not in page.url
        (kept,) = (paths.cache() / "review").iterdir()
        assert page.url.split("/")[3] == kept.read_text() and kept.stat().st_mode & 0o77 == 0
    assert not kept.exists()


def test_a_secret_that_a_crash_left_behind_is_taken_again(pets):
    with review.open(pets, port=FREE) as page:
        (kept,) = (paths.cache() / "review").iterdir()
        before, secret = page.url.split("/")[3], kept.read_text()
    kept.write_text(secret)  # as if it had not been closed
    with review.open(pets, port=FREE) as page:
        assert page.url.split("/")[3] == before


def raw(page, head):
    """The status of an answer to a request whose body never comes."""
    host, _, port = page.url.split("/")[2].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(head.encode())
        return int(line.recv(1000)[9:12])


def test_size_host_and_secret_are_looked_at_before_a_body_is_read(served):
    path = "/" + "/".join(served.url.split("/")[3:]) + "marks"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert raw(served, head + "Content-Length: 100000000\r\n\r\n") == 413
    assert raw(served, head.replace("localhost", "evil.example") + "Content-Length: 9\r\n\r\n") == 403
    assert raw(served, head.replace(path, "/x/marks") + "Content-Length: 9\r\n\r\n") == 403
    chunk = f"{5 << 20:x}\r\n" + "x" * (5 << 20)
    assert raw(served, head + f"Transfer-Encoding: chunked\r\n\r\n{chunk}") == 413


def test_half_a_character_in_a_mark_is_stored_as_text_and_nothing_is_sent_again_for_ever(served, pets):
    row = row_id(pets.table["path"][0])
    status, answer = send(served, {"id": "1", "row": row, "mark": "exclude", "words": "\ud83d"})
    assert status == 200 and answer["refused"] == {}
    assert answer["rows"][0]["reason"] == "taken out by hand: ?"
    for wrong in ({"id": "2", "row": row, "mark": "\ud83d"}, {"id": "3", "row": row, "mark": "keep", "\ud83d": ""}):
        assert ask(f"{served.url}marks", {"marks": [wrong], "since": 0})[0] == 422


def test_pictures_that_were_shown_are_kept_up_to_some_bytes(pets, monkeypatch):
    monkeypatch.setattr("toolkit.review.session.CACHED", 1500)
    with Session(pets.root) as session:
        for path in pets.table["path"]:
            session.picture(row_id(path), 320)
        assert 0 < session._pictures._bytes <= 1500


def test_a_full_disk_at_the_end_is_a_warning_and_the_marks_are_there_later(pets, monkeypatch):
    path = pets.table["path"][0]
    with (
        pytest.warns(UserWarning, match="could not be saved: .*full; the marks are kept"),
        monkeypatch.context() as patch,
    ):
        session = Session(pets.root)
        patch.setattr(manifest.Manifest, "save", lambda self: (_ for _ in ()).throw(OSError(28, "full")))
        session.mark([{"id": "1", "row": row_id(path), "mark": "exclude"}])
        session.close()
    Session(pets.root).close()
    assert rows(manifest.load(pets.root))[path]["status"] == "excluded"
