"""Bodies of answers that come packed, as some servers send them whatever is asked for (RFC 9110, 8.4)."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

GZIP = b"\x1f\x8b"
PICTURES = (b"\xff\xd8", b"\x89P", b"GI", b"RI", b"BM", b"II", b"MM", b"\0\0")  # what pictures begin with
KNOWN = {"", "identity", "gzip", "x-gzip", "deflate"}
PIECE = 1 << 16  # bytes that are unpacked at a time


class Unpackable(ValueError):
    """A body that is packed in a way that was not asked for, or is damaged."""


def unpacked(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The pieces of a body, unpacked; no piece is longer than what came or `PIECE`, so a limit can be kept.

    A body is what its bytes say: one that begins as gzip does is unpacked though no header says so, and one that is
    called packed and is not is left as it is.

    Args:
        chunks: of the body, as they come.
        encoding: the header Content-Encoding.

    Raises:
        Unpackable: another encoding, or damaged.

    >>> b"".join(unpacked([zlib.compress(b"picture")], "deflate"))
    b'picture'
    """
    names = [name.strip().lower() for name in encoding.split(",")]
    if unknown := [name for name in names if name not in KNOWN]:
        raise Unpackable(f"packed as {unknown[0][:20]}, which was not asked for")
    for _ in range(max(1, sum(name not in ("", "identity") for name in names))):
        chunks = _once(chunks, deflate="deflate" in names)
    yield from chunks


def _once(chunks: Iterable[bytes], *, deflate: bool) -> Iterator[bytes]:
    pieces = iter(chunks)
    head = b""
    for piece in pieces:
        head += piece
        if len(head) > 1:
            break
    bits = _window(head, deflate)
    if not bits:
        yield head
        yield from pieces
        return
    yield from _inflated(head, pieces, zlib.decompressobj(bits))


def _window(head: bytes, deflate: bool) -> int:
    """What zlib calls the window of a body that begins so; 0 if it is not packed."""
    if head.startswith(GZIP):
        return 16 + zlib.MAX_WBITS
    if (
        not deflate
        or len(head) < 2
        or head.startswith((b"\xff\xd8", b"\x89P", b"GI", b"RI", b"BM", b"II", b"MM", b"\0\0"))
    ):
        return 0
    has_header = head[0] & 15 == 8 and int.from_bytes(head[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


def _inflated(head: bytes, pieces: Iterator[bytes], inflating: Any) -> Iterator[bytes]:
    waiting = head
    try:
        while not inflating.eof:
            yield inflating.decompress(waiting, PIECE)
            waiting = inflating.unconsumed_tail or next(pieces, b"")
            if not waiting:
                yield inflating.flush()
                break
    except zlib.error as error:
        raise Unpackable(f"damaged: {error}") from error
    if not inflating.eof:
        raise Unpackable("damaged: it breaks off within what is packed")
    for _ in pieces:  # what follows is read to its end, and is nothing
        pass
