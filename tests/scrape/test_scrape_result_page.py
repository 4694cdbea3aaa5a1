"""Pictures from a result page, with a real browser on the page of the practice world."""

import base64
import contextlib
import gzip
import shutil
import sys
import threading
import time
import tracemalloc
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from importlib.util import find_spec
from urllib.parse import quote_from_bytes

import pytest
from helpers import encoded, textured
from hypothesis import given
from hypothesis import strategies as st

from toolkit import images, practice, scrape
from toolkit.errors import SourceError
from toolkit.scrape import Options, browser, datauri, page_profile, result_page, robots

SHIPPED = (resources.files("toolkit.scrape") / "profiles" / "practice.toml").read_text()
PICTURE = encoded(textured(1, width=48, height=40), "JPEG")


there = all(any(map(shutil.which, names)) for names in (browser.BROWSERS, browser.DRIVERS)) and find_spec("selenium")
browsing = pytest.mark.skipif(not there, reason="Chromium, its driver or Selenium is not installed")


def real(test):
    """Mark a test that starts a browser."""
    return pytest.mark.slow(browsing(test))


@pytest.fixture(scope="module")
def world():
    with practice.world(pictures=20, seed=5) as here:
        yield here


@pytest.fixture
def options(world):
    return partial(Options, endpoints={"page": world.server.url}, allow=("127.0.0.1/32",), tries=2, backoff=0.0)


@pytest.fixture
def changed(tmp_path):
    """The path of a profile that differs from the shipped one in some lines."""

    def written(**lines):
        kept = [line for line in SHIPPED.splitlines() if line.partition("=")[0].strip() not in lines]
        file = tmp_path / "changed.toml"
        file.write_text("\n".join([*kept, *(f"{name} = {value}" for name, value in lines.items())]))
        return str(file)

    return written


def found(argument, options, label=""):
    return list(result_page.items(argument, label, options))


# The page itself


@pytest.fixture(scope="module")
def cars(world):
    """All results for cars; the browser is started once for the tests that only look at them."""
    if not there:
        pytest.skip("Chromium, its driver or Selenium is not installed")
    return found('practice:"cars"', Options(endpoints={"page": world.server.url}))


@pytest.mark.slow
def test_consent_is_passed_and_every_tile_is_found_once(world, cars):
    shown = world.server.pages.results("cars")
    assert len(shown) > 20  # more than are shown before somebody scrolls
    assert len(cars) == len({item.key for item in cars}) == len(shown)
    assert {item.label for item in cars} == {"cars"}


@pytest.mark.slow
def test_a_result_with_a_link_gives_the_picture_and_one_without_its_thumbnail(world, cars):
    thumbnails = [item for item in cars if item.resolution == "thumbnail" and item.title != "Sponsored"]
    links = {item.url for item in cars if not item.resolution}
    assert all(item.url == "" and min(images.read(item.read()).size) > 32 for item in thumbnails)
    names = {file.name for file in world.server.pages.results("cars") if not isinstance(file, str)}
    assert links <= {f"{world.server.url}/i/{name}" for name in names}
    assert len(links) + len(thumbnails) == len(names)
    assert len(thumbnails) > 3


@pytest.mark.slow
def test_a_result_says_on_which_page_it_is_and_what_it_is_called(world, cars):
    assert (cars[0].page_url, cars[0].title) == (f"{world.server.url}/search?q=cars#0", "cars 0")


@pytest.mark.slow
def test_drawings_single_pixels_and_damaged_images_have_a_reason(cars):
    reasons = []
    for item in cars:
        if item.title == "Sponsored":
            with pytest.raises(SourceError) as refusal:
                item.read()
            reasons.append(str(refusal.value))
    assert len(reasons) == 3
    assert "not a picture in a format that is read (data:image/svg+xml)" in reasons
    assert "an icon or a stand-in, the shortest side is below 32" in reasons
    assert any("damaged" in reason or "truncated" in reason for reason in reasons)


