"""The page that names whoever made the pictures."""

import re

import pytest

from toolkit import credits, manifest
from toolkit.cli import main

ANN = {
    "title": "A tank",
    "creator": "Ann",
    "license": "CC BY-SA 4.0",
    "license_url": "https://creativecommons.org/licenses/by-sa/4.0",
    "page_url": "https://commons.wikimedia.org/wiki/File:A_tank.jpg",
    "attribution": '"A tank" by Ann, CC BY-SA 4.0, via Wikimedia Commons',
}


@pytest.fixture
def table(tmp_path):
    """Two pictures to name somebody for, one that is free of it, and one nothing is known of."""
    rows = [
        {**ANN, "creator": "bob", "title": "Last"},
        ANN,
        {"license": "CC0", "title": "Free"},
        {"title": "Whose?"},
        {**ANN, "status": "duplicate", "title": "Not used"},
    ]
    rows = [row | {"path": f"raw/tanks/{number}.png", "label": "tanks"} for number, row in enumerate(rows)]
    return manifest.from_rows(tmp_path / "data" / "tanks", rows).assign(
        status=["ok", "new", "ok", "ok", "duplicate"],
    )


def test_those_who_are_to_be_named_come_in_order_and_pictures_out_of_use_do_not(table):
    named = credits.needed(table)
    assert named["creator"].tolist() == ["Ann", "bob"]
    assert named["path"].tolist() == ["raw/tanks/1.png", "raw/tanks/0.png"]
    assert credits.unknown(table) == 1


def test_the_page_names_title_creator_licence_and_source_and_loads_nothing(table):
    page = credits.write(table).read_text()
    assert '<a href="https://commons.wikimedia.org/wiki/File:A_tank.jpg">A tank</a>' in page
    assert '<a href="https://creativecommons.org/licenses/by-sa/4.0">CC BY-SA 4.0</a>' in page
    assert page.index("by Ann,") < page.index("by bob,")
    assert "2 of the 4 pictures in use" in page and "1 picture has no known licence" in page
    assert "Not used" not in page and "Whose?" not in page
    assert not re.search(r"<(script|img|link|iframe)|@import|url\(", page)
    assert credits.write(table).read_text() == page


def test_what_strangers_wrote_stays_text(table):
    hostile = {"title": "<script>alert(1)</script>", "page_url": "javascript:alert(2)", "license_url": "data:,x"}
    page = credits.write(table.update({"raw/tanks/1.png": hostile})).read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "javascript:" not in page and "data:,x" not in page


def test_a_dataset_that_needs_no_names_has_a_page_that_says_so(table):
    page = credits.write(table.assign(creator="", attribution="", license="CC0")).read_text()
    assert "0 of the 4 pictures in use" in page and "no known licence" not in page


def test_the_command_writes_the_page_and_counts(table, tmp_path, capsys):
    table.save()
    assert main(["credits", str(table.root)]) == 0
    shown = capsys.readouterr().out
    assert str(table.root / "credits.html") in shown
    assert "to name: 2" in shown and "no known licence: 1" in shown
    assert main(["credits", str(table.root), "--into", str(tmp_path / "names.html"), "--json"]) == 0
    assert (tmp_path / "names.html").exists()
