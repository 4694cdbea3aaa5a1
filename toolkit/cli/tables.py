"""What the verbs tell as tables: headings in words with units, a column for each network, of many classes the worst."""

from typing import TYPE_CHECKING

from toolkit.cli import terminal
from toolkit.cli.terminal import MOST
from toolkit.core.headings import COUNT, MEASURES, NAME, SHARE, WORDS, Forms

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.evaluate import Report

MATRIX = 8  # classes, at most, whose confusion matrix is printed
START = 14  # columns that the name of a file of weights may take
UNTOUCHED = {"blur": 0, "noise": 0, "darker": 1, "brighter": 1, "rotation": 0, "crop": 1}  # levels that change nothing
PER_CLASS = {
    "class": ("class", NAME),
    "precision": ("precision", SHARE),
    "recall": ("recall", SHARE),
    "f1": ("F1", "{:.3f}"),
    "pictures": ("pictures", COUNT),
}
OPERATING_POINTS = {
    "class": ("class", NAME),
    "threshold": ("threshold", "{:.3f}"),
    "answers": ("answers", COUNT),
    "precision": ("right", SHARE),
    "low": ("95 % interval, from", SHARE),
    "high": ("to", SHARE),
    "recall": ("of the class", SHARE),
}
CONFUSED = {
    "label": ("true class", NAME),
    "predicted": ("taken for", NAME),
    "pictures": ("pictures", COUNT),
    "of": ("of", COUNT),
}
ANSWERS = {
    "path": ("picture", NAME),
    "label": ("label", NAME),
    "predicted": ("predicted", NAME),
    "probability": ("probability", "{:.3f}"),
}
CURVE = {
    "distance": ("distance, bits", "{}"),
    "by_hash": ("pairs by hash", COUNT),
    "accepted": ("accepted pairs", COUNT),
    "labels_differ": ("by hash, two labels", COUNT),
    "accepted_labels_differ": ("accepted, two labels", COUNT),
}
LEFT_OUT = {
    "value": ("left out", NAME),
    "pictures": ("pictures", COUNT),
    "usual": ("usual, right", SHARE),
    "without": ("left out, right", SHARE),
    "low": ("95 % interval, from", SHARE),
    "high": ("to", SHARE),
}
PREDICTORS = {
    "property": ("property alone", NAME),
    "balanced accuracy": ("balanced accuracy", SHARE),
    "low": ("95 % interval, from", SHARE),
    "high": ("to", SHARE),
    "chance": ("chance", SHARE),
    "p": ("p, corrected", "{:.3f}"),
}
CHANGES = {
    "batch": ("batch", WORDS),
    "added": ("added", COUNT),
    "taken out": ("taken out", COUNT),
    "relabelled": ("another label", COUNT),
    "moved": ("another split", COUNT),
}
BATCHES = {
    "batch": ("batch", WORDS),
    "pictures": ("pictures", COUNT),
    "verdict": ("it made it", NAME),
    "effect": ("effect on log loss", "{:+.4f}"),
    "low": ("95 % interval, from", "{:+.4f}"),
    "high": ("to", "{:+.4f}"),
    "accuracy": ("on accuracy", "{:+.1%}"),
}
DRIFT = {
    "measure": ("measure", NAME),
    "test": ("median of the test", "{:,.3g}"),
    "came": ("of what came in", "{:,.3g}"),
    "p": ("p", "{:.3f}"),
    "corrected": ("p, corrected", "{:.3f}"),
}
FORECAST = {
    "class": ("class", NAME),
    "pictures": ("pictures now", COUNT),
    "now": ("right now", SHARE),
    "then": ("expected then", SHARE),
    "low": ("90 % interval, from", SHARE),
    "high": ("to", SHARE),
}
REGIONS = {
    "path": ("picture", NAME),
    "label": ("mostly", NAME),
    "of_label": ("of these", COUNT),
    "pictures": ("pictures in all", COUNT),
    "wrong": ("named wrong", COUNT),
    "doubt": ("doubt", SHARE),
    "apart": ("apart, mean 1", "{:.2f}"),
}
QUALITY: dict[str, Forms] = {
    "resizing": {
        "index": ("", NAME),
        "pictures": ("pictures", COUNT),
        "MB": ("MB", "{:,.2f}"),
        "KB each": ("KB each", "{:,.1f}"),
        "share": ("of those in use", SHARE),
    },
    "measures": {
        "index": ("", NAME),
        "width": ("width, pixels", "{:,.0f}"),
        "height": ("height, pixels", "{:,.0f}"),
        "aspect": ("width / height", "{:.2f}"),
        "bytes": ("file, bytes", "{:,.0f}"),
        "brightness": ("brightness, 0 to 255", "{:.0f}"),
        "sharpness": ("sharpness", "{:,.0f}"),
        "entropy": ("entropy, bits", "{:.1f}"),
    },
    "worth_a_look": {
        "index": ("", NAME),
        "that is": ("that is", NAME),
        "pictures": ("pictures", COUNT),
    },
    "repeated": {
        "index": ("", NAME),
        "count": ("how many", COUNT),
        "MB": ("MB", "{:,.2f}"),
    },
    "left_out": {
        "status": ("status", NAME),
        "reason": ("reason", WORDS),
        "pictures": ("pictures", COUNT),
    },
}
DATASET = {  # headings of what `show` and `prune` tell; other columns hold names
    "pictures": ("pictures", COUNT),
    "thumbnails": ("thumbnails", COUNT),
    "files": ("files", COUNT),
    "reason": ("reason", WORDS),
    "note": ("note", WORDS),
    "license": ("licence", NAME),
    "path": ("picture", NAME),
}


