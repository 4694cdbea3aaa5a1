"""State of the app: its settings, and the models, the dataset and the answers, each opened or computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import streamlit as st

from toolkit import images
from toolkit.core import parallel, paths
from toolkit.dataset import manifest
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError, ImageError, ToolkitError
from toolkit.model import bundle, predict, runtime
from toolkit.model.bundle import Bundle
from toolkit.model.classifier import Classifier
from toolkit.model.predict import Answer

SMALL = 160  # pixels of a side
CHOSEN = "model"  # key in the state of a session


@dataclass(frozen=True)
class Settings:
    """Settings of an app.

    Args:
        models: files or folders, at least one, that which is shown first in front.
        dataset: its folder; None for none.
        page: of `PAGES`, shown first.
        abstain_below: see `predict.stream`.
        private: whether only this machine can look at the app.
    """

    models: tuple[Path, ...]
    dataset: Path | None = None
    page: str = "model"
    abstain_below: float | None = None
    private: bool = True


class App:
    """The app of this process, which all its sessions share; `use` sets what it was started with."""

    settings: Settings


_app = App()  # not in the cache of Streamlit, which whoever looks at the app might clear


def use(settings: Settings) -> None:
    """Start the app with these settings."""
    _app.settings = settings


def settings() -> Settings:
    """What the app was started with."""
    return _app.settings


def find(
    name: str | Path, *, page: str = "model", abstain_below: float | None = None, private: bool = True
) -> Settings:
    """The models and the dataset that a name stands for.

    Args:
        name: a run, an exported file, or a dataset for all its runs, the best first.
        page, abstain_below, private: see `Settings`.

    Raises:
        BundleError: none of them.
        ModuleNotFoundError: a run needs Keras, which is not installed.
    """
    dataset: Path | None = paths.dataset(name)
    if isinstance(dataset, Path) and manifest.base(dataset).is_file():
        models = _best_first(bundle.runs(dataset))
        if not models:
            raise BundleError(f"expected trained runs of {name}, found none; run `toolkit train {name}` first")
    else:
        models = [paths.run(name)]
        dataset = _dataset_of(run_folder(models[0]).resolve())
        if models[0].suffix in runtime.OPENERS:
            runtime.load(models[0])  # says at once what is wrong with it
        else:
            bundle.load(models[0])
    if any(model.suffix not in runtime.OPENERS for model in models) and not find_spec("keras"):
        raise ModuleNotFoundError("a run needs Keras; an exported model does not", name="keras")
    return Settings(tuple(models), dataset, page, abstain_below, private)


def run_folder(model: Path) -> Path:
    """The folder of the run that a model is, or was exported from."""
    return model.parent.parent if model.suffix in runtime.OPENERS else model


def chosen() -> Path:
    """The model that this session has chosen."""
    return st.session_state.get(CHOSEN) or settings().models[0]


def model() -> Classifier:
    """The chosen model, opened."""
    return _opened(str(chosen()))


def run() -> Bundle | None:
    """The run that the chosen model is, or was exported from; None if that is not there."""
    folder = run_folder(chosen())
    return bundle.load(folder) if (folder / bundle.FACTS).is_file() else None


def dataset() -> Manifest | None:
    """The dataset, read again when it has changed; None if it is not there."""
    root = settings().dataset
    return _table(str(root), manifest.stamp(root)) if root else None


def threshold() -> float:
    """Probability below which an answer is "not sure", unless a person chooses another."""
    chosen_below = settings().abstain_below
    return model().threshold if chosen_below is None else chosen_below


def answers(pictures: Sequence[bytes], *, below: float) -> list[Answer]:
    """Answers of the chosen model.

    Args:
        pictures: the bytes of files.
        below: probability below which an answer is "not sure".
    """
    answers = [_answer(str(chosen()), content) for content in pictures]
    if below == model().threshold:  # nobody chose another one: it may have one for each class
        return answers
    return [
        answer if isinstance(answer, parallel.Failure) else replace(answer, abstained=answer.probability < below)
        for answer in answers
    ]


def small(source: images.Source) -> np.ndarray:
    """The middle square of a picture, as small as a page shows many; grey for one that is damaged."""
    try:
        return np.asarray(images.square(images.read(source, min_side=SMALL), SMALL))
    except ImageError:
        return np.full((SMALL, SMALL, 3), 225, np.uint8)


def can_explain() -> bool:
    """Whether heat maps can be drawn: of a run, not of a file that was exported."""
    return isinstance(model(), Bundle)


@st.cache_resource(show_spinner=False, max_entries=64, scope="session")
def heat(path: str, content: bytes, label: str) -> np.ndarray | None:
    """What spoke for a label, see `explain.grad_cam`; None for an exported model, or one without feature maps."""
    trained = _opened(path)
    if not isinstance(trained, Bundle):
        return None
    from toolkit.evaluation import explain

    try:
        return explain.grad_cam(trained, trained.prepare(content)[None], labels=[label])[0]
    except ValueError:
        return None


@st.cache_resource(show_spinner="Opening the model …", max_entries=4)
def _opened(path: str) -> Classifier:
    trained = runtime.load(path)
    trained.ask(np.zeros((1, trained.size, trained.size, 3), np.uint8))  # the first answer takes longest
    return trained


@st.cache_resource(show_spinner=False, max_entries=256, scope="session")
def _answer(path: str, content: bytes) -> Answer:
    return predict.pictures(_opened(path), [content])[0]


@st.cache_resource(show_spinner=False, max_entries=2)
def _table(root: str, changed: object) -> Manifest:
    return manifest.load(root)


def _best_first(runs: Sequence[Path]) -> list[Path]:
    """The runs that can be opened, the most accurate first; one that is damaged does not stop the others."""
    loaded, problems = [], []
    for folder in runs:
        try:
            loaded.append(bundle.load(folder))
        except BundleError as error:
            problems.append(error)
    if not loaded and problems:
        raise problems[0]
    return [run.folder for run in sorted(loaded, key=lambda run: -run.metrics.get("accuracy", 0))]


def _dataset_of(folder: Path) -> Path | None:
    """The dataset of a run, wherever it was moved; of an exported file without its run, the one beside it."""
    if (folder / bundle.FACTS).is_file():
        try:
            from toolkit.evaluation import stored

            return stored.dataset_of(bundle.load(folder)).root
        except ToolkitError:
            return None
        except ImportError:  # an exported model is shown without what trains
            pass
    root = paths.dataset_of(folder)
    return root if manifest.base(root).is_file() else None
