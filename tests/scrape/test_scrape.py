"""Scraping as a whole: a dataset that comes out the same however often the work is stopped and started."""

import hashlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from urllib.parse import urlsplit

import joblib
import pytest
import zoo
from helpers import encoded, textured

from toolkit import manifest, practice, scrape
from toolkit.errors import DatasetError, SourceError
from toolkit.practice import Fault
from toolkit.scrape import Item, Options, reddit
from toolkit.scrape.ledger import Ledger
from toolkit.scrape.manifest_rows import manifest_rows

HERE = ("127.0.0.1/32",)  # where the practice world may be reached
UNUSABLE = ("html", "empty", "missing", "text")  # what the downloader refuses


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """PRAW's own pauses between attempts take no time."""
    monkeypatch.setattr("prawcore.sessions.FiniteRetryStrategy.sleep", lambda self: None)


@pytest.fixture(scope="module")
def world():
    with practice.world(pictures=20) as here:
        yield here


@pytest.fixture
def collect(world):
    """Scrape the practice world; what differs is said."""

    def scraped(into="pets", wanted=world.sources, **options):
        return scrape.collect(
            wanted, into=into, options=Options(allow=HERE, reddit=world.reddit, **options), sleep=lambda _: None
        )

    return scraped


def pictures_asked_for(world):
    return [path for _, path, _ in world.server.log if path.startswith("/i/")]


def records(root):
    return [json.loads(line) for line in (root / "ledger.jsonl").read_text().splitlines()]


# What comes of it


@pytest.mark.slow
def test_every_picture_that_can_be_had_is_there_and_every_other_has_a_reason(world, collect):
    table = collect()
    tried = {record["url"].rpartition("/")[2]: record for record in records(table.root)}
    for name, record in tried.items():
        if world.truth[name] in UNUSABLE:
            assert record["status"] == "failed" and record["reason"], world.truth[name]
        else:
            assert record["status"] == "ok", (world.truth[name], record["reason"])
            assert (table.root / record["path"]).stat().st_size == record["bytes"]
    kinds = Counter(world.truth[name] for name in tried)
    for kind, count in {"placeholder": 8, "truncated": 2, "tiny": 2, "missing": 2, "unavailable once": 2}.items():
        assert kinds[kind] == count
    assert kinds["plain"] + kinds["plain, wrong subreddit"] >= 36
    assert Counter(table.table["label"])["cars"] > 20 < Counter(table.table["label"])["tanks"]
    used = table.where(status="new").table["url"].str.rpartition("/")[2]
    assert sorted(used) == sorted(name for name in tried if world.truth[name] not in (*UNUSABLE, "placeholder"))


@pytest.mark.slow
def test_the_same_bytes_under_many_addresses_are_a_placeholder(collect):
    table = collect()
    excluded = table.left_out()
    assert excluded["path"].str.split("/").str[1].tolist() == ["cars", "tanks"]
    assert set(excluded["reason"]) == {"the same bytes under 8 addresses: a placeholder"}


def test_the_manifest_says_where_each_picture_came_from(world, collect):
    table = collect().table
    assert set(table["source"]) == {"reddit"}
    assert table["page_url"].str.startswith("https://www.reddit.com/r/practice_").all()
    assert table["url"].str.startswith(f"{world.server.url}/i/").all()
    assert table["source_id"].str.fullmatch(r"\w+-\d").all()
    assert not table["sha256"].str.fullmatch(r"[0-9a-f]{64}").eq(False).any()


def test_a_second_run_asks_for_no_picture_again_and_changes_nothing(world, collect):
    table = collect()
    before = {path: path.read_bytes() for path in table.root.rglob("*") if path.is_file()}
    asked = len(pictures_asked_for(world))
    collect()
    assert len(pictures_asked_for(world)) == asked
    assert {path: path.read_bytes() for path in table.root.rglob("*") if path.is_file()} == before


def test_what_failed_is_tried_again_when_asked_for(world, collect):
    table = collect()
    asked = len(pictures_asked_for(world))
    collect(retry_failed=True)
    again = {world.truth[path.rpartition("/")[2]] for path in pictures_asked_for(world)[asked:]}
    assert again and again <= set(UNUSABLE)
    assert manifest.load(table.root).fingerprint() == table.fingerprint()


