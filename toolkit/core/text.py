"""Text that comes in: as Notepad, Excel, PowerShell and editors of any system save it."""

import codecs

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def encoding(head: bytes) -> str:
    """The encoding that the byte order mark at the beginning of a file tells; UTF-8 without one.

    >>> encoding("a".encode("utf-16")), encoding(b"a")
    ('utf-16', 'utf-8')
    """
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), "utf-8")


def decoded(content: bytes, *, errors: str = "strict") -> str:
    """The text of a file, without its byte order mark; line ends stay as they are.

    Args:
        content: of the file.
        errors: what becomes of bytes that are no text, as in `bytes.decode`.

    >>> decoded(b"\\xef\\xbb\\xbfa.jpg")
    'a.jpg'
    """
    return content.decode(encoding(content), errors)


def lines(content: bytes, *, errors: str = "strict") -> list[str]:
    """The lines that are not blank, whatever system ended them.

    >>> lines("a.jpg\\r\\n\\r\\nb.jpg".encode("utf-16"))
    ['a.jpg', 'b.jpg']
    """
    ended = (line.rstrip("\r") for line in decoded(content, errors=errors).split("\n"))
    return [line for line in ended if line.strip()]
