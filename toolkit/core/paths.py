"""Folders of datasets, runs and notebooks, and atomic writing: a file is whole, or it is not there."""

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.core import contained, remote
from toolkit.errors import DatasetError

RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}

FLUSHED_AT_ONCE = 16  # files


def home() -> Path:
    """The folder that holds `data/`, `models/` and `notebooks/`.

    The environment variable TOOLKIT_HOME if it is set, else the checkout this package runs from, else the working
    folder.
    """
    if os.environ.get("TOOLKIT_HOME"):
        return Path(os.environ["TOOLKIT_HOME"]).expanduser().resolve()
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "pyproject.toml").exists() else Path.cwd()


def cache() -> Path:
    """The cache folder of this system's user, for downloads that are kept."""
    configured = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    default = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    return Path(configured or default).expanduser() / "image-classifier-toolkit"


def notebooks() -> Path:
    """The folder of the numbered notebooks: that of the checkout, or their copy in the installed package."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "notebooks"
    return inside if inside.is_dir() else package.parent / "notebooks"


def dataset(name: str | Path) -> Path:
    """The folder of a dataset: `cars_tanks` and `data/cars_tanks` lie in `data/`, anything else is a path or a URL.

    >>> dataset("cars_tanks").parts[-2:]
    ('data', 'cars_tanks')
    """
    if not str(name):
        raise DatasetError("expected the name of a dataset or the path of its folder, got nothing")
    if remote.is_url(name):
        return remote.path(name)
    parts = Path(name).expanduser().parts
    if (len(parts) == 1 and parts[0] not in ("..", "/")) or (len(parts) == 2 and parts[0] == "data"):
        return home() / "data" / parts[-1]
    return Path(name).expanduser().resolve()


def run(name: str | Path) -> Path:
    """The folder of a trained run, `models/<dataset>/<run>`; `cars_tanks/vgg` may leave out `models/`.

    A path that is there is taken as it is, unless there is a run of that name and none at that path.

    Raises:
        DatasetError: a link in it leads out of it.
    """
    path = Path(name).expanduser()
    below = home() / "models"
    named = [below / path, below.joinpath(*path.parts[1:])] if path.parts[:1] == ("models",) else [below / path]
    if path.is_absolute() or is_run(path):
        return contained.folder(path.resolve())
    there = [folder for folder in named if is_run(folder)]
    chosen = there[0] if there else path.resolve() if path.exists() else named[-1]
    contained.folder(chosen.parent if chosen in named else chosen)
    return chosen


def is_run(path: Path) -> bool:
    """Whether a path is a file, such as an exported model, or the folder of a complete run."""
    return path.is_file() or (path / "bundle.json").is_file()


def run_name(folder: Path) -> str:
    """What `run` finds a run by: DATASET/RUN below `models/`, the path of one elsewhere.

    >>> run_name(home() / "models" / "cars_tanks" / "vgg")
    'cars_tanks/vgg'
    """
    below = (home() / "models").resolve()
    return folder.relative_to(below).as_posix() if folder.is_relative_to(below) else str(folder)


def dataset_name(folder: Path) -> str:
    """What `dataset` finds a dataset by: its name below `data/`, the path or URL of one elsewhere.

    >>> dataset_name(home() / "data" / "cars_tanks")
    'cars_tanks'
    """
    is_below = isinstance(folder, Path) and folder.resolve().parent == (home() / "data").resolve()
    return folder.name if is_below else str(folder)


def file(name: str | Path) -> Path:
    """A file as it was named, from the working folder; else the one of that name below the home, if it is there."""
    path = Path(name).expanduser()
    return path if path.is_absolute() or path.exists() or not (home() / path).exists() else home() / path


def models(dataset_root: Path) -> Path:
    """The folder of all runs trained on one dataset: in `models/`, or in the dataset if that is a folder elsewhere.

    Raises:
        DatasetError: a link in it leads out of it.
    """
    in_home = not isinstance(dataset_root, Path) or dataset_root.resolve().parent == (home() / "data").resolve()
    return contained.folder(home() / "models" / dataset_root.name if in_home else dataset_root / "models")


def dataset_of(run_folder: Path) -> Path:
    """The folder of the dataset that a run was trained on, as the place of the run says it."""
    is_below = run_folder.parent.parent == (home() / "models").resolve()
    in_dataset = run_folder.parent.name == "models" and not is_below  # a dataset may be called so
    return run_folder.parent.parent if in_dataset else home() / "data" / run_folder.parent.name


def local(folder: Path, *, to: str) -> Path:
    """Give back `folder` if it is on this machine, else raise.

    Raises:
        DatasetError: it is a URL, where one cannot do what `to` says.
    """
    if not isinstance(folder, Path):
        raise DatasetError(f"expected a folder on this machine to {to}, got {folder}; do it in one and copy that there")
    return folder


def check_label(label: str) -> str:
    """Give back `label`, in Unicode's normal form C, if it can name a folder on every system, else raise.

    Raises:
        DatasetError: it is empty, too long, hidden, reserved, or holds a separator or control character.
    """
    label = label if label.isascii() else unicodedata.normalize("NFC", label)  # one é, however it is written
    # the last are bytes that are no text
    forbidden = re.search(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]', label)
    reserved = label.partition(".")[0].lower() in RESERVED
    if not label or forbidden or label.startswith((".", " ")) or label.endswith((".", " ")) or reserved:
        raise DatasetError(f"expected a label that can name a folder, such as 'cars', got {label!r}; choose another")
    if len(label.encode()) > 100:
        raise DatasetError(f"expected a label of at most 100 bytes, got {len(label.encode())}; choose a shorter one")
    return label


@contextmanager
def atomic_write(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Atomic write: give a temporary path beside `path`; on leaving, flush it to disk and rename it to `path`.

    A reader sees the old file or the new one, never half of one, whenever the process is killed. To a URL the file is
    put in one piece instead.

    Args:
        path: the file.
        flush: False leaves flushing to `fsync_all`, many files at once; until then a loss of power may leave it empty.

    >>> with atomic_write(Path("table.csv")) as temporary:  # doctest: +SKIP
    ...     temporary.write_text("a,b")
    """
    if not isinstance(path, Path):
        with remote.atomic_write(path) as temporary:
            yield temporary
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:40]}.{os.getpid()}.{os.urandom(4).hex()}{path.suffix}")
    try:
        yield temporary
        if flush:
            _flush(temporary)
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk says none
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, content: str | bytes, *, flush: bool = True) -> Path:
    """Write text (as UTF-8) or bytes to `path`, whole or not at all; `flush` as in `atomic_write`."""
    with atomic_write(path, flush=flush) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fsync_all(files: Iterable[Path]) -> None:
    """Flush files that were written with `flush=False` to disk, several at the same time, which disks do faster."""
    from concurrent.futures import ThreadPoolExecutor  # here, so that a command that writes nothing starts at once

    with ThreadPoolExecutor(FLUSHED_AT_ONCE) as pool:
        list(pool.map(_flush, (path for path in files if isinstance(path, Path))))


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
