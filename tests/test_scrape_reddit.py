"""Pictures from subreddits, with the real PRAW against the practice world."""

import json
import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import practice, scrape
from toolkit.errors import SourceError
from toolkit.practice import Fault
from toolkit.scrape import Options, reddit

HERE = ("127.0.0.1/32",)  # where the practice world may be reached
SKIPPED = ("is_self", "is_video", "over_18", "removed_by_category")


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """PRAW's own pauses between attempts take no time."""
    monkeypatch.setattr("prawcore.sessions.FiniteRetryStrategy.sleep", lambda self: None)


@pytest.fixture(scope="module")
def shared():
    """A world with more posts than fit on a page, for tests that break nothing."""
    with practice.world(pictures=110) as here:
        yield here


@pytest.fixture
def small():
    with practice.world(pictures=12) as here:
        yield here


@pytest.fixture
def slept():
    return []


def items(world, name, slept=None, **options):
    sleep = (lambda seconds: None) if slept is None else slept.append
    return list(reddit.items(name, "", Options(allow=HERE, reddit=world.reddit, **options), sleep=sleep))


def posts(world, name):
    return world.server.content.posts[name]


def shown(post):
    """Names of the files that a person who looks at a post sees, by a reading of its JSON of its own."""
    if any(post.get(flag) for flag in SKIPPED):
        return []
    post = (post.get("crosspost_parent_list") or [post])[0]
    if post.get("is_gallery"):
        keys = [item["media_id"] for item in (post["gallery_data"] or {}).get("items", [])]
        media = [post["media_metadata"][key] for key in keys]
        return [entry["s"]["u"].rpartition("/")[2] for entry in media if entry["status"] == "valid"]
    return re.findall(r"/i/(.*\.(?:jpg|png|webp))$", post["url"])


def name(item):
    return item.url.rpartition("/")[2]


# What a listing gives


@pytest.mark.parametrize("label", practice.LABELS)
def test_every_picture_of_every_post_is_found(shared, label):
    expected = Counter(file for post in posts(shared, f"practice_{label}") for file in shown(post))
    found = items(shared, f"practice_{label}", sort="new")
    assert Counter(map(name, found)) == expected
    assert len(found) > 100
    assert len({item.key for item in found}) == len(found)
    assert {item.label for item in found} == {f"practice_{label}"}


def test_a_gallery_keeps_its_order_and_leaves_out_what_never_finished(shared):
    found = items(shared, "practice_cars")
    galleries = [post for post in posts(shared, "practice_cars") if post.get("gallery_data")]
    assert sorted(len(shown(post)) for post in galleries) == [2, 3, 4]
    for post in galleries:
        ours = [item for item in found if item.source_id.startswith(f"{post['id']}-")]
        assert [name(item) for item in ours] == shown(post)
        assert [item.source_id for item in ours] == [f"{post['id']}-{place}" for place in range(len(ours))]


def test_a_crosspost_shows_the_picture_of_its_parent_and_points_to_itself(shared):
    crossposts = [post for post in posts(shared, "practice_tanks") if "crosspost_parent_list" in post]
    found = {item.source_id: item for item in items(shared, "practice_tanks")}
    assert len(crossposts) == 3
    for post in crossposts:
        item = found[f"{post['id']}-0"]
        assert [name(item)] == shown(post)
        assert item.page_url == f"https://www.reddit.com{post['permalink']}"


@pytest.mark.parametrize("flag", SKIPPED)
def test_posts_that_show_no_picture_one_may_take_are_skipped(shared, flag):
    flagged = [post for post in posts(shared, "practice_cars") if post.get(flag)]
    found = {item.source_id.partition("-")[0] for item in items(shared, "practice_cars")}
    assert flagged and not found & {post["id"] for post in flagged}


def test_an_article_is_skipped(shared):
    assert not [item for item in items(shared, "practice_cars") if "article" in item.url]


def test_adult_posts_come_when_asked_for(shared):
    adult = {f"{post['id']}-0" for post in posts(shared, "practice_cars") if post["over_18"]}
    assert adult <= {item.source_id for item in items(shared, "practice_cars", over_18=True)}


def test_a_limit_counts_pictures(shared):
    assert len(items(shared, "practice_cars", limit=7)) == 7


def test_orders_and_periods_reach_the_server(shared):
    by_sort = {
        sort: [item.source_id for item in items(shared, "practice_cars", sort=sort)] for sort in ("new", "hot", "top")
    }
    assert len({tuple(order) for order in by_sort.values()}) == 3
    assert len({frozenset(order) for order in by_sort.values()}) == 1
    week = items(shared, "practice_cars", sort="top", time_filter="week")
    assert 0 < len(week) < len(by_sort["top"])


def test_comments_are_never_asked_for(shared):
    items(shared, "practice_cars")
    asked = [path for _, path, _ in shared.server.log]
    assert len([path for path in asked if path.startswith("/r/practice_cars/hot")]) >= 2
    assert not [path for path in asked if "comments" in path or path.startswith(("/user", "/u/", "/api/info"))]


