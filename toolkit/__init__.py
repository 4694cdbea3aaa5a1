"""From labelled pictures on the web to a trained, measured image classifier.

The modules, in the order in which the work is done:

    scrape → verify → dedup → resize → split → train → evaluate → compare → predict → export → serve

or all of it in three lines:

>>> import toolkit
>>> model = toolkit.learn("pictures/")  # doctest: +SKIP
>>> model.predict("photo.jpg")  # doctest: +SKIP

Each module is usable on its own, in a notebook or a script:

>>> from toolkit import dedup, manifest
>>> table = manifest.load("data/cars_tanks")
>>> table = dedup.group(table)

Importing the package costs nothing: a module is loaded when it is first used, TensorFlow and matplotlib only by those
that need them.
"""

import importlib
import sys
import warnings
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

PUBLIC = {
    "app": "toolkit.app",
    "augment": "toolkit.training.augment",
    "blame": "toolkit.selection.blame",
    "bundle": "toolkit.model.bundle",
    "calibrate": "toolkit.model.calibrate",
    "changes": "toolkit.dataset.changes",
    "compare": "toolkit.evaluation.compare",
    "copies": "toolkit.duplicates.copies",
    "credits": "toolkit.dataset.credits",
    "crossval": "toolkit.selection.crossval",
    "dedup": "toolkit.duplicates.dedup",
    "demo": "toolkit.pipeline.demo",
    "drift": "toolkit.evaluation.drift",
    "embedding": "toolkit.evaluation.embedding",
    "enough": "toolkit.selection.enough",
    "errors": "toolkit.errors",
    "evaluate": "toolkit.evaluation.evaluate",
    "explain": "toolkit.evaluation.explain",
    "export": "toolkit.export",
    "failures": "toolkit.evaluation.failures",
    "images": "toolkit.images",
    "labels": "toolkit.selection.labels",
    "learn": "toolkit.pipeline.learn:learn",
    "live": "toolkit.model.live",
    "manifest": "toolkit.dataset.manifest",
    "memory": "toolkit.evaluation.memory",
    "mixing": "toolkit.training.mixing",
    "networks": "toolkit.networks",
    "parallel": "toolkit.core.parallel",
    "paths": "toolkit.core.paths",
    "plot": "toolkit.plot",
    "practice": "toolkit.practice",
    "predict": "toolkit.model.predict",
    "quality": "toolkit.dataset.quality",
    "recipes": "toolkit.training.recipes",
    "report": "toolkit.report",
    "resize": "toolkit.dataset.resize",
    "review": "toolkit.review",
    "robustness": "toolkit.evaluation.robustness",
    "run": "toolkit.pipeline.run",
    "runtime": "toolkit.model.runtime",
    "scrape": "toolkit.scrape",
    "serve": "toolkit.serve",
    "shortcuts": "toolkit.selection.shortcuts",
    "split": "toolkit.dataset.split",
    "train": "toolkit.training.train",
    "tune": "toolkit.selection.tune",
    "verify": "toolkit.dataset.verify",
}
"""The public names, each with the place where it lies, as in the stub that editors read; `learn` is a function, the
others are modules, and all further modules are private."""

__all__ = sorted(PUBLIC)


def __getattr__(name: str) -> Any:
    """Load what is public when it is first named (PEP 562)."""
    if name in PUBLIC:
        module, _, function = PUBLIC[name].partition(":")
        loaded = importlib.import_module(module)
        return getattr(loaded, function) if function else loaded
    if name in _moved():
        return importlib.import_module(f"toolkit.{name}")
    raise AttributeError(f"module 'toolkit' has no attribute {name!r}; its public names are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def _moved() -> dict[str, str]:
    from toolkit.core.moved import MOVED

    return MOVED


class _Alias(Loader):
    """Loads a module under another name, such as `toolkit.dedup`: the same module, not a second one."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create_module(self, _spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.name)
        self.own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.own_spec  # the import system has just set it to that of the other name


class _OtherNames:
    """Lets `import toolkit.dedup` find what lies in a chapter, and an old name what has moved, with a warning."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        package, _, short = name.partition(".")
        if package != __name__:
            return None
        if ":" not in PUBLIC.get(short, ":"):
            return ModuleSpec(name, _Alias(PUBLIC[short]))
        if short in _moved():
            warnings.warn(f"{name} is now {_moved()[short]}, private to its chapter", FutureWarning, stacklevel=2)
            return ModuleSpec(name, _Alias(_moved()[short]))
        return None


sys.meta_path.append(_OtherNames())
