"""Datasets from strangers: whatever is in one, no verb reads, writes or removes anything outside it, or breaks.

Each example is a dataset with some random hostile parts (links, hard links, pipes, paths and labels that climb, torn
and poisoned lines), on which some verbs run; all files that Python opens are recorded, and a tree beside it compared.
"""

import json
import os
import random
import shutil
import stat
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from helpers import class_folders, untrained

from toolkit import cli, manifest, resize, review, scrape, split, verify
from toolkit.dataset import label_issues, parquet, schema, storage
from toolkit.errors import ToolkitError
from toolkit.model import bundle
from toolkit.review.session import Session

OPENED: list[str] = []  # every path, while a verb runs
SECRET = "-----BEGIN PRIVATE KEY-----"


def record(event, arguments):
    if event in ("open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.truncate") and RECORDING:
        OPENED.extend(os.fspath(path) for path in arguments[:2] if isinstance(path, str | bytes | os.PathLike))


RECORDING: list[bool] = []


@pytest.fixture(scope="module", autouse=True)
def recorded():
    sys.addaudithook(record)  # for as long as the process lives


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A sandbox: a dataset that has been through all stages with a run and a journal, and a victim beside it."""
    place = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(place / "home"))
        patch.setenv("TOOLKIT_PROGRESS", "0")
        table = scrape.collect(f"folder:{class_folders(place / 'source', per_class=6)}", into="pets")
        table = split.assign(resize.write(verify.check(table), size=24), seed=7).save()
        paths = list(table.table["path"])
        review.relabel(table, [paths[7]], "cars")
        rows = {"path": paths[:2], "label": "cars", "suggested": "tanks", "score": 0.9, "reason": "odd"}
        label_issues.save(table.root, pd.DataFrame(rows))
        run = untrained(place / "home" / "models" / "pets" / "run", size=24)
        answers = {"path": paths[:2], "label": "cars", "predicted": "tanks", "probability": 0.9}
        pd.DataFrame(answers).to_csv(run.folder / bundle.PREDICTIONS, index=False)
    victim = place / "victim"
    (victim / "deep").mkdir(parents=True)
    for name in ("id_rsa", "thesis.txt", "own.png", "deep/1.png", "deep/results.npz", "deep/bundle.json"):
        (victim / name).write_text(SECRET)
    return place


@pytest.fixture
def sandbox(template, tmp_path, monkeypatch):
    """A fresh copy of it for every example."""

    def fresh(number):
        place = tmp_path / str(number)
        shutil.copytree(template, place, symlinks=True)
        monkeypatch.setenv("TOOLKIT_HOME", str(place / "home"))
        return place

    return fresh


# What a stranger can do


def climbing(place, rng):
    """Paths that lead to the victim."""
    names = ["id_rsa", "own.png", "deep/1.png"]
    return rng.choice(
        [
            f"raw/../../../../victim/{rng.choice(names)}",
            f"../../../victim/{rng.choice(names)}",
            str(place / "victim" / rng.choice(names)),
            "raw/./../../../../victim/own.png",
            "raw//etc/passwd",
            "raw/cars/\\..\\..\\x.png",
            "raw/.hidden/x.png",
            "raw/cars/\x1b[2J.png",
            "",
        ]
    )


def odd_label(place, rng):
    return rng.choice(
        [
            "../../../victim/cars",
            str(place / "victim"),
            "..",
            "",
            "a/b",
            "con",
            "\x1b[31m",
            ".hidden",
            "x" * 300,
            "a\nb",
            "![x](y)",
        ]
    )


def odd_value(rng):
    return rng.choice([None, [], {}, 7, -1, 1e308, "x" * 5000, "\x00", "NaN", True, ["a"], {"a": 1}, "ok", "removed"])


def change_cell(place, data, rng):
    if not (data / manifest.FILE).is_file():  # a pipe, at which one would wait
        return
    try:
        table = pd.read_csv(data / manifest.FILE, keep_default_na=False, dtype=str)
    except (OSError, ValueError):  # an earlier way was here
        return
    column = rng.choice(["path", "path", "label", "label", *table.columns])
    value = {"path": climbing, "label": odd_label}.get(column, lambda _, rng: str(odd_value(rng)))(place, rng)
    rows = table.index[: rng.choice([1, len(table)])]
    if column == "label":
        rows = table.index[table["label"] == table["label"][0]]
    table.loc[rows[:1] if column == "path" else rows, column] = value
    table.to_csv(data / manifest.FILE, index=False)


def pack(place, data, rng):
    """The table as a large dataset has it, Parquet and a journal, with hostile cells and lines."""
    change_cell(place, data, rng)
    if not (data / manifest.FILE).is_file() or not find_spec("pyarrow"):
        return
    with suppress(OSError, ValueError, KeyError):
        table = schema.complete(pd.read_csv(data / manifest.FILE, keep_default_na=False, dtype=str))
        parquet.write(data / storage.PARQUET, table)
        (data / manifest.FILE).unlink()
        column = rng.choice(["path", "label", *table.columns])
        value = {"path": climbing, "label": odd_label}.get(column, lambda _, rng: odd_value(rng))(place, rng)
        change = {"set": {table["path"][1]: {column: value}}, "add": []}
        row = {"set": {}, "add": [{"path": climbing(place, rng), "label": odd_label(place, rng), "class_index": 1}]}
        lines = [{"base": parquet.identity(data / storage.PARQUET)}, *rng.choice([[], [change], [row], [change, row]])]
        text = "".join(json.dumps(each) + "\n" for each in lines) + rng.choice(["", '{"set'])
        put(data / storage.JOURNAL, lambda: (data / storage.JOURNAL).write_text(text))


LINKED = (
    *("manifest.csv", "manifest.parquet", "manifest.jsonl"),
    *("ledger.jsonl", "review.jsonl", "signatures.bin", "suspects.csv", "test_openings.jsonl"),
    *("kaggle.json", "listing-0.jsonl", "credits.html", "quality.html", ".review-token", "raw", "raw/cars", "raw/dogs"),
    *("raw/cars/FIRST", "raw/cars/new.png", "sized", "sized/24", "sized/32", "sized/24/cars", "sized/24/cars/FIRST"),
    *("features", "features/x", "sheets", "sheets/cars-1.png", "models", "models/run"),
)


def put_link(place, data, rng):
    files = sorted((data / "raw" / "cars").iterdir()) if usable(data) else []
    name = rng.choice(LINKED).replace("FIRST", files[0].name if files else "x.png")
    target = place / "victim" / rng.choice(["id_rsa", "deep", "own.png", "not there", "deep/not there", "."])
    link = data / name
    if rng.random() < 0.2:
        link = (
            place / "home" / "models" / "pets" / rng.choice(["run", "other", "run/predictions.csv", "run/bundle.json"])
        )
    put(link, lambda: link.symlink_to(rng.choice([target, Path(os.path.relpath(target, link.parent))])))


def usable(data):
    return (data / "raw" / "cars").is_dir() and not (data / "raw").is_symlink() and not (data / "raw/cars").is_symlink()


def put_hard_link(place, data, rng):
    link = data / rng.choice(
        ["ledger.jsonl", "review.jsonl", "signatures.bin", "test_openings.jsonl", "listing-0.jsonl"]
    )
    put(link, lambda: os.link(place / "victim" / "thesis.txt", link))


def put_pipe(place, data, rng):
    pipe = data / rng.choice(
        ["ledger.jsonl", "review.jsonl", "suspects.csv", "signatures.bin", "raw/cars/x.png", "credits.html"]
    )
    put(pipe, lambda: os.mkfifo(pipe))


def put(path, make):
    """Put something in the place of what is there, if its folder is one."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        make()


