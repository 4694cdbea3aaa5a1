"""A model card: what a trained network is, how good, made from what, and where it fails (Mitchell et al., 2019).

Written in Markdown into the bundle, so that whoever is handed the model is handed its limits too.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import toolkit
from toolkit import networks
from toolkit.core import paths, templates
from toolkit.dataset.manifest import Manifest
from toolkit.evaluation import corruptions, evaluate, memory, robustness
from toolkit.model.bundle import Bundle

FILE = "card.md"
SAID_BEFORE = ("network", "style", "size")
OFF = (None, False, 0, "", "none", {}, [])
NEEDS = {"momentum": ("optimizer", "sgd"), "weight_decay": ("optimizer", "adamw"), "warm_up": ("schedule", "cosine")}
BY_EPOCHS = (  # what a head on features that were computed once does without
    *("epochs", "patience", "batch_size", "learning_rate", "optimizer", "momentum", "weight_decay", "schedule"),
    *("warm_up", "monitor", "augmentation"),
)


def write(trained: Bundle, manifest: Manifest) -> Path:
    """Write the card of a run, from what is known of it: run it again after measuring more.

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
            made=datetime.now(UTC).strftime("%d %B %Y"),
            used=int((manifest.table["status"] == "ok").sum()),
            total=len(manifest),
            sources=list(manifest.provenance()[["source", "license", "pictures"]].itertuples(index=False, name=None)),
            settings=settings(trained),
            **facts,
        )
    )
    return paths.write(trained.folder / FILE, page)


def settings(trained: Bundle) -> list[tuple[str, str]]:
    """How it was trained, as words and values; what was off or left out is not told."""
    config = dict(trained.facts["config"])
    config |= config.pop("options", {})
    idle = set(SAID_BEFORE) | {name for name, (other, needed) in NEEDS.items() if config.get(other, needed) != needed}
    idle |= set(BY_EPOCHS) if "C" in trained.history else {"features_once", "views"}
    told = {name: value for name, value in config.items() if name not in idle and value not in OFF}
    return [(name.replace("_", " "), _in_words(value)) for name, value in told.items()]


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_in_words(part)}" for name, part in value.items() if part)
    if isinstance(value, str) and "/" in value:  # a file on somebody's machine
        return Path(value).name
    return "yes" if value is True else f"{value:g}" if isinstance(value, float) else str(value)


def _summary(trained: Bundle) -> str:
    words = networks.get(trained.facts["config"]["network"]).summary
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
        "memory": memory.known(trained),
        "pictures": len(report.predictions),
        "milliseconds": report.milliseconds,
        "milliseconds_p95": report.milliseconds_p95,
        "per_class": [{"name": name, **row} for name, row in report.per_class.to_dict(orient="index").items()],
    }


def _weaknesses(trained: Bundle) -> dict[str, object]:
    """What was found when the pictures were made worse, the three that hurt most."""
    file = trained.folder / robustness.FILE
    if not file.exists():
        return {"nonsense": {}, "worst": []}
    found = json.loads(file.read_text())
    columns = (found["curves"][name] for name in ("disturbance", "level", "accuracy", "pictures"))
    worst: dict[str, tuple[str, float, int]] = {}
    for name, level, accuracy, pictures in zip(*columns, strict=True):
        if name not in worst or accuracy < worst[name][1]:
            worst[name] = (corruptions.in_words(name, level), accuracy, int(pictures))
    return {"nonsense": found["nonsense"], "worst": sorted(worst.values(), key=lambda row: row[1])[:3]}
