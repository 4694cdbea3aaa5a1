"""One rule for folders, archives and buckets: what is a picture, what is a class, and what is passed over."""

import os
import re
import struct
import tarfile
import unicodedata
import zipfile
import zlib

import fsspec
import pytest
from packs import archive, folder, picture, raw_zip

from toolkit import scrape
from toolkit.errors import SourceError
from toolkit.images import kinds
from toolkit.scrape import Item, Options, places
from toolkit.scrape import folder as source

KINDS = ["folder", ".zip", ".tar", ".tar.gz", "bucket"]


@pytest.fixture(params=KINDS)
def place(request, tmp_path):
    """Makes a place of each kind from files by name, and gives its name."""

    def make(files):
        if request.param == "folder":
            return folder(tmp_path / "pets", files)
        if request.param == "bucket":
            store = fsspec.filesystem("memory")
            store.store.clear()
            for name, content in files.items():
                store.pipe(f"/bucket/pets/{name}", content)
            return "memory://bucket/pets"
        return archive(tmp_path / f"pets{request.param}", files)

    return make


def read(place, label=""):
    """Split, label and number of bytes of every picture of a place, by its name; and what is passed over, by reason."""
    pictures, passed = {}, {}
    for one in source.items(str(place), label, Options()):
        if isinstance(one, Item):
            pictures[source.name_within(one)] = one.split, one.label, len(one.read())
        else:
            passed.setdefault(one.reason, []).append(one.name)
    return pictures, passed


def labels(place):
    return sorted({label for _, label, _ in read(place)[0].values()})


def test_every_kind_of_place_takes_the_same_and_passes_over_the_same(place):
    taken = {"cat/1.png": 3, "cat/no ending": 4, "dog/2.jpg?width=640": 5, "dog/3.JPG": 6}
    rubbish = ["cat/.hidden.jpg", "@eaDir/cat/1.png", "@eaDir/cat/2.png", "cat/Thumbs.db", "dog/film.MOV", "dog/b.mov"]
    files = {name: picture(shade) for name, shade in (taken | {"cover.png": 7}).items()}
    pictures, passed = read(place(files | dict.fromkeys(rubbish, b"x") | {"README": b"read me"}))
    assert {name: entry[:2] for name, entry in pictures.items()} == {name: ("", name[:3]) for name in taken}
    assert {name: entry[2] for name, entry in pictures.items()} == {name: len(files[name]) for name in taken}
    assert {reason: sorted(names) for reason, names in passed.items()} == {
        "hidden": ["cat/.hidden.jpg"],
        "of the system": ["@eaDir", "cat/Thumbs.db"],
        "ending .mov": ["dog/b.mov", "dog/film.MOV"],
        "no ending, and no picture": ["README"],
        "in no class folder": ["cover.png"],
    }


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["train/1.png", "car/2.png", "plane/3.png"], [("", "train"), ("", "car"), ("", "plane")]),
        (
            ["train/train/1.png", "train/car/2.png", "test/car/3.png"],
            [("train", "train"), ("train", "car"), ("test", "car")],
        ),
        (["cat/train/1.png", "cat/val/2.png", "dog/train/3.png"], [("train", "cat"), ("val", "cat"), ("train", "dog")]),
        (["p/TRAINING/cat/1.png", "p/dev/dog/2.png"], [("train", "cat"), ("val", "dog")]),
    ],
)
def test_a_folder_is_a_split_unless_others_lie_on_its_level(place, names, found):
    mixed = any("car" in name for name in names)
    made = place({name: picture(shade) for shade, name in enumerate(names)})
    if not mixed:
        assert [read(made)[0][name][:2] for name in names] == found
        return
    with pytest.warns(UserWarning, match="took train for a class and not for a split, since car lies on its level"):
        assert [read(made)[0][name][:2] for name in names] == found


