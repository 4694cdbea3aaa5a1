"""How fast pictures are fetched, how few connections that takes, how fast a run is resumed, and in how much memory.

python benchmarks/scrape.py

A server on this machine, with four names, answers every request after 150 ms. The other side is the loop that the first
project of this kind used: `requests.get`, one picture after the other.
"""

import argparse
import io
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import numpy as np
import requests
import table
from PIL import Image

from toolkit import manifest, scrape
from toolkit.scrape import Item, Options

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
ALLOW = ("127.0.0.0/8",)
LATENCY = 0.15  # seconds
SIDE = 192  # pixels


class Server(ThreadingHTTPServer):
    """Answers /NUMBER.jpg with a picture of that number, on all addresses of this machine, and counts."""

    daemon_threads, block_on_close, request_queue_size = True, False, 256

    def __init__(self, latency: float, padding: int):
        super().__init__(("0.0.0.0", 0), Handler)
        self.latency, self.padding, self.lock = latency, padding, threading.Lock()
        self.now, self.most, self.asked = Counter(), Counter(), Counter()
        self.address = f":{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that was killed is nothing to report."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version, wbufsize, disable_nagle_algorithm = "HTTP/1.1", 1 << 16, True

    def do_GET(self) -> None:
        """Count who is here, wait, and answer."""
        server, host = self.server, self.headers["Host"].partition(":")[0]
        with server.lock:
            server.asked[self.path] += 1
            server.now[host] += 1
            server.most[host] = max(server.most[host], server.now[host])
        time.sleep(server.latency)
        body = picture(int(self.path.strip("/").partition(".")[0])) + bytes(server.padding)
        with server.lock:
            server.now[host] -= 1
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def picture(number: int) -> bytes:
    """A JPEG that is like no other."""
    colours = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colours).resize((SIDE, SIDE)).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def items(port: str, count: int) -> list[Item]:
    """So many pictures of two classes, spread over the four hosts."""
    return [
        Item(("cars", "tanks")[number % 2], "urls", str(number), url=f"http://{HOSTS[number % 4]}{port}/{number}.jpg")
        for number in range(count)
    ]


def collect(root: Path, port: str, count: int) -> manifest.Manifest:
    """Bring them into a dataset with the toolkit's own machinery."""
    scrape.sources = lambda **_: {"urls": lambda *_: iter(items(port, count))}
    return scrape.collect("urls:benchmark", into=root, options=Options(allow=ALLOW))


def one_at_a_time(root: Path, port: str, count: int) -> None:
    """The loop of the first project."""
    for item in items(port, count):
        (root / f"{item.source_id}.jpg").write_bytes(requests.get(item.url, timeout=15).content)


def seconds(work, *arguments: object) -> float:
    """Wall-clock time of a call."""
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def served(latency: float, *, padding: int = 0) -> Server:
    """A server that runs in a thread of this process; its pictures are so many bytes longer."""
    server = Server(latency, padding)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def speed(root: Path, count: int) -> list[dict]:
    """Both ways for the same pictures, one after the other."""
    server = served(LATENCY)
    (root / "plain").mkdir()
    slow = seconds(one_at_a_time, root / "plain", server.address, count)
    server.most.clear()
    fast = seconds(collect, root / "fast", server.address, count)
    server.shutdown()
    most = max(server.most.values())
    return [
        row("one at a time", f"{count} pictures", slow, "s"),
        row("toolkit", f"{count} pictures", fast, "s"),
        row("toolkit", "times faster", slow / fast, "", "at least 12", slow / fast >= 12),
        row("toolkit", "connections to one host at a time", most, "", "at most 4", most <= 4),
    ]


def resume(root: Path, count: int) -> list[dict]:
    """A run that finds everything in its ledger."""
    server = served(0.0)
    collect(root, server.address, count)
    asked = server.asked.total()
    took = seconds(collect, root, server.address, count)
    server.shutdown()
    again = server.asked.total() - asked
    return [
        row("resume", f"{count} ledger entries", took, "s", "under 2", took < 2),
        row("resume", "requests", again, "", "0", again == 0),
    ]


def memory(root: Path, count: int) -> list[dict]:
    """Peak memory of another process that fetches pictures."""
    server = served(0.0, padding=100_000)  # half a gigabyte in all, which would show if it were held
    words = [__file__, "--fetch", str(root), server.address, str(count)]
    done = subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True)
    server.shutdown()
    peak = int(done.stdout.split()[-1]) / 1024
    return [row("memory", f"peak while fetching {count} pictures", peak, "MB", "under 300", peak < 300)]


def kills(root: Path, count: int, rounds: int) -> list[dict]:
    """Runs that are killed at random moments and started again, beside one that is left in peace."""
    server, rng = served(0.02), Random(7)
    whole = collect(root / "whole", server.address, count)
    server.asked.clear()
    killed, ledger = 0, root / "killed" / "ledger.jsonl"
    words = [sys.executable, __file__, "--fetch", str(root / "killed"), server.address, str(count)]
    for _ in range(rounds):
        kept = lines(ledger)
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and lines(ledger) == kept:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 2 * count * 0.02 / 16 / rounds))
            process.send_signal(signal.SIGKILL)
        killed += process.returncode == -signal.SIGKILL
    had = {line.split('"source_id": "')[1].partition('"')[0] for line in lines(ledger)}
    before = Counter(server.asked)
    resumed = collect(root / "killed", server.address, count)
    again = sum(server.asked[f"/{name}.jpg"] - before[f"/{name}.jpg"] for name in had)
    server.shutdown()
    same = (whole.root / manifest.FILE).read_bytes() == (resumed.root / manifest.FILE).read_bytes()
    whole_files = all(
        mine.read_bytes() == other.read_bytes() for mine, other in zip(resumed.files, whole.files, strict=True)
    )
    return [
        row("killed", "runs killed with SIGKILL", killed, "", f"{rounds}", killed >= rounds - 2),
        row("killed", "same manifest, same bytes", int(same and whole_files), "", "1", same and whole_files),
        row("killed", "fetched after their ledger line", again, "", "0", again == 0),
    ]


def lines(ledger: Path) -> list[str]:
    """The whole lines of a ledger."""
    return ledger.read_text().split("\n")[:-1] if ledger.exists() else []


def row(what: str, measured: str, value: float, unit: str, wanted: str = "", met: bool | None = None) -> dict:
    """A line of the table."""
    verdict = "" if met is None else "yes" if met else "NO"
    return {"what": what, "measured": measured, "value": value, "unit": unit, "wanted": wanted, "met": verdict}


def main() -> None:
    """Measure all of it and print a row for each figure."""
    parser = table.arguments(__doc__)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--fetch", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fetch:
        collect(Path(asked.fetch[0]), asked.fetch[1], int(asked.fetch[2]))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        rows = speed(root, asked.pictures) + resume(root / "resumed", 10_000) + memory(root / "memory", 5_000)
        rows += kills(root, asked.pictures, 20)
    table.show(rows, json_file=asked.json)


if __name__ == "__main__":
    main()
