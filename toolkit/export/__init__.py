"""Take a trained network elsewhere: LiteRT, ONNX, SavedModel, a page for the browser.

Each file takes RGB from 0 to 255, as the network itself does, and says what its classes are and what pictures it wants.
Each is opened again by what will run it, and asked about the test pictures: one that is right less often than the
network is not kept.
"""

import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import toolkit
from toolkit.core import locking, parallel, paths, records
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError, in_one_line, is_of_the_machine
from toolkit.export import check, files, package
from toolkit.export.formats import FORMATS, OFFLINE, Format, chosen
from toolkit.model import abstaining
from toolkit.model.bundle import Bundle
from toolkit.model.classifier import Classifier, Outputs

if TYPE_CHECKING:
    import keras

__all__ = ["FORMATS", "OFFLINE", "Export", "FormatResult", "load", "package", "write"]

FOLDER, RECORD = "export", "export.json"
MAX_LOSS = 0.005
CALIBRATION = 200  # training pictures whose activations set the ranges of int8
TESTED = 2000  # test pictures, at most


@dataclass(frozen=True)
class FormatResult:
    """The result of writing one format.

    Args:
        format: one of `FORMATS`.
        file: its path; None if it was refused.
        reason: why it was refused; "" if it was not.
        figures: accuracy and latency on the test pictures; None if it could not be opened.
        megabytes: its size, in millions of bytes.
        sha256: of the file, or of all files of a folder one after the other.
    """

    format: str
    file: Path | None
    reason: str = ""
    figures: check.Figures | None = None
    megabytes: float = 0.0
    sha256: str = ""


@dataclass(frozen=True)
class Export:
    """The results of all formats that were asked for.

    Args:
        run: the network they were made from.
        original: its own result, as "keras".
        outcomes: one for each format.
        pictures: of the test, that all were compared on.
    """

    run: Bundle
    original: FormatResult
    outcomes: tuple[FormatResult, ...]
    pictures: int


def write(
    trained: Bundle,
    manifest: Manifest,
    *,
    to: Sequence[str] = ("litert-float16",),
    max_loss: float = MAX_LOSS,
    abstain_below: float = 0.0,
    thresholds: Mapping[str, float] | None = None,
    seed: int = 7,
) -> Export:
    """Write a run in other formats, into `export/` of its folder, and keep those that are as good as it is.

    Args:
        trained: the run.
        manifest: the dataset it was trained on: int8 is calibrated on its train split, and all formats are compared on
            its test split, on 2,000 pictures at most.
        to: names of `FORMATS`.
        max_loss: accuracy that a format may lose, 0 to 1; 0.005 is half a percentage point.
        abstain_below: probability below which whoever uses it should say "not sure", 0 to 1; 0 always answers.
        thresholds: such probabilities of some classes, by their names.
        seed: of the sample of pictures that int8 is calibrated on.

    Returns:
        The result of each; one that was refused has a reason, and no file.

    Raises:
        BundleError: a file that is no run, a run of another dataset, or the browser's runtime cannot be had.

    >>> write(bundle.load("cars_tanks/xception"), manifest.load("cars_tanks"), to=FORMATS)  # doctest: +SKIP
    """
    names = chosen(tuple(to))
    if not (0 <= max_loss <= 1 and 0 <= abstain_below <= 1):
        raise ValueError(f"expected max_loss and abstain_below from 0 to 1, got {max_loss} and {abstain_below}")
    abstaining.check(thresholds or {}, trained.classes)
    if not trained.folder.is_dir():
        raise BundleError(f"expected a run, got the file {trained.name}; export a run that was trained here")
    if trained.classes != manifest.classes:
        raise BundleError(
            f"expected a run of {', '.join(manifest.classes)}, got {trained.name} of {', '.join(trained.classes)}: "
            f"{manifest.name} has other classes now; train it again"
        )
    for name in names:
        FORMATS[name].prepare()  # before anything that takes long
    drawn = partial(check.draw, trained, manifest, seed=seed)
    pictures, labels = drawn(split="test", count=TESTED)
    figures, expected = check.measure(trained, pictures, labels)
    model = trained.folder / "model.keras"
    original = FormatResult("keras", model, "", figures, model.stat().st_size / 1e6, str(trained.facts["sha256"]))
    work = _Work(
        trained=trained,
        facts=_facts(trained, abstain_below, thresholds),
        sample=cache(lambda: drawn(split="train", count=CALIBRATION)[0]),
        judge=partial(_judged, pictures=pictures, labels=labels, expected=expected, original=figures, loss=max_loss),
    )
    with locking.alone(trained.folder, kind="export"):
        _forget_another_model(trained)
        outcomes = []
        for name in parallel.progress(names, description="export", unit=" formats"):
            outcomes.append(work.attempt(name))
            _record(trained, original, outcomes[-1], pictures=len(pictures), max_loss=max_loss)
    return Export(trained, original, tuple(outcomes), len(pictures))


