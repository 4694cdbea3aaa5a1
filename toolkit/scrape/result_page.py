"""Pictures from a result page, read by a real browser at a person's pace.

    page:PROFILE:"pizza"=pizza         PROFILE is "practice" or the path of a TOML file, see `page_profile`

The page is asked as little as a person would ask it: one page at a time, a pause between two looks, nothing that its
robots.txt forbids, and nothing to pass for somebody else. Results that link to a picture give the picture; those with
nothing but a thumbnail give that, marked as one. The pictures themselves are downloaded like any other.
"""

import hashlib
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from toolkit import images
from toolkit.core.paths import check_label
from toolkit.errors import ImageError, SourceError
from toolkit.scrape import datauri, robots
from toolkit.scrape.browser import chromium, in_words
from toolkit.scrape.item import Item, Metadata, Options
from toolkit.scrape.page_profile import Profile, load

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

MIN_SIDE = 32  # pixels; what is smaller is an icon, or stands for a picture still to come
MAX_BYTES = 5_000_000  # of a picture in the page itself
UNLINKED = 12  # results without a link to a picture, after which the profile must be wrong

# One look: everything that is to be seen in one answer, then one thing a person would do next. All tiles of a page in
# single calls would be hundreds of them.
LOOK = """
const profile = arguments[0]
const seen = name => {
  const element = profile[name] && document.querySelector(profile[name])
  return element && element.checkVisibility() ? element : null
}
const tiles = [...document.querySelectorAll(profile.tile)].map(tile => {
  const image = tile.querySelector(profile.image), link = profile.full ? tile.querySelector(profile.full) : tile
  const values = image ? profile.image_attributes.map(name => image.getAttribute(name)) : []
  return {about: link && link.getAttribute(profile.full_attribute) || '', image: values.find(value => value) || ''}
})
const look = {tiles, base: document.baseURI, end: !!seen('end'), moved: true}
const consent = seen('consent'), more = seen('more'), before = scrollY
if (consent) consent.click()
else if (more) more.click()
else { scrollBy(0, 0.8 * innerHeight); look.moved = scrollY > before }
return look
"""


def items(argument: str, label: str, options: Options) -> Iterator[Item]:
    """The pictures of a result page.

    Args:
        argument: a profile and what to search for, such as 'practice:"cars"'.
        label: class of the pictures; "" takes what was searched for.
        options: `limit` (results), `browser`, `driver`, and `endpoints["page"]`, which replaces scheme and host of the
            profile's address.

    Raises:
        SourceError: the page wants no programs, cannot be reached, or is not as the profile says; no browser.
    """
    name, query = _read(argument)
    profile, label = load(name), check_label(label or query)
    address = profile.address(query, endpoint=options.endpoints.get("page", ""))
    robots.check(address, timeout=options.timeout)
    with chromium(options, hosts=(urlsplit(address).hostname or "", *profile.hosts)) as browser:
        for count, item in enumerate(_results(browser, profile, address, label), start=1):
            yield item
            if count == options.limit:
                return


def _read(argument: str) -> tuple[str, str]:
    """Profile and query; a shell may have eaten the quotes."""
    parts = re.fullmatch(r'(?s)(.+?):"(.+)"|(.+):(.+)', argument)
    if not parts:
        raise SourceError(f'expected a profile and a query such as page:practice:"cars"=cars, got {argument!r}')
    return (parts[1], parts[2]) if parts[1] else (parts[3], parts[4])


def _results(browser: "WebDriver", profile: Profile, address: str, label: str) -> Iterator[Item]:
    """The pictures, each once; last those whose thumbnail never turned into a picture."""
    listed: set[str] = set()
    complete: set[str] = set()
    incomplete: dict[str, tuple[str, Item]] = {}
    linked = not profile.full_attribute
    unlinked = _changed(profile, address, f"links by the attribute {profile.full_attribute!r} of its results")
    for tile in _tiles(browser, profile, address):
        item = _item(tile, profile, address, label)
        linked = linked or not item.resolution
        if not linked and len(listed) >= UNLINKED:
            raise unlinked
        if item.source_id in listed:
            continue
        listed.add(item.source_id)
        if _is_picture(item):
            complete.add(tile["about"])
            yield item
        else:
            incomplete[item.source_id] = tile["about"], item  # so far: thumbnails are loaded as they are scrolled to
    if not linked:
        raise unlinked
    yield from (item for about, item in incomplete.values() if about not in complete)


