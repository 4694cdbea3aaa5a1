"""Colour conversion: any picture as 8-bit RGB in the colours of the web (sRGB)."""

import hashlib
import io

import numpy as np
from PIL import Image, ImageCms

from toolkit.core.caching import BoundedCache
from toolkit.images import deep

SPACES = {"RGB": "RGB ", "RGBA": "RGB ", "CMYK": "CMYK", "L": "GRAY", "LAB": "Lab "}  # mode: what its profile is for
MAX_PROFILE = 4 << 20  # bytes; the largest of printers are half as large
SEEN = 16  # levels of a channel from which on a shape is to be seen
NEAR = 4  # levels by which a profile that calls itself sRGB may differ from it
EVEN = 0.8  # share of neighbours in a mask that are equal, at least
EXACT = ("PNG", "TIFF", "BMP", "GIF")  # formats that keep small differences, such as those of a mask
_transforms = BoundedCache["ImageCms.ImageCmsTransform | None"](2 * MAX_PROFILE, entries=64)  # bytes of profiles
LAB, SRGB = (ImageCms.createProfile(name) for name in ("LAB", "sRGB"))


def to_rgb(image: Image.Image) -> tuple[Image.Image, str]:
    """A loaded picture as RGB, and a note.

    A colour profile is followed into sRGB, and ignored if it is damaged or for another kind of picture; transparent
    pixels are laid over white, or over black if nothing is to be seen on white; deep grey and masks are shown as
    `deep` says; palette, CMYK and Lab pictures are converted by value.

    Args:
        image: in any mode that Pillow reads.

    Returns:
        The picture in mode RGB, the same object if nothing had to be done; and how what is shown was chosen, ""
        where it had not to be.

    >>> to_rgb(Image.new("CMYK", (1, 1)))[0].getpixel((0, 0))
    (255, 255, 255)
    """
    profile = image.info.get("icc_profile") or b""
    if image.mode.startswith("I") or image.mode == "F":
        grey, note = deep.shown(image)
        return _to_srgb(grey, profile).convert("RGB"), note
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _on_ground(_clear_to_srgb(image, profile))
    picture = image if image.mode in SPACES else image.convert("L" if image.mode == "1" else "RGB")
    picture = _to_srgb(picture, profile)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    may_be_mask = image.mode in ("L", "P", "1") and image.format in EXACT
    return _mask(picture) if may_be_mask and is_plain(picture) else (picture, "")


def is_plain(picture: Image.Image) -> bool:
    """Whether a picture shows nothing: all pixels are within `SEEN` levels of each other."""
    lowest, highest = np.array(picture.getextrema()).T
    return bool((highest - lowest < SEEN).all())


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    change = _cached(profile, picture.mode) if profile or picture.mode == "LAB" else None
    return change.apply(picture) if change else picture


def _clear_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """A picture with transparency as RGBA; the profile of greys is for its greys alone."""
    if image.mode not in ("L", "LA", "La"):
        return _to_srgb(image.convert("RGBA"), profile)
    grey, alpha = image.convert("LA").split()
    picture = _to_srgb(grey, profile).convert("RGB")
    picture.putalpha(alpha)
    return picture


def _cached(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of a profile, made once for many pictures; one that is larger than any needs to be is no use."""
    if len(profile) > MAX_PROFILE:
        return None
    key = hashlib.sha256(profile).digest(), mode
    return _transforms.get(key, lambda: _transform(profile, mode), size=lambda made: len(profile) if made else 0)


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None if it is sRGB already, or no use."""
    try:
        source = ImageCms.ImageCmsProfile(LAB if mode == "LAB" else io.BytesIO(profile))
        if source.profile.xcolor_space != SPACES[mode]:
            return None
        if (source.profile.profile_description or "").startswith("sRGB") and _is_srgb(source, mode):
            return None
        return ImageCms.buildTransform(source, SRGB, mode, "RGBA" if mode == "RGBA" else "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError, AttributeError):
        return None  # a damaged profile is no reason to lose the picture


def _is_srgb(source: ImageCms.ImageCmsProfile, mode: str) -> bool:
    """Whether a profile leaves colours as they are: greys, primaries and what lies between them."""
    if not mode.startswith("RGB"):
        return False
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(27, 27, 3)
    change = ImageCms.buildTransform(source, SRGB, "RGB", "RGB")
    changed = np.asarray(change.apply(Image.fromarray(colours)))
    return bool(np.abs(changed.astype(int) - colours).max() <= NEAR)


def _on_ground(clear: Image.Image) -> tuple[Image.Image, str]:
    """A picture with transparency over white; over black where that shows something and white does not."""
    over_white = _over(clear, "white")
    if not is_plain(over_white):
        return over_white, ""
    over_black = _over(clear, "black")
    if not is_plain(over_black):
        return over_black, "shown on black, since nothing is to be seen on white"
    if np.asarray(clear.getchannel("A")).max() < SEEN and not is_plain(clear.convert("RGB")):
        return clear.convert("RGB"), "shown without its transparency, which is all over"
    return over_white, ""


def _over(clear: Image.Image, ground: str) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", clear.size, ground), clear).convert("RGB")


def _mask(picture: Image.Image) -> tuple[Image.Image, str]:
    """A plain grey picture of even areas with its few shades spread; any other as it is, such as one that is dark."""
    pixels = np.asarray(picture)
    grey = pixels[..., 0]
    equal = grey[:, 1:] == grey[:, :-1]
    if (pixels != grey[..., None]).any() or not equal.size or equal.mean() < EVEN:
        return picture, ""
    shown, note = deep.shown(Image.fromarray(grey))
    return (shown.convert("RGB"), note) if note else (picture, "")
