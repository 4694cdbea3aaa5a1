"""Measure a trained model on pictures it has not seen, and say how sure the figure is."""

import hashlib
import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from toolkit import images
from toolkit.core import paths
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError
from toolkit.model import bundle, calibrate
from toolkit.model.bundle import Bundle
from toolkit.training import batches

TIMED = 40  # pictures, one at a time
OPENINGS = "test_openings.jsonl"


@dataclass(frozen=True, eq=False)
class Report:
    """What a model got right and wrong.

    Args:
        run: name of the run.
        classes: class names in their order.
        predictions: a row per picture: path, label, predicted, probability (of the predicted class), and one column
            per class with its probability.
        milliseconds: median time for one picture, from pixels to probabilities.
        milliseconds_p95: the time that 95 of 100 pictures stay below.
        split: what it was measured on.
    """

    run: str
    classes: tuple[str, ...]
    predictions: pd.DataFrame
    milliseconds: float = math.nan
    milliseconds_p95: float = math.nan
    split: str = "test"

    @property
    def accuracy(self) -> float:
        """Share of pictures named right."""
        return float((self.predictions["label"] == self.predictions["predicted"]).mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        right = int((self.predictions["label"] == self.predictions["predicted"]).sum())
        return wilson(right, len(self.predictions))

    @property
    def confusion(self) -> pd.DataFrame:
        """Pictures per true class (rows) and named class (columns)."""
        truth, named = self.predictions["label"], self.predictions["predicted"]
        matrix = confusion_matrix(truth, named, labels=list(self.classes))
        return pd.DataFrame(matrix, index=pd.Index(self.classes, name="true"), columns=list(self.classes))

    @property
    def per_class(self) -> pd.DataFrame:
        """Precision, recall, F1 and number of pictures per class."""
        truth, named = self.predictions["label"], self.predictions["predicted"]
        columns = precision_recall_fscore_support(truth, named, labels=list(self.classes), zero_division=0)
        names = ("precision", "recall", "f1", "pictures")
        return pd.DataFrame(dict(zip(names, columns, strict=True)), index=pd.Index(self.classes, name="class"))

    @property
    def right(self) -> pd.Series:
        """Whether each picture was named right, by its path."""
        table = self.predictions.set_index("path")
        return table["label"] == table["predicted"]

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes there are pictures of: a frequent class counts no more than a rare one."""
        table = self.per_class
        return float(table.loc[table["pictures"] > 0, "recall"].mean())

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes, of those named or there."""
        table = self.per_class
        named = table.index.isin(self.predictions["predicted"])
        return float(table.loc[named | (table["pictures"] > 0), "f1"].mean())

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
        """What it said of every picture: float64 array of shape (pictures, classes)."""
        return self.predictions[[f"p_{name}" for name in self.classes]].to_numpy(float)

    @property
    def truth(self) -> np.ndarray:
        """The true class of every picture, as its place: int array of shape (pictures,)."""
        places = {name: place for place, name in enumerate(self.classes)}
        return self.predictions["label"].map(places).to_numpy(int)

    @property
    def mistakes(self) -> pd.DataFrame:
        """The pictures named wrong, the surest first."""
        wrong = self.predictions[self.predictions["label"] != self.predictions["predicted"]]
        return wrong.sort_values("probability", ascending=False, ignore_index=True)

    def __str__(self) -> str:
        low, high = self.interval
        right = f"{self.run}: {self.accuracy:.1%} right on {len(self.predictions)} {self.split} pictures"
        return f"{right} (95 % interval {low:.1%} to {high:.1%})"

    def _repr_html_(self) -> str:
        return f"<p>{self}</p>{self.per_class.round(3)._repr_html_()}"


def measure(trained: Bundle, manifest: Manifest, *, split: str = "test", record: bool = True) -> Report:
    """Ask a model about every picture of a split, and write `metrics.json` and `predictions.csv` into its bundle.

    Args:
        trained: the model.
        manifest: the dataset it was trained on.
        split: "test"; "val" while still choosing between models (nothing is written then).
        record: count it as a look at the test pictures, see `openings`, and time it; False for what is no test of the
            dataset, such as a fold.

    Returns:
        The report.

    Raises:
        BundleError: the model knows other classes than the dataset has, or has seen some of its test pictures.

    >>> measure(bundle.load("cars_tanks/vgg"), manifest.load("cars_tanks")).accuracy  # doctest: +SKIP
    0.83
    """
    chosen = manifest.where(split=split, status="ok")
    _check(trained, manifest, chosen, split)
    examples = batches.examples(manifest, split=split, size=trained.size, resize_mode=trained.resize_mode)
    pixels = examples.pixels if examples.pixels is not None else _read(examples)
    probabilities = trained.probabilities(pixels)
    table = predictions(chosen.table[["path", "label"]], probabilities, trained.classes)
    times = _milliseconds(trained, pixels) if record else ()
    report = Report(trained.name, trained.classes, table, *times, split=split)
    if split == "test":
        _write(report, trained, chosen, record)
    return report


def load(trained: Bundle) -> Report:
    """The report of an earlier `measure` on the test split.

    Raises:
        BundleError: there is none.
    """
    times = (trained.metrics.get(name, math.nan) for name in ("milliseconds", "milliseconds_p95"))
    return Report(trained.name, trained.classes, trained.predictions, *times)


def openings(manifest: Manifest) -> pd.DataFrame:
    """When the test pictures of a dataset were looked at: a row per look with `when`, `run`, `pictures` and `test`.

    Every look that leads to another choice makes the figure on the test pictures a little too good.
    """
    file = manifest.root / OPENINGS
    lines = file.read_text().splitlines() if file.exists() else []
    return pd.DataFrame([json.loads(line) for line in lines], columns=["when", "run", "pictures", "test"])


def wilson(right: int, count: int, *, z: float = 1.959963984540054) -> tuple[float, float]:
    """Interval of a share (Wilson, 1927), which unlike the textbook's stays honest near 0 and 1 and for few pictures.

    Args:
        right: pictures named right, 0 to `count`.
        count: pictures in all, at least 1.
        z: normal quantile; the default is for 95 %.

    >>> [round(bound, 3) for bound in wilson(197, 200)]
    [0.957, 0.995]
    """
    if not 0 <= right <= count or count < 1:
        raise ValueError(f"expected 0 <= right <= count and count of at least 1, got {right} of {count}")
    share = right / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))  # rounding aside, share is inside


