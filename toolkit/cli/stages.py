"""Verbs that take a dataset and give it back a step further."""

import warnings
import webbrowser
from argparse import ArgumentParser, Namespace

from toolkit import manifest
from toolkit.cli import common, options

RESIZE_OPTIONS = ("size", "mode", "format", "quality", "enlarge")


def verify_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.add(parser, "--min-side", "shortest side in pixels that is enough (default: 32)", type=int)
    options.add(parser, "--again", "check all pictures again", action="store_true")


def verify(arguments: Namespace) -> dict:
    """Open every file once."""
    from toolkit import verify

    table = manifest.load(arguments.dataset)
    return common.counted(verify.check(table, **common.given(arguments, "min_side", "again")).save(), arguments)


def dedup_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.add(parser, "--max-distance", "bits of the hash that may differ, 0 to 64 (default: 12)", type=int)
    options.add(parser, "--max-difference", "that the second look accepts, 0 to 4 (default: 0.03)", type=float)


def dedup(arguments: Namespace) -> dict:
    """Mark near-duplicates."""
    from toolkit import dedup

    table = manifest.load(arguments.dataset)
    return common.counted(
        dedup.group(table, **common.given(arguments, "max_distance", "max_difference")).save(), arguments
    )


def resize_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.add(parser, "--size", "side in pixels (default: 224)", type=int)
    options.add(parser, "--mode", "crop the centre (default), letterbox or squash")
    options.add(parser, "--format", "png, what networks learn from (default), or jpeg")
    options.add(parser, "--quality", "of jpeg, 1 to 100 (default: 95)", type=int)
    no = {"dest": "enlarge", "action": "store_false"}
    options.add(parser, "--no-enlarge", "mark pictures that are smaller than the square as too small", **no)


def resize(arguments: Namespace) -> dict:
    """Write squares."""
    from toolkit import resize

    table = manifest.load(arguments.dataset)
    return common.counted(resize.write(table, **common.given(arguments, *RESIZE_OPTIONS)).save(), arguments)


def exclude_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    parser.add_argument(
        "pictures", nargs="+", metavar="PATH", help="as in the manifest: raw/cars/3f9a….jpg, or its end"
    )
    parser.add_argument("--reason", default="taken out by hand", help="kept in the manifest")


def exclude(arguments: Namespace) -> dict:
    """Take pictures out of use."""
    table = manifest.load(arguments.dataset)
    return common.counted(table.exclude(arguments.pictures, reason=arguments.reason).save(), arguments)


def review_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.add(
        parser, "--queue", "shown first: labels, conflicts, mistakes, hesitant, copies, left-out, all or class:NAME"
    )
    options.add(parser, "--port", "to listen at (default: 8642, or any that is free)", type=int)
    options.add(parser, "--host", "address to listen at (default: 127.0.0.1, this machine alone)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")


def review(arguments: Namespace) -> dict:
    """Let a person mark pictures."""
    from toolkit import review

    def told(address: str) -> None:
        common.say(arguments)(f"{address}\nstop with Ctrl-C; every mark is saved at once")
        if not arguments.no_browser:
            webbrowser.open(address)

    before = manifest.load(arguments.dataset)
    table = review.serve(before, told=told, **common.given(arguments, "queue", "port", "host"))
    marked = int((table.table["mark"] > before.table["mark"].max()).sum())
    if marked:
        common.say(arguments)(f"{marked} pictures marked; `toolkit dedup` and `toolkit split` take that into account")
    return {**common.counted(table, arguments), "marked": marked}


def split_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.add(parser, "--val", "share to choose by (default: 0.15)", type=float)
    options.add(parser, "--test", "share to judge by (default: 0.15)", type=float)
    options.add(parser, "--again", "forget the split there is", action="store_true")
    parser.add_argument("--seed", type=int, default=7, help="another seed gives another split (default: 7)")
    parser.add_argument("--folders", metavar="PATH", help="also lay out train|val|test/LABEL as links there")


def split(arguments: Namespace) -> dict:
    """Divide a dataset."""
    from toolkit import split

    before = manifest.load(arguments.dataset)
    table = split.assign(before, seed=arguments.seed, **common.given(arguments, "val", "test", "again")).save()
    if before.table["split"].equals(table.table["split"]):
        warnings.warn("the split there is was kept; --again divides anew", stacklevel=2)
    if arguments.folders:
        split.write_folders(table, arguments.folders)
    return common.counted(table, arguments, by="split")
