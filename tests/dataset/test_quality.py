"""A dataset in tables, in a picture and on a page."""

import re

import numpy as np
import pytest
from helpers import dataset, encoded, ready_dataset, textured
from PIL import Image

from toolkit import dedup, manifest, plot, quality, resize, verify
from toolkit.cli import main
from toolkit.report import html


@pytest.fixture
def table(tmp_path):
    dark = Image.new("RGB", (200, 60), (5, 5, 5))
    files = [("cars" if n < 6 else "tanks", "png", encoded(textured(n, width=120, height=90))) for n in range(9)]
    files += [("tanks", "jpg", encoded(textured(7, width=120, height=90), "JPEG", quality=90))]
    files += [("tanks", "bin", b"words"), ("cars", "png", encoded(dark))]
    return resize.write(dedup.group(verify.check(dataset(tmp_path / "pets", files))), size=32).save()


def test_every_picture_is_counted_once(table):
    counts = quality.summary(table).cleaning
    assert counts.loc["total", "total"] == len(table) == 12
    assert counts.loc["cars", "ok"] == 7 and counts.loc["tanks", "duplicate"] == 1


def test_bytes_before_and_after_are_those_of_the_files(table):
    rows = quality.resizing(table)
    sized = [file.stat().st_size for file in table.where(status="ok").sized(32)]
    assert rows.loc["as they came", "MB"] == round(sum(file.stat().st_size for file in table.files) / 1e6, 2)
    assert rows.loc["32×32", "pictures"] == len(sized)
    assert rows.loc["32×32", "KB each"] == round(np.mean(sized) / 1e3, 1)
    assert rows.loc["in use", "share"] == 1
    used = sum(file.stat().st_size for file in table.where(status="ok").files)
    assert rows.loc["32×32", "share"] == round(sum(sized) / used, 3)


def test_what_is_dark_blurred_or_wide_is_worth_a_look(table):
    odd = quality.summary(table).worth_a_look["pictures"]
    assert (odd["dark"], odd["wide"], odd["bright"], odd["tall"]) == (1, 1, 0, 0)
    assert odd["blurred"] == (table.where(status="ok").table["sharpness"] < 20).sum() >= 1
    assert quality.summary(table, limits={"small": ("side", 90, np.inf)}).worth_a_look["pictures"].tolist() == [1]


def test_what_is_furthest_outside_a_limit_comes_first(table):
    shown = plot.worth_a_look(table, count=2)
    blurred = table.where(status="ok").table.sort_values("sharpness").head(2)["path"]
    row = shown.rows[[title.partition(":")[0] for title in shown.titles].index("blurred")]
    assert [path for path, _ in row] == [table.root / path for path in blurred]
    assert all(title.rpartition(" ")[2] != "0" for title in shown.titles)


def test_what_is_there_twice_is_counted_with_its_bytes(table):
    repeated = quality.summary(table).repeated
    assert repeated["count"].tolist() == [1, 1, 0]


def test_the_aspect_of_an_older_table_comes_from_its_sides(table):
    old = quality.measured(table.assign(aspect=0.0, entropy=0.0))
    assert old["aspect"].round(2).unique().tolist() == [1.33, 3.33] or set(old["aspect"].round(2)) == {1.33, 3.33}
    assert old["entropy"].isna().all()


def test_the_words_name_the_largest_class_and_what_to_look_at(table):
    words = quality.in_words(quality.summary(table))
    assert words.startswith("10 of 12 pictures are in use. The largest class, cars, has 2.3 times")
    assert "1 dark" in words


def test_classes_of_one_size_are_called_balanced(tmp_path):
    table = ready_dataset(tmp_path / "pets", per_class=10)
    assert "The classes are balanced." in quality.in_words(quality.summary(table))


@pytest.mark.slow
def test_the_page_needs_nothing_but_itself_and_shows_every_table(table):
    written = html.quality(table)
    text = written.read_text()
    assert written == table.root / "quality.html"
    assert not re.search(r"<script|<link|@import|https?://", text)
    assert text.count("<table>") == 6 and text.count("<svg ") == len(html.PANELS)
    assert text.count("data:image/jpeg;base64,") >= 4  # single samples, which flow with the page
    assert "Worth a look: 1 dark" in text and "dark: 1</figcaption>" in text
    copies = text.partition('aria-label="group 1 of 1"')[2].partition("<figure class=")[0]
    assert copies.count("<img ") == 2
    with Image.open(written.with_suffix(".png")) as picture:
        assert min(picture.size) > 500


@pytest.mark.slow
@pytest.mark.parametrize("rows", [0, 1])
def test_a_dataset_that_was_not_verified_has_a_page_too(tmp_path, rows):
    table = dataset(tmp_path / "pets", [("cars", "bin", b"words")] * rows or [("cars", "bin", b"")])
    assert html.quality(table).exists()
    assert html.quality(verify.check(table)).exists()


def test_an_unknown_panel_is_answered_with_the_known_ones(table):
    with pytest.raises(ValueError, match="expected panels out of balance, left_out, bytes, sides.*, got noise"):
        plot.quality(table, panels=("noise",))


def test_many_classes_are_drawn_as_one(tmp_path):
    files = [(f"class {n}", "png", encoded(textured(n, width=64, height=48))) for n in range(8)]
    table = verify.check(dataset(tmp_path / "pets", files))
    figure = plot.quality(table, panels=("brightness",))
    assert not figure.legends


@pytest.mark.slow
def test_the_verb_prints_the_tables_and_writes_the_page(table, capsys):
    assert main(["quality", str(table.root), "--into", str(table.root / "page.html")]) == 0
    said = capsys.readouterr().out
    assert "worth a look" in said and "32×32" in said and "page.html" in said
    assert (table.root / "page.html").exists() and (table.root / "page.png").exists()
    assert manifest.load(table.root).table.equals(table.table)


@pytest.mark.slow
def test_the_verb_answers_programs_too_and_its_page_has_a_usual_place(table, capsys):
    assert main(["quality", str(table.root), "--json"]) == 0
    assert '"resizing"' in capsys.readouterr().out
    assert (table.root / "quality.html").exists()
