"""What the verbs share: printing, and opening the datasets and runs that were named."""

import json
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.cli import output, tables, terminal
from toolkit.cli.options import FIRST_PHASE, MIXING_OPTIONS, STEPPING, TRAINING_OPTIONS
from toolkit.errors import BundleError

if TYPE_CHECKING:
    from types import ModuleType

    import pandas as pd
    from matplotlib.figure import Figure

    from toolkit.dataset.manifest import Manifest
    from toolkit.model.bundle import Bundle
    from toolkit.training.config import Config


def log(arguments: Namespace) -> Callable[[str], None]:
    """What takes lines for people: prints them, unless a program asked for JSON."""
    return (lambda line: None) if arguments.json else terminal.say


def announce(arguments: Namespace, facts: Mapping[str, object], text: str) -> None:
    """Say at once where something that runs long can be asked: a line of JSON for programs, or text for people.

    Args:
        arguments: of a verb.
        facts: for programs.
        text: for people.
    """
    if arguments.json:
        output.write(facts, indent=None)
    else:
        print(text, flush=True)


def provided(arguments: Namespace, *names: str) -> dict[str, Any]:
    """The values of those of the named options that were given, of any type: argparse has made them."""
    return {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}


def dataset(arguments: Namespace) -> "Manifest":
    """The dataset that was named."""
    from toolkit.dataset import manifest

    return manifest.load(arguments.dataset)


def named(rows: "pd.DataFrame", table: "Manifest") -> "pd.DataFrame":
    """Rows with a column `path` as people know the pictures: by the names they came with."""
    from toolkit.dataset import by_hand

    return rows.assign(path=rows["path"].map(by_hand.shown(table.table)))


def cluster(arguments: Namespace, table: "Manifest") -> AbstractContextManager[None]:
    """Work on the cluster that was named, whose workers must see the dataset; on this machine if none was."""
    from toolkit.core import parallel
    from toolkit.dataset import manifest

    return parallel.cluster(arguments.cluster, needs=manifest.base(table.root))


def draw(file: Path | None, figure: Callable[["ModuleType"], "Figure"]) -> None:
    """Write a figure as PNG, if a file for it was named.

    Args:
        file: None draws nothing, and does not load matplotlib.
        figure: takes the module `plot`.
    """
    if file:
        from toolkit import plot
        from toolkit.core import paths

        paths.write(file, plot.png(figure(plot)))


def show(arguments: Namespace, figure: Callable[["ModuleType"], "Figure"]) -> None:
    """Draw into the file of `--show`, and say so."""
    draw(arguments.show, figure)
    if arguments.show:
        log(arguments)(str(arguments.show))


def configs(
    arguments: Namespace,
    names: Sequence[str],
    *,
    usual: Mapping[str, Any] | None = None,
    own: Mapping[str, Any] | None = None,
) -> list["Config"]:
    """The settings of each of the named networks, or of those of a file or a recipe if none is named.

    Args:
        arguments: of a verb with the options of `options.training`.
        names: of networks.
        usual: settings in place of the network's own defaults.
        own: options of the networks, besides those that were given.

    Raises:
        ValueError: nothing says which network, or a setting could have no effect.
    """
    from toolkit.core import paths
    from toolkit.training import config, recipes

    recipe, file = (getattr(arguments, name, None) for name in ("recipe", "config"))
    stored = {**(usual or {}), **(config.stored(paths.file(file)) if file else {})}
    if not names and not recipe and not stored.get("network"):
        option = "--networks" if hasattr(arguments, "networks") else "--network"
        raise ValueError(f"expected at least one network, got none; give {option} vgg, for example")
    settings, mixing = provided(arguments, *TRAINING_OPTIONS), provided(arguments, *MIXING_OPTIONS)
    made = recipes.configs_for(
        names,
        recipe=recipe,
        stored=stored,
        settings=settings | ({"mixing": mixing} if mixing else {}),
        options={**dict(map(_option, arguments.option)), **(own or {})},
        **provided(arguments, "weights"),
    )
    for settled in made:
        settled.resolved()  # raises
        _report_unused(arguments, settled)
    return made


def chooses(arguments: Namespace) -> bool:
    """Whether the network is to be chosen among the backbones at hand."""
    from toolkit.selection import auto

    if arguments.network == auto.NAME and provided(arguments, "weights"):
        raise ValueError("expected no --weights with --network auto, which tries all that are at hand; leave it out")
    return arguments.network == auto.NAME


def configure(arguments: Namespace, network: str = "", own: Mapping[str, Any] | None = None) -> "Config":
    """The settings of a network, the named one unless it is given, with options besides those that were given."""
    (config,) = configs(arguments, [network or arguments.network], own=own)
    return config


def _report_unused(arguments: Namespace, config: "Config") -> None:
    """Say which of the given settings a head on a frozen backbone does not use; `run` gives them to all networks."""
    unused = sorted(provided(arguments, *(FIRST_PHASE if config.fine_tune else STEPPING)))
    if unused and config.is_linear_probe:
        names = ", ".join(name.replace("_", " ") for name in unused)
        log(arguments)(
            f"{config.network}: the backbone is frozen and its head is found at once, so these are not used: {names} "
            "(--features-each-epoch trains the head with them)"
        )


def _option(text: str) -> tuple[str, object]:
    """`width=0.5` as a name and a value; what is no number or list stays text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"expected an option such as width=0.5, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def counted(table: "Manifest", arguments: Namespace, by: str = "status", *, done: str = "") -> dict:
    """How many pictures of each class and status there are, printed below what was done, and returned."""
    from toolkit.dataset import lost

    counts = table.counts(by)
    log(arguments)(f"{table.root}{f': {done}' if done else ''}\n{tables.counts_of(counts)}")
    for name, why in lost.classes(table).items():
        warnings.warn(f"no picture of {name!r} is in use: {why}", stacklevel=2)
    return {"dataset": table.root, by: counts.to_dict(orient="index")}


def compared(runs: Sequence["Bundle"], arguments: Namespace) -> dict:
    """A comparison of runs, printed and returned."""
    from toolkit.evaluation import compare, memory, names

    try:
        memory.measure(runs)
    except BundleError as error:  # the table has a gap there
        terminal.say(f"warning: {error}", error=True)
    table, pairs = compare.table(runs), compare.pairs(runs)
    summary = " ".join([compare.in_words(table, pairs), compare.untrained(table)]).strip()
    log(arguments)(f"\n{tables.side_by_side(table)}\n\n{summary}")
    full = dict(zip(names.short(runs), names.full(runs), strict=True))
    of_run = dict(zip(full.values(), runs, strict=True))
    rows = [{**row, "run": full[row["run"]]} for row in table.reset_index().to_dict(orient="records")]
    return {
        "comparison": [{**row, "dataset": names.dataset(of_run[row["run"]])} for row in rows],
        "pairs": pairs.replace({"first": full, "second": full}).to_dict(orient="records"),
        "runs": {
            name: {part: run.metrics.get(part) for part in ("per_class", "confusion")} for name, run in of_run.items()
        },
        "in_words": summary,
    }
