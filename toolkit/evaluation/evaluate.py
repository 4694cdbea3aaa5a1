"""Evaluation: a trained model on pictures it has not seen, and the confidence interval of its accuracy."""

import hashlib
import html
import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support, recall_score

from toolkit.core import arrays, contained, headings, paths, stderr
from toolkit.dataset.manifest import Dataset, Manifest, class_indices, opened
from toolkit.errors import BundleError
from toolkit.evaluation import kept, operating_points
from toolkit.evaluation.significance import wilson
from toolkit.model import bundle, calibrate
from toolkit.model.bundle import Bundle
from toolkit.training import batches

TIMED = 40  # pictures, one at a time
MATRIX = 200  # classes, at most, whose confusion matrix is stored
LOOKS = "test_openings.jsonl"


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """The answers of a model about pictures, and the figures that follow from them.

    Args:
        run: name of the run.
        classes: class names in their order.
        predictions: a row per picture: path, label, predicted, probability (of the predicted class), and one column
            per class with its probability.
        milliseconds: median time for one picture, from pixels to probabilities.
        milliseconds_p95: the time that 95 of 100 pictures stay below.
        split: what it was measured on.
        dataset: name of the dataset of the run; "" where it has none.
    """

    run: str
    classes: tuple[str, ...]
    predictions: pd.DataFrame
    milliseconds: float = math.nan
    milliseconds_p95: float = math.nan
    split: str = "test"
    dataset: str = ""

    @property
    def accuracy(self) -> float:
        """Share of pictures named right, 0 to 1."""
        return float(self.right.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the accuracy (Wilson)."""
        return wilson(int(self.right.sum()), len(self.predictions))

    @property
    def confusion(self) -> pd.DataFrame:
        """Confusion matrix: pictures per true class (rows) and predicted class (columns)."""
        matrix = confusion_matrix(*self._labels, labels=list(self.classes))
        return pd.DataFrame(matrix, index=pd.Index(self.classes, name="true"), columns=list(self.classes))

    @property
    def per_class(self) -> pd.DataFrame:
        """Precision, recall, F1 and number of pictures per class."""
        columns = precision_recall_fscore_support(*self._labels, labels=list(self.classes), zero_division=0)
        names = ("precision", "recall", "f1", "pictures")
        return pd.DataFrame(dict(zip(names, columns, strict=True)), index=pd.Index(self.classes, name="class"))

    def most_confused(self) -> pd.DataFrame:
        """The classes that are confused, the most often first: `label`, `predicted`, `pictures`, `of` so many."""
        pairs = self.mistakes.groupby(["label", "predicted"]).size().reset_index(name="pictures")
        of = self.predictions["label"].value_counts()
        pairs["of"] = pairs["label"].map(of).astype(int)
        return pairs.sort_values(["pictures", "label", "predicted"], ascending=[False, True, True], ignore_index=True)

    def operating_points(self, precision: float = operating_points.PRECISION) -> pd.DataFrame:
        """Operating point of each class from which on so many of its answers are right."""
        return operating_points.found(self, precision)

    @property
    def right(self) -> pd.Series:
        """Whether each picture was named right, by its path."""
        table = self.predictions.set_index("path")
        return table["label"] == table["predicted"]

    @property
    def balanced_accuracy(self) -> float:
        """Balanced accuracy: mean recall of the classes that have pictures, so that a rare class counts like any other.

        Not `sklearn.metrics.balanced_accuracy_score`, which warns of a class that is only predicted.
        """
        return float(recall_score(*self._labels, labels=sorted(set(self.predictions["label"])), average="macro"))

    @property
    def macro_f1(self) -> float:
        """Macro-averaged F1: mean F1 of the classes that have pictures or are predicted."""
        return float(f1_score(*self._labels, average="macro"))

    @property
    def log_loss(self) -> float:
        """Log loss, in nats; 0 is perfect, log(classes) is guessing: see `calibrate.log_loss`."""
        return calibrate.log_loss(self.probabilities, self.truth)

    @property
    def ece(self) -> float:
        """Expected calibration error, 0 to 1, in 15 bins of equal width: see `calibrate.expected_calibration_error`."""
        return calibrate.expected_calibration_error(self.probabilities, self.truth)

    @property
    def probabilities(self) -> np.ndarray:
        """Probabilities of all classes: float64 array of shape (pictures, classes)."""
        return self.predictions[[f"p_{name}" for name in self.classes]].to_numpy(float)

    @property
    def truth(self) -> np.ndarray:
        """Index of the true class of every picture: int64 array of shape (pictures,)."""
        return class_indices(self.predictions["label"], self.classes)

    @property
    def mistakes(self) -> pd.DataFrame:
        """The pictures named wrong, the most confident answer first."""
        wrong = self.predictions[self.predictions["label"] != self.predictions["predicted"]]
        return wrong.sort_values("probability", ascending=False, ignore_index=True)

    @property
    def _labels(self) -> tuple[pd.Series, pd.Series]:
        """The true and the predicted class of every picture, by name."""
        return self.predictions["label"], self.predictions["predicted"]

    def __repr__(self) -> str:
        low, high = self.interval
        right = f"{self.run}: {self.accuracy:.1%} right on {len(self.predictions)} {self.split} pictures"
        return f"{right} (95 % interval {low:.1%} to {high:.1%})"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>{headings.styled(self.per_class).to_html()}"


def measure(trained: Bundle | str | Path, manifest: Dataset, *, split: str = "test", record: bool = True) -> Report:
    """Evaluate a model on a split, and write `metrics.json` and `predictions.csv` into its bundle.

    Args:
        trained: the model, or the name of a run.
        manifest: the dataset it was trained on, or its name.
        split: "test"; "val" while still choosing between models (nothing is written then).
        record: count it as a look at the test pictures, see `test_looks`, and time it; False for what is no test of the
            dataset, such as a fold.

    Returns:
        The report.

    Raises:
        BundleError: the model knows other classes than the dataset has, or has seen some of its test pictures.

    >>> measure(bundle.load("cars_tanks/vgg"), manifest.load("cars_tanks")).accuracy  # doctest: +SKIP
    0.83
    """
    trained, manifest = bundle.opened(trained), opened(manifest)
    chosen = manifest.where(split=split, status="ok")
    _check(trained, manifest, chosen, split)
    examples = batches.examples(manifest, split=split, size=trained.size, resize_mode=trained.resize_mode)
    pixels = examples.pixels
    with stderr.notice(f"asking about {len(pixels):,} pictures …"):
        outputs = trained.ask(pixels)
    table = predictions(chosen.table[["path", "label"]], outputs.probabilities, trained.classes)
    median, p95 = _milliseconds(trained, pixels) if record else (math.nan, math.nan)
    report = Report(trained.name, trained.classes, table, median, p95, split=split, dataset=manifest.name)
    if split == "test":
        kept_here = kept.measured(trained, outputs, report.truth)
        metrics = {**_metrics(report, chosen), **kept_here, "model": trained.facts.get("sha256")}
        paths.write(trained.folder / bundle.PREDICTIONS, report.predictions.to_csv(index=False))
        paths.write(trained.folder / bundle.METRICS, json.dumps(metrics, indent=2) + "\n")
        if record:
            _record_look(trained.name, chosen)
    return report


def load(trained: Bundle) -> Report:
    """The report of an earlier `measure` on the test split.

    Args:
        trained: the model.

    Raises:
        BundleError: there is none.

    >>> load(bundle.load("cars_tanks/vgg")).interval  # doctest: +SKIP
    (0.78, 0.87)
    """
    metrics = trained.metrics
    median, p95 = metrics.get("milliseconds", math.nan), metrics.get("milliseconds_p95", math.nan)
    dataset = paths.dataset_of(trained.folder).name
    return Report(trained.name, trained.classes, trained.predictions, median, p95, dataset=dataset)


def test_looks(manifest: Manifest) -> pd.DataFrame:
    """The looks at the test pictures of a dataset: a row per look with `when`, `run`, `pictures` and `test`.

    Every look that leads to another choice makes the figure on the test pictures a little too good.

    Args:
        manifest: the dataset.
    """
    file = manifest.root / LOOKS
    lines = file.read_text().splitlines() if file.exists() else []
    return pd.DataFrame([json.loads(line) for line in lines], columns=["when", "run", "pictures", "test"])


def predictions(rows: pd.DataFrame, probabilities: np.ndarray, classes: tuple[str, ...]) -> pd.DataFrame:
    """A table of answers: the columns of `rows`, then `predicted`, `probability` and a column `p_<class>` per class.

    Args:
        rows: a row per picture, such as its path and label.
        probabilities: shape (pictures, classes).
        classes: class names in the order of the outputs.
    """
    best = probabilities.argmax(axis=1)
    columns = {f"p_{name}": probabilities[:, index] for index, name in enumerate(classes)}
    answers = {"predicted": np.array(classes, dtype=object)[best], "probability": probabilities.max(axis=1)}
    return rows.reset_index(drop=True).assign(**answers, **columns)


def test_fingerprint(manifest: Manifest) -> str:
    """Fingerprint of a test split: a hash of its pictures and labels. Runs with the same one can be compared.

    Args:
        manifest: the test pictures alone.
    """
    lines = manifest.table[["sha256", "label"]].to_csv(index=False)
    return hashlib.sha256(lines.encode()).hexdigest()


def _check(trained: Bundle, manifest: Manifest, chosen: Manifest, split: str) -> None:
    """Raise BundleError where a model cannot be asked about these pictures, or has seen them."""
    if trained.classes != manifest.classes:
        raise BundleError(
            f"expected a model of {', '.join(manifest.classes)}, got {trained.name} of {', '.join(trained.classes)}; "
            "train it on this dataset"
        )
    seen = set(chosen.table["sha256"]) & trained.seen if split == "test" else ()
    if seen:
        raise BundleError(
            f"expected test pictures that {trained.name} has not seen, {len(seen)} of {len(chosen)} were in its train "
            "or val; train it again on today's split"
        )
    if split == "val" and trained.facts.get("config", {}).get("refit"):
        raise BundleError(
            f"expected pictures that {trained.name} did not learn from, but it was refit on val; use test"
        )


def _milliseconds(trained: Bundle, pixels: np.ndarray | arrays.Rows) -> tuple[float, float]:
    """Median and 95th percentile of the time for one picture, after a first one that does not count."""
    trained.ask(pixels[:1])
    times = []
    for index in range(min(TIMED, len(pixels))):
        started = time.perf_counter()
        trained.ask(pixels[index : index + 1])
        times.append(1000 * (time.perf_counter() - started))
    return float(np.median(times)), float(np.percentile(times, 95))


def _metrics(report: Report, chosen: Manifest) -> dict[str, object]:
    """What `metrics.json` holds."""
    low, high = report.interval
    return {
        "accuracy": report.accuracy,
        "low": low,
        "high": high,
        "pictures": len(report.predictions),
        "balanced_accuracy": report.balanced_accuracy,
        "macro_f1": report.macro_f1,
        "log_loss": report.log_loss,
        "ece": report.ece,
        "milliseconds": report.milliseconds,
        "milliseconds_p95": report.milliseconds_p95,
        "test": test_fingerprint(chosen),
        "per_class": report.per_class.to_dict(orient="index"),
        "confusion": report.confusion.to_numpy().tolist() if len(report.classes) <= MATRIX else None,
    }


def _record_look(run: str, chosen: Manifest) -> None:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    look = {"when": when, "run": run, "pictures": len(chosen), "test": test_fingerprint(chosen)}
    contained.append(chosen.root / LOOKS, json.dumps(look) + "\n")
