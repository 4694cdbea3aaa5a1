"""Openly licensed photographs from Flickr, with licence and owner.

    flickr:"thumbs up"=up

Needs a key of your own in the environment: FLICKR_API_KEY. Flickr shows the first 4,000 results of a query; for more,
the query is asked again for shorter and shorter periods of upload.
"""

import os
import time
from collections.abc import Callable, Iterator

from toolkit.core.paths import check_label
from toolkit.errors import SourceError
from toolkit.images.files import Passed
from toolkit.scrape import licenses
from toolkit.scrape.api import NOT_TAKEN, ODD, Service, unique
from toolkit.scrape.item import Item, Options

ADDRESS = "https://api.flickr.com/services/rest/"
FOUNDED = 1_075_600_000  # seconds since 1970; no photograph was uploaded before February 2004
PAGE = 250  # photographs at a time; more are promised, but come twice
MOST = 4000  # results Flickr shows of one query
LATER = (0, 10, 105, 106)  # codes of "not available just now"
SIZES = ("url_l", "url_c", "url_o")  # 1024 and 800 pixels, and the original: the first that there is
CC = "https://creativecommons.org"
LICENSES = {  # Flickr's number: our code, name, address
    "1": ("by-nc-sa", "CC BY-NC-SA 2.0", f"{CC}/licenses/by-nc-sa/2.0/"),
    "2": ("by-nc", "CC BY-NC 2.0", f"{CC}/licenses/by-nc/2.0/"),
    "3": ("by-nc-nd", "CC BY-NC-ND 2.0", f"{CC}/licenses/by-nc-nd/2.0/"),
    "4": ("by", "CC BY 2.0", f"{CC}/licenses/by/2.0/"),
    "5": ("by-sa", "CC BY-SA 2.0", f"{CC}/licenses/by-sa/2.0/"),
    "6": ("by-nd", "CC BY-ND 2.0", f"{CC}/licenses/by-nd/2.0/"),
    "7": ("no-known", "No known copyright restrictions", "https://www.flickr.com/commons/usage/"),
    "8": ("us-gov", "United States government work", "https://www.usa.gov/government-works"),
    "9": ("cc0", "CC0 1.0", f"{CC}/publicdomain/zero/1.0/"),
    "10": ("pdm", "Public Domain Mark 1.0", f"{CC}/publicdomain/mark/1.0/"),
}
KEY = (
    "expected a Flickr API key, found none; set FLICKR_API_KEY in the environment (flickr.com/services/apps/create "
    "makes one), or take openverse: or wikimedia:, which need none"
)


def items(
    argument: str, label: str, options: Options, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Item | Passed]:
    """The photographs found for some words.

    Args:
        argument: what to search for in titles, descriptions and tags.
        label: class of the photographs; "" takes the words.
        options: `limit`; `licenses`, where () takes those that allow changes and commercial use; `over_18`;
            `endpoints["flickr"]`.
        sleep: waits between attempts, given a number of seconds.

    Raises:
        SourceError: no key, a wrong one, or no such photographs.

    >>> next(items("thumbs up", "up", Options())).license  # doctest: +SKIP
    'CC BY 2.0'
    """
    label, taken = (
        check_label(label or argument.strip('"')),
        licenses.chosen(options, default=(*licenses.FREE, *licenses.OTHER)),
    )
    query = {
        "method": "flickr.photos.search",
        "api_key": os.environ.get("FLICKR_API_KEY", ""),
        "format": "json",
        "nojsoncallback": 1,
        "text": argument,
        "license": ",".join(number for number, (code, *_) in LICENSES.items() if code in taken),
        "media": "photos",
        "safe_search": 3 if options.over_18 else 1,
        "extras": f"license,owner_name,media,o_dims,{','.join(SIZES)}",
        "per_page": PAGE,
    }
    if not query["api_key"]:
        raise SourceError(KEY)
    address = options.endpoints.get("flickr", ADDRESS)
    service = Service("Flickr", address, options, advice="check FLICKR_API_KEY", sleep=sleep)
    pictures = (_item(photo, label, taken) for photo in photos(service, query, limit=options.limit))
    yield from unique(pictures, options.limit, what=argument)


def photos(service: Service, query: dict, *, limit: int | None = None) -> Iterator[dict]:
    """What is found, newest periods first, as the service describes it.

    Args:
        service: Flickr.
        query: parameters of the search.
        limit: how many are wanted; None wants all.
    """
    periods = [(FOUNDED, int(time.time()))]
    while periods:
        first, last = periods.pop()
        window = query | {"min_upload_date": first, "max_upload_date": last}
        page = _page(service, window, 1)
        total = int(page.get("total") or 0)
        if min(total, limit or total) > MOST and last > first:
            middle = (first + last) // 2
            periods += [(first, middle), (middle + 1, last)]
            continue
        yield from page["photo"]
        for number in range(2, min(int(page.get("pages") or 0), MOST // PAGE) + 1):
            yield from _page(service, window, number)["photo"]


def _page(service: Service, query: dict, number: int) -> dict:
    answer = service.ask(query=query | {"page": number}, busy=lambda answer: _code(answer) in LATER)
    if answer.get("stat") != "ok":
        said = str(answer.get("message") or answer)[:100]
        raise SourceError(f"Flickr refused the request: {said}; check FLICKR_API_KEY and the words")
    page = answer.get("photos") or {}
    return page | {"photo": [photo for photo in page.get("photo") or [] if isinstance(photo, dict)]}


def _code(answer: dict) -> int:
    return answer.get("code", -1) if answer.get("stat") == "fail" else -1


def _item(photo: dict, label: str, taken: tuple[str, ...]) -> Item | Passed:
    """The picture of a photograph, or why there is none."""
    code, license, license_url = LICENSES.get(str(photo.get("license")), ("", "", ""))
    addresses = [photo[size] for size in SIZES if photo.get(size)]
    if not photo.get("id") or photo.get("media") not in (None, "photo"):
        return Passed(ODD, str(photo.get("id") or ""))
    if code not in taken or not addresses:
        return Passed("without an address" if code in taken else NOT_TAKEN, str(photo["id"]))
    title, owner = _words(photo.get("title")), photo.get("owner")
    creator = "" if code in licenses.NAMELESS else _words(photo.get("ownername"))
    return Item(
        label,
        "flickr",
        str(photo["id"]),
        url=addresses[0],
        fallbacks=tuple(addresses[1:]),
        page_url=f"https://www.flickr.com/photos/{owner}/{photo['id']}" if owner else "",
        title=title,
        license=license,
        license_url=license_url,
        creator=creator,
        attribution="" if code in licenses.NAMELESS else licenses.line(title, creator, license, "Flickr"),
    )


def _words(value: object) -> str:
    """A field's text, which some answers wrap as {"_content": text}."""
    value = value.get("_content") if isinstance(value, dict) else value
    return value if isinstance(value, str) else ""
