"""The verb that teaches a shell to complete the others."""

from argparse import ArgumentParser, Namespace

from toolkit.cli import common
from toolkit.cli.verb import Verb

SHELLS = ("bash", "zsh", "tcsh")


def _completion_options(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="the shell that it is for")


def _completion(arguments: Namespace) -> dict:
    import shtab

    from toolkit import cli

    whole = ArgumentParser("toolkit")
    verbs = whole.add_subparsers()
    for verb in cli.VERBS.values():
        cli.parser(verb, verbs.add_parser(verb.name, help=verb.summary))
    script = shtab.complete(whole, arguments.shell)
    common.log(arguments)(script)
    return {"script": script}


COMPLETION = Verb(
    "completion",
    "print what makes a shell complete verbs, options and files",
    _completion_options,
    _completion,
    (
        "toolkit completion bash > ~/.local/share/bash-completion/completions/toolkit",
        'toolkit completion zsh > "${fpath[1]}/_toolkit"',
    ),
)
