"""A page that classifies pictures and what a phone's camera sees, in the browser: a folder for any static host.

The page, the network as ONNX with weights of 16 bits, and ONNX Runtime's single-threaded WebAssembly build, which needs
no special headers.
All paths are relative, no other host is asked for anything, and once loaded it works without a network.
"""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from toolkit.export import onnx, package
from toolkit.model import bundle, runtime
from toolkit.model.classifier import Classifier

if TYPE_CHECKING:
    import keras

MODEL, PAGE, WORKER, MANIFEST = "model.onnx", "index.html", "sw.js", "app.webmanifest"
ICONS = (192, 512)  # pixels
BLUE, WHITE = "#2f6db3", "#ffffff"
NAMES_IN_TITLE = 4  # more classes than this are named by their dataset


def prepare() -> None:
    """Fetch the runtime that the page needs beside the network.

    Raises:
        BundleError: the runtime cannot be had.
    """
    package.fetch()


def write(model: "keras.Model", path: Path, *, facts: Mapping, **_: object) -> None:
    """Write the folder.

    Args:
        model: RGB from 0 to 255 in, probabilities out.
        path: of the new folder.
        facts: metadata of the network, see `runtime`; the page reads it from there.
    """
    path.mkdir(parents=True)
    onnx.write(model, path / MODEL, facts=facts, half=True)
    package.unpack(path)
    for source in resources.files("toolkit.export").joinpath("page").iterdir():
        (path / source.name).write_bytes(source.read_bytes())
    size = sum((path / name).stat().st_size for name in (MODEL, *package.FILES.values()) if name != "runtime.js")
    _fill(path / PAGE, title=title(facts), bytes=str(size))
    for side in ICONS:
        icon(side).save(path / f"icon-{side}.png")
    (path / MANIFEST).write_text(json.dumps(_manifest(facts), indent=2) + "\n")
    _list_files(path)


def load(path: Path) -> Classifier:
    """The network in the folder."""
    return runtime.load(path / MODEL)


def title(facts: Mapping) -> str:
    """Title of the page: its classes if they are few, or its dataset.

    >>> title({"classes": ["cars", "tanks"]})
    'cars or tanks?'
    """
    *others, last = facts["classes"]
    if others and len(others) < NAMES_IN_TITLE:
        return f"{', '.join(others)} or {last}?"
    dataset, _, run = facts["run"].partition("/")
    return run if dataset == "models" else dataset  # runs of a dataset that lies elsewhere lie in its folder `models`


def icon(side: int) -> Image.Image:
    """Two bars of an answer in white on blue: wide enough a margin for phones that cut icons round."""
    fine = 4 * side  # drawn larger and scaled down, for smooth edges
    picture = Image.new("RGB", (fine, fine), BLUE)
    pen = ImageDraw.Draw(picture)
    for top, length, colour in ((0.30, 0.48, WHITE), (0.45, 0.30, "#a9c8ea"), (0.60, 0.16, "#7faadb")):
        box = [round(share * fine) for share in (0.26, top, 0.26 + length, top + 0.10)]
        pen.rounded_rectangle(box, radius=0.05 * fine, fill=colour)
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def _manifest(facts: Mapping) -> dict:
    """The web app manifest, with which the page can be installed on a phone."""
    icons = [{"src": f"icon-{side}.png", "sizes": f"{side}x{side}", "type": "image/png"} for side in ICONS]
    return {
        "name": title(facts),
        "short_name": title(facts).removesuffix("?")[:24],
        "description": "Says what is on a picture, on this device.",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#f6f8fa",
        "theme_color": BLUE,
        "icons": [icon | {"purpose": purpose} for icon in icons for purpose in ("any", "maskable")],
    }


def _fill(file: Path, **values: str) -> None:
    import html

    page = Template(file.read_text()).substitute({name: html.escape(value) for name, value in values.items()})
    file.write_text(page)


def _list_files(path: Path) -> None:
    """Write the list of files for the service worker to cache, with a version that changes with every byte of them."""
    names = sorted(file.name for file in path.iterdir() if file.name != WORKER)
    version = bundle.fingerprint(*(path / name for name in names))[:16]
    names.remove(PAGE)  # which is "./": hosts may lead from one name to the other, and a kept detour cannot be opened
    kept = json.dumps({"version": version, "files": ["./", *names]})
    script = (path / WORKER).read_text().replace('{ version: "", files: [] }', kept)
    (path / WORKER).write_text(script)
