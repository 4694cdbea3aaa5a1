"""The review page in a real browser: a person types, the server is killed, and every mark is there once."""

import json
import random
import re
import shutil
from importlib.util import find_spec

import pytest
from helpers import coloured, dataset, encoded, tiny_dataset, until
from test_review import ask, rows, started

from toolkit import manifest, review, verify
from toolkit.review.journal import FILE
from toolkit.review.session import row_id
from toolkit.scrape import browser
from toolkit.scrape.item import Options

there = all(any(map(shutil.which, names)) for names in (browser.BROWSERS, browser.DRIVERS)) and find_spec("selenium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not there, reason="Chromium, its driver or Selenium is not installed"),
]
RIGHT, LEFT, ENTER = "\ue014", "\ue012", "\ue007"  # as WebDriver sends them


class Person:
    """What typing does, told a second time in Python."""

    def __init__(self, order, cells):
        self.order, self.cells, self.place, self.done, self.marks = order, cells, 0, [], 0

    def type(self, key):
        path = self.order[self.place]
        row = self.cells[path]
        if key == "u":
            if self.done:
                path, before = self.done.pop()
                self.cells[path], self.place, self.marks = before, self.order.index(path), self.marks + 1
        elif key in (LEFT, RIGHT):
            self.move(1 if key == RIGHT else -1)
        elif key != "e" or row["status"] == "excluded":
            self.done.append((path, dict(row)))
            self.cells[path], self.marks = row | self.changes(key) | {"seen": "alone"}, self.marks + 1
            self.move(1)

    def changes(self, key):
        if key in "12":
            return {"reviewed": "label", "label": ("cars", "tanks")[int(key) - 1], "class_index": int(key) - 1}
        if key == "x":
            return {"reviewed": "exclude", "status": "excluded", "reason": "taken out by hand"}
        return {"reviewed": "use", "status": "ok", "reason": ""} if key == "e" else {"reviewed": "keep"}

    def move(self, by):
        self.place = max(0, min(len(self.order) - 1, self.place + by))


@pytest.fixture
def pets(tmp_path):
    return verify.check(tiny_dataset(tmp_path / "pets", per_class=20)).save()


@pytest.fixture(scope="module")
def chrome():
    with browser.chromium(Options(), hosts=["127.0.0.1"]) as running:
        yield running


def look(chrome, url):
    """Open or reload the page, and wait until it can be used."""
    chrome.get("about:blank")
    chrome.get(url)
    until(lambda: chrome.execute_script("return typeof items !== 'undefined' && items.size > 0"))


def write(chrome, keys):
    from selenium.webdriver import ActionChains

    chain = ActionChains(chrome, duration=0)
    chain.send_keys("".join(keys)).perform()


def text(chrome, name):
    return chrome.execute_script("return document.getElementById(arguments[0]).textContent", name)


def all_saved(chrome):
    return text(chrome, "saved") == "all saved"


def test_300_keystrokes_a_kill_and_a_reload_lose_no_mark_and_apply_none_twice(pets, chrome):
    keys = random.Random(5).choices(["x", " ", "1", "2", "e", "u", RIGHT, LEFT], [5, 4, 3, 3, 3, 3, 4, 2], k=300)
    process, url = started(pets.root, "--port", "0", "--queue", "all")
    try:
        look(chrome, url)
        order = json.loads(ask(f"{url}rows?queue=all")[1])["rows"]
        path_of = {row_id(path): path for path in pets.table["path"]}
        person = Person([path_of[row] for row in order], rows(pets))
        write(chrome, keys[:120])
        process.kill()  # while the last of them are on their way
        process.communicate()
        write(chrome, keys[120:200])
        until(lambda: "the server is away" in text(chrome, "saved"))
        process, again = started(pets.root, "--port", re.search(r":(\d+)/", url)[1], "--queue", "all")
        assert again == url
        look(chrome, url + chrome.execute_script("return location.hash"))
        write(chrome, keys[200:])
        until(lambda: all_saved(chrome))
        for key in keys:
            person.type(key)
        assert rows_in_time(pets.root, person.cells)
    finally:
        process.kill()
        process.communicate()
    lines = [json.loads(line) for line in (pets.root / FILE).read_text().splitlines()]
    assert len(lines) == len({line["id"] for line in lines}) == person.marks
    assert person.marks > 150
    until(lambda: text(chrome, "place").startswith(f"{person.place + 1} of 40"))


def rows_in_time(root, expected):
    """The manifest is as expected soon."""
    return until(lambda: rows(manifest.load(root)) == expected)


