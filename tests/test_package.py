"""The package as others get it: built from its own source archive, installed elsewhere, and at work there."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest
from helpers import class_folders

ROOT = Path(__file__).parents[1]
OTHERS = (".git", ".venv", "build", "data", "models", "shared", "*.egg-info", "__pycache__", ".*_cache")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def build(kind, source, into):
    """A source archive or a wheel, by what is installed here: no network is asked."""
    subprocess.run([sys.executable, "-c", BUILD, kind, str(into)], cwd=source, check=True, capture_output=True)
    return next(file for file in into.iterdir() if file.suffix == (".gz" if kind == "build_sdist" else ".whl"))


@pytest.fixture(scope="module")
def archive(place):
    shutil.copytree(ROOT, place / "checkout", ignore=shutil.ignore_patterns(*OTHERS))
    return build("build_sdist", place / "checkout", place)


@pytest.fixture(scope="module")
def wheel(archive, place):
    with tarfile.open(archive) as packed:
        packed.extractall(place / "unpacked", filter="data")
    (source,) = (place / "unpacked").iterdir()
    (place / "wheels").mkdir()
    return build("build_wheel", source, place / "wheels")


@pytest.fixture(scope="module")
def python(wheel, place):
    """An environment of its own, in which the first cell of a notebook has installed the wheel.

    The other packages are those of this environment, which a path leads to; an installation of them would take long.
    """
    venv.create(place / "venv", with_pip=True)
    program = place / "venv" / "bin" / "python"
    folder = subprocess.run(
        [program, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    Path(folder, "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    first = next(c for c in nbformat.read(ROOT / "notebooks" / "01_collect.ipynb", 4).cells if c.cell_type == "code")
    elsewhere = {**clean(), "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    subprocess.run([program, "-c", first.source], cwd=wheel.parent, env=elsewhere, check=True)
    return program


def clean():
    """This environment, without what would lead to the checkout."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "TOOLKIT_HOME")}


@pytest.mark.slow
def test_the_source_archive_holds_what_a_checkout_holds(archive):
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    wanted = [
        "README.md",
        "LICENSE",
        "NOTICE",
        "CHANGELOG.md",
        "Makefile",
        "constraints.txt",
        "environment.yml",
        "setup.py",
    ]
    wanted += ["notebooks/01_collect.ipynb", "docs/sources.md", "tests/helpers.py", "tests/cli/conftest.py"]
    assert [name for name in wanted if name not in names] == []


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_and_the_notebooks_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as packed:
        inside = {name for name in packed.namelist() if ".dist-info/" not in name}
        metadata = next(packed.read(name).decode() for name in packed.namelist() if name.endswith("/METADATA"))
    files = [file for file in (ROOT / "toolkit").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    notebooks = [f"toolkit/notebooks/{file.name}" for file in ROOT.glob("notebooks/[0-9]*.ipynb")]
    assert inside == {*(file.relative_to(ROOT).as_posix() for file in files), *notebooks}
    assert "Classifier: Topic :: Scientific/Engineering :: Image Recognition" in metadata
    assert "License-File: NOTICE" in metadata


@pytest.mark.slow
def test_installed_elsewhere_it_learns_reports_exports_predicts_and_serves(python, tmp_path):
    pictures = class_folders(tmp_path / "pictures", per_class=16)

    def toolkit(*words):
        command = [python.with_name("toolkit"), *words]
        done = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(toolkit("learn", "pictures", "--json"))["accuracy"] > 0.5
    assert (tmp_path / "data" / "pictures" / "manifest.csv").exists()  # in the working folder, where no checkout is
    toolkit("report", "pictures")
    assert (tmp_path / "models" / "pictures" / "report.html").stat().st_size > 100_000
    run = "pictures/efficientnet_lite0"
    assert "float16.tflite" in toolkit("export", run)
    file = str(tmp_path / "models" / run / "export" / "float16.tflite")
    picture = pictures / "cars" / "1.png"
    assert f"{picture}: " in toolkit("predict", file, str(picture))
    assert len(toolkit("notebooks", "lessons").split(".ipynb")) > 12
    command = [python.with_name("toolkit"), "serve", run, "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=clean(), stdout=subprocess.PIPE, text=True) as service:
        address = service.stdout.readline().strip().removesuffix("/docs")
        asked = urllib.request.Request(f"{address}/predict", data=picture.read_bytes())
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert set(json.load(answer)["predictions"][0]["probabilities"]) == {"cars", "tanks"}
        service.terminate()


@pytest.mark.slow
def test_what_is_missing_there_is_installed_from_the_wheel(python, wheel):
    asked = "from toolkit.core import extras; print(extras.command('tune'))"
    said = subprocess.check_output([python, "-c", asked], cwd=wheel.parent, env=clean(), text=True)
    assert said.strip() == f'pip install "image-classifier-toolkit[tune] @ {wheel.as_uri()}"'