def test_a_picture_that_was_lost_is_fetched_again(world, collect):
    table = collect()
    table.files[3].unlink()
    asked = len(pictures_asked_for(world))
    collect()
    assert len(pictures_asked_for(world)) == asked + 1
    assert table.files[3].exists()


def test_more_pictures_later_keep_what_stages_wrote(collect):
    table = collect(limit=6)
    assert len(table) <= 12
    table.assign(group="g").save()
    more = collect()
    assert len(more) > len(table)
    assert len(more.where(group="g")) == len(table)
    assert more.classes == ("cars", "tanks")


@pytest.mark.slow
def test_the_order_of_sources_and_threads_does_not_matter(world, collect):
    one = collect("one", connections=1)
    other = collect("other", wanted=world.sources[::-1], connections=16, sort="new")
    assert (one.root / manifest.FILE).read_bytes() == (other.root / manifest.FILE).read_bytes()


@pytest.mark.slow
def test_faults_on_the_way_change_nothing(world, collect):
    plain = collect("plain")
    world.server.faults += [
        Fault("/i/", status=503, times=3),
        Fault("/i/", status=429, times=2, headers={"Retry-After": "1"}),
        Fault("/i/", drop=True, times=3),
        Fault("/i/", truncate=True, times=3),
        Fault("/r/", status=503),
    ]
    faulty = collect("faulty", tries=12)
    assert world.server.faults == []
    assert (plain.root / manifest.FILE).read_bytes() == (faulty.root / manifest.FILE).read_bytes()


def test_pictures_are_fetched_here_whatever_backend_was_chosen(collect):
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert len(collect()) > 40


# Many at a time


def test_what_was_found_before_a_listing_broke_off_is_there(world, collect):
    def broken(argument, label, options, **rest):
        yield from itertools.islice(items(argument, label, options, **rest), 12)
        raise SourceError("the line went dead; try again later")

    def some_broken(argument, *rest, **more):
        return (broken if "cars" in argument else items)(argument, *rest, **more)

    items = reddit.items
    with pytest.MonkeyPatch.context() as patch, pytest.warns(UserWarning, match="the line went dead"):
        patch.setattr(reddit, "items", some_broken)
        table = collect()
    assert 0 < table.counts().loc["cars", "total"] <= 12


@pytest.mark.parametrize("addresses", ["{url}?n={n}", "{url}/{n}"], ids=["one with queries", "three"])
def test_a_photograph_under_several_addresses_of_one_label_is_kept(tmp_path, addresses):
    content = encoded(textured(1), "JPEG")
    (tmp_path / "raw" / "cars").mkdir(parents=True)
    (tmp_path / "raw" / "cars" / "a.jpg").write_bytes(content)
    record = {"status": "ok", "path": "raw/cars/a.jpg", "label": "cars", "sha256": "a", "source": "urls"}
    records = {
        str(n): record | {"source_id": str(n), "url": addresses.format(url="https://host.example/a.jpg", n=n)}
        for n in range(3)
    }
    assert [row["status"] for row in manifest_rows(records, tmp_path)] == ["new"]
    more = record | {"label": "tanks", "path": "raw/tanks/a.jpg", "source_id": "9", "url": "https://host.example/b.jpg"}
    (tmp_path / "raw" / "tanks").mkdir()
    (tmp_path / "raw" / "tanks" / "a.jpg").write_bytes(content)
    found = {row["status"] for row in manifest_rows(records | {"9": more}, tmp_path)}
    assert found == ({"excluded"} if "/{n}" in addresses else {"new"})  # under two labels it is a picture of neither


def test_a_placeholder_that_shows_itself_later_is_marked_in_rows_that_are_there(world, tmp_path, monkeypatch):
    names = [name for name, kind in world.truth.items() if kind == "placeholder"][:3]
    shown = [Item("cars", "reddit", f"{name}-0", url=f"{world.server.url}/i/{name}") for name in names]
    other = next(name for name, kind in world.truth.items() if kind == "plain")
    shown.insert(0, Item("tanks", "reddit", "plain-0", url=f"{world.server.url}/i/{other}"))
    for count, expected in ((3, "new"), (4, "excluded")):
        monkeypatch.setattr(reddit, "items", lambda *args, count=count, **options: iter(shown[:count]))
        table = scrape.collect("reddit:any", into="pets", options=Options(allow=HERE)).table
        assert dict(zip(table["label"], table["status"], strict=True)) == {"tanks": "new", "cars": expected}


