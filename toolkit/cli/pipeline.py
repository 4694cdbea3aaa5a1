"""Verbs that do all of it."""

from argparse import ArgumentParser, Namespace
from functools import partial

from toolkit.cli import common, options
from toolkit.cli.verb import Verb


def _learn_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "pictures", nargs="+", metavar="PICTURES", help="a folder of class folders, an archive, or SOURCE"
    )
    parser.add_argument("--into", metavar="DATASET", help="name of the dataset (default: that of the folder)")
    name = "its name, or auto for the best of the backbones at hand (default: efficientnet_lite0)"
    parser.add_argument("--network", default="efficientnet_lite0", help=name)
    parser.add_argument("--name", help="of the run (default: the network's)")
    options.training(parser)
    options.overwrite(parser)


def _learn(arguments: Namespace) -> dict:
    from toolkit.pipeline import learn

    config = partial(common.configure, arguments) if common.chooses(arguments) else common.configure(arguments)
    model = learn.with_config(
        config,
        arguments.pictures,
        into=arguments.into,
        name=arguments.name,
        overwrite=arguments.overwrite,
        log=common.log(arguments),
    )
    run, report = f"{model.manifest.name}/{model.bundle.name}", model.evaluation
    common.log(arguments)(
        f"\n{report}\n\nnext:\n  toolkit predict {run} PICTURE\n  toolkit report {model.manifest.name}\n"
        f"  toolkit export {run}"
    )
    low, high = report.interval
    figures = {"accuracy": report.accuracy, "low": low, "high": high, "pictures": len(report.predictions)}
    return {"dataset": model.manifest.root, "run": model.bundle.folder, **figures}


LEARN = Verb(
    "learn",
    "pictures in, a trained and measured classifier out",
    _learn_options,
    _learn,
    (
        "toolkit learn pictures/",
        "toolkit learn pictures/ --into pets --fine-tune",
    ),
)


def _run_options(parser: ArgumentParser) -> None:
    options.sources(parser)
    usual = "vgg,dual_stack,efficientnet_lite0; with --weights xception in place of the last"
    listed = f"names, with commas (default: {usual})"
    parser.add_argument("--networks", "--network", dest="networks", type=options.names, help=listed)
    parser.add_argument("--name", help="of the run, if there is one network (default: the network's)")
    options.training(parser)
    options.overwrite(parser)
    options.cluster(parser)


def _run(arguments: Namespace) -> dict:
    from toolkit import scrape
    from toolkit.pipeline import run

    usual = run.usual_networks(**common.provided(arguments, "weights"))
    names = usual if arguments.networks is None else arguments.networks
    outcome = run.pipeline(
        arguments.sources,
        into=arguments.into,
        configs=common.configs(arguments, names),
        name=arguments.name,
        options=scrape.Options(**common.provided(arguments, *options.SOURCE_OPTIONS)),
        overwrite=arguments.overwrite,
        cluster=arguments.cluster,
        log=common.log(arguments),
        **common.provided(arguments, "seed"),
    )
    result = common.compared(outcome.bundles, arguments)
    name = result["comparison"][0]["run"]
    common.log(arguments)(
        f"\nreport: {outcome.page}\n\nnext:\n  toolkit predict {name} PICTURE\n  toolkit app {outcome.manifest.name}"
    )
    return result | {"report": outcome.page}


RUN = Verb(
    "run",
    "all of it, with several networks, compared, and a report",
    _run_options,
    _run,
    (
        "toolkit run pictures/ --into pets --networks vgg,efficientnet_lite0 --style modern",
        "toolkit run practice:100 --into practice --networks small_cnn",
    ),
)


def _demo_options(parser: ArgumentParser) -> None:
    parser.add_argument("--source", default="practice:", help="as for scrape (default: practice:)")
    parser.add_argument("--into", metavar="DATASET", help="name of the dataset (default: by the source)")
    weights = "of xception: imagenet, a file, cifar10 or none (default: efficientnet_lite0 takes its place)"
    options.add(parser, "--weights", weights)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the notebooks")


def _demo(arguments: Namespace) -> dict:
    from toolkit.pipeline import demo

    values = dict(text.partition("=")[::2] for text in arguments.set)
    log = common.log(arguments)
    weights = common.provided(arguments, "weights")
    done = demo.execute(arguments.source, into=arguments.into, values=values, log=log, **weights)
    result = common.compared(done.bundles, arguments)
    log(f"\n{done.prediction}\n\nnotebooks: {done.pages / 'index.html'}\nreport:    {done.report}")
    return result | {"prediction": done.prediction, "notebooks": done.pages, "report": done.report}


DEMO = Verb(
    "demo",
    "run the notebooks in order, on drawn pictures or your own",
    _demo_options,
    _demo,
    (
        "toolkit demo",
        "toolkit demo --source folder:pictures --into pets",
    ),
)


def _notebooks_options(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="where to; what is there already is kept")
    options.add(parser, "--dataset", "that all of them work on (default: practice)")


def _notebooks(arguments: Namespace) -> dict:
    from toolkit.pipeline import demo

    copied = demo.copy_notebooks(arguments.folder, **common.provided(arguments, "dataset"))
    common.log(arguments)("\n".join([*map(str, copied), f"\nnext: jupyter lab {arguments.folder}"]))
    return {"notebooks": copied}


NOTEBOOKS = Verb(
    "notebooks",
    "copy the notebooks that teach every step into a folder",
    _notebooks_options,
    _notebooks,
    ("toolkit notebooks lessons/", "toolkit notebooks lessons/ --dataset pets"),
)
