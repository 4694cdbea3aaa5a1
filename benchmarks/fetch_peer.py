"""A list of addresses brought in by the toolkit and by img2dataset, from a server on this machine.

python -m venv ENVIRONMENT && ENVIRONMENT/bin/pip install img2dataset "setuptools<81"
python benchmarks/fetch_peer.py --peer ENVIRONMENT/bin/img2dataset

The server, a process of its own, has four names and answers at once with small JPEGs. Both tools keep the files as they
came. img2dataset is asked as its documentation says, with as many processes as there are cores.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import scrape as server
import table

HOSTS = server.HOSTS


def main() -> None:
    """Fetch with either tool, each into an empty folder."""
    parser = table.arguments(__doc__)
    parser.add_argument("--peer", help="the program img2dataset, in an environment of its own")
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)  # the server's process
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.pictures)
        return
    with tempfile.TemporaryDirectory() as home:
        words = [sys.executable, __file__, "--serve", "--pictures", str(asked.pictures)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as serving:
            port = serving.stdout.readline().strip() if serving.stdout else ""
            listed = written(Path(home) / "list.csv", asked.pictures, port)
            rows = [fetched("toolkit", toolkit(listed), Path(home))]
            rows += [fetched("img2dataset", peer(asked.peer, listed), Path(home))] if asked.peer else []
            serving.kill()
    table.show(rows, json_file=asked.json)


def serve(pictures: int) -> None:
    """Answer until killed, with pictures that are made before."""
    bodies = [server.picture(number) for number in range(pictures)]
    server.picture = bodies.__getitem__
    running = server.Server(0.0, 0)
    print(running.address, flush=True)
    running.serve_forever()


def written(file: Path, pictures: int, port: str) -> Path:
    """A list of addresses of two classes."""
    with file.open("w", newline="") as opened:
        lines = csv.writer(opened)
        lines.writerow(["url", "label"])
        for number in range(pictures):
            lines.writerow([f"http://{HOSTS[number % 4]}{port}/{number}.jpg", ("cars", "tanks")[number % 2]])
    return file


def toolkit(listed: Path) -> list[str]:
    """The command line of the toolkit."""
    return [sys.executable, "-m", "toolkit", "scrape", f"urls:{listed}", "--into", "fetched", "--allow", "127.0.0.0/8"]


def peer(program: str, listed: Path) -> list[str]:
    """The command line of img2dataset, without the work that the toolkit does in other stages."""
    words = {"url_list": listed, "input_format": "csv", "url_col": "url", "caption_col": "label"}
    words |= {"output_folder": listed.with_name("peer"), "output_format": "files", "resize_mode": "no"}
    words |= {"disable_all_reencoding": True, "processes_count": os.cpu_count(), "thread_count": 64}
    return [program, *(f"--{name}={value}" for name, value in words.items())]


def fetched(name: str, command: list[str], home: Path) -> dict:
    """Run a tool, and count the pictures that it left."""
    known = {**os.environ, "TOOLKIT_HOME": str(home), "TOOLKIT_PROGRESS": "0", "NO_ALBUMENTATIONS_UPDATE": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=known, cwd=home, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)  # of it and of all that it waited for
    seconds, cores = time.perf_counter() - started, used.ru_utime + used.ru_stime
    if status:
        raise SystemExit(f"expected {name} to end well, got status {status}")
    folder = home / ("data/fetched/raw" if name == "toolkit" else "peer")
    count = len(list(folder.rglob("*.jpg")))
    row = {"tool": name, "pictures": count, "seconds": round(seconds, 1), "pictures a second": round(count / seconds)}
    return row | {"core-seconds": round(cores, 1), "MB in the largest process": round(used.ru_maxrss / 1e3)}


if __name__ == "__main__":
    main()
