"""How long the command line and the package take to answer, beside Python itself.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time

import table

RUNS = 7
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import toolkit": ["-c", "import toolkit"],
    "toolkit --help": ["-m", "toolkit", "--help"],
    "toolkit train --help": ["-m", "toolkit", "train", "--help"],
    "import toolkit.dataset.manifest (pandas)": ["-c", "import toolkit.dataset.manifest"],
    "import toolkit.training.train (TensorFlow)": ["-c", "import toolkit.training.train"],
}


def seconds(words: list[str]) -> float:
    """Median time of a whole process, after one run that does not count."""
    times = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def main() -> None:
    """Print a row per command."""
    asked = table.arguments(__doc__).parse_args()
    times = {name: seconds(words) for name, words in COMMANDS.items()}
    bare = times["python -c pass"]
    rows = [{"command": name, "seconds": round(time, 3), "times Python": time / bare} for name, time in times.items()]
    table.show(rows, json_file=asked.json)


if __name__ == "__main__":
    main()
