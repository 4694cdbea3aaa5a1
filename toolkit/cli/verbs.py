"""What each verb does: call its module, tell people what came of it, and give the same as data for programs."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import manifest, paths
from toolkit.cli.options import SOURCE_OPTIONS, TRAINING_OPTIONS

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.bundle import Bundle
    from toolkit.train import Config


def scrape(arguments: Namespace) -> dict:
    """Bring labelled pictures into a dataset."""
    from toolkit import scrape

    options = scrape.Options(**_given(arguments, *SOURCE_OPTIONS))
    return _counted(scrape.collect(arguments.sources, into=arguments.into, options=options), arguments)


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


def split(arguments: Namespace) -> dict:
    """Divide a dataset."""
    from toolkit import split

    table = manifest.load(arguments.dataset)
    table = split.assign(table, seed=arguments.seed, **_given(arguments, "val", "test", "again")).save()
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
        report = evaluate.measure(trained, manifest.load(str(trained.facts.get("root", "?"))))
        say(f"{report}\n\n{report.per_class.round(3).to_string()}\n\n{report.confusion.to_string()}\n")
        results[trained.name] = trained.metrics
    return results


def compare(arguments: Namespace) -> list[dict]:
    """Put runs side by side."""
    from toolkit import compare

    return _compared(compare.table(_bundles(arguments.runs)), arguments)


def predict(arguments: Namespace) -> list[dict]:
    """Say what is on pictures."""
    from toolkit import bundle, predict

    trained, results, say = bundle.load(arguments.run), [], _say(arguments)
    sources = [file for name in arguments.pictures for file in _files(Path(name))]
    answers = [predict.picture(trained, sources[0])] if len(sources) == 1 else predict.pictures(trained, sources)
    for source, answer in zip(sources, answers, strict=True):
        known = isinstance(answer, predict.Prediction)
        say(str(answer) if known else f"{source.name}: {answer.status}, {answer.reason}")
        result = {"label": answer.label, "probabilities": answer.probabilities} if known else {"error": answer.reason}
        results.append({"picture": source, **result})
    shown = [answer for answer in answers if isinstance(answer, predict.Prediction)]
    if arguments.show and shown:
        from toolkit import plot

        paths.write(Path(arguments.show), plot.png(plot.prediction(shown[0])))
    return results


def report(arguments: Namespace) -> dict:
    """Write the page about a dataset and its runs."""
    from toolkit import report

    into = Path(arguments.into) if arguments.into else None
    page = report.write(manifest.load(arguments.dataset), _bundles([arguments.dataset]), into=into)
    _say(arguments)(str(page))
    return {"report": page}


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
    return run.configs_for(names, weights=arguments.weights, settings=_given(arguments, *TRAINING_OPTIONS))


def _bundles(names: Sequence[str]) -> list["Bundle"]:
    """The runs of these names; the name of a dataset stands for all its runs."""
    from toolkit import bundle

    found = []
    for name in names:
        whole = (paths.dataset(name) / manifest.FILE).exists()
        found += [bundle.load(run) for run in bundle.runs(paths.dataset(name))] if whole else [bundle.load(name)]
    return found


def _counted(table: manifest.Manifest, arguments: Namespace, by: str = "status") -> dict:
    counts = table.counts(by)
    _say(arguments)(f"{table.root}\n{counts.to_string()}")
    return {"dataset": table.root, by: counts.to_dict(orient="index")}


def _compared(table: "pd.DataFrame", arguments: Namespace) -> list[dict]:
    from toolkit import compare

    percent = {name: table[name].map("{:.1%}".format) for name in ("accuracy", "low", "high")}
    numbers = {name: table[name].map("{:.1f}".format) for name in ("train_seconds", "milliseconds", "megabytes")}
    _say(arguments)(f"\n{table.assign(**percent, **numbers).to_string()}\n\n{compare.in_words(table)}")
    return table.reset_index().to_dict(orient="records")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
