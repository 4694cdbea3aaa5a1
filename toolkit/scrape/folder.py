"""Pictures that are on this machine already, or in a bucket: class folders, or a zip or tar of them.

    PICTURES/cars/1.jpg            PICTURES/train/cars/1.jpg
    PICTURES/tanks/2.jpg           PICTURES/test/tanks/2.jpg

The last folder above a picture is its class. A folder called train, val or test is a split, unless folders of other
names lie on its level: beside car and plane it is a class. A picture must be read before the next one is asked for.
"""

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from toolkit import images
from toolkit.core.paths import check_label
from toolkit.errors import SourceError, is_of_the_machine
from toolkit.images import files
from toolkit.images.files import Passed
from toolkit.scrape import places
from toolkit.scrape.item import Item, Options
from toolkit.scrape.passed import in_numbers
from toolkit.scrape.places import BROKEN, File

SPLIT_NAMES = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLIT_NAMES |= dict.fromkeys(("val", "valid", "validation", "dev"), "val")
NAMED = 5  # folders in a warning, at most
LOOSE = "in no class folder"

Place = tuple[str, str]  # split and label of a picture


def items(argument: str, label: str, options: Options) -> Iterator[Item | Passed]:
    """The pictures of a folder or archive, and what of it is passed over.

    Args:
        argument: path or URL of a folder, .zip, .tar, .tar.gz, .tgz, .tar.bz2 or .tar.xz.
        label: class of all pictures in it; "" takes the names of the class folders.
        options: `limit` counts per class; `max_bytes` bounds a file.

    Raises:
        SourceError: nothing there, no pictures, or labels that cannot be told.
    """
    place = places.path(argument)
    with places.listed(place) as (found, passed):
        yield from passed
        tell_of_folders(found, passed)
        if not found:
            raise SourceError(nothing_in(place, passed))
        yield from limited(labelled(found, label, place), place, options)


def labelled(found: list[File], label: str, place: Path) -> Iterator[tuple[File, Place] | Passed]:
    """Each picture with its split and label, as its folders tell them; loose ones beside class folders are passed over.

    Args:
        found: all pictures of a place.
        label: of all of them; "" takes the names of the class folders.
        place: named in messages.

    Raises:
        SourceError: there are no class folders, or they lie on different levels.
    """
    if label:
        yield from ((file, (split_of(file), label)) for file in found)
        return
    is_split = _split_levels(found)
    classes = [tuple(name for depth, name in enumerate(file.parts[:-1]) if not is_split(depth)) for file in found]
    _check_levels(found, classes, place)
    _tell_of_names(set(classes))
    for file, names in zip(found, classes, strict=True):
        if not names:
            yield Passed(LOOSE, "/".join(file.parts))
            continue
        split = next((name for depth, name in enumerate(file.parts[:-1]) if is_split(depth)), "")
        yield file, (SPLIT_NAMES.get(split.lower(), ""), check_label(names[-1]))


def split_of(file: File) -> str:
    """The split that a picture lies in by the names of its folders, whatever lies beside them; "" if in none."""
    return next((SPLIT_NAMES[name.lower()] for name in file.parts[:-1] if name.lower() in SPLIT_NAMES), "")


def bounded(file: File, max_bytes: int) -> bytes:
    """The bytes of a file.

    Raises:
        SourceError: it cannot be read, or has more than `max_bytes`, whatever size it claims.
    """
    if file.size > max_bytes:
        raise SourceError(f"more than the limit of {max_bytes:,} bytes")
    try:
        with file.open() as stream:
            content = stream.read(max_bytes + 1)  # a declared size may lie
    except BROKEN as error:
        if is_of_the_machine(error):
            raise
        raise SourceError(f"cannot be read: {error}") from error
    if len(content) > max_bytes:
        raise SourceError(f"more than the limit of {max_bytes:,} bytes")
    return content


def item(file: File, split_and_label: Place, place: Path, options: Options) -> Item:
    """The item of a picture."""
    split, label = split_and_label
    name = "/".join((place.name, *file.parts)).encode(errors="backslashreplace").decode()  # bytes that are no text
    read = partial(bounded, file, options.file_bytes)
    return Item(label, "folder", f"{name}@{file.version}", split=split, read=read)


