"""The pictures of a Reddit post, from the JSON that describes it."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from toolkit import images
from toolkit.scrape.item import Item, Options

Post = Mapping[str, Any]  # as Reddit's JSON describes it
DIRECT = ("i.redd.it", "i.imgur.com")
BY_AUTHOR = ("deleted", "author")
DELETED = "[deleted by user]"  # what Reddit puts in place of a title


def found_in(post: Post, options: Options) -> list[Item]:
    """The `pictures` of a post; none of one that lacks the usual fields."""
    try:
        return pictures(post, over_18=options.over_18)
    except (AttributeError, KeyError, TypeError, ValueError):
        return []


def why_none(post: Post, options: Options) -> str:
    """Why a post gives no picture, in words."""
    try:
        shown = _shown(post)
        if removed(post):
            return "removed post"
        if shown.get("is_video"):
            return "video"
        if (post.get("over_18") or shown.get("over_18")) and not options.over_18:
            return "adult post"
        return "post without a picture"
    except (AttributeError, KeyError, TypeError, ValueError):
        return "post that lacks the usual fields"


def pictures(post: Post, *, over_18: bool = False) -> list[Item]:
    """The pictures a post shows, in their order; none if it was removed or shows none.

    A crosspost's pictures are those of the post it points to. Addresses keep their case: most hosts care.
    """
    shown = _shown(post)
    if removed(post):
        return []
    if shown.get("is_video") or ((post.get("over_18") or shown.get("over_18")) and not over_18):
        return []
    if shown.get("is_gallery") or shown.get("gallery_data"):
        addresses = _gallery(shown)
    else:
        addresses = _single(shown)
    page = "https://www.reddit.com" + str(post.get("permalink") or f"/comments/{post.get('id')}/")
    return [
        Item("", "reddit", f"{post['id']}-{index}", url=first, fallbacks=tuple(others), page_url=page)
        for index, (first, *others) in enumerate(addresses)
        if first.isprintable()
    ]


def removed(post: Post) -> str:
    """Why a post, or the one it is a crosspost of, is no longer shown, in words; "" if it is."""
    shown = _shown(post)
    category = post.get("removed_by_category") or shown.get("removed_by_category")
    if category in BY_AUTHOR or DELETED in (post.get("title"), shown.get("title")):
        return "removed by its author on Reddit"
    return "removed on Reddit" if category else ""


def _shown(post: Post) -> Post:
    """The post that holds the pictures: of a crosspost, the one it points to."""
    return next((parent for parent in post.get("crosspost_parent_list") or [] if isinstance(parent, Mapping)), post)


def _gallery(post: Post) -> list[list[str]]:
    """Addresses per picture of a gallery; its order is that of gallery_data, media_metadata has none."""
    metadata = post.get("media_metadata") or {}
    addresses = []
    for entry in (post.get("gallery_data") or {}).get("items") or []:
        media = metadata.get(entry.get("media_id")) or {}
        address = _written_out((media.get("s") or {}).get("u"))
        if media.get("status") == "valid" and media.get("e", "Image") == "Image" and address:
            addresses.append(_originals(address))
    return addresses


def _single(post: Post) -> list[list[str]]:
    """Addresses of the one picture a post links to, or none."""
    address = str(post.get("url_overridden_by_dest") or post.get("url") or "")  # as it is: raw JSON was asked for
    parts = urlsplit(address)
    if (parts.hostname or "").endswith("reddit.com") and parts.path == "/media":
        address = parse_qs(parts.query).get("url", [""])[0]
        parts = urlsplit(address)
    host, path = parts.hostname or "", parts.path.lower()
    previews = (post.get("preview") or {}).get("images") or [{}]
    preview = _written_out((previews[0].get("source") or {}).get("url"))
    if path.endswith((".gifv", ".mp4", ".gif", ".webm")) or parts.scheme not in ("http", "https"):
        return []
    imgur = _on_imgur(parts.path) if re.fullmatch(r"(www\.|m\.)?imgur\.com", host) else ""
    if imgur:
        return [[imgur, *([preview] if preview else [])]]
    if host in DIRECT or path.endswith(images.ENDINGS):
        return [[*_originals(address), *([preview] if preview else [])]]
    return [[preview]] if post.get("post_hint") == "image" and preview else []


def _on_imgur(path: str) -> str:
    """The address of the picture that a page of Imgur shows; "" of an album, whose name is not that of a picture."""
    page = re.fullmatch(r"/(?:r/\w+/)?(?:[\w-]*-)?(\w{5,8})(\.\w+)?/?", path)
    return f"https://i.imgur.com/{page[1]}{page[2] or '.jpg'}" if page else ""


def _written_out(address: str | None) -> str:
    """An address of a preview, which may be escaped though raw JSON was asked for."""
    return (address or "").replace("&amp;", "&")


def _originals(address: str) -> list[str]:
    """A preview's original first, then the preview itself, whose signed query must not be touched."""
    parts = urlsplit(address)
    if parts.hostname != "preview.redd.it":
        return [address]
    name = re.sub(r"^.*-v0-", "", parts.path.rpartition("/")[2])
    return [f"https://i.redd.it/{name}", _written_out(address)]
