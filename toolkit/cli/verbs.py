"""What each verb does: call its module, tell people what came of it, and give the same as data for programs."""

import json
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import manifest, paths
from toolkit.cli.options import SOURCE_OPTIONS, TRAINING_OPTIONS
from toolkit.errors import BundleError, ImageError

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.bundle import Bundle
    from toolkit.train import Config


def scrape(arguments: Namespace) -> dict:
    """Bring labelled pictures into a dataset."""
    from toolkit import scrape

    options = scrape.Options(**_given(arguments, *SOURCE_OPTIONS))
    counted = _counted(scrape.collect(arguments.sources, into=arguments.into, options=options), arguments)
    lost = scrape.in_words(arguments.into)
    if lost:
        _say(arguments)(f"{lost}; `toolkit show {arguments.into}` says more")
    return counted


def show(arguments: Namespace) -> dict:
    """Look before you keep."""
    from toolkit import scrape

    table, say = manifest.load(arguments.dataset), _say(arguments)
    result = _counted(table, arguments)
    failed = manifest.tally(scrape.failures(table.root)[["source", "reason"]])
    parts = {"provenance": table.provenance(), "left_out": table.left_out_reasons(), "failed": failed}
    titles = ("where from, and what may be done with it", "left out", "could not be had")
    for title, part in zip(titles, parts.values(), strict=True):
        say(f"\n{title}\n{part.to_string(index=False) if len(part) else 'none'}")
    sheets = [] if arguments.no_sheets else _sheets(table)
    say("\n" + "\n".join(map(str, sheets)) if sheets else "")
    return result | {name: part.to_dict(orient="records") for name, part in parts.items()} | {"sheets": sheets}


def _sheets(table: manifest.Manifest) -> list[Path]:
    """Write the contact sheets of all labels into the folder of the dataset."""
    from toolkit import parallel, plot

    numbers = [(label, page) for label in table.classes for page in range(1, plot.sheets(table, label) + 1)]
    written = []
    for label, page in parallel.progress(numbers, description="draw", unit=" sheets"):
        picture = plot.png(plot.contact_sheet(table, label, page=page))
        written.append(paths.write(table.root / "sheets" / f"{label}-{page}.png", picture))
    return written


def verify(arguments: Namespace) -> dict:
    """Open every file once."""
    from toolkit import verify

    table = manifest.load(arguments.dataset)
    return _counted(verify.check(table, **_given(arguments, "min_side", "again")).save(), arguments)


def dedup(arguments: Namespace) -> dict:
    """Mark near-duplicates."""
    from toolkit import dedup

    table = manifest.load(arguments.dataset)
    return _counted(dedup.group(table, **_given(arguments, "max_distance", "max_difference")).save(), arguments)


def resize(arguments: Namespace) -> dict:
    """Write squares."""
    from toolkit import resize

    table = manifest.load(arguments.dataset)
    return _counted(resize.write(table, **_given(arguments, "size")).save(), arguments)


def exclude(arguments: Namespace) -> dict:
    """Take pictures out of use."""
    table = manifest.load(arguments.dataset)
    return _counted(table.exclude(arguments.pictures, reason=arguments.reason).save(), arguments)


def split(arguments: Namespace) -> dict:
    """Divide a dataset."""
    from toolkit import split

    before = manifest.load(arguments.dataset)
    table = split.assign(before, seed=arguments.seed, **_given(arguments, "val", "test", "again")).save()
    if before.table["split"].equals(table.table["split"]):
        warnings.warn("the split there is was kept; --again divides anew", stacklevel=2)
    if arguments.folders:
        split.write_folders(table, arguments.folders)
    return _counted(table, arguments, by="split")


def prune(arguments: Namespace) -> list[dict]:
    """Remove what was removed on Reddit, or say what would be."""
    from toolkit.scrape import prune

    found, say = prune.posts(arguments.dataset, delete=arguments.yes), _say(arguments)
    if len(found):
        say(f"{found['reason'].value_counts().to_string()}\n{found[['path', 'reason']].to_string(index=False)}\n")
    done = "removed" if arguments.yes else "to be removed; --yes removes them" if len(found) else "to be removed"
    say(f"{len(found)} pictures {done}")
    return found.to_dict(orient="records")


def train(arguments: Namespace) -> dict:
    """Train a network."""
    from toolkit import resize, train

    (config,) = _configs(arguments, [arguments.network])
    table = manifest.load(arguments.dataset)
    table = resize.write(table, size=config.resolved().size).save()
    trained = train.fit(config, table, name=arguments.name, overwrite=arguments.overwrite)
    _say(arguments)(f"{trained.folder}\n{trained.history.round(4).to_string(index=False)}")
    return {"run": trained.folder, **trained.facts, "history": trained.history.to_dict(orient="list")}


def evaluate(arguments: Namespace) -> dict:
    """Measure runs on their test pictures."""
    from toolkit import evaluate

    results, say = {}, _say(arguments)
    for trained in _bundles(arguments.runs):
        report = evaluate.measure(trained, manifest.load(paths.dataset_of(trained.folder)))
        say(f"{report}\n\n{report.per_class.round(3).to_string()}\n\n{report.confusion.to_string()}\n")
        results[f"{trained.folder.parent.name}/{trained.name}"] = trained.metrics
    return results


def compare(arguments: Namespace) -> list[dict]:
    """Put runs side by side."""
    from toolkit import compare

    return _compared(compare.table(_evaluated(arguments.runs)), arguments)