def test_classes_on_two_levels_are_refused_before_anything_is_kept(place):
    made = place({"cars/red/1.png": picture(1), "cars/blue/2.png": picture(2), "tanks/3.png": picture(3)})
    with pytest.raises(SourceError, match="one level in .*pets.*, got cars/(red|blue)/.*and tanks/3.png"):
        scrape.collect(f"folder:{made}", into="mine")


def test_folders_of_one_name_become_one_class_with_a_word(place):
    made = place({"a/good/1.png": picture(1), "b/good/2.png": picture(2), "a/bad/3.png": picture(3)})
    with pytest.warns(UserWarning, match="took a/good and b/good for one class, 'good'"):
        assert labels(made) == ["bad", "good"]


def test_a_folder_without_pictures_is_named_with_the_reason(place):
    pets = {"cat/1.png": picture(1), "dog/2.png": picture(2)}
    made = place(pets | {"annotations/1.xml": b"<a/>", "cow/deep/1.raw": b"x"})
    with pytest.warns(UserWarning, match=r"no pictures in annotations \(1 × ending .xml\), cow \(1 × ending .raw\)"):
        assert labels(made) == ["cat", "dog"]


def test_a_place_without_pictures_is_refused_with_what_is_there(place):
    with pytest.raises(SourceError, match=r"found none; passed over: 2 × ending .xml, 1 × hidden"):
        read(place({"cat/1.xml": b"x", "cat/2.xml": b"x", "dog/.1.jpg": b"x"}))


def test_without_its_reader_heic_is_passed_over_with_the_line_that_installs_it(place, monkeypatch):
    files = {"cat/1.png": picture(1), "cat/2.HEIC": b"x", "dog/3.png": picture(3), "dog/4.heif": b"x"}
    monkeypatch.setattr(kinds, "ENDINGS", tuple(one for one in kinds.ENDINGS if one not in kinds.HEIC_ENDINGS))
    ((reason, names),) = read(place(files))[1].items()
    assert names == ["cat/2.HEIC", "dog/4.heif"]
    assert re.fullmatch(r"HEIC; `pip install .*\[heic\].*` reads it", reason)


def test_an_accent_makes_no_other_class_however_it_is_written(place):
    files = {unicodedata.normalize(form, "café") + f"/{form}.png": picture(len(form)) for form in ("NFC", "NFD")}
    files |= {unicodedata.normalize(form, "café") + "/same.png": picture(9) for form in ("NFC", "NFD")}
    made = place(files | {"tea/1.png": picture(1)})
    assert labels(made) == ["café", "tea"]
    found = [one for one in source.items(str(made), "", Options()) if isinstance(one, Item)]
    assert len({one.key for one in found}) == 5


def test_loose_pictures_of_one_label_need_no_folders(place):
    pictures, _ = read(place({"1.png": picture(1), "train/2.png": picture(2), "young/3.png": picture(3)}), label="cat")
    assert {name: entry[:2] for name, entry in pictures.items()} == {
        "1.png": ("", "cat"),
        "train/2.png": ("train", "cat"),
        "young/3.png": ("", "cat"),
    }


# What only one kind of place has


def linked(root):
    """A folder with links: to a file, to nothing, out of it, to a folder, and in a circle."""
    made = folder(root / "pets", {"cat/1.png": picture(1), "cat/2.png": picture(2), "dog/3.png": picture(3)})
    os.link(made / "cat/1.png", made / "dog/hard.png")
    (made / "dog/soft.png").symlink_to("../cat/2.png")
    (made / "dog/chain.png").symlink_to("soft.png")
    (made / "dog/gone.png").symlink_to("nothing.png")
    (made / "dog/round.png").symlink_to("round.png")
    (made / "dogs").symlink_to("dog")
    return made


