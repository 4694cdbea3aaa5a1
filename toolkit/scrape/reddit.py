"""Pictures from subreddits, through PRAW.

Listings are asked for with `Reddit.request`, which keeps PRAW's authorization, pacing and retries, and gives plain
JSON: an odd post costs nothing but itself, and a post without some field is not fetched again to look for it.
"""

import html
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qs, urlsplit

import praw
import prawcore

from toolkit.errors import SourceError
from toolkit.paths import check_label
from toolkit.scrape.folder import ENDINGS
from toolkit.scrape.item import Item, Options

PAGE = 100  # posts Reddit gives at a time, at most
TIMEOUT = (5, 30)  # seconds to connect, and to wait for bytes
DIRECT = ("i.redd.it", "i.imgur.com")
CREDENTIALS = (
    "expected Reddit API credentials, found none; set praw_client_id, praw_client_secret and praw_user_agent in the "
    "environment or in praw.ini (reddit.com/prefs/apps makes them), or practise without: "
    "`toolkit run practice: --into practice`"
)

CHECK = "check praw_client_id and praw_client_secret"


class _Requestor(prawcore.Requestor):
    """PRAW's `timeout` setting does not reach its API calls; this one does."""

    def request(self, *args: object, timeout: object = None, **options: object) -> object:
        return super().request(*args, timeout=TIMEOUT, **options)


def connect(settings: Mapping[str, object] | None = None) -> praw.Reddit:
    """A read-only connection to Reddit.

    Args:
        settings: keyword arguments of `praw.Reddit`; None takes them from the environment or praw.ini.

    Raises:
        SourceError: no credentials.
    """
    try:
        return praw.Reddit(**{"check_for_updates": False, "requestor_class": _Requestor, **(settings or {})})
    except praw.exceptions.MissingRequiredAttributeException as error:
        raise SourceError(CREDENTIALS) from error


def items(
    argument: str, label: str, options: Options, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Item]:
    """The pictures of a subreddit's posts.

    Args:
        argument: name of a subreddit, with or without `r/`.
        label: class of its pictures; "" takes the subreddit's name.
        options: `sort`, `time_filter`, `limit` (pictures), `over_18`, `reddit`.
        sleep: waits between attempts, given a number of seconds.

    Raises:
        SourceError: wrong credentials, or a private, banned or missing subreddit.
    """
    name = argument.strip("/").removeprefix("r/")
    if not re.fullmatch(r"\w{2,21}(\+\w{2,21})*", name):
        raise SourceError(f"expected a subreddit such as reddit:carporn=cars, got {argument!r}")
    label, found = check_label(label or name), 0
    for post in posts(connect(options.reddit), name, options, sleep=sleep):
        for item in _pictures_or_none(post, options):
            yield replace(item, label=label)
            found += 1
            if found == options.limit:
                return


