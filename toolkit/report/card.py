"""A model card: what a trained network is, how good, made from what, and where it fails (Mitchell et al., 2019).

Written in Markdown into the bundle, so that whoever is handed the model is handed its limits too.
"""

from datetime import datetime
from pathlib import Path

import toolkit
from toolkit import networks
from toolkit.core import paths, templates
from toolkit.dataset.manifest import Manifest
from toolkit.evaluation import corruptions, evaluate, kept, memory, robustness
from toolkit.model.bundle import Bundle

FILE = "card.md"
ELSEWHERE = ("network", "style", "size")  # settings that the card tells in another place
OFF: tuple[object, ...] = (None, False, 0, "", "none", {}, [])
NEEDS = {  # settings that are used only where another one has this value
    "momentum": ("optimizer", "sgd"),
    "weight_decay": ("optimizer", "adamw"),
    "warm_up": ("schedule", "cosine"),
}
BY_EPOCHS = (  # settings that a head on cached features does without
    *("epochs", "patience", "batch_size", "learning_rate", "optimizer", "momentum", "weight_decay", "schedule"),
    *("warm_up", "monitor", "augmentation"),
)


def write(trained: Bundle, manifest: Manifest) -> Path:
    """Write the model card of a run, from what was measured so far: write it again after measuring more.

    Args:
        trained: the model.
        manifest: the dataset it was trained on.

    Returns:
        Path of `card.md` in the bundle.

    >>> write(bundle.load("cars_tanks/vgg"), manifest.load("cars_tanks"))  # doctest: +SKIP
    """
    facts = {**_measured(trained), **_weaknesses(trained)}
    page = (
        templates.environment(Path(__file__).parent / "templates", html=False)
        .get_template("card.md")
        .render(
            run=trained,
            summary=_summary(trained),
            version=toolkit.__version__,
            made=datetime.now().astimezone().strftime("%d %B %Y"),
            used=int((manifest.table["status"] == "ok").sum()),
            total=len(manifest),
            sources=list(manifest.provenance()[["source", "license", "pictures"]].itertuples(index=False, name=None)),
            settings=settings(trained),
            **facts,
        )
    )
    return paths.write(trained.folder / FILE, page)


def settings(trained: Bundle) -> list[tuple[str, str]]:
    """The settings that had an effect, as words and values."""
    config = dict(trained.facts["config"])
    config |= config.pop("options", {})
    unused = {name for name, (setting, needed) in NEEDS.items() if config.get(setting, needed) != needed}
    unused |= set(BY_EPOCHS) if "C" in trained.history else {"features_once", "views"}
    hidden = unused | set(ELSEWHERE)
    return [
        (name.replace("_", " "), _in_words(value))
        for name, value in config.items()
        if name not in hidden and value not in OFF
    ]


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_in_words(part)}" for name, part in value.items() if part)
    if isinstance(value, str) and "/" in value:  # a file on somebody's machine
        return Path(value).name
    return "yes" if value is True else f"{value:g}" if isinstance(value, float) else str(value)


def _summary(trained: Bundle) -> str:
    name = trained.facts["config"]["network"]
    if name.startswith(networks.HUB):  # whose preset may be elsewhere by now
        return f"{networks.label(name)}, a backbone of keras-hub, with a new head"
    words = networks.get(name).summary
    return words[:1].upper() + words[1:]  # and not `capitalize`, which makes small letters of names


def _measured(trained: Bundle) -> dict[str, object]:
    if not trained.metrics:
        return {"accuracy": None}
    report = evaluate.load(trained)
    low, high = report.interval
    return {
        "accuracy": report.accuracy,
        "low": low,
        "high": high,
        "balanced_accuracy": report.balanced_accuracy,
        "macro_f1": report.macro_f1,
        "log_loss": report.log_loss,
        "ece": report.ece,
        "memory": memory.stored(trained),
        "pictures": len(report.predictions),
        "milliseconds": report.milliseconds,
        "milliseconds_p95": report.milliseconds_p95,
        "promises": kept.in_words(trained.metrics).splitlines(),
        "per_class": [{"name": name, **row} for name, row in report.per_class.to_dict(orient="index").items()],
    }


def _weaknesses(trained: Bundle) -> dict[str, object]:
    """When to abstain, and the three corruptions that cost most, each at its worst level."""
    measured = robustness.load(trained)
    if measured is None:
        return {"abstention": {}, "worst": []}
    by_accuracy = measured.curves.sort_values("accuracy", kind="stable")
    worst = [
        (corruptions.in_words(row.disturbance, row.level), row.accuracy, row.pictures)
        for row in by_accuracy.drop_duplicates("disturbance").head(3).itertuples()
    ]
    return {"abstention": measured.abstention, "worst": worst}
