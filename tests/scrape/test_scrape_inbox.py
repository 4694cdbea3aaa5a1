"""Pictures without a label: every stage carries them, and training leaves them out."""

import pytest
from helpers import coloured, encoded, facts, untrained
from packs import archive, folder, picture

from toolkit import crossval, dedup, evaluate, learn, manifest, resize, scrape, split, verify
from toolkit.dataset import lost, quality
from toolkit.errors import DatasetError, SourceError
from toolkit.report import html
from toolkit.scrape import Options
from toolkit.training.config import Config

LOOSE = {"a.png": picture(1), "deep/er/b.png": picture(2), "test/c.png": picture(3)}


def inbox(place, **options):
    return scrape.collect([f"inbox:{place}"], into="pets", options=Options(**options))


def noise(place, numbers):
    return {f"{place}-{number}.png": encoded(coloured(place, number)) for number in numbers}


@pytest.fixture
def mixed(tmp_path):
    """12 cars and 10 tanks, and 9 pictures of these without a label."""
    files = {f"cars/{name}": content for name, content in noise(0, range(12)).items()}
    files |= {f"tanks/{name}": content for name, content in noise(1, range(10)).items()}
    loose = noise(0, range(20, 25)) | noise(1, range(20, 24))
    scrape.collect([f"folder:{folder(tmp_path / 'own', files)}"], into="pets")
    inbox(folder(tmp_path / "loose", loose))
    return resize.write(dedup.group(verify.check(manifest.load("pets"))), size=32).save()


@pytest.mark.parametrize("packed", [False, True])
def test_an_inbox_gives_all_its_pictures_without_a_label(tmp_path, packed):
    place = archive(tmp_path / "all.zip", LOOSE) if packed else folder(tmp_path / "all", LOOSE)
    table = inbox(place).table
    assert set(table["label"]) == {""} and set(table["class_index"]) == {-1} and set(table["split"]) == {""}
    assert set(table["status"]) == {"new"} and set(table["source"]) == {"inbox"}
    assert sorted(table["path"]) == sorted(f"raw/{sha256}.png" for sha256 in table["sha256"])
    assert all((manifest.load("pets").root / path).read_bytes() in LOOSE.values() for path in table["path"])
    assert manifest.load("pets").classes == () and manifest.load("pets").labels == ("",)


def test_they_come_once_and_are_found_by_the_names_they_had(tmp_path):
    place = folder(tmp_path / "all", LOOSE)
    inbox(place)
    table = inbox(place)
    assert len(table) == 3
    assert table.find(["er/b.png"]) == [table.table.set_index("source_id")["path"].filter(like="b.png").item()]


def test_a_limit_counts_all_that_have_no_label(tmp_path):
    table = inbox(folder(tmp_path / "all", LOOSE), limit=2)
    assert len(table) == 2
    assert scrape.passed_over("pets")[["reason", "files"]].to_numpy().tolist() == [["beyond the limit of 2", 1]]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("inbox:{all}=cat", "expected no label for inbox:.*, got 'cat'; use folder:"),
        ("inbox:{none}", "expected pictures .* found none"),
        ("inbox:{away}", "expected pictures at .*away, found nothing; check the path"),
    ],
)
def test_what_is_no_inbox_is_refused(tmp_path, wanted, message):
    folder(tmp_path / "none", {"notes.txt": b"none"})
    name = wanted.format(all=folder(tmp_path / "all", LOOSE), none=tmp_path / "none", away=tmp_path / "away")
    with pytest.raises(SourceError, match=message):
        scrape.collect([name], into="pets")


@pytest.mark.slow
def test_a_dataset_without_any_label_says_what_to_do(tmp_path):
    table = verify.check(inbox(folder(tmp_path / "all", LOOSE)))
    with pytest.raises(
        DatasetError, match="expected labelled pictures, got none; label them first: toolkit label pets"
    ):
        split.assign(table, seed=7)
    table.save()
    with pytest.raises(DatasetError, match="label them first: toolkit label pets"):
        learn("pets")


