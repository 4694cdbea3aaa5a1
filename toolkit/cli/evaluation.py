"""Verbs that measure trained networks, and show where they fail."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import common, options, runs, tables, terminal
from toolkit.cli.verb import Verb
from toolkit.core import headings
from toolkit.core.words import listed, named
from toolkit.errors import BundleError

if TYPE_CHECKING:
    import numpy as np

    from toolkit.dataset.manifest import Manifest
    from toolkit.evaluation.evaluate import Report
    from toolkit.model.bundle import Bundle


def _evaluate_options(parser: ArgumentParser) -> None:
    options.runs(parser)
    help = "also say from which probability on so many of the answers of each class are right, such as 0.95"
    options.add(parser, "--precision", help, type=float, metavar="SHARE")
    help = "first learn what is familiar to runs that were trained before runs did that"
    parser.add_argument("--familiarity", action="store_true", help=help)


def _evaluate(arguments: Namespace) -> dict:
    from toolkit.evaluation import evaluate, kept, names, stored
    from toolkit.training import promises

    def measured(run: "Bundle", table: "Manifest") -> "tuple[Report, Manifest]":
        return evaluate.measure(promises.given(run, table) if arguments.familiarity else run, table), table

    used, log = runs.each(arguments.runs, measured), common.log(arguments)
    full, points = names.full(used["runs"]), {}
    for name, run, (report, table) in zip(full, used["runs"], used["results"], strict=True):
        log(f"{replace(report, run=name)}\n\n{tables.per_class(report)}\n\n{tables.confusion(report)}\n")
        if told := kept.in_words(run.metrics):
            log(f"{told}\n")
        points[name] = _operating_points(report, arguments)
        for note in filter(None, (stored.unjudged(table), stored.added(run, table))):
            runs.warn(note)
    return {name: run.metrics | points[name] for name, run in zip(full, used["runs"], strict=True)}


def _operating_points(report: "Report", arguments: Namespace) -> dict[str, list[dict]]:
    """The thresholds from which on so many answers are right, printed and returned, if they are asked for."""
    if "precision" not in arguments:
        return {}
    points = report.operating_points(arguments.precision).reset_index()
    common.log(arguments)(tables.operating_points(points, arguments.precision))
    return {"operating_points": points.to_dict(orient="records")}


EVALUATE = Verb(
    "evaluate",
    "measure trained networks on the test pictures",
    _evaluate_options,
    _evaluate,
    (
        "toolkit evaluate pets",
        "toolkit evaluate pets/vgg --precision 0.95",
    ),
)


def _compare_options(parser: ArgumentParser) -> None:
    options.runs(parser)
    options.drawing(parser, "also draw accuracy against time into this file")


def _compare(arguments: Namespace) -> dict:
    from toolkit.evaluation import compare

    used = _comparable(runs.evaluated(arguments.runs, arguments))
    comparison = common.compared(used["runs"], arguments)
    common.draw(arguments.show, lambda plot: plot.trade_off(compare.table(used["runs"])))
    return {**comparison, "left_out": used["left_out"]}


def _comparable(used: runs.Used) -> runs.Used:
    """The runs that were judged on the pictures of most of them; the others are left out, and said."""
    from toolkit.core import paths

    tests = [run.metrics["test"] for run in used["runs"]]
    most = max(tests, key=tests.count)
    if tests.count(most) == 1 < len(tests):
        return used  # the comparison says what is wrong
    kept = [run for run, test in zip(used["runs"], tests, strict=True) if test == most]
    others = [run for run in used["runs"] if run not in kept]
    reason = "it was judged on other test pictures than the others"
    left = [runs.LeftOut(run=paths.run_name(run.folder), reason=reason) for run in others]
    for run in left:
        runs.warn(f"left out {run['run']}: {reason}")
    return runs.Used(runs=kept, results=[], left_out=[*used["left_out"], *left])


COMPARE = Verb(
    "compare",
    "put evaluated networks side by side",
    _compare_options,
    _compare,
    (
        "toolkit compare pets",
        "toolkit compare pets/vgg pets/xception --show trade_off.png",
    ),
)


def _explain_options(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="DATASET/RUN, DATASET RUN, a folder, or a .keras file")
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="files")
    options.drawing(parser, "path of the picture (default: explained.png)", default=Path("explained.png"))
    options.add(parser, "--label", "the class to look for (default: the network's own answer)")
    parser.add_argument("--check", action="store_true", help="also draw what covering it piece by piece changes")


def _explain(arguments: Namespace) -> dict:
    import numpy as np

    from toolkit.evaluation import explain
    from toolkit.model import bundle

    run, pictures = runs.one([arguments.run, *arguments.pictures])
    if not pictures:
        raise ValueError(
            f"expected pictures to explain, got none after {' '.join([arguments.run, *arguments.pictures])}"
        )
    arguments.pictures = pictures
    trained = bundle.load(run)
    pixels = np.stack([trained.prepare(picture) for picture in pictures])
    probabilities = trained.probabilities(pixels)
    answers = [trained.classes[index] for index in probabilities.argmax(axis=1)]
    labels = [arguments.label] * len(pixels) if "label" in arguments else answers
    heat, covered = explain.grad_cam(trained, pixels, labels=labels), None
    if arguments.check:
        pairs = zip(pixels, labels, strict=True)
        covered = [explain.occlusion(trained, picture, label=label) for picture, label in pairs]
    panels = "; from left to right: the picture, what spoke for it" + (", what covering costs" if covered else "")
    shares = probabilities.max(axis=1)
    captions = [f"{label}, {share:.0%}{panels}" for label, share in zip(answers, shares, strict=True)]
    drawn = {"checks": covered, "captions": captions, "columns": 1, "side": 3.0 * (2 + bool(covered))}
    common.draw(arguments.show, lambda plot: plot.heat(pixels, heat, **drawn))
    common.log(arguments)(f"{arguments.show}\nwhat spoke for {listed(map(named, dict.fromkeys(labels)))} glows")
    result = {"picture": arguments.show, "labels": labels, "answers": answers}
    return result | ({"checks": _checked(arguments, heat, covered)} if covered else {})


def _checked(arguments: Namespace, heat: "np.ndarray", covered: list["np.ndarray"]) -> list[dict]:
    """What covering costs where it glows and where it does not, printed and returned."""
    from toolkit.evaluation import explain

    checks = [explain.agreement(*maps) for maps in zip(heat, covered, strict=True)]
    for picture, (glowing, rest) in zip(arguments.pictures, checks, strict=True):
        agrees = "the check agrees" if glowing > rest else "the check does not agree, so believe neither"
        costs = f"costs {glowing:.3f} of the probability, covering the rest {rest:.3f}"
        common.log(arguments)(f"{picture}: covering what glows {costs}: {agrees}")
    return [{"glowing": glowing, "rest": rest} for glowing, rest in checks]


EXPLAIN = Verb(
    "explain",
    "draw where a network looked when it answered",
    _explain_options,
    _explain,
    ("toolkit explain pets/efficientnet_lite0 photo.jpg --check",),
)


def _failures_options(parser: ArgumentParser) -> None:
    options.runs(parser)
    parser.add_argument("--count", type=int, default=10, help="pictures of each kind, at most (default: 10)")


def _failures(arguments: Namespace) -> dict:
    from toolkit.evaluation import evaluate, failures, names

    used = runs.evaluated(arguments.runs, arguments)
    full = names.full(used["runs"])
    reports = [replace(evaluate.load(run), run=name) for run, name in zip(used["runs"], full, strict=True)]
    log, pictures = common.log(arguments), used["results"][0]
    result: dict[str, object] = {}
    columns = ["path", "label", "predicted", "probability"]
    for report in reports:
        parts = {
            "surest mistakes": failures.most_confident_wrong(report, count=arguments.count)[columns],
            "most hesitant": failures.least_confident_right(report, count=arguments.count)[columns],
        }
        for title, table in parts.items():
            log(f"\n{report.run}: {title}\n{terminal.frame(common.named(table, pictures), tables.ANSWERS)}")
        result[report.run] = {title: table.to_dict(orient="records") for title, table in parts.items()}
    if len(reports) > 1:
        result["disagreements"] = _disagreements(reports, used, arguments)
    return result


def _disagreements(reports: "Sequence[Report]", used: runs.Used, arguments: Namespace) -> list[dict]:
    """The disagreements of those that were judged on the pictures of the first, printed and returned."""
    from toolkit.evaluation import failures

    tests = [run.metrics["test"] for run in used["runs"]]
    same = [report for report, test in zip(reports, tests, strict=True) if test == tests[0]]
    if len(same) < len(reports):
        told = ", ".join(report.run for report in same)
        runs.warn(f"disagreements are those of {told}; the others have other test pictures")
    table = failures.disagreements(same) if len(same) > 1 else None
    if table is None:
        return []
    rows, name = common.named(table.head(arguments.count), used["results"][0]), headings.NAME
    forms = {"path": ("picture", name)} | {column: (column, name) for column in table.columns[1:-1]}
    first = terminal.frame(rows, forms | {"wrong": ("wrong", headings.COUNT)})
    common.log(arguments)(f"\ndisagreements, {len(table):,} in all\n{first}")
    return table.to_dict(orient="records")


FAILURES = Verb(
    "failures",
    "list the surest mistakes, the most hesitant answers, and disagreements",
    _failures_options,
    _failures,
    ("toolkit failures pets --count 5",),
)


def _robustness_options(parser: ArgumentParser) -> None:
    options.runs(parser)
    options.drawing(parser, "also draw the curves into this file")
    parser.add_argument("--again", action="store_true", help="measure again what was measured before")


def _robustness(arguments: Namespace) -> dict:
    from toolkit.evaluation import names, robustness

    curves, result = {}, {}
    used = runs.evaluated(arguments.runs, arguments)
    for run, dataset, name in zip(used["runs"], used["results"], names.full(used["runs"]), strict=True):
        table, advice = robustness.measure(run, dataset, again=arguments.again)
        curves[name] = table
        result[name] = {"curves": table.to_dict(orient="records"), "nonsense": advice}
    advised = [f"{name}: {_advice(told['nonsense'])}" for name, told in result.items()]
    common.log(arguments)("\n".join([f"accuracy on worse pictures\n{tables.robustness(curves)}\n", *advised]))
    common.draw(arguments.show, lambda plot: plot.robustness(curves))
    return result


def _advice(found: dict) -> str:
    if not found:
        return "no answer was right, so there is no threshold to advise"
    return (
        f"of pictures of nothing, {found['sure']:.0%} get a name with at least 90 %; to say 'not sure' below "
        f"{found['threshold']:.3f} keeps {found['kept']:.0%} of the right answers"
    )


ROBUSTNESS = Verb(
    "robustness",
    "measure networks on worse pictures, and on pictures of nothing",
    _robustness_options,
    _robustness,
    ("toolkit robustness pets/vgg --show curves.png",),
)


def _report_options(parser: ArgumentParser) -> None:
    options.runs(parser)
    options.file(parser, "--into", "path of the page (default: models/DATASET/report.html)")


def _report(arguments: Namespace) -> dict:
    from toolkit import report

    used = runs.evaluated(arguments.runs, arguments)
    table = used["results"][0]
    own = [run for run, dataset in zip(used["runs"], used["results"], strict=True) if dataset.root == table.root]
    others = [run for run in used["runs"] if run not in own]
    if others:
        raise BundleError(
            f"expected runs of one dataset for a page, got one of {table.name} and {others[0].name} of another; write "
            "a page for each"
        )
    notes = [f"{left['run']} is left out: {left['reason']}" for left in used["left_out"]]
    page = report.write(table, own, into=arguments.into, notes=notes)
    common.log(arguments)(str(page))
    return {"report": page, "runs": [run.name for run in own], "left_out": used["left_out"]}


REPORT = Verb(
    "report",
    "write one page with all of it",
    _report_options,
    _report,
    (
        "toolkit report pets",
        "toolkit report pets --into page.html",
    ),
)
