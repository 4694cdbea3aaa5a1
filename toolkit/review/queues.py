"""Review queues: pictures that are worth a look, each with a reason, the most suspicious first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit.core import paths
from toolkit.core.words import named
from toolkit.dataset import label_issues, signatures, split
from toolkit.dataset.manifest import Manifest
from toolkit.duplicates.dedup import differences, original_of

PREDICTIONS = "predictions.csv"  # of an evaluated run; read as a table, since to open its bundle would load Keras
UNSURE = 0.9  # right answers less probable than this are worth a look
REMARKABLE = 0.02  # share of the pictures that are the darkest, or blurriest, …
SHOWN_BESIDE = 3  # copies of one picture, at most


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to look at.

    Args:
        path: as in the manifest.
        why: what is suspicious about it, in words.
        suggested: the label it may have instead, or "".
        others: paths of pictures to show beside it.
    """

    path: str
    why: str = ""
    suggested: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Queue:
    """Pictures that are looked at for one reason.

    Args:
        name: short, for addresses.
        title: for people.
        question: that each picture answers.
        items: the most suspicious first.
    """

    name: str
    title: str
    question: str
    items: Sequence[Item]


def build(manifest: Manifest) -> list[Queue]:
    """All queues of a dataset that have pictures in them; the last ones hold all pictures, by class.

    Args:
        manifest: the dataset; what its runs answered and what a label check found is read from beside it.
    """
    odd = _odd(manifest.table)
    queues = [
        Queue("labels", "likely wrong labels", "Is the label right?", _labels(manifest)),
        Queue("conflicts", "one picture, two labels", "Which label is right?", _conflicts(manifest.table)),
        Queue("mistakes", "confident mistakes", "Is the label right, or the network?", _mistakes(manifest)),
        Queue("hesitant", "hesitant answers", "Is the label right?", _hesitant(manifest)),
        Queue("bulk", "test labels given in bulk", "Is the label right?", _in_bulk(manifest)),
        Queue("copies", "near-duplicates", "Is it the same picture?", _copies(manifest)),
        Queue(
            "alike",
            "alike, and both in use",
            "Is it the same picture as another, to be left out?",
            _alike(manifest.table),
        ),
        Queue("left-out", "left out", "Is it left out for a good reason?", _left_out(manifest.table)),
        Queue("all", "all pictures", "Is the label right?", [item for _, item in odd]),
    ]
    for label in manifest.classes:
        own = [item for name, item in odd if name == label]
        queues.append(Queue(f"class:{label}", f"all {label}", f"Is this one of {label}?", own))
    return [queue for queue in queues if queue.items]


def _labels(manifest: Manifest) -> list[Item]:
    """What a label check found, but for what has another label since or is not in use."""
    used = _used(manifest.table)
    return [
        Item(row.path, row.reason or f"{row.suggested} is more likely ({row.score:.0%})", row.suggested)
        for row in label_issues.load(manifest.root).itertuples()
        if used.get(row.path) == row.label
    ]


def _conflicts(table: pd.DataFrame) -> list[Item]:
    conflicts = table[table["status"] == "label conflict"].sort_values(["group", "path"])
    items = []
    for _, members in conflicts.groupby("group"):
        for row in members.itertuples():
            rest = members[members["label"] != row.label]
            why = f"the same picture is there as {' and '.join(sorted(set(rest['label'])))}; neither is used"
            items.append(Item(row.path, why if len(rest) else row.reason, others=tuple(rest["path"])[:SHOWN_BESIDE]))
    return items


def _copies(manifest: Manifest) -> list[Item]:
    """Pictures that were left out as copies, beside the one that is used; those least alike first."""
    names = manifest.table.set_index("path")["sha256"]
    copies = manifest.table[manifest.table["status"] == "duplicate"]
    pairs = dict(zip(copies["path"], copies["reason"].map(original_of), strict=True))
    pairs = {path: original for path, original in pairs.items() if original in names.index}
    stored, rows = signatures.find(manifest.root, names[[*pairs, *pairs.values()]])
    first, second = rows.reshape(2, -1)
    measured = (first >= 0) & (second >= 0)
    difference = np.zeros(len(pairs))
    if measured.any():
        used, rows = np.unique([first[measured], second[measured]], return_inverse=True)
        difference[measured] = differences(np.array(stored[used]), *rows.reshape(2, -1))
    ranked = sorted(zip(-difference, pairs, pairs.values(), strict=True))
    return [
        Item(path, f"left out as a copy of the picture beside it (difference {-negative:.3f})", others=(original,))
        for negative, path, original in ranked
    ]


