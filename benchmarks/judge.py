"""What the pairs that a tool found are worth: precision, recall for each variant, and what would be thrown away."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import truth

SEVEN = truth.VARIANTS[1:8]  # those that a tool should find without being asked for turned or mirrored pictures
Pairs = Mapping[tuple[str, str], float]


def load(pairs_file: Path) -> dict[tuple[str, str], float]:
    """Pairs of paths, the smaller first, with their distance."""
    with pairs_file.open(newline="") as stream:
        return {(one, other): float(distance) for one, other, distance in csv.reader(stream)}


def near(pairs: Pairs, limit: float) -> dict[tuple[str, str], float]:
    """Those whose distance is at most the limit."""
    return {pair: distance for pair, distance in pairs.items() if distance <= limit}


def scores(pairs: Iterable[tuple[str, str]], known: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    """Precision over all pairs found, and recall of the pairs of an original and its variant.

    Args:
        pairs: what a tool called the same picture.
        known: original and variant of every path, as `truth.load` gives them.

    >>> known = {"a": ("1", "original"), "b": ("1", "exact"), "c": ("2", "other")}
    >>> scores([("a", "b"), ("a", "c")], known)["precision"]
    0.5
    """
    pairs = set(pairs)
    wrong = sum(known[one][0] != known[other][0] for one, other in pairs)
    names = {(original, variant): path for path, (original, variant) in known.items()}
    originals = [original for original, variant in names if variant == "original"]
    recall = {}
    for variant in truth.VARIANTS[1:]:
        wanted = {tuple(sorted((names[one, "original"], names[one, variant]))) for one in originals}
        recall[variant] = round(len(wanted & pairs) / len(wanted), 3)
    return {
        "precision": round(1 - wrong / len(pairs), 4) if pairs else 1.0,
        "recall of seven": round(sum(recall[variant] for variant in SEVEN) / len(SEVEN), 3),
        **recall,
        "false pairs": wrong,
    }


def thrown_away(pairs: Iterable[tuple[str, str]]) -> int:
    """How many pictures are called a copy of one that is kept, if they are gone through by name."""
    partners = {}
    for one, other in pairs:
        partners.setdefault(one, set()).add(other)
        partners.setdefault(other, set()).add(one)
    gone = set()
    for path in sorted(partners):
        if path not in gone:
            gone |= partners[path]
    return len(gone)
