"""Verbs with which a person says what single pictures are."""

from argparse import ArgumentParser, Namespace
from functools import partial

from toolkit.cli import common, options, output
from toolkit.cli.verb import Verb
from toolkit.core.words import counted


def _exclude_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    path = "as in the manifest: raw/cars/3f9a….jpg, or its end"
    parser.add_argument("pictures", nargs="+", metavar="PATH", help=path)
    parser.add_argument("--reason", default="", help="kept in the manifest (default: what it says, or that it was you)")
    parser.add_argument("--undo", action="store_true", help="use them again instead")


def _exclude(arguments: Namespace) -> dict:
    from toolkit import review

    table = common.dataset(arguments)
    if arguments.undo:
        return common.counted(table.include(arguments.pictures).save(), arguments)
    return common.counted(review.exclude(table, arguments.pictures, reason=arguments.reason), arguments)


EXCLUDE = Verb(
    "exclude",
    "take pictures out of use, with a reason",
    _exclude_options,
    _exclude,
    (
        "toolkit exclude pets cats/12.jpg --reason 'is a dog'",
        "toolkit exclude pets cats/12.jpg --undo",
    ),
)


def _relabel_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    parser.add_argument("pictures", nargs="+", metavar="PATH", help="as for exclude")
    parser.add_argument("--label", help="a class of the dataset")
    parser.add_argument("--reason", default="", help="kept in the manifest")
    parser.add_argument("--undo", action="store_true", help="take back the last mark of each instead")


def _relabel(arguments: Namespace) -> dict:
    from toolkit import review

    table = common.dataset(arguments)
    if bool(arguments.label) == arguments.undo:
        raise ValueError(f"expected --label with one of {', '.join(table.classes)}, or --undo; got both or neither")
    if arguments.undo:
        return common.counted(review.undo(table, arguments.pictures), arguments)
    relabelled = review.relabel(table, arguments.pictures, arguments.label, reason=arguments.reason)
    return common.counted(relabelled, arguments)


RELABEL = Verb(
    "relabel",
    "give pictures another label, or take back the last mark of them",
    _relabel_options,
    _relabel,
    (
        "toolkit relabel pets cats/12.jpg --label dogs",
        "toolkit relabel pets cats/12.jpg --undo",
    ),
)


def _page_options(parser: ArgumentParser) -> None:
    """Where a page on which a person marks pictures is served."""
    options.add(parser, "--port", "to listen at (default: 8642, or any that is free)", type=int)
    options.add(parser, "--host", "address to listen at (default: 127.0.0.1, this machine alone)")
    options.browser(parser, default=True)


def _announce(arguments: Namespace, address: str) -> None:
    """Say where such a page is, and open it."""
    import webbrowser

    common.announce(
        arguments, {"url": address, "address": address}, f"{address}\nstop with Ctrl-C; every mark is saved at once"
    )
    if arguments.browser:
        webbrowser.open(address)


def _review_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    queues = "shown first: labels, conflicts, mistakes, hesitant, bulk, copies, alike, left-out, all or class:NAME"
    options.add(parser, "--queue", queues)
    _page_options(parser)


def _review(arguments: Namespace) -> None:
    from toolkit import review

    before = common.dataset(arguments)
    table = review.serve(
        before, on_start=partial(_announce, arguments), **common.provided(arguments, "queue", "port", "host")
    )
    marked = int((table.table["mark"] > before.table["mark"].max()).sum())
    if marked:
        common.log(arguments)(f"{counted(marked)} marked; `toolkit dedup` and `toolkit split` take that into account")
    result = {**common.counted(table, arguments), "marked": marked}
    if arguments.json:  # the second line, after that of the address
        output.write(result, indent=None)


def _label_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    _page_options(parser)


def _label(arguments: Namespace) -> None:
    from toolkit import review
    from toolkit.pipeline import learn

    table, done = review.label(
        common.dataset(arguments), on_start=partial(_announce, arguments), **common.provided(arguments, "port", "host")
    )
    counts = common.counted(table, arguments)
    if done:
        common.log(arguments)(str(learn.learn(table.root, log=common.log(arguments))))
    else:
        common.log(arguments)(f"next: toolkit learn {arguments.dataset}")
    if arguments.json:
        output.write({**counts, "learned": done}, indent=None)


LABEL = Verb(
    "label",
    "give pictures their labels, many at once, on a page that learns while you do",
    _label_options,
    _label,
    (
        "toolkit label pets",
        "toolkit label pets --no-browser",
    ),
)


REVIEW = Verb(
    "review",
    "go through what is suspicious, on a page in the browser, with the keyboard",
    _review_options,
    _review,
    (
        "toolkit review pets",
        "toolkit review pets --queue copies --no-browser",
    ),
)
