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
) -> tuple[dict[str, Counter], list[tuple[float, float, float]]]:
    """Send all kinds at random.

    Args:
        port: on this machine.
        pictures: the bytes of JPEGs.
        seconds: how long.
        pid: of the service.

    Returns:
        For every kind how often each status came, and (seconds, MB of memory, seconds that /healthz took) of the
        service, about once a second.
    """
    found: dict[str, Counter] = defaultdict(Counter)
    kinds, until, started = senders(pictures), client.for_seconds(seconds), time.perf_counter()
    memory: list[tuple[float, float, float]] = []
    health = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    async def worker(number: int) -> None:
        rng = random.Random(number)
        while not until():
            kind = rng.choice(list(kinds))
            found[kind][await kinds[kind](port, rng)] += 1

    async def watch() -> None:
        while not until():
            line, asked = client.Connection(port), time.perf_counter()
            await line.ask(health)
            waited = time.perf_counter() - asked
            line.close()
            memory.append((time.perf_counter() - started, resident(pid), waited))
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
        **{f"{name} (of one who read it)": whole(build) for name, build in hostile(pictures).items()},
    }


def hostile(pictures: Sequence[bytes]) -> dict[str, Callable[[random.Random], bytes]]:
    """Requests of somebody who has read how the service works, by name; each costs whoever believes it."""
    scans, narrow = progressive(500, 20_000, 400), bomb_of(1, 3_000_000)
    keys = json.dumps({"instances": [{str(key): 1 for key in range(100_000)}]}).encode()
    infer = "/v2/models/model/infer"

    def tensor(data: list, id: str = "1") -> bytes:
        inputs = {"name": "x", "shape": [1, 1, 1, 3], "datatype": "UINT8", "data": data}
        return json.dumps({"id": id, "inputs": [inputs]}).encode()

    return {
        "a JPEG of 400 scans": lambda rng: client.post("/predict", scans),
        "a picture of one column": lambda rng: client.post("/predict", narrow),
        "5,000 segments": lambda rng: client.post(
            "/predict", pictures[0][:2] + b"\xff\xfe\0\2" * 5_000 + pictures[0][2:]
        ),
        "a profile of 3 MB": lambda rng: client.post("/predict", profiled(rng.choice(pictures), rng)),
        "texts in a tensor": lambda rng: client.post(infer, tensor(["A" * 50_000, *[""] * 1500])),
        "half a character": lambda rng: client.post(infer, tensor([1, 2, 3], "\ud800")),
        "very many keys": lambda rng: client.post("/v1/models/model:predict", keys),
        "another Host": lambda rng: client.post("/predict", pictures[0]).replace(b"Host: ", b"Host: evil.example", 1),
        "another Origin": lambda rng: client.post("/predict", pictures[0]).replace(
            b"\r\n", b"\r\nOrigin: http://evil.example\r\n", 1
        ),
    }


def progressive(width: int, height: int, scans: int) -> bytes:
    """A grey JPEG, all blocks empty, that goes over all of them again and again (LJT-01-003)."""

    def segment(mark: int, data: bytes) -> bytes:
        return b"\xff" + bytes([mark]) + struct.pack(">H", len(data) + 2) + data

    blocks = -(-width // 8) * -(-height // 8)
    bits = ("0" + "1" * 14) * (blocks // 32_767) + "10" * (blocks % 32_767)
    bits += "1" * (-len(bits) % 8)
    runs = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    out = b"\xff\xd8" + segment(0xDB, b"\0" + bytes([16] * 64))
    out += segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    out += segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\0")
    out += segment(0xC4, b"\x10" + bytes([1, 1] + [0] * 14) + b"\xe0\0")
    out += segment(0xDA, b"\1\1\0\0\0\0") + bytes(-(-blocks // 8)) + segment(0xDA, b"\1\1\0\1\x3f\1") + runs
    return out + (segment(0xDA, b"\1\1\0\1\x3f\x10") + runs) * scans + b"\xff\xd9"


def profiled(picture: bytes, rng: random.Random) -> bytes:
    """A JPEG with a colour profile that no other has."""
    data = rng.randbytes(16) + bytes(3_000_000)
    parts = [data[start : start + 65_519] for start in range(0, len(data), 65_519)]
    marks = (
        b"\xff\xe2" + struct.pack(">H", len(part) + 16) + b"ICC_PROFILE\0" + bytes([place, len(parts)]) + part
        for place, part in enumerate(parts, 1)
    )
    return picture[:2] + b"".join(marks) + picture[2:]


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
    return bomb_of(side, side)


def bomb_of(width: int, height: int) -> bytes:
    """The same of any shape."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    if (width, height) not in BOMBS:
        packer, row = zlib.compressobj(9), bytes(width // 8 + 2)
        rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
        head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        BOMBS[width, height] = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return BOMBS[width, height]


BOMBS: dict[tuple[int, int], bytes] = {}


def resident(pid: int) -> float:
    """Memory of a process and of those it has started, in millions of bytes; 0 once it has ended."""
    total = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            facts = dict(line.partition(":")[::2] for line in status.read_text().splitlines())
            if str(pid) in (facts["Pid"].strip(), facts["PPid"].strip()) and "VmRSS" in facts:
                total += int(facts["VmRSS"].split()[0]) * 1024 / 1e6
    return total
