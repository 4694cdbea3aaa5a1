"""Removing what was removed on Reddit, in full, and nothing else."""

import json
from contextlib import nullcontext

import pytest

from toolkit import dedup, manifest, practice, resize, scrape, verify
from toolkit.cli import main
from toolkit.dataset import signatures
from toolkit.errors import DatasetError, SourceError
from toolkit.practice import Fault
from toolkit.scrape import Options, prune, reddit


@pytest.fixture
def world():
    with practice.world(pictures=12) as here:
        yield here


@pytest.fixture
def options(world):
    return Options(reddit=world.reddit, allow=("127.0.0.1/32",))


@pytest.fixture
def table(world, options):
    """A dataset with everything that may hold traces of a picture."""
    made = scrape.collect(world.sources, into="pets", options=options, sleep=lambda _: None)
    made = dedup.group(verify.check(made)).save()
    return resize.write(made, size=32).save()


def used(table):
    """Rows that show one picture of one post."""
    return table.where(status="ok").table


def contents(table):
    return {path: path.read_bytes() for path in table.root.rglob("*") if path.is_file()}


def post_of(row):
    return row["source_id"].rpartition("-")[0]


def test_a_dataset_whose_posts_are_all_there_is_left_alone(table, options):
    assert len(prune.posts("pets", options=options)) == 0
    assert len(prune.posts("pets", delete=True, options=options)) == 0
    assert manifest.load("pets").fingerprint() == table.fingerprint()


def test_without_being_told_to_nothing_is_removed(world, table, options):
    row = used(table).iloc[0]
    world.remove(post_of(row))
    before = contents(table)
    found = prune.posts("pets", options=options)
    assert row["path"] in set(found["path"]) and set(found["reason"]) == {"removed by its author on Reddit"}
    assert contents(table) == before


def test_nothing_is_left_of_a_post_that_its_author_removed(world, table, options):
    row = used(table).iloc[0]
    world.remove(post_of(row))
    prune.posts("pets", delete=True, options=options)
    left = contents(table)
    assert not [path for path in left if row["sha256"] in path.name]
    traces = [row["source_id"], row["page_url"], row["url"], post_of(row)]
    for path, content in left.items():
        assert not [trace for trace in traces if trace.encode() in content], path
    assert row["sha256"] not in signatures.load(table.root)
    (emptied,) = manifest.load("pets").table.query("path == @row.path").to_dict(orient="records")
    assert (emptied["status"], emptied["reason"]) == ("excluded", "removed by its author on Reddit")
    assert not any(emptied[name] for name in ("source_id", "page_url", "url", "phash", "sha256", "group", "width"))


@pytest.mark.slow
def test_everything_else_stays_as_it_was(world, table, options):
    row = used(table).iloc[0]
    world.remove(post_of(row))
    found = prune.posts("pets", delete=True, options=options)
    after = manifest.load("pets")
    kept = ~table.table["path"].isin(found["path"])
    assert after.table[kept].equals(table.table[kept])
    assert all(file.exists() for file, there in zip(table.files, kept, strict=True) if there)
    assert after.classes == table.classes


@pytest.mark.slow
def test_what_was_removed_is_not_fetched_again(world, table, options):
    row = used(table).iloc[0]
    post = next(post for posts in world.server.content.posts.values() for post in posts if post["id"] == post_of(row))
    before = dict(post)
    world.remove(post["id"])
    prune.posts("pets", delete=True, options=options)
    post.update(before)  # the listing still shows it
    for again in (options, Options(reddit=world.reddit, allow=("127.0.0.1/32",), retry_failed=True)):
        table = scrape.collect(world.sources, into="pets", options=again, sleep=lambda _: None)
        assert not (table.root / row["path"]).exists()
    assert len(prune.posts("pets", delete=True, options=options)) == 0


@pytest.mark.slow
def test_a_picture_that_another_post_still_shows_is_kept_as_that_ones(world, table, options):
    lines = [json.loads(line) for line in (table.root / "ledger.jsonl").read_text().splitlines()]
    same = [line for line in lines if line.get("path", "").startswith("raw/cars/")]
    paths = [line["path"] for line in same]
    shared = sorted((line for line in same if paths.count(line["path"]) > 1), key=lambda line: line["source_id"])
    world.remove(post_of(shared[0]))
    prune.posts("pets", delete=True, options=options)
    (row,) = manifest.load("pets").table.query("path == @shared[0]['path']").to_dict(orient="records")
    assert (table.root / row["path"]).exists()
    assert row["source_id"] == shared[1]["source_id"] and row["page_url"] == shared[1]["page_url"]
    assert row["status"] == table.table.set_index("path").loc[row["path"], "status"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("category", "reason"), [("moderator", "removed on Reddit"), ("author", "removed by its author")]
)
def test_the_reason_says_who_removed_it(world, table, options, category, reason):
    world.remove(post_of(used(table).iloc[0]), category=category)
    assert prune.posts("pets", options=options)["reason"].str.startswith(reason).all()


@pytest.mark.slow
def test_a_post_that_reddit_does_not_know_any_more_is_gone(world, table, options):
    row = used(table).iloc[0]
    for name, posts in world.server.content.posts.items():
        world.server.content.posts[name] = tuple(post for post in posts if post["id"] != post_of(row))
    found = prune.posts("pets", options=options)
    assert set(found["source_id"].str.rpartition("-")[0]) == {post_of(row)}
    assert set(found["reason"]) == {"no longer on Reddit"}