def counts_of(counts: "pd.DataFrame") -> str:
    """Counts of pictures as `Manifest.counts` gives them, as text; of many classes the smallest."""
    forms = {name: ("in use" if name == "ok" else name, COUNT) for name in counts.columns}
    classes, told = len(counts) - 1, ""
    if classes > MOST:
        order = counts["ok" if "ok" in counts else "total"].to_numpy()[:-1].argsort(kind="stable")
        counts = counts.iloc[[*order, classes]]
        told = f"the {MOST} smallest of {classes:,} classes\n"
    rows = counts.reset_index(names="label")
    return told + terminal.frame(rows, {"label": ("class", NAME), **forms}, most=MOST, total=True)


def of_dataset(part: "pd.DataFrame") -> str:
    """What `show` or `prune` tells of a dataset."""
    return terminal.frame(part, {name: DATASET.get(name, (name, NAME)) for name in part})


def side_by_side(table: "pd.DataFrame") -> str:
    """A comparison as text, a column for each network."""
    rows = table.assign(start=[terminal.shortened(start, START) for start in table["start"]])
    cells = {
        str(run): [terminal.cell(row[name], form) for name, (_, form) in MEASURES.items()]
        for run, row in rows.iterrows()
    }
    named = terminal.Column("", [name for name, _ in MEASURES.values()], WORDS)
    return terminal.table([named, *(terminal.Column(run, told, COUNT) for run, told in cells.items())])


def per_class(report: "Report") -> str:
    """Precision, recall and F1; of many classes the worst."""
    rows, told = report.per_class.reset_index(), ""
    if len(rows) > MOST:
        rows = rows.assign(unasked=rows["pictures"] == 0).sort_values(["unasked", "f1", "class"])
        told = f"the {MOST} worst of {len(rows):,} classes\n"
    return told + terminal.frame(rows, PER_CLASS, most=MOST)


def confusion(report: "Report") -> str:
    """The confusion matrix; of many classes those that are confused most."""
    if len(report.classes) > MATRIX:
        return f"most confused\n{terminal.frame(report.most_confused(), CONFUSED, most=MOST)}"
    rows = report.confusion.reset_index(names="")
    forms = {"": ("", NAME)} | {name: (name, COUNT) for name in report.classes}
    return f"true class in rows, predicted class in columns\n{terminal.frame(rows, forms)}"


def robustness(curves: "dict[str, pd.DataFrame]") -> str:
    """The accuracies of each network at each level of each disturbance."""
    from toolkit.evaluation import corruptions

    def words(name: str, level: float) -> str:
        return "as they are" if UNTOUCHED.get(name) == level else corruptions.in_words(name, level)

    told = {
        name: {words(row.disturbance, row.level): row.accuracy for row in curve.itertuples()}
        for name, curve in curves.items()
    }
    rows = list(dict.fromkeys(row for accuracies in told.values() for row in accuracies))
    columns = [
        terminal.Column(name, [terminal.cell(accuracies.get(row), SHARE) for row in rows], SHARE)
        for name, accuracies in told.items()
    ]
    return terminal.table([terminal.Column("", rows, WORDS), *columns])


def operating_points(points: "pd.DataFrame", precision: float) -> str:
    """The threshold of each class; of many classes those that lose most by it."""
    rows = points.sort_values("recall", kind="stable", na_position="first") if len(points) > MOST else points
    told = f"for {precision:.0%} right answers of each class, as --threshold CLASS=NUMBER of predict and export"
    after = "found on these test pictures, and so a little too good on them"
    return f"{told}\n{terminal.frame(rows, OPERATING_POINTS, most=MOST)}\n{after}\n"


def history(rows: "pd.DataFrame") -> str:
    """The course of a training: accuracies as shares, losses in nats."""
    known = {"epoch": ("epoch", "{}"), "phase": ("phase", NAME), "C": ("C", "{:g}")}
    share = {name: (name.replace("_", " "), SHARE) for name in rows if name.endswith("accuracy")}
    forms = known | share
    return terminal.frame(rows, {name: forms.get(name, (name.replace("_", " "), "{:.4f}")) for name in rows})


def quality(name: str, part: "pd.DataFrame") -> str:
    """A table of `quality.summary` by its name; of the measures a column each."""
    rows = (part.T if name == "measures" else part).reset_index(names="index")
    return terminal.frame(rows, {name: form for name, form in QUALITY[name].items() if name in rows})
