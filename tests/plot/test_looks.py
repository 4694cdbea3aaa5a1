"""How figures look: for 1 to 100 classes, long and foreign names, 1 to 12 networks, and any accuracy."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from toolkit import evaluate, manifest, plot
from toolkit.plot.style import COLOURS, DARK, LIGHT, few_steps, ink_on, marks, shortened

NAMES = ("armoured vehicle with a name that does not end", "cars", "$5 or $10", "fünf", "001", "a", "سيارة")
RUNS = ("vgg", "dual_stack", "xception", *(f"a run of mine with a long name {n}" for n in range(9)))


def names(count):
    return tuple(NAMES[n % 7] + f" {n}" * (n >= 7) for n in range(count))


def of(*classes):
    """Numbers of classes; beyond three they are tried in the slow tests."""
    return [pytest.param(count, marks=pytest.mark.slow if count > 3 else ()) for count in classes]


def report(classes, accuracy, run="vgg"):
    """Answers about 30 pictures of each class, that many of them right."""
    truth = np.repeat(np.arange(len(classes)), 30)
    wrong = np.arange(len(truth)) % 30 >= round(30 * accuracy)
    named = np.where(wrong, (truth + 1 + np.arange(len(truth)) % 7) % len(classes), truth)
    answers = {"path": "", "label": np.array(classes)[truth], "predicted": np.array(classes)[named], "probability": 0.9}
    return evaluate.Report(run, classes, pd.DataFrame(answers))


def compared(count, accuracy):
    """A row per run, as `compare.table` gives it."""
    right = np.minimum(1, accuracy + 0.001 * (np.arange(count) % 5))
    bounds = {"accuracy": right, "low": right - 0.02, "high": np.minimum(1, right + 0.01), "pictures": 500}
    times = {"milliseconds": 5.0 + 4 * np.arange(count), "milliseconds_p95": 7.0 + 5 * np.arange(count)}
    times["megabytes"] = 0.4 + np.arange(count) ** 2
    return pd.DataFrame({**bounds, **times}, index=list(RUNS[:count]))


def pictures(root, count, sizes=((320, 240), (64, 64))):
    """A manifest of pictures in use and left out."""
    kinds = ("ok", "ok", "ok", "duplicate", "label conflict", "excluded")
    rows = []
    for number in range(24 * count):
        width, height = sizes[number % 5 % len(sizes)]
        light = {"brightness": 40 + number % 97, "sharpness": 3.0 + number % 53, "entropy": 3 + number % 4}
        shape = {"width": width, "height": height, "aspect": width / height, "bytes": 9000, **light}
        label, status = names(count)[number % count], kinds[number % 7 % 6]
        rows.append({"path": f"raw/{number}.png", "label": label, "status": status, **shape})
    return manifest.from_rows(root / "pets", rows)


def shown(figure):
    """The texts that are drawn, with their boxes."""
    FigureCanvasAgg(figure).draw()
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in itertools.chain(axis.get_major_ticks(), axis.get_minor_ticks()):
                if not (low <= tick.get_loc() <= high and axes.axison):
                    hidden |= {tick.label1, tick.label2}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text() and text not in hidden]
    return [(text.get_text(), text.get_window_extent()) for text in texts if text.get_window_extent().width > 1]


def overlapping(figure):
    """Pairs of texts of which one covers more than a rim of the other."""
    pairs = itertools.combinations(shown(figure), 2)
    return [(one, other) for (one, a), (other, b) in pairs if a.padded(-1.5).overlaps(b.padded(-1.5))]


def ticks(axis):
    low, high = sorted(axis.get_view_interval())
    return [tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


@pytest.mark.parametrize("count", of(2, 3, 6, 7, 10, 30, 100))
def test_a_confusion_matrix_names_every_class_once_and_nothing_covers_another(count):
    figure = plot.confusion(report(names(count), 0.9), report(names(count), 0.8, "dual_stack"))
    assert overlapping(figure) == []
    for axes in figure.axes:
        assert ticks(axes.xaxis) == ticks(axes.yaxis) == [shortened(name) for name in names(count)]
        assert axes.get_position().width * figure.get_figwidth() >= min(0.4 * count, 5)
    beside = len({round(axes.get_position().x0, 3) for axes in figure.axes})
    assert beside == (2 if count <= 6 else 1)


def test_of_more_than_a_hundred_classes_a_matrix_has_those_that_are_confused_most():
    named, truth = names(130), np.arange(130).repeat(3)
    predicted = truth.copy()
    predicted[::3][5:110] = 7  # a third of the pictures of 105 classes, and one of each of them
    table = pd.DataFrame({"path": "", "label": np.array(named)[truth], "predicted": np.array(named)[predicted]})
    (axes,) = plot.confusion(evaluate.Report("vgg", tuple(named), table)).axes
    expected = [shortened(named[place]) for place in range(5, 105)]  # of equals the first
    assert ticks(axes.xaxis) == ticks(axes.yaxis) == expected
    assert axes.get_xlabel() == "predicted class, of the 100 of 130 that are confused most"
    (cells,) = axes.collections
    shares = cells.get_facecolor()[:, 3]
    assert len(shares) == 199 and sorted(set(shares.round(4))) == [0.3333, 0.6667, 1]


def test_cells_without_a_picture_are_blank_and_others_tell_their_share():
    asked = report(("a", "b", "c"), 0.9)
    expected = [f"{count}\n{count / 30:.0%}" for count in asked.confusion.to_numpy().ravel() if count]
    assert [text.get_text() for text in plot.confusion(asked).axes[0].texts] == expected
    assert [text.get_text() for text in plot.confusion(report(("a", "b"), 1)).axes[0].texts] == ["30\n100%"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("accuracy", [0.3, 0.97, 0.9865, 0.999])
@pytest.mark.parametrize("count", of(1, 3, 12))
def test_shares_of_networks_end_at_100_percent_and_no_two_ticks_are_alike(count, accuracy):
    table, asked = compared(count, accuracy), {run: report(("a", "b"), accuracy, run) for run in RUNS[:count]}
    levels = {"disturbance": "blur", "level": [0.0, 1.0, 2.0], "low": accuracy - 0.05, "high": min(1, accuracy + 0.02)}
    curves = {
        run: pd.DataFrame({"accuracy": [accuracy, accuracy - 0.01, accuracy - 0.02], **levels}) for run in RUNS[:count]
    }
    comparison, trade_off, robustness = plot.comparison(table), plot.trade_off(table), plot.robustness(curves)
    files, risk = plot.trade_off(table[["accuracy", "megabytes"]], against="megabytes"), plot.risk_coverage(asked)
    for figure, axis in (
        (files, files.axes[0].yaxis),
        (risk, risk.axes[0].yaxis),
        (comparison, comparison.axes[0].xaxis),
        (trade_off, trade_off.axes[0].yaxis),
        (robustness, robustness.axes[0].yaxis),
    ):
        assert overlapping(figure) == []
        labels = [label for label in ticks(axis) if label]
        assert len(set(labels)) == len(labels) >= 2
        assert all(float(label.rstrip("%")) <= 100 for label in labels)
    words = " ".join(text for figure in (comparison, trade_off, robustness, files, risk) for text, _ in shown(figure))
    assert all(words.count(shortened(run)) >= 5 for run in RUNS[:count])
    assert len(ticks(trade_off.axes[0].xaxis)) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("count", of(1, 2, 10, 30))
def test_a_dataset_at_a_glance_has_room_for_every_class(tmp_path, count):
    table = pictures(tmp_path, count)
    for figure in (
        plot.quality(table, panels=("balance", "left_out", "sides", "brightness")),
        plot.counts(table.counts()),
    ):
        assert overlapping(figure) == []
        words = {text for text, _ in shown(figure)}
        assert {shortened(name) for name in names(count)} <= words


@pytest.mark.parametrize(("count", "colours"), [(2, 2), (6, 6), (7, 1)])
def test_sizes_are_discs_that_hide_no_class_and_tell_how_many_they_are(tmp_path, count, colours):
    figure = plot.sizes(pictures(tmp_path, count))
    numbers = sorted(int(text.get_text()) for text in figure.axes[0].texts)
    assert sum(numbers) == 24 * count and len(numbers) == 2
    drawn = {tuple(patch.get_facecolor()[0]) for patch in figure.axes[0].collections}
    assert len(drawn) == colours
    assert overlapping(figure) == []


def test_many_sizes_are_dots_of_which_none_is_left_out(tmp_path):
    table = pictures(tmp_path, 2, sizes=[(100 + 7 * n, 900 - 3 * n) for n in range(5)])
    wide = table.assign(width=range(100, 100 + len(table.table)))
    assert len(plot.sizes(wide).axes[0].collections[0].get_offsets()) == 48 or len(table.table) == 48


def test_a_network_has_its_colour_whoever_stands_beside_it():
    assert marks(["xception", "vgg"])["vgg"] == marks(["vgg"])["vgg"] == marks(RUNS)["vgg"]
    assert len({(mark.colour, mark.dash) for mark in marks(RUNS).values()}) == len(RUNS)
    assert len({mark.marker for mark in marks(RUNS[:8]).values()}) == 8
    assert marks(reversed(RUNS)) == marks(RUNS)


def test_text_can_be_read_on_every_colour():
    def luminance(colour):
        shares = np.array([int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)])
        return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)

    for colour in COLOURS:
        light, dark = sorted((luminance(colour), {LIGHT: 1.0, DARK: luminance(DARK)}[ink_on(colour)]))[::-1]
        assert (light + 0.05) / (dark + 0.05) >= 4.5, colour


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(3, 40, [2, 5, 10, 20, 50]), (5, 5, [5, 10]), (0.3, 0.9, [0.2, 0.5, 1]), (1, 1000, None)],
)
def test_a_logarithmic_axis_has_ticks_on_both_sides_of_what_is_drawn(low, high, expected):
    steps = few_steps(low, high)
    assert steps[0] <= low and high <= steps[-1] and len(steps) >= 2
    assert expected is None or steps == expected


def test_a_long_name_keeps_what_tells_it_apart():
    assert shortened("a run of mine with a long name 7") == "a run of …g name 7"
    assert len(shortened("x" * 40)) == 18 and shortened("cars") == "cars" and shortened("x" * 18) == "x" * 18


def test_the_pairs_confused_most_come_first_with_how_often(tmp_path):
    table = pictures(tmp_path, 3)
    asked = report(("a", "b", "c"), 0.7)
    gallery = plot.most_confused(asked, table, count=2, examples=2)
    captions = [caption for row in gallery.rows for _, caption in row]
    pairs = asked.mistakes.groupby(["label", "predicted"]).size().sort_values(ascending=False)
    assert f"{pairs.iloc[0]} of 30" in captions[0] and len(captions) == 4
    assert pairs[tuple(captions[0].splitlines()[0].split(" taken for "))] == pairs.iloc[0]


def test_heat_hides_nothing_where_it_is_cold_and_a_line_runs_around_half_of_it():
    picture = np.full((32, 32, 3), 90, np.uint8)
    heat = np.zeros((32, 32))
    heat[8:24, 8:24] = 1
    shown = plot.glowing(picture, heat)
    assert shown.shape == (256, 256, 3)
    assert (shown[:40, :40] == 90).all()
    assert (shown[128, 128] > 150).any() and (shown[128, 128] != 255).any()
    row = (shown[128] == 255).all(axis=1)
    assert row.sum() == 2 and np.flatnonzero(row).tolist() == [64, 191]
    assert plot.glowing(np.zeros((300, 300, 3), np.uint8), np.zeros((300, 300))).shape == (300, 300, 3)


def test_a_strip_of_heat_has_a_gap_between_its_pictures():
    pictures, heats = np.zeros((2, 32, 32, 3), np.uint8), np.zeros((2, 32, 32))
    (strip, caption), _ = plot.heat(pictures, heats, checks=heats, captions=["a"]).rows[0]
    assert strip.shape == (256, 3 * 256 + 2 * 8, 3) and caption == "a"
    assert (strip[:, 256:264] == 255).all() and (strip[:, 264:] == 0).any()
