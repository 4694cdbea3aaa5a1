"""Words of sentences, and foreign words as text: names of classes, files and runs and reasons may be a stranger's."""

import re
from collections.abc import Iterable

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
ACTIVE = re.compile(r"[\\`*\[\]<>#|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//|[A-Za-z])|(?<=www)\.|@")

PLURALS = {"duplicate": "duplicates", "label conflict": "label conflicts", "ok": "in use"}


def listed(names: Iterable[str], *, most: int = 12) -> str:
    """Names as a sentence has them; of very many the first, and how many more there are.

    >>> listed(["cars", "tanks", "buses"]), listed("abcd", most=2)
    ('cars, tanks and buses', 'a, b and 2 more')
    """
    names = list(names)
    more = len(names) - most
    if more > 1:
        return f"{', '.join(names[:most])} and {more:,} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def counted(count: int, noun: str = "picture") -> str:
    """How many of something, with thousands separated and the plural where there is one.

    >>> counted(1), counted(1200), counted(4, "label conflict"), counted(2, "unreadable")
    ('1 picture', '1,200 pictures', '4 label conflicts', '2 unreadable')
    """
    plural = PLURALS.get(noun, noun + "s" if noun in ("picture", "test picture", "file") else noun)
    return f"{count:,} {noun if count == 1 and noun != 'ok' else plural}"


def named(label: str) -> str:
    """A label as a sentence has it: in quotes where it could be read as a number.

    >>> named("cars"), named("6")
    ('cars', '“6”')
    """
    return label if any(letter.isalpha() for letter in label) else f"“{label}”"


def printable(text: str) -> str:
    r"""Text for a terminal: characters that move the cursor or turn what follows round are seen as escapes.

    >>> printable("cars\x1b[2J")
    'cars\\x1b[2J'
    """
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def markdown(text: object) -> str:
    r"""Text as Markdown that shows it, in one line: no picture, link, heading or code is made of it.

    >>> markdown("![x](http://example.org)")
    '!\\[x\\](http\\://example.org)'
    """
    return ACTIVE.sub(r"\\\g<0>", " ".join(printable(str(text)).split()))
