"""What the shells are given to complete with."""

import json
import shutil
import subprocess

import pytest

from toolkit.cli import VERBS, main
from toolkit.cli.completion import SHELLS


@pytest.fixture
def script(capsys):
    def printed(shell):
        assert main(["completion", shell]) == 0
        return capsys.readouterr().out

    return printed


@pytest.mark.parametrize("shell", SHELLS)
def test_every_verb_is_in_the_script_of_every_shell(shell, script):
    text = script(shell)
    assert all(verb in text for verb in VERBS)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["toolkit", "tra"], {"train"}),
        (["toolkit", "re"], {"resize", "relabel", "report", "review"}),
        (["toolkit", "dedup", "--max-d"], {"--max-distance", "--max-difference"}),
        (["toolkit", "completion", "z"], {"zsh"}),
    ],
)
def test_bash_completes_verbs_and_options(script, tmp_path, words, completed):
    (tmp_path / "toolkit.bash").write_text(script("bash"))
    asked = f"""
        source {tmp_path}/toolkit.bash
        COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}
        $(complete -p toolkit | sed 's/.*-F \\([^ ]*\\).*/\\1/') toolkit {words[-1]} {words[-2]}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "--norc", "-c", asked], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == completed


def test_programs_are_given_the_script_too(capsys):
    assert main(["completion", "zsh", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["script"].startswith("#compdef toolkit")
