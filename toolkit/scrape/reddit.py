"""Pictures from subreddits, through PRAW.

    reddit:carporn=cars                     a listing, in the order of `Options.sort`
    reddit:carporn/search:red car=cars      what a search in it finds
    reddit:carporn/flair:Spotted=cars       posts with a flair

Reddit shows no more than the first thousand posts of a listing; with `sort="all"` the union of all orders and periods
is taken. Listings are asked for with `Reddit.request`, which keeps PRAW's authorization, pacing and retries, and gives
plain JSON: an odd post costs nothing but itself, and a post without some field is not fetched again to look for it.

Reddit's terms, in short: access is granted on request; pictures belong to those who posted them, and training on them
takes their consent; what was deleted there must be deleted here, which `toolkit prune` does. No author is stored.
"""

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import praw
import prawcore
import requests

from toolkit.core.paths import check_label
from toolkit.errors import SourceError
from toolkit.images.files import Passed
from toolkit.scrape.item import TIME_FILTERS, Item, Options
from toolkit.scrape.listing_progress import ListingProgress, Position
from toolkit.scrape.reddit_posts import Post, found_in, why_none

PAGE = 100  # posts Reddit gives at a time, at most
TIMEOUT = (5, 30)  # seconds to connect, and to wait for bytes
TIMELESS, TIMED = ("new", "hot", "rising"), ("top", "controversial")  # orders of a listing, without and with a period
SEARCH_TIMELESS, SEARCH_TIMED = ("new", "hot"), ("relevance", "top", "comments")
CREDENTIALS = (
    "expected Reddit API credentials, found none; set praw_client_id, praw_client_secret and praw_user_agent in the "
    "environment or in praw.ini (Reddit grants them on request), or practise without: "
    "`toolkit run practice: --into practice`"
)
CHECK = "check praw_client_id and praw_client_secret"
PERMISSION = (
    "expected your word that you may use pictures from Reddit, got none: its terms ask for approved access, and for "
    "the consent of those who posted before a model is trained on their pictures; give it with --i-have-permission, "
    "Options(permission=True) or TOOLKIT_REDDIT_PERMISSION=yes"
)


class _Requestor(prawcore.Requestor):
    """PRAW's `timeout` setting does not reach its API calls; this one does."""

    def request(self, *args: Any, timeout: float | None = None, **options: Any) -> requests.Response:
        return super().request(*args, timeout=TIMEOUT, **options)  # type: ignore[arg-type]  # a pair is allowed, too


def connect(options: Options) -> praw.Reddit:
    """A read-only connection to Reddit.

    Args:
        options: `reddit` holds keyword arguments of `praw.Reddit`, None takes them from the environment or praw.ini;
            `permission` says that its pictures may be used, which a server on this machine does not ask for.

    Raises:
        SourceError: no credentials, no permission, or a user agent that pretends to be a browser.
    """
    settings: dict[str, Any] = {"check_for_updates": False, "requestor_class": _Requestor, **(options.reddit or {})}
    try:
        reddit = praw.Reddit(**settings)
    except praw.exceptions.MissingRequiredAttributeException as error:
        raise SourceError(CREDENTIALS) from error
    host = urlsplit(reddit.config.oauth_url).hostname or ""
    permitted = options.permission or os.environ.get("TOOLKIT_REDDIT_PERMISSION") == "yes"
    if not permitted and not re.fullmatch(r"localhost|127\.[\d.]+", host):
        raise SourceError(PERMISSION)
    if "mozilla" in reddit.config.user_agent.lower():
        raise SourceError(
            "expected a user agent that says who asks, such as 'linux:my-cars:v1 (by /u/name)', got "
            f"{reddit.config.user_agent[:40]!r}; Reddit bans those that pretend to be a browser"
        )
    return reddit


