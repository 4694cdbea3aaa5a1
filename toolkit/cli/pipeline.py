"""Verbs that do all of it."""

from argparse import ArgumentParser, Namespace

from toolkit.cli import common, options
from toolkit.cli.options import SOURCE_OPTIONS


def run_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.sources(parser)
    parser.add_argument("--networks", default="vgg,dual_stack,xception", help="names, with commas (default: all three)")
    options.training(parser)
    options.overwrite(parser)
    options.cluster(parser)


def run(arguments: Namespace) -> dict:
    """All of it in one go."""
    from toolkit import run, scrape

    outcome = run.pipeline(
        arguments.sources,
        into=arguments.into,
        configs=common.configs(arguments, [name.strip() for name in arguments.networks.split(",") if name.strip()]),
        options=scrape.Options(**common.given(arguments, *SOURCE_OPTIONS)),
        overwrite=arguments.overwrite,
        cluster=arguments.cluster,
        log=common.say(arguments),
        **common.given(arguments, "seed"),
    )
    result = common.compared(outcome.bundles, arguments)
    common.say(arguments)(f"\nreport: {outcome.page}")
    return result | {"report": outcome.page}


def demo_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    parser.add_argument("--source", default="practice:", help="as for scrape (default: practice:)")
    parser.add_argument("--into", metavar="DATASET", help="name of the dataset (default: by the source)")
    parser.add_argument(
        "--weights", default="cifar10", help="for xception: cifar10 (default), imagenet, none, or a file"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the notebooks")


def demo(arguments: Namespace) -> dict:
    """Run the notebooks in order."""
    from toolkit import demo

    values = dict(word.partition("=")[::2] for word in arguments.set)
    outcome = demo.execute(
        arguments.source, into=arguments.into, weights=arguments.weights, values=values, say=common.say(arguments)
    )
    result = common.compared(outcome.bundles, arguments)
    common.say(arguments)(f"\n{outcome.prediction}\n\nnotebooks: {outcome.pages}\nreport:    {outcome.report}")
    return result | {
        "prediction": outcome.prediction,
        "notebooks": outcome.pages,
        "report": outcome.report,
    }