def predictions(rows: pd.DataFrame, probabilities: np.ndarray, classes: tuple[str, ...]) -> pd.DataFrame:
    """A table of answers: the given rows, then `predicted`, `probability` and a column `p_<class>` per class."""
    best = probabilities.argmax(axis=1)
    columns = {f"p_{name}": probabilities[:, place] for place, name in enumerate(classes)}
    answers = {"predicted": np.array(classes, dtype=object)[best], "probability": probabilities.max(axis=1)}
    return rows.reset_index(drop=True).assign(**answers, **columns)


def test_fingerprint(manifest: Manifest) -> str:
    """Hash of the pictures and labels of a test split; runs can be compared if theirs is the same."""
    lines = manifest.table[["sha256", "label"]].to_csv(index=False)
    return hashlib.sha256(lines.encode()).hexdigest()


def _check(trained: Bundle, manifest: Manifest, chosen: Manifest, split: str) -> None:
    """Raise BundleError where a model cannot be asked about these pictures, or has seen them."""
    if trained.classes != manifest.classes:
        raise BundleError(
            f"expected a model of {', '.join(manifest.classes)}, got {trained.name} of {', '.join(trained.classes)}; "
            "train it on this dataset"
        )
    known = set(chosen.table["sha256"]) & trained.seen if split == "test" else ()
    if known:
        raise BundleError(
            f"expected test pictures that {trained.name} has not seen, {len(known)} of {len(chosen)} were in its train "
            "or val; train it again on today's split"
        )
    if split == "val" and trained.facts.get("config", {}).get("refit"):
        raise BundleError(
            f"expected pictures that {trained.name} did not learn from, but it was refit on val; use test"
        )


def _read(examples: batches.Examples) -> np.ndarray:
    return np.stack([images.prepare(file, examples.size) for file in examples.files])


def _milliseconds(trained: Bundle, pixels: np.ndarray) -> tuple[float, float]:
    """Median and 95th percentile of the time for one picture, after a first one that does not count."""
    trained.probabilities(pixels[:1])
    times = []
    for place in range(min(TIMED, len(pixels))):
        started = time.perf_counter()
        trained.probabilities(pixels[place : place + 1])
        times.append(1000 * (time.perf_counter() - started))
    return float(np.median(times)), float(np.percentile(times, 95))


def _write(report: Report, trained: Bundle, chosen: Manifest, record: bool) -> None:
    low, high = report.interval
    metrics = {"accuracy": report.accuracy, "low": low, "high": high, "pictures": len(report.predictions)}
    metrics |= {"balanced_accuracy": report.balanced_accuracy, "macro_f1": report.macro_f1}
    metrics |= {"log_loss": report.log_loss, "ece": report.ece}
    metrics |= {"milliseconds": report.milliseconds, "milliseconds_p95": report.milliseconds_p95}
    metrics["test"] = test_fingerprint(chosen)
    metrics["per_class"] = report.per_class.to_dict(orient="index")
    metrics["confusion"] = report.confusion.to_numpy().tolist()
    paths.write(trained.folder / bundle.PREDICTIONS, report.predictions.to_csv(index=False))
    paths.write(trained.folder / bundle.METRICS, json.dumps(metrics, indent=2) + "\n")
    look = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "run": trained.name}
    look |= {"pictures": len(chosen), "test": metrics["test"]}
    if record:
        with (chosen.root / OPENINGS).open("a") as stream:
            stream.write(json.dumps(look) + "\n")
