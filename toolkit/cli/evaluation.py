"""Verbs that say how good it is."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from toolkit.cli import common, options
from toolkit.core import paths
from toolkit.dataset import manifest


def evaluate_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.runs(parser)


def evaluate(arguments: Namespace) -> dict:
    """Measure runs on their test pictures."""
    from toolkit.evaluation import evaluate

    results, say = {}, common.say(arguments)
    for trained in common.bundles(arguments.runs):
        report = evaluate.measure(trained, manifest.load(paths.dataset_of(trained.folder)))
        say(f"{report}\n\n{report.per_class.round(3).to_string()}\n\n{report.confusion.to_string()}\n")
        results[f"{trained.folder.parent.name}/{trained.name}"] = trained.metrics
    return results


def compare_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.runs(parser)
    parser.add_argument("--into", metavar="PNG", help="also draw accuracy against time into this file")


def compare(arguments: Namespace) -> dict:
    """Put runs side by side."""
    runs = common.evaluated(arguments.runs, arguments)
    found = common.compared(runs, arguments)
    if arguments.into:
        from toolkit import plot
        from toolkit.evaluation import compare

        paths.write(Path(arguments.into), plot.png(plot.trade_off(compare.table(runs))))
    return found


def explain_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    parser.add_argument("run", metavar="RUN", help="DATASET/RUN, a folder, or a .keras file")
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="files")
    parser.add_argument("--into", default="explained.png", metavar="PNG", help="path of the picture (explained.png)")
    options.add(parser, "--label", "the class to look for (default: the network's own answer)")
    parser.add_argument("--check", action="store_true", help="beside it, cover the picture piece by piece and watch")


def explain(arguments: Namespace) -> dict:
    """Draw where a network looked."""
    from toolkit import plot
    from toolkit.evaluation import explain
    from toolkit.model import bundle

    trained = bundle.load(arguments.run)
    pixels = np.stack([trained.prepare(picture) for picture in arguments.pictures])
    shares = trained.probabilities(pixels)
    answers = [trained.classes[place] for place in shares.argmax(axis=1)]
    labels = [arguments.label] * len(pixels) if "label" in arguments else answers
    heat, covered = explain.grad_cam(trained, pixels, labels=labels), None
    if arguments.check:
        covered = [explain.occlusion(trained, one, label=label) for one, label in zip(pixels, labels, strict=True)]
    words = [f"{label}, {share:.0%}" for label, share in zip(answers, shares.max(axis=1), strict=True)]
    page = paths.write(Path(arguments.into), plot.png(plot.heat(pixels, heat, checks=covered, captions=words)))
    common.say(arguments)(f"{page}\nwhat spoke for {', '.join(dict.fromkeys(labels))} glows")
    return {"picture": page, "labels": labels, "answers": answers}


def failures_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.runs(parser)
    parser.add_argument("--count", type=int, default=10, help="pictures of each kind, at most (default: 10)")


def failures(arguments: Namespace) -> dict:
    """List where networks fail."""
    from toolkit.evaluation import evaluate, failures

    reports = [evaluate.load(run) for run in common.evaluated(arguments.runs, arguments)]
    say, result = common.say(arguments), {}
    columns = ["path", "label", "predicted", "probability"]
    for report in reports:
        parts = {
            "surest mistakes": failures.surest_mistakes(report, count=arguments.count)[columns],
            "most hesitant": failures.most_hesitant(report, count=arguments.count)[columns],
        }
        for title, table in parts.items():
            say(f"\n{report.run}: {title}\n{table.round(3).to_string(index=False) if len(table) else 'none'}")
        result[report.run] = {title: table.to_dict(orient="records") for title, table in parts.items()}
    if len(reports) > 1:
        differ = failures.disagreements(reports)
        say(f"\ndisagreements, {len(differ)} in all\n{differ.head(arguments.count).to_string(index=False)}")
        result["disagreements"] = differ.to_dict(orient="records")
    return result


def robustness_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.runs(parser)
    parser.add_argument("--into", metavar="PNG", help="also draw the curves into this file")
    parser.add_argument("--again", action="store_true", help="measure again what was measured before")


def robustness(arguments: Namespace) -> dict:
    """Measure networks on worse pictures, and on nonsense."""
    from toolkit import plot
    from toolkit.evaluation import robustness

    curves, result, say = {}, {}, common.say(arguments)
    for run in common.evaluated(arguments.runs, arguments):
        found = robustness.measure(run, manifest.load(paths.dataset_of(run.folder)), again=arguments.again)
        table, advice = found["curves"], found["nonsense"]
        curves[run.name] = table
        wide = table.assign(place=table.groupby("disturbance").cumcount())
        say(f"\n{run.name}\n{wide.pivot(index='disturbance', columns='place', values='accuracy').round(3).to_string()}")
        say(_advice(advice))
        result[run.name] = {"curves": table.to_dict(orient="records"), "nonsense": advice}
    if arguments.into:
        paths.write(Path(arguments.into), plot.png(plot.robustness(curves)))
    return result


def _advice(found: dict) -> str:
    if not found:
        return "no answer was right, so there is no threshold to advise"
    return (
        f"of pictures of nothing, {found['sure']:.0%} get a name with at least 90 %; to say 'not sure' below "
        f"{found['threshold']:.3f} keeps {found['kept']:.0%} of the right answers"
    )


def report_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    options.dataset(parser)
    parser.add_argument("--into", metavar="FILE", help="path of the page (default: models/DATASET/report.html)")


def report(arguments: Namespace) -> dict:
    """Write the page about a dataset and its runs."""
    from toolkit import report

    into = Path(arguments.into) if arguments.into else None
    page = report.write(manifest.load(arguments.dataset), common.evaluated([arguments.dataset], arguments), into=into)
    common.say(arguments)(str(page))
    return {"report": page}
