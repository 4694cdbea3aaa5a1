"""Luma, the brightness of a JPEG, for measures and hashes: decoded without its colours.

A JPEG stores the brightness beside the colours. For the usual kind of file OpenCV decodes that alone, in half the time;
whatever is unusual, such as a missing end, goes the one way that all pictures go in `images`.
"""

import cv2
import numpy as np
from PIL import Image

from toolkit import images
from toolkit.images import bounds, jpeg, mending

REDUCED = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def decoded(
    content: bytes, *, min_side: int, max_pixels: int = images.MAX_PIXELS
) -> tuple[np.ndarray, images.Info] | None:
    """The brightness of a JPEG, upright, at 1/2, 1/4 or 1/8 of its size where that is enough.

    It is within a grey value or two of what `images.read` and `convert("L")` give, but for colours beyond those of a
    screen and for colour profiles, which are passed over, as copies often lose them.

    Args:
        content: the bytes of a file.
        min_side: shortest side in pixels that is still enough.
        max_pixels: width times height above which nothing is decoded.

    Raises:
        ImageError: its structure would cost too much work, see `bounds`.

    Returns:
        A uint8 array of shape (height, width), and a dict as `images.inspect` gives it; None if this file has to be
        opened with more care.

    >>> decoded(b"no picture", min_side=256) is None
    True
    """
    bounds.check(content)
    head = jpeg.head(content)
    if not head or head.width * head.height > max_pixels:
        return None
    smaller = max(part for part in REDUCED if part == 1 or min(head.width, head.height) // min_side >= part)
    if smaller == 8 and head.progressive:
        content = jpeg.eighth(content) or content
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), REDUCED[smaller] | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape != (-(-head.height // smaller), -(-head.width // smaller)):
        return None
    corner = pixels[-mending.CORNER :, -mending.CORNER :]
    if mending.may_be_cut([(corner.min(), corner.max())], content[-mending.TAIL :]):
        return None
    turned = images.exif_orientation(head.exif) if head.exif else 1
    if turned != 1:
        pixels = np.asarray(images.upright(Image.fromarray(pixels), turned))
    width, height = (head.height, head.width) if turned >= 5 else (head.width, head.height)
    return pixels, images.Info(width=width, height=height, format="JPEG", frames=1, note="")
