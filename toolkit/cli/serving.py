"""The verb that lets others ask."""

import os
import sys
import warnings
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import common, options, runs
from toolkit.cli.verb import Verb

if TYPE_CHECKING:
    from toolkit.serve.server import Service

HERE = ("127.0.0.1", "::1", "localhost")


def _serve_options(parser: ArgumentParser) -> None:
    from toolkit.serve import TOKEN, config

    parser.epilog = f"If the environment variable {TOKEN} is set, requests have to bring it as a bearer token."
    which = "a .tflite or .onnx file, or DATASET/RUN or DATASET RUN that was exported; several as NAME=MODEL"
    parser.add_argument("model", metavar="MODEL", nargs="+", help=which)
    for name, kind, help in config.options():
        options.add(parser, f"--{name.replace('_', '-')}", help, type=kind, metavar=name.split("_")[-1].upper())


def _serve(arguments: Namespace) -> None:
    from PIL import Image

    from toolkit import serve
    from toolkit.serve import config

    provided = common.provided(arguments, *(name for name, *_ in config.options()))
    settings = serve.Config(**provided, token=os.environ.get(serve.TOKEN, ""))
    if settings.host not in HERE and not settings.token:
        print(f"warning: whoever reaches {settings.host} may ask; set {serve.TOKEN} for a token", file=sys.stderr)

    def announce(service: "Service") -> None:
        facts = {"url": service.url, "model": service.name, "classes": list(service.classes), "models": service.models}
        told = "\n".join(f"{name}: {', '.join(classes)}" for name, classes in service.models.items())
        text = f"{service.url}/docs\n{told}; stop with Ctrl-C"
        common.announce(arguments, facts, text)

    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # such a picture is refused, with a message
    serve.run(_models(arguments.model), settings, on_start=announce)


def _models(words: list[str]) -> "Path | dict[str, str | Path]":
    """The model that was named, or several by the names they were given."""
    pairs = [word.partition("=") for word in words]
    if not all(
        name and equals and not Path(word).exists() for word, (name, equals, _) in zip(words, pairs, strict=True)
    ):
        return runs.only(words)
    models: dict[str, str | Path] = {name: runs.only([model]) for name, _, model in pairs}
    if len(models) < len(words):
        raise ValueError(f"expected a name of its own for each model, got {' '.join(words)}")
    return models


SERVE = Verb(
    "serve",
    "let others ask a trained network over HTTP",
    _serve_options,
    _serve,
    (
        "toolkit serve pets/efficientnet_lite0",
        "toolkit serve pets/efficientnet_lite0 --keep kept",
        "toolkit serve pets=pets/efficientnet_lite0 signs=signs.tflite",
        "TOOLKIT_TOKEN=secret toolkit serve float16.tflite --host 0.0.0.0 --port 80",
    ),
)
