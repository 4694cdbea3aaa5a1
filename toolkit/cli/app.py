"""The verb that opens the app."""

from argparse import ArgumentParser, Namespace

from toolkit.cli import common, options, runs
from toolkit.cli.verb import Verb


def _app_options(parser: ArgumentParser) -> None:
    what = "DATASET/RUN, a folder, a .tflite, .onnx or .keras file, or a dataset for all its runs"
    parser.add_argument("name", metavar="RUN_OR_DATASET", nargs="+", help=what)
    options.add(parser, "--page", "shown first: model (default), predict, camera, test or review")
    options.add(parser, "--abstain-below", "say 'not sure' where the probability is lower (0.9, say)", type=float)
    options.add(parser, "--port", "to listen at (default: 8501, or any that is free)", type=int)
    options.add(parser, "--host", "address to listen at (default: 127.0.0.1, this machine alone)")
    options.browser(parser, default=False)


def _app(arguments: Namespace) -> None:
    import webbrowser

    from toolkit import app

    def announce(address: str) -> None:
        common.announce(arguments, {"url": address, "address": address}, f"{address}\nstop with Ctrl-C")
        if arguments.browser:
            webbrowser.open(address)

    settings = common.provided(arguments, "page", "abstain_below", "port", "host")
    name = arguments.name[0] if len(arguments.name) == 1 else runs.only(arguments.name)
    app.serve(name, on_start=announce, **settings)


APP = Verb(
    "app",
    "show a model to people: predict, camera, a game of test pictures, review",
    _app_options,
    _app,
    (
        "toolkit app pets",
        "toolkit app float16.tflite --page camera",
    ),
)
