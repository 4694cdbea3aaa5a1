"""What can be said after each verb.

An option that is not given is not passed on, so the defaults live in the modules alone.
"""

from argparse import SUPPRESS, ArgumentParser

SOURCE_OPTIONS = (
    "limit",
    "sort",
    "time_filter",
    "over_18",
    "permission",
    "licenses",
    "connections",
    "retry_failed",
    "browser",
    "driver",
    "allow",
)
TRAINING_OPTIONS = (
    "style",
    "size",
    "epochs",
    "patience",
    "batch_size",
    "learning_rate",
    "precision",
    "seed",
    "augmentation",
)
OPTION_HELP = "what the network alone knows: width=0.5, trainable_layers=6, growing=[3,4,3], …"


def _add(parser: ArgumentParser, name: str, help: str, **how: object) -> None:
    """An option that leaves no trace when it is not given."""
    parser.add_argument(name, help=help, **{"default": SUPPRESS, **how})


def _dataset(parser: ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in data/, or the path of its folder")


def _names(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(",") if word.strip())


def _scrape(parser: ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="folder:PATH, wikimedia:WORDS=LABEL, practice:, …")
    parser.add_argument("--into", required=True, metavar="DATASET", help="name of a dataset, or the path of a folder")
    _add(parser, "--limit", "pictures per source and label (default: all)", type=int)
    _add(parser, "--sort", "order of a listing: new, hot, top, rising, controversial, or all of them (default: hot)")
    _add(parser, "--time-filter", "for top: hour, day, week, month, year, all (default: all)")
    _add(parser, "--over-18", "also posts marked as adult", action="store_true")
    _add(parser, "--licenses", "to take, with commas: cc0,pdm,by,by-sa (default: all free ones)", type=_names)
    _add(parser, "--connections", "downloads at the same time (default: 16)", type=int)
    _add(parser, "--browser", "path of Chromium, for pages (default: the one on the search path)", metavar="PATH")
    _add(parser, "--driver", "path of its ChromeDriver (default: the one on the search path)", metavar="PATH")
    _add(parser, "--retry-failed", "try again what failed before", action="store_true")
    _add(parser, "--allow", "a network that may be reached though it is not public", action="append", metavar="NETWORK")
    said = "you have Reddit's approval, and the right to use the pictures as you will"
    _add(parser, "--i-have-permission", said, action="store_true", dest="permission")


def _prune(parser: ArgumentParser) -> None:
    _dataset(parser)
    parser.add_argument("--yes", action="store_true", help="remove them (default: only say what would be removed)")


def _show(parser: ArgumentParser) -> None:
    _dataset(parser)
    parser.add_argument("--no-sheets", action="store_true", help="only the numbers")


def _training(parser: ArgumentParser) -> None:
    parser.add_argument("--weights", default="imagenet", help="for xception: imagenet (default), none, or a file")
    _add(parser, "--style", "classic, as its authors drew it (default), or modern")
    _add(parser, "--size", "side of the pictures in pixels (default: the network's)", type=int)
    _add(parser, "--epochs", "passes over the pictures, at most (default: the network's)", type=int)
    _add(parser, "--patience", "epochs without getting better before it stops (default: the network's)", type=int)
    _add(parser, "--batch-size", "pictures per step (default: 32)", type=int)
    _add(parser, "--learning-rate", "of Adam (default: the network's)", type=float)
    _add(parser, "--precision", "auto (default), float32 or bfloat16")
    _add(parser, "--seed", "the same seed gives the same result (default: 7)", type=int)
    no = {"dest": "augmentation", "action": "store_const", "const": None}
    _add(parser, "--no-augmentation", "train on the pictures as they are", **no)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help=OPTION_HELP)
    parser.add_argument("--overwrite", action="store_true", help="train again what was trained differently")


def _verify(parser: ArgumentParser) -> None:
    _dataset(parser)
    _add(parser, "--min-side", "shortest side in pixels that is enough (default: 32)", type=int)
    _add(parser, "--again", "check all pictures again", action="store_true")


def _dedup(parser: ArgumentParser) -> None:
    _dataset(parser)
    _add(parser, "--max-distance", "bits of the hash that may differ, 0 to 64 (default: 12)", type=int)
    _add(parser, "--max-difference", "that the second look accepts, 0 to 4 (default: 0.03)", type=float)


def _resize(parser: ArgumentParser) -> None:
    _dataset(parser)
    _add(parser, "--size", "side in pixels (default: 224)", type=int)


def _exclude(parser: ArgumentParser) -> None:
    _dataset(parser)
    parser.add_argument(
        "pictures", nargs="+", metavar="PATH", help="as in the manifest: raw/cars/3f9a….jpg, or its end"
    )
    parser.add_argument("--reason", default="taken out by hand", help="kept in the manifest")


def _split(parser: ArgumentParser) -> None:
    _dataset(parser)
    _add(parser, "--val", "share to choose by (default: 0.15)", type=float)
    _add(parser, "--test", "share to judge by (default: 0.15)", type=float)
    _add(parser, "--again", "forget the split there is", action="store_true")
    parser.add_argument("--seed", type=int, default=7, help="another seed gives another split (default: 7)")
    parser.add_argument("--folders", metavar="PATH", help="also lay out train|val|test/LABEL as links there")


def _train(parser: ArgumentParser) -> None:
    _dataset(parser)
    parser.add_argument("--network", required=True, help="vgg, dual_stack or xception")
    parser.add_argument("--name", help="of the run (default: the network's)")
    _training(parser)


def _runs(parser: ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="DATASET/RUN, or a dataset for all its runs")


def _predict(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="DATASET/RUN, a folder, or a .keras file")
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="files, or folders of them")
    parser.add_argument("--show", metavar="PNG", help="draw the first picture as the network saw it into this file")


def _report(parser: ArgumentParser) -> None:
    _dataset(parser)
    parser.add_argument("--into", metavar="FILE", help="path of the page (default: models/DATASET/report.html)")


def _credits(parser: ArgumentParser) -> None:
    _dataset(parser)
    parser.add_argument("--into", metavar="FILE", help="path of the page (default: credits.html in the dataset)")


def _run(parser: ArgumentParser) -> None:
    _scrape(parser)
    parser.add_argument("--networks", default="vgg,dual_stack,xception", help="names, with commas (default: all three)")
    _training(parser)


def _demo(parser: ArgumentParser) -> None:
    parser.add_argument("--source", default="practice:", help="as for scrape (default: practice:)")
    parser.add_argument("--into", metavar="DATASET", help="name of the dataset (default: by the source)")
    parser.add_argument("--weights", default="none", help="for xception: none (default), imagenet, or a file")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the notebooks")


OPTIONS = {
    "scrape": _scrape,
    "show": _show,
    "verify": _verify,
    "dedup": _dedup,
    "resize": _resize,
    "exclude": _exclude,
    "split": _split,
    "prune": _prune,
    "train": _train,
    "evaluate": _runs,
    "compare": _runs,
    "predict": _predict,
    "credits": _credits,
    "report": _report,
    "run": _run,
    "demo": _demo,
}
