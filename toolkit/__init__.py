"""From labelled pictures on the web to a trained, measured image classifier.

The modules, in the order in which the work is done:

    scrape → verify → dedup → resize → split → train → evaluate → compare → predict → export → serve

Each is usable on its own, in a notebook or a script:

>>> from toolkit import dedup, manifest
>>> table = manifest.load("data/cars_tanks")
>>> table = dedup.group(table)

Importing the package costs nothing: a module is loaded when it is first used, TensorFlow and matplotlib only by those
that need them.
"""

import importlib

__version__ = "0.1.0"

__all__ = [
    "app",
    "augment",
    "batches",
    "buckets",
    "bundle",
    "calibrate",
    "card",
    "classifier",
    "colour",
    "compare",
    "config",
    "copies",
    "cost",
    "credits",
    "crossval",
    "dedup",
    "demo",
    "distribution",
    "disturb",
    "errors",
    "evaluate",
    "events",
    "explain",
    "export",
    "facts",
    "failures",
    "features",
    "finetune",
    "framework",
    "geometry",
    "hashes",
    "images",
    "jpeg",
    "labels",
    "likeness",
    "links",
    "live",
    "loop",
    "luma",
    "manifest",
    "mixing",
    "networks",
    "optimizers",
    "page",
    "parallel",
    "paths",
    "plot",
    "practice",
    "predict",
    "probe",
    "quality",
    "quiet",
    "recipes",
    "remote",
    "report",
    "resize",
    "review",
    "robustness",
    "run",
    "runtime",
    "scrape",
    "search",
    "serve",
    "signatures",
    "significance",
    "sockets",
    "spaces",
    "split",
    "study",
    "suspects",
    "train",
    "training",
    "trials",
    "tune",
    "uncertainty",
    "verify",
    "workers",
]


def __getattr__(name: str):
    """Load a module of the package when it is first named (PEP 562)."""
    if name in __all__:
        return importlib.import_module(f"toolkit.{name}")
    raise AttributeError(f"module 'toolkit' has no attribute {name!r}; its modules are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
