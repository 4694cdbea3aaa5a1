"""Verbs that say how good it is."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from toolkit import manifest, paths
from toolkit.cli import common, options


def evaluate_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.runs(parser)


def evaluate(arguments: Namespace) -> dict:
    """Measure runs on their test pictures."""
    from toolkit import evaluate

    results, say = {}, common.say(arguments)
    for trained in common.bundles(arguments.runs):
        report = evaluate.measure(trained, manifest.load(paths.dataset_of(trained.folder)))
        say(f"{report}\n\n{report.per_class.round(3).to_string()}\n\n{report.confusion.to_string()}\n")
        results[f"{trained.folder.parent.name}/{trained.name}"] = trained.metrics
    return results


def compare_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.runs(parser)


def compare(arguments: Namespace) -> dict:
    """Put runs side by side."""
    return common.compared(common.evaluated(arguments.runs), arguments)


def report_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    parser.add_argument("--into", metavar="FILE", help="path of the page (default: models/DATASET/report.html)")


def report(arguments: Namespace) -> dict:
    """Write the page about a dataset and its runs."""
    from toolkit import report

    into = Path(arguments.into) if arguments.into else None
    page = report.write(manifest.load(arguments.dataset), common.evaluated([arguments.dataset]), into=into)
    common.say(arguments)(str(page))
    return {"report": page}
