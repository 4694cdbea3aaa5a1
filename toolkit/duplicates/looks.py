"""Decisive looks at the pictures of a group: each is decoded once, and each pair is looked at once."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np

from toolkit import images
from toolkit.duplicates import decisive
from toolkit.duplicates.decisive import SIDE, SMALL_TYPE, Look, Picture
from toolkit.errors import ImageError
from toolkit.images import hashes

MEMORY = 16_000_000  # bytes of decoded pictures that are kept, at most


class Looks:
    """Looks at pairs of some pictures, for one thread.

    Args:
        sources: a file per picture.
        contents: per picture what its bytes are called, such as their sha256; pictures of one name are identical.
        only_identical: call nothing a copy but what has the same bytes or pixels.
    """

    def __init__(self, sources: Sequence[images.Source], contents: Sequence[Hashable], *, only_identical: bool = False):
        self._sources, self._contents, self._only_identical = sources, contents, only_identical
        self._looks: dict[tuple[Hashable, ...], Look] = {}
        self._decoded: OrderedDict[tuple[Hashable, int], Picture] = OrderedDict()

    def at(self, left: int, right: int, change: str = "") -> Look:
        """Look at two pictures, by their positions.

        Args:
            left, right: positions in `sources`.
            change: what was done to either of them: "", "mirrored", "turned by 90°", …; of a larger crop nothing is
                certain.
        """
        if self._contents[left] == self._contents[right]:
            return Look("copy", 0.0, identical=True)
        if change and change not in hashes.ORIENTATIONS:
            return Look("alike", why=change)
        left, right = sorted((left, right), key=lambda place: str(self._contents[place]))
        key = self._contents[left], self._contents[right], change
        if key not in self._looks:
            try:
                self._looks[key] = self._look(left, right, change)
            except (ImageError, OSError) as error:
                self._looks[key] = Look("alike", why=f"cannot be read: {error}")
        return self._looks[key]

    def _look(self, left: int, right: int, change: str) -> Look:
        look = self._turned(left, right, change, SIDE)
        if look.verdict != "copy" or look.identical:
            return look
        pictures = [self._picture(place, SIDE) for place in (left, right)]
        if min(max(picture.width, picture.height) for picture in pictures) <= SIDE:
            return look
        small_type = all(picture.drawn for picture in pictures)
        return max(look, self._turned(left, right, change, SMALL_TYPE), key=_score) if small_type else look

    def _turned(self, left: int, right: int, change: str, side: int) -> Look:
        """Look at two pictures, the right one turned; a signature does not tell which of them was turned."""
        one, other = self._picture(left, side), self._picture(right, side)
        orientation = hashes.ORIENTATIONS.index(change)
        ways = {orientation, {5: 7, 7: 5}.get(orientation, orientation)}
        compare = decisive.identical if self._only_identical else decisive.compare
        return min((compare(one, oriented(other, way)) for way in sorted(ways)), key=_score)

    def _picture(self, place: int, side: int) -> Picture:
        key = self._contents[place], side
        if key not in self._decoded:
            self._decoded[key] = decisive.decode(self._sources[place], side=side)
            while len(self._decoded) > 2 and sum(one.pixels.nbytes for one in self._decoded.values()) > MEMORY:
                self._decoded.popitem(last=False)
        self._decoded.move_to_end(key)
        return self._decoded[key]


def oriented(picture: Picture, orientation: int) -> Picture:
    """A picture mirrored or turned, by its place in `hashes.ORIENTATIONS`."""
    if not orientation:
        return picture
    channels = hashes.orient(np.moveaxis(picture.pixels, 2, 0), orientation)
    size = (picture.width, picture.height)[:: -1 if orientation >= 4 else 1]
    return Picture(np.ascontiguousarray(np.moveaxis(channels, 0, 2)), *size)


def _score(look: Look) -> float:
    return look.score
