"""Pictures from subreddits, with the real PRAW against the practice world."""

import json
import os
import re
from collections import Counter
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import practice, scrape
from toolkit.errors import SourceError
from toolkit.practice import Fault
from toolkit.scrape import Options, reddit
from toolkit.scrape.reddit_posts import found_in, pictures, why_none

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


def listed(*arguments, **options):
    """The pictures of a source, without what it passes over."""
    return (one for one in reddit.items(*arguments, **options) if isinstance(one, scrape.Item))


def items(world, name, slept=None, **options):
    sleep = (lambda seconds: None) if slept is None else slept.append
    return list(listed(name, "", Options(allow=HERE, reddit=world.reddit, **options), sleep=sleep))


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


# Search, flair, and all there is


def test_a_flair_gives_the_posts_that_have_it(shared):
    museum = {post["id"] for post in posts(shared, "practice_cars") if post["link_flair_text"] == "Museum"}
    found = items(shared, "practice_cars/flair:Museum")
    assert found and {item.source_id.partition("-")[0] for item in found} <= museum
    assert {item.label for item in found} == {"practice_cars"}


def test_a_search_gives_the_posts_that_hold_its_words(shared):
    ids = {post["id"] for post in posts(shared, "practice_cars") if "old photo" in post["title"].lower()}
    found = items(shared, "r/practice_cars/search:old photo", sort="rising")
    assert found and {item.source_id.partition("-")[0] for item in found} <= ids
    path = [path for _, path, _ in shared.server.log if "/search?" in path][-1]
    assert "restrict_sr=1" in path and "sort=top" in path


@pytest.mark.slow
def test_all_orders_together_go_beyond_the_thousand_posts_of_one(slept):
    with practice.world(pictures=1100) as world:
        one = {item.source_id for item in items(world, "practice_cars", slept, sort="top")}
        union = [item.source_id for item in items(world, "practice_cars", slept, sort="all")]
        total = sum(len(shown(post)) for post in posts(world, "practice_cars"))
    assert len(one) < len(union) == len(set(union)) <= total
    assert one < set(union) and len(union) > 0.99 * total


def test_all_orders_of_a_search_are_asked_for(small, slept):
    items(small, "practice_cars/search:found", slept, sort="all", over_18=True)
    asked = [parse_qs(urlsplit(path).query) for _, path, _ in small.server.log if "/search?" in path]
    assert {query["sort"][0] for query in asked} == {"new", "hot", "relevance", "top", "comments"}
    assert len(asked) == 2 + 3 * 6 and all(query["include_over_18"] == ["on"] for query in asked)


@pytest.mark.parametrize(
    "argument", ["practice_cars/best:x", "practice_cars/flair:", "practice_cars/search", "a b/search:x"]
)
def test_a_form_that_is_none_is_answered_with_those_that_are(argument, slept):
    with pytest.raises(SourceError, match="reddit:carporn/flair:Spotted=cars, got"):
        list(listed(argument, "", Options(), sleep=slept.append))


def test_a_search_is_written_with_a_label_like_any_source(small, slept):
    wanted = ["reddit:practice_cars/search:found=cars", "reddit:practice_tanks/flair:My own=own tanks"]
    options = Options(allow=HERE, reddit=small.reddit)
    assert scrape.collect(wanted, into="some", options=options, sleep=slept.append).classes == ("cars", "own tanks")


# A listing that was broken off


def asked_for(world, name):
    return [path for _, path, _ in world.server.log if path.startswith(f"/r/{name}/")]


def resumed(world, folder, **options):
    settings = Options(reddit=world.reddit, **options)
    return listed("practice_cars", "", settings, folder=folder, sleep=lambda _: None)


def test_a_listing_that_was_killed_goes_on_where_it_was(shared, tmp_path):
    whole = [item.source_id for item in resumed(shared, None, sort="all")]
    listing = resumed(shared, tmp_path, sort="all")
    for _ in range(40):
        next(listing)
    before = len(asked_for(shared, "practice_cars"))
    again = resumed(shared, tmp_path, sort="all")  # the first is left as a killed process leaves it
    first = [next(again).source_id for _ in range(40)]
    assert first == whole[:40] and len(asked_for(shared, "practice_cars")) == before
    assert [*first, *(item.source_id for item in again)] == whole
    first_page = asked_for(shared, "practice_cars")[before]
    assert "after=t3_" in first_page


def test_a_listing_that_was_completed_or_reached_its_limit_begins_anew(shared, tmp_path):
    for limit in (None, 7):
        assert list(resumed(shared, tmp_path, limit=limit))
        assert list(tmp_path.iterdir()) == []


def test_a_limit_counts_what_was_listed_before_it_was_broken_off(shared, tmp_path):
    listing = resumed(shared, tmp_path, limit=120)
    first = [next(listing) for _ in range(110)]
    assert [item for item in resumed(shared, tmp_path, limit=120)][:110] == first
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b'{"items": [', b"[]\n", b"\xff\n", b'{"items": [{}], "place": {}}\n'])
def test_a_torn_or_damaged_page_is_asked_for_again(shared, tmp_path, damage):
    whole = list(resumed(shared, None))
    listing = resumed(shared, tmp_path)
    next(listing)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + damage)
    assert list(resumed(shared, tmp_path)) == whole
    assert list(tmp_path.iterdir()) == []


