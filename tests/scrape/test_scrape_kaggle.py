"""Kaggle through its own client, against a server of this machine that answers as Kaggle does.

The client works in a process of its own, as it must, for it has no timeout; tests that start one are slow.
"""

import json
import threading

import pytest
from services import DROP, KAGGLE, Services, status

from toolkit import manifest, scrape
from toolkit.errors import SourceError
from toolkit.scrape import Options, kaggle

pytest.importorskip("kagglehub")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A home without credentials, and a cache of its own; kagglehub's test environment is this machine."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")  # localhost, port 7777
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "datasets" / KAGGLE


@pytest.fixture
def services(cache):
    with Services(port=7777) as here:
        yield here


def collected(name=f"kaggle:{KAGGLE}"):
    return scrape.collect(name, into="pets", sleep=lambda _: None).table


def items(argument=KAGGLE, into=None, sleep=lambda _: None, **options):
    found = kaggle.items(argument, "", Options(**options), sleep=sleep, into=into)
    return [one for one in found if isinstance(one, scrape.Item)]


def asked(services):
    return [path.rpartition("/")[2] for path, _, _ in services.log]


@pytest.mark.slow
def test_a_set_is_pinned_and_later_runs_need_no_network(services, tmp_path):
    table = collected()
    assert table["label"].tolist() == ["cars"] * 3 + ["tanks"] * 3
    assert set(table["source"]) == {"kaggle"} and set(table["split"]) == {"train"}
    assert sorted(table["source_id"])[0] == f"{KAGGLE}/versions/1/data/train/cars/0.png"
    assert set(table["license"]) == {"CC BY-SA 4.0"} and set(table["creator"]) == {"Gateway Adam"}
    assert set(table["attribution"]) == {'"Cars and Tanks" by Gateway Adam, CC BY-SA 4.0, via Kaggle'}
    assert asked(services) == ["GetDataset", "DownloadDataset"]
    services.version, services.always = 2, DROP  # a new version, and no network
    assert collected().equals(table)
    assert asked(services) == ["GetDataset", "DownloadDataset"]
    pins = json.loads((manifest.load("pets").root / kaggle.PINS).read_text())
    assert pins[KAGGLE]["version"] == 1


@pytest.mark.slow
def test_a_version_that_is_named_is_taken_and_remembered(services, tmp_path):
    services.version = 3
    found = items(into=tmp_path)
    assert found[0].source_id.startswith(f"{KAGGLE}/versions/3/")
    found = items(f"{KAGGLE}/versions/2", into=tmp_path)
    assert found[0].source_id.startswith(f"{KAGGLE}/versions/2/") and found[0].license
    assert items(into=tmp_path)[0].source_id == found[0].source_id


@pytest.mark.slow
def test_without_a_network_the_newest_version_that_is_here_is_taken(services):
    services.version = 2
    items()
    services.always = DROP
    assert items(tries=2)[0].source_id.startswith(f"{KAGGLE}/versions/2/")


@pytest.mark.slow
def test_without_a_network_or_a_copy_it_ends_in_one_line(cache):
    with pytest.raises(SourceError, match="expected an answer from Kaggle, got none in 2 attempts") as error:
        items(tries=2)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words"), [(401, "wants credentials; set KAGGLE"), (403, "is private or asks"), (404, "does not exist")]
)
def test_a_refusal_says_what_to_do(code, words, services):
    services.always = status(code, b'{"code": 1, "message": "nope"}')
    with pytest.raises(SourceError, match=f"kaggle:{KAGGLE} {words}.*HTTP {code}") as error:
        items()
    assert "\n" not in str(error.value)
    assert len(services.log) == 1


@pytest.mark.slow
def test_a_busy_server_is_asked_again_after_the_wait_it_asks_for(services):
    slept = []
    services.faults = [status(429, b"{}", Retry_After="9"), status(503, b"{}")]
    assert len(items(sleep=slept.append)) == 6
    assert slept[0] == 9 and len(slept) == 2


@pytest.mark.slow
def test_a_server_that_never_answers_is_left_after_a_while(services, monkeypatch):
    monkeypatch.setitem(kaggle.PATIENCE, "look", 4.0)
    services.hang = threading.Event()
    with pytest.raises(SourceError, match="no end after 4 seconds, so it was stopped"):
        items()
    services.hang.set()


@pytest.mark.parametrize("argument", ["justonepart", "a/b/c", "a/b/versions/new", "a/../b", "../b"])
def test_a_name_that_is_none_is_refused_before_anything_is_asked(argument):
    with pytest.raises(SourceError, match="expected kaggle:OWNER/NAME"):
        items(argument)


def test_without_kagglehub_it_is_said_how_to_have_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SourceError, match=r"found none; install it with `pip install .*\[kaggle\]"):
        items()
