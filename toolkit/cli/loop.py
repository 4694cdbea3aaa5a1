"""Verbs for what comes after a first network: are there pictures enough, and what has changed."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import common, options, tables, terminal, training
from toolkit.cli.verb import Verb
from toolkit.errors import BundleError

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.dataset.manifest import Manifest

REGIONS = 8  # that are printed and drawn


def _enough_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.add(parser, "--times", "how many times the pictures to forecast for (default: 2)", type=float)
    options.recipe(parser)
    options.add(parser, "--folds", "of the cross-validation (default: 5)", type=int)
    options.training(parser)
    options.file(parser, "--show", "draw the learning curve and the forecast into this file", metavar="PNG")
    options.file(parser, "--regions", "draw pictures of the thin regions into this file", metavar="PNG")


def _enough(arguments: Namespace) -> dict:
    from toolkit.selection import enough

    config, table, log = training.one_config(arguments), common.dataset(arguments), common.log(arguments)
    settings = common.provided(arguments, "times", "folds", "seed")
    result = enough.forecast(table, config, log=log, **settings)
    log(f"\n{terminal.frame(result.forecast, tables.FORECAST, most=terminal.MOST)}\n\n{result}")
    thin = result.regions.assign(like=[paths[0] for paths in result.regions["paths"]])
    named = common.named(thin.assign(path=thin["like"]), table)
    log(f"\nwhat to photograph next, more like these:\n{terminal.frame(named.head(REGIONS), tables.REGIONS)}")
    common.show(arguments, lambda plot: plot.learning_curve(result))
    common.draw(arguments.regions, lambda plot: plot.regions(result, table, count=REGIONS))
    parts = {"curve": result.curve, "forecast": result.forecast, "regions": result.regions}
    return {"times": result.times, "in_words": str(result)} | {
        name: part.to_dict(orient="records") for name, part in parts.items()
    }


ENOUGH = Verb(
    "enough",
    "forecast how good it gets with more pictures, and say which ones are missing",
    _enough_options,
    _enough,
    (
        "toolkit enough pets",
        "toolkit enough pets --times 4 --show curve.png --regions next.png",
    ),
)


def _blame_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    which = (
        "DATASET/RUN, another dataset, or a copy of a manifest.csv (default: the oldest run that noted its pictures)"
    )
    options.add(parser, "--since", which, metavar="STATE")
    options.add(parser, "--by", "a column of the manifest whose values are the batches", metavar="COLUMN")
    parser.add_argument("--list", action="store_true", help="only list what changed, and learn nothing")
    options.recipe(parser)
    options.add(parser, "--folds", "of the cross-validation (default: 5)", type=int)
    options.training(parser)


def _blame(arguments: Namespace) -> dict:
    from toolkit.dataset import changes

    table, log = common.dataset(arguments), common.log(arguments)
    name, before = _earlier(arguments, table)
    by = common.provided(arguments, "by")
    found = changes.between(before, table, **by)
    counts = changes.counts(found)
    log(f"since {name}\n{terminal.frame(counts, tables.CHANGES)}")
    result = {"since": name, "changes": found.to_dict(orient="records"), "counts": counts.to_dict(orient="records")}
    if arguments.list or not (found["change"] != "moved").any():
        return result | {"batches": [], "in_words": ""}
    from toolkit.selection import blame

    config = training.one_config(arguments)
    blamed = blame.find(table, before, config, **by, **common.provided(arguments, "folds", "seed"))
    log(f"\n{terminal.frame(blamed.batches, tables.BATCHES)}\n\n{blamed}")
    return result | {"batches": blamed.batches.to_dict(orient="records"), "in_words": str(blamed)}


def _earlier(arguments: Namespace, table: "Manifest") -> tuple[str, "pd.DataFrame"]:
    """The earlier state that was named, or that of the last run with other pictures, with its name."""
    from toolkit.core import paths
    from toolkit.dataset import changes, manifest
    from toolkit.model import bundle

    if "since" in arguments:
        file = Path(arguments.since).expanduser()
        if file.is_file() and file.suffix == ".csv":
            return str(file), changes.earlier(file)
        if (paths.run(arguments.since) / bundle.FACTS).exists():
            return arguments.since, bundle.load(arguments.since).pictures
        other = manifest.load(arguments.since)
        return str(other.root), changes.noted(other)
    noted = [run / bundle.PICTURES for run in bundle.runs(table.root) if (run / bundle.PICTURES).exists()]
    if not noted:
        raise BundleError(
            f"expected a run of {table.name} that noted its pictures, found none; train one, or name an earlier state "
            "with --since"
        )
    now = changes.noted(table)
    newest = sorted(noted, key=lambda file: file.stat().st_mtime, reverse=True)
    file = next((file for file in newest if not changes.earlier(file).equals(now)), newest[0])
    return paths.run_name(file.parent), changes.earlier(file)


BLAME = Verb(
    "blame",
    "tell what changed since an earlier run or manifest, and which change did harm",
    _blame_options,
    _blame,
    (
        "toolkit blame pets",
        "toolkit blame pets --since pets/efficientnet_lite0 --by source",
        "toolkit blame pets --since before.csv --list",
    ),
)


def _drift_options(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="DATASET/RUN")
    kept = "folder that `--keep` of `toolkit serve RUN` wrote, whose pictures kept by chance are taken, or any other"
    parser.add_argument("folder", metavar="FOLDER", type=Path, help=kept)


def _drift(arguments: Namespace) -> dict:
    from toolkit.dataset import manifest
    from toolkit.evaluation import drift
    from toolkit.model import bundle

    trained = bundle.load(arguments.run)
    table = manifest.load(trained.facts.get("dataset") or arguments.run.partition("/")[0])
    pictures, note = drift.drawn(arguments.folder)
    found = drift.measured(trained, table, pictures)
    log = common.log(arguments)
    log(f"{terminal.frame(found.table, tables.DRIFT)}\n\n{found}{note}")
    return {
        "pictures": found.pictures[0],
        "test": found.pictures[1],
        "unreadable": found.unreadable,
        "measures": found.table.to_dict(orient="records"),
        "answers": found.answers.to_dict(orient="index"),
        "in_words": f"{found}{note}",
    }


DRIFT = Verb(
    "drift",
    "tell whether pictures that come in are of another kind than those of the test",
    _drift_options,
    _drift,
    ("toolkit drift pets/efficientnet_lite0 kept",),
)
