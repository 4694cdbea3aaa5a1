"""The profile of a result page: the address of a search, and the selectors of what is on the page."""

import re
import tomllib
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

from toolkit.core.text import decoded
from toolkit.errors import SourceError

INSTEAD = "use wikimedia:, openverse:, flickr: or folder: instead"
OFF = {
    "google": "its terms forbid automated queries, and its search API takes no new customers and ends in January 2027",
    "bing": "its terms forbid automated queries, and its search API was closed in August 2025",
    "yahoo": "its terms forbid automated queries, and it has no API for pictures",
}


@dataclass(frozen=True)
class Profile:
    """A result page.

    Args:
        url: where a search leads, with {query} in it.
        tile: selector of one result.
        image: selector of the thumbnail within a tile.
        image_attributes: where the thumbnail's address is; the first that is there counts.
        full: selector, within a tile, of what holds the link to the picture; "" for the tile itself.
        full_attribute: attribute of that with the link; "" if tiles have thumbnails only.
        full_key, page_key, title_key: if the attribute holds JSON, the keys in it; "" otherwise.
        consent, more, end: selectors of the consent button, of 'show more', and of what is shown after the last result;
            "" if the page has none.
        hosts: other hosts the page itself may load from; all others cannot be reached from it.
        pause: seconds between two looks, more or less.
        idle: seconds without a new result after which nothing more is expected.
        max_seconds: for one search in all.
        source: where the profile was read, for messages.
    """

    url: str
    tile: str
    image: str = "img"
    image_attributes: tuple[str, ...] = ("data-src", "src")
    full: str = ""
    full_attribute: str = ""
    full_key: str = ""
    page_key: str = ""
    title_key: str = ""
    consent: str = ""
    more: str = ""
    end: str = ""
    hosts: tuple[str, ...] = ()
    pause: float = 1.5
    idle: float = 10.0
    max_seconds: float = 300.0
    source: str = ""

    def address(self, query: str, *, endpoint: str = "") -> str:
        """Where a search for `query` leads; `endpoint` replaces scheme and host."""
        address = self.url.replace("{query}", quote_plus(query))
        if endpoint:
            parts, other = urlsplit(address), urlsplit(endpoint)
            address = parts._replace(scheme=other.scheme, netloc=other.netloc).geturl()
        return address


def load(name: str) -> Profile:
    """The profile of a name that is shipped, such as "practice", or of a TOML file.

    Raises:
        SourceError: there is none, it has mistakes, or its page wants no programs.
    """
    _refuse_closed(name)
    profile = _parsed(*_text(name))
    _refuse_closed(urlsplit(profile.url).hostname or "")
    return profile


def _refuse_closed(name: str) -> None:
    engine = next((engine for engine in OFF if re.search(rf"(^|\.){engine}(\.[a-z.]+)?$", name.lower())), None)
    if engine:
        raise SourceError(f"page:{engine} is off: {OFF[engine]}; {INSTEAD}")


def _text(name: str) -> tuple[str, str]:
    """The content of a profile, and where it is."""
    shipped = resources.files("toolkit.scrape") / "profiles"
    names = sorted(Path(entry.name).stem for entry in shipped.iterdir() if entry.name.endswith(".toml"))
    file = shipped / f"{name}.toml" if name in names else Path(name).expanduser()
    try:
        return decoded(file.read_bytes()), str(file)
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"expected the profile of a result page, {', '.join(names)} or the path of a TOML file, got {name!r}; copy "
            f"{shipped / 'practice.toml'} to write one"
        ) from error


def _parsed(text: str, source: str) -> Profile:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"expected TOML in {source}, got: {error}; mend that line") from error
    kinds = {entry.name: entry.type for entry in fields(Profile) if entry.name != "source"}
    for name, value in values.items():
        _check(name, value, kinds, source)
    for name, part in (("url", "{query}"), ("tile", "")):
        if not values.get(name) or part not in values[name]:
            raise SourceError(f'expected {name} = "…{part}…" in {source}, got {values.get(name)!r}; add it')
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return replace(Profile(**values), source=source)


def _check(name: str, value: object, kinds: dict[str, Any], source: str) -> None:
    if name not in kinds:
        raise SourceError(f"expected one of {', '.join(kinds)} in {source}, got {name!r}; mend its name")
    texts = isinstance(value, list) and all(isinstance(text, str) for text in value)
    number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    if kinds[name] is str:
        expected, fits = "text", isinstance(value, str)
    elif kinds[name] is float:
        expected, fits = "a number of seconds", number
    else:
        expected, fits = "a list of texts", texts
    if not fits:
        raise SourceError(f"expected {expected} for {name} in {source}, got {value!r}")
