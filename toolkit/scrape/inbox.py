"""Pictures that have no label yet: all of a folder or archive on this machine, whatever its folders are called.

They come into the dataset with an empty label, and are left out of training until a person has labelled them.
"""

from collections.abc import Iterator
from dataclasses import replace

from toolkit.errors import SourceError
from toolkit.images.files import Passed
from toolkit.scrape import folder, places
from toolkit.scrape.item import Item, Options

NAME = "inbox"


def items(argument: str, label: str, options: Options) -> Iterator[Item | Passed]:
    """The pictures of a folder or archive without their labels, and what of it is passed over.

    Args:
        argument: as for `folder.items`.
        label: "", since they have none.
        options: `limit` counts all pictures; `max_bytes` bounds a file.

    Raises:
        SourceError: nothing there, no pictures, or a label.

    >>> next(items("holiday", "", Options())).label  # doctest: +SKIP
    ''
    """
    if label:
        raise SourceError(f"expected no label for inbox:{argument}, got {label!r}; use folder:{argument}={label}")
    place = places.path(argument)
    with places.listed(place) as (found, passed):
        yield from passed
        folder.tell_of_folders(found, passed)
        if not found:
            raise SourceError(folder.nothing_in(place, passed))
        for item in folder.limited(((file, ("", "")) for file in found), place, options):
            yield item if isinstance(item, Passed) else replace(item, source=NAME)
