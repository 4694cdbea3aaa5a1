"""Generations of models: those that answer now, until newer ones take their place, all at once.

A request is answered by one generation from its first byte to its last: no answer is a mixture, and none is lost. The
old one is closed when its last request is answered.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from toolkit.serve.engine import Engine


@dataclass(eq=False)
class Generation:
    """Models that answer together.

    Args:
        engines: of each model, by its name.
        application: ASGI, which asks them.
        under_way: requests that it has not answered yet.
    """

    engines: Mapping[str, Engine]
    application: ASGIApp
    under_way: int = 0

    def warm(self) -> None:
        """Use each model once, since the first answer takes longer."""
        for engine in self.engines.values():
            engine.warm()

    def close(self) -> None:
        """End the processes and the threads."""
        for engine in self.engines.values():
            engine.close()


class Generations:
    """An application that passes each request to the newest generation.

    Args:
        first: the one to begin with; it is warmed when the server starts.
    """

    def __init__(self, first: Generation):
        self.current = first
        self._closing: set[asyncio.Task[None]] = set()

    def full(self) -> bool:
        """Whether the queue of each model is full."""
        return all(engine.full() for engine in self.current.engines.values())

    @property
    def waiting(self) -> int:
        """Pictures that were taken and are not answered yet."""
        return sum(engine.waiting for engine in self.current.engines.values())

    async def replace(self, newer: Generation) -> None:
        """Let newer models answer as soon as they are warm; the old ones answer until then, and what they began."""
        await asyncio.to_thread(newer.warm)
        older, self.current = self.current, newer
        if not older.under_way:
            self._close(older)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        generation = self.current
        generation.under_way += 1
        try:
            await generation.application(scope, receive, send)
        finally:
            generation.under_way -= 1
            if generation is not self.current and not generation.under_way:
                self._close(generation)

    def _close(self, generation: Generation) -> None:
        task = asyncio.create_task(asyncio.to_thread(generation.close))
        self._closing.add(task)  # or nothing would hold it
        task.add_done_callback(self._closing.discard)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await asyncio.to_thread(self.current.warm)
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.gather(*self._closing)
        await asyncio.to_thread(self.current.close)
        await send({"type": "lifespan.shutdown.complete"})
