"""Colours and markers of networks and classes, the same wherever one is drawn, and axes that say what they mean."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb

# Okabe and Ito (2008), "Color Universal Design", without black and yellow, then Tol's muted ones: told apart by
# people who see no red or no green.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#332288", "#999933", "#882255", "#7F7F7F")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "*")
DASHES = ("-", "--", "-.", ":")
INK, FAINT, WRONG = "#333333", "#d9d9d9", "#c0504d"
PAPER = "#fefefe"  # the ground of a page, which may be dark; what is "white" stays so
LIGHT, DARK = "white", "#111111"  # text on colours, in the light and in the dark
FIRST = ("vgg", "dual_stack", "xception", "efficientnet_lite0", "mobilenet", "small_cnn")  # each has its own colour


class Mark(NamedTuple):
    """How a network or a class is drawn.

    Args:
        colour: of lines and areas.
        marker: matplotlib's, for whoever cannot tell colours apart.
        dash: line style, another one only where there are more names than colours.
    """

    colour: str
    marker: str
    dash: str


def marks(names: Iterable[str]) -> dict[str, Mark]:
    """A colour and a marker for every name, whatever the order in which they come.

    Args:
        names: of networks or classes; none is left without.

    >>> marks(["xception", "vgg"])["vgg"].colour
    '#0072B2'
    """
    names = sorted(set(names))
    places = {name: FIRST.index(name) for name in names if name in FIRST}
    free = (place for place in range(len(names) + len(FIRST)) if place not in places.values())
    for name in names:
        if name not in places:
            places[name] = next(free)
    return {name: _mark(places[name]) for name in names}


def _mark(place: int) -> Mark:
    rounds, number = divmod(place, len(COLOURS))
    return Mark(COLOURS[number], MARKERS[(number + rounds) % len(MARKERS)], DASHES[rounds % len(DASHES)])


def ink_on(colour: str) -> str:
    """The colour of text on a ground, `LIGHT` or `DARK`, whichever has more contrast (WCAG 2, relative luminance)."""
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in to_rgb(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return LIGHT if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.0556 else DARK


def as_percent(axis: Axis) -> None:
    """Label an axis of shares, 0 to 1, in percent, with as many digits as its ticks have, and none above 100 %."""
    axis.set_major_formatter(lambda value, _: f"{round(100 * value, 4):g}%" if value <= 1 + 1e-9 else "")


def end_at_one(axes: Axes, axis: str = "y") -> None:
    """Let an axis of shares, 0 to 1, end just above 100 %, so that a dot there is whole."""
    low, high = getattr(axes, f"get_{axis}lim")()
    if high > 1:
        getattr(axes, f"set_{axis}lim")(low, 1 + 0.03 * max(1 - low, 0.01))


def few_steps(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: 1, 2, 5, 10, 20, … from the last not above `low` to the first not below `high`.

    Args:
        low, high: ends, above 0.

    >>> few_steps(3, 40)
    [2, 5, 10, 20, 50]
    """
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    steps = [step * 10.0**power if power < 0 else step * 10**power for power in powers for step in (1, 2, 5)]
    first = max(index for index, step in enumerate(steps) if step <= low)
    last = min(index for index, step in enumerate(steps) if step >= high)
    return steps[first : max(last, first + 1) + 1]


def logarithmic(axis: Axis, low: float, high: float, *, most: int = 6) -> None:
    """Give an axis a logarithmic scale with a few round numbers on it.

    Args:
        axis: of a plot.
        low, high: ends of what is drawn, above 0.
        most: numbers that have room.
    """
    ticks = few_steps(low, high)
    shown = ticks[:: math.ceil(len(ticks) / most)]
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})  # type: ignore[attr-defined] # every axis has its name
    axis.set_ticks(shown, labels=[f"{tick:,g}" for tick in shown])
    axis.set_ticks([], minor=True)
    getattr(axis.axes, f"set_{axis.axis_name}lim")(ticks[0], ticks[-1])  # type: ignore[attr-defined]


def shortened(name: str, letters: int = 18) -> str:
    """A name of at most so many letters, without its middle: what tells names apart is often at their end.

    >>> shortened("véhicule blindé très long", 12)
    'véhicu… long'
    """
    return name if len(name) <= letters else f"{name[: letters // 2]}…{name[1 - (letters + 1) // 2 :]}"