def poison_lines(place, data, rng):
    file = data / rng.choice(["ledger.jsonl", "review.jsonl", "test_openings.jsonl", "listing-0.jsonl", "ledger.jsonl"])
    with suppress(OSError):
        lines = (
            file.read_text(errors="surrogateescape").splitlines() if file.is_file() and not file.is_symlink() else []
        )
        if stat.S_ISREG(file.lstat().st_mode) if file.exists() else True:
            lines += [line(place, lines, rng) for _ in range(rng.randint(1, 3))]
            torn = rng.choice(["", '{"key": "a', "\udcff"])
            put(file, lambda: file.write_bytes(("\n".join(lines) + "\n" + torn).encode(errors="surrogateescape")))


def line(place, lines, rng):
    """A line like the others with a poisoned field, or none."""
    try:
        like = dict(json.loads(rng.choice(lines))) if lines else {"key": "x", "label": "cars", "status": "ok"}
    except (ValueError, TypeError, RecursionError):  # an earlier way was here
        like = {}
    like |= {"key": "poison", "id": "poison"}
    field = rng.choice(["path", "path", "label", *like])
    like[field] = {"path": climbing, "label": odd_label}.get(field, lambda _, rng: odd_value(rng))(place, rng)
    if rng.random() < 0.3:
        like |= {"source": "reddit", "source_id": "nosuchpost-0"}
    if rng.random() < 0.2:
        like.pop(rng.choice(list(like)))
    return rng.choice([json.dumps(like), json.dumps(like), "[" * 5000, "7", "null", "{}"])


