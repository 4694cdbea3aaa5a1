"""Robustness: accuracy on corrupted pictures, and confidence on out-of-distribution ones."""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit.core import parallel, paths
from toolkit.core.runs import is_same
from toolkit.dataset.manifest import Manifest, class_indices
from toolkit.errors import DatasetError
from toolkit.evaluation import corruptions, stored
from toolkit.evaluation.evaluate import wilson
from toolkit.evaluation.ood import out_of_distribution
from toolkit.images.opening import prepare_all
from toolkit.model.bundle import Bundle

__all__ = ["Robustness", "confidence", "curves", "load", "measure", "out_of_distribution", "threshold"]

CONFIDENT = 0.9
FILE = "robustness.json"


class Robustness(NamedTuple):
    """How well a run copes with worse pictures than those it was tested on.

    Args:
        curves: as `curves` gives them.
        abstention: when to say "not sure", as `threshold` gives it; empty where no answer was right.
    """

    curves: pd.DataFrame
    abstention: dict[str, float]


def curves(
    trained: Bundle,
    manifest: Manifest,
    *,
    split: str = "test",
    levels: Mapping[str, Iterable[float]] | None = None,
    count: int | None = None,
    seed: int = 7,
    right: pd.Series | None = None,
) -> pd.DataFrame:
    """Robustness curves: accuracy under corruptions of rising severity.

    Args:
        trained: the model.
        manifest: the dataset.
        split: whose pictures.
        levels: the severities of each corruption, the mildest first; None takes `corruptions.LEVELS`, which has all
            there are.
        count: pictures at most, drawn by the seed; None takes all.
        seed: of the noise.
        right: whether it names each picture right as it is, by path (`Report.right`), which is then not asked again;
            None asks.

    Returns:
        A row per corruption and level: `disturbance` (its name), `level`, `accuracy`, its 95 % interval `low` to
        `high`, and `pictures`.

    Raises:
        ValueError: there is no such corruption.

    >>> curves(trained, manifest, levels={"blur": (0, 2)})  # doctest: +SKIP
    """
    levels = corruptions.LEVELS if levels is None else levels
    corruptions.check(levels)
    chosen = _drawn(manifest.where(split=split, status="ok"), count, seed)
    pixels = np.stack(list(prepare_all(trained.prepare, chosen.files)))
    truth = class_indices(chosen.table["label"], trained.classes)
    steps = _steps(levels)
    rows: list[tuple[str, float, float, float, float, int]] = []
    untouched = None if right is None else int(right[chosen.table["path"]].sum())
    for name, level in parallel.progress(steps, description="disturb", unit=" levels"):
        worse = np.stack(list(parallel.map(partial(_corrupted, pixels, name, level, seed), range(len(pixels)))))
        is_untouched = bool((worse == pixels).all())  # as by the mildest level of most corruptions: asked once
        right = untouched if is_untouched and untouched is not None else _count_right(trained, worse, truth)
        untouched = right if is_untouched else untouched
        rows.append((name, level, right / len(truth), *wilson(right, len(truth)), len(truth)))
    return pd.DataFrame(rows, columns=["disturbance", "level", "accuracy", "low", "high", "pictures"])


def measure(
    trained: Bundle,
    manifest: Manifest,
    *,
    count: int | None = None,
    levels: Mapping[str, Iterable[float]] | None = None,
    again: bool = False,
) -> Robustness:
    """Robustness of an evaluated run, stored in `robustness.json` of its bundle.

    Args:
        trained: the model.
        manifest: the dataset it was trained on.
        count, levels: see `curves`; a stored measurement of more pictures or levels is taken.
        again: measure although this model was measured on the same test pictures before.

    Returns:
        The curves at these levels, and the confidence below which to abstain. A run whose answers are not about today's
        test pictures is evaluated first.

    Raises:
        BundleError: the run cannot be evaluated.

    >>> measure(trained, manifest, count=50).abstention["threshold"]  # doctest: +SKIP
    0.97
    """
    report = stored.report(trained, manifest)
    answers = report.predictions
    identity = {"test": trained.metrics["test"], "model": trained.facts.get("sha256")}
    wanted = len(answers) if count is None else min(count, len(answers))
    steps = _steps(corruptions.LEVELS if levels is None else levels)
    record = _record(trained)
    if again or record is None or not is_same(record, identity) or not _holds(record["curves"], wanted, steps):
        right = answers.loc[answers["label"] == answers["predicted"], "probability"].to_numpy()
        unknown = confidence(trained, out_of_distribution(trained.size))
        record = {
            **identity,
            "curves": curves(trained, manifest, count=count, levels=levels, right=report.right).to_dict(orient="list"),
            "nonsense": threshold(right, unknown) if len(right) else {},
        }
        paths.write(trained.folder / FILE, json.dumps(record, indent=2) + "\n")
    table = pd.DataFrame(record["curves"])
    asked = [step in steps for step in zip(table["disturbance"], table["level"], strict=True)]
    return Robustness(table[asked].reset_index(drop=True), record["nonsense"])


