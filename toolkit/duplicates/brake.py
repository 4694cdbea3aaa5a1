"""The brake: where looks would take much out of use, only what is certain without a look leaves, and a person is told.

No look can know every kind of picture. That most pictures of a class, or many of all, are copies is possible, but it is
more often a sign that they show one scene.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from toolkit.duplicates.decisive import NO_COLOUR, Look

MAX_SHARE, MAX_CLASS = 0.2, 0.5  # of all pictures, and of a class, that looks may take out of use
ENOUGH, ENOUGH_OF_CLASS = 40, 20  # pictures from which on a share tells something
EXAMPLES = 3


def warning(
    looks: Mapping[int, tuple[int, Look]],
    groups: np.ndarray,
    names: Sequence[str],
    labels: Sequence[str] | None = None,
    *,
    max_share: float = MAX_SHARE,
) -> str:
    """Why not all of these pictures should leave use.

    Args:
        looks: of each picture that would leave use, by its position, the other picture and the look.
        groups: the group of each picture that was compared: shape (pictures,).
        names: what each is called.
        labels: of each; None where there are none.
        max_share: of all pictures, that looks may take; 1 is off.

    Returns:
        What to tell a person; "" if they may leave.
    """
    taken = [place for place, (_, look) in looks.items() if not look.identical]
    reached = _reached(taken, len(groups), labels, max_share) if max_share < 1 else ""
    if not reached:
        return ""
    examples = "; ".join(f"{names[place]} and {names[looks[place][0]]}" for place in taken[:EXAMPLES])
    return (
        f"{reached} would leave use as copies. Likely reason: {_reason(taken, looks, groups)}. So only those with the "
        f"same bytes or pixels left, the others stay in their groups. Look at {examples}; if these are copies, "
        "say so with max_share=1 (--max-share 1)"
    )


def _reached(taken: list[int], total: int, labels: Sequence[str] | None, max_share: float) -> str:
    """The share that is too large, in words."""
    if total >= ENOUGH and len(taken) > max_share * total:
        return f"{len(taken):,} of {total:,} pictures ({len(taken) / total:.0%}, more than {max_share:.0%})"
    counts = Counter(filter(None, labels if labels is not None else ()))
    lost = Counter(labels[place] for place in taken) if labels is not None else Counter()
    for label, count in lost.most_common():
        if counts[label] >= ENOUGH_OF_CLASS and count > MAX_CLASS * counts[label]:
            return f"{count:,} of the {counts[label]:,} pictures of {label}"
    return ""


def _reason(taken: list[int], looks: Mapping[int, tuple[int, Look]], groups: np.ndarray) -> str:
    """What makes so many pictures alike, in words."""
    if sum(NO_COLOUR in looks[place][1].why for place in taken) > len(taken) / 2:
        return "they differ in colour only"
    largest = Counter(groups[taken].tolist()).most_common(1)[0][1]
    if largest > len(taken) / 2 and largest >= 10:
        return f"one scene, as a fixed camera sees it: {largest:,} of them hang together"
    return "the pictures came in several versions, as from an export with augmentation"
