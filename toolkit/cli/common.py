"""What the verbs share: telling people, and finding what was named."""

import json
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli.options import FIRST_PHASE, MIXING_OPTIONS, STEPPING, TRAINING_OPTIONS
from toolkit.core import paths
from toolkit.errors import BundleError

if TYPE_CHECKING:
    from toolkit.dataset.manifest import Manifest
    from toolkit.model.bundle import Bundle
    from toolkit.training.config import Config


FORMS = (  # of the columns of a comparison: how good each network is, and what an answer costs
    {
        **dict.fromkeys(("accuracy", "low", "high", "balanced_accuracy"), "{:.1%}"),
        **dict.fromkeys(("macro_f1", "log_loss", "ece"), "{:.3f}"),
        "pictures": "{}",
    },
    {
        **dict.fromkeys(("size", "start", "parameters"), "{}"),
        **dict.fromkeys(("train_seconds", "memory"), "{:.0f}"),
        **dict.fromkeys(("milliseconds", "milliseconds_p95", "megabytes"), "{:.1f}"),
    },
)


def say(arguments: Namespace) -> Callable[[str], None]:
    """Where lines for people go: nowhere if a program reads along."""
    return (lambda line: None) if arguments.json else (lambda line: print(line, flush=True))


def given(arguments: Namespace, *names: str) -> dict[str, object]:
    """Those of the named options that were given."""
    return {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}


def configs(arguments: Namespace, names: Sequence[str], *, usual: Mapping[str, object] | None = None) -> list["Config"]:
    """How each of the named networks is to be trained, or those of a file or a recipe if none is named.

    Args:
        arguments: of a verb with the options of `options.training`.
        names: of networks.
        usual: settings in place of the network's own, where nothing else is said.

    Raises:
        ValueError: nothing says which network, or a setting could have no effect.
    """
    from toolkit.training import config, recipes

    recipe, file = (getattr(arguments, name, None) for name in ("recipe", "config"))
    stored = {**(usual or {}), **(config.stored(Path(file)) if file else {})}
    if not names and not recipe and not stored.get("network"):
        raise ValueError("expected at least one network, got none; give --networks vgg, for example")
    settings, options = given(arguments, *TRAINING_OPTIONS), dict(map(_option, arguments.option))
    mixing = given(arguments, *MIXING_OPTIONS)
    settings |= {"mixing": mixing} if mixing else {}
    how = {"recipe": recipe, "stored": stored, "settings": settings, "options": options}
    found = recipes.configs_for(names, **how, **given(arguments, "weights"))
    for one in found:
        one.resolved()
        _tell_unused(arguments, one)
    return found


def _tell_unused(arguments: Namespace, config: "Config") -> None:
    """Say once which of the given settings a head on a frozen backbone has no use for; `run` gives them to all."""

    idle = sorted(given(arguments, *(FIRST_PHASE if config.fine_tune else STEPPING)))
    if idle and config.is_linear_probe:
        words = ", ".join(name.replace("_", " ") for name in idle)
        say(arguments)(
            f"{config.network}: the backbone is frozen and its head is found at once, so these are not used: {words} "
            "(--features-each-epoch trains the head with them)"
        )


def _option(word: str) -> tuple[str, object]:
    """`width=0.5` as a name and a value; what is no number or list stays text."""
    name, equals, value = word.partition("=")
    if not equals:
        raise ValueError(f"expected an option such as width=0.5, got {word!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def bundles(names: Sequence[str]) -> list["Bundle"]:
    """The runs of these names; the name of a dataset stands for all its runs."""
    from toolkit.dataset import manifest
    from toolkit.model import bundle

    folders: list[Path] = []
    for name in names:
        whole = (paths.dataset(name) / manifest.FILE).exists()
        runs = bundle.runs(paths.dataset(name)) if whole else [paths.run(name)]
        if not runs:
            raise BundleError(f"expected trained runs of {name}, found none; run `toolkit train {name}` first")
        folders += [run for run in runs if run not in folders]
    return [bundle.load(folder) for folder in folders]


def evaluated(names: Sequence[str], arguments: Namespace) -> list["Bundle"]:
    """The same; those that were not yet asked about the test pictures are asked now, which is written down."""
    from toolkit.dataset import manifest
    from toolkit.evaluation import evaluate

    found = bundles(names)
    for run in found:
        if not run.metrics:
            say(arguments)(str(evaluate.measure(run, manifest.load(paths.dataset_of(run.folder)))))
    return found


def counted(table: "Manifest", arguments: Namespace, by: str = "status") -> dict:
    """How many pictures there are of each kind, said and given back."""
    counts = table.counts(by)
    say(arguments)(f"{table.root}\n{counts.to_string()}")
    return {"dataset": table.root, by: counts.to_dict(orient="index")}


def _shown(form: str) -> Callable[[object], str]:
    """A value as people read it; nothing where it was not measured, which alone is not equal to itself."""
    return lambda value: form.format(value) if value == value else ""


def compared(runs: Sequence["Bundle"], arguments: Namespace) -> dict:
    """A comparison, said and given back."""
    from toolkit.evaluation import compare, memory

    memory.measure(runs)
    table, pairs = compare.table(runs), compare.pairs(runs)
    words = " ".join([compare.in_words(table, pairs), compare.untrained(table)]).strip()
    blocks = [
        table[list(forms)].apply(lambda column, forms=forms: column.map(_shown(forms[column.name]))) for forms in FORMS
    ]
    say(arguments)("\n" + "\n\n".join(block.rename_axis(None).to_string() for block in blocks) + f"\n\n{words}")
    rows = {"comparison": table.reset_index().astype(object).where(table.reset_index().notna(), None), "pairs": pairs}
    single = {run.name: {name: run.metrics.get(name) for name in ("per_class", "confusion")} for run in runs}
    told = {name: part.to_dict(orient="records") for name, part in rows.items()}
    return told | {"runs": single, "in_words": words}
