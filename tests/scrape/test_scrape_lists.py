"""Lists of addresses, pictures written into addresses, and folders with a metadata file."""

import base64
import csv
import json
from urllib.parse import quote_from_bytes

import pytest
from helpers import coloured, encoded
from services import Services

from toolkit import scrape
from toolkit.errors import SourceError
from toolkit.scrape import Options, datauri, imagefolder, urls

LOOPBACK = Options(allow=("127.0.0.1/32",))
PNG = encoded(coloured(0, 1))


@pytest.fixture
def services():
    with Services() as here:
        yield here


def as_data(content=PNG, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def as_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


# urls:


@pytest.mark.parametrize(("write", "name"), [(as_csv, "list.csv"), (as_lines, "list.jsonl"), (as_lines, "list.ndjson")])
def test_what_a_list_says_ends_in_the_manifest_and_nothing_is_fetched_twice(write, name, services, tmp_path):
    told = {"title": "A, car", "license": "CC BY 4.0", "creator": "Ann", "license_url": "http://cc/by", "page_url": ""}
    rows = [
        {"url": f"{services.url}/p/{number}.png", "label": label, "source_id": f"row {number}", **told}
        for number, label in enumerate(["cars", "tanks", "tanks"])
    ]
    path = write(tmp_path / name, rows)
    table = scrape.collect(f"urls:{path}", into="pets", options=LOOPBACK).table
    assert table["label"].tolist() == ["cars", "tanks", "tanks"]
    assert set(table["source_id"]) == {"row 0", "row 1", "row 2"}
    assert set(table["attribution"]) == {'"A, car" by Ann, CC BY 4.0'}
    assert set(table["license_url"]) == {"http://cc/by"}
    again = scrape.collect(f"urls:{path}", into="pets", options=LOOPBACK).table
    assert again.equals(table) and len(services.pictures) == 3


def test_one_label_may_be_given_to_the_whole_list(tmp_path):
    path = as_csv(
        tmp_path / "list.csv", [{"URL": "http://h/1.jpg"}, {"URL": "http://h/2.jpg"}, {"URL": "http://h/1.jpg"}]
    )
    items = list(urls.items(str(path), "cars", Options()))
    assert [(item.label, item.source_id) for item in items] == [("cars", "http://h/1.jpg"), ("cars", "http://h/2.jpg")]


def test_the_limit_counts_per_label(tmp_path):
    rows = [{"url": f"http://h/{number}.jpg", "label": "ab"[number % 2]} for number in range(10)]
    items = urls.items(str(as_csv(tmp_path / "list.csv", rows)), "", Options(limit=2))
    assert [item.label for item in items] == ["a", "b", "a", "b"]


def test_a_row_without_an_address_is_a_failed_picture_with_the_number_of_its_line(services, tmp_path):
    rows = [{"url": f"{services.url}/p/{label}.png", "label": label} for label in ("cars", "tanks")]
    rows += [{"url": bad, "label": "cars"} for bad in ("", "file:///etc/passwd", "javascript:alert(1)", "data:,")]
    table = scrape.collect(f"urls:{as_csv(tmp_path / 'list.csv', rows)}", into="pets", options=LOOPBACK)
    records = [json.loads(line) for line in (table.root / "ledger.jsonl").read_text().splitlines()]
    reasons = [record["reason"] for record in records if record["status"] == "failed"]
    assert len(table) == 2 and len(reasons) == 4
    assert "line 5 of list.csv: expected an address that begins with http, got 'file:///etc/passwd'" in reasons


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list.csv", "url,label\nhttp://h/1,\n", "line 2 of list.csv: expected a label"),
        ("list.csv", "url,label\nhttp://h/1,cars\nhttp://h/2,../up\n", "line 3 of list.csv: expected a label"),
        ("list.csv", "address,label\nhttp://h/1,cars\n", "line 2 .*expected a column url, got address, label"),
        ("list.csv", "url,label\nhttp://h/1,cars,more\n", "line 2 .*as many cells as the header"),
        ("list.csv", 'url,label\n"http://h/1,cars\n', "line 2 .*expected CSV"),
        ("list.csv", "url,label\n", "expected addresses of pictures in list.csv, found none"),
        ("list.csv", "", "found none"),
        ("list.jsonl", '{"url": "http://h/1", "label": "a"}\n{"url": ', "line 2 of list.jsonl: expected JSON"),
        ("list.jsonl", "[1]\n", r"line 1 .*expected a JSON object, got '\[1\]'"),
        ("list.jsonl", '\n{"url": "http://h/1", "label": null}\n', "line 2 of list.jsonl: expected a label"),
        ("list.txt", "http://h/1\n", "expected a list that ends in .csv, .jsonl, .ndjson"),
        (".csv/gone.csv", None, "expected a list at .*No such file"),
    ],
)
def test_a_list_that_cannot_be_read_is_told_with_the_line(name, text, message, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=message):
        list(urls.items(str(tmp_path / name), "", Options()))


def test_bytes_that_are_no_text_are_told(tmp_path):
    (tmp_path / "list.csv").write_bytes(b"url,label\nhttp://h/\xff,cars\n")
    with pytest.raises(SourceError, match="expected list.csv in UTF-8"):
        list(urls.items(str(tmp_path / "list.csv"), "", Options()))


