"""Verbs that bring pictures in, and account for them."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from toolkit.cli import common, options
from toolkit.cli.options import SOURCE_OPTIONS
from toolkit.core import paths
from toolkit.dataset import manifest


def scrape_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.sources(parser)


def scrape(arguments: Namespace) -> dict:
    """Bring labelled pictures into a dataset."""
    from toolkit import scrape

    options = scrape.Options(**common.given(arguments, *SOURCE_OPTIONS))
    counted = common.counted(scrape.collect(arguments.sources, into=arguments.into, options=options), arguments)
    lost = scrape.in_words(arguments.into)
    if lost:
        common.say(arguments)(f"{lost}; `toolkit show {arguments.into}` says more")
    return counted


def show_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    parser.add_argument("--no-sheets", action="store_true", help="only the numbers")


def show(arguments: Namespace) -> dict:
    """Look before you keep."""
    from toolkit import scrape

    table, say = manifest.load(arguments.dataset), common.say(arguments)
    result = common.counted(table, arguments)
    failed = manifest.tally(scrape.failures(table.root)[["source", "reason"]])
    parts = {"provenance": table.provenance(), "left_out": table.left_out_reasons(), "failed": failed}
    titles = ("where from, and what may be done with it", "left out", "could not be had")
    for title, part in zip(titles, parts.values(), strict=True):
        say(f"\n{title}\n{part.to_string(index=False) if len(part) else 'none'}")
    sheets = [] if arguments.no_sheets else _sheets(table)
    say("\n" + "\n".join(map(str, sheets)) if sheets else "")
    return result | {name: part.to_dict(orient="records") for name, part in parts.items()} | {"sheets": sheets}


def _sheets(table: manifest.Manifest) -> list[Path]:
    """Write the contact sheets of all labels into the folder of the dataset."""
    from toolkit import plot
    from toolkit.core import parallel

    numbers = [(label, page) for label in table.classes for page in range(1, plot.sheets(table, label) + 1)]
    written = []
    for label, page in parallel.progress(numbers, description="draw", unit=" sheets"):
        picture = plot.png(plot.contact_sheet(table, label, page=page))
        written.append(paths.write(table.root / "sheets" / f"{label}-{page}.png", picture))
    return written


def prune_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    parser.add_argument("--yes", action="store_true", help="remove them (default: only say what would be removed)")


def prune(arguments: Namespace) -> list[dict]:
    """Remove what was removed on Reddit, or say what would be."""
    from toolkit.scrape import prune

    found, say = prune.posts(arguments.dataset, delete=arguments.yes), common.say(arguments)
    if len(found):
        say(f"{found['reason'].value_counts().to_string()}\n{found[['path', 'reason']].to_string(index=False)}\n")
    done = "removed" if arguments.yes else "to be removed; --yes removes them" if len(found) else "to be removed"
    say(f"{len(found)} pictures {done}")
    return found.to_dict(orient="records")


def credits_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    parser.add_argument("--into", metavar="FILE", help="path of the page (default: credits.html in the dataset)")


def credits(arguments: Namespace) -> dict:
    """Write the page that names the creators."""
    from toolkit.dataset import credits

    table = manifest.load(arguments.dataset)
    page = credits.write(table, into=Path(arguments.into) if arguments.into else None)
    result = {"credits": page, "to name": len(credits.needed(table)), "no known licence": credits.unknown(table)}
    common.say(arguments)(
        "\n".join(str(page) if key == "credits" else f"{key}: {value}" for key, value in result.items())
    )
    return result