@real
def test_a_page_becomes_a_dataset_with_thumbnails_marked_and_reasons_for_the_rest(world, options):
    wanted = [world.page_source("cars"), world.page_source("tanks")]
    table = scrape.collect(wanted, into="pets", options=options(), sleep=lambda _: None)
    assert table.classes == ("cars", "tanks")
    assert set(table.table["resolution"]) == {"", "thumbnail"}
    assert set(table.table["source"]) == {"page"}
    assert table.where(resolution="").table["url"].str.contains("/i/").all()
    assert (table.where(resolution="thumbnail").table["url"] == "").all()
    lines = (table.root / "ledger.jsonl").read_text()
    assert "base64" not in lines  # not the images themselves
    assert lines.count('"failed"') == 2 * (3 + 2)  # three that are no pictures, one missing and one page of HTML


@real
def test_no_more_results_are_read_than_asked_for(world, options):
    before = len(world.server.log)
    assert len(found('practice:"tanks"', options(limit=7))) == 7
    read = [path for _, path, _ in world.server.log[before:] if "/more" in path]
    assert len(read) <= 3  # two, and on a busy machine one that the page asked for before it was left


@real
def test_the_practice_page_is_there_for_whoever_asks_for_it():
    table = scrape.collect(
        ["page:practice:cars=cars", 'page:practice:"tanks"=tanks'], into="pets", options=Options(limit=3)
    )
    assert table.counts()["total"].tolist() == [3, 3, 6]


def test_the_practice_page_and_others_are_collected_one_after_the_other():
    with pytest.raises(SourceError, match="without other pages"):
        scrape.collect(["page:practice:cars=cars", "page:mine.toml:tanks=tanks"], into="pets")


@real
def test_a_search_that_finds_nothing_says_so(options):
    with pytest.raises(
        SourceError, match="expected pictures at .*q=red\\+boats, found none; search for something else"
    ):
        found('practice:"red boats"', options())


@real
def test_tiles_that_are_called_otherwise_now_are_a_clear_error(options, changed):
    place = changed(tile="'.result'", idle=0.4, end="''")
    with pytest.raises(SourceError) as refusal:
        found(f'{place}:"cars"', options())
    assert "expected result tiles by the selector '.result' at http://127.0.0.1" in str(refusal.value)
    assert f"found none; the page has changed: mend the profile {place}" in str(refusal.value)


@real
def test_links_that_are_kept_elsewhere_now_are_a_clear_error(options, changed):
    place = changed(full_key="'murl'")
    with pytest.raises(SourceError, match="expected links by the attribute 'data-result'.*mend the profile"):
        found(f'{place}:"cars"', options())


@real
def test_a_selector_that_is_none_is_a_clear_error(options, changed):
    place = changed(tile="'[['")
    with pytest.raises(SourceError, match="not a valid selector"):
        found(f'{place}:"cars"', options())


RECYCLING = b"""<!doctype html><body style="height: 9000px"><main style="position: sticky; top: 0"></main><script>
const show = () => document.querySelector('main').innerHTML = [0, 1, 2, 3].map(place => {
  const number = Math.floor(scrollY / 250) + place
  return `<a href="/${number}.jpg" style="display: block"><img src="data:,">${number}</a>`
}).join('')
onscroll = show
show()</script>"""


@real
def test_a_page_that_takes_off_at_the_top_what_it_adds_below_is_read_whole(tmp_path):
    lines = ["url = 'http://here/list?q={query}'", "tile = 'main a'", "full_attribute = 'href'", "pause = 0.05"]
    (tmp_path / "recycling.toml").write_text("\n".join([*lines, "idle = 0.6"]))
    with served({"/list?q=a": RECYCLING}) as (address, _):
        here = Options(endpoints={"page": address.rstrip("/")})
        addresses = {item.url for item in found(f"{tmp_path}/recycling.toml:a", here)}
    assert {f"{address}{number}.jpg" for number in (0, 10, 20, 30)} <= addresses


@real
def test_a_page_that_goes_on_for_ever_is_left_after_its_time(options, changed):
    place = changed(end="'#nothing'", more="''", max_seconds=1)
    assert 0 < len(found(f'{place}:"cars"', options())) <= 26