def test_a_list_written_by_a_spreadsheet_is_read(tmp_path):
    (tmp_path / "list.csv").write_bytes("\ufeffURL,Label\r\nhttp://h/é.jpg,cars\r\n".encode())
    assert [item.label for item in urls.items(str(tmp_path / "list.csv"), "", Options())] == ["cars"]


def test_pictures_written_into_their_address_are_marked_and_their_address_is_not_kept(tmp_path):
    large = encoded(coloured(1, 2, side=400))  # a cell longer than CSV readers take by default
    rows = [{"url": as_data(), "label": "a"}, {"url": as_data(large), "label": "b"}, {"url": as_data(), "label": "a"}]
    assert len(rows[1]["url"]) > csv.field_size_limit()
    before = csv.field_size_limit()
    dataset = scrape.collect(f"urls:{as_csv(tmp_path / 'list.csv', rows)}", into="pets")
    table = dataset.table
    assert csv.field_size_limit() == before
    assert table["resolution"].tolist() == ["thumbnail", "thumbnail"]
    assert table["url"].tolist() == ["", ""]
    assert table["bytes"].tolist() == [len(PNG), len(large)]
    assert "base64" not in (dataset.root / "ledger.jsonl").read_text()


# data: addresses


@pytest.mark.parametrize(
    "address",
    [
        as_data(),
        as_data().replace("data:", "DATA:"),
        as_data().rstrip("="),
        as_data().replace("+", "-").replace("/", "_").replace("image_png", "image/png"),
        as_data().replace(";base64", ";charset=x;BASE64"),
        as_data().replace("image/png", ""),
        as_data()[:60] + "\n " + as_data()[60:],
        as_data().replace("+", "%2B"),
        f"data:image/png,{quote_from_bytes(PNG)}",
    ],
)
def test_a_picture_is_read_from_its_address_however_it_is_written(address):
    assert datauri.decode(address, max_bytes=len(PNG)) == PNG


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("data:image/svg+xml,<svg/>", r"not a picture in a format that is read \(data:image/svg\+xml\)"),
        (as_data(b"<svg onload='x'/>"), "not a picture"),
        ("data:image/png;base64,****", "damaged: not base64"),
        ("data:image/png;base64,A", "damaged"),
        ("data:image/png;base64", "expected an address such as data:"),
        ("http://h/1.png", "expected an address such as data:"),
        (as_data(PNG + bytes(100)), "more than the limit"),
        ("data:image/png;base64," + "A" * 100_000, "more than the limit"),
    ],
)
def test_an_address_that_holds_no_picture_is_refused(address, message):
    with pytest.raises(SourceError, match=message):
        datauri.decode(address, max_bytes=len(PNG))


# imagefolder:


@pytest.fixture
def pictures(tmp_path):
    """Pictures beside each other, without class folders."""
    for split in ("train", "test"):
        (tmp_path / "pets" / split).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "pets" / split / f"{number}.png").write_bytes(encoded(coloured(0, number + 10 * len(split))))
    return tmp_path / "pets"


@pytest.mark.parametrize(("write", "name"), [(as_csv, "metadata.csv"), (as_lines, "metadata.jsonl")])
def test_metadata_labels_the_pictures_of_its_folder(write, name, pictures):
    for split in ("train", "test"):
        rows = [{"file_name": f"{number}.png", "label": "cat" if number else "dog"} for number in range(3)]
        write(pictures / split / name, rows)
    table = scrape.collect(f"imagefolder:{pictures}", into="mine").table
    assert table["label"].tolist() == ["cat"] * 4 + ["dog"] * 2
    assert sorted(table["split"]) == ["test"] * 3 + ["train"] * 3
    assert set(table["source"]) == {"imagefolder"}


def test_metadata_above_the_pictures_names_their_paths_and_what_else_is_known(pictures):
    rows = [{"file_name": "train/0.png", "label": "cat", "license": "CC BY 4.0", "creator": "Ann"}]
    rows += [{"file_name": "./test/1.png", "label": "dog", "license": "", "creator": ""}]
    as_csv(pictures / "metadata.csv", rows)
    table = scrape.collect(f"imagefolder:{pictures}", into="mine").table
    assert table["label"].tolist() == ["cat", "dog"]
    assert table["attribution"].tolist() == ["Untitled by Ann, CC BY 4.0", ""]


def test_without_metadata_the_class_folders_label_the_pictures(pictures):
    (pictures / "train").rename(pictures / "cat")
    (pictures / "test").rename(pictures / "dog")
    items = list(imagefolder.items(str(pictures), "", Options(limit=2)))
    assert [item.label for item in items] == ["cat", "cat", "dog", "dog"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"file_name": "train/9.png", "label": "cat"}, "line 2 of metadata.csv: expected a picture train/9.png"),
        ({"file_name": "../../etc/passwd", "label": "cat"}, "expected a picture ../../etc/passwd"),
        ({"file_name": "/etc/passwd", "label": "cat"}, "expected a picture /etc/passwd"),
        ({"file_name": "train/0.png", "label": ""}, "line 2 of metadata.csv: expected a label"),
        ({"file": "train/0.png", "label": "cat"}, "expected a column file_name, got file, label"),
    ],
)
def test_a_line_of_metadata_that_is_wrong_is_told(row, message, pictures):
    as_csv(pictures / "metadata.csv", [row])
    with pytest.raises(SourceError, match=message):
        list(imagefolder.items(str(pictures), "", Options()))