def _alike(table: pd.DataFrame) -> list[Item]:
    """Pictures in use of one group, the largest last: a look found them alike, none found that they are copies."""
    used = table[(table["status"] == "ok") & (table["group"] != "")]
    items = []
    for _, members in used[used["group"].duplicated(keep=False)].groupby("group"):
        ranked = members.assign(pixels=members["width"] * members["height"]).sort_values(["pixels", "path"])["path"]
        for path in ranked[:-1]:
            others = tuple(other for other in ranked[::-1] if other != path)[:SHOWN_BESIDE]
            items.append(
                Item(path, "alike, but no copy for certain: both are used, in one part of the split", others=others)
            )
    return items


def _mistakes(manifest: Manifest) -> list[Item]:
    """Test pictures that a run gives another label than they have now, the most confident answer first."""
    answers = _answers(manifest)
    wrong = answers[answers["predicted"] != answers["label"]]
    wrong = wrong.sort_values(["probability", "run"], ascending=[False, True])
    surest = wrong.drop_duplicates("path")
    reasons = {path: _answers_in_words(group) for path, group in wrong.groupby("path")}
    return [Item(row.path, reasons[row.path], row.predicted) for row in surest.itertuples()]


def _hesitant(manifest: Manifest) -> list[Item]:
    """Test pictures that all runs give their label, but one with little confidence; the least confident first."""
    answers = _answers(manifest)
    wrong = set(answers.loc[answers["predicted"] != answers["label"], "path"])
    unsure = answers[~answers["path"].isin(wrong) & (answers["probability"] < UNSURE)]
    unsure = unsure.sort_values(["probability", "run"])
    reasons = {path: _answers_in_words(group) for path, group in unsure.groupby("path")}
    return [Item(path, reasons[path]) for path in unsure["path"].drop_duplicates()]


def _in_bulk(manifest: Manifest) -> list[Item]:
    """Test pictures whose label nobody gave them alone, in the order of their paths."""
    return [
        Item(path, "it got its label together with others, at a glance") for path in sorted(split.in_bulk(manifest))
    ]


def _answers_in_words(answers: pd.DataFrame) -> str:
    return ", ".join(f"{row.run} says {named(row.predicted)} ({row.probability:.1%})" for row in answers.itertuples())


def _answers(manifest: Manifest) -> pd.DataFrame:
    """The predictions of all evaluated runs for pictures in use, beside the label they have now."""
    used, parts = _used(manifest.table), []
    for file in sorted(paths.models(manifest.root).glob(f"*/{PREDICTIONS}")):
        try:
            columns = ["path", "predicted", "probability"]
            table = pd.read_csv(file, usecols=columns, dtype={"probability": float}, keep_default_na=False)
        except ValueError:  # damaged answers of one run are no reason to lose those of others
            continue
        table = table[table["path"].isin(used)]
        parts.append(table.assign(run=file.parent.name, label=table["path"].map(used)))
    empty = pd.DataFrame(columns=["path", "predicted", "probability", "run", "label"])
    return pd.concat(parts, ignore_index=True) if parts else empty


def _used(table: pd.DataFrame) -> dict[str, str]:
    """Label of every picture in use, by its path."""
    used = table[table["status"].isin(["new", "ok"])]
    return dict(zip(used["path"].to_numpy(object), used["label"].to_numpy(object), strict=True))


def _left_out(table: pd.DataFrame) -> list[Item]:
    rows = table[table["status"].isin(["excluded", "poor quality", "too small"])]
    return [Item(row.path, row.reason) for row in rows.sort_values(["status", "path"]).itertuples()]


def _odd(table: pd.DataFrame) -> list[tuple[str, Item]]:
    """Label and item of every picture that can be opened, those furthest from the others first.

    The order does not depend on labels, so that a review that is taken up again finds it as it was.
    """
    table = table[~table["status"].isin(["unreadable", "failed"])]
    ways = {"blurriest": table["sharpness"], "darkest": table["brightness"], "brightest": -table["brightness"]}
    ranks = pd.DataFrame({name: values.rank(pct=True) for name, values in ways.items()}, index=table.index)
    oddness = ranks.min(axis=1).where(table["width"] > 0, 1.0)  # a picture that is not verified was not measured
    table = table.assign(odd=oddness, way=ranks.idxmin(axis=1)).sort_values(["odd", "path"])
    return [
        (label, Item(path, f"one of the {way}" if odd <= REMARKABLE else ""))
        for label, path, way, odd in table[["label", "path", "way", "odd"]].to_numpy(object)
    ]
