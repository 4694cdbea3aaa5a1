"""A small HTTP client that keeps many connections busy, so that what is measured is the server."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
ENDS = re.compile(rb"^HTTP/1\.0|connection: *close", re.IGNORECASE)
LOST, REFUSED = 0, -1  # instead of a status: asked and not answered; not let in
PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Asked:
    """What became of a request: its status, when it was answered, and how long that took, in seconds."""

    status: int
    moment: float
    seconds: float


class Connection:
    """One connection, opened again where the server closes it.

    Args:
        port: on this machine.
    """

    def __init__(self, port: int):
        self._port, self._line = port, None

    async def ask(self, request: bytes) -> Asked:
        """Send a whole request and read its answer."""
        started = time.perf_counter()
        status = await self._status(request)
        return Asked(status, time.perf_counter(), time.perf_counter() - started)

    async def _status(self, request: bytes) -> int:
        try:
            self._line = self._line or await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        except ConnectionError:
            return REFUSED
        reader, writer = self._line
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = LENGTH.search(head)
                await (reader.readexactly(int(length[1])) if length else reader.read())
        except (OSError, EOFError, TimeoutError):
            self.close()
            return LOST
        if ENDS.search(head) or not length:
            self.close()
        return int(head[9:12])

    def close(self) -> None:
        """Let go of the connection."""
        if self._line:
            with contextlib.suppress(OSError):
                self._line[1].close()
        self._line = None


async def load(port: int, requests: Sequence[bytes], *, connections: int, until: Callable[[], bool]) -> list[Asked]:
    """Ask over all connections at once, over and over.

    Args:
        port: on this machine.
        requests: that are sent in turn.
        connections: at a time; each sends its next request when it has the answer to the last.
        until: says when to end.
    """
    found: list[Asked] = []

    async def busy(number: int) -> None:
        line = Connection(port)
        while not until():
            number += connections
            found.append(await line.ask(requests[number % len(requests)]))
            if found[-1].status == REFUSED:
                break
        line.close()

    await asyncio.gather(*map(busy, range(connections)))
    return found


def for_seconds(seconds: float) -> Callable[[], bool]:
    """An `until` by the clock."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


def post(path: str, body: bytes, kind: str = "application/octet-stream") -> bytes:
    """A request with a body."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def form(path: str, pictures: Sequence[bytes]) -> bytes:
    """A request with pictures as the files of a form."""
    part = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n\r\n'
    body = b"".join(part + picture + b"\r\n" for picture in pictures) + b"--limit--\r\n"
    return post(path, body, "multipart/form-data; boundary=limit")


def figures(found: Sequence[Asked]) -> dict[str, float]:
    """Answers per second, and milliseconds below which 50, 95 and 99 of 100 were answered."""
    good = [one for one in found if one.status == 200]
    moments = [one.moment for one in good]
    rate = (len(good) - 1) / (max(moments) - min(moments)) if len(good) > 1 else 0.0
    taken = np.percentile([1000 * one.seconds for one in good] or [np.nan], [50, 95, 99])
    return {"per second": rate, **{f"p{share} ms": float(ms) for share, ms in zip((50, 95, 99), taken, strict=True)}}
