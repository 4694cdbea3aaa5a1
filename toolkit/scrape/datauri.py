"""Pictures that a page holds in itself, as `data:` addresses (RFC 2397)."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from toolkit import images
from toolkit.errors import ImageError, SourceError

MIN_SIDE = 32  # pixels; below that it is an icon, or stands for a picture still to come


def decode(address: str, *, max_bytes: int = 5_000_000) -> tuple[str, bytes]:
    """The media type and the bytes of a `data:` address.

    Forgiving where pages are sloppy: letters of either case, white space, missing padding, the alphabet for addresses.

    Args:
        address: from "data:" on.
        max_bytes: size above which it is refused.

    Raises:
        ValueError: it is none, or damaged.

    >>> decode("data:image/gif;base64,R0lGODlh")
    ('image/gif', b'GIF89a')
    """
    head, comma, body = address.partition(",")
    if head[:5].lower() != "data:" or not comma:
        raise ValueError(f"expected an address such as data:image/png;base64,…, got {address[:40]!r}")
    if len(body) > 3 * max_bytes:  # every byte as %XX is the longest way to write it
        raise ValueError(f"more than the limit of {max_bytes:,} bytes")
    kind, *settings = (part.strip().lower() for part in head[5:].split(";"))
    content = unquote_to_bytes(body)  # leaves a plus sign alone, which base64 needs
    content = _from_base64(content) if "base64" in settings else content
    if len(content) > max_bytes:
        raise ValueError(f"more than the limit of {max_bytes:,} bytes")
    return kind or "text/plain", content


def _from_base64(text: bytes) -> bytes:
    letters = re.sub(rb"\s+", b"", text).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"damaged base64: {error}") from error


def picture(address: str) -> bytes:
    """The bytes of the picture in a `data:` address.

    Raises:
        SourceError: with the reason, if it holds no picture worth having.
    """
    try:
        kind, content = decode(address)
        if kind == "image/svg+xml":
            raise SourceError("a drawing (SVG), not a picture")
        side = min(images.read(content).size)
    except ImageError as error:
        raise SourceError(f"thumbnail in the page: {error.reason}") from error
    except ValueError as error:
        raise SourceError(f"thumbnail in the page: {error}") from error
    if side < MIN_SIDE:
        raise SourceError(f"an icon or a stand-in, shortest side under {MIN_SIDE} pixels")
    return content
