"""Names of licences, and the line that names whoever made a picture."""

import html
import re

from toolkit.errors import SourceError
from toolkit.scrape.item import Options

FREE = ("cc0", "pdm", "by", "by-sa")  # these allow changes and commercial use
CREATIVE_COMMONS = (*FREE, "by-nc", "by-nd", "by-nc-sa", "by-nc-nd")
OTHER = ("no-known", "us-gov")  # no known copyright restrictions; a work of the United States government
NAMELESS = ("cc0", "pdm")  # these ask for no name


def chosen(options: Options, *, default: tuple[str, ...] = FREE) -> tuple[str, ...]:
    """Codes of the licences to take: those of the options, or the default.

    Raises:
        SourceError: one of them is no licence.

    >>> chosen(Options())
    ('cc0', 'pdm', 'by', 'by-sa')
    """
    known = (*CREATIVE_COMMONS, *OTHER)
    unknown = [name for name in options.licenses if name not in known]
    if unknown:
        raise SourceError(f"expected licences among {', '.join(known)}, got {unknown[0]!r}; correct it")
    return tuple(options.licenses) or default


def code(name: str) -> str:
    """Short code of a licence from its name or its address; "" for one that is not known here.

    >>> code("CC BY-SA 4.0"), code("Public domain"), code("https://creativecommons.org/publicdomain/zero/1.0/")
    ('by-sa', 'pdm', 'cc0')
    """
    text = re.sub(r"[\s_]+", "-", name.strip().lower())
    if "cc0" in text or "cc-zero" in text or "publicdomain/zero" in text:
        return "cc0"
    if re.search(r"public-?domain|^(cc-)?pdm?\b", text):
        return "pdm"
    terms = re.search(r"(?:cc-|licenses/|^)(by(?:-(?:nc|nd|sa))*)\b", text)
    return terms[1] if terms else ""


def name(code: str, version: str = "") -> str:
    """A licence as people write it.

    >>> name("by-sa", "4.0"), name("cc0", "1.0"), name("pdm")
    ('CC BY-SA 4.0', 'CC0 1.0', 'Public Domain Mark')
    """
    words = {"cc0": "CC0", "pdm": "Public Domain Mark"}.get(code, f"CC {code.upper()}")
    return f"{words} {version}".strip()


def line(title: str, creator: str, license: str, where: str) -> str:
    """The line that names a picture's creator.

    >>> line("A tank", "Ann", "CC BY 4.0", "Wikimedia Commons")
    '"A tank" by Ann, CC BY 4.0, via Wikimedia Commons'
    """
    words = [f'"{title}"' if title else "Untitled", f"by {creator}" if creator else "by an unnamed author"]
    return ", ".join(part for part in (" ".join(words), license, f"via {where}" if where else "") if part)


def plain(text: object) -> str:
    """The words of a piece of HTML; "" for anything that is no text.

    >>> plain('<a href="/wiki/User:Ann">Ann</a> &amp; Bo')
    'Ann & Bo'
    """
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split()) if isinstance(text, str) else ""
