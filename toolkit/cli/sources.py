"""Verbs that bring pictures in, and account for them."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import common, options, tables
from toolkit.cli.verb import Verb
from toolkit.core.words import counted

if TYPE_CHECKING:
    from toolkit.dataset.manifest import Manifest


def _scrape(arguments: Namespace) -> dict:
    from toolkit import scrape
    from toolkit.scrape import passed

    settings = scrape.Options(**common.provided(arguments, *options.SOURCE_OPTIONS))
    table = scrape.collect(arguments.sources, into=arguments.into, options=settings)
    counts = common.counted(table, arguments)
    unlabelled = int((table.table["label"] == "").sum())
    if unlabelled:
        common.log(arguments)(f"{counted(unlabelled)} without a label; next: toolkit label {arguments.into}")
    elif len(table.classes) < 2:
        common.log(arguments)("one class so far; add another before training, with the same --into")
    lost = "; ".join(filter(None, [scrape.in_words(arguments.into), passed.in_words(arguments.into)]))
    if lost:
        common.log(arguments)(f"{lost}; `toolkit show {arguments.into}` says more")
    passed_over = scrape.passed_over(arguments.into).to_dict(orient="records")
    return {**counts, "passed_over": passed_over, **_given(arguments, arguments.into)}


def _given(arguments: Namespace, dataset: str) -> dict:
    """The files that are there several times, and how much of a given test is; printed and returned."""
    from toolkit import scrape
    from toolkit.dataset import manifest
    from toolkit.scrape import given

    files, table = given.files(dataset), manifest.load(dataset)
    for line in scrape.repeated(table):
        common.log(arguments)(line)
    twins = given.twins(files, table)
    told = {"test": twins.test, "identical": twins.identical, "near": twins.near} if files.is_split else None
    return {"identical": files.identical, "given": told}


SCRAPE = Verb(
    "scrape",
    "bring labelled pictures into a dataset",
    options.sources,
    _scrape,
    (
        "toolkit scrape pictures/ --into pets",
        "toolkit scrape 'wikimedia:Category:Main_battle_tanks=tanks' --into vehicles --limit 300",
        "toolkit scrape urls:list.csv 'openverse:\"pizza\"=pizza' --into food",
    ),
)


def _show_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    parser.add_argument("--no-sheets", action="store_true", help="only the numbers")
    csv = "also write the table of a large dataset as manifest.csv, which is read again once it is edited"
    parser.add_argument("--csv", action="store_true", help=csv)


def _show(arguments: Namespace) -> dict:
    from toolkit import scrape
    from toolkit.dataset import manifest, storage

    table, log = common.dataset(arguments), common.log(arguments)
    counts = common.counted(table, arguments)
    failed = manifest.tally(scrape.failures(table.root)[["source", "reason"]])
    parts = {"provenance": table.provenance(), "left_out": table.left_out_reasons(), "failed": failed}
    parts |= {"passed_over": scrape.passed_over(table.root), "notes": table.notes()}
    titles = ("where from, and what may be done with it", "left out", "could not be had", "passed over", "notes")
    for title, part in zip(titles, parts.values(), strict=True):
        log(f"\n{title}\n{tables.of_dataset(part)}")
    sheets = [] if arguments.no_sheets else _sheets(table)
    log("\n" + "\n".join(map(str, sheets)) if sheets else "")
    counts |= _given(arguments, arguments.dataset)
    if arguments.csv:
        counts |= {"csv": storage.export(table.root)}
        log(str(counts["csv"]))
    return counts | {name: part.to_dict(orient="records") for name, part in parts.items()} | {"sheets": sheets}


def _sheets(table: "Manifest") -> list[Path]:
    """Write the contact sheets of all labels into the folder of the dataset."""
    from toolkit import plot
    from toolkit.core import parallel, paths

    numbers = [(label, page) for label in table.classes for page in range(1, plot.sheets(table, label) + 1)]
    written = []
    for label, page in parallel.progress(numbers, description="draw", unit=" sheets"):
        picture = plot.png(plot.contact_sheet(table, label, page=page))
        written.append(paths.write(table.root / "sheets" / f"{label}-{page}.png", picture))
    return written


SHOW = Verb(
    "show",
    "what a dataset holds, where from, and what was left out; a contact sheet per label",
    _show_options,
    _show,
    (
        "toolkit show pets",
        "toolkit show pets --no-sheets --json",
        "toolkit show pets --no-sheets --csv",
    ),
)


def _prune_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    parser.add_argument("--yes", action="store_true", help="remove them (default: only say what would be removed)")


def _prune(arguments: Namespace) -> list[dict]:
    from toolkit.scrape import prune

    removed, log = prune.posts(arguments.dataset, delete=arguments.yes), common.log(arguments)
    if len(removed):
        reasons = removed["reason"].value_counts().rename("pictures").reset_index()
        log(f"{tables.of_dataset(reasons)}\n\n{tables.of_dataset(removed[['path', 'reason']])}\n")
    done = "removed" if arguments.yes else "to be removed; --yes removes them" if len(removed) else "to be removed"
    log(f"{counted(len(removed))} {done}")
    return removed.to_dict(orient="records")


PRUNE = Verb(
    "prune",
    "remove pictures whose posts were removed on Reddit",
    _prune_options,
    _prune,
    (
        "toolkit prune pets",
        "toolkit prune pets --yes",
    ),
)


def _credits_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.file(parser, "--into", "path of the page (default: credits.html in the dataset)")


def _credits(arguments: Namespace) -> dict:
    from toolkit.dataset import credits

    table = common.dataset(arguments)
    page = credits.write(table, into=arguments.into)
    counts = {"to name": len(credits.needed(table)), "no known licence": credits.unknown(table)}
    common.log(arguments)("\n".join([str(page), *(f"{name}: {count}" for name, count in counts.items())]))
    return {"credits": page, **counts}


CREDITS = Verb(
    "credits",
    "write the page that names whoever made the pictures",
    _credits_options,
    _credits,
    ("toolkit credits pets",),
)
