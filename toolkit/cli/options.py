"""Options that several verbs share.

An option that is not given is not passed on, so the defaults live in the modules alone; a test compares those that a
help text names.
"""

from argparse import SUPPRESS, Action, ArgumentParser, ArgumentTypeError, BooleanOptionalAction, _ArgumentGroup
from pathlib import Path
from typing import Any

SOURCE_OPTIONS = (
    "limit",
    "sort",
    "time_filter",
    "over_18",
    "permission",
    "licenses",
    "max_bytes",
    "max_pixels",
    "connections",
    "retry_failed",
    "browser",
    "driver",
    "allow",
    "follow_links",
)
TRAINING_OPTIONS = (
    "style",
    "size",
    "resize_mode",
    "epochs",
    "patience",
    "batch_size",
    "learning_rate",
    "optimizer",
    "momentum",
    "weight_decay",
    "schedule",
    "warm_up",
    "monitor",
    "precision",
    "seed",
    "augmentation",
    "features_once",
    "views",
    "C",
    "refit",
    "label_smoothing",
    "clip",
    "ema",
    "fine_tune",
    "strategy",
)
MIXING_OPTIONS = ("mixup", "cutmix", "randaugment")
FIRST_PHASE = ("epochs", "patience", "learning_rate", "optimizer", "momentum", "weight_decay", "schedule", "warm_up")
STEPPING = (  # settings of gradient descent, which a linear probe on features does not use
    *FIRST_PHASE,
    *("batch_size", "monitor", "augmentation", "label_smoothing", "clip", "ema", *MIXING_OPTIONS),
)
OPTION_HELP = (
    "a network-specific option: width=0.5 of one that is defined in this package, shrinking=[4,3,3] and "
    "growing=[3,4,3] of dual_stack; of a pretrained one trainable_layers=6, or frozen_below=66 or the start of a "
    "layer's name (block14), "
    "pooling=average, pyramid or flatten, normalize=true, dense=256, dropout=0.5, l1=0.003, l2=0.4, weights"
)
CONFIG_HELP = (
    "settings from a JSON file: best.json of tune, bundle.json of a run, or your own; options on the command line take "
    "precedence. It can also set what has no option: class_weights, calibrate, augmentation {rotation, brightness, "
    "contrast, horizontal_flip, vertical_flip, shift, zoom, shear}, mixing {mixup, cutmix, alpha, randaugment, "
    "magnitude}, fine_tune {epochs, share, learning_rate, decay, weight_decay}"
)


def add(parser: ArgumentParser | _ArgumentGroup, name: str, help: str, **settings: Any) -> None:
    """Add an option that is no attribute of the parsed arguments when it is not given."""
    parser.add_argument(name, help=help, **{"default": SUPPRESS, **settings})


class _Named(Action):
    """Collects CLASS=NUMBER, given once or again, as numbers by class."""

    def __call__(self, parser: Any, namespace: Any, value: Any, option: str | None = None) -> None:
        name, equals, number = str(value).rpartition("=")
        try:
            given = {name: float(number)}
        except ValueError:
            equals = ""
        if not equals:
            parser.error(f"argument {option}: expected a class and a probability such as tanks=0.8, got {value!r}")
        setattr(namespace, self.dest, getattr(namespace, self.dest, {}) | given)


def operating_points(parser: ArgumentParser) -> None:
    """Add the probabilities of single classes below which an answer is "not sure"."""
    help = "the same for one class, such as tanks=0.8; may be repeated"
    add(parser, "--threshold", help, action=_Named, dest="thresholds", metavar="CLASS=NUMBER")


def file(parser: ArgumentParser, name: str, help: str, *, metavar: str = "FILE", default: Path | None = None) -> None:
    """Add an option that takes the path of a file; None when it is not given."""
    parser.add_argument(name, metavar=metavar, type=Path, default=default, help=help)


def drawing(parser: ArgumentParser, help: str, *, default: Path | None = None) -> None:
    """Add the file of a drawing; `--into` is its old name in some verbs."""
    parser.add_argument("--show", "--into", dest="show", metavar="PNG", type=Path, default=default, help=help)


def browser(parser: ArgumentParser, *, default: bool) -> None:
    """Add whether a page is opened in the browser."""
    open_it = f"open it in the browser (default: {'yes' if default else 'no'})"
    parser.add_argument("--browser", action=BooleanOptionalAction, default=default, help=open_it)


def dataset(parser: ArgumentParser) -> None:
    """Add the dataset."""
    parser.add_argument("dataset", help="name of a dataset in data/, the path of its folder, or a URL")


