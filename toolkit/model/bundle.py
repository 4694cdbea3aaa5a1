"""A trained model with all that is needed to use it: one folder, `models/<dataset>/<run>/`.

model.keras        the network; RGB from 0 to 255 in, one probability per class out
bundle.json        classes in order, picture size, settings, what it was trained on, versions
seen.txt           the pictures it was trained on and chosen by, as hashes of their files
pictures.csv       all pictures in use then: path, hash, label and split, so that what changed since can be told
history.csv        loss and accuracy of every epoch
metrics.json       what `evaluate` measured
predictions.csv    its answer for every test picture
familiarity.npz    what it takes to tell how much a picture is like those it learned from, see `familiarity`
"""

import contextlib
import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit import images
from toolkit.core import contained, paths, records
from toolkit.errors import BundleError
from toolkit.model import familiarity, keras_file
from toolkit.model.classifier import Classifier, Outputs, classes_and_size
from toolkit.model.epochs import EpochScore, better_weights
from toolkit.model.familiarity import Familiarity

if TYPE_CHECKING:
    import keras

MODEL, FACTS, SEEN, PICTURES = "model.keras", "bundle.json", "seen.txt", "pictures.csv"
HISTORY, METRICS, PREDICTIONS = "history.csv", "metrics.json", "predictions.csv"
FAMILIARITY = "familiarity.npz"
LISTED = 12  # runs that are named where one is not found


@dataclass(frozen=True, eq=False, repr=False)
class Bundle(Classifier):
    """A trained model, its classes and how it came to be. The network itself is loaded when it is first needed.

    Args:
        folder: of the run, or a plain `.keras` file.
        classes: class names in the order of the model's outputs.
        size: side in pixels of the pictures it takes.
        facts: what `bundle.json` holds besides.
        resize_mode: how they are made square, see `images.square`.
        _model: the network, where it was read already.
    """

    folder: Path
    classes: tuple[str, ...]
    size: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    resize_mode: str = "crop"
    _model: "keras.Model | None" = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What other processes are sent: neither the network that was read nor its graph, which they make if asked."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __repr__(self) -> str:
        measured = f", {self.metrics['accuracy']:.1%} right on test" if self.metrics else ""
        return f"{self.folder.parent.name}/{self.name}: {', '.join(self.classes)} at {self.size} pixels{measured}"

    @cached_property
    def model(self) -> "keras.Model":
        """The Keras model, read in safe mode, which runs no code from the file."""
        if self._model is not None:
            return self._model
        if str(self.facts.get("network", "")).startswith("hub:"):  # its layers are those of keras-hub
            from toolkit.core import framework

            framework.hub()
        model = keras_file.read(self.folder / MODEL if self.folder.is_dir() else self.folder)
        keras_file.check(model, self.folder, size=self.size, classes=len(self.classes))
        return model

    def check(self) -> None:
        """Raise BundleError where the network is not what its metadata say, before pictures are made for it."""
        self.model  # noqa: B018 - which is read and compared

    @property
    def history(self) -> pd.DataFrame:
        """Loss and accuracy on train and val, a row per epoch."""
        return pd.read_csv(self.folder / HISTORY)

    @property
    def best(self) -> tuple[pd.Series, EpochScore]:
        """The row of the history whose weights were saved, and their validation score."""
        history = self.history
        row = history.iloc[self.facts.get("best_epoch", history["val_loss"].argmin())]
        return row, better_weights(row, monitor=self.facts.get("config", {}).get("monitor", "val_loss"))

    @property
    def seen(self) -> frozenset[str]:
        """Hashes of the files it was trained on and chosen by: asking about these again proves nothing."""
        return frozenset((self.folder / SEEN).read_text().split() if (self.folder / SEEN).exists() else ())

    @property
    def pictures(self) -> pd.DataFrame:
        """The pictures that were in use when it was trained: path, sha256, label and split.

        Raises:
            BundleError: it was trained before runs noted that.
        """
        file = self.folder / PICTURES
        if not file.exists():
            raise BundleError(
                f"expected a run that noted its pictures, {self.name} was trained by an older version and did not; "
                "train it again (--overwrite), or give a copy of the manifest.csv of then"
            )
        return pd.read_csv(file, keep_default_na=False, dtype=str)

    @property
    def metrics(self) -> dict:
        """What `evaluate` measured last; empty before."""
        file = self.folder / METRICS
        try:
            return records.read(file) if file.exists() else {}
        except BundleError:  # damaged: as if it had not been evaluated
            return {}

    @property
    def predictions(self) -> pd.DataFrame:
        """The answers `evaluate` wrote last, a row per picture.

        Raises:
            BundleError: it was not evaluated yet.
        """
        file = self.folder / PREDICTIONS
        if not file.exists():
            raise BundleError(
                f"expected an evaluated run, {self.name} has no {PREDICTIONS}; run `toolkit evaluate "
                f"{paths.run_name(self.folder)}`"
            )
        table = pd.read_csv(file, keep_default_na=False, dtype={"path": str, "label": str, "predicted": str})
        contained.paths(table.get("path", ()), of=file, anywhere=True)
        return table

    def _answers(self, pictures: np.ndarray) -> np.ndarray:
        return self._graph(self.model)(pictures)[0]

    @cached_property
    def _graph(self) -> "Callable[[keras.Model], Callable[[np.ndarray], list[np.ndarray]]]":
        from toolkit.core import framework

        return cache(framework.graph)

    @cached_property
    def familiarity(self) -> Familiarity | None:
        """What tells how familiar a picture is; None in a run that was trained before, or from too few pictures."""
        file = self.folder / FAMILIARITY
        return familiarity.load(file) if file.is_file() else None

    @property
    def tells_familiarity(self) -> bool:
        """Whether it was stored what is familiar."""
        return self.familiarity is not None

    @cached_property
    def two_outputs(self) -> "keras.Model | None":
        """The model with its second output, the familiarity of each picture; None where that is not known."""
        return self.familiarity.within(self.model) if self.familiarity else None

    def _outputs(self, pictures: np.ndarray) -> Outputs:
        if self.two_outputs is None:
            return Outputs(self._answers(pictures))
        probabilities, familiar = self._graph(self.two_outputs)(pictures)
        return Outputs(probabilities, familiar[:, 0])