def test_a_listing_of_yesterday_is_forgotten(shared, tmp_path):
    next(resumed(shared, tmp_path))
    (file,) = tmp_path.iterdir()
    os.utime(file, (0, 0))
    asked = len(asked_for(shared, "practice_cars"))
    list(resumed(shared, tmp_path))
    assert "after=" not in asked_for(shared, "practice_cars")[asked]


def test_an_unfinished_listing_holds_no_author(shared, tmp_path):
    next(resumed(shared, tmp_path))
    (file,) = tmp_path.iterdir()
    assert not [post["author"] for post in posts(shared, "practice_cars") if post["author"] in file.read_text()]


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
        ("https://imgur.com/AbCdEfG.jpg", ["https://i.imgur.com/AbCdEfG.jpg"]),
        ("http://www.imgur.com/AbCdEfG.png", ["https://i.imgur.com/AbCdEfG.png"]),
        ("https://imgur.com/AbCdEfG.jpeg?1", ["https://i.imgur.com/AbCdEfG.jpeg"]),
        ("https://imgur.com/r/cars/AbCdEfG", ["https://i.imgur.com/AbCdEfG.jpg"]),
        ("https://imgur.com/my-new-car-AbCdEfG", ["https://i.imgur.com/AbCdEfG.jpg"]),
        ("https://cdn.org/car.jpg?v=1&timestamp=155&copy=2", ["https://cdn.org/car.jpg?v=1&timestamp=155&copy=2"]),
        ("https://cdn.org/car.jpg?section=3&region=us", ["https://cdn.org/car.jpg?section=3&region=us"]),
        ("https://imgur.com/t/cars/AbCdEfG", None),
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
    found = found_in(post(url=url), Options())
    assert [[item.url, *item.fallbacks] for item in found] == ([addresses] if addresses else [])


def test_a_preview_is_a_fallback_for_a_link_that_is_no_picture():
    preview = {"images": [{"source": {"url": "https://external-preview.redd.it/x.jpg?a=1&amp;s=2"}}]}
    (item,) = pictures(post(url="https://www.flickr.com/photos/1/2", post_hint="image", preview=preview))
    assert item.url == "https://external-preview.redd.it/x.jpg?a=1&s=2"
    assert pictures(post(url="https://example.org/news", post_hint="link", preview=preview)) == []


def test_an_album_is_seen_by_its_preview_where_reddit_calls_it_a_picture():
    preview = {"images": [{"source": {"url": "https://external-preview.redd.it/x.jpg?a=1&timestamp=2"}}]}
    (item,) = pictures(post(url="https://imgur.com/a/AbCdE", post_hint="image", preview=preview))
    assert item.url == "https://external-preview.redd.it/x.jpg?a=1&timestamp=2"
    (item,) = pictures(post(url="https://imgur.com/AbCdEfG", preview=preview))
    assert item.fallbacks == ("https://external-preview.redd.it/x.jpg?a=1&timestamp=2",)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"url": "https://i.redd.it/a.jpg", "removed_by_category": "moderator"}, "removed post"),
        ({"url": "https://v.redd.it/a", "is_video": True}, "video"),
        ({"url": "https://i.redd.it/a.jpg", "over_18": True}, "adult post"),
        ({"url": "https://example.org/news"}, "post without a picture"),
        ({"crosspost_parent_list": 7}, "post that lacks the usual fields"),
    ],
)
def test_a_post_without_a_picture_says_why(fields, reason):
    assert found_in(post(**fields), Options()) == []
    assert why_none(post(**fields), Options()) == reason


def test_a_crosspost_of_an_adult_post_is_adult():
    parent = post(url="https://i.redd.it/a.jpg", over_18=True)
    crosspost = post(crosspost_parent_list=[parent], over_18=False)
    assert pictures(crosspost) == []
    assert len(pictures(crosspost, over_18=True)) == 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["http://[", "valid", "m1"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["s", "u", "m1", "items"]), inner, max_size=2)
    ),
    max_leaves=6,
)
FIELDS = ["url", "url_overridden_by_dest", "preview", "gallery_data", "media_metadata", "crosspost_parent_list"]


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from([*FIELDS, "is_gallery", "post_hint", "permalink"]), ANYTHING))
def test_an_odd_post_costs_nothing_but_itself(fields):
    for item in found_in(post(**fields), Options()):
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
        list(listed("practice_cars", "", Options(allow=HERE, reddit=settings), sleep=slept.append))
    assert "\n" not in str(caught.value) and "guess" not in str(caught.value) and slept == []


def test_no_credentials_are_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(SourceError, match="expected Reddit API credentials, found none") as caught:
        scrape.collect("reddit:carporn=cars", into="cars")
    assert "\n" not in str(caught.value)


REAL = {"client_id": "a", "client_secret": "b", "user_agent": "linux:test:v1 (by /u/nobody)"}


