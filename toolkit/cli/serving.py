"""The verb that lets others ask."""

import os
import sys
import warnings
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from toolkit.cli import common, options

if TYPE_CHECKING:
    from toolkit.serve.server import Service

HERE = ("127.0.0.1", "::1", "localhost")


def serve_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    from toolkit.serve import TOKEN, config

    parser.epilog = f"If the environment variable {TOKEN} is set, requests have to bring it as a bearer token."
    parser.add_argument("model", metavar="MODEL", help="a .tflite or .onnx file, or DATASET/RUN that was exported")
    for name, kind, help in config.options():
        options.add(parser, f"--{name.replace('_', '-')}", help, type=kind, metavar=name.split("_")[-1].upper())


def serve(arguments: Namespace) -> dict:
    """Answer until stopped."""
    from PIL import Image

    from toolkit import serve
    from toolkit.serve import config

    given = common.given(arguments, *(name for name, *_ in config.options()))
    wanted = serve.Config(**given, token=os.environ.get(serve.TOKEN, ""))
    if wanted.host not in HERE and not wanted.token:
        print(f"warning: whoever reaches {wanted.host} may ask; set {serve.TOKEN} for a token", file=sys.stderr)
    told: dict[str, object] = {}

    def tell(service: "Service") -> None:
        told.update(url=service.url, model=service.name, classes=list(service.classes))
        common.say(arguments)(f"{service.url}/docs\n{service.name}: {', '.join(service.classes)}; stop with Ctrl-C")

    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # it is refused, with words
    serve.run(arguments.model, wanted, told=tell)
    return told