@real
def test_the_browser_reaches_no_other_host_says_who_it_is_and_leaves_nothing_behind(world, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        served({"/": b"hello"}, host="127.0.0.2") as (other, asked),
        browser.chromium(Options(), hosts=["127.0.0.1"]) as chrome,
    ):
        chrome.get(f"{world.server.url}/search?q=cars")
        script = "return fetch(arguments[0], {mode: 'no-cors'}).then(_ => 'reached', _ => 'not reached')"
        assert chrome.execute_script(script, f"{world.server.url}/robots.txt") == "reached"
        assert chrome.execute_script(script, other) == "not reached"
        assert "image-classifier-toolkit" in chrome.execute_script("return navigator.userAgent")
        assert chrome.execute_script("return navigator.webdriver") is True
    assert asked == []
    assert list(tmp_path.glob("toolkit-browser-*")) == []


# robots.txt


class served:
    """A server with a few paths; gives its address and the list of what was asked."""

    def __init__(self, files, *, host="127.0.0.1"):
        self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler):
                self.asked.append(handler.path)
                body = files.get(handler.path)
                status, body, *more = body if isinstance(body, tuple) else (404 if body is None else 200, body or b"")
                handler.send_response(status)
                for name, value in dict(*more).items():
                    handler.send_header(name, value)
                handler.end_headers()
                with contextlib.suppress(OSError):  # whoever asked has heard enough
                    for part in body if isinstance(body, list) else [body]:  # a list drips
                        handler.wfile.write(part)
                        time.sleep(0.05 if isinstance(body, list) else 0)

            def log_message(handler, *_):
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.address = "http://{}:{}/".format(*self.server.server_address)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self.address, self.asked

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_a_page_that_robots_txt_forbids_is_not_asked_for(world, options, changed):
    place, before = changed(url='"http://127.0.0.1/private/search?q={query}"'), len(world.server.log)
    with pytest.raises(SourceError, match="expected 127.0.0.1:.* to allow programs, got a robots.txt that forbids"):
        found(f'{place}:"cars"', options())
    assert [path for _, path, _ in world.server.log[before:]] == ["/robots.txt"]


@pytest.mark.parametrize(
    "answer",
    [b"User-agent: image-classifier-toolkit\nDisallow: /\n", (503, b""), (403, b"")],
)
def test_programs_that_are_not_wanted_or_not_told_stay_away(answer):
    with served({"/robots.txt": answer}) as (address, _), pytest.raises(SourceError, match="to allow programs"):
        robots.check(f"{address}search")


@pytest.mark.parametrize(
    "rules",
    [
        b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n",
        b"User-agent: *\n\nDisallow: /\n",
        b"User-agent: *\nAllow: /\nDisallow: /*?q=\n",
        b"User-agent: other\nUser-agent: Image-Classifier-Toolkit/2\nDisallow: /search\n",
        b"User-agent: *\nAllow: /s\nDisallow: /search\n",
        b"User-agent: *\rDisallow: /\r",
    ],
)
def test_robots_txt_is_read_as_its_standard_says(rules):
    assert not robots.allows(rules, "https://example.org/search?q=pizza")


def test_of_two_rules_the_longer_counts_and_of_two_groups_the_one_by_name():
    rules = b"User-agent: *\nDisallow: /\n\nUser-agent: image-classifier-toolkit\nDisallow: /s\nAllow: /search$\n"
    assert robots.allows(rules, "https://example.org/search") and robots.allows(rules, "https://example.org/")
    assert not robots.allows(rules, "https://example.org/search?q=pizza")


@pytest.mark.parametrize("answer", [None, b"", b"User-agent: other\nDisallow: /\n", b"\xff\xfe nonsense"])
def test_what_robots_txt_does_not_forbid_is_allowed(answer):
    with served({"/robots.txt": answer}) as (address, asked):
        robots.check(f"{address}search")
    assert asked == ["/robots.txt"]


LONG = b"User-agent: *\nDisallow: /private\n" + b"# and so on\n" * 3_000_000


@pytest.mark.parametrize("packed", [False, True])
def test_of_an_endless_robots_txt_no_more_is_read_than_has_to_be(packed):
    answer = gzip.compress(LONG) if packed else LONG
    headers = {"Content-Encoding": "gzip"} if packed else {}
    with served({"/robots.txt": (200, answer, headers)}) as (address, _):
        tracemalloc.start()
        robots.check(f"{address}search")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 20e6  # of 36 million bytes
        with pytest.raises(SourceError, match="forbids"):
            robots.check(f"{address}private")


