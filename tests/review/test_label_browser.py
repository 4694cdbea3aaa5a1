"""The page to label on in a real browser: keys alone from start to end, frames, a reload, and scrolling."""

import json
import shutil
from importlib.util import find_spec

import numpy as np
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
    """The state of the next page that has something to label, and nothing of what is `gone`."""

    def there():
        now = state(chrome)
        return now if now[0] and not set(gone) & set(now[0]) else None

    return until(there)


def sees(chrome, program):
    """What a program returns, once that is true, not 0, and not empty."""
    return until(lambda: chrome.execute_script(f"return {program}"))


def delivered(chrome):
    """Wait until the server has all marks."""
    sees(chrome, "!sending && !pending.length")


def call_them(chrome, name):
    """Label what is picked, or the page, by key or by naming a new class."""
    keys = state(chrome)[2]
    write(chrome, *([keys[name]] if name in keys else ["c", name, ENTER]))


def walk(chrome, row):
    """Pick a picture with the arrows, one key after the other has done its work."""
    write(chrome, ESCAPE)
    sees(chrome, "!picked.size")
    now = None
    while now != row:
        write(chrome, RIGHT)
        now = until(lambda before=now: one(chrome, unlike=before))


def one(chrome, *, unlike):
    """The picture that is picked, if it is another one."""
    now = chrome.execute_script("return [...picked][0]")
    return now if now != unlike else None


def test_keys_alone_label_all_pictures_and_undo_takes_back_what_they_did(served, chrome, loose):
    of = {row_id(path): NAMES[colour] for path, colour in colour_of(loose).items()}
    shown, _, _ = settled(chrome)
    call_them(chrome, "grey")
    settled(chrome, shown)
    write(chrome, "u")
    until(lambda: told(served, "progress")["labelled"] == 0)
    shown = []
    for _ in range(40):
        delivered(chrome)
        if told(served, "progress")["open"] == 0:
            break
        shown, label, _ = settled(chrome, shown)
        names = [of[row] for row in shown]
        most = max(sorted(set(names)), key=names.count)
        for place, name in enumerate(names):
            if name != most:
                walk(chrome, shown[place])
                call_them(chrome, name)
        write(chrome, ESCAPE)
        if label == most:
            write(chrome, ENTER)
        else:
            call_them(chrome, most)
    assert told(served, "progress")["open"] == 0
    sees(chrome, "document.querySelector('.empty')?.textContent.startsWith('Every picture has a label.')")
    served.close()
    table = manifest.load(loose.root).table
    assert {row_id(path): label for path, label in zip(table["path"], table["label"], strict=True)} == of
    assert set(table["seen"]) <= {"alone", "together", "confirmed"} and "together" in set(table["seen"])


def test_a_frame_picks_what_lies_within_and_a_click_with_shift_all_up_to_it(served, chrome):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    settled(chrome)
    cells = chrome.find_elements(By.CSS_SELECTOR, ".cell")
    order = chrome.execute_script("return rows.slice(0, 3)")
    place = {cell.get_attribute("data-row"): cell for cell in cells}
    first, third = place[order[0]], place[order[2]]
    ActionChains(chrome).click(first).key_down(Keys.SHIFT).click(third).key_up(Keys.SHIFT).perform()
    until(lambda: chrome.execute_script("return [...picked]") == order)
    write(chrome, ESCAPE)
    sees(chrome, "!picked.size")
    ActionChains(chrome).move_to_element(first).click_and_hold().move_to_element(third).release().perform()
    sees(chrome, "!from && picked.size")
    assert sorted(chrome.execute_script("return [...picked]")) == sorted(order)
    call_them(chrome, "red")
    until(lambda: told(served, "progress")["labelled"] == 3)


def test_a_reload_goes_on_and_a_name_with_markup_is_shown_as_it_is(served, chrome):
    settled(chrome)
    call_them(chrome, "a & b' (x)")
    until(lambda: told(served, "progress")["labelled"] > 0)
    count = told(served, "progress")["labelled"]
    look(chrome, served.url)
    until(lambda: "a & b' (x)" in chrome.execute_script("return byId('classes').textContent"))
    write(chrome, "u")
    until(lambda: told(served, "progress")["labelled"] == 0)
    assert count > 0


