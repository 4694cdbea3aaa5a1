"""The practice world: drawings that differ and repeat, and a server that the real PRAW takes for Reddit."""

import io
import json
import socket
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import numpy as np
import praw
import prawcore
import pytest
from PIL import Image, ImageOps

from toolkit import practice
from toolkit.practice.files import File, encode, picture_of
from toolkit.practice.posts import content

OPENER = build_opener(ProxyHandler({}))  # straight to this machine, whatever the environment says


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def shared():
    with practice.world(pictures=130, seed=3) as world:
        yield world


@pytest.fixture
def world():
    with practice.world(pictures=24, seed=3) as world:
        yield world


def reddit(world, **settings):
    return praw.Reddit(**{**world.reddit, **settings})


def fetch(url):
    with OPENER.open(url, timeout=10) as response:
        return response.read()


def status(url):
    try:
        with OPENER.open(url, timeout=10) as response:
            return response.status
    except HTTPError as error:
        with error:
            return error.code


def names(world, kind):
    return [name for name, truth in world.truth.items() if truth == kind]


def pixels(drawing):
    return np.asarray(drawing.picture)


# Drawing


@pytest.mark.parametrize("label", practice.LABELS)
def test_the_same_seed_draws_the_same_picture(label):
    first, second = practice.vehicle(label, seed=5), practice.vehicle(label, seed=5)
    assert np.array_equal(pixels(first), pixels(second))
    assert first.box == second.box


def test_another_seed_draws_another_picture():
    assert not np.array_equal(pixels(practice.vehicle("cars", seed=1)), pixels(practice.vehicle("cars", seed=2)))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(320, 240), (200, 300), (33, 32), (401, 203)])
def test_a_picture_has_the_size_asked_for_and_a_box_inside_it(size):
    for seed in range(6):
        drawing = practice.vehicle("tanks", seed=seed, width=size[0], height=size[1])
        left, top, right, bottom = drawing.box
        assert drawing.picture.size == size
        assert drawing.picture.mode == "RGB"
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]


def test_an_unknown_label_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="cars, tanks"):
        practice.vehicle("boats", seed=1)


def test_a_picture_too_small_to_draw_is_refused():
    with pytest.raises(ValueError, match="32"):
        practice.vehicle("cars", seed=1, width=20)


@pytest.mark.slow
@pytest.mark.parametrize("label", practice.LABELS)
def test_the_box_contains_the_vehicle(label, monkeypatch):
    def undressed(seed, *, painted):
        with monkeypatch.context() as patch:
            patch.setattr("toolkit.practice.draw._hide", lambda *args, **options: None)
            patch.setattr("toolkit.practice.draw._shadow", lambda *args: None)
            patch.setattr("toolkit.practice.draw._light", lambda picture, *args, **options: picture)
            if not painted:
                patch.setattr("toolkit.practice.sketch.Sketch.paint", lambda *args: None)
                patch.setattr("toolkit.practice.sketch.Sketch.tint", lambda *args: None)
            return practice.vehicle(label, seed=seed)

    for seed in range(12):
        drawing = undressed(seed, painted=True)
        changed = (pixels(drawing) != pixels(undressed(seed, painted=False))).any(axis=2)
        rows, columns = np.nonzero(changed)
        left, top, right, bottom = drawing.box
        assert left - 1 <= columns.min() <= left + 4 and right - 4 <= columns.max() + 1 <= right + 1
        assert top - 1 <= rows.min() <= top + 4 and bottom - 4 <= rows.max() + 1 <= bottom + 1


@pytest.mark.slow
def test_mean_colours_do_not_give_the_class_away():
    labels = np.arange(400) % 2
    drawn = [
        practice.vehicle(practice.LABELS[label], seed=seed, width=96, height=72) for seed, label in enumerate(labels)
    ]
    colours = np.array([np.concatenate([pixels(d).mean(axis=(0, 1)), pixels(d).std(axis=(0, 1)), [1]]) for d in drawn])
    colours[:, :-1] -= colours[:, :-1].mean(axis=0)
    weights, *_ = np.linalg.lstsq(colours[:240], labels[:240] * 2.0 - 1, rcond=None)
    assert ((colours[240:] @ weights > 0) == labels[240:]).mean() < 0.75


