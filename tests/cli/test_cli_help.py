"""What a help text says of a default is what the code does."""

import inspect
import re
import shlex

import pytest

from toolkit import (
    app,
    blame,
    cli,
    copies,
    crossval,
    dedup,
    demo,
    enough,
    export,
    labels,
    predict,
    resize,
    review,
    run,
    scrape,
    serve,
    split,
    train,
    tune,
    verify,
)
from toolkit.app import server as app_server
from toolkit.dataset.verify import Limits
from toolkit.duplicates import matching
from toolkit.review import server as review_server
from toolkit.training.finetune import FineTune
from toolkit.training.mixing import Mixing

TRAINING = [train.Config, Mixing]
USED = {  # by verb: the functions and classes that its options are passed on to
    "scrape": [scrape.Options],
    "verify": [verify.check, Limits],
    "dedup": [dedup.group],
    "copies": [copies.among],
    "resize": [resize.write],
    "label": [review.label],
    "review": [review.serve],
    "split": [split.assign],
    "train": [train.fit, *TRAINING],
    "crossval": [crossval.run, *TRAINING],
    "labels": [labels.check, *TRAINING],
    "tune": [tune.search, *TRAINING],
    "blame": [blame.find, *TRAINING],
    "enough": [enough.forecast, *TRAINING],
    "export": [export.write],
    "predict": [predict.write],
    "serve": [serve.Config],
    "app": [app.serve],
    "learn": TRAINING,
    "run": [scrape.Options, run.pipeline, *TRAINING],
    "demo": [demo.execute],
}
SPECIAL = {  # what is None in a signature, since it depends on something
    ("dedup", "max_distance"): matching.default_max_distance(1),
    ("copies", "max_distance"): matching.default_max_distance(1),
    ("label", "port"): review_server.PORT,
    ("review", "port"): review_server.PORT,
    ("app", "port"): app_server.PORT,
    ("run", "networks"): ",".join(run.usual_networks()),
    ("export", "to"): inspect.signature(export.write).parameters["to"].default[0],
    **{
        (verb, "fine_tune"): FineTune().epochs
        for verb in ("train", "crossval", "labels", "tune", "enough", "blame", "learn", "run")
    },
}


def actions(verb):
    """The options of a verb that name a default."""
    return [action for action in cli.parser(cli.VERBS[verb])._actions if re.search(r"default[):]", action.help or "")]


def said(action):
    """The default in a help text, as a number where it is one."""
    text = (re.search(r"\(default: ([^;)]+)", action.help) or re.search(r"([^,:;]+) \(default\)", action.help))[1]
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text.strip())
    first = text if action.dest in ("formats", "networks") else re.split(r"[, ]", text)[0]
    return float(first) if re.fullmatch(r"\d+(\.\d+)?", first) else first


def real(verb, action):
    """The default in the code; None where it depends on something, or there is none."""
    if (verb, action.dest) in SPECIAL:
        return SPECIAL[verb, action.dest]
    if action.default not in (None, "==SUPPRESS=="):
        return action.default
    known = {
        name: one.default for used in USED.get(verb, ()) for name, one in inspect.signature(used).parameters.items()
    }
    value = known.get(action.dest)
    return ",".join(value) if action.dest == "formats" else value


@pytest.mark.parametrize("verb", cli.VERBS)
def test_the_defaults_in_a_help_text_are_those_of_the_code(verb):
    for action in actions(verb):
        told, default = said(action), real(verb, action)
        if isinstance(told, float) or isinstance(default, str) and default:
            assert told == default, action.dest


def test_the_number_of_pictures_from_which_the_distance_is_shorter_is_that_of_the_code():
    for verb in ("dedup", "copies"):
        (action,) = (action for action in actions(verb) if action.dest == "max_distance")
        pictures = int(re.search(r"from ([\d,]+) pictures", action.help)[1].replace(",", ""))
        assert (matching.default_max_distance(pictures - 1), matching.default_max_distance(pictures)) == (18, 17)


@pytest.mark.parametrize(("verb", "least"), [("verify", 4), ("resize", 4), ("train", 8), ("serve", 14), ("tune", 10)])
def test_defaults_are_found_in_the_help_texts(verb, least):
    assert sum(real(verb, action) is not None for action in actions(verb)) >= least


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_examples_that_can_be_parsed(verb):
    assert cli.VERBS[verb].examples
    for example in cli.VERBS[verb].examples:
        words = [word for word in shlex.split(example.partition(" > ")[0]) if not word.startswith("TOOLKIT_TOKEN=")]
        assert words[:2] == ["toolkit", verb]
        cli.parser(cli.VERBS[verb]).parse_args(words[2:])


def test_the_help_tells_every_verb_once_under_the_part_of_the_story_it_belongs_to(capsys):
    assert cli.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line.split()[0] for line in lines if re.match(r"  \w", line)]
    assert sorted(told) == sorted(cli.VERBS)
    titles = [line.rstrip(":") for line in lines if re.fullmatch(r"[\w ]+:", line)]
    assert titles == list(cli.STORY)
    assert all(len(line) <= 100 for line in lines)
