"""A result page as picture searches have them: consent, lazy and inline thumbnails, endless scrolling, 'show more'."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from importlib import resources

from PIL import Image, ImageOps

from toolkit.practice.draw import LABELS
from toolkit.practice.files import File
from toolkit.practice.posts import Content

BATCH = 12  # tiles that come at a time
PAUSE = 24  # tiles after which a person must ask for more
SHOWN = ("plain", "plain, wrong subreddit", "missing", "html")  # kinds of files that have a tile
ROBOTS = b"User-agent: *\nDisallow: /private\n"
SVG = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='24' height='24'/%3E"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
BROKEN = "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ=="
ODD = {3: SVG, 9: PIXEL, 14: BROKEN}  # place in the results: a tile without a link whose image is no picture

HTML, JSON, TEXT, JPEG = "text/html; charset=utf-8", "application/json", "text/plain", "image/jpeg"


class Pages:
    """The pages beside the API.

        /robots.txt                        what a program may ask for
        /search?q=cars                     the result page; /private/search is the same one, forbidden to programs
        /search/more?q=cars&start=12       what it asks for while somebody scrolls
        /thumb/NAME                        a small copy of a picture

    Args:
        content: what there is.
        encode: gives the bytes of a file.
    """

    def __init__(self, content: Content, encode: Callable[[File], bytes]):
        self.content, self.encode = content, encode

    def get(self, path: str, query: dict[str, str]) -> tuple[bytes, str] | None:
        """The body and the type of the page at `path`, None if there is no such page."""
        if path == "/robots.txt":
            return ROBOTS, TEXT
        if path in ("/search", "/private/search"):
            return resources.files("toolkit.practice").joinpath("search.html").read_bytes(), HTML
        if path == "/search/more":
            return json.dumps(self._batch(query)).encode(), JSON
        file = self.content.files.get(path.removeprefix("/thumb/"))
        return (self._thumbnail(file), JPEG) if file and file.kind in SHOWN else None

    def results(self, asked: str) -> list[File | str]:
        """What is shown for a search: files, and in between the odd image that is no picture."""
        label = next((label for label in LABELS if label.rstrip("s") in asked.lower()), None)
        found = [file for file in self.content.files.values() if file.label == label and file.kind in SHOWN]
        shown: list[File | str] = list(found)
        for place, image in ODD.items() if found else ():
            shown.insert(place, image)
        return shown

    def _batch(self, query: dict[str, str]) -> dict:
        start, shown = int(query.get("start", "0")), self.results(query.get("q", ""))
        end = min(start + BATCH, len(shown))
        tiles = [self._tile(place, shown[place]) for place in range(start, end)]
        return {"tiles": tiles, "done": end >= len(shown), "pause": end % PAUSE == 0}

    def _tile(self, place: int, shown: File | str) -> dict:
        """One result: three in four link to the picture itself, the fourth has nothing but its thumbnail."""
        if isinstance(shown, str):
            return {"about": {"title": "Sponsored"}, "image": f'src="{shown}"'}
        thumb = f"/thumb/{shown.name}"
        inline = "data:image/jpeg;base64," + base64.b64encode(self._thumbnail(shown)).decode()
        images = (
            f'src="{inline}"',
            f'src="{PIXEL}" data-src="{thumb}"',
            f'src="{thumb}" srcset="{thumb} 1x, {thumb}?twice 2x" loading="lazy"',
            f'src="{inline}"',
        )
        about = {"title": f"{shown.label} {place}", "page": f"/search?q={shown.label}#{place}"}
        linked = {} if place % 4 == 3 and shown.kind.startswith("plain") else {"full": f"/i/{shown.name}"}
        return {"about": about | linked, "image": images[place % 4]}

    def _thumbnail(self, file: File) -> bytes:
        buffer = io.BytesIO()
        if file.kind.startswith("plain"):
            picture = ImageOps.exif_transpose(Image.open(io.BytesIO(self.encode(file)))).convert("RGB")
        else:
            picture = Image.new("RGB", (160, 120), (190, 196, 203))  # the page remembers less than it links to
        picture.thumbnail((240, 170))
        picture.save(buffer, "JPEG", quality=70)
        return buffer.getvalue()