def posts(
    reddit: praw.Reddit, name: str, options: Options, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[dict]:
    """The posts of a listing, page by page, as Reddit's JSON describes them, each once."""
    seen: set[str] = set()
    query: dict[str, object] = {"limit": PAGE, "t": options.time_filter}
    while True:
        ask = partial(reddit.request, method="GET", path=f"r/{name}/{options.sort}", params=dict(query))
        page = _patiently(ask, name, sleep=sleep)
        if not isinstance(page, dict) or "children" not in (page.get("data") or {}):
            raise SourceError(f"expected a listing of r/{name}, got {str(page)[:60]!r}; try again later")
        children = [child.get("data") or {} for child in page["data"]["children"] if child.get("kind") == "t3"]
        fresh = [post for post in children if post.get("id") and post["id"] not in seen]
        seen.update(post["id"] for post in fresh)
        yield from fresh
        after = page["data"].get("after")
        if not after or not fresh:  # nothing fresh: the cursor runs in a circle
            return
        query |= {"after": after, "count": len(seen)}


def _pictures_or_none(post: Mapping[str, object], options: Options) -> list[Item]:
    """What `pictures` finds; nothing in a post that is not as Reddit's posts are."""
    try:
        return pictures(post, over_18=options.over_18)
    except (AttributeError, KeyError, TypeError, ValueError):
        return []


def pictures(post: Mapping[str, object], *, over_18: bool = False) -> list[Item]:
    """The pictures a post shows, in their order; none if it was removed or shows none.

    A crosspost's pictures are those of the post it points to. Addresses keep their case: most hosts care.
    """
    shown = next((parent for parent in post.get("crosspost_parent_list") or [] if parent), post)
    if post.get("removed_by_category") or shown.get("removed_by_category"):
        return []
    if shown.get("is_video") or ((post.get("over_18") or shown.get("over_18")) and not over_18):
        return []
    if shown.get("is_gallery") or shown.get("gallery_data"):
        addresses = _gallery(shown)
    else:
        addresses = _single(shown)
    page = "https://www.reddit.com" + str(post.get("permalink") or f"/comments/{post.get('id')}/")
    return [
        Item("", "reddit", f"{post['id']}-{place}", url=first, fallbacks=tuple(others), page_url=page)
        for place, (first, *others) in enumerate(addresses)
        if first.isprintable()
    ]


def _gallery(post: Mapping[str, object]) -> list[list[str]]:
    """Addresses per picture of a gallery; its order is that of gallery_data, media_metadata has none."""
    metadata, found = post.get("media_metadata") or {}, []
    for entry in (post.get("gallery_data") or {}).get("items") or []:
        media = metadata.get(entry.get("media_id")) or {}
        address = html.unescape((media.get("s") or {}).get("u") or "")
        if media.get("status") == "valid" and media.get("e", "Image") == "Image" and address:
            found.append(_originals(address))
    return found


def _single(post: Mapping[str, object]) -> list[list[str]]:
    """Addresses of the one picture a post links to, or none."""
    address = html.unescape(str(post.get("url_overridden_by_dest") or post.get("url") or ""))
    parts = urlsplit(address)
    if (parts.hostname or "").endswith("reddit.com") and parts.path == "/media":
        address = parse_qs(parts.query).get("url", [""])[0]
        parts = urlsplit(address)
    host, path = parts.hostname or "", parts.path.lower()
    previews = (post.get("preview") or {}).get("images") or [{}]
    preview = html.unescape((previews[0].get("source") or {}).get("url") or "")
    if path.endswith((".gifv", ".mp4", ".gif", ".webm")) or parts.scheme not in ("http", "https"):
        return []
    if re.fullmatch(r"(www\.|m\.)?imgur\.com", host):
        name = parts.path.strip("/")
        return [[f"https://i.imgur.com/{name}.jpg"]] if re.fullmatch(r"\w{5,8}", name) else []
    if host in DIRECT or path.endswith(ENDINGS):
        return [[*_originals(address), *([preview] if preview else [])]]
    return [[preview]] if post.get("post_hint") == "image" and preview else []


def _originals(address: str) -> list[str]:
    """A preview's original first, then the preview itself, whose signed query must not be touched."""
    parts = urlsplit(address)
    if parts.hostname != "preview.redd.it":
        return [address]
    name = re.sub(r"^.*-v0-", "", parts.path.rpartition("/")[2])
    return [f"https://i.redd.it/{name}", address]


def _patiently(
    call: Callable[[], object], name: str, *, tries: int = 6, sleep: Callable[[float], None] = time.sleep
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
            raise SourceError(f"r/{name} is {_why(error)}; leave it out or ask its moderators") from error
        except (prawcore.exceptions.NotFound, prawcore.exceptions.Redirect) as error:
            raise SourceError(f"r/{name} does not exist or was banned; check its name") from error
        except prawcore.exceptions.TooManyRequests as error:
            headers = error.response.headers
            wait = max(_seconds(headers.get("retry-after")), _seconds(headers.get("x-ratelimit-reset")))
        except prawcore.exceptions.ResponseException as error:
            status = error.response.status_code
            if status in (400, 401, 403) and "access_token" in error.response.url:
                raise SourceError(f"Reddit refused the credentials (HTTP {status}); {CHECK}") from error
            if 300 <= status < 500 and status not in (408, 425, 429):
                raise SourceError(f"r/{name} cannot be read: HTTP {status}") from error
        except (prawcore.exceptions.PrawcoreException, KeyError, ValueError):
            pass  # a lost connection, a page of HTML, or a header PRAW cannot parse: the next attempt may go better
        if attempt + 1 < tries:
            sleep(min(300.0, max(wait, random.uniform(0, 2.0**attempt))))
    raise SourceError(f"Reddit did not answer for r/{name} in {tries} attempts; try again later")


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
