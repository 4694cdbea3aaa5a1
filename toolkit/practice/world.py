"""The practice world: subreddits of drawn pictures behind a server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from toolkit.practice.draw import LABELS
from toolkit.practice.posts import content
from toolkit.practice.server import CLIENT, SECRET, PracticeServer


@dataclass(frozen=True)
class World:
    """What a scraper needs to know to work here, and what a test needs to check it.

    `sources` are the subreddits to scrape, `reddit` the settings for `praw.Reddit`, `server` the running server,
    `truth` what each picture is, by the name in its address.
    """

    sources: tuple[str, ...]
    reddit: dict[str, object]
    server: PracticeServer
    truth: dict[str, str]

    def page_source(self, query: str) -> str:
        """The source that reads this world's result page; it also takes `Options(endpoints={"page": server.url})`.

        `query` is what to search for, one of the labels.

        >>> with world(pictures=20) as here:
        ...     here.page_source("cars")
        'page:practice:"cars"=cars'
        """
        return f'page:practice:"{query}"={query}'

    def remove(self, post_id: str, *, category: str = "deleted") -> None:
        """Do as if a post had been removed; `category` says by whom in Reddit's words, "deleted" is its author."""
        self.server.remove(post_id, category=category)


@contextmanager
def world(*, pictures: int = 300, seed: int = 7) -> Iterator[World]:
    """Start the practice world, and stop it at the end of the `with` block.

    `pictures` (1 or more) is how many distinct pictures each label has; reposts and broken files come on top. `seed` is
    any whole number; the same two give the same posts and the same bytes. Gives a `World`. Raises ValueError for fewer
    than one picture.

    >>> with world(pictures=20) as here:
    ...     sorted(set(here.reddit))[:2]
    ['check_for_updates', 'client_id']
    """
    if pictures < 1:
        raise ValueError(f"expected 1 picture or more, got {pictures}; ask for at least one")
    everything = content(pictures=pictures, seed=seed)
    server = PracticeServer(everything)
    server.start()
    try:
        yield World(
            sources=tuple(f"reddit:practice_{label}={label}" for label in LABELS),
            reddit=_settings(server.url),
            server=server,
            truth={name: file.kind for name, file in everything.files.items()},
        )
    finally:
        server.stop()


def _settings(url: str) -> dict[str, object]:
    return {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "user_agent": "python:image-classifier-toolkit:practice (by /u/nobody)",
        "reddit_url": url,
        "oauth_url": url,
        "check_for_updates": False,
    }
