"""Links in a folder of pictures: whoever packed it may have put one there that leads to anything on this machine."""

import os
from pathlib import Path

from toolkit.errors import SourceError
from toolkit.scrape.item import Options


def check(place: Path, options: Options) -> None:
    """Refuse a folder in which a link leads out of it, unless the options say that links are to be followed.

    Args:
        place: a folder, or an archive, whose members are read as files and never as links.
        options: `follow_links` takes whatever they lead to.

    Raises:
        SourceError: names the link.
    """
    if options.follow_links or not place.is_dir():
        return
    root = place.resolve()
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".")]
        for path in (Path(folder, name) for name in (*below, *names)):
            if path.is_symlink() and path.exists() and not path.resolve().is_relative_to(root):
                raise SourceError(
                    f"expected pictures of {place.name} in its own folder, got {path.relative_to(root)}, a link to "
                    f"{path.resolve()}; put a copy there, or allow it with --follow-links if you trust who made it"
                )
