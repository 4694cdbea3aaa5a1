"""Who may import whom, and that nothing heavy is loaded before it is needed."""

import ast
import importlib
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import toolkit

PACKAGE = Path(toolkit.__file__).parent
GROUND = {
    "errors",
    "paths",
    "signatures",
    "hashes",
    "facts",
    "suspects",
    "search",
    "buckets",
    "likeness",
    "links",
    "manifest",
    "significance",
    "images",
    "jpeg",
    "luma",
    "workers",
    "colour",
    "parallel",
    "quiet",
    "classifier",
    "remote",
    "sockets",
}  # these may import one another
TIERS = [
    GROUND,
    {"practice"},
    {"scrape"},
    {"verify", "dedup", "copies", "resize", "split", "credits", "quality"},
    {"framework"},
    {
        "augment",
        "calibrate",
        "distribution",
        "disturb",
        "events",
        "finetune",
        "geometry",
        "loop",
        "mixing",
        "networks",
        "optimizers",
    },
    {"config"},
    {"batches", "bundle", "features"},
    {"cost", "probe", "runtime", "uncertainty"},
    {"training"},
    {"train", "evaluate", "predict", "export"},
    {"compare", "crossval", "explain", "failures", "live", "recipes", "robustness", "spaces"},
    {"labels", "trials"},
    {"study"},
    {"tune"},
    {"plot", "review", "serve"},
    {"page"},
    {"card"},
    {"report"},
    {"run"},
    {"demo", "app"},
    {"cli"},
]
HEAVY = ("tensorflow", "keras", "matplotlib", "pandas")


def modules():
    """Every module or subpackage and its source files."""
    found = {file.stem: [file] for file in PACKAGE.glob("*.py") if file.stem != "__init__"}
    return found | {file.parent.name: sorted(file.parent.glob("*.py")) for file in PACKAGE.glob("*/__init__.py")}


def imports(file):
    """Full names of what a file imports, within functions too, but for what only type checkers see."""

    def visit(node):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.orelse:
                yield from visit(child)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            for child in ast.iter_child_nodes(node):
                yield from visit(child)

    return set(visit(ast.parse(file.read_text())))


def users(library):
    return {
        name for name, files in modules().items() for file in files for used in imports(file) if top(used) == library
    }


def top(name):
    return name.partition(".")[0]


def test_every_module_has_a_tier():
    assert set(modules()) == set().union(*TIERS)


@pytest.mark.parametrize("name", sorted(set().union(*TIERS)))
def test_a_module_imports_only_from_the_tiers_above_it(name):
    place = next(number for number, tier in enumerate(TIERS) if name in tier)
    above = set().union(*TIERS[:place], {name}, GROUND if name in GROUND else set())
    for file in modules()[name]:
        used = {part.split(".")[1] for part in imports(file) if part.startswith("toolkit.")}
        assert used <= above | {"__version__"}, f"{file.name} imports {', '.join(sorted(used - above))}"


def test_only_the_framework_imports_keras_and_tensorflow():
    assert users("keras") | users("tensorflow") == {"framework"}


def test_only_views_import_matplotlib():
    assert users("matplotlib") <= {"plot", "page", "report"}


def test_only_a_bundle_prepares_pictures_for_its_network():
    """Whoever asks `images` alone forgets how the network's pictures are made square."""
    asking = re.compile(r"images\.prepare\([^)]*\b(trained|run|bundle)\.size")
    texts = {file: file.read_text() for files in modules().values() for file in files}
    assert [file.name for file, text in texts.items() if asking.search(text)] == []


def test_every_public_name_is_a_module():
    assert sorted(toolkit.PUBLIC) == list(toolkit.PUBLIC) == toolkit.__all__


@pytest.mark.parametrize("name", [name for name in toolkit.__all__ if (PACKAGE / f"{name}.py").exists()])
def test_a_public_module_says_what_it_is(name):
    assert ast.get_docstring(ast.parse((PACKAGE / f"{name}.py").read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("name", toolkit.__all__)
def test_a_public_module_can_be_imported(name):
    assert getattr(toolkit, name) is importlib.import_module(f"toolkit.{name}")


def test_a_name_that_is_no_module_is_refused_with_those_that_are():
    with pytest.raises(AttributeError, match="no attribute 'scarpe'; its public modules are app"):
        _ = toolkit.scarpe


def loaded(program):
    """Which of the heavy libraries a program has loaded at its end."""
    report = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    script = f"import atexit\natexit.register(lambda: exec({report!r}))\n{program}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split() if done.stdout.strip() else []


@pytest.mark.parametrize(
    "program",
    [
        "import toolkit",
        "import toolkit; dir(toolkit)",
        "from toolkit import errors, paths, images, parallel, signatures",
    ],
)
def test_importing_the_package_loads_nothing_heavy(program):
    assert loaded(program) == []


def test_pictures_from_a_folder_need_no_praw():
    program = "from toolkit.scrape import folder; import sys; print('praw' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_help_comes_at_once_and_loads_nothing_heavy():
    assert loaded("import sys; sys.argv = ['toolkit', '--help']; from toolkit import cli; cli.main()") == []
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "toolkit", "--help"], capture_output=True, check=True)
    assert time.monotonic() - started < 1.5
