"""Verbs that learn."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import common, options
from toolkit.core import paths
from toolkit.dataset import manifest

if TYPE_CHECKING:
    from toolkit.model.bundle import Bundle
    from toolkit.training.config import Config


LISTED = 20  # suspects that are shown to people


def train_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.recipe(parser)
    parser.add_argument("--name", help="of the run (default: the network's)")
    options.training(parser)
    options.overwrite(parser)
    options.add(parser, "--strategy", "none (default); mirrored, all devices of this machine; multi-worker, TF_CONFIG")
    options.add(
        parser, "--tensorboard", "write the course for TensorBoard, into events/ of the run", action="store_true"
    )


def train(arguments: Namespace) -> dict | list[dict]:
    """Train a network, or those of a recipe."""
    from toolkit.dataset import resize
    from toolkit.training import train

    configs = common.configs(arguments, [arguments.network] if arguments.network else [])
    if arguments.name and len(configs) > 1:
        names = ", ".join(config.network for config in configs)
        raise ValueError(f"expected no --name for {len(configs)} networks ({names}); give --network too")
    squares = sorted({(config.resolved().size, config.resize_mode) for config in configs})
    table = manifest.load(arguments.dataset)
    for size, mode in squares:
        table = resize.write(table, size=size, mode=mode).save()
    how = {"name": arguments.name, "overwrite": arguments.overwrite, **common.given(arguments, "tensorboard")}
    how["say"] = common.say(arguments)
    done = [_said(train.fit(config, table, **how), arguments) for config in configs]
    return done[0] if len(done) == 1 else done


def crossval_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.recipe(parser)
    options.folds(parser)
    options.training(parser)
    options.overwrite(parser)
    options.add(parser, "--ask", "views to ask a head about, up to --views, for their mean (default: 1)", type=int)
    parser.add_argument("--show", metavar="PNG", help="draw the folds into this file")


def crossval(arguments: Namespace) -> dict:
    """Judge a network on every picture, in folds."""
    from toolkit.core import parallel
    from toolkit.dataset import resize
    from toolkit.selection import crossval

    config, table = _one(arguments), manifest.load(arguments.dataset)
    if not config.uses_cached_features:
        table = resize.write(table, size=config.resolved().size, mode=config.resize_mode).save()
    how = _folds(arguments) | common.given(arguments, "name", "jobs", "seed", "ask") | {"log": common.say(arguments)}
    with parallel.cluster(arguments.cluster, needs=table.root / manifest.FILE):
        outcome = crossval.run(table, config, overwrite=arguments.overwrite, **_spread(arguments, how))
    common.say(arguments)(f"{outcome}\n{outcome.folder}")
    _shown(arguments, lambda plot: plot.folds(outcome))
    low, high = outcome.report.interval
    result = {"accuracy": outcome.report.accuracy, "low": low, "high": high, "folder": outcome.folder}
    return result | {"folds": outcome.folds.reset_index().to_dict(orient="records")}


def labels_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.recipe(parser, usual="xception with the weights cifar10, and two views")
    options.folds(parser, named=False)
    options.training(parser, style="modern", weights="imagenet, or cifar10 if no network is named")
    parser.add_argument("--show", metavar="PNG", help="draw the likeliest of them into this file")


def labels(arguments: Namespace) -> dict:
    """Doubt labels; change none. A head on the small backbone that comes with the package judges, or what is named."""
    from toolkit.core import parallel
    from toolkit.dataset import resize
    from toolkit.selection import labels

    if arguments.recipe or arguments.config:
        config = _one(arguments)
    else:
        chosen = common.given(arguments, "views")
        config = labels.config_for(
            lambda defaults: _one(arguments, usual=defaults), network=arguments.network, **chosen
        )
    table = manifest.load(arguments.dataset)
    if not config.uses_cached_features:
        table = resize.write(table, size=config.resolved().size, mode=config.resize_mode).save()
    how = _folds(arguments) | common.given(arguments, "jobs", "seed") | {"log": common.say(arguments)}
    with parallel.cluster(arguments.cluster, needs=table.root / manifest.FILE):
        found = labels.check(table, config, **_spread(arguments, how))
    say = common.say(arguments)
    say(found[["path", "reason"]].head(LISTED).to_string(index=False) if len(found) else "no label is doubted")
    if len(found):
        say(f"{len(found)} of {len(table.where(status='ok'))} labels are doubted, none is changed")
        say(f"look at them with `toolkit review {arguments.dataset}`; settle them there, or with `toolkit relabel`")
    _shown(arguments, lambda plot: plot.suspects(found, table))
    return {"suspects": found.to_dict(orient="records")}


def tune_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.recipe(parser)
    vary = "a setting: C=0.001..10, views=1,2,4, options.width=0.25,0.5 (default: what usually matters)"
    parser.add_argument("--vary", action="append", default=[], metavar="NAME=CHOICES", help=vary)
    options.add(parser, "--trials", "how many in all (default: 30)", type=int)
    options.add(parser, "--method", "tpe (default), random or grid")
    options.folds(parser, at_once="folds of a trial, or trials,")
    options.training(parser)
    options.overwrite(parser)
    parser.add_argument("--show", metavar="PNG", help="draw the trials into this file")


def tune(arguments: Namespace) -> dict:
    """Look for better settings."""
    from toolkit.core import parallel
    from toolkit.selection import tune

    config, table = _one(arguments), manifest.load(arguments.dataset)
    how = _folds(arguments) | common.given(arguments, "trials", "method", "name", "jobs", "seed")
    how["space"] = dict(map(_choices, arguments.vary)) or None
    how["log"] = common.say(arguments)
    with parallel.cluster(arguments.cluster, needs=table.root / manifest.FILE):
        outcome = tune.search(table, config, overwrite=arguments.overwrite, **_spread(arguments, how))
    common.say(arguments)(f"{outcome}\n{outcome.folder / tune.BEST}")
    _shown(arguments, lambda plot: plot.trials(outcome))
    best = {name: outcome.best[name] for name in ("accuracy", "loss", *outcome.space)}
    return {"best": best, "config": outcome.folder / tune.BEST, "trials": len(outcome.trials)}


def _spread(arguments: Namespace, how: dict[str, object]) -> dict[str, object]:
    """On a cluster, as many folds at a time as it has workers."""
    return {"jobs": -1, **how} if arguments.cluster else how


def _folds(arguments: Namespace) -> dict[str, object]:
    """Into how many: as many as are given, or as the authors of the recipe took."""
    from toolkit.training import recipes

    usual = recipes.recipe(arguments.recipe).folds if arguments.recipe else 0
    return ({"folds": usual} if usual else {}) | common.given(arguments, "folds")


def _one(arguments: Namespace, *, usual: Mapping[str, object] | None = None) -> "Config":
    configs = common.configs(arguments, [arguments.network] if arguments.network else [], usual=usual)
    if len(configs) > 1:
        raise ValueError(f"expected one network, got {len(configs)} in the recipe; give --network")
    return configs[0]


def _choices(word: str) -> tuple[str, tuple | list]:
    """`C=0.001..10` as a range, `views=1,2,4` as choices."""
    name, equals, value = word.partition("=")
    if not equals or not value:
        raise ValueError(f"expected a setting such as C=0.001..10 or views=1,2,4, got {word!r}")
    low, dots, high = value.partition("..")
    if dots:
        return name, (_value(low), _value(high))
    return name, [_value(one) for one in value.split(",")]


def _value(word: str) -> object:
    try:
        return json.loads(word)
    except ValueError:
        return word


def _shown(arguments: Namespace, draw: Callable) -> None:
    if arguments.show:
        from toolkit import plot

        paths.write(Path(arguments.show), plot.png(draw(plot)))
        common.say(arguments)(arguments.show)


def _said(trained: "Bundle", arguments: Namespace) -> dict:
    common.say(arguments)(f"{trained.folder}\n{trained.history.round(4).to_string(index=False)}")
    return {"run": trained.folder, **trained.facts, "history": trained.history.to_dict(orient="list")}
