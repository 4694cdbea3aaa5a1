"""Foreign words as text: names of classes, files and runs, titles and reasons may come from strangers."""

import re

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
ACTIVE = re.compile(r"[\\`*\[\]<>#|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//|[A-Za-z])|(?<=www)\.|@")


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
