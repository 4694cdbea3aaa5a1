"""Who may import whom, and that nothing heavy is loaded before it is needed."""

import ast
import importlib
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import toolkit
from toolkit.core.moved import MOVED

PACKAGE = Path(toolkit.__file__).parent
IMAGES = {"core", "images"}
DATASET = IMAGES | {"dataset"}
TRAINING = DATASET | {"networks", "model", "training"}
EVALUATION = TRAINING | {"practice", "evaluation"}
SELECTION = EVALUATION | {"selection"}
USES = {"scrape", "review", "export", "serve", "app", "pipeline", "cli"}
ALL = SELECTION | USES | {"duplicates", "plot", "report"}
MAY_IMPORT = {  # besides itself and `errors`
    "errors": set(),
    "core": set(),
    "images": IMAGES,
    "networks": {"core"},
    "dataset": IMAGES,
    "duplicates": DATASET,
    "model": IMAGES,
    "training": DATASET | {"networks", "model"},
    "practice": {"core"},
    "evaluation": TRAINING | {"practice"},  # empty landscapes are pictures of nothing
    "selection": EVALUATION,
    "plot": SELECTION,
    "report": SELECTION | {"plot"},
    "scrape": DATASET | {"model", "practice"},
    "review": DATASET | {"duplicates", "training", "selection", "scrape"},
    "export": IMAGES | {"dataset", "model"},
    "serve": IMAGES | {"model"},
    "app": ALL - {"app", "pipeline", "cli", "scrape"},
    "pipeline": ALL - {"pipeline", "app", "cli"},
    "cli": ALL,
    "__main__": {"cli"},
}
HEAVY = ("tensorflow", "keras", "matplotlib", "pandas")


def chapters():
    """Every chapter, or module beside the chapters, and its source files."""
    alone = {file.stem: [file] for file in PACKAGE.glob("*.py") if file.stem != "__init__"}
    return alone | {file.parent.name: sorted(file.parent.rglob("*.py")) for file in PACKAGE.glob("*/__init__.py")}


@cache
def tree(file):
    return ast.parse(file.read_text())


@cache
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

    return set(visit(tree(file)))


def users(library):
    """The files that import a library, by their path within the package."""
    files = [file for files in chapters().values() for file in files]
    return {str(file.relative_to(PACKAGE)) for file in files if library in map(top, imports(file))}


def top(name):
    return name.partition(".")[0]


def within(file):
    """The chapters that a file imports from."""
    return {name.split(".")[1] for name in imports(file) if name.startswith("toolkit.")} - {"__version__"}


def code(node):
    """How many lines a function has without its docstring."""
    told = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
    first = node.body[1] if told and len(node.body) > 1 else node.body[0]
    return node.end_lineno - first.lineno + 1


def test_every_chapter_is_in_the_table():
    assert set(chapters()) == set(MAY_IMPORT)


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_a_chapter_imports_only_from_those_it_may(name):
    for file in chapters()[name]:
        above = within(file) - MAY_IMPORT[name] - {name, "errors"}
        assert not above, f"{file.relative_to(PACKAGE)} imports {', '.join(sorted(above))}"


def test_no_two_chapters_need_each_other():
    needs = {name: set().union(*map(within, files)) - {name} for name, files in chapters().items()}
    tuple(TopologicalSorter(needs).static_order())  # raises where there is a circle


def test_the_house_stays_small_enough_to_know():
    files = [file for files in chapters().values() for file in files]
    assert len([entry for entry in PACKAGE.iterdir() if entry.name != "__pycache__"]) <= 25
    assert [file.name for file in files if len(file.read_text().splitlines()) > 300] == []
    nodes = [node for file in files for node in ast.walk(tree(file))]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert len([node.name for node in functions if code(node) > 40]) <= 2


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_no_module_needs_too_many_of_other_chapters(name):
    for file in chapters()[name]:
        others = {used for used in imports(file) if used.startswith("toolkit.") and used.split(".")[1] != name}
        assert len({used for used in others if not used.startswith("toolkit.errors")}) <= 15, file.name


def test_only_the_framework_imports_keras_and_tensorflow():
    assert users("keras") | users("tensorflow") == {"core/framework.py"}


def test_only_views_import_matplotlib():
    assert {Path(name).parts[0] for name in users("matplotlib")} <= {"plot", "report"}


def test_only_a_bundle_prepares_pictures_for_its_network():
    """Whoever asks `images` alone forgets how the network's pictures are made square."""
    asking = re.compile(r"images\.prepare\([^)]*\b(trained|run|bundle)\.size")
    texts = {file: file.read_text() for files in chapters().values() for file in files}
    assert [file.name for file, text in texts.items() if asking.search(text)] == []


def test_every_public_name_is_a_module():
    assert sorted(toolkit.PUBLIC) == list(toolkit.PUBLIC) == toolkit.__all__


def test_every_module_says_what_it_is():
    files = [file for files in chapters().values() for file in files]
    assert [file for file in files if not ast.get_docstring(tree(file))] == []


def test_editors_are_told_of_the_same_modules_as_python():
    imported = [node for node in ast.parse((PACKAGE / "__init__.pyi").read_text()).body if hasattr(node, "names")]
    told = {alias.asname: f"{node.module}.{alias.name}" for node in imported for alias in node.names}
    assert told == {name: where.replace(":", ".") for name, where in toolkit.PUBLIC.items()}


@pytest.mark.parametrize(
    "name",
    [
        "manifest",
        "errors",
        "images",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("dedup", "augment", "run")),
    ],
)
def test_a_public_module_has_a_short_name_wherever_it_lies(name):
    program = f"import toolkit.{name} as short; from toolkit import {name}; print(short is {name}, short.__spec__.name)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", toolkit.PUBLIC[name]]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MOVED))
def test_what_moved_says_where_it_is_now(name):
    sys.modules.pop(f"toolkit.{name}", None)  # a warning comes with the first import only
    with pytest.warns(FutureWarning, match=f"toolkit.{name} is now {MOVED[name]}"):
        module = importlib.import_module(f"toolkit.{name}")
    assert module is importlib.import_module(MOVED[name])
    assert module.__spec__.name == MOVED[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", toolkit.__all__)
def test_a_public_module_can_be_imported(name):
    module, _, function = toolkit.PUBLIC[name].partition(":")
    loaded = importlib.import_module(module)
    assert getattr(toolkit, name) is (getattr(loaded, function) if function else loaded)


def test_a_name_that_is_no_module_is_refused_with_those_that_are():
    with pytest.raises(AttributeError, match="no attribute 'scarpe'; its public names are app"):
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
        "from toolkit import errors, paths, images, parallel; from toolkit.dataset import signatures",
    ],
)
def test_importing_the_package_loads_nothing_heavy(program):
    assert loaded(program) == []


@pytest.mark.slow
def test_pictures_from_a_folder_need_no_praw():
    program = "from toolkit.scrape import folder; import sys; print('praw' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_help_loads_nothing_heavy():
    assert loaded("import sys; sys.argv = ['toolkit', '--help']; from toolkit import cli; cli.main()") == []
    subprocess.run([sys.executable, "-m", "toolkit", "--help"], capture_output=True, check=True)
