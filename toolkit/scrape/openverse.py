"""Openly licensed pictures through Openverse, with licence, creator and the line to name them with.

    openverse:"pizza"=pizza

Made for small sets: without an account it answers 20 times a minute and 200 times a day, 20 pictures each, and shows
the first few hundred results only. OPENVERSE_CLIENT_ID and OPENVERSE_CLIENT_SECRET in the environment raise the limits.
"""

import os
import time
from collections.abc import Callable, Iterator

from toolkit.core.paths import check_label
from toolkit.errors import SourceError
from toolkit.images.files import Passed
from toolkit.scrape import licenses
from toolkit.scrape.api import NOT_TAKEN, ODD, Rejected, Service, unique
from toolkit.scrape.item import Item, Options

ADDRESS = "https://api.openverse.org/v1/"
PAGE = 20  # pictures at a time; more is for accounts only
CREDENTIALS = ("OPENVERSE_CLIENT_ID", "OPENVERSE_CLIENT_SECRET")


def items(
    argument: str, label: str, options: Options, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Item | Passed]:
    """The pictures found for some words.

    Args:
        argument: what to search for; in quotes, these words in this order.
        label: class of the pictures; "" takes the words.
        options: `limit`; `licenses`, where () takes those that allow changes and commercial use: CC0, public domain,
            CC BY and CC BY-SA; `over_18`; `endpoints["openverse"]`.
        sleep: waits between attempts, given a number of seconds.

    Raises:
        SourceError: Openverse does not answer, refuses, or has no such pictures.

    >>> next(items("pizza", "pizza", Options())).attribution  # doctest: +SKIP
    '"Pizza" by Ann is licensed under CC BY 2.0. …'
    """
    label, taken = check_label(label or argument.strip('"')), licenses.chosen(options)
    service = connect(options, sleep=sleep)
    query = {"q": argument, "page_size": PAGE, "license": ",".join(taken), "mature": str(options.over_18).lower()}
    pictures = (_item(result, label, taken) for result in results(service, query))
    yield from unique(pictures, options.limit, what=argument)


def connect(options: Options, *, sleep: Callable[[float], None] = time.sleep) -> Service:
    """The service, with the rights of an account if the environment names one.

    Raises:
        SourceError: the account is refused.
    """
    account = [os.environ.get(name, "") for name in CREDENTIALS]
    advice = f"check {' and '.join(CREDENTIALS)}" if any(account) else "try other words, or again later"
    service = Service("Openverse", options.endpoints.get("openverse", ADDRESS), options, advice=advice, sleep=sleep)
    if all(account):
        form = {"client_id": account[0], "client_secret": account[1], "grant_type": "client_credentials"}
        token = service.ask("auth_tokens/token/", form=form).get("access_token")
        if not token:
            raise SourceError(f"expected a token from Openverse, got none; {advice}")
        service.session.headers["Authorization"] = f"Bearer {token}"
    return service


def results(service: Service, query: dict) -> Iterator[dict]:
    """What is found, page by page, to the depth Openverse allows, each result once."""
    number, pages = 1, 1
    ids: set[object] = set()
    while number <= pages:
        try:
            answer = service.ask("images/", query | {"page": number})
        except Rejected:
            if number == 1:
                raise
            return  # deeper than it lets this account look
        batch = [result for result in answer.get("results") or [] if isinstance(result, dict)]
        fresh = [result for result in batch if result.get("id") not in ids]
        ids.update(result.get("id") for result in fresh)
        yield from fresh
        pages = answer.get("page_count") or 0
        number = number + 1 if fresh else pages + 1  # nothing fresh: it repeats itself


def _item(result: dict, label: str, taken: tuple[str, ...]) -> Item | Passed:
    """The picture of a result, or why there is none."""
    code, url = result.get("license"), result.get("url")
    if not result.get("id") or not url or code not in taken:
        return Passed(NOT_TAKEN if result.get("id") and url else ODD, str(result.get("id") or ""))
    license, title = licenses.name(code, result.get("license_version") or ""), result.get("title") or ""
    nameless = code in licenses.NAMELESS
    creator = "" if nameless else result.get("creator") or ""
    line = "" if nameless else result.get("attribution") or licenses.line(title, creator, license, "Openverse")
    return Item(
        label,
        "openverse",
        str(result["id"]),
        url=url,
        page_url=result.get("foreign_landing_url") or "",
        title=title,
        license=license,
        license_url=result.get("license_url") or "",
        creator=creator,
        attribution=line,
    )
