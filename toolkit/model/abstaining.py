"""Operating points: the probability below which an answer is "not sure", one for all classes or one for each."""

from collections.abc import Mapping, Sequence

from toolkit.model.classifier import Classifier


def limits(
    trained: Classifier, below: float | None = None, thresholds: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Operating point of each class: the probability below which an answer of it is "not sure".

    Args:
        trained: the model, whose own ones hold where nothing else is said.
        below: of all classes, 0 to 1; 0 always answers, None leaves those of the model.
        thresholds: of some classes, by their names, which count before `below`.

    Raises:
        ValueError: a number out of range, or a name of no class.

    >>> limits(trained, 0.5, {"tanks": 0.8})  # doctest: +SKIP
    {'cars': 0.5, 'tanks': 0.8}
    """
    given = dict(thresholds or {})
    check(given, trained.classes)
    if below is not None and not 0 <= below <= 1:
        raise ValueError(f"expected abstain_below from 0 to 1, got {below}")
    usual = dict.fromkeys(trained.classes, trained.threshold) | dict(trained.facts.get("thresholds") or {})
    return (usual if below is None else dict.fromkeys(trained.classes, below)) | given


def check(thresholds: Mapping[str, float], classes: Sequence[str]) -> None:
    """Raise ValueError unless all are of these classes and from 0 to 1."""
    unknown = [name for name in thresholds if name not in classes]
    if unknown:
        raise ValueError(f"expected thresholds of {', '.join(classes)}, got one of {unknown[0]!r}")
    wrong = [f"{name}={value}" for name, value in thresholds.items() if not 0 <= value <= 1]
    if wrong:
        raise ValueError(f"expected thresholds from 0 to 1, got {wrong[0]}")
