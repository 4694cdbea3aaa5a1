"""The verb that needs no dataset: which pictures are copies."""

import csv
import io
from argparse import ArgumentParser, Namespace
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import common, options

if TYPE_CHECKING:
    from toolkit.duplicates.copies import Picture


def copies_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    parser.add_argument("places", nargs="+", metavar="PATH", help="a folder, with all below it, or a picture")
    options.add(
        parser, "--max-distance", "bits of the hash that may differ, 0 to 64 (default: 18, fewer among many)", type=int
    )
    options.add(parser, "--max-difference", "that the second look accepts, 0 to 4 (default: 0.04)", type=float)
    options.add(parser, "--transformed", "also find mirrored and turned pictures", action="store_true")
    options.add(parser, "--jobs", "processes (default: one per core)", type=int)
    parser.add_argument("--csv", metavar="FILE", help="write the groups there, a row per picture")


def copies(arguments: Namespace) -> dict:
    """Print groups of copies, the best picture of each first; nothing is changed."""
    from toolkit.core import paths
    from toolkit.duplicates import copies

    say = common.say(arguments)
    chosen = common.given(arguments, "max_distance", "max_difference", "transformed", "jobs")
    found = copies.among(arguments.places, **chosen)
    for group in found.groups:
        say("\n".join([f"{len(group)} pictures", _line(group[0], "best"), *map(_line, group[1:])]))
    for path, reason in found.unreadable:
        say(f"cannot be read: {_shown(path)}: {reason}")
    spare = found.redundant
    say(
        f"pictures: {found.pictures:,}; groups of copies: {len(found.groups):,}; copies to spare: {len(spare):,} "
        f"({sum(copy.bytes for copy in spare) / 1e6:,.1f} MB); unreadable files: {len(found.unreadable):,}"
    )
    if arguments.csv:
        paths.write(Path(arguments.csv), _table(found.groups).encode(errors="surrogateescape"))  # names as they are
    groups = [[asdict(picture) for picture in group] for group in found.groups]
    wrong = [{"path": path, "reason": reason} for path, reason in found.unreadable]
    return {"pictures": found.pictures, "groups": groups, "unreadable": wrong}


def _line(picture: "Picture", what: str = "") -> str:
    if not picture.copy_of:
        what = what or "like a copy, not like the best"
    else:
        what = "identical" if picture.identical else f"{picture.distance} bits, agreement {picture.agreement:.3f}"
        what += f", {picture.change}" if picture.change else ""
    return f"  {picture.width}×{picture.height}  {picture.bytes:,} bytes  {_shown(picture.path)}  {what}"


def _shown(path: str) -> str:
    """A name as it is, or in quotes if something in it cannot be shown."""
    return path if path.isprintable() else repr(path)


def _table(groups: list[list["Picture"]]) -> str:
    from toolkit.duplicates.copies import Picture

    stream = io.StringIO()
    rows = csv.DictWriter(stream, ["group", *(field.name for field in fields(Picture))], lineterminator="\n")
    rows.writeheader()
    rows.writerows({"group": n, **asdict(one)} for n, group in enumerate(groups, start=1) for one in group)
    return stream.getvalue()
