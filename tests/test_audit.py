"""The lowest versions that are allowed have no known hole in what the toolkit does with them."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MENDED = {  # the first version without a hole that is open in what the toolkit does with the package
    "jinja2": "3.1.6",  # CVE-2025-27516
    "keras": "3.13.2",  # model files that run code
    "onnxruntime": "1.24",  # reads any file that a stranger's model names as its weights
    "pillow": "12.1.1",  # CVE-2026-25990
    "python-multipart": "0.0.27",  # CVE-2026-42561: a form of 15 MB that takes 42 s
    "requests": "2.32.4",  # CVE-2024-47081
    "starlette": "0.49.1",  # CVE-2025-62727
    "urllib3": "2.6.3",  # CVE-2025-66418, CVE-2026-21441
}


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parts(version):
    return tuple(map(int, version.split(".")))


@pytest.mark.parametrize("name", sorted(MENDED))
def test_the_lowest_version_that_is_allowed_has_no_hole_that_is_known(audit, name):
    assert parts(audit.floors((ROOT / "pyproject.toml").read_text())[name]) >= parts(MENDED[name])


def test_the_lowest_versions_are_read_from_all_extras_but_that_of_the_benchmarks(audit):
    text = '[project]\ndependencies = ["a>=2,<3", "b[c]>=1.5; x"]\n[project.optional-dependencies]\n'
    text += 'predict = ["d==0.1.0", "image-classifier-toolkit[runtime]"]\npeers = ["e>=9"]\n'
    assert audit.floors(text) == {"a": "2", "b": "1.5", "d": "0.1.0"}


def test_what_cannot_be_looked_up_is_said_and_is_no_failure(audit, monkeypatch, capsys):
    monkeypatch.setattr(audit, "audited", lambda requirements: ([], -1))
    assert audit.main() == 0
    assert "constraints.txt: could not be looked up" in capsys.readouterr().out


def test_a_known_hole_is_printed_and_ends_with_one(audit, monkeypatch, capsys):
    monkeypatch.setattr(audit, "audited", lambda requirements: (["  a 1: CVE-1, mended in 2"], 3))
    assert audit.main() == 1
    assert "1 known holes; 3 packages could not be looked up\n  a 1: CVE-1, mended in 2" in capsys.readouterr().out
