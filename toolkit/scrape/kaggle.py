"""Image datasets from Kaggle, through Kaggle's own client, kagglehub.

    kaggle:gatewayadam/cars-and-tanks-image-classification
    kaggle:gatewayadam/cars-and-tanks-image-classification/versions/1

The version is looked up once and kept in the dataset's folder, so that later runs take the same one, without a network
if kagglehub still has it. To move to another, name it. kagglehub waits for ever for a server that does not answer, so
it works in a process of its own, which is ended after a while.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

from toolkit.core import extras, paths
from toolkit.errors import SourceError
from toolkit.images.files import Passed
from toolkit.scrape import folder, licenses
from toolkit.scrape.api import Busy, patiently
from toolkit.scrape.fetch import RETRIED, retry_after
from toolkit.scrape.item import Item, Metadata, Options

PINS = "kaggle.json"  # in the folder of a dataset: the version of each Kaggle set, and what is said of it
PATIENCE = {"look": 120.0, "fetch": 3600.0}  # seconds that looking a set up, and fetching it, may take
REFUSALS = {
    401: "wants credentials; set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY (kaggle.com/settings makes them)",
    403: "is private or asks for consent; open its page, agree, and set KAGGLE_API_TOKEN (kaggle.com/settings)",
    404: "does not exist, or not in that version; check its name",
}


def items(
    argument: str,
    label: str,
    options: Options,
    *,
    sleep: Callable[[float], None] = time.sleep,
    into: Path | None = None,
) -> Iterator[Item | Passed]:
    """The pictures of a Kaggle dataset, labelled by their class folders.

    Args:
        argument: OWNER/NAME, or OWNER/NAME/versions/N.
        label: class of all pictures; "" takes the names of the class folders.
        options: as for `folder.items`; `tries` and `max_wait` for a busy server.
        sleep: waits between attempts, given a number of seconds.
        into: folder of the dataset that remembers the version; None remembers none.

    Raises:
        SourceError: kagglehub is not installed, Kaggle refuses or does not answer, or there are no class folders.

    >>> next(items("gatewayadam/cars-and-tanks-image-classification", "", Options())).label  # doctest: +SKIP
    'cars'
    """
    parts = re.fullmatch(r"([\w-]+/[\w-]+)(?:/versions/(\d+))?", argument.strip("/"))
    if not parts:
        raise SourceError(f"expected kaggle:OWNER/NAME or kaggle:OWNER/NAME/versions/N, got kaggle:{argument}")
    if importlib.util.find_spec("kagglehub") is None:
        raise SourceError(f"expected kagglehub for kaggle:, found none; {extras.remedy('kagglehub')}")
    handle, version = parts[1], int(parts[2] or 0)
    pin = _pins(into).get(handle, {})
    if not pin or version not in (0, pin["version"]):
        pin = _asked("look", handle, options, sleep)
        pin["version"] = version or pin["version"]
    pinned = f"{handle}/versions/{pin['version']}"
    place = _asked("fetch", pinned, options, sleep)["folder"]
    if into:
        paths.write(into / PINS, json.dumps(_pins(into) | {handle: pin}, indent=2, sort_keys=True) + "\n")
    metadata = _metadata(handle, pin)
    for item in folder.items(place, label, options):
        if isinstance(item, Passed):
            yield item
            continue
        yield replace(item, source="kaggle", source_id=f"{pinned}/{folder.name_within(item)}", **metadata)


def _pins(into: Path | None) -> dict[str, dict]:
    """The pinned version and the metadata of each Kaggle set, from the dataset's folder."""
    if not into:
        return {}
    try:
        pins = json.loads((into / PINS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise SourceError(f"expected JSON in {into / PINS}, got: {error}; remove the file") from error
    if not isinstance(pins, dict) or not all(map(_is_pin, pins.values())):
        raise SourceError(f"expected a version of each set in {into / PINS}, got something else; remove the file")
    return pins


def _is_pin(pin: object) -> bool:
    """A version and what is said of the set; it goes into the name that kagglehub is asked for."""
    if not isinstance(pin, dict) or type(pin.get("version")) is not int:
        return False
    return all(isinstance(pin.get(name) or "", str) for name in ("title", "license", "creator"))


def _metadata(handle: str, pin: dict) -> Metadata:
    """The metadata of every picture of the set."""
    title, license = pin.get("title") or "", pin.get("license") or ""
    metadata = Metadata(page_url=f"https://www.kaggle.com/datasets/{handle}", title=title, license=license)
    if license and licenses.code(license) not in licenses.NAMELESS:
        creator = pin.get("creator") or handle.partition("/")[0]
        metadata["creator"] = creator
        metadata["attribution"] = licenses.line(title, creator, license, "Kaggle")
    return metadata


def _asked(task: str, handle: str, options: Options, sleep: Callable[[float], None]) -> dict:
    """What kagglehub answers in a process of its own."""
    answer = patiently(lambda: _once(task, handle), "Kaggle", options, sleep=sleep)
    status = answer.get("status")
    if status in REFUSALS:
        raise SourceError(f"kaggle:{handle} {REFUSALS[status]} (HTTP {status})")
    if "problem" in answer:
        raise SourceError(f"expected kaggle:{handle}, got: {answer['problem']}; try again later")
    return answer


def _once(task: str, handle: str) -> dict:
    watched = sys.stderr.isatty() and os.environ.get("TOOLKIT_PROGRESS") != "0"
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, task, handle],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "KAGGLEHUB_VERBOSITY": "error"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if watched else subprocess.DEVNULL,
            timeout=PATIENCE[task],
            check=False,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"problem": f"no end after {PATIENCE[task]:g} seconds, so it was stopped"}
    except ValueError:
        return {"problem": f"kagglehub ended with code {done.returncode}"}
    if answer.get("status") in RETRIED or answer.get("offline"):
        raise Busy(answer["problem"], wait=retry_after(answer.get("retry_after")))
    return answer