def items(
    argument: str,
    label: str,
    options: Options,
    *,
    folder: Path | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Item | Passed]:
    """The pictures of a subreddit's posts, and the posts without any.

    Args:
        argument: name of a subreddit, with or without `r/`; then perhaps `/search:WORDS` or `/flair:NAME`.
        label: class of its pictures; "" takes the subreddit's name.
        options: `sort`, `time_filter`, `limit` (pictures), `over_18`, `reddit`, `permission`.
        folder: where progress in the listing is kept until it is complete, so that a killed run goes on there; None
            keeps none.
        sleep: waits between attempts, given a number of seconds.

    Raises:
        SourceError: see `connect`; or a private, banned or missing subreddit.
    """
    form = re.fullmatch(r"/?(?:r/)?(\w{2,21}(?:\+\w{2,21})*)/?(?:/(search|flair):(.+))?", argument)
    if not form:
        raise SourceError(
            "expected a subreddit such as reddit:carporn=cars, reddit:carporn/search:red car=cars or "
            f"reddit:carporn/flair:Spotted=cars, got {argument!r}"
        )
    name, kind, words = form.groups()
    label, reddit = check_label(label or name), connect(options)
    listings = _searches(name, kind, words, options) if kind else _listings(name, options)
    progress = ListingProgress(folder, json.dumps([reddit.config.oauth_url, options.over_18, listings]))
    seen: set[str] = set()
    for item in _listed(reddit, name, listings, progress, options, sleep=sleep):
        if isinstance(item, Passed):
            yield item
        elif item.source_id not in seen:
            seen.add(item.source_id)
            yield replace(item, label=label)
        if len(seen) == options.limit:
            break
    progress.finish()


def _listings(name: str, options: Options) -> list[tuple[str, dict[str, str]]]:
    """Path and query of each listing to go through."""
    return [(f"r/{name}/{sort}", {"t": period}) for sort, period in _orders(options, TIMELESS, TIMED)]


def _searches(name: str, kind: str, words: str, options: Options) -> list[tuple[str, dict[str, str]]]:
    quoted = words.replace('"', "")
    query = {"q": f'flair:"{quoted}"' if kind == "flair" else words, "restrict_sr": "1", "type": "link"}
    query |= {"include_over_18": "on"} if options.over_18 else {}
    sorts = (*SEARCH_TIMELESS, *SEARCH_TIMED, "all")
    options = options if options.sort in sorts else replace(options, sort="top")  # which is as near as search comes
    orders = _orders(options, SEARCH_TIMELESS, SEARCH_TIMED)
    return [(f"r/{name}/search", {**query, "sort": sort, "t": period}) for sort, period in orders]


def _orders(options: Options, timeless: tuple[str, ...], timed: tuple[str, ...]) -> list[tuple[str, str]]:
    if options.sort != "all":
        return [(options.sort, options.time_filter)]
    return [(sort, "all") for sort in timeless] + [(sort, period) for sort in timed for period in TIME_FILTERS[::-1]]


def _listed(
    reddit: praw.Reddit,
    name: str,
    listings: list[tuple[str, dict[str, str]]],
    progress: ListingProgress,
    options: Options,
    *,
    sleep: Callable[[float], None],
) -> Iterator[Item | Passed]:
    """What the listings show, first the saved pages, and from where they end those of Reddit."""
    position = Position(listing=0, after="")
    for saved, position in progress.pages():  # noqa: B007 - the last position is where to go on
        yield from saved
    start, cursor = position["listing"], position["after"]
    for number, (path, query) in enumerate(listings[start:], start=start):
        for posts, after in pages(reddit, f"r/{name}", path, query, after=cursor, sleep=sleep):
            found = [found_in(post, options) for post in posts]
            shown = [item for items in found for item in items]
            progress.add(shown, Position(listing=number + (not after), after=after))
            yield from shown
            yield from (
                Passed(why_none(post, options), str(post["id"]))
                for post, items in zip(posts, found, strict=True)
                if not items
            )
        cursor = ""