def test_a_robots_txt_that_leads_behind_the_firewall_is_not_followed():
    files: dict = {}
    with (
        served({"/robots.txt": b""}, host="127.0.0.3") as (inner, asked),
        served(files, host="127.0.0.2") as (outer, _),
    ):
        files["/robots.txt"] = (302, b"", {"Location": f"{inner}robots.txt"})
        with pytest.raises(SourceError, match="to answer, got Blocked"):
            robots.check(f"{outer}search")
    assert asked == []


def test_a_robots_txt_that_never_ends_is_given_up(monkeypatch):
    with (
        served({"/robots.txt": [b"#"] * 100}) as (address, _),
        pytest.raises(SourceError, match="to answer, got Timeout"),
    ):
        robots.check(f"{address}search", timeout=0.3)


def test_a_host_that_does_not_answer_is_a_clear_error():
    with pytest.raises(SourceError, match="expected 127.0.0.1:9 to answer, got ConnectionError; check the address"):
        robots.check("http://127.0.0.1:9/search")


# What must be there, and what is off


@pytest.mark.parametrize("engine", ["google", "bing", "yahoo"])
def test_search_engines_are_off_and_say_why_and_what_to_use(engine):
    with pytest.raises(SourceError) as refusal:
        found(f'{engine}:"pizza"', Options(), label="pizza")
    assert str(refusal.value).startswith(f"page:{engine} is off: its terms forbid automated queries")
    assert "use wikimedia:, openverse:, flickr: or folder: instead" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_profile_of_ones_own_does_not_turn_them_on(changed):
    place = changed(url='"https://www.google.co.uk/search?q={query}"')
    with pytest.raises(SourceError, match="page:google is off"):
        found(f'{place}:"pizza"', Options())


@pytest.mark.parametrize("name", ["browser", "driver"])
def test_without_a_browser_or_driver_the_error_names_what_to_install_and_how_to_give_it(
    name, world, options, monkeypatch, tmp_path
):
    monkeypatch.setattr(browser, f"{name.upper()}S", ("nothing-of-this-name",))
    with pytest.raises(SourceError) as refusal:
        found('practice:"cars"', options(browser="/bin/sh" if name == "driver" else None))
    assert f"expected a {name} for pages, found none; install Chromium and its driver (`apt install" in str(
        refusal.value
    )
    assert f"--{name} or Options({name}=…)" in str(refusal.value)


def test_a_path_that_is_no_program_is_named(options, tmp_path):
    with pytest.raises(SourceError, match=f"found none at {tmp_path}/chromium"):
        found('practice:"cars"', options(browser=str(tmp_path / "chromium")))


@real
def test_a_browser_that_does_not_start_is_a_clear_error(options):
    with pytest.raises(SourceError, match="to start with .*, got: "):
        found('practice:"cars"', options(browser=shutil.which("false")))


def test_without_selenium_the_error_says_how_to_install_it(options, monkeypatch):
    monkeypatch.setitem(sys.modules, "selenium", None)
    with pytest.raises(SourceError, match=r"expected Selenium, found none; install it with `pip install .*\[page\]"):
        found('practice:"cars"', options(browser="/bin/sh", driver="/bin/sh"))


# Profiles


@pytest.mark.parametrize(
    ("argument", "parts"),
    [
        ('practice:"red cars"', ("practice", "red cars")),
        ("practice:red cars", ("practice", "red cars")),
        ('C:/mine.toml:"a:b"', ("C:/mine.toml", "a:b")),
    ],
)
def test_a_profile_and_a_query_are_told_apart_with_quotes_and_without(argument, parts):
    assert result_page._read(argument) == parts


def test_a_query_is_put_into_the_address_as_addresses_want_it():
    practised = page_profile.load("practice")
    assert practised.address("rød & hvid") == "http://127.0.0.1:8000/search?q=r%C3%B8d+%26+hvid"
    assert practised.address("a", endpoint="https://here:81") == "https://here:81/search?q=a"