# Reddit, as PRAW sees it


@pytest.mark.parametrize("label", practice.LABELS)
def test_praw_lists_a_whole_subreddit_page_by_page(shared, label):
    asked_before = len(shared.server.log)
    posts = list(reddit(shared).subreddit(f"practice_{label}").new(limit=None))
    pages = [path for _, path, _ in shared.server.log[asked_before:] if path.startswith(f"/r/practice_{label}/new")]
    assert len(posts) == len({post.id for post in posts}) == len(shared.server.content.posts[f"practice_{label}"])
    assert len(posts) > 130
    assert len(pages) == 2
    assert posts == sorted(posts, key=lambda post: -post.created_utc)


def test_a_listing_stops_where_it_is_told(shared):
    assert len(list(reddit(shared).subreddit("practice_cars").hot(limit=7))) == 7


def test_hot_new_and_top_have_different_orders(shared):
    cars = reddit(shared).subreddit("practice_cars")
    hot, new, top = ([post.id for post in listing(limit=None)] for listing in (cars.hot, cars.new, cars.top))
    assert hot != new and new != top and hot != top
    assert set(hot) == set(new) == set(top)


def test_top_of_a_week_is_a_part_of_all(shared):
    cars = reddit(shared).subreddit("practice_cars")
    week, everything = (list(cars.top(time_filter=period, limit=None)) for period in ("week", "all"))
    assert 0 < len(week) < len(everything)
    assert [post.score for post in week] == sorted((post.score for post in week), reverse=True)


def test_search_about_and_info_answer(shared):
    client = reddit(shared)
    cars = client.subreddit("practice_cars")
    assert all(post.link_flair_text == "Museum" for post in cars.search('flair:"Museum"'))
    assert cars.display_name == "practice_cars"
    post = next(cars.new(limit=1))
    assert [found.title for found in client.info(fullnames=[post.fullname])] == [post.title]


def test_controversial_and_search_have_orders_of_their_own(shared):
    cars = reddit(shared).subreddit("practice_cars")
    contested, top = ([post.id for post in listing(limit=None)] for listing in (cars.controversial, cars.top))
    assert contested != top and set(contested) == set(top)
    found = {sort: [post.id for post in cars.search("found", sort=sort, limit=None)] for sort in ("new", "top")}
    assert found["new"] != found["top"] and set(found["new"]) == set(found["top"])


def test_a_listing_can_be_read_backwards(shared):
    def names(**query):
        page = reddit(shared).request(method="GET", path="r/practice_cars/new", params={"limit": 10, **query})["data"]
        return [child["data"]["name"] for child in page["children"]], page

    first, page = names()
    second, following = names(after=page["after"])
    assert page["before"] is None and following["before"] == second[0]
    assert names(before=second[0])[0] == first


def test_a_post_can_be_removed_while_the_server_runs(world):
    client = reddit(world)
    post = next(client.subreddit("practice_cars").new(limit=1))
    world.remove(post.id)
    (again,) = client.info(fullnames=[post.fullname])
    assert (again.removed_by_category, again.author) == ("deleted", None)
    assert "/i/" not in json.dumps({name: str(value) for name, value in vars(again).items()})


def test_no_listing_goes_beyond_a_thousand_posts():
    with practice.world(pictures=1000) as world:
        assert len(list(reddit(world).subreddit("practice_cars").new(limit=None))) == 1000


def test_wrong_credentials_are_refused(shared):
    with pytest.raises(prawcore.ResponseException) as caught:
        list(reddit(shared, client_secret="guess").subreddit("practice_cars").new(limit=1))
    assert caught.value.response.status_code == 401


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("practice_private", prawcore.Forbidden),
        ("practice_banned", prawcore.NotFound),
        ("practice_nowhere", prawcore.Redirect),
    ],
)
def test_a_subreddit_that_cannot_be_read_says_so(shared, name, error):
    with pytest.raises(error):
        list(reddit(shared).subreddit(name).new(limit=1))


@pytest.mark.slow
def test_an_expired_token_is_renewed_unseen(world):
    client = reddit(world)
    assert list(client.subreddit("practice_cars").new(limit=1))
    world.server.expire_tokens()
    assert list(client.subreddit("practice_tanks").new(limit=1))
    assert [status for _, path, status in world.server.log if path.startswith("/r/")] == [200, 401, 200]


