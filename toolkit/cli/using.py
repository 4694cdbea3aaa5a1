"""Verbs that put a trained network to use."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import paths
from toolkit.cli import common, options
from toolkit.errors import ImageError

if TYPE_CHECKING:
    from toolkit.predict import Prediction


def predict_options(parser: ArgumentParser) -> None:
    """What can be said after the verb."""
    parser.add_argument("run", metavar="RUN", help="DATASET/RUN, a folder, or a .keras file")
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="files, or folders of them")
    options.add(parser, "--abstain-below", "say 'not sure' where the probability is lower (0.9, say)", type=float)
    options.add(parser, "--views", "ask about it mirrored and cropped too, and take the mean", action="store_true")
    options.add(parser, "--passes", "ask that often with dropout at work, and take the mean", type=int)
    parser.add_argument("--show", metavar="PNG", help="draw the first picture as the network saw it into this file")


def predict(arguments: Namespace) -> list[dict]:
    """Say what is on pictures."""
    from toolkit import bundle, predict

    trained, results, say = bundle.load(arguments.run), [], common.say(arguments)
    sources = [file for name in arguments.pictures for file in _files(Path(name))]
    if not sources:
        raise ImageError(f"expected pictures, found no file in {', '.join(arguments.pictures)}")
    how = common.given(arguments, "abstain_below", "views", "passes")
    alone = len(sources) == 1
    answers = [predict.picture(trained, sources[0], **how)] if alone else predict.pictures(trained, sources, **how)
    for source, answer in zip(sources, answers, strict=True):
        known = isinstance(answer, predict.Prediction)
        say(str(answer) if known else f"{source.name}: {answer.status}, {answer.reason}")
        results.append({"picture": source, **(_facts(answer) if known else {"error": answer.reason})})
    shown = [answer for answer in answers if isinstance(answer, predict.Prediction)]
    if not shown:
        raise ImageError(f"expected pictures, none of the {len(sources)} files could be read")
    if arguments.show:
        from toolkit import plot

        paths.write(Path(arguments.show), plot.png(plot.prediction(shown[0])))
    return results


def _facts(answer: "Prediction") -> dict:
    facts = {"label": answer.label, "probabilities": answer.probabilities, "entropy": answer.entropy}
    return {**facts, "disagreement": answer.disagreement, "abstained": answer.abstained}


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
