"""A service under load: how much it answers, beside Flask; what it does with too much; and what stopping it loses.

python benchmarks/load.py cars_tanks/mobilenet PICTURES/cars_tanks        after `toolkit export cars_tanks/mobilenet`

`--minutes 10` sends good and bad requests for so long instead, and watches memory and health; `--stops 20` ends it
so often amid them; `--reloads 20` opens the model again so often under 32 connections. What `--keep` costs is measured
by `keeping.py`.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import client
import misuse
import numpy as np
import table

HERE = Path(__file__).resolve().parent
CONNECTIONS = (1, 8, 64)
WARM = 3.0  # seconds that do not count
PICTURES = 50
LIMITS = ("--name", "model", "--receive-seconds", "2", "--max-megabytes", "4", "--max-pictures", "8")
STOP = 20  # seconds


@contextlib.contextmanager
def serving(model: str, *options: str) -> Iterator[tuple[int, subprocess.Popen]]:
    """`toolkit serve` as a process, and its port."""
    port = free_port()
    words = [sys.executable, "-m", "toolkit", "serve", model, "--port", str(port), *options]
    with process(words, port) as started:
        yield port, started


@contextlib.contextmanager
def flask(file: Path, size: int) -> Iterator[tuple[int, subprocess.Popen]]:
    """The plain way as a process, and its port."""
    port = free_port()
    with process([sys.executable, str(HERE / "flask_way.py"), str(file), str(size), str(port)], port) as started:
        yield port, started


@contextlib.contextmanager
def process(words: list[str], port: int) -> Iterator[subprocess.Popen]:
    """A server that listens, and is killed at the end."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and started.poll() is None:
                with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.1)
            else:
                raise SystemExit(f"expected an answer at port {port} from {' '.join(words)}")
            yield started
        finally:
            started.kill()


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


def throughput(name: str, port: int, requests: Sequence[bytes], seconds: float) -> list[dict]:
    """A row for each number of connections."""
    asyncio.run(client.load(port, requests, connections=2, until=client.for_seconds(WARM)))
    rows = []
    for connections in CONNECTIONS:
        found = asyncio.run(client.load(port, requests, connections=connections, until=client.for_seconds(seconds)))
        others = sum(one.status != 200 for one in found)
        rows.append({"server": name, "connections": connections, **client.figures(found), "not answered": others})
    return rows


def overload(model: str, requests: Sequence[bytes], seconds: float) -> dict:
    """Far more than it can do, and then a little again."""
    with serving(model, "--max-queue", "32") as (port, _):
        before = asyncio.run(client.load(port, requests, connections=1, until=client.for_seconds(WARM)))
        found = asyncio.run(client.load(port, requests, connections=256, until=client.for_seconds(seconds)))
        after = asyncio.run(client.load(port, requests, connections=1, until=client.for_seconds(WARM)))
    turned = [1000 * one.seconds for one in found if one.status == 503]
    others = sorted({one.status for one in [*before, *found, *after]} - {200, 503})
    return {
        "per second": client.figures(found)["per second"],
        "answered": sum(one.status == 200 for one in found),
        "503": len(turned),
        "p99 ms of 503": float(np.percentile(turned or [np.nan], 99)),
        "p50 ms before": client.figures(before)["p50 ms"],
        "p50 ms after": client.figures(after)["p50 ms"],
        "503 after": sum(one.status == 503 for one in after),
        "other statuses": ", ".join(map(str, others)) or "none",
    }


def stop(model: str, requests: Sequence[bytes], *, times: int = 5) -> dict:
    """SIGTERM in the middle of it: requests that were sent and never answered."""
    statuses: Counter = Counter()
    ends = []
    for _ in range(times):
        with serving(model) as (port, started):
            found, seconds = asyncio.run(_stopped(port, requests, started))
        statuses.update(one.status for one in found)
        ends.append(seconds)
    return {
        "times": times,
        "answered": statuses[200],
        "lost": statuses[client.LOST],
        "other statuses": sum(statuses.values()) - statuses[200] - statuses[client.LOST] - statuses[client.REFUSED],
        "seconds to stop": max(ends),
    }


async def _stopped(port: int, requests: Sequence[bytes], started: subprocess.Popen) -> tuple[list[client.Asked], float]:
    asking = asyncio.create_task(client.load(port, requests, connections=32, until=lambda: False))
    await asyncio.sleep(2)
    started.send_signal(signal.SIGTERM)
    begun = time.perf_counter()
    found = await asking  # each connection ends when it is refused
    await asyncio.to_thread(started.wait, 60)
    return found, time.perf_counter() - begun


def reload(model: str, requests: Sequence[bytes], *, times: int) -> dict:
    """SIGHUP so often under 32 connections: requests that were lost, and how long answers took meanwhile."""
    with serving(model) as (port, started):
        found = asyncio.run(_reloaded(port, requests, started, times))
    statuses = Counter(one.status for one in found)
    seconds = [one.seconds for one in found if one.status == 200]
    return {
        "reloads": times,
        "requests": len(found),
        "answered": statuses[200],
        "lost": statuses[client.LOST] + statuses[client.REFUSED],
        "other statuses": len(found) - statuses[200] - statuses[client.LOST] - statuses[client.REFUSED],
        "p50 ms": 1000 * float(np.median(seconds)),
        "p99 ms": 1000 * float(np.quantile(seconds, 0.99)),
    }