def test_only_what_is_seen_of_all_pictures_is_in_the_page(served, chrome):
    chrome.execute_script("turnTo('all')")
    until(lambda: chrome.execute_script("return rows.length") == 60)
    chrome.execute_script("rows = Array.from({ length: 100000 }, (_, place) => rows[place % 60] + '/' + place); draw()")
    counts, first = chrome.execute_async_script(
        "const done = arguments[0], counts = [], all = () => document.querySelectorAll('.cell');"
        "const frame = () => { counts.push(all().length); byId('scroller').scrollTop += 120;"
        "counts.length < 120 ? requestAnimationFrame(frame) : done([counts, all()[0].dataset.row]); };"
        "requestAnimationFrame(frame);"
    )
    assert 20 < min(counts) and max(counts) < 250
    assert int(first.split("/")[1]) > 250, "what has been scrolled away is gone"


def drag(chrome, start, *through):
    """Press at an element or a point of the window, go through others, and let go."""
    from selenium.webdriver import ActionChains

    chain = ActionChains(chrome, duration=40)
    pointer = chain.w3c_actions.pointer_action
    for place, (x, y) in enumerate((start, *through)):
        pointer.move_to_location(int(x), int(y))
        if place == 0:
            pointer.pointer_down()
    pointer.pointer_up()
    chain.perform()


def middle(chrome, what):
    """Where the middle of an element is, in the window."""
    program = "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
    return chrome.execute_script(f"{program} return [box.x + box.width / 2, box.y + box.height / 2]", what)


def counts(page):
    return {one["label"]: one["count"] for one in told(page, "progress")["classes"]}


def test_pictures_like_one_are_a_key_away_and_new_things_a_view(served, chrome, loose):
    of = {row_id(path): NAMES[colour] for path, colour in colour_of(loose).items()}
    shown, _, _ = settled(chrome)
    write(chrome, "l")
    until(lambda: "pick the one" in chrome.execute_script("return byId('note').textContent"))
    write(chrome, RIGHT, RIGHT, "l")
    until(lambda: chrome.execute_script("return page.kind") == "like")
    liked, rows = chrome.execute_script("return [liked, rows]")
    assert rows[0] == liked == shown[1] and {of[row] for row in rows[:20]} == {of[liked]}
    chrome.execute_script("picked = new Set(rows.slice(0, 20)); draw()")
    call_them(chrome, of[liked])
    until(lambda: counts(served) == {of[liked]: 20})
    chrome.execute_script("turnTo('unlike')")
    until(lambda: chrome.execute_script("return page.kind") == "unlike")
    rows = chrome.execute_script("return rows")
    assert len(rows) == 40 and of[liked] not in {of[row] for row in rows}


def test_a_line_on_the_map_picks_what_lies_within(served, chrome, loose):
    of = {row_id(path): NAMES[colour] for path, colour in colour_of(loose).items()}
    chrome.execute_script("turnTo('map')")
    until(lambda: chrome.execute_script("return page.kind === 'map' && Boolean(places?.x.length)"))
    points = chrome.execute_script(
        "const box = byId('map').getBoundingClientRect();"
        "return everything.map((row, place) => { const { x, y } = at(place, box.width, box.height);"
        "return [row, box.x + x, box.y + y]; })"
    )
    greens = [point[1:] for point in points if of[point[0]] == "green"]
    left, right = min(x for x, _ in greens) - 8, max(x for x, _ in greens) + 8
    top, bottom = min(y for _, y in greens) - 8, max(y for _, y in greens) + 8
    inside = {row for row, x, y in points if left < x < right and top < y < bottom}
    drag(chrome, (left, top), (right, top), (right, bottom), (left, bottom), (left, top + 3))
    until(lambda: chrome.execute_script("return page.kind") == "lasso")
    assert set(chrome.execute_script("return rows")) == inside >= {row for row in of if of[row] == "green"}
    call_them(chrome, "green")
    until(lambda: counts(served) == {"green": len(inside)})
    until(lambda: chrome.execute_script("return page.kind === 'map' && !byId('map').hidden"))