def test_stages_carry_them_and_a_split_leaves_them_out(mixed):
    assert mixed.table["status"].eq("ok").all()
    assert all(file.exists() for file in mixed.sized(32))
    parts = split.assign(mixed, seed=7)
    loose = parts.table[parts.table["label"] == ""]
    assert len(loose) == 9 and set(loose["split"]) == {""}
    assert set(parts.labelled.table["split"]) == {"train", "val", "test"}
    assert parts.classes == ("cars", "tanks") and parts.labels == ("cars", "tanks", "")
    assert parts.counts().loc[["cars", "tanks", "(no label)", "total"], "ok"].tolist() == [12, 10, 9, 31]
    assert parts.counts("split").loc["(no label)", "not used"] == 9


@pytest.mark.slow
def test_pages_and_words_tell_of_them(mixed):
    assert "9 of these have no label yet. The largest class, cars, has 1.2 times" in quality.in_words(
        quality.summary(mixed)
    )
    assert "(no label)" in html.quality(mixed).read_text()


@pytest.mark.slow
def test_a_page_is_made_where_nothing_has_a_label(tmp_path):
    table = dedup.group(verify.check(inbox(folder(tmp_path / "all", noise(2, range(8))))))
    assert "8 of these have no label yet." in quality.in_words(quality.summary(table))
    assert "(no label)" in html.quality(table).read_text()


def test_an_unlabelled_copy_gives_way_to_the_labelled_one_even_if_it_is_larger(tmp_path):
    small, large = coloured(0, 1, side=64, noise=3), coloured(0, 1, side=64, noise=3).resize((128, 128))
    scrape.collect([f"folder:{folder(tmp_path / 'own', {'cars/1.png': encoded(small)})}"], into="pets")
    inbox(
        folder(tmp_path / "loose", {"1.png": encoded(small), "2.png": encoded(large), "3.png": encoded(coloured(3, 9))})
    )
    table = dedup.group(verify.check(manifest.load("pets"))).table
    assert table.set_index("label")["status"]["cars"] == "ok"
    assert sorted(table.loc[table["label"] == "", "status"]) == ["duplicate", "duplicate", "ok"]
    assert not (table["status"] == "label conflict").any()


def test_unlabelled_copies_are_found_among_themselves(tmp_path):
    same = coloured(0, 1, side=64, noise=3)
    files = {"1.png": encoded(same), "2.png": encoded(same.resize((128, 128))), "3.png": encoded(coloured(3, 9))}
    table = dedup.group(verify.check(inbox(folder(tmp_path / "loose", files)))).table
    assert sorted(table["status"]) == ["duplicate", "ok", "ok"]


def test_a_label_that_is_taken_back_takes_its_split_along(mixed):
    parts = split.assign(mixed, seed=7)
    path = parts.where(split="test").table["path"].iloc[0]
    back = parts.update({path: {"label": "", "class_index": -1}})
    assert back.table.set_index("path")["split"][path] == ""
    assert (back.table["split"] == "test").sum() == (parts.table["split"] == "test").sum() - 1


def test_a_class_number_without_a_label_is_refused(mixed):
    for cells in ({"class_index": 1}, {"label": "cars", "class_index": -1}):
        path = mixed.table.loc[mixed.table["label"] == "", "path"].iloc[0]
        with pytest.raises(DatasetError, match="expected (a|one) class_index (for every|per) label"):
            mixed.update({path: cells})


def test_unlabelled_pictures_that_cannot_be_used_are_no_class_that_is_lost(tmp_path):
    table = verify.check(inbox(folder(tmp_path / "all", {"a.png": b"no picture", "b.png": b"nor this"})))
    assert set(table.table["status"]) == {"unreadable"} and lost.classes(table) == {}


@pytest.mark.slow
def test_a_network_is_judged_on_labelled_pictures_alone(mixed, tmp_path):
    parts = split.assign(mixed, seed=7).save()
    trained = untrained(tmp_path / "run", **facts(parts))
    assert len(evaluate.measure(trained, parts).predictions) == (parts.table["split"] == "test").sum()


@pytest.mark.slow
def test_networks_and_folds_learn_from_labelled_pictures_alone(mixed):
    model = learn("pets", epochs=1, network="small_cnn", size=32)
    assert model.bundle.facts["pictures"] == (model.manifest.table["split"] == "train").sum() < 22
    result = crossval.run(mixed, Config("small_cnn", size=32, epochs=1), folds=2)
    assert sorted(result.report.predictions["path"]) == sorted(mixed.labelled.table["path"])
