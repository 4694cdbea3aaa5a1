"""How much a model suffers from worse pictures than those it was tested on, and how sure it is of nonsense."""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from random import Random

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from toolkit.core import parallel, paths
from toolkit.dataset.manifest import Manifest, class_indices
from toolkit.errors import DatasetError
from toolkit.evaluation import corruptions, evaluate
from toolkit.evaluation.evaluate import wilson
from toolkit.images.opening import prepare_all
from toolkit.model.bundle import Bundle
from toolkit.practice import scenes

SURE = 0.9
FILE = "robustness.json"


def curves(
    trained: Bundle,
    manifest: Manifest,
    *,
    split: str = "test",
    levels: Mapping[str, Iterable[float]] | None = None,
    count: int | None = None,
    seed: int = 7,
) -> pd.DataFrame:
    """Accuracy on pictures that were made worse, step by step.

    Args:
        trained: the model.
        manifest: the dataset.
        split: whose pictures.
        levels: how strong each disturbance is, least first; None takes `disturb.LEVELS`, which has all there are.
        count: pictures at most, drawn by the seed; None takes all.
        seed: of the noise.

    Returns:
        A row per disturbance and level: `disturbance`, `level`, `accuracy`, its 95 % interval `low` to `high`, and
        `pictures`.

    Raises:
        ValueError: there is no such disturbance.

    >>> curves(trained, manifest, levels={"blur": (0, 2)})  # doctest: +SKIP
    """
    levels = corruptions.LEVELS if levels is None else levels
    unknown = sorted(set(levels) - set(corruptions.DISTURBANCES))
    if unknown:
        raise ValueError(f"expected disturbances of {', '.join(corruptions.DISTURBANCES)}, got {unknown[0]!r}")
    pixels, truth = _pictures(trained, manifest.where(split=split, status="ok"), count, seed)
    wanted = [(name, float(level)) for name, some in levels.items() for level in some]
    rows, answers = [], {}
    for name, level in parallel.progress(wanted, description="disturb", unit=" levels"):
        worse = np.stack(list(parallel.map(partial(_worse, pixels, name, level, seed), range(len(pixels)))))
        same = (worse == pixels).all()
        if not same or "untouched" not in answers:
            right = int((trained.probabilities(worse).argmax(axis=1) == truth).sum())
        if same:
            right = answers.setdefault("untouched", right)
        low, high = wilson(right, len(truth))
        rows.append((name, level, right / len(truth), low, high, len(truth)))
    return pd.DataFrame(rows, columns=["disturbance", "level", "accuracy", "low", "high", "pictures"])


def measure(trained: Bundle, manifest: Manifest, *, count: int | None = None, again: bool = False) -> dict:
    """Curves and the threshold against nonsense of an evaluated run, kept in `robustness.json` of its bundle.

    Args:
        trained: the model.
        manifest: the dataset it was trained on.
        count: pictures at most, see `curves`; more than are asked for may have been measured before.
        again: measure although this model was measured on the same test pictures before.

    Returns:
        `curves`, a table as `curves` gives it, and `nonsense`, as `threshold` gives it.

    Raises:
        BundleError: the run was not evaluated.
    """
    file, answers = trained.folder / FILE, evaluate.load(trained).predictions
    known = json.loads(file.read_text()) if file.exists() else {}
    asked = {"test": trained.metrics["test"], "model": trained.facts.get("sha256")}
    wanted = len(answers) if count is None else min(count, len(answers))
    enough = bool(known) and min(known["curves"]["pictures"]) >= wanted
    if again or not enough or {name: known.get(name) for name in asked} != asked:
        right = answers.loc[answers["label"] == answers["predicted"], "probability"].to_numpy()
        known = dict(asked)
        known["curves"] = curves(trained, manifest, count=count).to_dict(orient="list")
        known["nonsense"] = threshold(right, sureness(trained, nonsense(trained.size))) if len(right) else {}
        paths.write(file, json.dumps(known, indent=2) + "\n")
    return {"curves": pd.DataFrame(known["curves"]), "nonsense": known["nonsense"]}


def _worse(pixels: np.ndarray, name: str, level: float, seed: int, place: int) -> np.ndarray:
    return corruptions.apply(pixels[place], name, level, seed=seed + place)


