"""The page to label on, touched on a tablet: taps, and fingers that go sideways."""

import time
from contextlib import suppress

import numpy as np
import pytest
from helpers import until
from test_label import colour_of, loose
from test_label_browser import NAMES, chrome, counts, delivered, middle, sees, served, settled, there, told

from toolkit import manifest
from toolkit.review.session import row_id

__all__ = ["chrome", "loose", "served"]  # fixtures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not there, reason="Chromium, its driver or Selenium is not installed"),
]


@pytest.fixture
def tablet(chrome):
    """The browser as one of 820 by 1180 pixels that is touched."""
    with suppress(ValueError):
        chrome.command_executor.add_command("cdp", "POST", "/session/$sessionId/goog/cdp/execute")
    protocol(chrome, "Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=1)
    protocol(chrome, "Emulation.setDeviceMetricsOverride", width=820, height=1180, deviceScaleFactor=1, mobile=True)
    yield chrome
    protocol(chrome, "Emulation.clearDeviceMetricsOverride")
    protocol(chrome, "Emulation.setTouchEmulationEnabled", enabled=False)


def protocol(chrome, name, **how):
    chrome.execute("cdp", {"cmd": name, "params": how})


def touch(chrome, *points):
    """A finger at a point, through others, where it rests, and away; at an element, if it is named."""
    points = [middle(chrome, point) if isinstance(point, str) else point for point in points]
    for place, (x, y) in enumerate([*points, points[-1]] if len(points) > 1 else points):
        kind = "touchMove" if place else "touchStart"
        if place:
            time.sleep(
                0.05
            )  # a finger that is taken away in full motion flings the page, and the next tap only stops that
        protocol(chrome, "Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
    protocol(chrome, "Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


def picked(chrome):
    return set(chrome.execute_script("return [...picked]"))


def tap_class(chrome, name):
    """Label by touch: a tap on a class, or on the box, where the keyboard on the screen writes a new one."""
    if chrome.execute_script("return progress.classes.some(one => one.label === arguments[0])", name):
        sees(chrome, f"document.querySelector('#classes [data-label=\"{name}\"]')")
        touch(chrome, f"#classes [data-label='{name}']")
        return
    touch(chrome, "#new")
    sees(chrome, "document.activeElement.id === 'new'")
    protocol(chrome, "Input.insertText", text=name)
    for kind in ("keyDown", "keyUp"):
        protocol(chrome, "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13)


def tap_pictures(chrome, rows):
    """Pick these pictures by touch, and no others."""
    for row in sorted(rows):
        touch(chrome, f"[data-row='{row}']")
    until(lambda: picked(chrome) == rows)


def test_touch_alone_labels_all_pictures_and_undoes(tablet, served, loose):
    of = {row_id(path): NAMES[colour] for path, colour in colour_of(loose).items()}
    shown, _, _ = settled(tablet)
    tap_class(tablet, "grey")
    settled(tablet, shown)
    touch(tablet, "#undo")
    until(lambda: told(served, "progress")["labelled"] == 0)
    for _ in range(40):
        delivered(tablet)
        if told(served, "progress")["open"] == 0:
            break
        shown, _, _ = settled(tablet, [] if counts(served) == {} else shown)
        names = sorted({of[row] for row in shown}, key=[of[row] for row in shown].count)
        for name in names[:-1]:
            tap_pictures(tablet, {row for row in shown if of[row] == name})
            tap_class(tablet, name)
            sees(tablet, "!picked.size")
        tap_class(tablet, names[-1])
    assert told(served, "progress")["open"] == 0
    served.close()
    table = manifest.load(loose.root).table
    assert {row_id(path): label for path, label in zip(table["path"], table["label"], strict=True)} == of


def test_a_finger_that_goes_sideways_picks_what_lies_within_or_carries_it_to_a_class(tablet, served):
    settled(tablet)
    boxes = tablet.execute_script(
        "const of = row => cells.get(row).getBoundingClientRect();"
        "return rows.map(row => [row, of(row).x, of(row).y, of(row).width]);"
    )
    top, side = boxes[0][2], boxes[0][3]
    middles = [(row, x + side / 2, y + side / 2) for row, x, y, _ in boxes]
    line, below = middles[:3], [one for one in middles if one[2] > top + side][:2]
    (_, start, height), (_, end, _) = line[0], line[2]
    touch(tablet, (start, height), *((x, height) for x in np.linspace(start + 8, end, 6).tolist()))
    until(lambda: picked(tablet) == {row for row, _, _ in line})
    tap_class(tablet, "red")
    until(lambda: counts(served) == {"red": 3})
    tap_pictures(tablet, {row for row, _, _ in below})
    x, y = middle(tablet, "#classes button")
    _, start, height = below[0]
    steps = np.linspace(0, 1, 8)[1:].tolist()
    touch(
        tablet,
        (start, height),
        (start - 20, height),
        *((start + s * (x - start), height + s * (y - height)) for s in steps),
    )
    until(lambda: counts(served) == {"red": 5})
    assert tablet.execute_script("return byId('scroller').scrollTop") == 0
