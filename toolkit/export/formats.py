"""The export formats: how each is written, and opened again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

from toolkit.model import runtime
from toolkit.model.classifier import Classifier


@dataclass(frozen=True)
class Format:
    """A way to write a network.

    Args:
        file: its name in the folder `export/` of the run.
        module: of this package, with `write` and perhaps `load`.
        safer: the format to advise where it loses too much accuracy.
        options: of `write`.
        fetches: whether it contains a package that is fetched from the network once.
    """

    file: str
    module: str
    safer: str = ""
    options: tuple[tuple[str, str], ...] = ()
    fetches: bool = False

    @property
    def write(self) -> Callable:
        """Takes the network, a path, `facts` and `sample`, see `litert.write`."""
        return partial(self._loaded.write, **dict(self.options))

    @property
    def load(self) -> Callable[[Path], Classifier]:
        """Opens what was written, in the runtime that will run it."""
        return getattr(self._loaded, "load", runtime.load)

    def prepare(self) -> None:
        """Fetch the package it contains; BundleError if that cannot be had."""
        if self.fetches:
            self._loaded.prepare()

    @property
    def _loaded(self) -> ModuleType:
        return import_module(f"toolkit.export.{self.module}")


FORMATS = {
    "litert-float32": Format("float32.tflite", "litert", "onnx", (("kind", "float32"),)),
    "litert-float16": Format("float16.tflite", "litert", "litert-float32", (("kind", "float16"),)),
    "litert-dynamic": Format("dynamic.tflite", "litert", "litert-float16", (("kind", "dynamic"),)),
    "litert-int8": Format("int8.tflite", "litert", "litert-dynamic", (("kind", "int8"),)),
    "onnx": Format("model.onnx", "onnx", "savedmodel"),
    "savedmodel": Format("savedmodel", "savedmodel"),
    "browser": Format("browser", "browser", "onnx", fetches=True),
}
OFFLINE = tuple(name for name, form in FORMATS.items() if not form.fetches)


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """These formats, each once, in the order of `FORMATS`.

    Raises:
        ValueError: there is no such format.
    """
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise ValueError(f"expected formats of {', '.join(FORMATS)}, got {unknown[0] if unknown else 'none'!r}")
    return tuple(name for name in FORMATS if name in names)
