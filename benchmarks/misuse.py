"""Good and bad requests to a service, mixed, as the internet sends them."""

import asyncio
import base64
import contextlib
import json
import random
import struct
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import client

WORKERS = 16
Sender = Callable[[int, random.Random], Awaitable[int]]


async def mixed(
    port: int, pictures: Sequence[bytes], seconds: float, pid: int
) -> tuple[dict[str, Counter], list[tuple[float, float]]]:
    """Send all kinds at random.

    Args:
        port: on this machine.
        pictures: the bytes of JPEGs.
        seconds: how long.
        pid: of the service.

    Returns:
        For every kind how often each status came, and (seconds, MB of memory) of the service, once a second.
    """
    found: dict[str, Counter] = defaultdict(Counter)
    kinds, until, started = senders(pictures), client.for_seconds(seconds), time.perf_counter()
    memory: list[tuple[float, float]] = []

    async def worker(number: int) -> None:
        rng = random.Random(number)
        while not until():
            kind = rng.choice(list(kinds))
            found[kind][await kinds[kind](port, rng)] += 1

    async def watch() -> None:
        while not until():
            memory.append((time.perf_counter() - started, resident(pid)))
            await asyncio.sleep(1)

    await asyncio.gather(watch(), *map(worker, range(WORKERS)))
    return dict(found), memory


def senders(pictures: Sequence[bytes]) -> dict[str, Sender]:
    """What is sent, by its name."""

    def whole(build: Callable[[random.Random], bytes]) -> Sender:
        async def send(port: int, rng: random.Random) -> int:
            line = client.Connection(port)
            asked = await line.ask(build(rng))
            line.close()
            return asked.status

        return send

    def one(rng: random.Random) -> bytes:
        return rng.choice(pictures)

    def instances(rng: random.Random) -> bytes:
        return json.dumps({"instances": [{"b64": base64.b64encode(one(rng)).decode()}]}).encode()

    return {
        "a picture": whole(lambda rng: client.post("/predict", one(rng))),
        "a form of pictures": whole(lambda rng: client.form("/predict", [one(rng) for _ in range(rng.randint(1, 4))])),
        "a form of too many": whole(lambda rng: client.form("/predict", [one(rng)] * 9)),
        "TensorFlow Serving": whole(lambda rng: client.post("/v1/models/model:predict", instances(rng))),
        "damaged JSON": whole(lambda rng: client.post("/v1/models/model:predict", instances(rng)[:-2])),
        "a bomb": whole(lambda rng: client.post("/predict", bomb(rng.choice((8_000, 30_000))))),
        "a picture of 49 million pixels": whole(lambda rng: client.post("/predict", bomb(7_000))),
        "a truncated picture": whole(lambda rng: client.post("/predict", one(rng)[: rng.randint(1, 2000)])),
        "text": whole(lambda rng: client.post("/predict", b"milk, eggs, bread", "image/jpeg")),
        "random bytes": whole(lambda rng: client.post("/predict", rng.randbytes(rng.randint(0, 50_000)))),
        "random bytes that begin as a JPEG": whole(
            lambda rng: client.post("/predict", b"\xff\xd8\xff\xe0" + rng.randbytes(5_000))
        ),
        "5 million bytes": whole(lambda rng: client.post("/predict", bytes(5_000_000))),
        "no HTTP": whole(lambda rng: rng.randbytes(rng.randint(1, 200)).replace(b"\n", b"") + b"\r\n\r\n"),
        "a slow body": slow,
        "half a body": half,
    }


async def slow(port: int, rng: random.Random) -> int:
    """A byte now and then, until it is refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError):
        writer.write(client.post("/predict", bytes(1000))[:-1000])
        answer = asyncio.create_task(reader.read(200))
        while not answer.done():
            writer.write(b"x")
            await asyncio.wait([answer], timeout=rng.uniform(0.05, 0.3))
        head = await answer
        writer.close()
        return int(head[9:12]) if head else client.LOST
    return client.LOST


async def half(port: int, rng: random.Random) -> int:
    """Begin, and leave."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(client.post("/predict", bytes(100_000))[: rng.randint(1, 90_000)])
    await asyncio.sleep(rng.uniform(0, 0.2))
    writer.close()
    return client.LOST


def bomb(side: int) -> bytes:
    """A square PNG of few bytes, whole and black."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    if side not in BOMBS:
        packer, row = zlib.compressobj(9), bytes(side // 8 + 2)
        rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
        head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
        BOMBS[side] = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return BOMBS[side]


BOMBS: dict[int, bytes] = {}


def resident(pid: int) -> float:
    """Memory of a process in millions of bytes; 0 once it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
