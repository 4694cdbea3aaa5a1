"""Every test works in a folder of its own, without the person's settings and without a network beyond this machine."""

import gc
import os
import signal

import pytest
from hypothesis import settings

settings.register_profile("tests", deadline=None, database=None, derandomize=True)
settings.load_profile("tests")


def pytest_configure():
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell, and in all that is started
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: "notebook" not in item.keywords)  # the longest of all begins first


def pytest_collection_finish():
    gc.freeze()  # what was imported stays: looking through a million such objects again and again is slow


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    for name in os.environ:
        if name.lower().startswith("praw_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TOOLKIT_PROGRESS", "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MPLBACKEND", "Agg")


@pytest.fixture(scope="module")
def place(tmp_path_factory, request):
    """A folder that all tests of a file share."""
    return tmp_path_factory.mktemp(request.module.__name__.removeprefix("test_"))


@pytest.fixture
def home(place, monkeypatch):
    """The same for data and models, for files that say so."""
    monkeypatch.setenv("TOOLKIT_HOME", str(place / "home"))
    return place / "home"


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A folder with `small.tflite` and `small.onnx`, made once for all tests."""
    from helpers import artifacts

    return artifacts(tmp_path_factory.mktemp("exported"))
