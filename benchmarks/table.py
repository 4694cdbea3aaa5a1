"""What all benchmarks share: a table for people, `--json FILE` for programs, and the machine it ran on."""

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the option that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    return parser


def show(rows: Sequence[Mapping[str, object]], *, json_file: str | None = None) -> None:
    """Print rows as a Markdown table, then the machine; write both as JSON if asked to."""
    print_rows(rows)
    print("\n" + in_words(machine()))
    if json_file:
        Path(json_file).write_text(json.dumps({"machine": machine(), "rows": list(rows)}, indent=2, default=str) + "\n")


def print_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows as a Markdown table."""
    names = list(rows[0])
    cells = [names, *([_text(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    for number, line in enumerate(cells):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if not number:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def machine() -> dict[str, object]:
    """What this runs on."""
    return {"cores": os.cpu_count(), "processor": _processor(), "python": platform.python_version()}


def in_words(facts: Mapping[str, object]) -> str:
    """The machine as a line below a table."""
    return f"{facts['cores']} cores, {facts['processor']}, Python {facts['python']}"


def _text(value: object) -> str:
    return f"{value:,.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return name or platform.processor() or platform.machine()