def work(parser: ArgumentParser) -> None:
    """Add the workers, on this machine or a cluster, that share the work on single files."""
    add(parser, "--jobs", "workers on this machine; more help with far files (default: one per core)", type=int)
    cluster(parser)


def cluster(parser: ArgumentParser) -> None:
    """Add the cluster."""
    address = "of a Dask scheduler, tcp://host:port, whose workers share the work"
    parser.add_argument("--cluster", metavar="ADDRESS", help=address)


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def schedule(text: str) -> str | dict[int, float]:
    """`15=0.003,28=0.001` as learning rates by epoch; the name of a schedule as it is."""
    if "=" not in text:
        return text
    try:
        return {int(epoch): float(rate) for epoch, rate in (pair.split("=") for pair in text.split(","))}
    except ValueError:
        raise ArgumentTypeError(f"expected EPOCH=RATE with commas, such as 15=0.003,28=0.001; got {text!r}") from None


def fine_tune(text: str) -> dict[str, int]:
    """Epochs of fine-tuning."""
    try:
        return {"epochs": int(text)}
    except ValueError:
        raise ArgumentTypeError(f"give EPOCHS after --fine-tune, or put it last; got {text!r}") from None


def recipe(parser: ArgumentParser, *, also: str = "") -> None:
    """Add the network, the recipe and the file of settings."""
    usual = "efficientnet_lite0, with --weights xception; or what the recipe or the file says"
    known = f"efficientnet_lite0, vgg, dual_stack, xception, hub:PRESET, …{also} (default: {usual})"
    parser.add_argument("--network", "--networks", dest="network", help=known)
    authors = "cars_tanks, thumbs, pizza, cifar10 or hand_digits: its authors' settings replace the defaults below"
    parser.add_argument("--recipe", help=authors)
    file(parser, "--config", CONFIG_HELP)


def folds(parser: ArgumentParser, *, named: bool = True, at_once: str = "folds") -> None:
    """Add the options of a cross-validation."""
    add(parser, "--folds", "of a cross-validation (default: the recipe's, or 5)", type=int)
    if named:
        add(parser, "--name", "of the result (default: the network's)")
    add(parser, "--jobs", f"{at_once} at the same time (default: 1, on a cluster all)", type=int)
    cluster(parser)


def runs(parser: ArgumentParser) -> None:
    """Add the runs."""
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="DATASET/RUN, DATASET RUN, or a dataset for all its runs"
    )


def sources(parser: ArgumentParser) -> None:
    """Add the sources of pictures, the dataset they go into, and the options of `scrape.Options`."""
    here = "a path, or folder: zip: imagefolder: inbox: video: camera: urls:"
    kinds = f"{here} wikimedia: openverse: flickr: kaggle: reddit: page: practice:"
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=f"{kinds}; docs/sources.md says what each takes")
    parser.add_argument("--into", required=True, metavar="DATASET", help="name of a dataset, or the path of a folder")
    group = parser.add_argument_group("the sources")
    add(group, "--limit", "pictures per source and label (default: all)", type=int, metavar="PICTURES")
    order = "of a listing: new, hot, top, rising, controversial, or all of them (default: hot)"
    add(group, "--sort", order, metavar="ORDER")
    add(group, "--time-filter", "for top: hour, day, week, month, year, all (default: all)", metavar="TIME")
    add(group, "--over-18", "also posts marked as adult", action="store_true")
    add(group, "--licenses", "to take, with commas: cc0,pdm,by,by-sa (default: all free ones)", type=names)
    largest = "of a file, at most; without it 25 MB to download, 1 GB of one that is here"
    add(group, "--max-bytes", largest, type=int, metavar="BYTES")
    pixels = "width times height of a download (default: 89,478,485)"
    add(group, "--max-pixels", pixels, type=int, metavar="PIXELS")
    add(group, "--connections", "downloads at the same time (default: 16)", type=int, metavar="DOWNLOADS")
    add(group, "--browser", "path of Chromium, for pages (default: the one on the search path)", metavar="PATH")
    add(group, "--driver", "path of its ChromeDriver (default: the one on the search path)", metavar="PATH")
    add(group, "--retry-failed", "try again what failed before", action="store_true")
    add(group, "--follow-links", "also take what links out of a folder lead to", action="store_true")
    add(group, "--allow", "a network that may be reached though it is not public", action="append", metavar="NETWORK")
    permission = "you have Reddit's approval, and the right to use the pictures as you will"
    add(group, "--i-have-permission", permission, action="store_true", dest="permission")