def test_what_is_picked_is_dragged_onto_a_class_or_onto_the_box_for_a_new_one(served, chrome):
    shown, _, _ = settled(chrome)
    chrome.execute_script("picked = new Set(rows.slice(0, 3)); draw()")
    drag(chrome, middle(chrome, f"[data-row='{shown[1]}']"), middle(chrome, "#note"), middle(chrome, "#new"))
    sees(chrome, "document.activeElement.id === 'new'")
    write(chrome, "red", ENTER)
    until(lambda: counts(served) == {"red": 3})
    chrome.execute_script("picked = new Set(rest().slice(0, 5)); draw()")
    drag(chrome, middle(chrome, ".cell.picked"), middle(chrome, "#note"), middle(chrome, "#classes button"))
    until(lambda: counts(served) == {"red": 8})
    sees(chrome, "!document.querySelector('#carried, .over')")
    chrome.execute_script("picked = new Set(rest().slice(0, 2)); draw()")
    drag(chrome, middle(chrome, ".cell.picked"), middle(chrome, "#note"), middle(chrome, "#question"))
    sees(chrome, "!from && !document.querySelector('#carried')")
    assert chrome.execute_script("return [picked.size, pending.length]") == [2, 0], "beside a class nothing is done"
    assert counts(served) == {"red": 8}


def test_a_class_is_renamed_and_merged_by_keys_and_one_undo_takes_it_back(served, chrome):
    settled(chrome)
    for name, count in (("cat", 4), ("kittens", 2)):
        chrome.execute_script("picked = new Set(rest().slice(0, arguments[0])); draw()", count)
        call_them(chrome, name)
        settled(chrome)
    write(chrome, "r")
    sees(chrome, "byId('naming').open")
    chrome.execute_script("byId('which').value = 'cat'; byId('becomes').focus()")
    write(chrome, "cats", ENTER)
    until(lambda: counts(served) == {"kittens": 2, "cats": 4})
    write(chrome, "r")
    sees(chrome, "byId('naming').open")
    chrome.execute_script("byId('which').value = 'kittens'; byId('becomes').focus()")
    write(chrome, "cats")
    until(lambda: chrome.execute_script("return byId('rename').textContent") == "Put all of kittens with cats")
    write(chrome, ENTER)
    until(lambda: counts(served) == {"cats": 6})
    write(chrome, "u")
    until(lambda: counts(served) == {"kittens": 2, "cats": 4})
    write(chrome, "u")
    until(lambda: counts(served) == {"cat": 4, "kittens": 2})


def test_a_key_that_is_held_films_into_its_class_with_a_real_stream(loose, monkeypatch):
    from selenium.webdriver import ActionChains

    def features(learner):
        return np.abs(np.random.default_rng(0).normal(size=(len(learner.paths), 8)))

    monkeypatch.setattr(Learner, "_computed", features)
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with (
        review.open(loose, port=FREE, label=True) as page,
        browser.chromium(Options(), hosts=["127.0.0.1"], words=fake) as chrome,
    ):
        look(chrome, page.url)
        until(lambda: told(page, "progress")["busy"] == "")
        write(chrome, "f")
        until(lambda: chrome.execute_script("return filming() && byId('screen').videoWidth > 0"))
        write(chrome, "c", "clock", ENTER)
        key = sees(chrome, "keysOf(progress.classes.map(one => one.label))[0]")
        ActionChains(chrome).key_down(key).perform()
        until(lambda: chrome.execute_script("return filmed.get('clock')") >= 3)
        ActionChains(chrome).key_up(key).perform()
        until(lambda: not chrome.execute_script("return held || shooting"))
        kept = chrome.execute_script("return filmed.get('clock')")
        assert len(list((loose.root / "camera" / "clock").glob("*.jpg"))) == kept
        assert told(page, "progress")["labelled"] == 0
        write(chrome, "f")
        until(lambda: told(page, "progress")["pictures"] > 60)
        until(lambda: not chrome.execute_script("return filming()"))
        until(lambda: counts(page) == {"clock": told(page, "progress")["labelled"]})
    table = manifest.load(loose.root).table
    frames = table[table["label"] == "clock"]
    assert len(frames) == kept and set(frames["source"]) == {"imagefolder"} and min(frames["width"]) >= 480