@pytest.mark.parametrize("written", ["practice_cars", "r/practice_cars", "/r/practice_cars/"])
def test_a_subreddit_may_be_written_as_people_write_it(shared, written):
    assert len(items(shared, written, limit=2)) == 2


# What posts look like


def post(**fields):
    return {"id": "abc", "permalink": "/r/cars/comments/abc/", **fields}


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("https://i.redd.it/AbCdEf.jpg", ["https://i.redd.it/AbCdEf.jpg"]),
        ("https://i.imgur.com/AbCdEfG.png?1", ["https://i.imgur.com/AbCdEfG.png?1"]),
        ("https://imgur.com/AbCdEfG", ["https://i.imgur.com/AbCdEfG.jpg"]),
        ("https://m.imgur.com/AbCdEfG", ["https://i.imgur.com/AbCdEfG.jpg"]),
        (
            "https://preview.redd.it/my-car-v0-AbC.jpg?width=640&amp;s=Sig",
            ["https://i.redd.it/AbC.jpg", "https://preview.redd.it/my-car-v0-AbC.jpg?width=640&s=Sig"],
        ),
        ("https://www.reddit.com/media?url=https%3A%2F%2Fi.redd.it%2FAbC.png", ["https://i.redd.it/AbC.png"]),
        ("http://example.org/Photo.JPEG", ["http://example.org/Photo.JPEG"]),
        ("https://imgur.com/a/AbCdE", None),
        ("https://imgur.com/gallery/AbCdE", None),
        ("https://i.imgur.com/AbCdEfG.gifv", None),
        ("https://v.redd.it/abc", None),
        ("https://www.youtube.com/watch?v=abc", None),
        ("ftp://example.org/a.jpg", None),
        ("/r/cars/comments/abc/", None),
        ("http://[broken.jpg", None),
        ("https://example.org/a\nb\ud83d.jpg", None),
        ("", None),
    ],
)
def test_the_address_of_a_link_keeps_its_case_and_leads_to_the_original(url, addresses):
    found = reddit._pictures_or_none(post(url=url), Options())
    assert [[item.url, *item.fallbacks] for item in found] == ([addresses] if addresses else [])


def test_a_preview_is_a_fallback_for_a_link_that_is_no_picture():
    preview = {"images": [{"source": {"url": "https://external-preview.redd.it/x.jpg?a=1&amp;s=2"}}]}
    (item,) = reddit.pictures(post(url="https://www.flickr.com/photos/1/2", post_hint="image", preview=preview))
    assert item.url == "https://external-preview.redd.it/x.jpg?a=1&s=2"
    assert reddit.pictures(post(url="https://example.org/news", post_hint="link", preview=preview)) == []


def test_a_crosspost_of_an_adult_post_is_adult():
    parent = post(url="https://i.redd.it/a.jpg", over_18=True)
    crosspost = post(crosspost_parent_list=[parent], over_18=False)
    assert reddit.pictures(crosspost) == []
    assert len(reddit.pictures(crosspost, over_18=True)) == 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["http://[", "valid", "m1"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["s", "u", "m1", "items"]), inner, max_size=2)
    ),
    max_leaves=6,
)
FIELDS = ["url", "url_overridden_by_dest", "preview", "gallery_data", "media_metadata", "crosspost_parent_list"]


@given(st.dictionaries(st.sampled_from([*FIELDS, "is_gallery", "post_hint", "permalink"]), ANYTHING))
def test_an_odd_post_costs_nothing_but_itself(fields):
    for item in reddit._pictures_or_none(post(**fields), Options()):
        assert replace(item, label="cars").key


# What cannot be read


@pytest.mark.parametrize(
    ("subreddit", "message"),
    [
        ("practice_private", "r/practice_private is private"),
        ("practice_banned", "r/practice_banned does not exist or was banned"),
        ("practice_nowhere", "r/practice_nowhere does not exist or was banned"),
        ("not a name", "expected a subreddit such as reddit:carporn=cars"),
        ("", "expected a subreddit"),
    ],
)
def test_a_subreddit_that_cannot_be_read_is_one_clear_line(small, slept, subreddit, message):
    with pytest.raises(SourceError, match=message) as caught:
        items(small, subreddit, slept)
    assert "\n" not in str(caught.value) and slept == []


def test_wrong_credentials_are_one_clear_line(small, slept):
    settings = small.reddit | {"client_secret": "guess"}
    with pytest.raises(SourceError, match="check praw_client_id and praw_client_secret") as caught:
        list(reddit.items("practice_cars", "", Options(allow=HERE, reddit=settings), sleep=slept.append))
    assert "\n" not in str(caught.value) and "guess" not in str(caught.value) and slept == []


def test_no_credentials_are_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(SourceError, match="expected Reddit API credentials, found none") as caught:
        scrape.collect("reddit:carporn=cars", into="cars")
    assert "\n" not in str(caught.value)


