"""Automatic choice of a backbone: the head of each one at hand is cross-validated, and the smallest good one is taken.

At hand are those whose weights are installed, and those whose features of these pictures are cached. They are judged on
train and val; the test pictures stay closed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from toolkit import networks
from toolkit.core import paths
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError, DatasetError
from toolkit.evaluation import significance
from toolkit.networks import efficientnet_lite
from toolkit.selection import crossval
from toolkit.training import features, probe
from toolkit.training.config import Config

NAME = "auto"  # in place of the name of a network, and of the folder of what was measured
TINY = 64  # pixels; the shortest side of most pictures up to which the smallest backbone is worth a try

Configure = Callable[[str, networks.Options], Config]  # from the name of a network and its options


@dataclass(frozen=True, eq=False)
class Choice:
    """The backbone that was chosen, and the figures it was chosen by.

    Args:
        config: of the chosen network.
        table: a row per backbone, by its name: `accuracy` with its 95 % interval (`low`, `high`), number of `pictures`,
            `parameters`, and `p`, the probability that two equally good ones differ as much as this and the first one
            (McNemar's exact test); the most accurate first.
        name: of the chosen one in the table.
    """

    config: Config
    table: pd.DataFrame
    name: str

    def __str__(self) -> str:
        first = self.table.index[0]
        why = f"is smaller than {first} and cannot be told apart from it, p = {self.table.loc[self.name, 'p']:.2f}"
        return f"{self.name}, which {'is right most often' if self.name == first else why}"


def choose(
    manifest: Manifest,
    configure: Configure = lambda network, options: Config(network, options=options),
    *,
    folds: int = 5,
    seed: int = 7,
    log: Callable[[str], None] = lambda line: None,
) -> Choice:
    """Choose a backbone: the smallest of those that cannot be told apart from the most accurate one.

    Args:
        manifest: a split manifest; its test pictures are not looked at.
        configure: gives the config of a network with these options; whatever else is set is the same for all.
        folds, seed: of the cross-validation, see `crossval.run`.
        log: takes a line on each backbone when it is judged.

    Raises:
        DatasetError: it is not split, or a class has too few pictures for so many folds.
        ValueError: the settings leave no head on a frozen backbone.

    >>> print(choose(manifest.load("cars_tanks"), log=print))  # doctest: +SKIP
    efficientnet_lite0, which is smaller than efficientnet_lite2 and cannot be told apart from it, p = 0.39
    """
    used = manifest.where(split=("train", "val"), status="ok")
    if not len(used):
        raise DatasetError(f"expected a split dataset, got none of {manifest.name} split; run split first")
    found = candidates(used, configure)
    rows, right = {}, {}
    for name, config in found.items():
        into = paths.models(manifest.root) / NAME / paths.check_label(name)
        report = crossval.run(used, _head(config), folds=folds, seed=seed, into=into, overwrite=True).report
        low, high = report.interval
        rows[name] = {"accuracy": report.accuracy, "low": low, "high": high, "pictures": len(report.predictions)}
        rows[name]["parameters"] = _parameters(config)
        right[name] = report.right.sort_index()
        log(f"{name}: {report.accuracy:.1%} of {len(report.predictions)} (95 % interval {low:.1%} to {high:.1%})")
    table = pd.DataFrame.from_dict(rows, orient="index")
    table = table.sort_values(["accuracy", "parameters"], ascending=[False, True])
    table["p"] = [significance.mcnemar(right[table.index[0]], right[name]) for name in table.index]
    name = smallest(table)
    return Choice(found[name], table, name)


def smallest(table: pd.DataFrame) -> str:
    """The name of the smallest backbone that cannot be told apart from the most accurate one, see `Choice.table`."""
    return str(table.loc[table["p"] >= significance.LEVEL, "parameters"].idxmin())


def candidates(used: Manifest, configure: Configure) -> dict[str, Config]:
    """The backbones at hand by name: installed ones, the smallest only for tiny pictures, and those of cached features.

    >>> list(candidates(table, lambda network, options: Config(network, options=options)))  # doctest: +SKIP
    ['efficientnet_lite0', 'efficientnet_lite1', 'efficientnet_lite2', 'xception, cifar10']
    """
    found = {name: configure(name, {}) for name in efficientnet_lite.VARIANTS if _is_installed(name)}
    if used.table[["width", "height"]].min(axis=1).median() <= TINY:
        found["xception, cifar10"] = configure("xception", {"weights": "cifar10"})
    for network, weights in features.backbones(used):
        name = networks.label(network) + ("" if weights == "imagenet" else f", {Path(weights).name}")
        if name not in found:
            own = {"weights": weights} if "weights" in networks.get(network).options else {}
            config = configure(network, own)
            if probe.features_for(_head(config).resolved(), used, compute=False) is not None:
                found[name] = config
    return found


def _is_installed(name: str) -> bool:
    try:
        return efficientnet_lite.installed(name).is_file()
    except BundleError:
        return False


def _head(config: Config) -> Config:
    """The same without fine-tuning, which comes after the choice."""
    head = replace(config, fine_tune=None)
    if not head.uses_cached_features:
        raise ValueError(
            "expected settings that leave one dense layer on a frozen backbone for --network auto, got others; name "
            "the network, or leave out options of its head and layers that learn"
        )
    return head


def _parameters(config: Config) -> int:
    transfer = networks.get(config.network).transfer(style=config.style, **config.options)
    return transfer.backbone(size=config.resolved().size).count_params()
