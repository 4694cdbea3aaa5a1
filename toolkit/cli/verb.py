"""A verb of the command line. It imports little, since all of them are made for `toolkit --help`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import NamedTuple


class Verb(NamedTuple):
    """A word after `toolkit`.

    Args:
        name: the word.
        summary: what it does, in one line.
        options: adds its options to a parser.
        act: does it, with the values of those options; returns what `--json` prints. This and `options` are called for
            the verb that was asked for only, and import what they need then.
        examples: whole commands, the most usual first.
    """

    name: str
    summary: str
    options: Callable[[ArgumentParser], None]
    act: Callable[[Namespace], object]
    examples: tuple[str, ...]
