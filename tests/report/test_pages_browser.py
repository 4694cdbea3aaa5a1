"""The pages in a real browser: at every width, in the light and in the dark, nothing sticks out and all can be read."""

import shutil
from importlib.util import find_spec

import pytest
from helpers import coloured, encoded, facts, raw_file, tiny_dataset, untrained, weighed

from toolkit import credits, dedup, evaluate, manifest, paths, report, resize, split, verify
from toolkit.report import html
from toolkit.scrape import browser
from toolkit.scrape.item import Options

there = all(any(map(shutil.which, names)) for names in (browser.BROWSERS, browser.DRIVERS)) and find_spec("selenium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not there, reason="Chromium, its driver or Selenium is not installed"),
]
LONG = ("armoured vehicle with a name that does not end", "سيارة", "戦車")

LOOK = """
    const luminance = ([r, g, b]) => [r, g, b].map(value => value / 255)
      .map(share => share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4)
      .reduce((sum, share, place) => sum + share * [0.2126, 0.7152, 0.0722][place], 0);
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const mixed = (one, other, share) => one * share + other * (1 - share);
    const over = (top, below) => top.slice(0, 3).map((value, place) => mixed(value, below[place], top[3] ?? 1));
    function ground(element) {
      const layers = [];
      for (let one = element; one; one = one.parentElement)
        layers.unshift(numbers(getComputedStyle(one).backgroundColor));
      return layers.reduce((below, top) => over(top, below), [255, 255, 255]);
    }
    document.querySelectorAll("details").forEach(one => { one.open = true; });
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement, words = walker.currentNode.textContent.trim();
      if (!words || !element.getClientRects().length || element.closest("style, defs")) continue;
      const style = getComputedStyle(element), inside = element.closest("svg");
      if (inside && /#ffffff|#111111/.test(element.getAttribute("style"))) continue; // on a colour of its own
      const ink = numbers(inside ? style.fill : style.color), behind = ground(inside || element);
      const [light, dark] = [luminance(over(ink, behind)), luminance(behind)].sort((one, other) => other - one);
      const contrast = (light + 0.05) / (dark + 0.05);
      if (contrast < 4.5) faint.push(`${words.slice(0, 40)}: ${contrast.toFixed(2)}`);
    }
    const seen = [...document.querySelectorAll("svg text")].filter(one => one.getBoundingClientRect().height > 0);
    const size = one => parseFloat(getComputedStyle(one).fontSize) * one.ownerSVGElement.getScreenCTM().a;
    const small = seen.map(size).filter(pixels => pixels < 6.9);
    return {
      sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      silent: [...document.querySelectorAll("img")].filter(one => !one.alt).length
        + [...document.querySelectorAll("svg")].filter(one => !one.getAttribute("aria-label")).length,
      pictures: document.querySelectorAll("img, svg").length,
      scheme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light",
      faint, small: small.slice(0, 5)
    };"""


@pytest.fixture(scope="module", params=[("cars", "tanks"), tuple(f"{LONG[n % 3]} {n}" for n in range(8))], ids=len)
def pages(request, tmp_path_factory):
    """The report, the quality page and the credits of a dataset with copies, a broken file and two runs."""
    root = tmp_path_factory.mktemp("pages") / "pets"
    classes = tuple(sorted(request.param))
    places = {label: place % 4 for place, label in enumerate(classes)}
    tiny_dataset(root, classes=classes[:4], per_class=10)
    table = manifest.load(root)
    more = [
        raw_file(root, label, "png", encoded(coloured(places[label], 90 + n, side=40)))
        for label in classes[4:]
        for n in range(10)
    ]
    same = encoded(coloured(0, 0, side=32).resize((48, 48)))
    more += [raw_file(root, classes[0], "png", same), raw_file(root, classes[1], "jpg", b"milk")]
    table = manifest.from_rows(root, [*table.table.to_dict(orient="records"), *more])
    table = split.assign(resize.write(dedup.group(verify.check(table)), size=32), val=0.2, test=0.25, seed=7).save()
    runs = []
    for seed, name in enumerate(("one", "a run of mine with a long name")):
        run = untrained(paths.models(root) / name, classes=classes, seed=seed, **facts(table))
        evaluate.measure(run, table)
        runs.append(weighed(run))
    named = table.assign(creator="A. Person", title="A picture", page_url="https://example.org/1")
    return [report.write(table, runs), html.quality(table), credits.write(named)]


@pytest.fixture(scope="module", params=["light", "dark"])
def chrome(request):
    with browser.chromium(Options(), hosts=[]) as running:
        running.command_executor.add_command("cdp", "POST", "/session/$sessionId/goog/cdp/execute")
        running.scheme = request.param
        emulate(running, "EmulatedMedia", features=[{"name": "prefers-color-scheme", "value": request.param}])
        yield running


def emulate(chrome, what, **how):
    """Let the browser believe something of its screen."""
    chrome.execute("cdp", {"cmd": f"Emulation.set{what}", "params": how})


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_nothing_sticks_out_and_everything_can_be_read_and_heard(pages, chrome, width):
    emulate(chrome, "DeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    for page in pages:
        chrome.get(page.as_uri())
        seen = chrome.execute_script(LOOK)
        assert seen["pictures"] > 5 or page.name == "credits.html"
        del seen["pictures"]
        assert seen == {"scheme": chrome.scheme, "sideways": 0, "silent": 0, "faint": [], "small": []}, page.name


def test_the_look_notices_what_it_looks_for(chrome, tmp_path):
    bad = """<div style="width: 3000px">wide</div><img src="data:,">
        <svg width="10" viewBox="0 0 100 100"><text y="9">x</text></svg>
        <details><summary>more</summary><p style="color: #888; background: #aaa">faint</p></details>"""
    (tmp_path / "page.html").write_text(f"<!doctype html><body>{bad}</body>")
    chrome.get((tmp_path / "page.html").as_uri())
    seen = chrome.execute_script(LOOK)
    assert seen["sideways"] > 1000 and seen["silent"] == 2 and len(seen["small"]) == 1
    assert [words[:10] for words in seen["faint"]] == ["faint: 1.5"]
