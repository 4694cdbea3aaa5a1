"""Verbs that take a dataset and give it back a step further."""

import warnings
from argparse import ArgumentParser, Namespace

from toolkit.cli import common, options, tables, terminal
from toolkit.cli.verb import Verb

RESIZE_OPTIONS = ("size", "mode", "format", "quality", "enlarge")
LIMITS = ("min_side", "min_sharpness", "min_brightness", "max_brightness", "min_entropy", "max_aspect")
LISTED = 20  # leaks that are printed


def _verify_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.add(parser, "--min-side", "shortest side in pixels that is enough (default: 32)", type=int)
    options.add(parser, "--min-sharpness", "variance of the Laplacian that is enough (default: any)", type=float)
    options.add(parser, "--min-brightness", "mean grey value that is enough (default: 0)", type=float)
    options.add(parser, "--max-brightness", "mean grey value that is not too much (default: 255)", type=float)
    options.add(parser, "--min-entropy", "bits of the grey values that are enough (default: 0)", type=float)
    options.add(parser, "--max-aspect", "longer side over shorter side that is not too much (default: any)", type=float)
    options.add(parser, "--max-pixels", "width times height above which a file is not decoded", type=int)
    options.add(
        parser, "--hashes", "further ones to store, with commas: ahash,dhash,whash,colorhash", type=options.names
    )
    options.add(parser, "--whole", "decode large JPEGs whole: slower, hashes exactly imagehash's", action="store_true")
    options.add(parser, "--again", "check all pictures again", action="store_true")
    options.work(parser)


def _verify(arguments: Namespace) -> dict:
    """Limits judge what was verified before, too."""
    from toolkit.dataset import verify

    limits, table = common.provided(arguments, *LIMITS), common.dataset(arguments)
    new = len(table) if "again" in arguments else int((table.table["status"] == "new").sum())
    others = common.provided(arguments, "max_pixels", "hashes", "whole", "again", "jobs")
    with common.cluster(arguments, table):
        table = verify.check(table, **others, **limits)
    table = (verify.judge(table, **limits) if limits else table).save()
    return common.counted(table, arguments, done=f"opened {new:,} of {len(table):,} pictures")


VERIFY = Verb(
    "verify",
    "open every file once; say which cannot be used, and why",
    _verify_options,
    _verify,
    (
        "toolkit verify pets",
        "toolkit verify pets --min-side 64 --min-entropy 2",
    ),
)


def _dedup_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.add(
        parser,
        "--max-distance",
        "largest distance of two hashes in bits, 0 to 64 (default: 18, fewer from 12,959 pictures on)",
        type=int,
    )
    options.add(parser, "--max-difference", "largest difference of two signatures, 0 to 4 (default: 0.04)", type=float)
    options.add(parser, "--transformed", "also find mirrored and turned pictures", action="store_true")
    options.add(parser, "--crops", "also find crops down to this share of either side, 0.7 to 1", type=float)
    options.add(parser, "--max-share", "of all pictures, that looks may take out of use (default: 0.2)", type=float)
    options.work(parser)
    parser.add_argument("--curve", action="store_true", help="only show what each distance would find")


def _dedup(arguments: Namespace) -> dict:
    from toolkit.dataset import by_hand
    from toolkit.duplicates import dedup

    before, log = common.dataset(arguments), common.log(arguments)
    if arguments.curve:
        curve = dedup.curve(before, **common.provided(arguments, "max_distance", "max_difference"))
        log(terminal.frame(curve, tables.CURVE))
        return {"dataset": before.root, "curve": curve.to_dict(orient="records")}
    limits = common.provided(arguments, "max_distance", "max_difference", "transformed", "crops")
    is_split = before.table["split"].replace("", None).nunique() > 1
    leaks = dedup.leaks(before, **limits).to_dict(orient="records") if is_split else []
    limits |= common.provided(arguments, "max_share", "jobs")
    with common.cluster(arguments, before):
        table = dedup.group(before, **limits)
    table = table.save()
    found = table.table["status"].isin(("duplicate", "label conflict")).sum()
    counts = common.counted(table, arguments, done=f"{found:,} copies and label conflicts are not used")
    if leaks:
        named = {leak[side] for leak in leaks[:LISTED] for side in ("path", "other")}
        shown = by_hand.shown(before.table[before.table["path"].isin(named)])
        log(f"{len(leaks)} pairs are the same picture on two sides of the split:")
    for leak in leaks[:LISTED]:
        log(f"  {leak['split']} {shown[leak['path']]} = {leak['other_split']} {shown[leak['other']]}")
    if len(leaks) > LISTED:
        log(f"  and {len(leaks) - LISTED} more; --json lists them all")
    return {**counts, "leaks": leaks}