def _is_picture(item: Item) -> bool:
    try:
        return item.read is None or bool(item.read())
    except SourceError:
        return False


def _item(tile: dict[str, str], profile: Profile, address: str, label: str) -> Item:
    """The picture a result links to, or else its thumbnail."""
    full, page, title = _described(tile["about"], profile)
    source = full or tile["image"]
    metadata = Metadata(
        page_url=_absolute(address, page) if page else address,
        title=title,
        resolution="" if full else "thumbnail",
    )
    if source[:5].lower() == "data:":
        name = hashlib.sha256(source.encode(errors="replace")).hexdigest()
        return Item(label, "page", name, read=partial(thumbnail, source), **metadata)
    url = _absolute(tile["base"], source)
    return Item(label, "page", url, url=url, **metadata)


def _absolute(base: str, address: str) -> str:
    """An absolute address; one that cannot be parsed is left to fail when it is downloaded."""
    try:
        return urljoin(base, address)
    except ValueError:
        return address


def thumbnail(address: str) -> bytes:
    """The bytes of a picture that a page holds in itself.

    Args:
        address: from "data:" on.

    Raises:
        SourceError: with the reason, if that is no picture worth having.
    """
    content = datauri.decode(address, max_bytes=MAX_BYTES)
    try:
        side = min(images.read(content).size)
    except ImageError as error:
        raise SourceError(error.reason) from error
    if side < MIN_SIDE:
        raise SourceError(f"an icon or a stand-in, the shortest side is below {MIN_SIDE}")
    return content


def _described(about: str, profile: Profile) -> tuple[str, str, str]:
    """Link, page and title from the attribute of a result: the link itself, or JSON that holds all three."""
    if not profile.full_key:
        return about, "", ""
    try:
        values = json.loads(about)
    except ValueError:
        values = {}
    values = values if isinstance(values, dict) else {}
    full, page, title = (
        str(values.get(key) or "").encode(errors="replace").decode()  # half characters do occur
        for key in (profile.full_key, profile.page_key, profile.title_key)
    )
    return full, page, title


def _tiles(browser: "WebDriver", profile: Profile, address: str) -> Iterator[dict[str, str]]:
    """All results as the page shows them, each once, while it is scrolled to its end."""
    from selenium.common.exceptions import WebDriverException

    listed: set[tuple[str, str]] = set()
    try:
        browser.get(address)
        for look in _looks(browser, profile):
            fresh = {(tile["about"], tile["image"]): tile for tile in look["tiles"] if tile["about"] or tile["image"]}
            yield from (tile | {"base": look["base"]} for key, tile in fresh.items() if key not in listed)
            listed |= set(fresh)
    except WebDriverException as error:
        raise SourceError(
            f"expected a page at {address}, got: {in_words(error)}; check the address and {profile.source}"
        ) from error
    if not listed and look["end"]:
        raise SourceError(f"expected pictures at {address}, found none; search for something else")
    if not listed:
        raise _changed(profile, address, f"result tiles by the selector {profile.tile!r}")


def _looks(browser: "WebDriver", profile: Profile) -> Iterator[dict]:
    """Look, go on, pause, look again: until the end, or nothing new for a while, or the time is up."""
    before: list[dict] = []
    changed = started = time.monotonic()
    while True:
        look = browser.execute_script(LOOK, asdict(profile))
        yield look
        now = time.monotonic()
        if look["tiles"] != before:  # neither height nor number: long lists take off at the top what they add below
            before, changed = look["tiles"], now
        at_end = look["end"] and not look["moved"]
        if at_end or now - changed > profile.idle or now - started > profile.max_seconds:
            return
        time.sleep(profile.pause * random.uniform(0.7, 1.3))


def _changed(profile: Profile, address: str, what: str) -> SourceError:
    return SourceError(
        f"expected {what} at {address}, found none; the page has changed: mend the profile {profile.source}"
    )