def test_two_tabs_buttons_and_undo_after_a_reload(pets, chrome):
    with review.open(pets, port=0, queue="all") as page:
        url = page.url
        look(chrome, url)
        first = chrome.current_window_handle
        chrome.switch_to.new_window("tab")
        look(chrome, url)
        second = chrome.current_window_handle
        for window, button, told in ((first, "exclude", "e-"), (second, "keep", "k-")):  # about the same picture
            chrome.switch_to.window(window)
            chrome.execute_script("document.getElementById(arguments[0]).click()", button)
            until(lambda told=told: json.loads(ask(f"{url}rows?queue=all")[1])["reviewed"].startswith(told))
        order = json.loads(ask(f"{url}rows?queue=all")[1])
        look(chrome, url)
        until(lambda: text(chrome, "place") == "2 of 40 · 1 seen")  # where nobody has looked yet
        write(chrome, ["u"])
        until(lambda: all_saved(chrome))
        until(lambda: text(chrome, "place") == "1 of 40 · 1 seen")
        path = next(path for path in pets.table["path"] if row_id(path) == order["rows"][0])
        expected = rows(pets)
        expected[path] |= {"status": "excluded", "reason": "taken out by hand", "reviewed": "exclude"}
        expected[path] |= {"seen": "alone"}
        assert rows_in_time(pets.root, expected)
        write(chrome, ["u", "u"])
        until(lambda: all_saved(chrome))
        assert rows_in_time(pets.root, rows(pets))
        until(lambda: text(chrome, "note") == "nothing to undo")
        chrome.close()
        chrome.switch_to.window(first)


def test_a_label_of_one_character_is_its_own_key_and_no_digit_stands_for_another_number(pets, chrome):
    with review.open(pets, port=0, queue="all") as page:
        look(chrome, page.url)

        def keys(*classes):
            return "".join(chrome.execute_script("return [...keysOf(arguments[0])]", list(classes)))

        assert keys(*"0123456789") == "0123456789" and keys(*"ba") == "ba"
        assert keys("cars", "tanks", "6") == "abc" and keys("cars", "tanks") == "12"
        assert keys("x", "y") == "12"  # x leaves a picture out
        assert keys(*(f"class {number}" for number in range(30))) == "1234567890"


def test_a_box_finds_one_of_more_classes_than_there_are_keys(tmp_path, chrome):
    files = [(f"kind {number}", ".png", encoded(coloured(0, number))) for number in range(30)]
    many = verify.check(dataset(tmp_path / "many", files)).save()
    with review.open(many, port=0, queue="all") as page:
        look(chrome, page.url)
        order = json.loads(ask(f"{page.url}rows?queue=all")[1])["rows"]
        write(chrome, ["/", "kind 2", ENTER])  # exactly that, and not one of the ten others that begin so
        write(chrome, ["\ue00c", "/", "ind 27", ENTER])
        write(chrome, ["/", "nd 1", ENTER])
        until(lambda: "several" in text(chrome, "note"))
        until(lambda: all_saved(chrome))
        path_of = {row_id(path): path for path in many.table["path"]}
        expected = rows(many)
        for row, number in zip(order[:2], (2, 27), strict=True):
            place = next(cells for cells in rows(many).values() if cells["label"] == f"kind {number}")
            marked = {"label": f"kind {number}", "class_index": place["class_index"], "reviewed": "label"}
            expected[path_of[row]] |= marked | {"seen": "alone"}
        assert rows_in_time(many.root, expected)


def test_what_was_kept_as_it_is_is_told_by_what_that_means(pets, chrome):
    paths = list(pets.table["path"][:3])
    table = pets.update({path: {"group": "a"} for path in paths})
    table = table.update({paths[0]: {"status": "label conflict", "reason": "two labels"}}).save()
    with review.open(table, port=0, queue="conflicts") as page:
        look(chrome, page.url)
        until(lambda: text(chrome, "keep").startswith("Use neither"))
        write(chrome, [" "])
        chips = "return [...document.querySelectorAll('.chip.said')].map(chip => chip.textContent)"
        until(lambda: chrome.execute_script(chips) == ["neither is used"])
        assert "right" not in text(chrome, "note").replace("that was the last one here", "")


def test_a_long_label_keeps_its_key(pets, chrome):
    with review.open(pets, port=0, queue="all") as page:
        look(chrome, page.url)
        shown = """
            facts.classes = ["a very long name of a class of things that does not end ".repeat(3), "tanks"]; buttons();
            const button = document.querySelector("#classes button"), key = button.querySelector("kbd");
            return [key.textContent, key.getBoundingClientRect().right <= button.getBoundingClientRect().right]"""
        assert chrome.execute_script(shown) == ["1", True]


def test_a_picture_that_was_fetched_ahead_is_there_with_the_key(pets, chrome):
    with review.open(pets, port=0, queue="all") as page:
        look(chrome, page.url)
        until(lambda: chrome.execute_script("return [...pictures.values()].every(one => one.complete)"))
        shown = """
            document.dispatchEvent(new KeyboardEvent("keydown", { key: "j" }));
            const picture = document.querySelector("#pictures img");
            return [picture.complete && picture.naturalWidth > 0, picture.src.includes(rows[at]), at]"""
        assert chrome.execute_script(shown) == [True, True, 1]
