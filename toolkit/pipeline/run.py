"""The whole pipeline in one call: from sources to compared networks and a page about them."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import networks, report, scrape
from toolkit.core import moved, parallel, words
from toolkit.dataset import manifest, resize, split, verify
from toolkit.duplicates import dedup
from toolkit.errors import DatasetError
from toolkit.evaluation import evaluate
from toolkit.model.bundle import Bundle
from toolkit.pipeline import again
from toolkit.training import train
from toolkit.training.recipes import configs_for

if TYPE_CHECKING:
    from toolkit.training.config import Resolved

__all__ = ["Run", "configs_for", "pipeline", "prepare", "train_all", "usual_networks"]

Manifest = manifest.Manifest
Options = scrape.Options
SEED = 7

Choose = Callable[[Manifest], Sequence[train.Config]]


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What the pipeline made.

    Args:
        manifest: the dataset.
        bundles: the trained networks, in the order asked for.
        page: path of the report.
    """

    manifest: Manifest
    bundles: tuple[Bundle, ...]
    page: Path

    def __repr__(self) -> str:
        return "\n".join([*map(repr, self.bundles), str(self.page)])


def usual_networks(weights: str = "") -> tuple[str, ...]:
    """The networks that `toolkit run` trains where none is named: two that start from nothing, and a pretrained one.

    Args:
        weights: those that were asked for, see `networks.usual`.

    >>> usual_networks(), usual_networks("imagenet")[-1]
    (('vgg', 'dual_stack', 'efficientnet_lite0'), 'xception')
    """
    return "vgg", "dual_stack", networks.usual(weights)