@pytest.mark.parametrize("packed", ["", ".tar", ".tar.gz", ".tar.xz"])
def test_links_within_a_place_give_what_they_lead_to(tmp_path, packed):
    made = linked(tmp_path)
    if packed:
        with tarfile.open(tmp_path / f"pets{packed}", f"w:{packed[5:]}") as pack:
            pack.add(made, arcname=".")
    pictures, passed = read(tmp_path / f"pets{packed}")
    sizes = {name: entry[2] for name, entry in pictures.items()}
    assert sorted(sizes) == [*(f"cat/{n}.png" for n in "12"), *(f"dog/{n}.png" for n in ("3", "chain", "hard", "soft"))]
    assert sizes["dog/hard.png"] == sizes["cat/1.png"] and sizes["dog/chain.png"] == len(picture(2))
    assert {reason: sorted(names) for reason, names in passed.items()} == {
        "link to nothing": ["dog/gone.png", "dog/round.png"],
        "link to a folder that is read anyway": ["dogs"],
    }


def test_links_within_a_zip_give_what_they_lead_to(tmp_path):
    made = archive(tmp_path / "pets.zip", {"cat/1.png": picture(1), "dog/2.png": picture(2)})
    with zipfile.ZipFile(made, "a") as pack:
        for name, target in (("dog/soft.png", "../cat/1.png"), ("dog/out.png", "/etc/passwd")):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            pack.writestr(info, target)
    pictures, passed = read(made)
    assert sorted(pictures) == ["cat/1.png", "dog/2.png", "dog/soft.png"]
    assert passed == {"link to nothing": ["dog/out.png"]}


@pytest.mark.parametrize(
    ("names", "encoding", "warned"),
    [
        (["café", "thé"], "utf-8", ""),
        (["猫", "ネコ", "犬 2"], "cp932", "read as Shift-JIS: 猫"),
        (["café", "köln", "señal", "ÖL"], "cp437", "read as code page 437: café"),
        (["Ärger"], "cp437", "read as code page 437: Ärger"),
    ],
)
def test_names_of_a_zip_are_read_as_they_decode_best(tmp_path, recwarn, names, encoding, warned):
    members = [(f"{name}/1.png".encode(encoding), picture(shade)) for shade, name in enumerate(names)]
    assert labels(raw_zip(tmp_path / "old.zip", members)) == sorted(names)
    assert [warned in str(one.message) for one in recwarn] == [True] * bool(warned)


def test_a_zip_that_names_its_members_in_utf_8_as_well_is_believed(tmp_path):
    def also(name):
        text = name.decode("latin-1").encode()
        body = struct.pack("<BI", 1, zlib.crc32(name)) + text
        return struct.pack("<HH", 0x7075, len(body)) + body

    made = raw_zip(tmp_path / "new.zip", [("thé/1.png".encode("latin-1"), picture(1))], extra=also)
    assert labels(made) == ["thé"]


def test_backslashes_of_old_tools_are_folders(tmp_path):
    members = [(rf"pictures\{label}\1.png".encode(), picture(len(label))) for label in ("cars", "tanks")]
    made = raw_zip(tmp_path / "win.zip", [*members, (b"pictures\\tanks\\", b"")])
    assert sorted(read(made)[0]) == ["pictures/cars/1.png", "pictures/tanks/1.png"]


def test_of_two_members_of_one_name_the_later_counts(tmp_path):
    members = [(b"cat/1.png", picture(1)), (b"dog/2.png", picture(2)), (b"cat/1.png", picture(1) + b"later")]
    pictures, passed = read(raw_zip(tmp_path / "twice.zip", members))
    assert pictures["cat/1.png"][2] == len(picture(1)) + 5
    assert passed == {"replaced by a later file of its name": ["cat/1.png"]}


