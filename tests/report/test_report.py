"""The report: one page that needs nothing but itself and tells of every run, class and mistake."""

import json
import re

import pytest
from helpers import facts, fake_table, ready_dataset, untrained, weighed

from toolkit import bundle, evaluate, paths, plot, report
from toolkit.errors import BundleError
from toolkit.report import html, place_section, trust_section


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("report") / "pets", per_class=10)


@pytest.fixture(scope="module")
def runs(table):
    made = [untrained(paths.models(table.root) / name, seed=n, **facts(table)) for n, name in enumerate(("one", "two"))]
    for run in made:
        evaluate.measure(run, table)
        weighed(run)
    return made


@pytest.fixture(scope="module")
def page(table, runs):
    """The page, written once: it takes seconds."""
    return report.write(table, runs).read_text()


@pytest.mark.slow
def test_the_page_needs_nothing_but_itself(page):
    assert page.count("<svg ") >= 9
    assert page.count("data:image/jpeg;base64,") >= 30
    assert not re.search(r"<script|<link|@import|https?://", page)
    assert not re.search(r'(src|href)="(?!data:|#)', page)


@pytest.mark.slow
def test_the_page_tells_of_every_run_and_class(page, table):
    for words in ("one", "two", *table.classes, "95 % interval", "macro-F1", "calibration error", "95 of 100 below"):
        assert words in page
    for words in ("memory", "McNemar", "Pareto", "Holm", "t-SNE", "Grad-CAM", "covered piece by piece", "nonsense"):
        assert words in page
    assert "disagree" in page and "looked at 2 times, first on 20" in page


@pytest.mark.slow
def test_the_page_says_whether_anything_but_the_thing_tells_the_label(page):
    section = page.partition('<section id="place">')[2].partition("</section>")[0]
    assert "The thing or the place?" in section and 'href="#place"' in page
    assert "light" in section and "50.0%" in section  # the classes differ in colour, so chance is told beside it
    assert "this does not say" in section or "better than chance (50%)" in section


@pytest.mark.slow
def test_the_page_shows_where_every_run_looked(page, runs):
    """A strip of pictures for each of up to 6 right and 6 wrong answers."""
    sections = [part.partition("</section>")[0] for part in page.split("<h3>Where it looked</h3>")[1:]]
    reports = [evaluate.load(run) for run in runs]
    wrong = [(len(report.mistakes), len(report.predictions) - len(report.mistakes)) for report in reports]
    expected = [sum(min(count, 6) for count in counts) for counts in wrong]
    assert sorted(section.count('<div class="strip">') for section in sections) == sorted(expected)
    covered = [sum(min(count, 2) for count in counts) for counts in wrong]  # these have a third picture
    pictures = [2 * strips + third for strips, third in zip(expected, covered, strict=True)]
    assert sorted(section.count("<img") for section in sections) == sorted(pictures)


@pytest.mark.slow
def test_every_picture_says_in_words_what_is_on_it(page):
    assert all(re.search(r'alt="[^"]+"', tag) for tag in re.findall(r"<img [^>]*>", page))
    assert all(re.search(r'role="img" aria-label="[^"]+"', tag) for tag in re.findall(r"<svg [^>]*>", page))


@pytest.mark.slow
def test_the_page_begins_with_what_was_compared_and_the_best_answer_with_its_interval(page, runs):
    best = max((evaluate.load(run) for run in runs), key=lambda found: found.accuracy)
    low, high = (f"{bound:.1%}" for bound in best.interval)
    title = re.search(r"<title>(.*?)</title>", page)[1]
    assert title in ("pets: one and two on cars and tanks", "pets: two and one on cars and tanks")
    first = page.partition("<section>")[2].partition("</section>")[0]
    assert f"lies between {low} and {high}" in first and f"{best.accuracy:.1%}" in first
    assert 1 <= first.count("<img ") <= 3 and first.count("<svg ") == 1


@pytest.mark.slow
def test_the_contents_lead_to_every_section(page):
    places = re.findall(r'<a href="#([^"]+)"', page)
    assert places == re.findall(r'<section id="([^"]+)"', page) and len(places) == len(set(places)) >= 10


@pytest.mark.slow
def test_classes_come_worst_first(page):
    for section in re.findall(r'<section id="run-\d">.*?</section>', page, re.DOTALL):
        table = section.partition("<th>class</th>")[2].partition("</table>")[0]
        shares = [float(share) for share in re.findall(r"<td>([\d.]+)%</td><td>\d+</td>", table)]
        assert len(shares) == 2 and shares == sorted(shares)


@pytest.mark.slow
def test_every_network_has_its_curves_and_operating_points(page):
    sections = re.findall(r'<section id="run-\d">.*?</section>', page, re.DOTALL)
    for section in sections:
        part = section.partition("<h3>An operating point for each class</h3>")[2]
        assert 'aria-label="Precision against recall of each class' in part and "95.0% of the answers" in part
        rows = re.findall(r"<tr><td><bdi>(\w+)</bdi></td>(.*?)</tr>", part)
        assert {name for name, _ in rows} == {"cars", "tanks"}