def load(trained: Bundle) -> dict:
    """The record of the formats written before, from `export.json`: a dict per format; empty if there are none."""
    file = trained.folder / FOLDER / RECORD
    return records.read(file).get("artifacts", {}) if file.exists() else {}


class _Refused(Exception):
    """A format that is not kept, with its result."""

    def __init__(self, outcome: FormatResult):
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True)
class _Work:
    """What all formats of a run are written and compared with."""

    trained: Bundle
    facts: dict
    sample: Callable[[], np.ndarray]
    judge: Callable[[Classifier], tuple[check.Figures, str]]

    def attempt(self, name: str) -> FormatResult:
        """Write one format, open it again, and keep it if it is good."""
        form = FORMATS[name]
        path = self.trained.folder / FOLDER / form.file
        files.remove(path)  # what lies there is of an earlier time, and would outlive a refusal
        try:
            with files.whole(path) as temporary:
                made = self._best(name, form, temporary)
        except _Refused as refused:
            return refused.outcome
        return replace(made, file=path)

    def _best(self, name: str, form: Format, path: Path) -> FormatResult:
        """With familiarity as a second output, unless that does not survive: in 8 bits it may not."""
        if self.trained.two_outputs is not None:
            try:
                made = self._made(name, form, path, self.trained.two_outputs)
                if not made.figures or check.tells_strangers(made.figures):
                    return made
                reason = f"it calls {made.figures.verdicts:.1%} of the test pictures what the run calls them"
            except _Refused as refused:
                reason = refused.outcome.reason
            files.remove(path)
            self.trained.probabilities(self.sample()[:1])  # Keras writes only a network that was asked
            made = self._made(name, form, path, self.trained.model)
            warnings.warn(f"{name} is written without familiarity: {reason}", stacklevel=3)
            return made
        return self._made(name, form, path, self.trained.model)

    def _made(self, name: str, form: Format, path: Path, network: "keras.Model") -> FormatResult:
        try:
            form.write(network, path, facts=self.facts | {"format": name}, sample=self.sample)
            model = form.load(path)
        except ImportError:
            raise
        except Exception as error:  # converters fail in many ways, and some only when the result is opened
            if is_of_the_machine(error):
                raise
            reason = f"cannot be made: {in_one_line(error)}{_instead(form)}"
            raise _Refused(FormatResult(name, None, reason)) from error
        figures, reason = self.judge(model)
        made = FormatResult(name, None, "", figures, files.size(path) / 1e6, files.fingerprint(path))
        if reason:
            raise _Refused(replace(made, reason=f"{reason}{_instead(form)}"))
        return made


def _judged(
    model: Classifier,
    *,
    pictures: np.ndarray,
    labels: np.ndarray,
    expected: Outputs,
    original: check.Figures,
    loss: float,
) -> tuple[check.Figures, str]:
    figures, outputs = check.measure(model, pictures, labels, expected=expected)
    return figures, check.objection(figures, outputs.probabilities, original=original, max_loss=loss)


def _facts(trained: Bundle, abstain_below: float, thresholds: Mapping[str, float] | None) -> dict:
    """The metadata within every exported file."""
    return {
        "classes": list(trained.classes),
        "size": trained.size,
        "resize_mode": trained.resize_mode,
        "input": "float32 (n, size, size, 3), RGB, 0 to 255",
        "temperature": trained.facts.get("temperature", 1.0),  # in the weights already
        "threshold": abstain_below,
        "thresholds": dict(thresholds or {}),
        "sets": trained.facts.get("sets"),
        "run": f"{trained.folder.parent.name}/{trained.name}",
        "network": trained.facts.get("network", ""),
        "model": trained.facts["sha256"],
        "toolkit": toolkit.__version__,
    }


def _instead(form: Format) -> str:
    return f"; take {form.safer} instead" if form.safer else ""


def _record(trained: Bundle, original: FormatResult, made: FormatResult, *, pictures: int, max_loss: float) -> None:
    """Add the result of a format to `export.json`."""
    rows = load(trained)
    rows[made.format] = _row(made) | {"pictures": pictures, "max_loss": max_loss}
    record = {"model": trained.facts["sha256"], "keras": _row(original)}
    record["artifacts"] = {name: rows[name] for name in FORMATS if name in rows}
    paths.write(trained.folder / FOLDER / RECORD, json.dumps(record, indent=2) + "\n")


def _row(outcome: FormatResult) -> dict:
    row = asdict(outcome)
    figures = row.pop("figures") or {}
    figures = {name: value if math.isfinite(value) else None for name, value in figures.items()}  # JSON knows no other
    return row | {"file": outcome.file.name if outcome.file else None} | figures


def _forget_another_model(trained: Bundle) -> None:
    """Remove what was exported from a model that this one has replaced."""
    file = trained.folder / FOLDER / RECORD
    if file.exists() and records.read(file).get("model") != trained.facts["sha256"]:
        for form in FORMATS.values():
            files.remove(file.with_name(form.file))
        file.unlink()
