"""Pictures that are on this machine already: class folders and archives of them, honest or not."""

import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from packs import archive, folder, picture
from PIL import Image

from toolkit import manifest, paths, scrape
from toolkit.errors import DatasetError, SourceError
from toolkit.scrape import Options
from toolkit.scrape.folder import bounded
from toolkit.scrape.places import File

PETS = {"cat/1.png": picture(1), "cat/2.png": picture(2), "dog/3.png": picture(3)}


def collect(*places, **options):
    return scrape.collect([f"folder:{place}" for place in places], into="pets", options=Options(**options))


def contents(root):
    """Every file below a folder."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def told(dataset):
    """How many files were passed over for each reason, and the first of them."""
    table = scrape.passed_over(dataset)
    return {row.reason: (row.files, row.example) for row in table.itertuples()}


def per_class(table):
    return table.table["label"].value_counts().sort_index().to_dict()


def test_class_folders_become_a_dataset(tmp_path):
    table = collect(folder(tmp_path / "pets", PETS))
    assert table.root == tmp_path / "home" / "data" / "pets"
    assert table.classes == ("cat", "dog")
    assert per_class(table) == {"cat": 2, "dog": 1}
    assert set(table.table["status"]) == {"new"} and set(table.table["source"]) == {"folder"}
    for place, row in zip(table.files, table.table.itertuples(), strict=True):
        assert place.read_bytes() in PETS.values()
        assert place.name == f"{row.sha256}.png" and row.bytes == place.stat().st_size
    assert contents(table.root / "raw") == sorted(path.removeprefix("raw/") for path in table.table["path"])
    assert contents(tmp_path / "pets") == sorted(PETS)


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_an_archive_gives_what_its_folder_gives(tmp_path, ending):
    table = collect(archive(tmp_path / f"pets{ending}", {f"pets/{name}": content for name, content in PETS.items()}))
    assert per_class(table) == {"cat": 2, "dog": 1}
    assert all(file.read_bytes() in PETS.values() for file in table.files)


@pytest.mark.parametrize(
    ("name", "split"),
    [("train", "train"), ("val", "val"), ("validation", "val"), ("valid", "val"), ("dev", "val")]
    + [("test", "test"), ("Test", "test"), ("TRAINING", "train"), ("testing", "test"), ("holdout", "")],
)
def test_a_split_above_the_classes_is_kept(tmp_path, name, split):
    table = collect(folder(tmp_path / "pets", {f"{name}/{file}": content for file, content in PETS.items()}))
    assert per_class(table) == {"cat": 2, "dog": 1}
    assert set(table.table["split"]) == {split}


def test_files_that_are_no_pictures_of_the_person_are_left_alone(tmp_path):
    rubbish = {"cat/.hidden.jpg": b"x", "cat/._1.png": b"x", "cat/notes.txt": b"x", "Thumbs.db": b"x"}
    rubbish |= {"__MACOSX/cat/._1.png": b"x", ".cache/dog/1.png": b"x", "cat/.DS_Store": b"x"}
    assert per_class(collect(folder(tmp_path / "pets", PETS | rubbish))) == {"cat": 2, "dog": 1}
    assert per_class(collect(archive(tmp_path / "pets.zip", PETS | rubbish))) == {"cat": 2, "dog": 1}


def test_a_file_that_only_claims_to_be_a_picture_becomes_a_row(tmp_path):
    table = collect(folder(tmp_path / "pets", PETS | {"dog/words.jpg": b"These are words.", "dog/none.jpg": b""}))
    assert per_class(table) == {"cat": 2, "dog": 3}
    assert sum(path.endswith(".bin") for path in table.table["path"]) == 2


def test_one_file_under_two_labels_gives_two_rows(tmp_path):
    table = collect(folder(tmp_path / "pets", PETS | {"dog/1.png": PETS["cat/1.png"]}))
    assert per_class(table) == {"cat": 2, "dog": 2}
    assert table.table["sha256"].duplicated().sum() == 1


def test_one_file_twice_under_one_label_gives_one_row(tmp_path):
    assert per_class(collect(folder(tmp_path / "pets", PETS | {"cat/copy.png": PETS["cat/1.png"]})))["cat"] == 2


def test_a_limit_counts_per_class(tmp_path):
    files = {f"{label}/{number}.png": picture(number) for label in ("cat", "dog") for number in range(5)}
    assert per_class(collect(folder(tmp_path / "pets", files), limit=3)) == {"cat": 3, "dog": 3}


def test_loose_pictures_take_the_label_they_are_given(tmp_path):
    cats = folder(tmp_path / "one", {"1.png": picture(1)})
    dogs = folder(tmp_path / "two=2", {"2.png": picture(2), "young/3.png": picture(3)})
    table = scrape.collect([f"folder:{cats}=cat", f"folder:{dogs}=dog"], into="pets")
    assert per_class(table) == {"cat": 1, "dog": 2}


def test_an_equals_sign_in_a_folders_name_is_no_label(tmp_path):
    files = {f"a=b/{name}": content for name, content in PETS.items()}
    assert collect(folder(tmp_path, files) / "a=b").classes == ("cat", "dog")
    assert collect(folder(tmp_path / "x", {"p=q/1.png": picture(7)})).classes == ("cat", "dog", "p=q")


# What is asked for is not there


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "found none"),
        ({"1.png": picture(1)}, "class folders such as"),
        ({"train/1.png": picture(1)}, "class folders such as"),
        ({"cat/1.txt": b"x"}, "found none"),
    ],
)
def test_a_folder_without_labelled_pictures_is_refused(tmp_path, files, message):
    (tmp_path / "pets").mkdir()
    with pytest.raises(SourceError, match=message):
        collect(folder(tmp_path / "pets", files))


def test_an_empty_class_folder_is_named(tmp_path):
    folder(tmp_path / "pets", PETS)
    (tmp_path / "pets" / "cow").mkdir()
    with pytest.warns(UserWarning, match=r"no pictures in cow \(1 × empty folder\)"):
        assert collect(tmp_path / "pets").classes == ("cat", "dog")


def test_a_folder_that_is_not_there_and_a_file_that_is_no_archive_are_refused(tmp_path):
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7")
    for place, message in (("nothing", "found nothing"), ("letter.pdf", "another kind of file")):
        with pytest.raises(SourceError, match=message):
            collect(tmp_path / place)


def test_one_class_only_is_kept_and_another_comes_later(tmp_path):
    cats = folder(tmp_path / "cats", {"cat/1.png": picture(1)})
    assert collect(cats).classes == ("cat",)
    assert collect(folder(tmp_path / "dogs", {"dog/1.png": picture(2)})).classes == ("cat", "dog")


def test_a_folder_whose_name_is_no_text_is_refused_in_words(tmp_path):
    place = os.fsencode(folder(tmp_path / "pets", PETS)) + b"/caf\xe9"
    os.mkdir(place)  # noqa: PTH102 - a Path cannot be made of these bytes
    Path(os.fsdecode(place), "1.png").write_bytes(picture(9))
    with pytest.raises(DatasetError, match="label"):
        collect(tmp_path / "pets")


def test_a_picture_whose_name_is_no_text_is_kept(tmp_path):
    pets = folder(tmp_path / "pets", PETS)
    Path(os.fsdecode(os.fsencode(pets) + b"/cat/\xe9.png")).write_bytes(picture(9))
    assert per_class(collect(pets)) == {"cat": 3, "dog": 1}
    assert per_class(manifest.load("pets")) == {"cat": 3, "dog": 1}


# Dishonest archives


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_members_that_lead_outside_write_nothing_outside(tmp_path, ending):
    evil = {"../../evil.png": picture(8), "/evil.png": picture(9), "cat/../../../evil.png": picture(10)}
    pack = archive(tmp_path / f"pets{ending}", {"cat/1.png": picture(1)} | evil)
    table = scrape.collect([f"folder:{pack}=cat", f"folder:{folder(tmp_path / 'more', PETS)}"], into="pets")
    assert all(path.startswith(("raw/cat/", "raw/dog/")) for path in table.table["path"])
    assert not list(tmp_path.rglob("evil*"))
    assert all(name.startswith(("home/data/pets/", "more/", pack.name)) for name in contents(tmp_path))


@pytest.mark.parametrize("ending", [".zip", ".tar"])
@pytest.mark.parametrize("name", ["../../evil.png", "/evil.png", "cat/../evil.png", "C:\\evil.png"])
def test_a_member_that_leads_outside_lies_at_the_top_and_is_in_no_class(tmp_path, name, ending):
    table = collect(archive(tmp_path / f"pets{ending}", PETS | {name: picture(9)}))
    assert per_class(table) == {"cat": 2, "dog": 1}
    assert told("pets") == {"in no class folder": (1, "evil.png")}
    assert not list(tmp_path.rglob("evil*"))


def test_links_and_devices_in_a_tar_are_no_pictures(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(200))
    with tarfile.open(tmp_path / "pets.tar", "w") as pack:
        pack.add(folder(tmp_path / "pets", PETS), arcname="pets")
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            member = tarfile.TarInfo(f"pets/cat/link{ord(kind)}.png")
            member.type, member.linkname = kind, str(secret)
            pack.addfile(member)
    assert per_class(collect(tmp_path / "pets.tar")) == {"cat": 2, "dog": 1}
    assert {reason: count for reason, (count, _) in told("pets").items()} == {"link to nothing": 2, "pipe or device": 2}


def test_an_archive_that_grows_beyond_measure_is_refused(tmp_path):
    pack = tmp_path / "pets.zip"
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as bomb:
        for label in ("cat", "dog"):
            bomb.writestr(f"{label}/1.bmp", bytes(3_000_000))
    with pytest.raises(SourceError, match="grows at most 200 times"):
        collect(pack)


def test_a_member_beyond_the_limit_of_bytes_is_a_failure_in_the_ledger(tmp_path):
    table = collect(archive(tmp_path / "pets.tar", PETS | {"dog/big.png": bytes(5000)}), max_bytes=4000)
    assert per_class(table) == {"cat": 2, "dog": 1}
    assert "more than the limit of 4,000 bytes" in (table.root / "ledger.jsonl").read_text()


@pytest.mark.parametrize("told", [10, 100])
def test_the_limit_of_bytes_is_the_last_that_passes_whatever_size_is_told(told):
    def file(size):
        return File(("cat", "1.png"), "v", told, lambda: io.BytesIO(bytes(size)))

    assert bounded(file(100), 100) == bytes(100)
    with pytest.raises(SourceError, match="more than the limit of 100 bytes"):
        bounded(file(101), 100)


def test_a_damaged_member_costs_itself_only(tmp_path):
    pack = archive(tmp_path / "pets.zip", PETS)
    content = pack.read_bytes()
    place = content.index(PETS["cat/2.png"]) + 60
    pack.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
    table = collect(pack)
    assert per_class(table) == {"cat": 1, "dog": 1}
    assert "Bad CRC-32" in (table.root / "ledger.jsonl").read_text()


def test_a_truncated_archive_is_refused_in_words(tmp_path):
    noise = {f"{label}/{n}.png": os.urandom(3000) for label in ("cat", "dog") for n in range(4)}
    for ending in (".tar", ".tar.gz", ".tar.xz", ".zip"):
        pack = archive(tmp_path / f"pets{ending}", noise)
        pack.write_bytes(pack.read_bytes()[:-7000])  # in the midst of a member
        with pytest.raises(SourceError, match="expected"):
            collect(pack)
    damaged = tmp_path / "damaged.tar.gz"
    damaged.write_bytes(gzip.compress(b"pets" * 1000)[:40])
    with pytest.raises(SourceError, match="expected"):
        collect(damaged)


def test_links_to_nothing_and_round_in_circles_are_passed_over(tmp_path):
    pets = folder(tmp_path / "pets", PETS)
    (pets / "cat" / "gone.png").symlink_to(tmp_path / "nothing.png")
    (pets / "cat" / "up").symlink_to(pets)
    (pets / "dog" / "linked.png").symlink_to(pets / "cat" / "1.png")
    assert per_class(collect(pets)) == {"cat": 2, "dog": 2}


# Again


@pytest.mark.parametrize("packed", [False, True])
def test_a_second_run_adds_and_changes_nothing(tmp_path, packed):
    place = archive(tmp_path / "pets.zip", PETS) if packed else folder(tmp_path / "pets", PETS)
    first = collect(place)
    before = {path: (first.root / path).read_bytes() for path in contents(first.root)}
    second = collect(place)
    assert {path: (second.root / path).read_bytes() for path in contents(second.root)} == before


def test_pictures_that_come_later_are_added_and_the_classes_keep_their_order(tmp_path):
    place = folder(tmp_path / "pets", PETS)
    table = collect(place)
    table.assign(status="ok", split="train").save()
    folder(place, {"ant/1.png": picture(20), "cat/9.png": picture(21)})
    table = collect(place)
    assert table.classes == ("cat", "dog", "ant")
    assert per_class(table) == {"ant": 1, "cat": 3, "dog": 1}
    assert len(table.where(status="ok", split="train")) == 3 and len(table.where(status="new")) == 2


def test_a_picture_that_was_lost_is_brought_again(tmp_path):
    table = collect(folder(tmp_path / "pets", PETS))
    table.files[0].unlink()
    assert all(file.exists() for file in collect(tmp_path / "pets").files)


def test_a_picture_that_a_loss_of_power_left_empty_is_brought_again(tmp_path):
    file = collect(folder(tmp_path / "pets", PETS)).files[0]
    content = file.read_bytes()
    file.write_bytes(b"")
    collect(tmp_path / "pets")
    assert file.read_bytes() == content


def test_a_link_that_leads_out_of_the_folder_is_followed_only_if_that_is_allowed(tmp_path):
    for label in ("cars", "tanks"):
        (tmp_path / "elsewhere" / label).mkdir(parents=True)
        Image.new("RGB", (40, 40), (len(label) * 30, 0, 0)).save(tmp_path / "elsewhere" / label / "1.png")
    place = tmp_path / "pictures"
    place.mkdir()
    for label in ("cars", "tanks"):
        (place / label).symlink_to(tmp_path / "elsewhere" / label)
    (tmp_path / "elsewhere" / "cars" / "loop").symlink_to(place)
    with pytest.raises(SourceError, match="in its own folder, got cars, a link to .*elsewhere/cars; put a copy there"):
        scrape.collect(f"folder:{place}", into="mine")
    table = scrape.collect(f"folder:{place}", into="mine", options=Options(follow_links=True))
    assert sorted(table.table["label"]) == ["cars", "tanks"]  # the circle is not followed


@pytest.mark.parametrize("kind", ["folder", "imagefolder"])
def test_no_file_from_elsewhere_comes_into_a_dataset_by_a_link(tmp_path, kind):
    secret = tmp_path / "id_rsa"
    secret.write_text("-----BEGIN PRIVATE KEY-----")
    pets = folder(tmp_path / "pets", PETS)
    (pets / "cat" / "key.png").symlink_to(secret)
    with pytest.raises(SourceError, match="got cat/key.png, a link to .*id_rsa"):
        scrape.collect(f"{kind}:{pets}", into="mine")
    assert not (paths.dataset("mine") / "raw").exists()


def test_a_file_that_was_too_large_is_told_of_and_tried_again_when_more_is_allowed(tmp_path):
    for label in ("cars", "tanks"):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        Image.new("RGB", (40, 40), (len(label) * 30, 0, 0)).save(tmp_path / "pictures" / label / "1.png")
    Image.effect_noise((200, 200), 90).save(tmp_path / "pictures" / "cars" / "large.png")
    source = f"folder:{tmp_path / 'pictures'}"
    assert len(scrape.collect(source, into="mine", options=Options(max_bytes=5000))) == 2
    assert scrape.in_words("mine") == "1 could not be had (1 more than the limit of 5,000 bytes)"
    assert len(scrape.collect(source, into="mine")) == 3
    assert scrape.in_words("mine") == ""


# Moved by a person


def test_a_picture_that_was_moved_to_another_class_changes_its_label(tmp_path):
    files = {f"{label}/{n}.png": picture(n + 50 * len(label)) for label in ("cat", "horse") for n in range(3)}
    place = folder(tmp_path / "pets", files)
    table = collect(place)
    table.assign(status="ok", split="train").save()
    (place / "cat/0.png").rename(place / "horse/moved.png")
    table = collect(place)
    before, after = (f"raw/{label}/{hashlib.sha256(files['cat/0.png']).hexdigest()}.png" for label in ("cat", "horse"))
    rows = table.table.set_index("path")
    assert rows.loc[before, ["status", "reason", "split"]].tolist() == ["excluded", "moved to the class horse", ""]
    assert rows.loc[after, ["status", "reason", "split"]].tolist() == ["new", "", "train"]
    assert (rows["status"] == "ok").sum() == 5
    assert collect(place).table.equals(table.table)
    (place / "horse/moved.png").rename(place / "cat/back.png")
    rows = collect(place).table.set_index("path")
    assert rows.loc[before, ["status", "reason", "split"]].tolist() == ["new", "", "train"]
    assert rows.loc[after, ["status", "reason"]].tolist() == ["excluded", "moved to the class cat"]


def test_a_copy_under_another_class_is_no_move_and_neither_is_a_picture_that_is_gone(tmp_path):
    place = folder(tmp_path / "pets", PETS)
    collect(place)
    (place / "dog/copy.png").write_bytes(PETS["cat/1.png"])
    (place / "cat/2.png").unlink()
    table = collect(place)
    assert set(table.table["status"]) == {"new"} and len(table) == 4


def test_another_place_says_nothing_of_what_was_moved(tmp_path):
    collect(folder(tmp_path / "pets", PETS))
    table = collect(folder(tmp_path / "others", {"dog/1.png": PETS["cat/1.png"], "cow/9.png": picture(9)}))
    assert set(table.table["status"]) == {"new"}