@moved.keywords(say="log")
def pipeline(
    sources: str | Sequence[str],
    *,
    into: str | Path,
    configs: Sequence[train.Config],
    name: str | None = None,
    options: scrape.Options | None = None,
    seed: int = SEED,
    overwrite: bool = False,
    cluster: str | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> Run:
    """Scrape, verify, dedup, resize, split, train, evaluate, compare and report.

    Every stage does only what is still to do, so running it again after an interruption goes on where it stopped. After
    pictures were added it trains again, beside the earlier run, which stays and is compared (see `again.fit`).

    Args:
        sources: see `scrape.collect`.
        into: name of the dataset in `data/`, or the path of its folder.
        configs: one for each network to train, see `configs_for`.
        name: of the run, if there is one network; None takes the network's.
        options: of the sources.
        seed: of the split.
        overwrite: train a run again that was trained differently.
        cluster: address of a Dask scheduler whose machines verify, dedup and resize; None does it on this one.
        log: takes a line on each stage when it is done.

    Returns:
        The run; everything in it is on disk too.

    Raises:
        ValueError: a setting is out of range or has no effect, before anything is scraped.

    >>> pipeline("practice:100", into="practice", configs=configs_for(["vgg"]))  # doctest: +SKIP
    """
    table, bundles = train_all(
        sources,
        into=into,
        configs=configs,
        name=name,
        options=options,
        seed=seed,
        overwrite=overwrite,
        cluster=cluster,
        log=log,
    )
    log(f"report    asks each network about {report.DISTURBED} test pictures at most, made worse step by step")
    return Run(table, bundles, report.write(table, bundles))


def train_all(
    sources: str | Sequence[str],
    *,
    into: str | Path,
    configs: Sequence[train.Config] | Choose,
    name: str | None = None,
    options: scrape.Options | None = None,
    seed: int = SEED,
    overwrite: bool = False,
    cluster: str | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> tuple[Manifest, tuple[Bundle, ...]]:
    """The pipeline without its page: from sources to networks that were asked about the test pictures.

    Args:
        sources: see `pipeline`; none for a dataset that is there already.
        into, name, options, seed, overwrite, cluster, log: see `pipeline`.
        configs: those of `pipeline`, or what chooses them when the dataset is split.

    Returns:
        The dataset, and the networks in the order of the configs.
    """
    sources = scrape.check(sources)
    settings = [] if callable(configs) else _checked(configs)
    if name is not None and len(settings) > 1:
        raise ValueError(f"expected one network for the name {name!r}, got {len(settings)}; leave the name out")
    table = scrape.collect(sources, into=into, options=options) if sources else manifest.load(into)
    split.check_labelled(table)
    if len(table.classes) < 2:
        raise DatasetError(
            f"expected pictures of at least two classes, got only {', '.join(map(repr, table.classes))}; add a source "
            "with another label"
        )
    lost = scrape.in_words(table.root)
    unlabelled = int((table.table["label"] == "").sum())
    pictures = f"{words.counted(len(table) - unlabelled)} of {words.listed(map(words.named, table.classes))}"
    pictures += f", {unlabelled:,} without a label" if unlabelled else ""
    log(f"scrape    {'; '.join(filter(None, [pictures, lost]))}")
    for line in scrape.repeated(table):
        log(f"          {line}")
    sizes, modes = [config.size for config in settings], [config.resize_mode for config in settings]
    table = prepare(table, sizes=sizes, modes=modes, seed=seed, cluster=cluster, log=log)
    if callable(configs):
        settings = _checked(configs(table))
        for config in settings:
            table = resize.write(table, size=config.size, mode=config.resize_mode).save()
    bundles = []
    for config in settings:
        trained, before = again.fit(
            config, table, name=name, overwrite=overwrite, log=lambda line: log(f"          {line}")
        )
        log(f"train     {trained.name}: {_learned(trained)}")
        judged = evaluate.measure(trained, table)
        log(f"evaluate  {judged}")
        if before and (told := again.beside(before, judged)):
            log(f"          {told}")
        bundles.append(trained)
    return table, tuple(bundles)


def _checked(configs: Sequence[train.Config]) -> list["Resolved"]:
    """The configs, resolved, if their networks can be built."""
    settings = [config.resolved() for config in configs]
    for config in settings:
        networks.get(config.network).check(size=config.size, style=config.style, **config.options)
    return settings


@moved.keywords(say="log")
def prepare(
    table: Manifest,
    *,
    sizes: Sequence[int],
    modes: Sequence[str] = ("crop",),
    seed: int = SEED,
    cluster: str | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> Manifest:
    """The stages between scraping and training: verify, dedup, resize to each size, and split; saved after each."""
    with parallel.cluster(cluster, needs=manifest.base(table.root)):
        table = verify.check(table).save()
        log(f"verify    {_counted(table, 'unreadable', 'too small')}")
        table = dedup.group(table).save()
        log(f"dedup     {_counted(table, 'duplicate', 'label conflict')}")
        for size, mode in itertools.product(sorted(set(sizes)), sorted(set(modes))):
            table = resize.write(table, size=size, mode=mode).save()
    if sizes:
        log(f"resize    to {words.listed(f'{size}x{size}' for size in sorted(set(sizes)))}")
    table = split.assign(table, seed=seed).save()
    parts = table.where(status="ok").table["split"].value_counts()
    log(f"split     {parts['train']:,} train, {parts['val']:,} val, {parts['test']:,} test")
    if told := split.in_words(table):
        log(f"split     {told}")
    return table


def _learned(trained: Bundle) -> str:
    """How a network was trained: how many epochs, or values of C of a head, and which one was kept."""
    history, seconds, (row, _) = trained.history, trained.facts["train_seconds"], trained.best
    if "C" in history:
        return f"a head on {len(history)} values of C in {seconds:.0f} s, kept {row['C']:g}"
    return f"{len(history)} epochs in {seconds:.0f} s, kept number {trained.facts['best_epoch'] + 1}"


def _counted(table: Manifest, *statuses: str) -> str:
    counts = table.table["status"].value_counts()
    return ", ".join(words.counted(int(counts.get(status, 0)), status) for status in ("ok", *statuses))
