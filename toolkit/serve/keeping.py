"""Pictures that a service was asked about, kept for a person to label: a share by chance, and all that it doubts or
that are unlike anything it learned.

Off unless a folder is named. Kept are the bytes of the picture, under a name made of them, and a line with the answer
and the day: no name of a file, no address, no time of day. What cannot be written is told and counted; serving goes on.
"""

import csv
import hashlib
import io
import logging
import os
import queue
import random
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from toolkit import images
from toolkit.core import contained, paths
from toolkit.errors import ToolkitError
from toolkit.model.familiarity import FAMILIAR
from toolkit.serve.config import Config
from toolkit.serve.metrics import Metrics

ANSWERS = "answers.csv"
COLUMNS = ("file", "label", "probability", "kept", "day")
CHANCE, DOUBT, STRANGE = "by chance", "in doubt", "unfamiliar"  # why a picture was kept
WAITING = 64  # pictures that wait to be written; further ones are not kept
AGAIN = 60.0  # seconds after a failure in which nothing is written

Picture = bytes | np.ndarray
log = logging.getLogger(__name__)


class Keeper:
    """Writes pictures into a folder, in a thread of its own, which no answer waits for.

    Args:
        config: of the service: folder, share and limits.
        metrics: counts what became of the pictures.

    Raises:
        OSError: the folder cannot be made.
        DatasetError: a link is where the table of answers would be.
    """

    def __init__(self, config: Config, metrics: Metrics):
        self.folder, self._config = Path(config.keep).expanduser(), config
        self.folder.mkdir(parents=True, exist_ok=True)
        self._table = self.folder / ANSWERS
        os.close(contained.appendable(self._table))
        there = [file for file in self.folder.iterdir() if file.is_file() and not file.name.startswith(".")]
        self._pictures, self._bytes = len([file for file in there if file != self._table]), _size(there)
        self._outcomes, self._silent_until, self._told_full = metrics.kept, 0.0, False
        self._waiting: queue.Queue[tuple[Picture, str, float, str] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._follow, name="keep pictures", daemon=True)
        self._thread.start()

    def offer(self, picture: Picture, label: str, probability: float, familiarity: float | None = None) -> None:
        """Keep a picture if it is drawn, in doubt or unfamiliar; returns at once.

        Args:
            picture: the bytes of a file, or pixels.
            label, probability: of the answer.
            familiarity: of the picture; None where it is not known.
        """
        why = DOUBT if probability < self._config.keep_below else ""
        why = STRANGE if familiarity is not None and familiarity < FAMILIAR else why
        why = CHANCE if random.random() < self._config.keep_share else why
        if not why:
            return
        try:
            self._waiting.put_nowait((picture, label, probability, why))
        except queue.Full:
            self._outcomes.labels("too many at a time").inc()

    def close(self) -> None:
        """Write what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _follow(self) -> None:
        while (offered := self._waiting.get()) is not None:
            try:
                outcome = self._keep(*offered)
            except (OSError, ToolkitError) as error:  # a full disk, most likely: it may have room again later
                self._silent_until, outcome = time.monotonic() + AGAIN, "could not be written"
                log.warning("pictures are not kept: %s; answers go on, and it is tried again in a minute", error)
            self._outcomes.labels(outcome).inc()

    def _keep(self, picture: Picture, label: str, probability: float, why: str) -> str:
        """Write a picture and its line, and say what became of it."""
        if time.monotonic() < self._silent_until:
            return "could not be written"
        content = picture if isinstance(picture, bytes) else images.to_png(picture)
        file = self.folder / f"{hashlib.sha256(content).hexdigest()[:32]}.{images.sniff(content[:32])}"
        if file.exists():
            return "there already"
        if self._is_full(len(content)):
            return "beyond the limit"
        paths.write(file, content, flush=False)
        try:
            self._note(file.name, label, f"{probability:.4f}", why)
        except OSError:
            file.unlink()
            raise
        self._pictures, self._bytes = self._pictures + 1, self._bytes + len(content)
        return f"kept {why}"

    def _is_full(self, more: int) -> bool:
        config = self._config
        full = self._pictures >= config.keep_pictures or self._bytes + more > config.keep_megabytes * 1e6
        if full and not self._told_full:
            log.warning("no more pictures are kept in %s, which holds as many as it may", self.folder)
        self._told_full = full
        return full

    def _note(self, *cells: str) -> None:
        """Append a line to the table of answers; a new table has a header."""
        line = io.StringIO()
        rows, table = csv.writer(line, lineterminator="\n"), contained.appendable(self._table)
        try:
            size = os.fstat(table).st_size
            if not size:
                rows.writerow(COLUMNS)
            day = datetime.now(UTC).date().isoformat()
            rows.writerow((*cells, day))
            if os.write(table, line.getvalue().encode()) != len(line.getvalue().encode()):
                os.ftruncate(table, size)
                raise OSError(f"expected to write a line to {self._table}, the disk is full; make room")
        finally:
            os.close(table)


def _size(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)
