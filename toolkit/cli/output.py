"""What `--json` prints: one document, or a line for what runs long, and nothing else on standard output."""

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import IO, Any

_results: list[IO[str]] = []  # standard output as it was, while all else that is printed goes to standard error


@contextmanager
def reserved() -> Iterator[None]:
    """Keep standard output for results: what is printed meanwhile, by libraries or other processes, goes to the error.

    Keras prints downloads, and a process that a training starts inherits the file descriptor.
    """
    real = sys.stdout
    real.flush()
    with _results_file(real) as results, redirect_stdout(sys.stderr):
        _results.append(results)
        try:
            yield
        finally:
            _results.pop()


@contextmanager
def _results_file(real: IO[str]) -> Iterator[IO[str]]:
    """Standard output under another descriptor, while its own leads to standard error; itself if it is no file."""
    try:
        is_file = real.fileno() == 1 and sys.stderr.fileno() == 2
    except (OSError, ValueError):  # somebody reads what is printed, as a notebook or a test does
        is_file = False
    if not is_file:
        yield real
        return
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as results:
            yield results
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def write(value: object, *, indent: int | None = 2) -> None:
    """Print a value as JSON, see `plain`.

    Args:
        value: a result.
        indent: None writes it on one line, for what says more later.
    """
    results = _results[-1] if _results else sys.stdout
    results.write(json.dumps(plain(value), indent=indent, allow_nan=False) + "\n")
    results.flush()


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers of numpy as numbers, what is no number as null, paths and others as text.

    >>> plain({"size": math.nan, "epochs": (1, 2)})
    {'size': None, 'epochs': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    if hasattr(value, "tolist"):  # an array, or a number of numpy
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return str(value).encode(errors="replace").decode()  # a name of a file may hold bytes that are no text
