"""Training again after pictures were added: beside the earlier run, which stays, and with a word on what differs."""

from collections.abc import Callable

from toolkit import networks
from toolkit.core import paths, runs
from toolkit.core.words import counted, listed
from toolkit.dataset import changes
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError
from toolkit.evaluation import evaluate, significance
from toolkit.model import bundle
from toolkit.model.bundle import Bundle
from toolkit.training import train

KINDS = ("added", "taken out", "relabelled", "moved")


def fit(
    config: train.Config,
    manifest: Manifest,
    *,
    name: str | None = None,
    overwrite: bool = False,
    log: Callable[[str], None] = lambda line: None,
) -> tuple[Bundle, Bundle | None]:
    """Train a network as `train.fit`; if only the pictures are others than those of the run of that name, beside it.

    The new run is then called `<name>-2`, and so on; the earlier one keeps its name, whoever uses it. Other settings
    are refused as ever: two networks of one name would be taken for one another.

    Args:
        config, manifest, name, overwrite: see `train.fit`; with `overwrite` the earlier run is replaced.
        log: takes a line on what the pictures of the earlier run were, before it is trained.

    Returns:
        The run, and the one before it with the same settings, if there is one.

    Raises:
        BundleError: there is a run of that name with other settings.
    """
    wanted = paths.check_label(name or networks.label(config.network))
    place, before = (wanted, None) if overwrite else _place(config, manifest, wanted)
    if before:
        log(f"{since(before, manifest)}; {before.name} stays")
    return train.fit(config, manifest, name=place, overwrite=overwrite), before


def _place(config: train.Config, manifest: Manifest, wanted: str) -> tuple[str, Bundle | None]:
    """The name for a training, and the last run with the same settings and other pictures."""
    identity = train.identity(config.resolved(), manifest)
    settings = {key: value for key, value in identity.items() if key != "manifest"}
    place, number, before = wanted, 1, None
    while (folder := paths.models(manifest.root) / place).joinpath(bundle.FACTS).exists():
        try:
            run = bundle.load(folder)
        except BundleError:  # damaged: `train.fit` says so
            return place, before
        if runs.is_same(run.facts, identity):
            return place, before
        if not runs.is_same(run.facts, settings):
            if place == wanted:
                return wanted, None
        else:
            before = run
        number += 1
        place = f"{wanted}-{number}"
    return place, before


def since(before: Bundle, manifest: Manifest) -> str:
    """What changed since an earlier run, in words.

    Args:
        before: the run.
        manifest: its dataset as it is now.
    """
    try:
        found = changes.between(before.pictures, manifest)["change"].value_counts()
    except BundleError:  # it was trained before runs noted their pictures
        return f"other pictures, labels or splits since {before.name}"
    parts = [f"{found[kind]:,} {kind}" for kind in KINDS if kind in found]
    return f"since {before.name} {counted(int(found.sum()))}: {listed(parts)}"


def beside(before: Bundle, report: evaluate.Report) -> str:
    """How a run does beside the one before it, on the test pictures that both were asked about, in words.

    Args:
        before: the earlier run.
        report: the answers of the new one.

    Returns:
        A sentence; "" if they share no test picture.
    """
    try:
        old = before.predictions
    except BundleError:
        return ""
    both = report.predictions.merge(old, on=["path", "label"], suffixes=("", "_before"))
    if not len(both):
        return ""
    first, second = both["predicted_before"] == both["label"], both["predicted"] == both["label"]
    p = significance.mcnemar(first, second)
    told = f"of the {counted(len(both), 'test picture')} of both, {before.name} names {first.mean():.1%} right"
    verdict = "they differ" if p < significance.LEVEL else "the two cannot be told apart"
    return f"{told}, {report.run} {second.mean():.1%}; {verdict}, p = {p:.2g}"
