"""Loops over pixels, compiled: to the bit what operations of TensorFlow give, in a fraction of the time.

`ImageProjectiveTransformV3` works out anew for every channel where a value comes from; pooling and sums over three
channels are no better there. A change of each picture for itself spares putting those of a kind together and apart
again. The machine code is kept on disk between runs, and lets go of the interpreter's lock.
"""

import numpy as np
from numba import njit

ONE, TWO, SIX, FULL = map(np.float32, (1, 2, 6, 255))  # a bare number would make it double precision
GREY = np.array((0.299, 0.587, 0.114), np.float32)
# the changes of RandAugment; those from the first that moves pixels on are given as transforms
NOTHING, BRIGHTNESS, CONTRAST, COLOUR, SHARPNESS, POSTERIZE, SOLARIZE, AUTOCONTRAST, ROTATE, SHEAR, ACROSS, DOWN = (
    range(12)
)


@njit(inline="always")
def mirrored(place, side):
    """Where a coordinate beyond an edge is found: as far on this side of it. In single precision, as it comes."""
    if 0 <= place <= side - 1:
        return place
    both = np.float32(2 * side)
    if place < 0:
        place = both * np.float32(np.int64(-place / both)) + place
        place = place + both if place < -side else -place - ONE
    else:
        place = place - both * np.float32(np.int64(place / both))
        if place >= side:
            place = both - place - ONE
    return min(max(place, np.float32(0)), np.float32(side - 1))


@njit(inline="always")
def weighed(place, side):
    """The pixel before a coordinate, steps to the one after it, none at the edge, and the weights of both."""
    before = np.int64(place)
    return before, np.int64(before < side - 1), np.float32(before + 1) - place, place - np.float32(before)


@njit(nogil=True, cache=True)
def bilinear(pictures, transforms):
    """Projective transforms, bilinear, edges mirrored.

    Args:
        pictures: float32 of shape (n, height, width, channels).
        transforms: float32 of shape (n, 8), from output to input.

    Returns:
        float32 of the shape of the pictures.
    """
    moved = np.empty_like(pictures)
    for picture in range(len(pictures)):
        move(pictures[picture], moved[picture], transforms[picture])
    return moved


@njit(nogil=True, cache=True)
def greyed(pictures):
    """Grey values: float32 of shape (n, height, width, 1), of pictures of three channels."""
    count, height, width, _ = pictures.shape
    greys = np.empty((count, height, width, 1), np.float32)
    values, into = pictures.reshape((-1, 3)), greys.reshape(-1)
    for place in range(len(into)):
        into[place] = values[place, 0] * GREY[0] + values[place, 1] * GREY[1] + values[place, 2] * GREY[2]
    return greys


@njit(nogil=True, cache=True)
def changed(pictures, kinds, far, means, transforms):
    """Each picture changed in its own way, and cut to 0 to 255.

    Args:
        pictures: float32 of shape (n, height, width, 3).
        kinds: int32 of shape (n,), of the changes from `NOTHING` to `DOWN`.
        far: float32 of shape (n,), how far each goes, -1 to 1.
        means: float32 of shape (n,), of the grey values, where the contrast is changed.
        transforms: float32 of shape (n, 8), from output to input, where pixels are moved.

    Returns:
        float32 of the shape of the pictures.
    """
    results = np.empty_like(pictures)
    for picture in range(len(pictures)):
        kind, before, after = kinds[picture], pictures[picture], results[picture]
        values, into = before.reshape(-1), after.reshape(-1)
        if kind >= ROTATE:
            move(before, after, transforms[picture])
        elif kind == SHARPNESS:
            sharpen(before, after, ONE + TWO * far[picture])
        elif kind == COLOUR:
            colour(values, into, ONE + TWO * far[picture])
        elif kind == AUTOCONTRAST:
            stretch(values, into, before.shape[2])
        elif kind == POSTERIZE:
            posterize(values, into, np.float32(2.0 ** np.round(SIX * np.abs(far[picture]))))
        elif kind == SOLARIZE:
            solarize(values, into, FULL * (ONE - np.abs(far[picture])))
        else:
            mean = means[picture] if kind == CONTRAST else np.float32(0)
            scale(values, into, mean, ONE if kind == NOTHING else ONE + far[picture])
        for place in range(len(into)):
            into[place] = min(max(into[place], np.float32(0)), FULL)
    return results


