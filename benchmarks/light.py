"""The installation that only predicts: no TensorFlow in it, how soon it answers, and whether it says the same.

python benchmarks/light.py MODELS/DATASET/RUN PICTURE...       after `toolkit export RUN --all`
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import table

HERE = Path(__file__).resolve().parent
RUNS = 7
FILES = ("float32.tflite", "float16.tflite", "model.onnx")


def main() -> None:
    """Print a row per exported file."""
    parser = table.arguments(__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--environment", type=Path, help="where it is made, or is already (default: a temporary one)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = installed(asked.environment or Path(folder) / "light")
        full = answers([sys.executable, "-m", "toolkit"], str(asked.run), asked.pictures)
        rows = [row(python, asked.run / "export" / file, asked.pictures, full) for file in FILES]
    table.show(rows, json_file=asked.json)


def installed(folder: Path) -> Path:
    """The Python of an environment with the extra `predict` alone."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-c", HERE.parent / "constraints.txt", f"{HERE.parent}[predict]"], check=True)
    absent = "import importlib.util as u; print(*[n for n in ('tensorflow', 'keras', 'pandas') if u.find_spec(n)])"
    found = subprocess.run([python, "-c", absent], check=True, capture_output=True, text=True).stdout.split()
    if found:
        raise SystemExit(f"expected an environment without {', '.join(found)}, got {folder}")
    return python


def answers(command: list, model: str, pictures: list[str]) -> list[dict]:
    """What a command says about pictures."""
    done = subprocess.run([*command, "predict", model, *pictures, "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def row(python: Path, file: Path, pictures: list[str], full: list[dict]) -> dict[str, object]:
    """How one file does there."""
    command = [python.with_name("toolkit")]
    found = answers(command, str(file), pictures)
    pairs = list(zip(found, full, strict=True))
    times = [seconds([*command, "predict", file, pictures[0]]) for _ in range(RUNS)]
    bare = [seconds([python, "-c", "pass"]) for _ in range(RUNS)]
    return {
        "file": file.name,
        "pictures": len(pairs),
        "same label": sum(one["label"] == other["label"] for one, other in pairs),
        "largest difference": max(
            abs(one["probabilities"][name] - other["probabilities"][name])
            for one, other in pairs
            for name in other["probabilities"]
        ),
        "seconds": statistics.median(times),
        "least": min(times),
        "python alone": statistics.median(bare),
    }


def seconds(command: list) -> float:
    """Time of a whole process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