def poison_tables(place, data, rng):
    file = rng.choice([data / "suspects.csv", place / "home" / "models" / "pets" / "run" / bundle.PREDICTIONS])
    if file.exists() and not file.is_file():  # a pipe, at which one would wait
        return
    with suppress(OSError, ValueError, KeyError):
        table = pd.read_csv(file, keep_default_na=False, dtype=str)
        column = rng.choice(["path", *table.columns])
        table.loc[0, column] = climbing(place, rng) if column == "path" else odd_label(place, rng)
        put(file, lambda: table.to_csv(file, index=False))


def poison_facts(place, data, rng):
    file = place / "home" / "models" / "pets" / "run" / bundle.FACTS
    with suppress(OSError, ValueError, TypeError, RecursionError):  # an earlier way was here
        facts = json.loads(file.read_text())
        facts[rng.choice(["size", "classes", "resize_mode", "sha256", "network"])] = odd_value(rng)
        put(
            file,
            lambda: file.write_text(rng.choice([json.dumps(facts), "[" * 100_000, "1e999", json.dumps(facts)[:50]])),
        )


WAYS = (
    change_cell,
    pack,
    pack,
    put_link,
    put_link,
    put_hard_link,
    put_pipe,
    poison_lines,
    poison_lines,
    poison_tables,
    poison_facts,
)

# What is done with it


def review_it(place):
    with suppress(ToolkitError, OSError), Session(place / "home" / "data" / "pets") as session:
        for queue in session.queues.values():
            for item in queue.items[:2]:
                session.state(next(iter(session._facts)))
                assert isinstance(item.path, str)


def load_runs(place):
    with suppress(ToolkitError, OSError):
        for folder in bundle.runs(place / "home" / "data" / "pets"):
            trained = bundle.load(folder)
            assert trained.predictions is not None and trained.metrics is not None


VERBS = {
    "show": lambda place: ["show", "pets", "--no-sheets"],
    "verify": lambda place: ["verify", "pets", "--again", "--jobs", "1"],
    "dedup": lambda place: ["dedup", "pets"],
    "resize": lambda place: ["resize", "pets", "--size", "24"],
    "resize anew": lambda place: ["resize", "pets", "--size", "32"],
    "exclude": lambda place: ["exclude", "pets", "png"],
    "relabel": lambda place: ["relabel", "pets", first(place), "--label", "tanks"],
    "undo": lambda place: ["relabel", "pets", first(place), "--undo"],
    "split": lambda place: ["split", "pets", "--again"],
    "split into folders": lambda place: ["split", "pets", "--folders", str(place / "links")],
    "credits": lambda place: ["credits", "pets"],
    "scrape": lambda place: ["scrape", f"folder:{place / 'source'}", "--into", "pets"],
}
OTHERS = {"review": review_it, "runs": load_runs}
SLOWER = {  # those that draw
    "quality": lambda place: ["quality", "pets"],
    "sheets": lambda place: ["show", "pets"],
    "prune": lambda place: ["prune", "pets"],
    "prune --yes": lambda place: ["prune", "pets", "--yes"],
}