@pytest.mark.slow
def test_a_picture_listed_twice_is_fetched_once(world, collect):
    asked = len(pictures_asked_for(world))
    collect("once", wanted=world.sources)
    once = len(pictures_asked_for(world)) - asked
    collect("twice", wanted=[*world.sources, *world.sources])
    assert len(pictures_asked_for(world)) - asked == 2 * once


def test_the_bar_tells_posts_bytes_and_failures(world, collect, monkeypatch):
    told = []
    monkeypatch.setattr("tqdm.auto.tqdm.set_postfix", lambda self, facts, refresh: told.append(facts))
    table = collect()
    lines = records(table.root)
    assert told[-1]["failed"] == sum(line["status"] == "failed" for line in lines)
    assert told[-1]["posts"] == len({line["page_url"] for line in lines})
    assert told[-1]["MB"] == round(sum(line.get("bytes", 0) for line in lines) / 1e6, 1)


def test_what_a_killed_run_left_half_written_is_removed_when_it_is_old(collect):
    table = collect()
    old, fresh = (table.root / "raw" / "cars" / f".{name}.7.abcd.png" for name in ("old", "fresh"))
    for file in (old, fresh):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    collect()
    assert not old.exists() and fresh.exists()


# Killed

PROGRAM = """
    import json, sys
    from toolkit import scrape

    settings, wanted, root = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
    scrape.collect(wanted, into=root, options=scrape.Options(allow=["127.0.0.1/32"], reddit=settings, connections=2))
"""


def killed(world, root, *, after):
    """Scrape in another process and kill it so many seconds after its first request; False if it was done before."""
    words = [json.dumps(world.reddit), json.dumps(world.sources), str(root)]
    asked = len(world.server.log)
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(PROGRAM), *words]) as process:
        while process.poll() is None and len(world.server.log) == asked:
            time.sleep(0.002)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_runs_that_were_killed_at_any_moment_end_with_the_same_files(world, collect, tmp_path, monkeypatch):
    whole = collect("whole")
    shown = Counter(record["url"] for record in records(whole.root))  # one that two posts show is asked for twice
    root, rng, kills, fetched_again = tmp_path / "home" / "data" / "killed", random.Random(7), 0, []
    for _ in range(20):
        lines = records(root) if (root / "ledger.jsonl").exists() else []
        had = {urlsplit(line["url"]).path for line in lines if shown[line["url"]] == 1}
        asked = len(pictures_asked_for(world))
        monkeypatch.setattr(world.server, "latency", 0.02)  # so that there is something to interrupt
        kills += killed(world, root, after=rng.uniform(0, 0.2))
        fetched_again += [path for path in pictures_asked_for(world)[asked:] if path in had]
    monkeypatch.setattr(world.server, "latency", 0.0)
    assert kills >= 10 and fetched_again == []
    table = collect(root)
    assert (table.root / manifest.FILE).read_bytes() == (whole.root / manifest.FILE).read_bytes()
    for file in root.glob("raw/*/[!.]*"):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.stem
    assert sorted(table.files) == sorted(root.glob("raw/*/[!.]*"))


# The ledger


def test_a_line_torn_by_a_crash_is_cut_off_and_its_picture_fetched_again(world, collect):
    table = collect()
    ledger = table.root / "ledger.jsonl"
    content, before = ledger.read_bytes(), (table.root / manifest.FILE).read_bytes()
    ledger.write_bytes(content[:-40])
    asked = len(pictures_asked_for(world))
    collect()
    assert len(pictures_asked_for(world)) == asked + 1
    assert len(records(table.root)) == content.count(b"\n")
    assert (table.root / manifest.FILE).read_bytes() == before


@pytest.mark.parametrize(
    "line", [b"\xff\xfe rubbish", b"[]", b"7", b'"key"', b"{}", b'{"key": "a"}', b'{"key": []}', b""]
)
def test_a_damaged_line_is_passed_over(collect, line):
    table = collect(limit=5)
    ledger, before = table.root / "ledger.jsonl", (table.root / manifest.FILE).read_bytes()
    lines = ledger.read_bytes().splitlines()
    ledger.write_bytes(b"\n".join([line, *lines, line]) + b"\n")
    collect(limit=5)
    assert (table.root / manifest.FILE).read_bytes() == before


