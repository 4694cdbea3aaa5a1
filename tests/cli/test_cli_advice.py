"""Advice that is printed can be followed: what stands in backticks is a command there is, with options it has."""

import ast
import re
import shlex
from pathlib import Path

import pytest
from helpers import ready_dataset, untrained

import toolkit
from toolkit import bundle, evaluate, manifest, paths
from toolkit.cli import VERBS, main, parser

PACKAGE = Path(toolkit.__file__).parent
COMMAND = re.compile(r"`toolkit ([a-z][^`]+)`")


def texts(node):
    """The text of a string, with a 7 for what is filled in; of everything within a node."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def sources(having=""):
    contents = {file.relative_to(PACKAGE).as_posix(): file.read_text() for file in PACKAGE.rglob("*.py")}
    return {name: ast.parse(text) for name, text in contents.items() if having in text}


def advice():
    """Every command in backticks, and the file it stands in."""
    for name, tree in sorted(sources("`toolkit ").items()):
        commands = {command for text in texts(tree) for command in COMMAND.findall(text)}
        yield from ((command, name) for command in sorted(commands) if "…" not in command)


def options_of(verb):
    return {option for action in parser(VERBS[verb])._actions for option in action.option_strings}


def understood(command):
    """What is wrong with a command, "" if nothing: words that stand for others are taken as they are."""
    verb, *words = shlex.split(command)
    if verb not in VERBS:
        return f"{verb} is no verb"
    if not words or words == ["--help"]:
        return ""
    try:
        parser(VERBS[verb]).parse_args(words)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.slow
def test_there_is_advice_to_follow():
    assert len(list(advice())) > 25
    assert understood("evaluat x") and understood("run folder:x --into y --given") and understood("resize x --size big")


@pytest.mark.parametrize(("command", "file"), list(advice()))
def test_a_command_in_backticks_is_one_there_is_with_these_options(command, file):
    assert understood(command) == "", file


@pytest.mark.slow
def test_an_option_that_an_error_names_is_one_that_some_verb_has():
    options = set().union(*map(options_of, VERBS))
    for name, tree in sources().items():
        raised = [text for node in ast.walk(tree) if isinstance(node, ast.Raise) for text in texts(node)]
        named = {option for text in raised for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)}
        assert named - options == set(), name


@pytest.mark.parametrize("verb", ["run", "learn", "train", "crossval", "tune"])
def test_verbs_that_may_find_another_result_take_the_options_that_the_error_names(verb):
    assert options_of(verb) >= {"--name", "--overwrite"}


def followed(capsys, *words):
    """What a failing command advises, and the exit code of following that."""
    assert main([*map(str, words)]) == 2
    said = capsys.readouterr().err
    (command,) = COMMAND.findall(said)
    return command, main(shlex.split(command))


@pytest.mark.slow
def test_advice_that_is_followed_leads_on(capsys):
    table = ready_dataset(paths.dataset("pets"), per_class=10)
    assert main(["train", "pets", "--network", "small_cnn", "--size", "24", "--epochs", "1"]) == 0  # makes its squares
    run = untrained(paths.models(table.root) / "net", dataset="pets")
    command, code = followed(capsys, "serve", "pets/net")
    assert (command, code) == ("export pets/net", 0)
    evaluate.measure(run, table)
    bundle.load("pets/net")
    gone = table.assign(split=table.table["split"].where(table.table["split"] != "val", "")).save()
    command, code = followed(capsys, "train", "pets", "--network", "xception", "--weights", "cifar10", "--name", "a")
    assert (command, code) == ("split pets --again", 0)
    assert len(manifest.load("pets").where(split="val")) and gone.root == table.root


@pytest.mark.slow
def test_a_run_that_was_trained_otherwise_is_given_another_name_or_replaced(capsys):
    ready_dataset(paths.dataset("pets"), per_class=10)
    words = ["train", "pets", "--network", "small_cnn", "--size", "32", "--epochs", "1"]
    assert main(words) == 0
    assert main([*words[:-1], "2"]) == 2
    said = capsys.readouterr().err
    assert "--overwrite" in said and "--name" in said
    assert main([*words[:-1], "2", "--name", "other"]) == 0
    assert main([*words[:-1], "2", "--overwrite"]) == 0