def empty(when):
    """A listing without posts, at the calls for which `when` of their number is true."""
    calls = []

    def pages(real):
        def listed(connection, what, path, query, **options):
            calls.append(query["id"].count("t3_"))
            return iter([([], "")]) if when(len(calls)) else real(connection, what, path, query, **options)

        return listed

    return pages, calls


@pytest.mark.slow
@pytest.mark.parametrize("when", [lambda n: n == 2, lambda n: n in (2, 3, 5), lambda n: n > 1])
def test_an_empty_answer_says_nothing_of_a_post(world, table, options, monkeypatch, when):
    """Reddit's answers come back empty at random, without an error."""
    pages, calls = empty(when)
    monkeypatch.setattr(prune, "BATCH", 10)
    monkeypatch.setattr(reddit, "pages", pages(reddit.pages))
    warned = (
        pytest.warns(UserWarning, match=r"said nothing of \d\d posts; they are kept") if when(99) else nullcontext()
    )
    before = contents(table)
    with warned:
        assert len(prune.posts("pets", delete=True, options=options, sleep=lambda _: None)) == 0
    assert contents(table) == before
    assert max(calls) == prune.FEW + 1 or max(calls) == 10


@pytest.mark.slow
def test_what_is_missing_is_asked_for_twice_beside_a_post_that_is_there(world, table, options, monkeypatch):
    gone = post_of(used(table).iloc[0])
    for name, posts in world.server.content.posts.items():
        world.server.content.posts[name] = tuple(post for post in posts if post["id"] != gone)
    asked = []
    real = reddit.pages

    def pages(connection, what, path, query, **options):
        asked.append(query["id"].split(","))
        return real(connection, what, path, query, **options)

    monkeypatch.setattr(reddit, "pages", pages)
    assert len(prune.posts("pets", delete=True, options=options, sleep=lambda _: None)) > 0
    assert [len(ids) for ids in asked if f"t3_{gone}" in ids][-2:] == [2, 2]


@pytest.mark.slow
def test_posts_of_a_subreddit_that_is_private_now_are_kept(world, table, options, monkeypatch):
    world.server.content.posts["practice_cars"] = ()
    monkeypatch.setattr(reddit, "is_private", lambda connection, name, sleep: name == "practice_cars")
    with pytest.warns(UserWarning, match="posts of r/practice_cars, private now, cannot be looked at; they are kept"):
        assert len(prune.posts("pets", delete=True, options=options, sleep=lambda _: None)) == 0
    assert all(file.exists() for file in table.files)
    monkeypatch.setattr(reddit, "is_private", lambda connection, name, sleep: False)
    assert len(prune.posts("pets", options=options, sleep=lambda _: None)) > 0


@pytest.mark.slow
def test_when_reddit_knows_none_of_the_posts_nothing_is_removed(table, options):
    with (
        practice.world(pictures=12, seed=99) as other,
        pytest.raises(SourceError, match="got none; check that it is Reddit"),
    ):
        prune.posts("pets", delete=True, options=Options(reddit=other.reddit))
    assert all(file.exists() for file in table.files)


@pytest.mark.slow
def test_an_answer_that_is_no_listing_removes_nothing(world, table, options):
    world.server.faults.append(Fault("/api/info", body={"message": "ok"}))
    with pytest.raises(SourceError, match="expected a listing of posts"):
        prune.posts("pets", delete=True, options=options)
    assert all(file.exists() for file in table.files)


@pytest.mark.slow
def test_posts_are_asked_about_a_hundred_at_a_time(world, table, options, monkeypatch):
    monkeypatch.setattr(prune, "BATCH", 10)
    world.server.faults.append(Fault("/api/info", status=429, headers={"Retry-After": "1"}))
    slept = []
    prune.posts("pets", options=options, sleep=slept.append)
    asked = [path.count("t3_") for _, path, status in world.server.log if "/api/info" in path and status == 200]
    assert len(asked) > 3 and max(asked) == 10 and slept == [1]


@pytest.mark.slow
def test_a_run_that_was_killed_before_the_end_is_finished_by_the_next(world, table, options, monkeypatch):
    row = used(table).iloc[0]
    world.remove(post_of(row))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("toolkit.scrape.ledger.forget", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        prune.posts("pets", delete=True, options=options)
    assert row["source_id"] in (table.root / "ledger.jsonl").read_text()
    assert len(prune.posts("pets", delete=True, options=options))
    assert row["source_id"] not in (table.root / "ledger.jsonl").read_text()


@pytest.mark.slow
def test_a_dataset_without_reddit_needs_no_reddit(tmp_path, table):
    (table.root / "ledger.jsonl").write_text("")
    assert len(prune.posts("pets")) == 0


def test_a_dataset_that_is_none_is_refused():
    with pytest.raises(DatasetError, match="expected a dataset"):
        prune.posts("nothing")


def test_the_command_looks_first_and_removes_when_told_to(world, table, options, monkeypatch, capsys):
    row = used(table).iloc[0]
    world.remove(post_of(row))
    monkeypatch.setattr(prune, "Options", lambda: options)
    assert main(["prune", "pets"]) == 0
    shown = capsys.readouterr().out
    assert (
        row["path"][: len("raw/cars/12345678")] in shown
        and "--yes removes them" in shown
        and (table.root / row["path"]).exists()
    )
    assert main(["prune", "pets", "--yes", "--json"]) == 0
    assert row["path"] in {entry["path"] for entry in json.loads(capsys.readouterr().out)}
    assert not (table.root / row["path"]).exists()