# What follows runs in the other process.


def _look(handle: str) -> dict:
    """The current version of a set and what is said of it; without a network, the newest version that is here."""
    import requests
    from kagglehub.clients import build_kaggle_client
    from kagglehub.config import get_cache_folder
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest

    question = ApiGetDatasetRequest()
    question.owner_slug, question.dataset_slug = handle.split("/")
    try:
        with build_kaggle_client() as client:
            dataset = client.datasets.dataset_api_client.get_dataset(question)
    except requests.exceptions.ConnectionError:
        marks = Path(get_cache_folder(), "datasets", handle).glob("*.complete")
        versions = [int(mark.stem) for mark in marks if mark.stem.isdecimal()]
        if not versions:
            raise
        return {"version": max(versions)}
    license = "" if dataset.license_name.lower().startswith(("unknown", "other")) else dataset.license_name
    return {
        "version": dataset.current_version_number,
        "license": license,
        "title": dataset.title,
        "creator": dataset.owner_name,
    }


def _fetch(handle: str) -> dict:
    import kagglehub

    return {"folder": kagglehub.dataset_download(handle)}


def _answer(task: str, handle: str) -> dict:
    """The answer to a task, or what went wrong in words."""
    try:
        with redirect_stdout(sys.stderr):  # where kagglehub may print, and only the answer belongs
            return {"look": _look, "fetch": _fetch}[task](handle)
    except Exception as error:
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        reason = f"HTTP {status}" if status else " ".join(f"{type(error).__name__}: {error}".split())[:200]
        offline = any(kind.__name__ in ("ConnectionError", "Timeout") for kind in type(error).__mro__) and not status
        wait = response.headers.get("Retry-After") if response is not None else None
        return {"problem": reason, "status": status, "offline": offline, "retry_after": wait}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_answer(*sys.argv[1:])))
