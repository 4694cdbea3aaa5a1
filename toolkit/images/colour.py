"""Colour conversion: any picture as 8-bit RGB in the colours of the web (sRGB)."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

SPACES = {"RGB": "RGB ", "RGBA": "RGB ", "CMYK": "CMYK", "L": "GRAY", "LAB": "Lab "}  # mode: what its profile is for
SEEN = 16  # levels of a channel from which on a shape is to be seen
LAB, SRGB = (ImageCms.createProfile(name) for name in ("LAB", "sRGB"))


def to_rgb(image: Image.Image) -> Image.Image:
    """A loaded picture as RGB.

    A colour profile is followed into sRGB, and ignored if it is damaged or for another kind of picture; transparent
    pixels are laid over white, or over black if nothing is to be seen on white; grey, palette, CMYK, Lab and 16-bit
    pictures are converted by value.

    Args:
        image: in any mode that Pillow reads.

    Returns:
        The picture in mode RGB; the same object if nothing had to be done.

    >>> to_rgb(Image.new("CMYK", (1, 1))).getpixel((0, 0))
    (255, 255, 255)
    """
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep(image)
    profile = image.info.get("icc_profile") or b""
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _on_ground(_to_srgb(image.convert("RGBA"), profile))
    picture = image if image.mode in SPACES else image.convert("RGB")
    picture = _to_srgb(picture, profile)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    change = _transform(profile, picture.mode) if profile or picture.mode == "LAB" else None
    return change.apply(picture) if change else picture


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None if it is sRGB already, or no use."""
    try:
        source = ImageCms.ImageCmsProfile(LAB if mode == "LAB" else io.BytesIO(profile))
        if source.profile.xcolor_space != SPACES[mode] or (source.profile.profile_description or "").startswith("sRGB"):
            return None
        goal = "RGBA" if mode == "RGBA" else "RGB"
        return ImageCms.buildTransform(source, SRGB, mode, goal)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError, AttributeError):
        return None  # a damaged profile is no reason to lose the picture


def _on_ground(clear: Image.Image) -> Image.Image:
    """A picture with transparency over white; over black where that shows something and white does not."""
    over_white, over_black = (
        Image.alpha_composite(Image.new("RGBA", clear.size, ground), clear).convert("RGB")
        for ground in ("white", "black")
    )
    return over_black if _is_plain(over_white) and not _is_plain(over_black) else over_white


def _is_plain(picture: Image.Image) -> bool:
    lowest, highest = np.array(picture.getextrema()).T
    return bool((highest - lowest < SEEN).all())


def _from_deep(image: Image.Image) -> Image.Image:
    """16-bit grey by value (Pillow's own conversion clips it to white); 32-bit and float from lowest to highest."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
    values = np.asarray(image).astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    if 0 <= low and high <= 65_535 and (finite == np.floor(finite)).all():  # 8 or 16 bits in a wider number
        grey = values / 257 if high > 255 else values
    else:
        grey = (values - low) * (255 / max(high - low, 1e-12))
    grey = np.nan_to_num(grey, nan=0, posinf=255, neginf=0)
    return Image.fromarray(grey.clip(0, 255).round().astype(np.uint8)).convert("RGB")