def _holds(table: Mapping[str, list], count: int, steps: Iterable[tuple[str, float]]) -> bool:
    """Whether what was measured is of so many pictures or more, at all these steps."""
    return min(table["pictures"]) >= count and set(steps) <= set(zip(table["disturbance"], table["level"], strict=True))


def _steps(levels: Mapping[str, Iterable[float]]) -> list[tuple[str, float]]:
    """Each corruption with each of its levels."""
    return [(name, float(level)) for name, severities in levels.items() for level in severities]


def load(trained: Bundle) -> Robustness | None:
    """What `measure` stored last; None if nothing was measured."""
    record = _record(trained)
    return Robustness(pd.DataFrame(record["curves"]), record["nonsense"]) if record else None


def _record(trained: Bundle) -> dict | None:
    file = trained.folder / FILE
    try:
        return json.loads(file.read_text()) if file.exists() else None
    except ValueError:  # damaged: it is measured again
        return None


def confidence(trained: Bundle, pictures: np.ndarray) -> np.ndarray:
    """Probability of the answer to each picture, 0 to 1: float32 array of shape (n,)."""
    return trained.ask(pictures, batch_size=trained.small_batch).probabilities.max(axis=1)


def threshold(right: np.ndarray, unknown: np.ndarray, *, let_through: float = 0.05) -> dict[str, float]:
    """Abstention threshold: below which confidence to say "not sure", so that few unknown pictures get a name.

    Args:
        right: confidence of the model's right answers, 0 to 1.
        unknown: its confidence on pictures of no class, such as `out_of_distribution`.
        let_through: share of the unknown pictures that may still get a name, 0 to 1.

    Returns:
        `threshold`, and its price and gain: `kept`, the share of right answers still given, `let_through`, the share
        of unknown pictures still named, and `sure`, the share of them named with at least 90 %.

    Raises:
        ValueError: no answers of one kind, or `let_through` is no share.

    >>> threshold(np.array([0.9, 0.99]), np.array([0.6, 0.95]), let_through=0.5)["kept"]
    1.0
    """
    if not len(right) or not len(unknown) or not 0 <= let_through <= 1:
        raise ValueError(
            f"expected right answers, unknown pictures and a share from 0 to 1, got "
            f"{len(right)}, {len(unknown)} and {let_through}"
        )
    ordered = np.sort(unknown)[::-1]
    allowed = int(let_through * len(ordered))
    just_above = 0.0 if allowed >= len(ordered) else float(np.nextafter(np.float32(ordered[allowed]), np.float32(2)))
    limit = min(just_above, 1.0)
    return {
        "threshold": limit,
        "kept": float((right >= limit).mean()),
        "let_through": float((unknown >= limit).mean()),
        "sure": float((unknown >= CONFIDENT).mean()),
    }


def _corrupted(pixels: np.ndarray, name: str, level: float, seed: int, index: int) -> np.ndarray:
    return corruptions.apply(pixels[index], name, level, seed=seed + index)


def _count_right(trained: Bundle, pixels: np.ndarray, truth: np.ndarray) -> int:
    answers = trained.ask(pixels, batch_size=trained.small_batch).probabilities
    return int((answers.argmax(axis=1) == truth).sum())


def _drawn(chosen: Manifest, count: int | None, seed: int) -> Manifest:
    """Some pictures by chance, in their order."""
    if not len(chosen):
        raise DatasetError(f"expected pictures to disturb in {chosen.name}, got none; split it first")
    drawn = sorted(np.random.default_rng(seed).permutation(len(chosen))[:count])
    return chosen.where(path=list(chosen.table["path"].iloc[drawn]))