@njit
def move(picture, into, t):
    """A projective transform of a picture."""
    height, width, channels = picture.shape
    values, into, place = picture.reshape(-1), into.reshape(-1), 0
    is_affine = t[6] == 0 and t[7] == 0  # then all is divided by one
    for row in range(height):
        down = np.float32(row)
        for column in range(width):
            right = np.float32(column)
            x, y = t[0] * right + t[1] * down + t[2], t[3] * right + t[4] * down + t[5]
            if not is_affine:
                scale = t[6] * right + t[7] * down + ONE
                x, y = x / scale, y / scale
            left, across, near_left, near_right = weighed(mirrored(x, width), width)
            top, along, near_top, near_bottom = weighed(mirrored(y, height), height)
            first, across, along = (top * width + left) * channels, across * channels, along * width * channels
            for one in range(first, first + channels):
                above = near_left * values[np.uint64(one)] + near_right * values[np.uint64(one + across)]
                two = one + along
                below = near_left * values[np.uint64(two)] + near_right * values[np.uint64(two + across)]
                into[np.uint64(place)] = near_top * above + near_bottom * below
                place += 1


@njit
def scale(values, into, mean, factor):
    """Values moved from a mean, or to it."""
    for place in range(len(values)):
        into[place] = mean + (values[place] - mean) * factor


@njit
def posterize(values, into, step):
    """Values rounded down to whole steps."""
    for place in range(len(values)):
        into[place] = np.floor(values[place] / step) * step


@njit
def solarize(values, into, limit):
    """Values above a limit turned round."""
    for place in range(len(values)):
        into[place] = FULL - values[place] if values[place] > limit else values[place]


@njit
def colour(values, into, factor):
    """Colours moved from their grey value, or to it."""
    for red in range(0, len(values), 3):
        grey = values[red] * GREY[0] + values[red + 1] * GREY[1] + values[red + 2] * GREY[2]
        for one in range(red, red + 3):
            into[one] = grey + (values[one] - grey) * factor


@njit
def sharpen(picture, into, factor):
    """Values moved from the mean of the 3 × 3 around them, or to it; beyond the edge there is nothing."""
    height, width, channels = picture.shape
    line = width * channels
    values, into, sums = picture.reshape((height, line)), into.reshape((height, line)), np.empty(line, np.float32)
    for row in range(height):
        first, last = max(row - 1, 0), min(row + 2, height)
        sums[:] = 0
        for near in range(first, last):
            add_threes(sums, values[near], channels)
        rows = last - first
        blend(into[row, :channels], values[row, :channels], sums[:channels], rows * min(2, width), factor)
        inner = slice(channels, line - channels)
        blend(into[row, inner], values[row, inner], sums[inner], rows * 3, factor)
        end = slice(max(channels, line - channels), line)
        blend(into[row, end], values[row, end], sums[end], rows * 2, factor)


@njit
def add_threes(sums, values, channels):
    """To each sum the value of its left neighbour, its own and that of its right neighbour, in this order."""
    line = len(sums)
    for place in range(min(channels, line - channels)):
        sums[place] = sums[place] + values[place] + values[place + channels]
    for place in range(channels, line - channels):
        sums[place] = sums[place] + values[place - channels] + values[place] + values[place + channels]
    for place in range(max(channels, line - channels), line):
        sums[place] = sums[place] + values[place - channels] + values[place]
    if line == channels:
        for place in range(line):
            sums[place] = sums[place] + values[place]


@njit
def blend(into, values, sums, number, factor):
    """Values moved from their means, sums of so many."""
    for place in range(len(into)):
        mean = sums[place] / np.float32(number)
        into[place] = mean + (values[place] - mean) * factor


@njit
def stretch(values, into, channels):
    """Each channel stretched from its lowest to its highest value; one of a single value stays."""
    for channel in range(channels):
        low = high = values[channel]
        for place in range(channel, len(values), channels):
            low, high = min(low, values[place]), max(high, values[place])
        for place in range(channel, len(values), channels):
            into[place] = (values[place] - low) / (high - low) * FULL if high > low else values[place]
