"""Verbs that take a dataset and give it back a step further."""

import warnings
import webbrowser
from argparse import ArgumentParser, Namespace
from pathlib import Path

from toolkit.cli import common, options
from toolkit.core import parallel
from toolkit.dataset import manifest

RESIZE_OPTIONS = ("size", "mode", "format", "quality", "enlarge")
LIMITS = ("min_side", "min_sharpness", "min_brightness", "max_brightness", "min_entropy", "max_aspect")
LISTED = 20  # leaks that are shown to people


def verify_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.add(parser, "--min-side", "shortest side in pixels that is enough (default: 32)", type=int)
    options.add(parser, "--min-sharpness", "variance of the Laplacian that is enough (default: any)", type=float)
    options.add(parser, "--min-brightness", "mean grey value that is enough (default: 0)", type=float)
    options.add(parser, "--max-brightness", "mean grey value that is not too much (default: 255)", type=float)
    options.add(parser, "--min-entropy", "bits of the grey values that are enough (default: 0)", type=float)
    options.add(parser, "--max-aspect", "longer side over shorter side that is not too much (default: any)", type=float)
    options.add(parser, "--max-pixels", "width times height above which a file is not decoded", type=int)
    options.add(parser, "--hashes", "more of them, with commas: ahash,dhash,whash,colorhash", type=options.names)
    options.add(parser, "--whole", "decode large JPEGs whole: slower, hashes exactly imagehash's", action="store_true")
    options.add(parser, "--again", "check all pictures again", action="store_true")
    options.work(parser)


def verify(arguments: Namespace) -> dict:
    """Open every file once; with a limit also judge anew what was opened before."""
    from toolkit.dataset import verify

    limits, table = common.given(arguments, *LIMITS), manifest.load(arguments.dataset)
    others = common.given(arguments, "max_pixels", "hashes", "whole", "again", "jobs")
    with parallel.cluster(arguments.cluster, needs=table.root / manifest.FILE):
        table = verify.check(table, **others, **limits)
    return common.counted((verify.judge(table, **limits) if limits else table).save(), arguments)


def dedup_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.add(
        parser,
        "--max-distance",
        "bits of the hash that may differ, 0 to 64 (default: 18, fewer from 11,000 pictures on)",
        type=int,
    )
    options.add(parser, "--max-difference", "that the second look accepts, 0 to 4 (default: 0.04)", type=float)
    options.add(parser, "--transformed", "also find mirrored and turned pictures", action="store_true")
    options.add(parser, "--crops", "also find crops down to this share of either side, 0.7 to 1", type=float)
    parser.add_argument("--curve", action="store_true", help="only show what each distance would find")


def dedup(arguments: Namespace) -> dict:
    """Mark near-duplicates, and list those on two sides of a split."""
    from toolkit.duplicates import dedup

    before, say = manifest.load(arguments.dataset), common.say(arguments)
    chosen = common.given(arguments, "max_distance", "max_difference", "transformed", "crops")
    if arguments.curve:
        curve = dedup.curve(
            before, **{name: value for name, value in chosen.items() if name in ("max_distance", "max_difference")}
        )
        say(curve.to_string(index=False))
        return {"dataset": before.root, "curve": curve.to_dict(orient="records")}
    several = before.table["split"].replace("", None).nunique() > 1
    leaks = dedup.leaks(before, **chosen).to_dict(orient="records") if several else []
    counted = common.counted(dedup.group(before, **chosen).save(), arguments)
    if leaks:
        say(f"{len(leaks)} pairs are the same picture on two sides of the split:")
    for leak in leaks[:LISTED]:
        say(f"  {leak['split']} {leak['path']} = {leak['other_split']} {leak['other']}")
    if len(leaks) > LISTED:
        say(f"  and {len(leaks) - LISTED} more; --json lists them all")
    return {**counted, "leaks": leaks}


def resize_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    options.add(parser, "--size", "side in pixels (default: 224)", type=int)
    options.add(parser, "--mode", "crop the centre (default), letterbox or squash")
    options.add(parser, "--format", "png, what networks learn from (default), or jpeg")
    options.add(parser, "--quality", "of jpeg, 1 to 100 (default: 95)", type=int)
    no = {"dest": "enlarge", "action": "store_false"}
    options.add(parser, "--no-enlarge", "mark pictures that are smaller than the square as too small", **no)
    options.work(parser)


def resize(arguments: Namespace) -> dict:
    """Write squares."""
    from toolkit.dataset import resize

    table = manifest.load(arguments.dataset)
    with parallel.cluster(arguments.cluster, needs=table.root / manifest.FILE):
        table = resize.write(table, **common.given(arguments, *RESIZE_OPTIONS, "jobs"))
    return common.counted(table.save(), arguments)


def quality_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    parser.add_argument("--into", metavar="FILE", help="path of the page (default: quality.html in the dataset)")


def quality(arguments: Namespace) -> dict:
    """Write the page on a dataset's quality, and the picture beside it."""
    from toolkit.dataset import quality
    from toolkit.report import html

    table, say = manifest.load(arguments.dataset), common.say(arguments)
    tables = quality.summary(table)
    for name, part in tables.tables().items():
        say(f"{name.replace('_', ' ')}\n{part.to_string() if len(part) else 'nothing'}\n")
    written = html.quality(table, into=Path(arguments.into) if arguments.into else None)
    say(f"{quality.in_words(tables)}\n{written}")
    return {"page": written} | {name: part.reset_index().to_dict("records") for name, part in tables.tables().items()}


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


def relabel_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    parser.add_argument("pictures", nargs="+", metavar="PATH", help="as for exclude")
    parser.add_argument("--label", help="a class of the dataset")
    parser.add_argument("--reason", default="", help="kept in the manifest")
    parser.add_argument("--undo", action="store_true", help="take back the last mark of each instead")


def relabel(arguments: Namespace) -> dict:
    """Give pictures another label."""
    from toolkit import review

    table = manifest.load(arguments.dataset)
    if bool(arguments.label) == arguments.undo:
        raise ValueError(f"expected --label with one of {', '.join(table.classes)}, or --undo; got both or neither")
    if arguments.undo:
        return common.counted(review.undo(table, arguments.pictures), arguments)
    relabelled = review.relabel(table, arguments.pictures, arguments.label, reason=arguments.reason)
    return common.counted(relabelled, arguments)


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
    from toolkit.dataset import split

    before = manifest.load(arguments.dataset)
    table = split.assign(before, seed=arguments.seed, **common.given(arguments, "val", "test", "again")).save()
    if before.table["split"].equals(table.table["split"]):
        warnings.warn("the split there is was kept; --again divides anew", stacklevel=2)
    if arguments.folders:
        split.write_folders(table, arguments.folders)
    return common.counted(table, arguments, by="split")
