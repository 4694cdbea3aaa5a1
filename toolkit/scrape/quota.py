"""How many pictures of a class are still wanted: those count that came, not those that were listed."""

import threading
from collections import Counter
from collections.abc import Callable

PATIENCE = 0.5  # seconds between two looks at whether anything is still on its way


class Quota:
    """A limit of pictures per label, for downloads of which some fail.

    Args:
        limit: pictures of each label; None sets none.
        broken: whether nothing more will come, so that waiting would have no end.

    >>> quota = Quota(1, broken=lambda: False)
    >>> quota.wants("cars"), quota.begin("cars"), quota.end("cars", came=True), quota.wants("cars")
    (True, None, None, False)
    """

    def __init__(self, limit: int | None, *, broken: Callable[[], bool]):
        self._limit, self._broken = limit, broken
        self._came: Counter[str] = Counter()
        self._coming: Counter[str] = Counter()
        self._changed = threading.Condition()

    def wants(self, label: str) -> bool:
        """Whether one more is wanted; while those on their way could be enough, wait until it is known."""
        if self._limit is None:
            return True
        with self._changed:
            while self._came[label] < self._limit <= self._came[label] + self._coming[label] and not self._broken():
                self._changed.wait(PATIENCE)
            return self._came[label] < self._limit

    def begin(self, label: str) -> None:
        """One is on its way."""
        with self._changed:
            self._coming[label] += 1

    def end(self, label: str, *, came: bool) -> None:
        """One that was on its way came, or failed."""
        with self._changed:
            self._coming[label] -= 1
            self._came[label] += came
            self._changed.notify_all()
