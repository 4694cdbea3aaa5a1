"""How long people and programs wait where they should not have to, beside the most that is allowed.

python benchmarks/waits.py [--json FILE]

Ends with 1 if something took longer. Needs the files of tests/ beside it, whose slow and broken servers it asks.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import requests
import table

from toolkit import images, parallel, runtime, serve
from toolkit.errors import ImageError, SourceError, ToolkitError
from toolkit.scrape import Options, openverse

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import zoo  # noqa: E402
from helpers import artifacts, coloured, encoded  # noqa: E402
from services import DRIP, Services  # noqa: E402


def help_text() -> None:
    """The first answer of the command line."""
    subprocess.run([sys.executable, "-m", "toolkit", "--help"], capture_output=True, check=True)


def damaged_files() -> None:
    """Refusing or reading 2,000 damaged files."""
    for _, content in zoo.fuzzed(2000, seed=7):
        with suppress(ImageError):
            images.prepare(content, 24)


def dripping_service() -> None:
    """A service that sends a letter now and then, asked twice for at most 0.3 seconds."""
    with Services() as services, suppress(SourceError):
        services.always = DRIP
        how = Options(endpoints=services.endpoints, allow=("127.0.0.1/32",), deadline=0.3, tries=2)
        list(openverse.items("a b", "tanks", how, sleep=lambda _: None))


def missing_scheduler() -> None:
    """A cluster at whose address nobody answers, waited for half a second."""
    parallel.PATIENCE = 0.5
    with suppress(ToolkitError), parallel.cluster("tcp://127.0.0.1:9"):
        pass


def full_service() -> None:
    """Being turned away by a service whose queue is full: the slowest of twelve refusals."""
    with tempfile.TemporaryDirectory() as folder:
        model = runtime.load(artifacts(folder) / "small.tflite", threads=1)
        answers, refusals, picture = model._answers, [], encoded(coloured(0, 1))
        object.__setattr__(model, "_answers", lambda pictures: (time.sleep(1), answers(pictures))[1])  # it is frozen

        def ask() -> None:
            started = time.perf_counter()
            if requests.post(f"{service.url}/predict", data=picture, timeout=30).status_code == 503:
                refusals.append(time.perf_counter() - started)

        with serve.open(model, serve.Config(port=0, max_queue=4, max_pictures=4, max_batch=1)) as service:
            threads = [threading.Thread(target=ask) for _ in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    WAITED[full_service] = max(refusals)


WAITED: dict[Callable, float] = {}  # by those that measure a part of what they do
LIMITS = {help_text: 1.5, damaged_files: 60, dripping_service: 5, missing_scheduler: 8, full_service: 1}


def main() -> None:
    """Print a row for each."""
    asked = table.arguments(__doc__).parse_args()
    rows = []
    for wait, limit in LIMITS.items():
        started = time.perf_counter()
        wait()
        seconds = WAITED.get(wait, time.perf_counter() - started)
        rows.append({"wait": wait.__doc__.rstrip("."), "seconds": round(seconds, 2), "at most": limit})
    table.show(rows, json_file=asked.json)
    sys.exit(any(row["seconds"] > row["at most"] for row in rows))


if __name__ == "__main__":
    main()
