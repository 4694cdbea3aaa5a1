"""Resampling of pictures, compiled: to the bit what TensorFlow's `ImageProjectiveTransformV3` gives, in less time.

That works out anew for every channel where a value comes from; here it is done once for a pixel. The machine code is
kept on disk between runs, and lets go of the interpreter's lock.
"""

import numpy as np
from numba import njit

ONE = np.float32(1)


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
    count, height, width, channels = pictures.shape
    moved = np.empty_like(pictures)
    for picture in range(count):
        t, values, place = transforms[picture], pictures[picture].reshape(-1), 0
        into, is_affine = moved[picture].reshape(-1), t[6] == 0 and t[7] == 0  # then all is divided by one
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
    return moved