DEDUP = Verb(
    "dedup",
    "find the pictures that are there more than once",
    _dedup_options,
    _dedup,
    (
        "toolkit dedup pets",
        "toolkit dedup pets --curve",
        "toolkit dedup pets --transformed --crops 0.8",
    ),
)


def _resize_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.add(parser, "--size", "side in pixels (default: 224)", type=int)
    options.add(parser, "--mode", "crop the centre (default), letterbox or squash")
    options.add(parser, "--format", "png (default), what networks learn from, or jpeg")
    options.add(parser, "--quality", "of JPEG, 1 to 100 (default: 95)", type=int)
    no = {"dest": "enlarge", "action": "store_false"}
    options.add(parser, "--no-enlarge", "mark pictures that are smaller than the square as too small", **no)
    options.work(parser)


def _resize(arguments: Namespace) -> dict:
    from toolkit.dataset import resize

    table = common.dataset(arguments)
    with common.cluster(arguments, table):
        table = resize.write(table, **common.provided(arguments, *RESIZE_OPTIONS, "jobs"))
    return common.counted(table.save(), arguments, done=f"squares in {table.root / 'sized'}")


RESIZE = Verb(
    "resize",
    "make square copies of one size",
    _resize_options,
    _resize,
    (
        "toolkit resize pets --size 224",
        "toolkit resize pets --size 96 --mode letterbox --format jpeg",
    ),
)


def _quality_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.file(parser, "--into", "path of the page (default: quality.html in the dataset)")


def _quality(arguments: Namespace) -> dict:
    from toolkit.dataset import quality
    from toolkit.report import html
    from toolkit.selection import shortcuts

    table, log = common.dataset(arguments), common.log(arguments)
    summary = quality.summary(table)
    parts = summary.tables()
    for name, part in parts.items():
        told = tables.counts_of(part) if name == "cleaning" else tables.quality(name, part)
        log(f"{name.replace('_', ' ')}\n{told}\n")
    alone = shortcuts.predictors(table)
    log(f"what predicts the label alone\n{terminal.frame(alone, tables.PREDICTORS)}\n")
    page = html.quality(table, into=arguments.into)
    log(f"{quality.in_words(summary)}\n{shortcuts.in_words(alone)}\n{page}")
    return {"page": page, "predictors": alone.to_dict("records")} | {
        name: part.reset_index().to_dict("records") for name, part in parts.items()
    }


QUALITY = Verb(
    "quality",
    "how balanced, large, light and sharp it is, as numbers, a page and a picture",
    _quality_options,
    _quality,
    ("toolkit quality pets",),
)


def _split_options(parser: ArgumentParser) -> None:
    options.dataset(parser)
    options.add(parser, "--val", "share of the pictures for validation (default: 0.15)", type=float)
    options.add(parser, "--test", "share of the pictures for the test (default: 0.15)", type=float)
    options.add(parser, "--again", "divide anew, whatever the split is now", action="store_true")
    options.add(parser, "--by", "put all pictures of a source, creator or other COLUMN into one part")
    given = "keep the train, val and test that the pictures came in, with what stands in train or val out of test"
    parser.add_argument("--given", action="store_true", help=given)
    parser.add_argument("--seed", type=int, default=7, help="another seed gives another split (default: 7)")
    parser.add_argument("--folders", metavar="PATH", help="also lay out train|val|test/LABEL as links there")


def _split(arguments: Namespace) -> dict:
    from toolkit.dataset import split
    from toolkit.scrape import given

    before, files = common.dataset(arguments), given.files(arguments.dataset)
    settings = common.provided(arguments, "val", "test", "again", "by")
    if arguments.given and "again" in arguments:
        raise ValueError("expected --given or --again, got both")
    settings |= {"given": files.splits} if arguments.given else {}
    table = split.assign(before, seed=arguments.seed, **settings).save()
    twins = given.twins(files, table)
    if str(twins):
        kept = "they are not in the test" if arguments.given else "--given keeps that split without them"
        common.log(arguments)(f"{twins}; {kept}")
    is_asked = arguments.given or "again" in arguments
    if not is_asked and before.table["split"].equals(table.table["split"]):
        warnings.warn("the split there is was kept; --again divides anew", stacklevel=2)
    if told := split.in_words(table):
        common.log(arguments)(told)
    if arguments.folders:
        split.write_folders(table, arguments.folders)
    came = {"test": twins.test, "identical": twins.identical, "near": twins.near} if files.is_split else None
    return {**common.counted(table, arguments, by="split"), "given": came}


SPLIT = Verb(
    "split",
    "divide into train, val and test",
    _split_options,
    _split,
    (
        "toolkit split pets",
        "toolkit split pets --val 0.1 --test 0.2 --again",
        "toolkit split pets --by source --again",
        "toolkit split pets --folders laid_out",
    ),
)
