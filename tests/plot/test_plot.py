"""Figures: drawn from a table or a report, with what they must show, and shown in a notebook by themselves."""

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from helpers import fake_table, ready_dataset, untrained
from matplotlib.figure import Figure
from PIL import Image

from toolkit import augment, bundle, dedup, evaluate, manifest, plot, predict
from toolkit.plot import insights
from toolkit.plot.figure import figure_with_axes


@pytest.fixture
def table(tmp_path):
    return ready_dataset(tmp_path / "pets", per_class=10)


@pytest.fixture
def report(tmp_path, table):
    return evaluate.measure(untrained(tmp_path / "run"), table, split="val")


def size(figure):
    """Width and height of the drawn figure, which also proves that it can be drawn."""
    return Image.open(io.BytesIO(plot.png(figure))).size


@pytest.mark.slow
def test_a_figure_shows_itself_in_a_notebook_without_global_state(table):
    figure = plot.sample_grid(table)
    assert isinstance(figure, Figure)
    content, shown = figure._repr_png_()
    width, height = Image.open(io.BytesIO(content)).size
    assert (shown["width"], shown["height"]) == (width // 2, height // 2)  # twice as fine as it is shown
    assert shown["alt"]


@pytest.mark.slow
def test_a_sample_grid_has_a_row_per_class_and_depends_on_the_seed_alone(table):
    grid = plot.sample_grid(table, per_class=4, seed=1)
    assert len(grid.axes) == 2 * 4
    assert plot.png(grid) == plot.png(plot.sample_grid(table, per_class=4, seed=1))
    assert plot.png(grid) != plot.png(plot.sample_grid(table, per_class=4, seed=2))
    assert len(plot.sample_grid(table, per_class=4, seed=1, most=1).axes) == 4


def test_contact_sheets_show_every_picture_of_a_label_and_mark_what_is_not_used(table):
    first, second = table.where(label="cars").table["path"][:2]
    marked = table.update({first: {"status": "duplicate"}, second: {"status": "too small"}})
    assert plot.sheets(marked, "cars", per_sheet=6) == 2
    sheet = plot.contact_sheet(marked, "cars", columns=3, rows=2)
    assert [text.get_text() for text in sheet.axes[0].texts] == ["duplicate", "too small"]
    assert sheet.axes[0].get_title("left") == "cars, sheet 1 of 2"
    labels = [
        [label.get_text() for label in axis.get_ticklabels()] for axis in (sheet.axes[0].xaxis, sheet.axes[0].yaxis)
    ]
    assert labels == [["A", "B", "C"], ["1", "2"]]
    rest = plot.contact_sheet(marked, "cars", page=2, columns=3, rows=2)
    assert size(rest)[0] > 200
    shown = [figure.axes[0].images[0].get_array() for figure in (sheet, rest)]
    assert sum((pixels < 250).any(axis=2).sum() for pixels in shown) > 0.8 * 10 * 114**2


def test_a_sheet_or_label_that_is_not_there_is_refused(table):
    with pytest.raises(ValueError, match="expected a sheet from 1 to 1 of 'cars', got 2"):
        plot.contact_sheet(table, "cars", page=2)
    with pytest.raises(ValueError, match="expected a label of cars, tanks, got 'boats'"):
        plot.contact_sheet(table, "boats")


@pytest.mark.slow
def test_a_picture_that_cannot_be_opened_is_an_empty_frame(table):
    table.files[0].write_bytes(b"no picture")
    assert size(plot.sample_grid(table, per_class=10))[0] > 300


def test_what_was_left_out_shows_every_status_with_its_reason(table):
    rows = {
        path: {"status": status, "reason": f"because {status}"}
        for path, status in zip(table.table["path"], ("duplicate", "too small", "excluded"), strict=False)
    }
    captions = [axes.get_xlabel() for axes in plot.left_out(table.update(rows)).axes]
    for status in ("duplicate", "too small", "excluded"):
        assert any(caption.startswith(status) for caption in captions)


def test_duplicate_groups_show_the_kept_copy_first(table):
    paths = table.table["path"]
    rows = {paths[0]: {"group": "a"}, paths[1]: {"group": "a", "status": "duplicate"}}
    captions = [axes.get_xlabel() for axes in plot.duplicate_groups(table.update(rows)).axes]
    assert "kept" in captions[0]
    assert "duplicate" in captions[1]


def test_duplicate_groups_say_how_far_copies_are_from_the_kept_one(table):
    paths = table.table["path"]
    rows = {paths[0]: {"group": "a"}, paths[1]: {"group": "a", "status": "duplicate"}}
    pairs = pd.DataFrame({"path": [paths[0]], "other": [paths[1]], "distance": [6], "difference": [0.0123]})
    captions = [axes.get_xlabel() for axes in plot.duplicate_groups(table.update(rows), pairs=pairs).axes]
    assert "6 bits, 0.012" in captions[1]
    assert "bits" not in captions[0]


def test_the_oddest_pictures_come_first(table):
    paths = table.table["path"]
    odd = {"brightness": [1.0, 254.0], "sharpness": [0.1, 900.0], "entropy": [0.2, 7.0], "aspect": [0.1, 1.0]}
    rows = {path: {name: values[n] for name, values in odd.items()} for n, path in enumerate(paths[:2])}
    captions = [axes.get_xlabel() for axes in plot.oddest(table.update(rows), count=2).axes]
    assert captions[::2] == ["brightness 1", "brightness 254", "sharpness 0", "entropy 0.2", "10.0 : 1"]


def test_the_threshold_curve_has_a_line_for_the_hash_and_one_for_the_second_look(table):
    curve = dedup.curve(table, max_distance=8)
    figure = plot.threshold_curve(curve, chosen=6)
    assert size(figure)[0] > 400
    assert figure.axes[0].lines[0].get_ydata().tolist() == curve["by_hash"].tolist()


def test_nothing_to_show_is_said_and_not_an_error(tmp_path):
    table = fake_table(tmp_path, [("a", ""), ("b", "")])
    for figure in (plot.left_out(table), plot.duplicate_groups(table), plot.enlarged(table, size=16)):
        assert "nothing to show" in [text.get_text() for text in figure.texts]


def test_a_chart_of_counts_is_as_high_as_its_classes_are_many():
    few, many = (
        plot.counts(pd.DataFrame({"train": range(n)}, index=[f"class {k}" for k in range(n)])) for n in (2, 40)
    )
    assert few.get_figheight() > 1.5 and many.get_figheight() - few.get_figheight() > 38 * 0.25


def test_counts_are_bars_without_the_totals(table):
    figure = plot.counts(table.counts("split"))
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert sum(widths) == len(table)


@pytest.mark.parametrize(
    "draw",
    [
        lambda table: plot.sizes(table),
        lambda table: plot.before_after(table.files[:3], size=16),
        lambda table: plot.sizes_of(table.files[0], [8, 16, 32]),
        lambda table: plot.resize_modes(table.files[:2], size=16),
        lambda table: plot.enlarged(table.assign(enlarged=2.5), size=16),
        lambda table: plot.counts(table.counts()),
    ],
)
def test_views_of_a_dataset_can_be_drawn(table, draw):
    assert min(size(draw(table))) > 80


def test_nine_draws_are_shown_beside_the_original():
    picture = np.zeros((24, 24, 3), np.uint8)
    changed = augment.examples(picture, augment.Augmentation(), count=9)
    shown = [axes for axes in plot.augmentations(picture, changed).axes if axes.images]
    assert len(shown) == 10


def test_a_confusion_matrix_shows_every_count_but_zeros(report):
    words = [text.get_text().split("\n")[0] for text in plot.confusion(report).axes[0].texts]
    assert words == [str(count) for count in report.confusion.to_numpy().ravel() if count]


def test_mistakes_show_the_true_and_the_given_name(report, table):
    captions = [axes.get_xlabel() for axes in plot.mistakes(report, table).axes if axes.images]
    assert len(captions) == min(12, len(report.mistakes))
    assert all("called" in caption for caption in captions)


def test_curves_mark_the_epoch_that_was_kept(tmp_path):
    figure = plot.curves(untrained(tmp_path / "run"))
    assert size(figure)[0] > 500


def test_the_mark_is_what_the_average_of_the_weights_is_worth_where_that_was_kept(tmp_path):
    run = untrained(tmp_path / "run", best_epoch=1, config={"monitor": "val_accuracy"})
    columns = {"epoch": [1, 2, 3], "loss": 0.7, "accuracy": 0.5, "val_loss": 0.7, "val_accuracy": [0.5, 0.6, 0.7]}
    columns |= {"average_val_loss": [None, 0.4, 0.3], "average_val_accuracy": [None, 0.8, 0.7]}
    (run.folder / bundle.HISTORY).write_text(pd.DataFrame(columns).to_csv(index=False))
    marks = [axes.lines[-1].get_xydata().tolist() for axes in plot.curves(run).axes]
    assert marks == [[[2, 0.4]], [[2, 0.8]]]


@pytest.mark.slow
def test_a_head_on_features_is_a_line_beside_runs_that_have_epochs_and_a_curve_alone(tmp_path):
    epochs, probe = untrained(tmp_path / "epochs"), untrained(tmp_path / "probe")
    columns = {"C": [0.01, 1.0], "loss": [0.5, 0.3], "val_loss": [0.6, 0.5]}
    columns |= {"accuracy": [0.8, 0.9], "val_accuracy": [0.7, 0.8]}
    (probe.folder / bundle.HISTORY).write_text(pd.DataFrame(columns).to_csv(index=False))
    for runs in ((epochs, probe), (probe, epochs), (probe,)):
        assert size(plot.curves(*runs))[0] > 500
    assert plot.curves(probe).axes[0].get_xscale() == "log"
    assert plot.curves(epochs, probe).axes[0].get_xscale() == "linear"


def test_a_comparison_draws_every_interval():
    rows = {"accuracy": [0.9, 0.8], "low": [0.85, 0.7], "high": [0.95, 0.85], "pictures": 100, "milliseconds": 3.0}
    figure = plot.comparison(pd.DataFrame(rows, index=["vgg", "xception"]))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["vgg\n3 ms", "xception\n3 ms"]


def test_a_prediction_shows_the_picture_as_the_network_saw_it(tmp_path, table):
    answer = predict.picture(untrained(tmp_path / "run"), table.files[0])
    figure = plot.prediction(answer)
    assert (figure.axes[0].images[0].get_array() == answer.pixels).all()
    assert answer.label in figure.axes[1].get_title()
    strange = dataclasses.replace(answer, familiarity=0.2)
    doubtful = dataclasses.replace(answer, familiarity=0.8, abstained=True)
    titles = [plot.prediction(one).axes[1].get_title() for one in (strange, doubtful)]
    assert titles == ["unlike anything it learned", "not sure"]


@pytest.mark.slow
def test_twenty_classes_fit(tmp_path):
    table = fake_table(tmp_path, [(f"class {n % 20:02}", "") for n in range(60)])
    names = tuple(manifest.from_rows(tmp_path, table.table[["path", "label"]].to_dict("records")).classes)
    answers = pd.DataFrame({"path": "", "label": names, "predicted": names, "probability": 1.0})
    assert min(size(plot.confusion(evaluate.Report("vgg", names, answers)))) > 300
    assert min(size(plot.counts(dedup.group(table).counts()))) > 100


def test_a_name_with_dollar_signs_is_text_and_powers_on_logarithmic_axes_are_not():
    names = ["$1_{x$", "$5 or $10", r"\$a$"]
    figure, axes = figure_with_axes(4, 3)
    axes.bar(range(3), [1, 20, 400])
    axes.set_xticks(range(3), names)
    axes.set(title=names[0], yscale="log")
    axes.legend(axes.containers, ["$b^2$"])
    size(figure)
    texts = [axes.title, *axes.get_xticklabels(), *axes.get_legend().get_texts()]
    assert [text.get_text() for text in texts] == [names[0], *names, "$b^2$"]
    assert not any(text.get_parse_math() for text in texts)
    assert all(label.get_parse_math() for label in axes.get_yticklabels())


@pytest.mark.slow
def test_every_figure_of_a_class_with_dollar_signs_is_drawn(tmp_path):
    table = ready_dataset(tmp_path / "pets", per_class=10, classes=("$1_{x$", "$5 or $10"))
    for figure in (plot.contact_sheet(table, "$1_{x$"), plot.sample_grid(table), plot.quality(table)):
        assert min(size(figure)) > 50


def test_of_the_surest_answers_so_many_are_wrong(report):
    rows = pd.DataFrame({"label": "a", "predicted": list("baab" * 5), "probability": np.arange(20) / 20})
    curve, mark = plot.risk_coverage({"vgg": dataclasses.replace(report, predictions=rows)}, chosen=0.6).axes[0].lines
    assert curve.get_xdata() == pytest.approx(np.arange(10, 21) / 20)  # fewer than ten answers tell nothing
    assert curve.get_ydata()[[0, 1, 2, -1]] == pytest.approx([5 / 10, 5 / 11, 6 / 12, 10 / 20])
    assert (mark.get_xdata(), mark.get_ydata()) == (pytest.approx([0.4]), pytest.approx([4 / 8]))
    _, none = plot.risk_coverage({"vgg": dataclasses.replace(report, predictions=rows)}, chosen=0.96).axes[0].lines
    assert len(none.get_xdata()) == 0


def test_files_that_none_beats_in_size_and_accuracy_are_joined():
    files = pd.DataFrame({"accuracy": [0.9, 0.8, 0.85], "megabytes": [4.0, 2.0, 5.0]}, index=["a", "b", "c"])
    assert list(insights.front(files, against="megabytes").index) == ["b", "a"]
    axes = plot.trade_off(files, against="megabytes").axes[0]
    assert axes.get_xlabel() == "megabytes on disk"
    assert any(list(line.get_xdata()) == [2.0, 4.0] for line in axes.lines)


def test_of_many_classes_the_smallest_and_the_largest_are_counted():
    table = pd.DataFrame({"ok": [5, 1, 9, 7, 3], "new": 0}, index=list("abcde"))
    axes = plot.counts(table, most=2).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "c"]
    assert [text.get_text() for text in axes.figure.legends[0].get_texts()] == ["ok: 25", "new: 0"]
    assert axes.get_xlabel() == "pictures of the 2 smallest and largest of 5 classes"
    axes = plot.counts(table, most=3).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "c", "d"]
    assert plot.counts(table, most=5).axes[0].get_xlabel() == "pictures"
    assert len(plot.counts(table).axes[0].get_yticks()) == len(plot.counts(table, most=5).axes[0].get_yticks()) == 5
