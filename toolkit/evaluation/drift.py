"""Drift: whether pictures that come in are of another kind than those that a network was judged on.

The test pictures stand for what was learned: like those that come in, they were not learned from. Each measure is
compared by a rank test, and all are corrected together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from toolkit.core import contained
from toolkit.core.words import counted, listed
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.evaluation import failures, significance
from toolkit.images import measure
from toolkit.images.opening import prepare_all
from toolkit.model.bundle import Bundle

ANSWERS, CHANCE = "answers.csv", "by chance"  # as `toolkit serve --keep` writes them
LEAST = 10  # pictures of either kind
DRAWS = 2000
AT_ONCE = 256  # pictures in memory
MEASURES = {  # column: what a person calls it
    "brightness": "light",
    "sharpness": "sharpness",
    "aspect": "width over height",
    "side": "shortest side",
    "confidence": "confidence",
    "likeness": "likeness to what was learned",
}


@dataclass(frozen=True, eq=False, repr=False)
class Drift:
    """Pictures that came in beside those of the test.

    Args:
        table: a row per measure: `measure`, its median in the `test` and in what `came` in (of the answers 0, and the
            share that is named another class), `p`, `corrected` (Holm) and `different` (corrected below 0.05).
        answers: share of each class among the answers, `test` and `came`, by class.
        pictures: how many came in, and how many are in the test.
        unreadable: how many could not be opened.
    """

    table: pd.DataFrame
    answers: pd.DataFrame
    pictures: tuple[int, int]
    unreadable: int = 0

    def __repr__(self) -> str:
        came, test = self.pictures
        found = self.table[self.table["different"]]
        beside = f"{counted(came)} beside {counted(test, 'test picture')}"
        if not len(found):
            return f"{beside}: no measure tells them apart; a small change may still go unseen."
        words = listed(f"{row.measure} (p = {row.corrected:.2g})" for row in found.itertuples())
        return f"{beside}: they differ in {words}. Whether the answers are worse, only labels can say."


def measured(trained: Bundle, manifest: Manifest, pictures: Sequence[Path], *, seed: int = 7) -> Drift:
    """Compare pictures that came in with the test pictures of a network.

    Args:
        trained: the network, which is asked about both.
        manifest: the dataset it was trained on.
        pictures: files, drawn by chance from what came in: those it doubted alone would differ in any case.
        seed: of the permutations.

    Raises:
        DatasetError: fewer than 10 pictures of either kind.

    Kolmogorov-Smirnov tests, and a permutation test of how often each class is named.

    >>> measured(run, manifest.load("pets"), sorted(Path("kept").glob("*.jpg")))  # doctest: +SKIP
    """
    test, train = (manifest.where(split=part, status="ok") for part in ("test", "train"))
    files, came = _opened(pictures)
    if min(len(test), len(files)) < LEAST:
        raise DatasetError(
            f"expected at least {LEAST} pictures that came in and {LEAST} of the test, got {len(files)} and {len(test)}"
        )
    learned = failures.unit_features(trained, train)
    first = _seen(trained, test.files, learned, test.table)
    second = _seen(trained, files, learned, came)
    rows = [_answers(first["answer"].to_numpy(), second["answer"].to_numpy(), seed)]
    rows += [_ranks(name, first[name].to_numpy(float), second[name].to_numpy(float)) for name in MEASURES]
    table = pd.DataFrame(rows)
    corrected = significance.holm(table["p"])
    table = table.assign(corrected=corrected, different=corrected < significance.LEVEL)
    answers = pd.DataFrame(
        {name: part["answer"].value_counts(normalize=True) for name, part in (("test", first), ("came", second))}
    )
    return Drift(
        table=table,
        answers=answers.reindex(range(len(trained.classes))).fillna(0.0).set_axis(list(trained.classes)),
        pictures=(len(files), len(test)),
        unreadable=len(pictures) - len(files),
    )


def drawn(folder: Path) -> tuple[list[Path], str]:
    """The pictures of a folder that were drawn by chance, as its table of answers says; all of one that has no table.

    Args:
        folder: that a service kept pictures in, or any other.

    Returns:
        The files, and a note on them for people, or "".

    Raises:
        DatasetError: there is no such folder.
    """
    if not folder.is_dir():
        raise DatasetError(f"expected a folder of pictures at {folder}, found none")
    table = folder / ANSWERS
    if not table.is_file():
        found = [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.startswith(".")]
        return found, " All pictures of the folder were taken to be drawn by chance."
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    contained.paths(rows["file"], of=table, anywhere=True)
    files = [folder / name for name in rows.loc[rows["kept"] == CHANCE, "file"]]
    return [file for file in files if file.is_file()], ""


def _opened(pictures: Sequence[Path]) -> tuple[list[Path], pd.DataFrame]:
    """The files that can be opened, and their measures."""
    records = [measure.many(file.parent, [(file.name, "")])[0] for file in pictures]
    good = [index for index, record in enumerate(records) if "status" not in record]
    return [pictures[index] for index in good], pd.DataFrame([records[index] for index in good])


def _seen(trained: Bundle, files: Sequence[Path], learned: np.ndarray, measures: pd.DataFrame) -> pd.DataFrame:
    """What is compared of each picture: its measures, its answer, and its likeness to the nearest one learned from."""
    answers, likeness = [], []
    for start in range(0, len(files), AT_ONCE):
        part = files[start : start + AT_ONCE]
        answers.append(trained.probabilities(np.stack(list(prepare_all(trained.prepare, part)))))
        likeness.append((failures.unit_features_of(trained, part) @ learned.T).max(axis=1))
    probabilities = np.concatenate(answers)
    return measures.reset_index(drop=True).assign(
        side=measures[["width", "height"]].min(axis=1).to_numpy(),
        answer=probabilities.argmax(axis=1),
        confidence=probabilities.max(axis=1),
        likeness=np.concatenate(likeness),
    )


def _ranks(name: str, test: np.ndarray, came: np.ndarray) -> dict[str, object]:
    p = float(ks_2samp(test, came).pvalue)
    return {"measure": MEASURES[name], "test": float(np.median(test)), "came": float(np.median(came)), "p": p}


def _answers(test: np.ndarray, came: np.ndarray, seed: int) -> dict[str, object]:
    """Whether classes are named as often: the sum of the differences of their shares, against labels that are mixed."""
    both, count = np.concatenate([test, came]), int(max(test.max(), came.max())) + 1
    random = np.random.default_rng(seed)

    def apart(one: np.ndarray, other: np.ndarray) -> float:
        shares = [np.bincount(part, minlength=count) / len(part) for part in (one, other)]
        return float(np.abs(shares[0] - shares[1]).sum() / 2)

    seen = apart(test, came)
    mixed = [
        apart(order[: len(test)], order[len(test) :]) for order in (random.permutation(both) for _ in range(DRAWS))
    ]
    p = (1 + sum(one >= seen - 1e-12 for one in mixed)) / (1 + DRAWS)
    return {"measure": "answers", "test": 0.0, "came": seen, "p": p}