def test_a_zip_with_a_password_says_so(tmp_path):
    made = raw_zip(tmp_path / "locked.zip", [(b"cat/1.png", picture(1)), (b"dog/2.png", picture(2))], flags=1)
    with pytest.raises(SourceError, match="found none; passed over: 2 × has a password"):
        read(made)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "cut.zip",
            b"PK\x03\x04" + bytes(200),
            "a whole zip at .*, got one whose end is missing; fetch it again",
        ),
        ("pets.rar", b"Rar!\x1a\x07\0", "got a RAR archive; unpack it"),
        ("pets.7z", b"7z\xbc\xaf\x27\x1c", "got a 7z archive; unpack it"),
        ("pets.txt", b"cats", "got another kind of file"),
    ],
)
def test_what_is_no_whole_archive_is_called_what_it_is(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        read(tmp_path / name)


def test_a_zip_in_a_bucket_is_read_where_it_lies(tmp_path):
    store = fsspec.filesystem("memory")
    made = archive(tmp_path / "pets.zip", {"cat/1.png": picture(1), "dog/2.png": picture(2)})
    store.pipe("/bucket/pets.zip", made.read_bytes())
    table = scrape.collect("folder:memory://bucket/pets.zip", into="mine")
    assert table.classes == ("cat", "dog")
    with pytest.raises(SourceError, match="found nothing"):
        read("memory://bucket/nothing.zip")


def test_a_packed_tar_is_read_onwards_whatever_its_links(tmp_path, monkeypatch):
    with tarfile.open(tmp_path / "pets.tar.gz", "w:gz") as pack:
        pack.add(linked(tmp_path), arcname="pets")
    reads, real = [], tarfile.TarFile.extractfile

    def extracted(self, info):
        reads.append(info.offset_data)
        return real(self, info)

    monkeypatch.setattr(tarfile.TarFile, "extractfile", extracted)
    with places.listed(tmp_path / "pets.tar.gz") as (found, _):
        for file in found:
            file.open().close()
    assert reads == sorted(set(reads)) and len(reads) == 3


# What was passed over is kept and shown


def test_what_was_passed_over_is_kept_by_source_and_written_anew_with_it(tmp_path):
    cats = folder(tmp_path / "cats", {"1.png": picture(1), "a.mov": b"x", "b.mov": b"x"})
    dogs = folder(tmp_path / "dogs", {"2.png": picture(2), ".x": b"x"})
    scrape.collect([f"folder:{cats}=cat", f"folder:{dogs}=dog"], into="mine")
    assert scrape.passed_over("mine").to_dict(orient="records") == [
        {"source": "folder:cats=cat", "reason": "ending .mov", "files": 2, "example": "a.mov"},
        {"source": "folder:dogs=dog", "reason": "hidden", "files": 1, "example": ".x"},
    ]
    (cats / "a.mov").unlink()
    scrape.collect([f"folder:{cats}=cat"], into="mine")
    assert scrape.passed_over("mine")["files"].tolist() == [1, 1]
    assert str(tmp_path) not in (tmp_path / "home/data/mine/passed_over.json").read_text()


def test_two_places_of_one_name_are_counted_together(tmp_path):
    places = [tmp_path / above / "pets" for above in ("one", "two")]
    for shade, place in enumerate(places):
        folder(place, {"cat/1.mov": b"x", f"cat/{shade}.png": picture(shade), f"dog/{shade}.png": picture(50 + shade)})
    folder(places[1], {"dog/1.xml": b"x"})
    for _ in range(2):
        scrape.collect([f"folder:{place}" for place in places], into="mine")
        rows = scrape.passed_over("mine")[["source", "reason", "files"]].to_numpy().tolist()
        assert rows == [["folder:pets", "ending .mov", 2], ["folder:pets", "ending .xml", 1]]


def test_a_limit_says_how_many_it_left(tmp_path):
    files = {f"{label}/{n}.png": picture(n + 100 * len(label)) for label in ("cat", "horse") for n in range(4)}
    scrape.collect(f"folder:{folder(tmp_path / 'pets', files)}", into="mine", options=Options(limit=3))
    assert scrape.passed_over("mine")[["reason", "files"]].to_numpy().tolist() == [["beyond the limit of 3", 2]]