def name_within(item: Item) -> str:
    """Path of a picture that `items` gave, below its folder or archive."""
    return item.source_id.rpartition("@")[0].partition("/")[2]


def nothing_in(place: Path, passed: Iterable[Passed]) -> str:
    """What is said of a place without pictures: why what is there was passed over."""
    reasons = in_numbers(Counter(one.reason for one in passed))
    return f"expected pictures ({', '.join(images.ENDINGS[:4])}, …) in {place}, found none" + (
        f"; passed over: {reasons}" if reasons else ""
    )


def tell_of_folders(found: Iterable[File], passed: Iterable[Passed]) -> None:
    """Warn of folders, each perhaps meant as a class or a split, of which nothing came in, and say why."""
    filled = {file.parts[:depth] for file in found for depth in range(len(file.parts))}
    lost: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for reason, name, _ in passed:
        parts = tuple(name.split("/"))
        above = range(1, len(parts) + (reason == files.EMPTY))
        top = next((parts[:depth] for depth in above if parts[:depth] not in filled), None)
        if top:
            lost[top][reason] += 1
    named = [f"{'/'.join(folder)} ({in_numbers(reasons)})" for folder, reasons in lost.items()]
    if filled and named:
        more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
        warnings.warn(f"no pictures in {', '.join(named[:NAMED])}{more}", stacklevel=2)


def limited(found: Iterable[tuple[File, Place] | Passed], place: Path, options: Options) -> Iterator[Item | Passed]:
    """Their items, at most `options.limit` of each label."""
    taken: Counter[str] = Counter()
    for one in found:
        if isinstance(one, Passed):
            yield one
            continue
        file, (split, label) = one
        taken[label] += 1
        if options.limit is None or taken[label] <= options.limit:
            yield item(file, (split, label), place, options)


def _split_levels(found: Iterable[File]) -> Callable[[int], bool]:
    """Whether the folders of a level are splits: all of them are called so."""
    names: dict[int, set[str]] = defaultdict(set)
    for file in found:
        for depth, name in enumerate(file.parts[:-1]):
            names[depth].add(name.lower())
    splits = {depth for depth, here in names.items() if here <= SPLIT_NAMES.keys()}
    mixed = [here for depth, here in names.items() if depth not in splits and here & SPLIT_NAMES.keys()]
    taken = sorted({name for here in mixed for name in here & SPLIT_NAMES.keys()})
    if taken:
        beside = min(mixed[0] - SPLIT_NAMES.keys())
        warnings.warn(
            f"took {', '.join(taken)} for a class and not for a split, since {beside} lies on its level", stacklevel=3
        )
    return splits.__contains__


def _check_levels(found: list[File], classes: list[tuple[str, ...]], place: Path) -> None:
    """Refuse classes on different levels: `cars/red/1.jpg` beside `tanks/2.jpg` says two things."""
    levels: dict[int, str] = {}
    for file, names in zip(found, classes, strict=True):
        levels.setdefault(len(names), "/".join(file.parts))
    if len(levels.keys() - {0}) > 1:
        examples = " and ".join(example for level, example in levels.items() if level)
        raise SourceError(f"expected class folders on one level in {place}, got {examples}; move one of them")
    if levels.keys() == {0}:
        example = levels[0]
        aside = " (train, val and test are splits)" if "/" in example else ""
        raise SourceError(
            f"expected pictures in class folders such as {place.name}/cars/1.jpg, got {example}{aside}; move it into "
            f"one, or give all of them one label with folder:{place.name}=LABEL"
        )


def _tell_of_names(classes: set[tuple[str, ...]]) -> None:
    """Warn of folders of one name in different places, which become one class: cars/good and tanks/good."""
    same: dict[str, list[str]] = defaultdict(list)
    for names in sorted(classes):
        if names:
            same[names[-1]].append("/".join(names))
    for name, folders in same.items():
        if len(folders) > 1:
            warnings.warn(f"took {' and '.join(folders[:3])} for one class, {name!r}", stacklevel=3)