def test_the_real_reddit_is_not_asked_without_a_word_that_one_may(slept):
    for said in ("", "no"):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SourceError, match="--i-have-permission") as caught:
            patch.setenv("TOOLKIT_REDDIT_PERMISSION", said)
            list(listed("carporn", "", Options(reddit=REAL), sleep=slept.append))
        assert "\n" not in str(caught.value)


def test_the_word_is_given_by_an_option_or_the_environment(monkeypatch):
    assert reddit.connect(Options(reddit=REAL, permission=True)).read_only
    monkeypatch.setenv("TOOLKIT_REDDIT_PERMISSION", "yes")
    assert reddit.connect(Options(reddit=REAL)).read_only


def test_a_user_agent_that_pretends_to_be_a_browser_is_refused():
    settings = REAL | {"user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}
    with pytest.raises(SourceError, match="expected a user agent that says who asks"):
        reddit.connect(Options(reddit=settings, permission=True))


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
        Fault("/r/practice_cars", status=401),
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
    found = listed("practice_tanks", "", Options(allow=HERE, reddit=shared.reddit), sleep=slept.append)
    first = [next(found) for _ in range(5)]
    shared.server.faults += [Fault("/r/practice_tanks", drop=True, times=4), Fault("/r/practice_tanks", truncate=True)]
    assert [*first, *found] == expected
    assert shared.server.faults == [] and slept


def test_a_token_that_expires_in_the_middle_of_a_listing_is_renewed(shared, slept):
    expected = items(shared, "practice_tanks")
    found = listed("practice_tanks", "", Options(allow=HERE, reddit=shared.reddit), sleep=slept.append)
    first = [next(found) for _ in range(5)]
    shared.server.expire_tokens()
    assert [*first, *found] == expected and slept == []


def test_a_fault_that_stays_is_given_up_in_one_line(small, slept):
    small.server.faults.append(Fault("/r/practice_cars", status=503, times=1000))
    with pytest.raises(SourceError, match="did not answer for r/practice_cars in 6 attempts; try again later"):
        items(small, "practice_cars", slept)
    assert len(slept) == 5


def test_a_page_that_is_json_but_no_listing_is_refused(small):
    for body in ({"message": "ok"}, {"data": None}, {"data": [1]}, {"data": {"children": None}}, [], None):
        small.server.faults[:] = [Fault("/r/practice_cars", status=200, body=json.dumps(body))]
        with pytest.raises(SourceError, match="expected a listing"):
            items(small, "practice_cars")
    small.server.faults[:] = [Fault("/r/practice_cars", status=200, body={"data": {"children": [], "after": None}})]
    assert items(small, "practice_cars") == []


def test_a_cursor_that_runs_in_a_circle_ends(small):
    page = {"data": {"after": "t3_a", "children": [{"kind": "t3", "data": post(url="https://i.redd.it/a.jpg")}]}}
    small.server.faults.append(Fault("/r/practice_cars", status=200, body=page, times=50))
    assert len(items(small, "practice_cars")) == 1


def test_cursors_that_run_in_a_circle_end(small):
    def page(cursor):
        child = {"kind": "t3", "data": post(id=f"a{cursor}", url="https://i.redd.it/a.jpg")}
        return {"data": {"after": f"t3_{cursor}", "children": [child]}}

    small.server.faults += [Fault("/r/practice_cars", body=page(number % 3)) for number in range(20)]
    assert len(items(small, "practice_cars")) == 3


def test_a_thing_in_a_listing_that_is_no_post_is_passed_over(small):
    children = [{"kind": "t1", "data": {"id": "c"}}, None, {"kind": "t3", "data": None}, {"kind": "t3", "data": {}}]
    children += [{"kind": "t3", "data": post(url="https://i.redd.it/a.jpg", author=None, title=None, preview=None)}]
    small.server.faults.append(Fault("/r/practice_cars", body={"data": {"after": None, "children": children}}))
    assert len(items(small, "practice_cars")) == 1


def test_reddits_pace_is_kept(small, slept, monkeypatch):
    waited = []
    monkeypatch.setattr("prawcore.rate_limit.time.sleep", waited.append)
    headers = {"x-ratelimit-used": "600", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "42"}
    body = {"data": {"after": "t3_x", "children": [{"kind": "t3", "data": post(url="https://i.redd.it/a.jpg")}]}}
    small.server.faults.append(Fault("/r/practice_cars", body=body, headers=headers))
    items(small, "practice_cars", slept)
    assert any(seconds > 5 for seconds in waited)


# Several at once


@pytest.mark.slow
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


@pytest.mark.slow
def test_no_name_of_an_author_is_kept(small, slept):
    table = scrape.collect(
        small.sources, into="both", options=Options(allow=HERE, reddit=small.reddit), sleep=slept.append
    )
    kept = (table.root / "ledger.jsonl").read_text() + (table.root / "manifest.csv").read_text()
    authors = {post["author"] for label in small.server.content.posts.values() for post in label}
    assert len(authors) > 10
    assert not [author for author in authors if author in kept]
    assert set(table.table["creator"]) == {""}
