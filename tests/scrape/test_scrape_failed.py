"""What could not be had, told from the ledger."""

import json

import pandas as pd
import pytest

from toolkit import paths, practice, scrape
from toolkit.scrape import Options


def line(key, status, **more):
    told = {"label": "cars", "source": "urls", "source_id": key, "url": f"http://x/{key}", "page_url": ""}
    return json.dumps({"key": key, "status": status, **told, **more})


def written(*lines):
    folder = paths.dataset("pets")
    folder.mkdir(parents=True)
    (folder / "ledger.jsonl").write_text("\n".join(lines))
    return folder


def test_each_picture_that_failed_is_told_once_with_the_last_reason():
    written(line("a", "failed", reason="HTTP 503"), line("b", "ok"), line("a", "failed", reason="HTTP 404"))
    told = scrape.failures("pets")
    assert told.to_dict("records") == [
        {
            "label": "cars",
            "source": "urls",
            "reason": "HTTP 404",
            "url": "http://x/a",
            "page_url": "",
            "source_id": "a",
        }
    ]


def test_what_was_had_at_last_did_not_fail():
    written(line("a", "failed", reason="HTTP 503"), line("a", "ok"))
    assert len(scrape.failures("pets")) == 0


def test_a_torn_line_is_left_alone_and_the_file_is_not_changed():
    file = written(line("a", "failed", reason="empty"), "[]", '{"key": "b", "stat') / "ledger.jsonl"
    before = file.read_bytes()
    assert scrape.failures("pets")["reason"].tolist() == ["empty"]
    assert file.read_bytes() == before


def test_a_dataset_without_a_ledger_has_no_failures_but_the_columns():
    assert list(scrape.failures("nothing")) == ["label", "source", "reason", "url", "page_url", "source_id"]


@pytest.mark.slow
def test_failures_of_the_practice_world_are_its_broken_files():
    with practice.world(pictures=12) as world:
        scrape.collect(world.sources, into="pets", options=Options(reddit=world.reddit, allow=("127.0.0.1/32",)))
        told = scrape.failures("pets")
    assert isinstance(told, pd.DataFrame)
    assert set(told["reason"]) >= {"HTTP 404", "empty", "a web page, not a picture"}
    assert set(told["label"]) == {"cars", "tanks"}