def test_all_kinds_of_posts_are_there(shared):
    for posts in shared.server.content.posts.values():
        galleries = [post for post in posts if post.get("gallery_data")]
        assert len(galleries) == 3
        assert all(
            {media["status"] for media in post["media_metadata"].values()} == {"valid", "failed"} for post in galleries
        )
        assert sum("crosspost_parent_list" in post for post in posts) == 3
        assert sum(bool(post["removed_by_category"]) for post in posts) == 2
        for flag in ("is_self", "is_video", "over_18"):
            assert sum(post[flag] for post in posts) == 1


# Pictures


@pytest.mark.slow
def test_every_whole_picture_decodes(world):
    good = [name for name, kind in world.truth.items() if kind.startswith(("plain", "repost", "label"))]
    for name in good:
        with Image.open(io.BytesIO(fetch(f"{world.server.url}/i/{name}"))) as picture:
            picture.load()
            assert min(picture.size) >= 160


def test_the_same_seed_serves_the_same_bytes():
    first, second, other = (content(pictures=20, seed=seed) for seed in (1, 1, 2))
    assert first == second and first != other
    assert all(encode(first.files[name]) == encode(second.files[name]) for name in list(first.files)[:5])


def test_small_and_capital_letters_matter_in_an_address(world):
    name = names(world, "plain")[0]
    assert status(f"{world.server.url}/i/{name}") == 200
    assert status(f"{world.server.url}/i/{name.lower()}") == 404


@pytest.mark.parametrize("source", [None, (90, 60), (60, 45)])
def test_a_repost_has_its_own_size_whatever_it_was_drawn_at(source):
    assert picture_of(File("a.jpg", "plain", "cars", 3, (60, 45), source=source)).size == (60, 45)


@pytest.mark.slow
def test_a_turned_picture_is_upright_when_its_mark_is_honoured():
    files = content(pictures=200, seed=3).files.values()
    turned = [file for file in files if file.turned != 1]
    assert {file.turned for file in turned} == {6, 8}
    for file in turned[:4]:
        with Image.open(io.BytesIO(encode(file))) as stored:
            upright = ImageOps.exif_transpose(stored).convert("RGB")
        assert upright.size == file.size
        assert np.abs(np.asarray(upright, float) - np.asarray(picture_of(file), float)).mean() < 12


def test_broken_files_are_broken_in_their_own_way(world):
    def bytes_of(kind):
        return fetch(f"{world.server.url}/i/{names(world, kind)[0]}")

    with pytest.raises(OSError), Image.open(io.BytesIO(bytes_of("truncated"))) as picture:
        picture.load()
    assert bytes_of("empty") == b""
    assert bytes_of("html").startswith(b"<!doctype html>")
    assert bytes_of("text").startswith(b"These are words")
    with Image.open(io.BytesIO(bytes_of("tiny"))) as picture:
        assert picture.size == (24, 24)
    assert status(f"{world.server.url}/i/{names(world, 'missing')[0]}") == 404
    placeholders = names(world, "placeholder")
    assert len(placeholders) >= 6
    assert len({fetch(f"{world.server.url}/i/{name}") for name in placeholders}) == 1


def test_a_picture_that_is_unavailable_once_comes_the_second_time(world):
    address = f"{world.server.url}/i/{names(world, 'unavailable once')[0]}"
    assert [status(address) for _ in range(3)] == [503, 200, 200]


@pytest.mark.slow
def test_a_repost_looks_like_its_original():
    files = content(pictures=100, seed=3).files
    reposts = [file for file in files.values() if file.kind.startswith("repost")]
    assert 12 <= len(reposts) <= 20
    assert {file.kind.rpartition("(")[2] for file in reposts} == {"quality)", "resized)", "cropped)"}
    for file in reposts[:6]:
        original = files[file.kind.split()[2]]
        small = [np.asarray(picture_of(one).resize((32, 32)), float) for one in (file, original)]
        assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.8


