"""A cache that is bounded in bytes: what is kept may come from strangers, who choose its size."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """The values that were used last, as many as fit. Safe to use from several threads, which may both make one.

    Args:
        most: bytes of all values together.
        entries: values, however small.

    >>> cache = BoundedCache[bytes](most=3)
    >>> [cache.get(name, lambda: b"ab", size=len) for name in ("x", "y")], len(cache)
    ([b'ab', b'ab'], 1)
    """

    def __init__(self, most: int, *, entries: int = 1024):
        self._most, self._entries, self._bytes = most, entries, 0
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, make: Callable[[], Value], *, size: Callable[[Value], int]) -> Value:
        """The value of a key, made if it is not kept.

        Args:
            key: of the value.
            make: makes it.
            size: tells how many bytes it takes.
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
        value = make()
        with self._lock:
            self._bytes += size(value) - self._values.pop(key, (value, 0))[1]
            self._values[key] = value, size(value)
            while self._bytes > self._most or len(self._values) > self._entries:
                self._bytes -= self._values.popitem(last=False)[1][1]
        return value