def predict(arguments: Namespace) -> list[dict]:
    """Say what is on pictures."""
    from toolkit import bundle, predict

    trained, results, say = bundle.load(arguments.run), [], _say(arguments)
    sources = [file for name in arguments.pictures for file in _files(Path(name))]
    if not sources:
        raise ImageError(f"expected pictures, found no file in {', '.join(arguments.pictures)}")
    answers = [predict.picture(trained, sources[0])] if len(sources) == 1 else predict.pictures(trained, sources)
    for source, answer in zip(sources, answers, strict=True):
        known = isinstance(answer, predict.Prediction)
        say(str(answer) if known else f"{source.name}: {answer.status}, {answer.reason}")
        result = {"label": answer.label, "probabilities": answer.probabilities} if known else {"error": answer.reason}
        results.append({"picture": source, **result})
    shown = [answer for answer in answers if isinstance(answer, predict.Prediction)]
    if not shown:
        raise ImageError(f"expected pictures, none of the {len(sources)} files could be read")
    if arguments.show:
        from toolkit import plot

        paths.write(Path(arguments.show), plot.png(plot.prediction(shown[0])))
    return results


def report(arguments: Namespace) -> dict:
    """Write the page about a dataset and its runs."""
    from toolkit import report

    into = Path(arguments.into) if arguments.into else None
    page = report.write(manifest.load(arguments.dataset), _evaluated([arguments.dataset]), into=into)
    _say(arguments)(str(page))
    return {"report": page}


def credits(arguments: Namespace) -> dict:
    """Write the page that names the creators."""
    from toolkit import credits

    table = manifest.load(arguments.dataset)
    page = credits.write(table, into=Path(arguments.into) if arguments.into else None)
    result = {"credits": page, "to name": len(credits.needed(table)), "no known licence": credits.unknown(table)}
    _say(arguments)("\n".join(str(page) if key == "credits" else f"{key}: {value}" for key, value in result.items()))
    return result


def run(arguments: Namespace) -> dict:
    """All of it in one go."""
    from toolkit import run, scrape

    outcome = run.pipeline(
        arguments.sources,
        into=arguments.into,
        configs=_configs(arguments, [name.strip() for name in arguments.networks.split(",") if name.strip()]),
        options=scrape.Options(**_given(arguments, *SOURCE_OPTIONS)),
        overwrite=arguments.overwrite,
        say=_say(arguments),
        **_given(arguments, "seed"),
    )
    result = _compared(outcome.comparison, arguments)
    _say(arguments)(f"\nreport: {outcome.page}")
    return {"comparison": result, "report": outcome.page}


def demo(arguments: Namespace) -> dict:
    """Run the notebooks in order."""
    from toolkit import demo

    values = dict(word.partition("=")[::2] for word in arguments.set)
    outcome = demo.execute(
        arguments.source, into=arguments.into, weights=arguments.weights, values=values, say=_say(arguments)
    )
    result = _compared(outcome.comparison, arguments)
    _say(arguments)(f"\n{outcome.prediction}\n\nnotebooks: {outcome.pages}\nreport:    {outcome.report}")
    return {
        "comparison": result,
        "prediction": outcome.prediction,
        "notebooks": outcome.pages,
        "report": outcome.report,
    }


def _say(arguments: Namespace) -> Callable[[str], None]:
    """Where lines for people go: nowhere if a program reads along."""
    return (lambda line: None) if arguments.json else (lambda line: print(line, flush=True))


def _given(arguments: Namespace, *names: str) -> dict[str, object]:
    """Those of the named options that were given."""
    return {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}


def _configs(arguments: Namespace, names: Sequence[str]) -> list["Config"]:
    from toolkit import run

    if not names:
        raise ValueError("expected at least one network, got none; give --networks vgg, for example")
    settings, options = _given(arguments, *TRAINING_OPTIONS), dict(map(_option, arguments.option))
    return run.configs_for(names, weights=arguments.weights, settings=settings, options=options)


def _option(word: str) -> tuple[str, object]:
    """`width=0.5` as a name and a value; what is no number or list stays text."""
    name, equals, value = word.partition("=")
    if not equals:
        raise ValueError(f"expected an option such as width=0.5, got {word!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _bundles(names: Sequence[str]) -> list["Bundle"]:
    """The runs of these names; the name of a dataset stands for all its runs."""
    from toolkit import bundle

    folders: list[Path] = []
    for name in names:
        whole = (paths.dataset(name) / manifest.FILE).exists()
        runs = bundle.runs(paths.dataset(name)) if whole else [paths.run(name)]
        if not runs:
            raise BundleError(f"expected trained runs of {name}, found none; run `toolkit train {name}` first")
        folders += [run for run in runs if run not in folders]
    return [bundle.load(folder) for folder in folders]


def _evaluated(names: Sequence[str]) -> list["Bundle"]:
    """The same, without those that were not evaluated yet if there are others."""
    found = _bundles(names)
    ready = [run for run in found if run.metrics]
    for run in found:
        if ready and run not in ready:
            warnings.warn(f"{run.name} is left out, since it was not evaluated yet", stacklevel=2)
    return ready or found


def _counted(table: manifest.Manifest, arguments: Namespace, by: str = "status") -> dict:
    counts = table.counts(by)
    _say(arguments)(f"{table.root}\n{counts.to_string()}")
    return {"dataset": table.root, by: counts.to_dict(orient="index")}


def _compared(table: "pd.DataFrame", arguments: Namespace) -> list[dict]:
    from toolkit import compare

    percent = {name: table[name].map("{:.1%}".format) for name in ("accuracy", "low", "high")}
    numbers = {name: table[name].map("{:.1f}".format) for name in ("train_seconds", "milliseconds", "megabytes")}
    _say(arguments)(f"\n{table.assign(**percent, **numbers).to_string()}\n\n{compare.in_words(table)}")
    if compare.untrained(table):
        _say(arguments)(compare.untrained(table))
    return table.reset_index().to_dict(orient="records")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
