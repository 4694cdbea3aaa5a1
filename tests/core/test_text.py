"""Lists and tables as Notepad, Excel and PowerShell save them."""

import json

import pytest
from helpers import class_folders, tiny_dataset

from toolkit import manifest
from toolkit.core import text
from toolkit.scrape import tables
from toolkit.training import config

WRITTEN = {
    "plain": ("utf-8", ""),
    "utf-8 with its mark": ("utf-8-sig", ""),
    "utf-16 little": ("utf-16-le", "\ufeff"),
    "utf-16 big": ("utf-16-be", "\ufeff"),
}


def saved(content, kind, end="\r\n"):
    encoding, mark = WRITTEN[kind]
    return (mark + content.replace("\n", end)).encode(encoding)


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_is_read_however_it_was_saved(kind, end):
    assert text.lines(saved("café 1.jpg\n\n  b.jpg\u2028\n", kind, end)) == ["café 1.jpg", "  b.jpg\u2028"]


def test_bytes_that_are_no_text_stay_what_they_are():
    (line,) = text.lines(b"caf\xe9.jpg\n", errors="surrogateescape")
    assert line.encode(errors="surrogateescape") == b"caf\xe9.jpg"


@pytest.mark.parametrize("kind", WRITTEN)
def test_tables_of_pictures_and_settings_are_read_however_they_were_saved(tmp_path, kind):
    (tmp_path / "list.csv").write_bytes(saved("url,label\nhttp://a/1.jpg,café\n", kind))
    assert list(tables.rows(tmp_path / "list.csv")) == [(2, {"url": "http://a/1.jpg", "label": "café"})]
    (tmp_path / "list.jsonl").write_bytes(saved(json.dumps({"url": "x", "label": "y"}) + "\n", kind))
    assert list(tables.rows(tmp_path / "list.jsonl")) == [(1, {"url": "x", "label": "y"})]
    (tmp_path / "mine.json").write_bytes(saved('{"epochs": 3,\n "network": "vgg"}\n', kind))
    assert config.stored(tmp_path / "mine.json") == {"epochs": 3, "network": "vgg"}


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_manifest_is_read_however_it_was_saved(tmp_path, kind):
    table = tiny_dataset(tmp_path / "set", per_class=2, classes=("café", "1"))
    file = table.root / manifest.FILE
    file.write_bytes(saved(file.read_text(encoding="utf-8"), kind))
    again = manifest.load(table.root)
    assert again.table.equals(table.table) and again.classes == ("1", "café")


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("standard_input", [True, False])
def test_every_picture_of_a_list_is_found_however_it_was_saved(tmp_path, kind, standard_input, monkeypatch):
    import io

    from toolkit.cli import pictures

    files = sorted(map(str, class_folders(tmp_path / "pictures", per_class=2).rglob("*.png")))
    (tmp_path / "list.txt").write_bytes(saved("\n".join(files) + "\n", kind))
    name = str(tmp_path / "list.txt")
    if standard_input:
        name = pictures.STANDARD_INPUT
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "list.txt").read_bytes())))
    assert list(pictures._listed(name)) == files
