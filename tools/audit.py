"""Known holes in the versions that were tested (constraints.txt), and in the lowest that pyproject.toml allows.

python tools/audit.py     asks pip-audit about both, and ends with 1 if it knows of a hole

Without a network, or where the registry tells no advisories, it says so and ends with 0.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BENCHMARKS = "peers"  # the extra that benchmarks install alone, in a place of its own
FLOOR = re.compile(r"([\w.-]+)(?:\[[^]]*\])?\s*(?:>=|==)\s*([\w.]+)")


def floors(text: str) -> dict[str, str]:
    """The lowest allowed version of each package that a pyproject.toml names.

    >>> floors('[project]\\ndependencies = ["numpy>=2,<3"]\\noptional-dependencies = {}')
    {'numpy': '2'}
    """
    project = tomllib.loads(text)["project"]
    extras = [words for name, words in project["optional-dependencies"].items() if name != BENCHMARKS]
    found = [FLOOR.match(word) for part in (project["dependencies"], *extras) for word in part]
    return {match[1]: match[2] for match in found if match}


def audited(requirements: str) -> tuple[list[str], int]:
    """Lines about the holes in pinned requirements, and how many of these nothing is known of; -1 for all of them."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirements)
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off"]
        done = subprocess.run([*command, "-f", "json", "-r", file.name], capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], -1
    holes = [
        f"  {package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for package in packages
        for hole in package.get("vulns", ())
    ]
    return holes, sum("skip_reason" in package for package in packages)


def main() -> int:
    """Audit both, print what is known, and give the exit code."""
    allowed = floors((ROOT / "pyproject.toml").read_text())
    lowest, code = "\n".join(f"{name}=={version}" for name, version in sorted(allowed.items())), 0
    for name, requirements in (("constraints.txt", (ROOT / "constraints.txt").read_text()), ("pyproject.toml", lowest)):
        holes, unknown = audited(requirements)
        left = {0: ""}.get(unknown, f"; {unknown} packages could not be looked up")
        print(f"{name}: could not be looked up" if unknown < 0 else f"{name}: {len(holes)} known holes{left}")
        print("\n".join(holes), end="\n" if holes else "")
        code = code or int(bool(holes))
    return code


if __name__ == "__main__":
    sys.exit(main())