def save(
    folder: Path,
    model: "keras.Model",
    *,
    classes: tuple[str, ...],
    size: int,
    resize_mode: str = "crop",
    history: pd.DataFrame,
    facts: Mapping,
    seen: Iterable[str] = (),
    known: Familiarity | None = None,
) -> Bundle:
    """Write a bundle; `bundle.json` comes last, so a folder that has one is complete.

    Measurements of another model in that folder are removed first. `known` is None where familiarity is not known.
    """
    for name in (FACTS, METRICS, PREDICTIONS, FAMILIARITY):
        (folder / name).unlink(missing_ok=True)
    with paths.atomic_write(folder / MODEL) as temporary:
        model.save(temporary)
    paths.write(folder / HISTORY, history.to_csv(index=False))
    paths.write(folder / SEEN, "".join(f"{sha256}\n" for sha256 in sorted(seen)))
    if known:
        familiarity.save(known, folder / FAMILIARITY)
    prepared = {"classes": list(classes), "size": size, "resize_mode": resize_mode}
    facts = {**facts, **prepared, "sha256": fingerprint(folder / MODEL)}
    paths.write(folder / FACTS, json.dumps(facts, indent=2, default=str) + "\n")
    return load(folder)


def opened(run: Bundle | str | Path) -> Bundle:
    """A trained run opened: a bundle as it is, and that of a name or a folder, see `load`."""
    return run if isinstance(run, Bundle) else load(run)


def load(run: str | Path) -> Bundle:
    """A trained run from disk.

    Args:
        run: its folder, its name below `models/` such as "cars_tanks/xception", its `.keras` file, or a plain one from
            elsewhere, whose classes are then just numbered, and which is given a softmax if it has none.

    Raises:
        BundleError: nothing there, damaged, or a kind of file that may run code when it is read.

    >>> load("cars_tanks/xception").classes  # doctest: +SKIP
    ('cars', 'tanks')
    """
    path = paths.run(run)
    if path.is_file():
        return _of_file(path)
    if not (path / FACTS).exists():
        raise BundleError(f"expected a trained run at {path}, found {_what_is_there(path)}; there are: {known(path)}")
    loaded = _stored(path)
    if not (path / MODEL).exists() or fingerprint(path / MODEL) != loaded.facts["sha256"]:
        raise BundleError(
            f"{path / MODEL} is missing or not the file that was saved; train the run again (--overwrite)"
        )
    return loaded


def _stored(folder: Path) -> Bundle:
    """The run that a `bundle.json` describes; its model is not looked at yet."""
    file = folder / FACTS
    facts = records.read(file, advice="train the run again (--overwrite)")
    try:
        classes, size = classes_and_size(facts)
        mode = str(facts.get("resize_mode", "crop"))  # which all were before they said so
        facts["sha256"] + ""  # raises where it is missing, or no text
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{file} is damaged ({error!r}); train the run again (--overwrite)") from error
    if mode not in images.MODES:
        raise BundleError(f"expected a resize_mode of {', '.join(images.MODES)} in {file}, got {mode!r}")
    return Bundle(folder, classes, size, facts, mode)


def _of_file(file: Path) -> Bundle:
    """A `.keras` file: the run it lies in, if it is the model of that, or else a plain model."""
    beside = file.with_name(FACTS)
    if file.suffix == ".keras" and beside.is_file():
        with contextlib.suppress(BundleError):  # damaged facts are of no model
            run = _stored(file.parent)
            if run.facts["sha256"] == fingerprint(file):
                return run if file.name == MODEL else replace(run, _model=keras_file.read(file))
        warnings.warn(
            f"{beside} is of another model than {file.name}, whose classes are therefore numbered", stacklevel=3
        )
    model = keras_file.classifier(file)
    classes = tuple(f"class {number}" for number in range(model.output_shape[-1]))
    return Bundle(file, classes, int(model.input_shape[1]), {"network": file.stem}, _model=model)


def _what_is_there(path: Path) -> str:
    """What is in place of a run, in words."""
    if (path / "saved_model.pb").exists():
        return "a SavedModel, which is for TensorFlow Serving; ask the run itself, or its .tflite or .onnx file"
    return "none"


def known(near: Path) -> str:
    """The runs that there are, in words: those near a path first, then all below `models/`."""
    beside = sorted(file.parent for file in [*near.glob(f"*/{FACTS}"), *near.parent.glob(f"*/{FACTS}")])
    everywhere = sorted(file.parent for file in (paths.home() / "models").glob(f"*/*/{FACTS}"))
    names = list(dict.fromkeys(paths.run_name(folder) for folder in [*beside, *everywhere]))
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more if names else "none yet"


def runs(dataset_root: Path) -> list[Path]:
    """The complete runs of a dataset, by name."""
    folder = paths.models(dataset_root)
    return sorted(run for run in folder.glob("*") if (run / FACTS).exists())


def fingerprint(*files: Path) -> str:
    """SHA-256 of a file, or of several one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()
