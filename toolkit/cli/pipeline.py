"""Verbs that do all of it."""

from argparse import ArgumentParser, Namespace

from toolkit.cli import common, options
from toolkit.cli.verb import Verb


def _run_options(parser: ArgumentParser) -> None:
    options.sources(parser)
    parser.add_argument("--networks", default="vgg,dual_stack,xception", help="names, with commas (default: all three)")
    options.training(parser)
    options.overwrite(parser)
    options.cluster(parser)


def _run(arguments: Namespace) -> dict:
    from toolkit import run, scrape

    outcome = run.pipeline(
        arguments.sources,
        into=arguments.into,
        configs=common.configs(arguments, options.names(arguments.networks)),
        options=scrape.Options(**common.provided(arguments, *options.SOURCE_OPTIONS)),
        overwrite=arguments.overwrite,
        cluster=arguments.cluster,
        log=common.log(arguments),
        **common.provided(arguments, "seed"),
    )
    result = common.compared(outcome.bundles, arguments)
    common.log(arguments)(f"\nreport: {outcome.page}")
    return result | {"report": outcome.page}


RUN = Verb("run", "all of the above in one go", _run_options, _run)


def _demo_options(parser: ArgumentParser) -> None:
    parser.add_argument("--source", default="practice:", help="as for scrape (default: practice:)")
    parser.add_argument("--into", metavar="DATASET", help="name of the dataset (default: by the source)")
    weights = "for xception: cifar10 (default), imagenet, none, or a file"
    parser.add_argument("--weights", default="cifar10", help=weights)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the notebooks")


def _demo(arguments: Namespace) -> dict:
    from toolkit import demo

    values = dict(text.partition("=")[::2] for text in arguments.set)
    log = common.log(arguments)
    done = demo.execute(arguments.source, into=arguments.into, weights=arguments.weights, values=values, log=log)
    result = common.compared(done.bundles, arguments)
    log(f"\n{done.prediction}\n\nnotebooks: {done.pages}\nreport:    {done.report}")
    return result | {"prediction": done.prediction, "notebooks": done.pages, "report": done.report}


DEMO = Verb("demo", "run the notebooks in order, on drawn pictures or your own", _demo_options, _demo)
