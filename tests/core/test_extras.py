"""What to install is right for every extra, and for every way in which the package came."""

import json
import re
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

from toolkit.core import extras

ROOT = Path(__file__).parents[2]
WANTED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
USERS = set(WANTED) - {"dev", "docs", "peers"}  # those three are for who works on the project


def named(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def brought(extra):
    """The packages that an extra brings, with those of the extras in it."""
    for requirement in WANTED[extra]:
        inner = re.match(r"image-classifier-toolkit\[(.*)\]", requirement)
        yield from [package for name in inner[1].split(",") for package in brought(name)] if inner else [requirement]


@cache
def modules():
    """The modules of each package that is installed here."""
    found = {}
    for module, packages in metadata.packages_distributions().items():
        for package in packages:
            found.setdefault(package.lower().replace("_", "-"), set()).add(module)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("extra", sorted(USERS))
def test_what_an_extra_alone_brings_is_known_by_the_modules_that_are_imported(extra):
    installed = modules()
    own = {named(requirement) for requirement in WANTED[extra] if not requirement.startswith("image-classifier")}
    for package in own & set(installed):
        known = installed[package] & set(extras.EXTRAS)
        assert known or package.startswith("efficientnet"), f"no module of {package} is known"


@pytest.mark.parametrize("module", sorted(extras.EXTRAS))
def test_the_extra_that_is_named_brings_the_module(module):
    package = {"av": "streamlit-webrtc", "jupyter_client": "ipykernel"}.get(module)  # which bring those two
    packages = [package] if package else [name for name, known in modules().items() if module in known]
    if not packages:
        pytest.skip(f"{module} is not installed here")
    assert set(packages) & {named(requirement) for requirement in brought(extras.EXTRAS[module])}


def test_in_a_checkout_the_command_installs_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert extras.command("page") == 'pip install -e ".[page]"'
    monkeypatch.chdir(ROOT / "docs")
    assert extras.command("predict", "serve") == f'pip install -e "{ROOT}[predict,serve]"'


@pytest.mark.parametrize(
    ("recorded", "place"),
    [
        (None, ""),
        ({"url": "file:///wheels/it.whl", "archive_info": {}}, " @ file:///wheels/it.whl"),
        (
            {"url": "https://example.org/it.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b"}},
            " @ git+https://example.org/it.git@0a1b",
        ),
    ],
)
def test_elsewhere_the_command_installs_from_where_the_package_came(monkeypatch, tmp_path, recorded, place):
    info = tmp_path / "image_classifier_toolkit-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: image-classifier-toolkit\nVersion: 0.1.0\n")
    if recorded:
        (info / "direct_url.json").write_text(json.dumps(recorded))
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "toolkit" / "core" / "extras.py"))
    assert extras.command("tune") == f'pip install "image-classifier-toolkit[tune]{place}"'


def test_a_module_that_no_extra_brings_is_not_guessed_at():
    assert extras.remedy("no_such.module") == "install the package that brings it"
    assert extras.remedy("selenium.webdriver").endswith('[page]"`')
