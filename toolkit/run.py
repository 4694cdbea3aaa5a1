"""All of it in one call: from sources to compared networks and a page about them."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit import networks, report, scrape
from toolkit.core import parallel
from toolkit.dataset import manifest, resize, split, verify
from toolkit.dataset.manifest import Manifest
from toolkit.duplicates import dedup
from toolkit.evaluation import evaluate
from toolkit.model.bundle import Bundle
from toolkit.scrape import Options
from toolkit.training import probe, recipes, train

SEED = 7


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a run.

    Args:
        manifest: the dataset.
        bundles: the trained networks, in the order asked for.
        page: path of the report.
    """

    manifest: Manifest
    bundles: tuple[Bundle, ...]
    page: Path


def pipeline(
    sources: str | Sequence[str],
    *,
    into: str | Path,
    configs: Sequence[train.Config],
    options: Options | None = None,
    seed: int = SEED,
    overwrite: bool = False,
    cluster: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Scrape, verify, dedup, resize, split, train, evaluate, compare and report.

    Every stage does only what is still to do, so running it again after an interruption goes on where it stopped.

    Args:
        sources: see `scrape.collect`.
        into: name of the dataset in `data/`, or the path of its folder.
        configs: one for each network to train, see `configs_for`.
        options: of the sources.
        seed: of the split.
        overwrite: train a run again that was trained differently.
        cluster: address of a Dask scheduler whose machines verify and resize; None does it on this one.
        say: takes a line on each stage when it is done.

    Returns:
        The outcome; everything in it is on disk too.

    >>> pipeline("practice:100", into="practice", configs=configs_for(["vgg"]))  # doctest: +SKIP
    """
    configs = [config.resolved() for config in configs]
    for config in configs:
        networks.get(config.network).check(size=config.size, style=config.style, **config.options)
        train.check(config)
    table = scrape.collect(sources, into=into, options=options)
    lost = scrape.in_words(table.root)
    say(f"scrape    {len(table)} pictures of {', '.join(table.classes)}{'; ' if lost else ''}{lost}")
    sizes, modes = ([getattr(config, name) for config in configs] for name in ("size", "resize_mode"))
    table = prepare(table, sizes=sizes, modes=modes, seed=seed, cluster=cluster, say=say)
    bundles = []
    for config in configs:
        trained = train.fit(config, table, overwrite=overwrite)
        kept, seconds = trained.facts["best_epoch"] + 1, trained.facts["train_seconds"]
        say(f"train     {trained.name}: {len(trained.history)} epochs in {seconds:.0f} s, kept number {kept}")
        say(f"evaluate  {evaluate.measure(trained, table)}")
        bundles.append(trained)
    page = report.write(table, bundles)
    return Outcome(table, tuple(bundles), page)


def prepare(
    table: Manifest,
    *,
    sizes: Sequence[int],
    modes: Sequence[str] = ("crop",),
    seed: int = SEED,
    cluster: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Manifest:
    """The stages between scraping and training: verify, dedup, resize to each size, and split; saved after each."""
    with parallel.cluster(cluster, needs=table.root / manifest.FILE):
        table = verify.check(table).save()
    say(f"verify    {_counted(table, 'unreadable', 'too small')}")
    table = dedup.group(table).save()
    say(f"dedup     {_counted(table, 'duplicate', 'label conflict')}")
    with parallel.cluster(cluster, needs=table.root / manifest.FILE):
        for size, mode in itertools.product(sorted(set(sizes)), sorted(set(modes))):
            table = resize.write(table, size=size, mode=mode).save()
    say(f"resize    to {' and '.join(f'{size}x{size}' for size in sorted(set(sizes)))}")
    table = split.assign(table, seed=seed).save()
    parts = table.where(status="ok").table["split"].value_counts()
    say(f"split     {parts['train']} train, {parts['val']} val, {parts['test']} test")
    return table


def configs_for(
    names: Sequence[str],
    *,
    recipe: str | None = None,
    stored: Mapping[str, object] | None = None,
    weights: str | None = None,
    settings: Mapping[str, object] | None = None,
    options: Mapping[str, object] | None = None,
) -> list[train.Config]:
    """A config per network, with the same settings, and the weights for those that can start from some.

    Args:
        names: of networks; none takes the one that is stored, or those of the recipe.
        recipe: where the settings that are not given come from, see `recipes`; None takes the defaults.
        stored: settings that go before those of the recipe, such as those of `config.stored`.
        weights: for networks that can start from some, see `networks.transfer.parse`; None leaves it to the network.
        settings: values of `train.Config` that all of them share, before all others; unknown ones raise ValueError.
            What only a head on features uses goes to the networks that have one, if any has.
        options: of the networks; each takes those it has, and one that none has raises ValueError.

    >>> [config.options for config in configs_for(["vgg", "mobilenet"], options={"width": 0.5})]
    [{'width': 0.5}, {}]
    """
    stored, settings, configs = stored or {}, settings or {}, []
    given = {**({"weights": weights} if weights else {}), **(options or {})}
    alone = [stored["network"]] if stored.get("network") else recipes.networks(recipe) if recipe else []
    names = list(dict.fromkeys(names or alone))
    _check_options(names, set(given) - {"weights"})
    for name in names:
        merged = _merged(name, recipe, stored, settings)
        known = sorted(set(networks.get(name).options) & set(given))
        own = {**merged.get("options", {}), **{option: given[option] for option in known}}
        _check_options([name], own)
        configs.append(train.config_from({**merged, "options": own}))
    return _by_heads(configs)


def _merged(
    name: str, recipe: str | None, stored: Mapping[str, object], settings: Mapping[str, object]
) -> dict[str, object]:
    """What is said about a network, the last word last; a patience gives way to fewer epochs that are said later."""
    merged: dict[str, object] = {}
    for said in (vars(recipes.get(recipe, network=name)) if recipe else {}, stored, settings):
        if merged.get("patience") and said.get("epochs"):
            merged["patience"] = min(merged["patience"], max(1, int(said["epochs"]) - 1))
        inner = [values.get("fine_tune") for values in (merged, said)]
        merged |= said
        if all(isinstance(values, Mapping) for values in inner):  # other epochs of it leave its rate as it is
            merged["fine_tune"] = {**inner[0], **inner[1]}
    return {**merged, "network": name}


def _check_options(names: Sequence[str], given: Iterable[str]) -> None:
    """Raise ValueError for an option that none of the networks has."""
    known = dict.fromkeys(option for name in names for option in networks.get(name).options)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(
            f"expected options of {', '.join(names)} from {', '.join(known) or 'none'}, got {unknown[0]!r}"
        )


def _by_heads(configs: list[train.Config]) -> list[train.Config]:
    """What only a head on features uses is for the networks that have one; if none has, `train.check` says so."""
    if not any(map(probe.suits, configs)):
        return configs
    return [config if probe.suits(config) else replace(config, **train.OF_HEADS) for config in configs]


def _counted(table: Manifest, *statuses: str) -> str:
    counts = table.table["status"].value_counts()
    return ", ".join([f"{counts.get('ok', 0)} ok", *(f"{counts.get(status, 0)} {status}" for status in statuses)])