async def _reloaded(port: int, requests: Sequence[bytes], started: subprocess.Popen, times: int) -> list[client.Asked]:
    ended = asyncio.Event()
    asking = asyncio.create_task(client.load(port, requests, connections=32, until=ended.is_set))
    for _ in range(times):
        await asyncio.sleep(2)
        started.send_signal(signal.SIGHUP)
    await asyncio.sleep(4)
    ended.set()
    return await asking


def soak(model: str, pictures: Sequence[bytes], minutes: float) -> tuple[list[dict], dict]:
    """Good and bad requests, mixed, and the memory of the process meanwhile."""
    with serving(model, *LIMITS) as (port, started):
        found, memory = asyncio.run(misuse.mixed(port, pictures, 60 * minutes, started.pid))
    rows = [
        {
            "sent": kind,
            "requests": sum(said.values()),
            "answers": _in_words(said),
        }
        for kind, said in sorted(found.items())
    ]
    moments, megabytes, waited = np.array(memory).T
    late = moments > moments[-1] / 2
    summary = {
        "requests": sum(row["requests"] for row in rows),
        "500": sum(said[500] for said in found.values()),
        "MB at a tenth of the time": float(megabytes[moments >= moments[-1] / 10][0]),
        "MB at the end": float(megabytes[-1]),
        "most MB": float(megabytes.max()),
        "least MB, first half": float(megabytes[~late].min()),
        "least MB, second half": float(megabytes[late].min()),
        "longest s of /healthz": float(waited.max()),
        "MB per minute, second half": float(60 * np.polyfit(moments[late], megabytes[late], 1)[0]),
    }
    return rows, {**summary, "curve": [[round(t), round(mb, 1)] for t, mb, _ in memory[:: max(1, len(memory) // 40)]]}


def stop_attacked(model: str, pictures: Sequence[bytes], *, times: int) -> dict:
    """SIGTERM amid good and bad requests: the seconds until the process has ended, which may be `--stop-seconds`."""
    ends = []
    for _ in range(times):
        with serving(model, *LIMITS, "--stop-seconds", str(STOP)) as (port, started):
            ends.append(asyncio.run(_attacked(port, pictures, started)))
    return {"times": times, "most seconds to stop": max(ends), "later than allowed": sum(end > STOP for end in ends)}


async def _attacked(port: int, pictures: Sequence[bytes], started: subprocess.Popen) -> float:
    attack = asyncio.create_task(misuse.mixed(port, pictures, 60, started.pid))
    await asyncio.sleep(2)
    started.send_signal(signal.SIGTERM)
    begun = time.perf_counter()
    await asyncio.to_thread(started.wait, 120)
    seconds = time.perf_counter() - begun
    attack.cancel()
    await asyncio.gather(attack, return_exceptions=True)
    return seconds


def main() -> None:
    """Print the tables."""
    parser = table.arguments(__doc__)
    parser.add_argument("run", help="DATASET/RUN that was exported, or its folder")
    parser.add_argument("pictures", type=Path, help="a folder of JPEGs")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (default: 10)")
    parser.add_argument("--minutes", type=float, help="send good and bad requests for so long, instead of the rest")
    parser.add_argument("--stops", type=int, help="end it so often amid good and bad requests, instead of the rest")
    parser.add_argument("--reloads", type=int, help="open the model again so often under load, instead of the rest")
    parser.add_argument("--no-flask", action="store_true", help="leave the comparison out")
    asked = parser.parse_args()
    pictures = [file.read_bytes() for file in sorted(asked.pictures.rglob("*.jpg"))[:PICTURES]]
    if asked.stops:
        table.show([stop_attacked(asked.run, pictures, times=asked.stops)], json_file=asked.json)
        return
    if asked.reloads:
        requests = [client.form("/predict", [picture]) for picture in pictures]
        table.show([reload(asked.run, requests, times=asked.reloads)], json_file=asked.json)
        return
    if asked.minutes:
        rows, summary = soak(asked.run, pictures, asked.minutes)
        curve = summary.pop("curve")
        table.print_rows(rows)
        print()
        table.show([summary])
        print("MB by seconds:", " ".join(f"{moment}:{megabytes:.0f}" for moment, megabytes in curve))
        _keep(asked.json, soak=rows, memory=summary | {"curve": curve})
        if summary["500"]:
            raise SystemExit("expected no 500")
        return
    from toolkit import paths

    requests, folder = [client.form("/predict", [picture]) for picture in pictures], paths.run(asked.run)
    rows = []
    if not asked.no_flask:
        size = json.loads((folder / "bundle.json").read_text())["size"]
        with flask(folder / "model.keras", size) as (port, _):
            rows += throughput("Flask, model.predict", port, requests, asked.seconds)
    with serving(asked.run) as (port, _):
        rows += throughput("toolkit serve", port, requests, asked.seconds)
    slow = {row["connections"]: row["per second"] for row in rows if row["server"] != "toolkit serve"}
    rows = [row | {"times Flask": row["per second"] / slow.get(row["connections"], np.nan)} for row in rows]
    table.print_rows(rows)
    print()
    crowd, stopped = overload(asked.run, requests, asked.seconds), stop(asked.run, requests)
    table.print_rows([crowd])
    print()
    table.show([stopped])
    _keep(asked.json, throughput=rows, overload=crowd, stop=stopped)


def _in_words(said: Counter) -> str:
    return ", ".join(f"{count}× {status or 'none'}" for status, count in sorted(said.items()))


def _keep(file: str | None, **found: object) -> None:
    if file:
        Path(file).write_text(json.dumps({"machine": table.machine(), **found}, indent=2) + os.linesep)


if __name__ == "__main__":
    main()