@pytest.mark.parametrize("argument", ["practice", "practice:", ':"cars"'])
def test_a_source_without_profile_or_query_is_refused_with_an_example(argument):
    with pytest.raises(SourceError, match='such as page:practice:"cars"=cars'):
        found(argument, Options())


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"tiles": "'a'"}, "expected one of url, tile, .* got 'tiles'"),
        ({"pause": "'long'"}, "expected a number of seconds for pause .*, got 'long'"),
        ({"hosts": "'one'"}, "expected a list of texts for hosts .*, got 'one'"),
        ({"tile": "7"}, "expected text for tile .*, got 7"),
        ({"tile": "''"}, "expected tile = "),
        ({"url": "'http://here/'"}, "{query}"),
        ({"tile": "'a"}, "expected TOML in .* mend that line"),
    ],
)
def test_a_mistake_in_a_profile_is_named(changed, lines, said):
    with pytest.raises(SourceError, match=said.replace("{", "\\{")):
        page_profile.load(changed(**lines))


def test_an_unknown_profile_is_answered_with_the_known_ones():
    with pytest.raises(SourceError, match="practice or the path of a TOML file, got 'nothing'; copy .*practice.toml"):
        page_profile.load("nothing")


# Pictures in the page itself


@given(st.binary(), st.sampled_from(["image/png", "IMAGE/JPEG", "", "image/jpeg;charset=utf-8"]), st.booleans())
def test_a_picture_that_was_written_as_a_data_address_is_read_back(tail, kind, as_base64):
    content = PICTURE + tail  # after its end a file may hold anything
    body = base64.b64encode(content).decode() if as_base64 else quote_from_bytes(content)
    assert result_page.thumbnail(f"data:{kind}{';base64' if as_base64 else ''},{body}") == content


@given(st.binary(), st.data())
def test_sloppy_base64_is_read_all_the_same(tail, data):
    letters = base64.b64encode(PICTURE + tail).decode()
    if data.draw(st.booleans()):
        letters = letters.rstrip("=")
    if data.draw(st.booleans()):
        letters = letters.translate(str.maketrans("+/", "-_"))
    place = data.draw(st.integers(0, len(letters)))
    letters = letters[:place] + data.draw(st.sampled_from(["", "\n ", "%0A"])) + letters[place:]
    if data.draw(st.booleans()):
        letters = letters.replace("+", "%2B").replace("/", "%2f")
    assert result_page.thumbnail(f"DATA:image/png;x=1;BASE64,{letters}") == PICTURE + tail


@given(st.text())
def test_whatever_a_page_holds_is_a_picture_or_a_reason(text):
    for address in (text, f"data:{text}", f"data:image/png;base64,{text}"):
        with pytest.raises(SourceError):
            result_page.thumbnail(address)


@pytest.mark.parametrize(
    "about", ["", "[]", "7", '"a"', "{", '{"f": null}', '{"f": 7}', '{"f": "\\ud800"}', '{"f": {}}']
)
def test_a_result_that_says_something_else_is_read_as_far_as_it_can_be(about):
    asked = page_profile.Profile("http://here/{query}", "a", full_attribute="data-m", full_key="f", title_key="t")
    item = result_page._item(
        {"about": about, "image": "http://[", "base": "http://here/"}, asked, "http://here/x", "cars"
    )
    assert item.url in ("http://[", "http://here/7", "http://here/")
    assert item.record()


@given(st.integers(0, len(PICTURE) - 1), st.binary(min_size=1, max_size=4))
def test_a_damaged_picture_is_a_picture_or_a_reason(place, damage):
    content = PICTURE[:place] + damage + PICTURE[place + len(damage) :]
    try:
        assert result_page.thumbnail("data:;base64," + base64.b64encode(content).decode()) == content
    except SourceError as refusal:
        assert str(refusal)


@pytest.mark.parametrize("address", ["", "http://x", "data:image/png;base64", "data:image/png;base64,@@@", "data:,A%"])
def test_what_is_no_data_address_or_no_picture_has_a_reason(address):
    with pytest.raises(SourceError, match=r"expected an address such as data:|not base64|not a picture"):
        result_page.thumbnail(address)


def test_a_data_address_over_the_limit_is_refused_before_and_after_it_is_decoded():
    for body in ("A" * 600, "A" * 160):
        with pytest.raises(SourceError, match="more than the limit of 100 bytes"):
            datauri.decode(f"data:image/png;base64,{body}", max_bytes=100)
