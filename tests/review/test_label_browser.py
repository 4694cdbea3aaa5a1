"""The page to label on in a real browser: keys alone from start to end, frames, a reload, and scrolling."""

import json
import shutil
from importlib.util import find_spec

import pytest
from helpers import until
from test_label import colour_of, features_of, loose
from test_review import FREE, ask

from toolkit import manifest, review
from toolkit.review.learner import Learner
from toolkit.review.session import row_id
from toolkit.scrape import browser
from toolkit.scrape.item import Options

__all__ = ["loose"]  # a fixture

there = all(any(map(shutil.which, names)) for names in (browser.BROWSERS, browser.DRIVERS)) and find_spec("selenium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not there, reason="Chromium, its driver or Selenium is not installed"),
]
ENTER, RIGHT, ESCAPE = "\ue007", "\ue014", "\ue00c"
NAMES = ["red", "green", "blue"]


@pytest.fixture(scope="module")
def chrome():
    with browser.chromium(Options(), hosts=["127.0.0.1"]) as running:
        yield running


@pytest.fixture
def served(loose, monkeypatch, chrome):
    monkeypatch.setattr(Learner, "_computed", lambda learner: features_of(loose)())
    with review.open(loose, port=FREE, label=True) as page:
        until(lambda: told(page, "progress")["busy"] == "")
        look(chrome, page.url)
        yield page


def look(chrome, url):
    chrome.get("about:blank")
    chrome.get(url)
    until(lambda: chrome.execute_script("return typeof rows !== 'undefined' && rows.length > 0"))


def told(page, path):
    return json.loads(ask(f"{page.url}/{path}")[1])


def write(chrome, *keys):
    from selenium.webdriver import ActionChains

    ActionChains(chrome, duration=0).send_keys("".join(keys)).perform()


def state(chrome):
    """The pictures of the page that have no label yet, what it takes them for, and the keys of the classes."""
    return chrome.execute_script(
        "const names = progress.classes.map(one => one.label), keys = keysOf(names);"
        "const of = Object.fromEntries(names.map((name, place) => [name, keys[place]]));"
        "return [sending || pending.length ? null : rest(), page.label, of];"
    )


def settled(chrome, gone=()):
    until(lambda: state(chrome)[0] is not None and not set(gone) & set(state(chrome)[0] or []))
    return state(chrome)


def call_them(chrome, name):
    """Label what is picked, or the page, by key or by naming a new class."""
    keys = state(chrome)[2]
    write(chrome, *([keys[name]] if name in keys else ["c", name, ENTER]))


def test_keys_alone_label_all_pictures_and_undo_takes_back_what_they_did(served, chrome, loose):
    of = {row_id(path): NAMES[colour] for path, colour in colour_of(loose).items()}
    shown, _, _ = settled(chrome)
    call_them(chrome, "grey")
    settled(chrome, shown)
    write(chrome, "u")
    until(lambda: told(served, "progress")["labelled"] == 0)
    for _ in range(40):
        shown, label, _ = settled(chrome)
        if not shown:
            break
        names = [of[row] for row in shown]
        most = max(sorted(set(names)), key=names.count)
        for place, name in enumerate(names):
            if name != most:
                write(chrome, ESCAPE, RIGHT)
                while chrome.execute_script("return [...picked][0]") != shown[place]:
                    write(chrome, RIGHT)
                call_them(chrome, name)
        write(chrome, ESCAPE)
        if label == most:
            write(chrome, ENTER)
        else:
            call_them(chrome, most)
        settled(chrome, shown)
    until(lambda: told(served, "progress")["open"] == 0)
    served.close()
    table = manifest.load(loose.root).table
    assert {row_id(path): label for path, label in zip(table["path"], table["label"], strict=True)} == of
    assert set(table["seen"]) <= {"alone", "together", "confirmed"} and "together" in set(table["seen"])


def test_a_frame_picks_what_lies_within_and_a_click_with_shift_all_up_to_it(served, chrome):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    cells = chrome.find_elements(By.CSS_SELECTOR, ".cell")
    order = chrome.execute_script("return rows.slice(0, 3)")
    place = {cell.get_attribute("data-row"): cell for cell in cells}
    first, third = place[order[0]], place[order[2]]
    ActionChains(chrome).click(first).key_down(Keys.SHIFT).click(third).key_up(Keys.SHIFT).perform()
    assert chrome.execute_script("return [...picked]") == order
    write(chrome, ESCAPE)
    ActionChains(chrome).move_to_element(first).click_and_hold().move_to_element(third).release().perform()
    assert sorted(chrome.execute_script("return [...picked]")) == sorted(order)
    call_them(chrome, "red")
    until(lambda: told(served, "progress")["labelled"] == 3)


def test_a_reload_goes_on_and_a_name_with_markup_is_shown_as_it_is(served, chrome):
    settled(chrome)
    call_them(chrome, "a & b' (x)")
    until(lambda: told(served, "progress")["labelled"] > 0)
    count = told(served, "progress")["labelled"]
    look(chrome, served.url)
    assert "a & b' (x)" in chrome.execute_script("return byId('classes').textContent")
    write(chrome, "u")
    until(lambda: told(served, "progress")["labelled"] == 0)
    assert count > 0


def test_only_what_is_seen_of_all_pictures_is_in_the_page(served, chrome):
    chrome.execute_script("turnTo('all')")
    until(lambda: chrome.execute_script("return rows.length") == 60)
    chrome.execute_script("rows = Array.from({ length: 100000 }, (_, place) => rows[place % 60] + '/' + place); draw()")
    took = chrome.execute_async_script(
        "const done = arguments[0], times = []; let last = performance.now();"
        "const frame = now => { times.push(now - last); last = now; byId('scroller').scrollTop += 120;"
        "times.length < 120 ? requestAnimationFrame(frame) : done(times.slice(20)); }; requestAnimationFrame(frame);"
    )
    assert chrome.execute_script("return document.querySelectorAll('.cell').length") < 250
    assert sorted(took)[len(took) // 2] < 50  # milliseconds, on a machine that does other things too
