"""The page to label on, closed or killed while its marks are under way: none is lost, none counts twice."""

import json
import random
from contextlib import suppress

import psutil
import pytest
from helpers import until
from test_label import features_of, loose
from test_label_browser import NAMES, delivered, look, there, told
from test_review import FREE

from toolkit import manifest, review
from toolkit.review.learner import Learner
from toolkit.review.session import row_id
from toolkit.scrape import browser
from toolkit.scrape.item import Options

__all__ = ["loose"]  # a fixture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not there, reason="Chromium, its driver or Selenium is not installed"),
]
MARKING = (  # forty marks a second, each of three pictures, and with its number
    "let number = arguments[0]; const all = arguments[1];"
    "setInterval(() => { const start = number * 7 % (all.length - 3);"
    "const label = ['red', 'green', 'blue'][number % 3], rows = all.slice(start, start + 3);"
    "submit({ rows, mark: 'label', label, new: true, seen: 'together', words: String(number++) }); }, 25);"
)


def test_marks_of_a_page_that_is_closed_unsent_are_sent_by_the_next_one_and_once(loose, monkeypatch):
    monkeypatch.setattr(Learner, "_computed", lambda learner: features_of(loose)())
    rng, expected = random.Random(5), {}
    with (
        review.open(loose, port=FREE, label=True) as page,
        browser.chromium(Options(), hosts=["127.0.0.1"]) as chrome,
    ):
        look(chrome, page.url)
        until(lambda: told(page, "progress")["busy"] == "")
        for _ in range(8):
            if rng.random() < 0.7:  # away from the server, so that marks only lie in the browser
                chrome.execute_script("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
            chosen, name = rng.sample(page.learner.paths, rng.choice((1, 5, 20))), rng.choice(NAMES)
            program = "submit({ rows: arguments[0], mark: 'label', label: arguments[1], new: true, seen: 'together' })"
            chrome.execute_script(program, [row_id(path) for path in chosen], name)
            expected |= dict.fromkeys(chosen, name)
            gone = chrome.current_window_handle
            chrome.switch_to.new_window("tab")
            here = chrome.current_window_handle
            chrome.switch_to.window(gone)
            chrome.close()
            chrome.switch_to.window(here)
            look(chrome, page.url)
            delivered(chrome)
    table = manifest.load(loose.root).table
    marked = table[table["label"] != ""]
    assert dict(zip(marked["path"], marked["label"], strict=True)) == expected
    ids = [json.loads(line)["id"] for line in (loose.root / "review.jsonl").read_text().splitlines()]
    assert len(ids) == len(set(ids)) == 8


class Acknowledged:
    """In place of the `mark` of a session: notes the numbers of its marks once they are on disk."""

    def __init__(self, session):
        self.numbers, self._mark = [], session.mark

    def __call__(self, marks):
        marks = list(marks)
        refused = self._mark(marks)
        self.numbers += [int(mark["words"]) for mark in marks if mark["id"] not in refused]
        return refused


def kill(chrome, whom):
    """End the page that a browser shows, or all of it, as nothing can that is told of it."""
    program = psutil.Process(chrome.capabilities["goog:processID"])
    below = program.children(recursive=True)
    pages = [one for one in below if "--type=renderer" in one.cmdline()]
    for one in pages if whom == "page" else [program, *below]:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def test_a_page_that_is_killed_amid_marks_loses_none_that_was_acknowledged_and_counts_none_twice(
    loose, monkeypatch, tmp_path
):
    from selenium.common.exceptions import WebDriverException

    monkeypatch.setattr(Learner, "_computed", lambda learner: features_of(loose)())
    rng, whom, gone = random.Random(7), ["page", "browser", "page", "browser"], []
    words = [f"--user-data-dir={tmp_path / 'profile'}"]  # where the next one finds what the last one left
    with review.open(loose, port=FREE, label=True) as page:
        page.session.mark = noted = Acknowledged(page.session)
        everything = [row_id(path) for path in page.learner.paths]
        for turn, what in enumerate([*whom, ""]):
            with (
                suppress(WebDriverException),  # when one that is gone is told to end
                browser.chromium(Options(), hosts=["127.0.0.1"], words=words) as chrome,
            ):
                look(chrome, page.url)
                delivered(chrome)
                if what:
                    enough = len(noted.numbers) + rng.randint(5, 40)
                    chrome.execute_script(MARKING, 1000 * (turn + 1), everything)
                    until(lambda least=enough: len(noted.numbers) > least)
                    kill(chrome, what)
                gone.append(what)
    assert gone == [*whom, ""]
    lines = [json.loads(line) for line in (loose.root / "review.jsonl").read_text().splitlines()]
    numbers = [int(line["rows"][0]["changes"]["reason"]) for line in lines]
    assert numbers == sorted(set(numbers)), "each once, in the order in which they were made"
    assert set(numbers) == set(noted.numbers) and len(numbers) > 20
    last = {}
    for number in numbers:
        last |= dict.fromkeys(everything[number * 7 % 57 :][:3], NAMES[number % 3])
    table = manifest.load(loose.root).table
    assert {row_id(path): label for path, label in zip(table["path"], table["label"], strict=True) if label} == last
