"""Freely licensed pictures from Wikimedia Commons, with licence and author.

    wikimedia:Category:Main_battle_tanks=tanks      the files of a category, not of those below it
    wikimedia:"main battle tank"=tanks              a search

Copies 960 pixels wide are asked for, as the operators wish: originals are few per minute, and other widths refused.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

from toolkit.core.paths import check_label
from toolkit.errors import SourceError
from toolkit.images.files import Passed
from toolkit.scrape import licenses
from toolkit.scrape.api import NOT_TAKEN, ODD, Service, unique
from toolkit.scrape.item import Item, Options

ADDRESS = "https://commons.wikimedia.org/w/api.php"
WIDTH = 960  # one of the widths that are kept ready; an original that is narrower is taken itself
PICTURES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/tiff")
FIELDS = "LicenseShortName|LicenseUrl|NonFree|Artist|Attribution"
LATER = ("maxlag", "ratelimited", "readonly")
QUERY: dict[str, str | int] = {
    "action": "query",
    "format": "json",
    "formatversion": 2,
    "maxlag": 5,  # seconds; work that can wait is not to be done while the servers are behind
    "prop": "imageinfo",
    "iiprop": "url|size|mime|sha1|extmetadata",
    "iiextmetadatafilter": FIELDS,
    "iiurlwidth": WIDTH,
}


def items(
    argument: str, label: str, options: Options, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Item | Passed]:
    """The pictures of a category or a search, those whose licence is known and free.

    Args:
        argument: "Category:" and its name, or words to search for.
        label: class of the pictures; "" takes the category's name or the words.
        options: `limit`; `licenses`, where () takes every licence Commons calls free; `endpoints["wikimedia"]`.
        sleep: waits between attempts, given a number of seconds.

    Raises:
        SourceError: Commons does not answer, refuses, or has no such pictures.

    >>> next(items("Category:Main battle tanks", "tanks", Options())).license  # doctest: +SKIP
    'CC BY-SA 4.0'
    """
    label = check_label(label or argument.removeprefix("Category:").strip('"'))
    service = Service("Wikimedia Commons", options.endpoints.get("wikimedia", ADDRESS), options, sleep=sleep)
    wanted = partial(_item, label=label, taken=licenses.chosen(options, default=()))
    yield from unique(map(wanted, pages(service, argument)), options.limit, what=argument)


def pages(service: Service, argument: str) -> Iterator[dict]:
    """The file pages of a category or a search, as the service describes them."""
    if argument.startswith("Category:"):
        query: dict[str, str | int] = {
            "generator": "categorymembers",
            "gcmtitle": argument,
            "gcmtype": "file",
            "gcmlimit": 50,
        }
    else:
        search = f"filetype:bitmap {argument}"
        query = {"generator": "search", "gsrsearch": search, "gsrnamespace": 6, "gsrlimit": 50}
    position: dict[str, str | int] = {}
    visited: set[frozenset] = set()
    while frozenset(position.items()) not in visited:  # nowhere to go on from, or a position again: the end
        visited.add(frozenset(position.items()))
        answer = service.ask(query=QUERY | query | position, busy=lambda answer: _error(answer).get("code") in LATER)
        if _error(answer):
            raise SourceError(f"Wikimedia Commons refused {argument!r}: {_error(answer).get('info')}; check the name")
        batch = [page for page in (answer.get("query") or {}).get("pages") or [] if isinstance(page, dict)]
        yield from sorted(batch, key=lambda page: page.get("index") or 0)
        position = answer.get("continue") or {}


def _error(answer: dict) -> dict:
    return answer.get("error") or {}


def _item(page: dict, *, label: str, taken: tuple[str, ...]) -> Item | Passed:
    """The picture of a file page, or why there is none."""
    try:
        info = page["imageinfo"][0]
        fields = {name: licenses.plain((entry or {}).get("value")) for name, entry in info["extmetadata"].items()}
        license, page_id = fields["LicenseShortName"], int(page["pageid"])
        url = info["thumburl"] if info["width"] > WIDTH else info["url"]
        title = page["title"].removeprefix("File:").rpartition(".")[0]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return Passed(ODD, str(page.get("title", "")))
    code = licenses.code(license)
    restricted = not license or fields.get("NonFree") or "nc" in code.split("-") or "nd" in code.split("-")
    if info.get("mime") not in PICTURES:
        return Passed(f"of the type {info.get('mime')}", title)
    if (taken and code not in taken) or (restricted and code not in taken):
        return Passed(NOT_TAKEN, title)
    creator = "" if code in licenses.NAMELESS else fields.get("Artist", "")
    line = fields.get("Attribution") or licenses.line(title, creator, license, "Wikimedia Commons")
    return Item(
        label,
        "wikimedia",
        str(page_id),
        url=url,
        page_url=info.get("descriptionurl") or "",
        title=title,
        license=license,
        license_url=fields.get("LicenseUrl", ""),
        creator=creator,
        attribution="" if code in licenses.NAMELESS else line,
    )
