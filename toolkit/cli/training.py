"""Verbs that learn."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from toolkit import manifest
from toolkit.cli import common, options

if TYPE_CHECKING:
    from toolkit.bundle import Bundle


def train_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.recipe(parser)
    parser.add_argument("--name", help="of the run (default: the network's)")
    options.training(parser)
    options.add(parser, "--strategy", "none (default); mirrored, all devices of this machine; multi-worker, TF_CONFIG")
    options.add(
        parser, "--tensorboard", "write the course for TensorBoard, into events/ of the run", action="store_true"
    )


def train(arguments: Namespace) -> dict | list[dict]:
    """Train a network, or those of a recipe."""
    from toolkit import resize, train

    configs = common.configs(arguments, [arguments.network] if arguments.network else [])
    if arguments.name and len(configs) > 1:
        names = ", ".join(config.network for config in configs)
        raise ValueError(f"expected no --name for {len(configs)} networks ({names}); give --network too")
    squares = sorted({(config.resolved().size, config.resize_mode) for config in configs})
    table = manifest.load(arguments.dataset)
    for size, mode in squares:
        table = resize.write(table, size=size, mode=mode).save()
    how = {"name": arguments.name, "overwrite": arguments.overwrite, **common.given(arguments, "tensorboard")}
    done = [_said(train.fit(config, table, **how), arguments) for config in configs]
    return done[0] if len(done) == 1 else done


def _said(trained: "Bundle", arguments: Namespace) -> dict:
    common.say(arguments)(f"{trained.folder}\n{trained.history.round(4).to_string(index=False)}")
    return {"run": trained.folder, **trained.facts, "history": trained.history.to_dict(orient="list")}