# What goes wrong on the way


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/r/practice_cars", status=429, headers={"Retry-After": "3"}),
        Fault("/r/practice_cars", status=429, headers={"Retry-After": "Thu, 01 Jan 2037 00:00:00 GMT"}),
        Fault("/r/practice_cars", status=429),
        Fault("/r/practice_cars", status=503, times=5),
        Fault("/r/practice_cars", status=500, times=2),
        Fault("/r/practice_cars", status=524),
        Fault("/r/practice_cars", status=200, body="<html>Our CDN was unable to reach our servers</html>"),
        Fault("/r/practice_cars", drop=True, times=4),
        Fault("/r/practice_cars", truncate=True),
        Fault("/api/v1/access_token", status=503),
        Fault("/api/v1/access_token", status=429),
        Fault("/api/v1/access_token", status=200, body="<html>"),
        Fault("/api/v1/access_token", drop=True),
    ],
    ids=lambda fault: f"{fault.path} {fault.status} {'drop' * fault.drop}{'cut' * fault.truncate}",
)
def test_a_fault_that_passes_costs_no_picture(small, slept, fault):
    expected = items(small, "practice_cars")
    small.server.faults.append(replace(fault))
    assert items(small, "practice_cars", slept) == expected
    assert small.server.faults == []


def test_the_time_reddit_asks_for_is_waited(small, slept):
    small.server.faults.append(Fault("/r/practice_cars", status=429, headers={"Retry-After": "77"}))
    items(small, "practice_cars", slept)
    assert slept == [77]


def test_a_connection_lost_in_the_middle_of_a_listing_costs_no_picture(shared, slept):
    expected = items(shared, "practice_tanks")
    found = reddit.items("practice_tanks", "", Options(allow=HERE, reddit=shared.reddit), sleep=slept.append)
    first = [next(found) for _ in range(5)]
    shared.server.faults += [Fault("/r/practice_tanks", drop=True, times=4), Fault("/r/practice_tanks", truncate=True)]
    assert [*first, *found] == expected
    assert shared.server.faults == [] and slept


def test_a_token_that_expires_in_the_middle_of_a_listing_is_renewed(shared, slept):
    expected = items(shared, "practice_tanks")
    found = reddit.items("practice_tanks", "", Options(allow=HERE, reddit=shared.reddit), sleep=slept.append)
    first = [next(found) for _ in range(5)]
    shared.server.expire_tokens()
    assert [*first, *found] == expected and slept == []


def test_a_fault_that_stays_is_given_up_in_one_line(small, slept):
    small.server.faults.append(Fault("/r/practice_cars", status=503, times=1000))
    with pytest.raises(SourceError, match="did not answer for r/practice_cars in 6 attempts; try again later"):
        items(small, "practice_cars", slept)
    assert len(slept) == 5


def test_a_page_that_is_json_but_no_listing_is_refused(small):
    for body in ({"message": "ok"}, {"data": None}, [], {"data": {"children": []}}):
        small.server.faults[:] = [Fault("/r/practice_cars", status=200, body=json.dumps(body))]
        if isinstance(body, dict) and (body.get("data") or {}).get("children") == []:
            assert items(small, "practice_cars") == []
        else:
            with pytest.raises(SourceError, match="expected a listing"):
                items(small, "practice_cars")


def test_a_cursor_that_runs_in_a_circle_ends(small):
    page = {"data": {"after": "t3_a", "children": [{"kind": "t3", "data": post(url="https://i.redd.it/a.jpg")}]}}
    small.server.faults.append(Fault("/r/practice_cars", status=200, body=page, times=50))
    assert len(items(small, "practice_cars")) == 1


# Several at once


def test_a_bad_source_among_good_ones_is_a_warning_and_the_others_are_kept(small, slept):
    wanted = [*small.sources, "reddit:practice_private=tanks"]
    with pytest.warns(UserWarning, match="left out a source: r/practice_private is private"):
        table = scrape.collect(
            wanted, into="both", options=Options(allow=HERE, reddit=small.reddit), sleep=slept.append
        )
    assert table.classes == ("cars", "tanks")


def test_when_no_source_can_be_read_all_reasons_are_given(small):
    wanted = ["reddit:practice_private=cars", "reddit:practice_banned=tanks"]
    with pytest.raises(SourceError, match="practice_private is private.*practice_banned does not exist"):
        scrape.collect(wanted, into="none", options=Options(allow=HERE, reddit=small.reddit))


def test_several_subreddits_under_several_labels(small, slept):
    wanted = [small.sources[0], "reddit:practice_tanks=armour", "reddit:practice_tanks"]
    options = Options(allow=HERE, reddit=small.reddit, limit=5)
    table = scrape.collect(wanted, into="three", options=options, sleep=slept.append)
    assert table.classes == ("armour", "cars", "practice_tanks")
    assert set(table.table["source"]) == {"reddit"}


def test_no_name_of_an_author_is_kept(small, slept):
    table = scrape.collect(
        small.sources, into="both", options=Options(allow=HERE, reddit=small.reddit), sleep=slept.append
    )
    kept = (table.root / "ledger.jsonl").read_text() + (table.root / "manifest.csv").read_text()
    authors = {post["author"] for label in small.server.content.posts.values() for post in label}
    assert len(authors) > 10
    assert not [author for author in authors if author in kept]
    assert set(table.table["creator"]) == {""}
