"""The verb that needs no dataset: which pictures are copies."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from toolkit.cli import common, options
from toolkit.cli.verb import Verb

if TYPE_CHECKING:
    from toolkit.duplicates.copies import Picture


def _copies_options(parser: ArgumentParser) -> None:
    parser.add_argument("places", nargs="+", metavar="PATH", help="a folder, with all below it, or a picture")
    distance = "largest distance of two hashes in bits, 0 to 64 (default: 18, fewer from 12,959 pictures on)"
    options.add(parser, "--max-distance", distance, type=int)
    options.add(parser, "--max-difference", "largest difference of two signatures, 0 to 4 (default: 0.04)", type=float)
    options.add(parser, "--transformed", "also find mirrored and turned pictures", action="store_true")
    options.add(parser, "--max-share", "of all pictures, that looks may call copies (default: 0.2)", type=float)
    options.add(parser, "--jobs", "processes (default: one per core)", type=int)
    options.file(parser, "--csv", "write the groups there, a row per picture")


def _copies(arguments: Namespace) -> dict:
    from dataclasses import asdict

    from toolkit.core import paths
    from toolkit.duplicates import copies

    log = common.log(arguments)
    limits = common.provided(arguments, "max_distance", "max_difference", "transformed", "max_share", "jobs")
    found = copies.among(arguments.places, **limits)
    for best, *others in found.groups:
        log("\n".join([f"{1 + len(others)} pictures", _line(best, "best"), *map(_line, others)]))
    for path, reason in found.unreadable:
        log(f"cannot be read: {_printable(path)}: {reason}")
    for reason, count in sorted(found.passed_over.items(), key=lambda pair: -pair[1]):
        log(f"passed over: {count:,} × {reason}")
    log(
        f"pictures: {found.pictures:,}; groups of copies: {len(found.groups):,}; copies to spare: "
        f"{len(found.redundant):,} ({sum(copy.bytes for copy in found.redundant) / 1e6:,.1f} MB); "
        f"unreadable files: {len(found.unreadable):,}"
    )
    if arguments.csv:
        paths.write(arguments.csv, _table(found.groups).encode(errors="surrogateescape"))  # names as they are
    groups = [[asdict(picture) for picture in group] for group in found.groups]
    unreadable = [{"path": path, "reason": reason} for path, reason in found.unreadable]
    counts = {"pictures": found.pictures, "passed_over": found.passed_over}
    return counts | {"groups": groups, "unreadable": unreadable, "warning": found.warning}


def _line(picture: "Picture", what: str = "") -> str:
    if not picture.copy_of:
        what = what or "alike, no copy for certain"
    else:
        what = "identical" if picture.identical else f"{picture.distance} bits, agreement {picture.agreement:.3f}"
        what += f", {picture.change}" if picture.change else ""
    return f"  {picture.width}×{picture.height}  {picture.bytes:,} bytes  {_printable(picture.path)}  {what}"


def _printable(path: str) -> str:
    """A name as it is, or in quotes if a character of it cannot be printed."""
    return path if path.isprintable() else repr(path)


def _table(groups: list[list["Picture"]]) -> str:
    """The groups as CSV, without pandas: it takes long to load, and refuses names that are no text."""
    import csv
    import io
    from dataclasses import asdict, fields

    from toolkit.duplicates.copies import Picture

    stream = io.StringIO()
    rows = csv.DictWriter(stream, ["group", *(field.name for field in fields(Picture))], lineterminator="\n")
    rows.writeheader()
    for number, group in enumerate(groups, start=1):
        rows.writerows({"group": number, **asdict(picture)} for picture in group)
    return stream.getvalue()


COPIES = Verb(
    "copies",
    "find copies in any folder, without a dataset; changes nothing",
    _copies_options,
    _copies,
    (
        "toolkit copies holiday/",
        "toolkit copies holiday/ phone/ --transformed --csv copies.csv",
    ),
)
