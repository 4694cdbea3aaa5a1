"""Names of runs: by dataset and name, since runs of two datasets often have one name."""

from collections import Counter
from collections.abc import Sequence

from toolkit.core import paths
from toolkit.model.bundle import Bundle


def full(runs: Sequence[Bundle]) -> list[str]:
    """DATASET/RUN of each run; its path where two have the same, as in a copy of a folder.

    >>> full([bundle.load("cars_tanks/vgg")])  # doctest: +SKIP
    ['cars_tanks/vgg']
    """
    names = [f"{dataset(run)}/{run.name}" for run in runs]
    folders = {name: {run.folder for run, same in zip(runs, names, strict=True) if same == name} for name in names}
    return [name if len(folders[name]) == 1 else str(run.folder) for run, name in zip(runs, names, strict=True)]


def short(runs: Sequence[Bundle]) -> list[str]:
    """The names of runs of one dataset, which tell them apart; else as `full`.

    >>> short([bundle.load("cars_tanks/vgg"), bundle.load("cars_tanks/xception")])  # doctest: +SKIP
    ['vgg', 'xception']
    """
    return [run.name for run in runs] if len({run.folder.parent for run in runs}) == 1 else full(runs)


def dataset(run: Bundle) -> str:
    """Name of the dataset of a run, as the place of the run says it."""
    return paths.dataset_of(run.folder).name


def distinct(names: Sequence[str], fuller: Sequence[str], *, taken: Sequence[str] = ()) -> list[str]:
    """Names for the columns of a table: the fuller ones where the short ones are alike, or are names of its columns.

    >>> distinct(["vgg", "label"], ["a/vgg", "a/label"], taken=["label"])
    ['a/vgg', 'a/label']
    """
    chosen = list(names if len(set(names)) == len(names) and not set(names) & set(taken) else fuller)
    counts = Counter(chosen)
    return [name if counts[name] == 1 else f"{name} ({index})" for index, name in enumerate(chosen, start=1)]
