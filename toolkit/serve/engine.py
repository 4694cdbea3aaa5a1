"""Dynamic batching: some processes decode pictures, and threads compute the probabilities of batches of them.

A decoder has a deadline, and a process of its own, which is ended when it takes longer: nothing else stops one.

No request waits for a batch to fill: a session that is free takes its share of the queue. Under low load a batch is one
picture, under high load it grows.
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from toolkit import images
from toolkit.core import workers
from toolkit.core.deadline import Deadline, TooLate
from toolkit.errors import ImageError, ToolkitError
from toolkit.images import opening
from toolkit.model import abstaining
from toolkit.model.classifier import Classifier, Outputs
from toolkit.serve.config import Config
from toolkit.serve.keeping import Keeper
from toolkit.serve.metrics import Metrics
from toolkit.serve.problems import Problem, overloaded

Picture = bytes | np.ndarray
Result = Outputs | Problem  # what the model gives for one picture, or why it gives nothing


class Engine:
    """Processes that decode pictures, and threads that compute their probabilities.

    Args:
        sessions: copies of one model, each used by one thread at a time.
        config: the limits.
        metrics: counts the batches.
        keeper: of pictures; None keeps none.
    """

    def __init__(
        self, sessions: Sequence[Classifier], config: Config, metrics: Metrics, keeper: Keeper | None = None
    ) -> None:
        self.config, self.model, self._keeper = config, sessions[0], keeper
        self._metrics, self._sessions = metrics, tuple(sessions)
        self._limits = abstaining.limits(self.model)
        self._idle = list(sessions)
        self._queue: deque[tuple[np.ndarray, asyncio.Future[Outputs]]] = deque()
        self._decoders = Deadline(opening.prepared, most=workers.cores(), seconds=config.open_seconds)
        self._openers = ThreadPoolExecutor(workers.cores(), "open pictures")
        self._askers = ThreadPoolExecutor(len(sessions), "ask the model")
        self.waiting = 0

    def warm(self) -> None:
        """Warm up: use each session and each process once, since the first answer takes longer."""
        session = self._sessions[0]
        blank = images.to_png(np.zeros((8, 8, 3), np.uint8)), session.size, session.resize_mode, 64
        with contextlib.suppress(ToolkitError):  # a slow start is made up for later
            list(self._openers.map(self._decoders.run, [blank] * workers.cores()))
        for session in self._sessions:
            session.ask(np.zeros((1, session.size, session.size, 3), np.uint8))

    def close(self) -> None:
        """End the processes and the threads."""
        self._decoders.close()
        self._openers.shutdown(cancel_futures=True)
        self._askers.shutdown(cancel_futures=True)

    def full(self) -> bool:
        """Whether the queue is full."""
        return self.waiting >= self.config.max_queue

    async def answer(self, pictures: Sequence[Picture]) -> list[Result]:
        """What the model gives for pictures.

        Args:
            pictures: the bytes of files, or uint8 arrays of shape (height, width, 3), RGB.

        Returns:
            For each picture its outputs, of which the familiarity is a number; or the problem with it.

        Raises:
            Problem: the queue is full.
        """
        if self.waiting + len(pictures) > self.config.max_queue:
            raise overloaded(f"{self.waiting} pictures are waiting, and {self.config.max_queue} may")
        self.waiting += len(pictures)
        try:
            results = await asyncio.gather(*map(self._one, pictures))
        finally:
            self.waiting -= len(pictures)
        for picture, result in zip(pictures, results, strict=True):
            self._metrics.pictures.labels(result.code if isinstance(result, Problem) else "answered").inc()
            if not isinstance(result, Problem):
                self._answered(picture, result)
        return results

    def _answered(self, picture: Picture, given: Outputs) -> None:
        """Count an answer, and keep its picture where that was asked for."""
        best = int(given.probabilities.argmax())
        label, probability = self.model.classes[best], float(given.probabilities[best])
        familiarity = None if given.familiarity is None else float(given.familiarity)
        self._metrics.answers.labels(label).inc()
        self._metrics.confidence.observe(probability)
        if familiarity is not None:
            self._metrics.familiarity.observe(familiarity)
        if probability < self._limits[label]:
            self._metrics.abstained.inc()
        if self._keeper:
            self._keeper.offer(picture, label, probability, familiarity)

    async def _one(self, picture: Picture) -> Result:
        loop = asyncio.get_running_loop()
        try:
            pixels = await loop.run_in_executor(self._openers, self._opened, picture)
        except Problem as problem:
            return problem
        answer = loop.create_future()
        self._queue.append((pixels, answer))
        self._share()
        return await answer

    def _opened(self, picture: Picture) -> np.ndarray:
        """A picture as the model takes it, if it is within the limits."""
        session = self._sessions[0]
        if isinstance(picture, np.ndarray):
            self._check(picture.shape[0] * picture.shape[1])
            return session.prepare_frame(picture)
        if not picture:
            raise Problem(422, "expected the bytes of a picture, got none", code="empty")
        format, formats = images.sniff(picture[:32]), self.config.formats
        if format not in formats:
            raise Problem(415, f"expected a format of {', '.join(formats)}, got {format or 'something else'}")
        try:
            return self._decoders.run((picture, session.size, session.resize_mode, self.config.max_pixels))
        except ImageError as error:
            if error.status == opening.TOO_MANY_PIXELS:
                raise Problem(422, error.reason, code="too_many_pixels") from error
            raise Problem(422, f"the picture cannot be opened: {error.reason}", code="unreadable") from error
        except TooLate as error:
            message = f"expected a picture that is opened within {self.config.open_seconds:g} s"
            raise Problem(422, message, code="too_much_work") from error
        except ToolkitError as error:  # its process died, of memory perhaps
            raise Problem(422, f"the picture cannot be opened: {error}", code="unreadable") from error

    def _check(self, pixels: float) -> None:
        if pixels > self.config.max_pixels:
            raise Problem(
                422, f"expected at most {self.config.max_pixels:,} pixels, got {pixels:,}", code="too_many_pixels"
            )

    def _share(self) -> None:
        """Divide the queue among the sessions that are free."""
        while self._idle and self._queue:
            size = min(self.config.max_batch, math.ceil(len(self._queue) / len(self._idle)))
            taken = [self._queue.popleft() for _ in range(size)]
            batch = [(pixels, answer) for pixels, answer in taken if not answer.cancelled()]
            if batch:
                self._ask(self._idle.pop(), *zip(*batch, strict=True))

    def _ask(self, session: Classifier, pixels: tuple[np.ndarray, ...], answers: tuple[asyncio.Future, ...]) -> None:
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._askers, self._outputs, session, pixels)
        asked.add_done_callback(partial(self._done, session, answers))

    def _outputs(self, session: Classifier, pixels: tuple[np.ndarray, ...]) -> list[Outputs]:
        started = time.perf_counter()
        outputs = session.ask(np.stack(pixels), batch_size=len(pixels))
        self._metrics.inference.observe(time.perf_counter() - started)
        self._metrics.batches.observe(len(pixels))
        return outputs.each()

    def _done(self, session: Classifier, answers: tuple[asyncio.Future, ...], asked: asyncio.Future) -> None:
        self._idle.append(session)
        failed = asked.exception()
        for index, answer in enumerate(answers):
            if answer.cancelled():
                continue
            if failed:
                answer.set_exception(failed)
            else:
                answer.set_result(asked.result()[index])
        self._share()