def test_a_few_plain_pictures_are_in_the_wrong_subreddit():
    truth = [file.kind for file in content(pictures=500, seed=3).files.values()]
    assert 8 <= truth.count("plain, wrong subreddit") <= 35
    assert truth.count("label conflict") == 2


# Faults


def test_a_fault_fires_as_often_as_it_says(world):
    address = f"{world.server.url}/i/{names(world, 'plain')[0]}"
    world.server.faults.append(practice.Fault(path="/i/", times=2, status=429, headers={"Retry-After": "0"}))
    assert [status(address) for _ in range(3)] == [429, 429, 200]
    assert [entry[2] for entry in world.server.log] == [429, 429, 200]
    assert world.server.log[0][:2] == ("GET", urlsplit(address).path)


def test_faults_reach_the_api_too(world):
    world.server.faults.append(practice.Fault(path="/r/practice_cars", status=429))
    cars = reddit(world).subreddit("practice_cars")
    with pytest.raises(prawcore.TooManyRequests):
        list(cars.new(limit=1))
    assert list(cars.new(limit=1))


def test_an_answer_can_be_dropped_or_cut_short(world):
    address = f"{world.server.url}/i/{names(world, 'plain')[0]}"
    world.server.faults += [practice.Fault(path="/i/", drop=True), practice.Fault(path="/i/", truncate=True)]
    with pytest.raises(OSError):
        fetch(address)
    with pytest.raises(Exception, match="IncompleteRead"):
        fetch(address)
    assert fetch(address)


def test_a_connection_serves_whole_answers_and_ends_with_one_cut_short(world):
    path = f"/i/{names(world, 'plain')[0]}"
    with closing(HTTPConnection(urlsplit(world.server.url).netloc, timeout=20)) as connection:
        for _ in range(2):
            connection.request("GET", path)
            assert connection.getresponse().read()
            assert connection.sock, "it was closed"
        world.server.faults += [practice.Fault(path="/i/", truncate=True)]
        connection.request("GET", path)
        with connection.getresponse() as answer, pytest.raises(IncompleteRead):
            answer.read()


# The end


def test_the_server_is_gone_after_the_block():
    def answers(url):
        with socket.socket() as probe:
            return probe.connect_ex((urlsplit(url).hostname, urlsplit(url).port)) == 0

    with pytest.raises(RuntimeError, match="on purpose"), practice.world(pictures=1) as world:
        url = world.server.url
        assert answers(url)
        raise RuntimeError("on purpose")
    assert not answers(url)


def test_a_world_without_pictures_is_refused():
    with pytest.raises(ValueError, match="1 picture or more"), practice.world(pictures=0):
        pass


# The result page


def batches(world, asked):
    """What the result page asks for, until there is no more."""
    tiles, done = [], False
    while not done:
        answer = json.loads(fetch(f"{world.server.url}/search/more?q={asked}&start={len(tiles)}"))
        tiles, done = tiles + answer["tiles"], answer["done"]
    return tiles


@pytest.mark.slow
def test_the_result_page_asks_first_and_shows_all_pictures_of_a_label_a_few_at_a_time(world):
    assert b"Reject all" in fetch(f"{world.server.url}/search?q=cars")
    tiles = batches(world, "red+car")
    assert len(tiles) == len(world.server.pages.results("cars")) > 24
    linked = [tile["about"]["full"] for tile in tiles if "full" in tile["about"]]
    assert len(linked) == len(set(linked)) > len(tiles) / 2
    assert sum("data:image/jpeg" in tile["image"] for tile in tiles) > len(tiles) / 4


def test_a_thumbnail_is_a_small_upright_copy(world):
    file = next(file for file in world.server.content.files.values() if file.kind == "plain" and file.turned != 1)
    with Image.open(io.BytesIO(fetch(f"{world.server.url}/thumb/{file.name}"))) as small:
        assert max(small.size) <= 240
        assert (small.width > small.height) == (picture_of(file).width > picture_of(file).height)


def test_a_search_for_something_else_finds_nothing(world):
    assert batches(world, "boats") == []


def test_programs_are_told_where_they_may_go(world):
    assert fetch(f"{world.server.url}/robots.txt") == b"User-agent: *\nDisallow: /private\n"
    assert status(f"{world.server.url}/thumb/nothing.jpg") == 404
