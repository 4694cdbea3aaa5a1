"""What it costs a service to keep pictures that it is asked about.

python benchmarks/keeping.py cars_tanks/mobilenet PICTURES/cars_tanks        after `toolkit export cars_tanks/mobilenet`

Each request has bytes of its own, or every picture would be kept once.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import client
import load
import numpy as np
import psutil
import table

COPIES = 100  # of each picture, which differ in their last byte


def main() -> None:
    """Print a row."""
    parser = table.arguments(__doc__)
    parser.add_argument("run", help="DATASET/RUN that was exported, or its folder")
    parser.add_argument("pictures", type=Path, help="a folder of JPEGs")
    parser.add_argument("--rounds", type=int, default=60)
    asked = parser.parse_args()
    pictures = [file.read_bytes() for file in sorted(asked.pictures.rglob("*.jpg"))[: load.PICTURES]]
    others = [picture + bytes([copy]) for copy in range(COPIES) for picture in pictures]
    requests = [client.form("/predict", [picture]) for picture in others]
    table.show([keeping(asked.run, requests, asked.rounds)], json_file=asked.json)


def keeping(model: str, requests: Sequence[bytes], rounds: int) -> dict:
    """What `--keep` costs: two services are asked in turn, a second each.

    Other work on the machine changes how much they answer more than the processor's time for it, so both are told.
    """
    answered, spent = np.zeros((2, rounds, 2))
    with (
        tempfile.TemporaryDirectory() as folder,
        load.serving(model) as plain,
        load.serving(model, "--keep", folder) as keeps,
    ):
        for number in range(-2, rounds):  # two that do not count
            start = (number + 2) * len(requests) // (rounds + 2)
            new = [*requests[start:], *requests[:start]]
            for place in (0, 1) if number % 2 else (1, 0):
                port, started = (plain, keeps)[place]
                before = processor_seconds(started.pid)
                found = asyncio.run(client.load(port, new, connections=8, until=client.for_seconds(1)))
                answered[max(number, 0), place] = sum(one.status == 200 for one in found)
                spent[max(number, 0), place] = processor_seconds(started.pid) - before
        kept = len([*Path(folder).iterdir()]) - 1  # beside the table
    each = 1000 * spent / answered
    return {
        "rounds": rounds,
        "kept": f"{kept} of {answered[:, 1].sum():.0f}",
        "answers, without and with": " and ".join(f"{share:.1f}" for share in np.median(answered, axis=0)),
        "more answers with it": ratio(answered),
        "processor ms each, without and with": " and ".join(f"{share:.2f}" for share in np.median(each, axis=0)),
        "more of it with it": ratio(each),
    }


def processor_seconds(process: int) -> float:
    """That a process and those it started have used."""
    whole = psutil.Process(process)
    times = [one.cpu_times() for one in (whole, *whole.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def ratio(pairs: np.ndarray) -> str:
    """Median of the second to the first of each pair, and its 95 % interval by bootstrap."""
    ratios = pairs[:, 1] / pairs[:, 0]
    drawn = np.median(np.random.default_rng(0).choice(ratios, (10_000, len(ratios))), axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{np.median(ratios) - 1:+.1%} ({low - 1:+.1%} to {high - 1:+.1%})"


if __name__ == "__main__":
    main()
