"""Lists of addresses, pictures written into addresses, and folders with a metadata file."""

import base64
import csv
import json
import shutil
from dataclasses import replace
from urllib.parse import quote_from_bytes

import pytest
from helpers import coloured, encoded
from services import Services

from toolkit import manifest, scrape
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
    items = [one for one in urls.items(str(path), "cars", Options()) if isinstance(one, scrape.Item)]
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


PANDAS = ",url,label\n0,http://h/1,a\n1,http://h/2,b\n"


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (PANDAS, ["a", "b"]),  # with its index
        ("url,label,\nhttp://h/1,a,\nhttp://h/2,b,\n", ["a", "b"]),
        ("url,label\nhttp://h/1,a,\nhttp://h/2,b,,\n", ["a", "b"]),
        ("url;label\nhttp://h/1;a\nhttp://h/2,3;b\n", ["a", "b"]),
        ("url\tlabel\nhttp://h/1\ta, b\n", ["a, b"]),
        ("sep=,\nurl,label\nhttp://h/1,a\n", ["a"]),
        ("sep=|\r\nurl|label\r\nhttp://h/1|a;b\r\n", ["a;b"]),
        ("SEP=;\nurl;label\nhttp://h/1;a\n", ["a"]),
        ("url,label\nhttp://h/1,a\n,\n   \n\nhttp://h/2,b\n , \n", ["a", "b"]),
        (' URL ,"Label"\n"http://h/1","a\nb"\n', None),
    ],
)
def test_a_list_is_read_however_programs_write_it(text, labels, tmp_path):
    (tmp_path / "list.csv").write_text(text)
    if labels:
        assert [item.label for item in urls.items(str(tmp_path / "list.csv"), "", Options())] == labels
    else:
        with pytest.raises(SourceError, match="line 3 of list.csv: expected a label"):
            list(urls.items(str(tmp_path / "list.csv"), "", Options()))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "list.csv",
            "url,label,label\nhttp://h/1,a,b\n",
            "line 1 of list.csv: expected one column of a name, got label twice",
        ),
        (
            "list.csv",
            "sep=;\nurl;Label; label \n",
            "line 2 of list.csv: expected one column of a name, got label twice",
        ),
        ("list.jsonl", '{"url": "http://h/1", "label": "a", "Label": "b"}\n', "line 1 .*got label twice"),
        ("list.jsonl", '{"url": "http://h/1", "label": "a", "label": "b"}\n', "line 1 .*got label twice"),
        (
            "list.csv",
            "url,labels\nhttp://h/1,a\n",
            "line 2 of list.csv: expected a column label, got url, labels; name",
        ),
        ("list.csv", "sep=;\nurl;label\nhttp://h/1;\n", "line 3 of list.csv: expected a label"),
    ],
)
def test_what_a_list_leaves_open_is_refused(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=message):
        list(urls.items(str(tmp_path / name), "", Options()))


def test_halves_of_characters_are_mended_and_stop_nothing(services, tmp_path):
    rows = [{"url": f"{services.url}/p/{n}.png", "label": "cars" if n else "ta\ud83dnks"} for n in range(3)]
    rows[1] |= {"title": "nice \ud83d", "creator": "\ud83d\ude97 car", "license": "CC BY 4.0"}
    made = scrape.collect(f"urls:{as_lines(tmp_path / 'list.jsonl', rows)}", into="pets", options=LOOPBACK)
    assert made.classes == ("cars", "ta\ufffdnks")
    assert set(made.table["title"]) == {"", "nice \ufffd"} and "\U0001f697 car" in set(made.table["creator"])
    assert manifest.load("pets").table.equals(made.table)


def test_an_address_that_is_listed_twice_is_passed_over_with_a_word(tmp_path):
    (tmp_path / "list.csv").write_text("url,label\nhttp://h/1,a\nhttp://h/1,a\nhttp://h/1,b\n")
    found = list(urls.items(str(tmp_path / "list.csv"), "", Options()))
    assert [one.reason for one in found if not isinstance(one, scrape.Item)] == ["listed before"]
    assert [one.label for one in found if isinstance(one, scrape.Item)] == ["a", "b"]


@pytest.mark.parametrize("connections", [1, 8])
def test_a_limit_counts_what_came_and_takes_the_first_that_do(services, tmp_path, connections):
    names = ["gone1", "p/0", "gone2", "p/1", "p/2", "p/3"]
    rows = [{"url": f"{services.url}/{name}.png", "label": "cars", "source_id": name} for name in names]
    rows += [{"url": f"{services.url}/p/{n}.png", "label": "tanks", "source_id": f"t{n}"} for n in range(10, 15)]
    options = replace(LOOPBACK, limit=3, connections=connections)
    for _ in range(2):  # what failed is not tried again, and counts as little
        table = scrape.collect(f"urls:{as_csv(tmp_path / 'list.csv', rows)}", into="pets", options=options).table
        assert sorted(table["source_id"]) == ["p/0", "p/1", "p/2", "t10", "t11", "t12"]


def test_a_class_of_which_nothing_could_be_had_is_named_with_the_reasons(services, tmp_path):
    rows = [{"url": f"{services.url}/p/{label}.png", "label": label} for label in ("cars", "tanks")]
    rows += [{"url": f"{services.url}/gone/{n}.png", "label": "boats"} for n in range(2)] + [
        {"url": "x", "label": "boats"}
    ]
    words = r"nothing of 'boats' could be had \(2 × HTTP 404, 1 × line \d of list.csv: expected an address"
    with pytest.warns(UserWarning, match=words):
        scrape.collect(f"urls:{as_csv(tmp_path / 'list.csv', rows)}", into="pets", options=LOOPBACK)
    table = scrape.collect(f"urls:{as_csv(tmp_path / 'list.csv', rows[:2])}", into="others", options=LOOPBACK)
    assert table.classes == ("cars", "tanks")


def test_bytes_that_are_no_text_are_told(tmp_path):
    (tmp_path / "list.csv").write_bytes(b"url,label\nhttp://h/\xff,cars\n")
    with pytest.raises(SourceError, match="expected list.csv in UTF-8"):
        list(urls.items(str(tmp_path / "list.csv"), "", Options()))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_in_the_encoding_of_a_spreadsheet_is_read(tmp_path, encoding):
    (tmp_path / "list.csv").write_bytes("url\tlabel\r\nhttp://h/1.jpg\tcafé 猫\r\n".encode(encoding))
    assert [item.label for item in urls.items(str(tmp_path / "list.csv"), "", Options())] == ["café 猫"]


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


def test_metadata_in_an_archive_labels_its_pictures(pictures, tmp_path):
    as_csv(
        pictures / "metadata.csv", [{"file_name": rf"train\{n}.png", "label": "cat" if n else "dog"} for n in range(3)]
    )
    pack = shutil.make_archive(tmp_path / "pack", "zip", pictures)
    table = scrape.collect(f"imagefolder:{pack}", into="mine").table
    assert table["label"].tolist() == ["cat", "cat", "dog"] and set(table["split"]) == {"train"}
    assert scrape.passed_over("mine")[["reason", "files"]].to_numpy().tolist() == [["not in the metadata", 3]]


def test_a_missing_picture_costs_its_line_alone(pictures):
    rows = [{"file_name": f"train/{n}.png", "label": "cat" if n % 2 else "dog"} for n in range(5)]
    as_csv(pictures / "metadata.csv", rows)
    assert len(scrape.collect(f"imagefolder:{pictures}", into="mine")) == 3
    assert "line 5 of metadata.csv: expected a picture train/3.png" in scrape.failures("mine")["reason"][0]


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