def first(place):
    with suppress(Exception):
        return str(pd.read_csv(place / "home/data/pets" / manifest.FILE, dtype=str)["path"][0])
    return "x.png"


def ran(name, place):
    command = None if name in OTHERS else (VERBS | SLOWER)[name](place)  # which reads the table itself
    RECORDING.append(True)
    try:
        return OTHERS[name](place) if command is None else cli.main(command)
    finally:
        RECORDING.clear()


def outside(place):
    """Everything beside the dataset and its runs: contents, kinds, times of change."""
    found = {}
    for folder, below, names in os.walk(place):
        inside = Path(folder)
        below[:] = [
            name for name in below if inside / name not in (place / "home/data/pets", place / "home/models/pets")
        ]
        for name in (*below, *names):
            path = inside / name
            if path.is_relative_to(place / "links"):
                continue
            status = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found[str(path.relative_to(place))] = (stat.S_IFMT(status.st_mode), status.st_mtime_ns, content)
    return found


def touched(place):
    """What of the victim was opened."""
    victim = os.path.realpath(place / "victim")
    return sorted({path for path in OPENED if os.path.realpath(path).startswith(victim)})


def attacked(sandbox, seed, verbs):
    rng = random.Random(seed)
    place = sandbox(seed)
    data = place / "home" / "data" / "pets"
    ways = [rng.choice(WAYS) for _ in range(rng.randint(1, 3))]
    for way in ways:
        way(place, data, rng)
    (place / "links").mkdir(exist_ok=True)
    before = outside(place)
    for name in rng.sample(sorted(verbs), 3):
        OPENED.clear()
        story = f"example {seed}: {[way.__name__ for way in ways]}, {name}"
        code = ran(name, place)
        assert code in (0, 2, None), story
        assert touched(place) == [], story
        assert outside(place) == before, story
    shutil.rmtree(place)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_outside_a_hostile_dataset_is_touched(sandbox, seed, capsys, recwarn):
    attacked(sandbox, seed, {**VERBS, **OTHERS, "quality": SLOWER["quality"]})


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_nothing_outside_of_500_hostile_datasets_is_touched(sandbox, part, capsys, recwarn, monkeypatch):
    monkeypatch.setattr("toolkit.scrape.reddit.connect", lambda options: pytest.fail("expected to ask nobody"))
    for seed in range(1000 + 50 * part, 1050 + 50 * part):
        attacked(sandbox, seed, {**VERBS, **OTHERS, **(SLOWER if seed % 5 == 0 else {})})


TRAINED = {
    "train": ["train", "pets", "--networks", "vgg", "--epochs", "1", "--size", "32"],
    "crossval": ["crossval", "pets", "--networks", "vgg", "--epochs", "1"],
    "labels": ["labels", "pets", "--weights", "cifar10"],
    "evaluate": ["evaluate", "pets/run"],
    "compare": ["compare", "pets"],
    "report": ["report", "pets"],
    "failures": ["failures", "pets/run"],
    "explain": ["explain", "pets/run", "x.png"],
    "export": ["export", "pets/run"],
    "predict": ["predict", "pets/run", "source/cars/0.png"],
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", TRAINED)
def test_verbs_of_networks_refuse_a_run_or_dataset_that_leads_out(sandbox, verb, capsys, monkeypatch):
    place = sandbox(0)
    monkeypatch.chdir(place)
    run = place / "home" / "models" / "pets" / "run"
    shutil.rmtree(run)
    run.symlink_to(place / "victim" / "deep")
    before = outside(place)
    OPENED.clear()
    RECORDING.append(True)
    try:
        assert cli.main(TRAINED[verb]) == 2
    finally:
        RECORDING.clear()
    assert "a link to" in capsys.readouterr().err
    assert touched(place) == [] and outside(place) == before