def training(parser: ArgumentParser) -> None:
    """Add the settings of `training.config.Config`."""
    _drawing_up(parser.add_argument_group("the network and its pictures"))
    _steps(parser.add_argument_group("the steps of the training"))
    _head(parser.add_argument_group("a head on a frozen backbone"))
    _overfitting(parser.add_argument_group("against overfitting"))


def _drawing_up(group: _ArgumentGroup) -> None:
    choices = "imagenet, none, or a file; for xception also cifar10 (default: imagenet)"
    add(group, "--weights", f"of a pretrained network: {choices}", metavar="WHICH")
    drawn = "modern, or classic, as its authors drew it (default: modern)"
    add(group, "--style", drawn, metavar="modern|classic")
    add(group, "--size", "side of the pictures in pixels (default: the network's)", type=int, metavar="PIXELS")
    squares = "how pictures are made square: crop (default), letterbox or squash"
    add(group, "--resize-mode", squares, metavar="crop|letterbox|squash")
    add(group, "--precision", "auto (default), float32 or bfloat16", metavar="auto|float32|bfloat16")
    add(group, "--seed", "the same seed gives the same result (default: 7)", type=int)
    group.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help=OPTION_HELP)


def _steps(group: _ArgumentGroup) -> None:
    add(group, "--epochs", "passes over the pictures, at most (default: the network's)", type=int)
    add(group, "--patience", "epochs without getting better before it stops (default: the network's)", type=int)
    add(group, "--batch-size", "pictures per step (default: 32)", type=int, metavar="PICTURES")
    add(group, "--learning-rate", "of the optimizer (default: the network's)", type=float, metavar="RATE")
    add(group, "--optimizer", "adam, adamw or sgd (default: the style's)", metavar="adam|adamw|sgd")
    add(group, "--momentum", "of sgd (default: 0.9)", type=float)
    add(group, "--weight-decay", "of adamw (default: the style's)", type=float, metavar="DECAY")
    rates = "of the learning rate: constant, cosine, or EPOCH=RATE,… from then on (default: the style's)"
    add(group, "--schedule", rates, type=schedule)
    warm_up = "share of the steps in which the rate of a cosine rises first (default: 0.1)"
    add(group, "--warm-up", warm_up, type=float, metavar="SHARE")
    monitor = "metric that selects the best epoch: val_loss (default) or val_accuracy"
    add(group, "--monitor", monitor, metavar="val_loss|val_accuracy")
    tuning = "then train the last layers of a pretrained backbone too, for so many epochs (default: 5)"
    add(group, "--fine-tune", tuning, nargs="?", const={}, type=fine_tune, metavar="EPOCHS")


def _head(group: _ArgumentGroup) -> None:
    add(group, "--views", "augmented views of each picture that it learns from (default: 1)", type=int)
    strength = "inverse regularization strength, above 0 (default: chosen on val)"
    add(group, "--C", strength, type=float, metavar="STRENGTH")
    refit = "choose C by cross-validation on train and val together, and fit it on both"
    add(group, "--refit", refit, action="store_true")
    each = {"dest": "features_once", "action": "store_const", "const": False}
    add(group, "--features-each-epoch", "train it epoch by epoch on augmented pictures, not once on features", **each)


def _overfitting(group: _ArgumentGroup) -> None:
    no = {"dest": "augmentation", "action": "store_const", "const": None}
    add(group, "--no-augmentation", "train on the pictures as they are", **no)
    smoothing = "share of each label spread over all classes (default: the style's)"
    add(group, "--label-smoothing", smoothing, type=float, metavar="SHARE")
    add(group, "--clip", "largest gradient norm, 0 for no limit (default: the style's)", type=float, metavar="NORM")
    ema = "decay of a moving average of the weights, 0 for none (default: the style's)"
    add(group, "--ema", ema, type=float, metavar="DECAY")
    own = "with this or the next two, the style's own mixing is off"
    add(group, "--mixup", f"share of the batches whose pictures are blended in pairs; {own}", type=float)
    add(group, "--cutmix", "share of the batches with pieces of other pictures pasted in", type=float)
    add(group, "--randaugment", "further random changes per picture, 0 to 3", type=int, metavar="CHANGES")


def overwrite(parser: ArgumentParser) -> None:
    """Add whether a result of other settings is replaced."""
    parser.add_argument("--overwrite", action="store_true", help="replace a result that was made with other settings")
