"""Verbs that learn."""

from argparse import ArgumentParser, Namespace

from toolkit import manifest
from toolkit.cli import common, options


def train_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    parser.add_argument("--network", required=True, help="vgg, dual_stack or xception")
    parser.add_argument("--name", help="of the run (default: the network's)")
    options.training(parser)


def train(arguments: Namespace) -> dict:
    """Train a network."""
    from toolkit import resize, train

    (config,) = common.configs(arguments, [arguments.network])
    table = manifest.load(arguments.dataset)
    table = resize.write(table, size=config.resolved().size, mode=config.resize_mode).save()
    trained = train.fit(config, table, name=arguments.name, overwrite=arguments.overwrite)
    common.say(arguments)(f"{trained.folder}\n{trained.history.round(4).to_string(index=False)}")
    return {"run": trained.folder, **trained.facts, "history": trained.history.to_dict(orient="list")}