def pages(
    reddit: praw.Reddit,
    what: str,
    path: str,
    query: Mapping[str, str],
    *,
    after: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[list[Post], str]]:
    """The pages of a listing: posts as Reddit's JSON describes them, each once, and the cursor after them.

    Args:
        reddit: a connection.
        what: what is listed, for messages.
        path, query: of the request.
        after: cursor to go on from; "" begins. The last page gives "".
        sleep: waits between attempts, given a number of seconds.

    Raises:
        SourceError: it cannot be listed.
    """
    seen: set[str] = set()
    cursors = {after}
    while True:
        params: dict[str, str | int] = {"limit": PAGE, **query}
        params |= {"after": after, "count": len(seen)} if after else {}
        page = _patiently(partial(reddit.request, method="GET", path=path, params=params), what, sleep=sleep)
        data = page.get("data") if isinstance(page, dict) else None
        if not isinstance(data, dict) or not isinstance(data.get("children"), list):
            raise SourceError(f"expected a listing of {what}, got {str(page)[:60]!r}; try again later")
        children = [child for child in data["children"] if isinstance(child, dict) and child.get("kind") == "t3"]
        posts = [child["data"] for child in children if isinstance(child.get("data"), dict)]
        fresh = [post for post in posts if post.get("id") and post["id"] not in seen]
        seen.update(post["id"] for post in fresh)
        after = data.get("after") or ""
        if not fresh or after in cursors:  # the cursor runs in a circle
            after = ""
        cursors.add(after)
        yield fresh, after
        if not after:
            return


def is_private(reddit: praw.Reddit, name: str, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Whether a subreddit may not be read by everyone: nothing can be said of the posts in it.

    Raises:
        SourceError: Reddit does not answer.
    """
    try:
        _patiently(partial(reddit.request, method="GET", path=f"r/{name}/about"), f"r/{name}", sleep=sleep)
    except SourceError as error:
        if isinstance(error.__cause__, prawcore.exceptions.Forbidden):
            return True
        if isinstance(error.__cause__, prawcore.exceptions.NotFound | prawcore.exceptions.Redirect):
            return False
        raise
    return False


def _patiently(
    call: Callable[[], object], what: str, *, tries: int = 6, sleep: Callable[[float], None] = time.sleep
) -> object:
    """The answer of an API call, with the retries that PRAW leaves to its caller."""
    for attempt in range(tries):
        wait = 0.0
        try:
            return call()
        except prawcore.exceptions.OAuthException as error:
            raise SourceError(
                f"expected valid Reddit credentials, got {error}; check praw_client_id and secret"
            ) from error
        except prawcore.exceptions.Forbidden as error:
            raise SourceError(f"{what} is {_why(error)}; leave it out or ask its moderators") from error
        except (prawcore.exceptions.NotFound, prawcore.exceptions.Redirect) as error:
            raise SourceError(f"{what} does not exist or was banned; check its name") from error
        except prawcore.exceptions.TooManyRequests as error:
            headers = error.response.headers
            wait = max(_seconds(headers.get("retry-after")), _seconds(headers.get("x-ratelimit-reset")))
        except prawcore.exceptions.ResponseException as error:
            status = error.response.status_code
            if status in (400, 401, 403) and "access_token" in error.response.url:
                raise SourceError(f"Reddit refused the credentials (HTTP {status}); {CHECK}") from error
            if 300 <= status < 500 and status not in (408, 425, 429):
                raise SourceError(f"{what} cannot be read: HTTP {status}") from error
        except (prawcore.exceptions.PrawcoreException, AssertionError, KeyError, ValueError):
            pass  # a lost connection, a page of HTML, or what PRAW cannot parse: the next attempt may go better
        if attempt + 1 < tries:
            sleep(min(300.0, max(wait, random.uniform(0, 2.0**attempt))))
    raise SourceError(f"Reddit did not answer for {what} in {tries} attempts; try again later")


def _why(error: prawcore.exceptions.Forbidden) -> str:
    try:
        return str(error.response.json().get("reason") or "forbidden")
    except ValueError:
        return "blocked"


def _seconds(value: str | None) -> float:
    try:
        return max(0.0, float(value or 0))
    except ValueError:
        return 0.0
