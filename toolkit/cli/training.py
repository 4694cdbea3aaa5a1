"""Verbs that train: once, in folds, or many times."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from toolkit.cli import common, options, tables, terminal
from toolkit.cli.verb import Verb
from toolkit.core import headings

if TYPE_CHECKING:
    from toolkit.dataset.manifest import Manifest
    from toolkit.model.bundle import Bundle
    from toolkit.selection.crossval import CrossValidation
    from toolkit.training.config import Config

LISTED = 20  # suspects that are printed
Outcome = TypeVar("Outcome")


def _train_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.recipe(parser, also="; auto, the best of the backbones at hand")
    parser.add_argument("--name", help="of the run (default: the network's)")
    options.training(parser)
    options.overwrite(parser)
    options.add(parser, "--strategy", "none (default); mirrored, all devices of this machine; multi-worker, TF_CONFIG")
    events = "write the course for TensorBoard, into events/ of the run"
    options.add(parser, "--tensorboard", events, action="store_true")


def _train(arguments: Namespace) -> dict | list[dict]:
    from toolkit.training import train

    configs = _chosen(arguments) if common.chooses(arguments) else _configs(arguments)
    if arguments.name and len(configs) > 1:
        names = ", ".join(config.network for config in configs)
        raise ValueError(f"expected no --name for {len(configs)} networks ({names}); give --network too")
    table = _with_squares(common.dataset(arguments), configs)
    settings = {"name": arguments.name, "overwrite": arguments.overwrite, **common.provided(arguments, "tensorboard")}
    runs = [train.fit(config, table, log=common.log(arguments), **settings) for config in configs]
    results = [_trained(run, arguments) for run in runs]
    return results[0] if len(results) == 1 else results


def _chosen(arguments: Namespace) -> list["Config"]:
    """The settings of the backbone that `auto` takes, with the figures it was taken by."""
    from toolkit.selection import auto

    log, table = common.log(arguments), common.dataset(arguments)
    choice = auto.choose(table, partial(common.configure, arguments), log=log, **common.provided(arguments, "seed"))
    log(f"auto takes {choice}")
    return [choice.config]


def _trained(run: "Bundle", arguments: Namespace) -> dict:
    name, (_, best) = f"{arguments.dataset}/{run.name}", run.best
    common.log(arguments)(
        f"{run.folder}\n{tables.history(run.history)}\n\n{best.accuracy:.1%} right on val, by which it "
        f"was chosen\nnext:\n  toolkit evaluate {name}\n  toolkit predict {name} PICTURE"
    )
    return {"run": run.folder, **run.facts, "history": run.history.to_dict(orient="list")}


TRAIN = Verb(
    "train",
    "train a network",
    _train_options,
    _train,
    (
        "toolkit train pets",
        "toolkit train pets --network vgg --style modern --epochs 30 --name long",
        "toolkit train pets --network mobilenet --fine-tune",
    ),
)


def _crossval_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.recipe(parser)
    options.folds(parser)
    options.training(parser)
    options.overwrite(parser)
    options.add(parser, "--ask", "views that a head answers for, up to --views, averaged (default: 1)", type=int)
    options.add(parser, "--by", "also judge each by networks that saw no other of its source, creator, group or COLUMN")
    options.file(parser, "--show", "draw the folds into this file", metavar="PNG")


def _crossval(arguments: Namespace) -> dict:
    from toolkit.selection import crossval

    config, table = one_config(arguments), common.dataset(arguments)
    if not config.uses_cached_features:
        table = _with_squares(table, [config])
    names = ("name", "ask")
    outcome = _in_folds(arguments, crossval.run, table, config, *names, overwrite=arguments.overwrite)
    common.log(arguments)(f"{outcome}\n{outcome.folder}")
    common.show(arguments, lambda plot: plot.folds(outcome))
    low, high = outcome.report.interval
    result = {"accuracy": outcome.report.accuracy, "low": low, "high": high, "folder": outcome.folder}
    result["by"] = _left_out(arguments, table, config, outcome) if "by" in arguments else None
    return result | {"folds": outcome.folds.reset_index().to_dict(orient="records")}


def _left_out(arguments: Namespace, table: "Manifest", config: "Config", usual: "CrossValidation") -> dict:
    """The same with a source, or another value, left out at once, printed beside the usual score and returned."""
    from toolkit.selection import crossval, shortcuts

    names, log = ("name", "ask", "by"), common.log(arguments)
    without = _in_folds(arguments, crossval.run, table, config, *names, overwrite=arguments.overwrite)
    told = shortcuts.beside(table, usual, without, arguments.by)
    log(f"\n{terminal.frame(told.values, tables.LEFT_OUT, most=terminal.MOST)}\n\n{told}\n{without.folder}")
    low, high = without.report.interval
    facts = {"column": arguments.by, "accuracy": without.report.accuracy, "low": low, "high": high, "p": told.p}
    return facts | {"folder": without.folder, "values": told.values.to_dict(orient="records")}


CROSSVAL = Verb(
    "crossval",
    "judge a network on every picture, in folds",
    _crossval_options,
    _crossval,
    (
        "toolkit crossval pets",
        "toolkit crossval pets --network vgg --folds 10 --jobs 2",
        "toolkit crossval pets --by source",
    ),
)


def _labels_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.recipe(parser)
    options.folds(parser, named=False)
    options.training(parser)
    options.file(parser, "--show", "draw the likeliest of them into this file", metavar="PNG")


def _labels(arguments: Namespace) -> dict:
    from toolkit.selection import labels

    config, table = one_config(arguments), common.dataset(arguments)
    if not config.uses_cached_features:
        table = _with_squares(table, [config])
    suspects = _in_folds(arguments, labels.check, table, config)
    log = common.log(arguments)
    listed = common.named(suspects[["path", "reason"]].head(LISTED), table)
    told = {"path": ("picture", headings.NAME), "reason": ("its label, and what the network says", headings.WORDS)}
    log(terminal.frame(listed, told) if len(suspects) else "no label is doubted")
    if len(suspects):
        log(f"{len(suspects)} of {len(table.where(status='ok'))} labels are doubted, none is changed")
        log(f"look at them with `toolkit review {arguments.dataset}`; settle them there, or with `toolkit relabel`")
    common.show(arguments, lambda plot: plot.suspects(suspects, table))
    return {"suspects": suspects.to_dict(orient="records")}


LABELS = Verb(
    "labels",
    "find labels that are likely wrong, for a person to look at",
    _labels_options,
    _labels,
    (
        "toolkit labels pets --show suspects.png",
        "toolkit labels pets --network efficientnet_lite0",
    ),
)


def _tune_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.recipe(parser)
    vary = "a setting: C=0.001..10, views=1,2,4, options.width=0.25,0.5 (default: what usually matters)"
    parser.add_argument("--vary", action="append", default=[], metavar="NAME=CHOICES", help=vary)
    options.add(parser, "--trials", "how many in all (default: 30)", type=int)
    options.add(parser, "--method", "tpe (default), random or grid")
    options.folds(parser, at_once="folds of a trial, or trials,")
    options.training(parser)
    options.overwrite(parser)
    options.file(parser, "--show", "draw the trials into this file", metavar="PNG")


def _tune(arguments: Namespace) -> dict:
    from toolkit.selection import tune

    config, table = one_config(arguments), common.dataset(arguments)
    settings = {"space": dict(map(_choices, arguments.vary)) or None, "overwrite": arguments.overwrite}
    outcome = _in_folds(arguments, tune.search, table, config, "trials", "method", "name", **settings)
    common.log(arguments)(f"{outcome}\n{outcome.folder / tune.BEST}")
    common.show(arguments, lambda plot: plot.trials(outcome))
    best = {name: outcome.best[name] for name in ("accuracy", "loss", *outcome.space)}
    return {"best": best, "config": outcome.folder / tune.BEST, "trials": len(outcome.trials)}


TUNE = Verb(
    "tune",
    "look for better settings, on train and val",
    _tune_options,
    _tune,
    (
        "toolkit tune pets",
        "toolkit tune pets --vary C=0.001..10 --vary views=1,2,4 --trials 20",
    ),
)


def _in_folds(
    arguments: Namespace,
    act: Callable[..., Outcome],
    table: "Manifest",
    config: "Config",
    *names: str,
    **settings: Any,
) -> Outcome:
    """Call a function that cross-validates, with the folds, jobs and cluster of the command line.

    Args:
        arguments: of a verb with the options of `options.folds`.
        act: `crossval.run`, `labels.check` or `tune.search`.
        table: the dataset.
        config: of the network.
        names: of further options that are passed on if they are given.
        settings: further arguments of `act`.
    """
    from toolkit.training import recipes

    recipe_folds = recipes.recipe(arguments.recipe).folds if arguments.recipe else 0
    settings |= {"folds": recipe_folds} if recipe_folds else {}
    settings |= {"jobs": -1} if arguments.cluster else {}  # as many at a time as it has workers
    settings |= common.provided(arguments, "folds", "jobs", "seed", *names)
    with common.cluster(arguments, table):
        return act(table, config, log=common.log(arguments), **settings)


def _with_squares(table: "Manifest", configs: Iterable["Config"]) -> "Manifest":
    """The dataset with square copies of the sizes that these trainings read."""
    from toolkit.dataset import resize

    for size, mode in sorted({(config.resolved().size, config.resize_mode) for config in configs}):
        table = resize.write(table, size=size, mode=mode).save()
    return table


def _configs(arguments: Namespace) -> list["Config"]:
    """The settings of the network that was named, of those of a recipe or a file, or of the usual one."""
    from toolkit import networks

    usual = {} if arguments.recipe else {"network": networks.usual(**common.provided(arguments, "weights"))}
    return common.configs(arguments, [arguments.network] if arguments.network else [], usual=usual)


def one_config(arguments: Namespace) -> "Config":
    """The settings of the one network that was named, see `_configs`."""
    configs = _configs(arguments)
    if len(configs) > 1:
        raise ValueError(f"expected one network, got {len(configs)} in the recipe; give --network")
    return configs[0]


def _choices(text: str) -> tuple[str, tuple | list]:
    """`C=0.001..10` as a range, `views=1,2,4` as choices."""
    name, equals, value = text.partition("=")
    if not equals or not value:
        raise ValueError(f"expected a setting such as C=0.001..10 or views=1,2,4, got {text!r}")
    low, dots, high = value.partition("..")
    if dots:
        return name, (_value(low), _value(high))
    return name, [_value(choice) for choice in value.split(",")]


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
