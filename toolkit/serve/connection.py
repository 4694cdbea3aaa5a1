"""HTTP connections with a limit on the size of their headers, and on the seconds in which these arrive.

By hand, since uvicorn has neither limit, and an application is asked when the headers are complete.
"""

import asyncio
import json
from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from toolkit.serve.problems import CODES

HEAD_BYTES = 65_536  # of the first line and the headers of a request, about


class Connection(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it, with limits on what comes before the body.

    Args:
        most: connections at a time.
        seconds: in which the headers of a request have to arrive.
        arguments: of uvicorn's protocol.
    """

    def __init__(self, *, most: int, seconds: float, **arguments: Any):
        super().__init__(**arguments)
        self._most, self._seconds, self._head = most, seconds, 0
        self._patience: TimerHandle | None = None

    def connection_made(  # type: ignore[override] # as uvicorn's own  # noqa: D102 - as in asyncio
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.abort()
        else:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:  # noqa: D102
        super().data_received(data)
        self._head += len(data) if self._patience else 0
        if self._head > HEAD_BYTES:
            self._refuse(413, f"expected headers of at most {HEAD_BYTES:,} bytes")

    def on_message_begin(self) -> None:  # noqa: D102 - as in httptools
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:  # noqa: D102
        self._end()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: D102 - as in uvicorn
        self._refuse(400, msg)

    def _begin(self) -> None:
        self._end()
        self._head = 0
        message = f"expected the headers of a request within {self._seconds:g} s"
        self._patience = self.loop.call_later(self._seconds, self._late, message)

    def _end(self) -> None:
        if self._patience:
            self._patience.cancel()
        self._patience = None

    def _late(self, message: str) -> None:
        if self._head:
            self._refuse(408, message)
        else:  # nothing was asked: a browser opens connections ahead of need
            self.transport.close()

    def _refuse(self, status: int, message: str) -> None:
        """Answer without the application, and close."""
        self._end()
        body = json.dumps({"error": {"code": CODES[status], "message": message}})
        lines = f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        if not self.transport.is_closing():
            self.transport.write(f"{lines}Connection: close\r\n\r\n{body}".encode())
            self.transport.close()