def test_the_ledger_keeps_the_last_line_of_a_key_and_odd_text(tmp_path):
    record = {"key": "a", "label": "戦車", "status": "failed", "reason": "two\nlines\r\u2028\x85"}
    with Ledger(tmp_path) as ledger:
        ledger.add(record | {"status": "ok"})
        ledger.add(record)
        assert ledger.records == {"a": record}
    with Ledger(tmp_path) as ledger:
        assert ledger.records == {"a": record}
        assert ledger.has("a", root=tmp_path, retry_failed=False)
        assert not ledger.has("a", root=tmp_path, retry_failed=True)
        assert not ledger.has("b", root=tmp_path, retry_failed=False)


def test_two_labels_are_two_keys_and_a_host_is_no_part_of_one():
    keys = [Item(label, "reddit", "abc-0", url="http://127.0.0.1:1/a.jpg").key for label in ("cars", "tanks")]
    assert keys[0] != keys[1]
    assert Item("cars", "reddit", "abc-0", url="http://127.0.0.1:2/a.jpg").key == keys[0]


# Wrong from the start


@pytest.mark.parametrize(
    "wanted",
    [
        "cars",
        "pinterest:cars",
        "reddit:",
        "folder:=cars",
        "",
        "reddit",
        ":cars",
        "practice:0",
        "practice:many",
        "practice:²",
    ],
)
def test_a_source_that_is_none_is_refused_before_anything_is_written(wanted, tmp_path):
    with pytest.raises(SourceError, match="expected"):
        scrape.collect(wanted, into="pets")
    assert not (tmp_path / "home").exists()


def test_a_label_that_can_name_no_folder_is_refused(collect):
    with pytest.raises(DatasetError, match="label"):
        collect(wanted="reddit:practice_cars=..")


@pytest.mark.parametrize(
    "settings",
    [{"sort": "best"}, {"time_filter": "decade"}, {"limit": 0}, {"tries": 0}, {"per_host": 0}, {"connections": 0}],
)
def test_options_that_cannot_be_are_wrong_arguments(settings):
    with pytest.raises(ValueError, match="expected"):
        Options(**settings)


def test_a_full_disk_is_an_error_and_not_a_picture_less(collect, monkeypatch):
    def full(path, content, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("toolkit.core.paths.write", full)
    with pytest.raises(DatasetError, match="No space left"):
        collect()


def test_a_disk_that_is_found_full_when_pictures_are_flushed_is_an_error_too(collect, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("toolkit.core.paths._flush", full)
    with pytest.raises(DatasetError, match="No space left"):
        collect()


# The practice world as a source


@pytest.mark.slow
def test_the_practice_world_is_a_source_and_goes_on_under_another_port(tmp_path):
    table = scrape.collect("practice:10", into="practice", sleep=lambda _: None)
    assert table.classes == ("cars", "tanks") and len(table) >= 20
    before = records(table.root)
    again = scrape.collect("practice:10", into="practice", sleep=lambda _: None)
    assert records(table.root) == before
    assert again.fingerprint() == table.fingerprint()


def test_a_picture_is_taken_from_its_second_address_when_the_first_is_gone(world, tmp_path, monkeypatch):
    name = next(name for name, kind in world.truth.items() if kind == "plain" and name.endswith("png"))
    gone, there = f"{world.server.url}/i/Gone.png", f"{world.server.url}/i/{name}"
    one = Item("cars", "reddit", "a-0", url=gone, fallbacks=(there,))
    (tmp_path / "pets" / "tanks").mkdir(parents=True)
    (tmp_path / "pets" / "tanks" / "1.png").write_bytes(zoo.encoded(zoo.scene(), "PNG"))
    monkeypatch.setattr("toolkit.scrape.reddit.items", lambda *args, **options: iter([one]))
    wanted = ["reddit:any=cars", f"folder:{tmp_path / 'pets'}"]
    table = scrape.collect(wanted, into="both", options=Options(allow=HERE))
    assert table.classes == ("cars", "tanks")
    assert os.fspath(table.files[0]).endswith(".png")
