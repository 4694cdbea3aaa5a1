"""EXIF orientation: how a picture is to be turned before it is looked at."""

from PIL import Image

ORIENTATION = 0x0112


def exif_orientation(source: Image.Image | bytes) -> int:
    """EXIF orientation 1 to 8 of a loaded picture or of a block of EXIF; 1 where the tag is missing or damaged."""
    try:
        if isinstance(source, bytes):
            exif = Image.Exif()
            exif.load(source)
        else:
            exif = source.getexif()
        value = exif.get(ORIENTATION, 1)
    except Exception:  # a damaged EXIF block is no reason to lose the picture
        return 1
    if isinstance(value, bytes | tuple) and len(value) == 1:  # written as a byte, or as a list of one
        value = value[0]
    return value if value in range(1, 9) else 1


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """A picture turned or mirrored as its EXIF orientation, 1 to 8, asks for."""
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation to Pillow's Transpose
    return picture.transpose(Image.Transpose(turn[orientation])) if orientation in turn else picture