def test_promises_are_told_with_what_became_of_them_and_the_class_they_held_least_for():
    held = {"coverage": 0.9, "low": 0.8, "high": 0.96, "promised": 0.95, "pictures": 60, "size": 1.25}
    of_class = {"cars": {"coverage": 0.95, "pictures": 40}, "tanks": {"coverage": 0.8, "pictures": 20}}
    known = {"false_alarms": 0.0625, "low": 0.02, "high": 0.15, "promised": 0.05, "pictures": 60}
    rows = [
        trust_section._kept("both", {"familiarity": known, "sets": {**held, "per_class": of_class}}),
        trust_section._kept("sets", {"familiarity": None, "sets": {**held, "per_class": of_class}}),
    ]
    assert trust_section._kept("old", {}) == {"run": "old", "known": None, "held": None, "worst": None}
    assert rows[0]["worst"] == {"name": "tanks", "coverage": 0.8, "pictures": 20}
    text = html._environment().get_template("trust.html").render(trust={"promised": rows, "chart": ""})
    section = " ".join(text.split())
    assert "<td>6.2%</td><td>2.0% to 15.0%</td><td>5.0%</td>" in section
    assert section.count("<td>90.0%</td><td>80.0% to 96.0%</td><td>95.0%</td><td>1.25</td>") == 2
    assert section.count("promised nothing") == 1
    assert "least often for <bdi>tanks</bdi> with both (80.0% of 20)" in section


@pytest.mark.slow
def test_heat_is_measured_on_drawings_only_where_the_dataset_is_of_drawings(table, runs):
    assert place_section.values(table, runs)["heat"] == []
    posts = [f"https://www.reddit.com/r/practice_{label}/comments/x/" for label in table.table["label"]]
    drawn = place_section.values(table.assign(page_url=posts), runs)["heat"]
    assert [row["run"] for row in drawn] == ["one", "two"]
    for row in drawn:
        assert 0 <= row["low"] <= row["inside"] <= row["high"] <= 1 and 0.1 < row["taken"] < 0.7


def test_copies_are_set_apart_group_by_group(tmp_path):
    rows = [("cars", "a"), ("cars", "a"), ("cars", ""), ("tanks", "b"), ("tanks", "b"), ("tanks", "b"), ("cars", "c")]
    text = html.shown(plot.duplicate_groups(fake_table(tmp_path, rows)), "Copies")
    parts = text.split('<figure class="gallery group"')[1:]
    assert [re.search(r'aria-label="([^"]+)"', part)[1] for part in parts] == ["group 1 of 2", "group 2 of 2"]
    assert [part.count("<img ") for part in parts] == [3, 2]


@pytest.mark.slow
def test_a_mistake_is_shown_with_the_training_pictures_nearest_to_it(page, runs):
    assert any(len(evaluate.load(run).mistakes) for run in runs)
    assert "It thinks so because of these" in page and "<figcaption>asked: " in page


@pytest.mark.slow
def test_runs_asked_about_other_test_pictures_than_todays_are_refused(table, runs):
    one = table.where(split="test").table["path"].iloc[0]
    changed = table.assign(status=["excluded" if path == one else "ok" for path in table.table["path"]])
    with pytest.raises(BundleError, match="today's test pictures of pets.* run `toolkit evaluate .*one`"):
        report.write(changed, runs)


@pytest.mark.slow
def test_the_page_lies_beside_the_models(page, table):
    assert (paths.models(table.root) / "report.html").read_text() == page


@pytest.mark.slow
def test_names_are_escaped_what_was_not_measured_is_blank_and_the_page_lies_where_it_is_wanted(tmp_path, table, runs):
    runs[0].facts["precision"] = "<b>bold</b>"
    for run in runs:
        kept = {
            name: value for name, value in run.metrics.items() if name not in ("ece", "macro_f1", "milliseconds_p95")
        }
        (run.folder / bundle.METRICS).write_text(json.dumps(kept))
    page = report.write(table, runs, into=tmp_path / "page.html")
    assert page == tmp_path / "page.html"
    text = page.read_text()
    assert "<b>bold</b>" not in text
    assert "nan" not in re.sub(r'"data:[^"]*"', "", text).lower()


def test_runs_that_were_not_evaluated_are_refused(tmp_path, table):
    with pytest.raises(BundleError, match="evaluate"):
        report.write(table, [untrained(tmp_path / "new", **facts(table))])


def test_samples_of_many_classes_are_folded_and_said_to_be_of_some(tmp_path):
    table = ready_dataset(tmp_path / "many", per_class=20)
    places = [number % 31 for number in range(len(table))]
    table = table.assign(label=[f"{place:02}" for place in places], class_index=places)
    shown = html.samples(table, per_class=1)
    assert shown.startswith("<details><summary>Some pictures of 30 of 31 classes</summary>")
    assert shown.count("<img") == 30
    few = html.samples(table.where(label=table.labels[:12]), per_class=1)
    assert "<details>" not in few and few.count("<img") == 12
