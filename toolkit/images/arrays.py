"""Pictures that are in memory already: arrays as NumPy, OpenCV, matplotlib or Keras give them, and PIL images."""

import numpy as np
from PIL import Image

from toolkit.errors import ImageError
from toolkit.images import colour
from toolkit.images.orientation import exif_orientation, upright

MODES = {2: "LA", 3: "RGB", 4: "RGBA"}  # by number of channels


def from_array(array: np.ndarray, *, white: float | None = None) -> Image.Image:
    """Array to picture: what its numbers mean follows from their type, or is said.

    Args:
        array: shape (height, width), or (height, width, channels) with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA).
            Of bool, 0 or 1; of whole numbers, 0 to 255, or 0 to 65,535 if one is above 255; of floats, 0 to 1, or 0 to
            255 if one is above 1.
        white: the number that white is in this array, above 0; None as said above.

    Returns:
        A picture of 8 bits in mode L, LA, RGB or RGBA, or of 16 bits in mode I;16.

    Raises:
        ValueError: another shape or type, or numbers out of range.

    >>> from_array(np.full((1, 1), 0.5)).getpixel((0, 0))
    128
    """
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or not 1 <= channels <= 4 or not array.size:
        hint = "; put the channels last" if array.ndim == 3 and array.shape[0] <= 4 else ""
        raise ValueError(
            "expected an array of shape (height, width) or (height, width, channels) with 1 to 4 channels, got "
            f"{array.shape}{hint}"
        )
    values = array[:, :, 0] if array.ndim == 3 and channels == 1 else array
    if values.dtype == np.uint8 and white is None:
        return Image.fromarray(np.ascontiguousarray(values), MODES.get(channels))
    values, most = _checked(values, white)
    if most == 65_535 and channels == 1:  # as in a file, whose conversion to 8 bits is one for all
        return Image.fromarray(np.ascontiguousarray(values.astype(np.uint16)))
    if most == 65_535:
        scaled = (values.astype(np.uint16) >> 8).astype(np.uint8)  # as Pillow reads colours of 16 bits from a file
    else:
        scaled = (values.astype(np.float64) * (255 / most)).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(scaled), MODES.get(channels))


def upright_rgb(source: Image.Image | np.ndarray, max_pixels: int) -> tuple[Image.Image, str]:
    """A picture that need not be opened, upright and in the same colours as one that was; and the note of `to_rgb`.

    Raises:
        ImageError: an array that is no picture, too many pixels, or a file opened elsewhere that is damaged.
    """
    try:
        image = source if isinstance(source, Image.Image) else from_array(np.asarray(source))
        if not 0 < image.width * image.height <= max_pixels:
            raise ValueError(f"{image.width}x{image.height} pixels, expected at least 1 and at most {max_pixels:,}")
        image.load()
        picture, note = colour.to_rgb(image)
        return upright(picture, exif_orientation(image)), note
    except Exception as error:  # decoders raise a dozen kinds
        raise ImageError(str(error) or type(error).__name__) from error


def _checked(values: np.ndarray, white: float | None) -> tuple[np.ndarray, float]:
    """The numbers, if they are within their range, and what white is among them."""
    if values.dtype.kind not in "buif":
        raise ValueError(f"expected an array of uint8, uint16, bool or floats, got {values.dtype}")
    low, high = float(values.min()), float(values.max())
    usual = ((1.0, 255.0) if values.dtype.kind == "f" else (255.0, 65_535.0)) if values.dtype.kind != "b" else (1.0,)
    if white is None:
        white = next((most for most in usual if high <= most), 0.0)
    if not (0 <= low and high <= white):  # so that nan is refused, too
        known = " or ".join(f"0 to {most:,g}" for most in usual)
        raise ValueError(f"expected {values.dtype} numbers from {known}, got {low:g} to {high:g}")
    return values, white
