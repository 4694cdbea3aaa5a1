"""Pictures written into an address itself: `data:image/jpeg;base64,…` (RFC 2397)."""

import base64
import re
from urllib.parse import unquote_to_bytes

from toolkit import images
from toolkit.errors import SourceError


def decode(address: str, *, max_bytes: int) -> bytes:
    """The bytes of the picture in a `data:` address.

    Args:
        address: base64 or percent-encoded; missing padding, white space and the URL alphabet are accepted.
        max_bytes: size above which it is refused.

    Raises:
        SourceError: it is no such address, too large, damaged, or no picture in a format that is read.

    >>> decode("data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=", max_bytes=1000)[:6]
    b'GIF89a'
    """
    head, comma, body = address.strip().partition(",")
    if not comma or not head.lower().startswith("data:"):
        raise SourceError(f"expected an address such as data:image/png;base64,…, got {address[:40]!r}")
    if len(body) > 4 * max_bytes:  # percent-encoding takes three characters for a byte
        raise SourceError(f"more than the limit of {max_bytes:,} bytes")
    content = unquote_to_bytes(body)
    if "base64" in [word.strip() for word in head.lower().split(";")[1:]]:
        content = _from_base64(content)
    if len(content) > max_bytes:
        raise SourceError(f"more than the limit of {max_bytes:,} bytes")
    if images.sniff(content) is None:
        raise SourceError(f"not a picture in a format that is read ({head[:40] or 'no type'})")
    return content


def _from_base64(text: bytes) -> bytes:
    letters = re.sub(rb"[\s=]", b"", text).replace(b"-", b"+").replace(b"_", b"/")
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
    except ValueError as error:
        raise SourceError("damaged: not base64") from error