def nonsense(size: int, *, count: int = 100, seed: int = 7) -> np.ndarray:
    """Pictures of nothing in particular: noise fine and coarse, flat colours, gradients, stripes, empty landscapes.

    Args:
        size: side in pixels.
        count: how many, at least 1.
        seed: another one gives others.

    Returns:
        uint8 array of shape (count, size, size, 3).
    """
    rng = np.random.default_rng(seed)
    kinds = (_grain, _clouds, _flat, _gradient, _stripes, _landscape)
    return np.stack([kinds[number % len(kinds)](size, rng) for number in range(count)]).clip(0, 255).astype(np.uint8)


def sureness(trained: Bundle, pictures: np.ndarray) -> np.ndarray:
    """How sure the model is of its answer to each picture, 0 to 1: float32 array of shape (n,)."""
    return trained.probabilities(pictures).max(axis=1)


def threshold(right: np.ndarray, nonsense: np.ndarray, *, let_through: float = 0.05) -> dict[str, float]:
    """Below which sureness to say "not sure", so that little nonsense gets a name.

    Args:
        right: how sure the model is of its right answers, 0 to 1.
        nonsense: how sure it is of pictures of no class.
        let_through: share of the nonsense that may still get a name, 0 to 1.

    Returns:
        `threshold`, and what it costs and brings: `kept`, the share of right answers still given, `let_through`, the
        share of nonsense still named, and `sure`, the share of nonsense it names with at least 90 %.

    >>> threshold(np.array([0.9, 0.99]), np.array([0.6, 0.95]), let_through=0.5)["kept"]
    1.0
    """
    if not len(right) or not len(nonsense) or not 0 <= let_through <= 1:
        raise ValueError(
            f"expected right answers, nonsense and a share from 0 to 1, got "
            f"{len(right)}, {len(nonsense)} and {let_through}"
        )
    ordered = np.sort(nonsense)[::-1]
    allowed = int(let_through * len(ordered))
    limit = 0.0 if allowed >= len(ordered) else float(np.nextafter(np.float32(ordered[allowed]), np.float32(2)))
    return {
        "threshold": min(limit, 1.0),
        "kept": float((right >= min(limit, 1.0)).mean()),
        "let_through": float((nonsense >= min(limit, 1.0)).mean()),
        "sure": float((nonsense >= SURE).mean()),
    }


def _pictures(trained: Bundle, chosen: Manifest, count: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if not len(chosen):
        raise DatasetError(f"expected pictures to disturb in {chosen.name}, got none; split it first")
    drawn = sorted(np.random.default_rng(seed).permutation(len(chosen))[:count])
    files = [chosen.files[place] for place in drawn]
    pictures = np.stack(list(prepare_all(trained.prepare, files)))
    return pictures, class_indices(chosen.table["label"].iloc[drawn], trained.classes)


def _grain(size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (size, size, 3)).astype(np.float32)


def _clouds(size: int, rng: np.random.Generator) -> np.ndarray:
    coarse = rng.integers(0, 256, (rng.integers(2, 9), rng.integers(2, 9), 3)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _flat(size: int, rng: np.random.Generator) -> np.ndarray:
    return np.broadcast_to(rng.integers(0, 256, 3).astype(np.float32), (size, size, 3))


def _gradient(size: int, rng: np.random.Generator) -> np.ndarray:
    ends = rng.integers(0, 256, (2, 3)).astype(np.float32)
    share = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    picture = np.broadcast_to(ends[0] * (1 - share) + ends[1] * share, (size, size, 3))
    return np.rot90(picture, int(rng.integers(4)))


def _stripes(size: int, rng: np.random.Generator) -> np.ndarray:
    across, down = np.meshgrid(np.arange(size), np.arange(size))
    angle, width = rng.uniform(0, np.pi), rng.uniform(2, size / 4)
    wave = (np.sin((across * np.cos(angle) + down * np.sin(angle)) * np.pi / width)[..., None] > 0).astype(np.float32)
    colours = rng.integers(0, 256, (2, 3)).astype(np.float32)
    return colours[0] * wave + colours[1] * (1 - wave)


def _landscape(size: int, rng: np.random.Generator) -> np.ndarray:
    """A street, a meadow, a forest, as the practice world has them, without anything in it."""
    chance = Random(int(rng.integers(2**31)))
    side = max(size, 64)
    drawn = scenes.scene(
        chance.choice(list(scenes.SCENES)), (side, side), round(side * chance.uniform(0.3, 0.58)), rng=chance
    )
    return np.asarray(drawn.convert("RGB").resize((size, size), Image.Resampling.LANCZOS), np.float32)
