"""How much the tests notice: one small change to the package at a time, and the tests that run the changed line.

python tools/mutate.py map                          # which test runs which line: all tests under coverage, an hour
python tools/mutate.py run --seed 7 --count 150     # draws changes, tests each, goes on where it was stopped
python tools/mutate.py score

All of it happens in a copy under build/mutation; the checkout is never changed.
"""

import argparse
import ast
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "mutation"
TREE, MAP, FAILED = WORK / "tree", WORK / "map.json", WORK / "failed"
HEAVY = ("cv2", "keras", "matplotlib.pyplot", "numba", "pandas", "requests", "scipy.stats", "sklearn.linear_model")
PHASE = re.compile(r"(.+)(?:\|| \()(setup|call|teardown)\)?")
BUDGET = 120  # seconds of tests for a change, those of its own chapter first
COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One change: characters `start` to `end` of a file become `text`."""

    file: str
    line: int
    kind: str
    start: int
    end: int
    text: str

    @property
    def chapter(self) -> str:
        """Folder of the package, or the module's own name."""
        return Path(self.file).parts[1].removesuffix(".py")

    def applied(self, source: str) -> str:
        """The source with the change in it."""
        return source[: self.start] + self.text + source[self.end :]


def changes(file: str, source: str) -> list[Change]:
    """Every change that could be made to a file."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines = source.encode().splitlines(keepends=True)

    def place(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1][:column].decode())  # columns count bytes

    made = []
    for node, kind, new in _variants(ast.parse(source)):
        start, end = place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)
        text = new if isinstance(new, str) else ast.unparse(ast.fix_missing_locations(new))
        if isinstance(new, ast.expr):
            text = f"({text})"
        made.append(Change(file, node.lineno, kind, start, end, text))
    return made


def _variants(tree: ast.AST):
    """Node, kind of change, and what stands there instead; nothing in annotations, texts and type-checking blocks."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            continue
        for old in ("annotation", "returns"):
            if getattr(node, old, None) is not None:
                setattr(node, old, None)
        yield from _variants_of(node)
        yield from _variants(node)


def _variants_of(node: ast.AST):
    match node:
        case ast.Compare(left=left, ops=[op], comparators=rest) if type(op) in COMPARED:
            yield node, "comparison", ast.Compare(left, [COMPARED[type(op)]()], rest)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in COMPUTED and not isinstance(left, ast.Constant):
            yield node, "arithmetic", ast.BinOp(left, COMPUTED[type(op)](), right)
        case ast.Constant(value=bool(value)):
            yield node, "constant", ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield node, "constant", ast.Constant(value + 1 if isinstance(value, int) else value * 2)
        case ast.Constant(value=""):
            yield node, "constant", ast.Constant("x")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, "not removed", operand
        case ast.BoolOp(op=op, values=values):
            yield node, "and or", ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.If(test=test) | ast.IfExp(test=test):
            yield test, "condition", ast.Constant(True)
            yield test, "condition", ast.Constant(False)
        case ast.Call(func=func, args=args, keywords=keywords):
            for keyword in keywords:
                if keyword.arg:
                    yield (
                        node,
                        "keyword dropped",
                        ast.Call(func, args, [other for other in keywords if other != keyword]),
                    )
        case ast.Raise():
            yield node, "raise removed", "pass"
        case ast.Return(value=ast.expr()):
            yield node, "return None", "return None"


def draw(seed: int, count: int, only: list[str]) -> list[Change]:
    """So many changes: of every chapter in proportion to the root of its size, of every kind alike."""
    dice, chapters = random.Random(seed), defaultdict(lambda: defaultdict(list))
    for path in sorted((TREE / "toolkit").rglob("*.py")):
        file = str(path.relative_to(TREE))
        for change in changes(file, path.read_text()):
            chapters[change.chapter][change.kind].append(change)
    shares = {
        name: sum(map(len, kinds.values())) ** 0.5 for name, kinds in chapters.items() if name in only or not only
    }
    drawn = []
    for name, share in shares.items():
        kinds = chapters[name]
        for _ in range(min(round(share**2), max(1, round(count * share / sum(shares.values()))))):
            kind = dice.choice(sorted(kind for kind, left in kinds.items() if left))
            drawn.append(kinds[kind].pop(dice.randrange(len(kinds[kind]))))
    dice.shuffle(drawn)
    return drawn


class Tests:
    """Which tests run a line, how long they take, and which of them fail without any change."""

    def __init__(self):
        stored = json.loads(MAP.read_text())
        self.lines, self.seconds, self.good, self.bad = stored["lines"], stored["seconds"], set(), set()
        self.files = defaultdict(list)
        for test in self.seconds:
            self.files[test.partition("::")[0]].append(test)

    def of(self, change: Change) -> list[str]:
        """Tests of a change, own chapter first, within the time there is."""
        lines = self.lines.get(change.file, {})
        found = self._running(lines.get(str(change.line), []))
        if not found:  # run when the module was loaded: whatever uses the module
            found = self._running({context for contexts in lines.values() for context in contexts})
        by_file, left, chosen = defaultdict(list), BUDGET, []
        for test in found - self.bad:
            by_file[test.partition("::")[0]].append(test)
        cost = {file: sum(self.seconds[test] for test in tests) for file, tests in by_file.items()}
        own = f"tests/{change.chapter}/"
        for file in sorted(by_file, key=lambda file: (not file.startswith(own), cost[file])):
            for test in sorted(by_file[file], key=self.seconds.get):
                if (left := left - self.seconds[test]) > 0 or not chosen:
                    chosen.append(test)
        return chosen

    def _running(self, contexts) -> set[str]:
        tests = set()
        for context in contexts:
            if found := PHASE.fullmatch(context):
                test, phase = found.groups()  # what a fixture runs, all tests of the file may look at
                tests |= set(self.files[test.partition("::")[0]]) if phase == "setup" else {test} & set(self.seconds)
        return tests

    def first_failing(self, tests: list[str]) -> str | None:
        """The first test that fails, "time" if they do not end, "import" if nothing can be loaded, or None."""
        FAILED.unlink(missing_ok=True)
        process = os.fork()
        if not process:
            os.setsid()
            silent = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(silent, stream)
            os.chdir(TREE)
            sys.path.insert(0, str(TREE))
            os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests], plugins=[Noted()]))
        limit = time.monotonic() + 60 + 5 * sum(self.seconds[test] for test in tests)
        while not (ended := os.waitpid(process, os.WNOHANG))[0]:
            if time.monotonic() > limit:
                os.killpg(process, signal.SIGKILL)
                os.waitpid(process, 0)
                return "time"
            time.sleep(0.1)
        if FAILED.exists():
            return FAILED.read_text()
        return "import" if ended[1] else None

    def killer(self, change: Change) -> str | None:
        """What notices a change, other than tests that fail without it too."""
        path = TREE / change.file
        source = path.read_text()
        while tests := self.of(change):
            try:
                path.write_text(change.applied(source))
                found = self.first_failing(tests)
            finally:
                path.write_text(source)
            if found not in self.seconds or found in self.good:
                return found
            if self.first_failing([found]) is None:
                self.good.add(found)
                return found
            self.bad.add(found)
        return None


class Noted:
    """Notes the first test that fails."""

    def pytest_runtest_logreport(self, report):
        """Called by pytest."""
        if report.failed and not FAILED.exists():
            FAILED.write_text(report.nodeid)


def copy_tree() -> None:
    """Copy what git tracks, as it is now."""
    shutil.rmtree(TREE, ignore_errors=True)
    for name in subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).exists():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, TREE / name)


def make_map(words: list[str]) -> None:
    """Run the tests (or those that the words choose) under coverage, and store which ran which line."""
    copy_tree()
    shutil.rmtree(WORK / "coverage", ignore_errors=True)
    (WORK / "coverage").mkdir()
    settings = ("[run]", "source = toolkit", "parallel = true", f"data_file = {WORK}/coverage/data")
    (WORK / "coverage.ini").write_text("\n".join([*settings, "context = ${PYTEST_CURRENT_TEST-}", ""]))
    environment = {
        **os.environ,
        "COVERAGE_PROCESS_START": str(WORK / "coverage.ini"),
        "MUTATE_SECONDS": str(WORK / "seconds"),
    }
    environment["PYTHONPATH"] = f"{TREE}{os.pathsep}{Path(__file__).parent}"
    (WORK / "seconds").unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "mutate", *(words or ["-m", "not notebook"])]
    subprocess.run(command, cwd=TREE, env=environment)
    lines: dict = defaultdict(lambda: defaultdict(set))
    for file in (WORK / "coverage").iterdir():
        data = coverage.CoverageData(str(file))
        try:
            data.read()
        except coverage.exceptions.DataError:  # of a process that a test killed while it wrote
            continue
        for measured in data.measured_files():
            for line, contexts in data.contexts_by_lineno(measured).items():
                lines[os.path.relpath(measured, TREE)][line] |= set(contexts) - {""}
    seconds = dict(map(json.loads, (WORK / "seconds").read_text().splitlines()))
    plain = {file: {line: sorted(tests) for line, tests in found.items()} for file, found in lines.items()}
    MAP.write_text(json.dumps({"lines": plain, "seconds": seconds}))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Of the plugin that `map` runs: store the seconds of each test."""
    started = time.monotonic()
    try:
        return (yield)
    finally:
        if file := os.environ.get("MUTATE_SECONDS"):
            with Path(file).open("a") as log:
                log.write(json.dumps([item.nodeid, round(time.monotonic() - started, 3)]) + "\n")


def _phase(item, phase: str):
    if current := coverage.Coverage.current():
        current.switch_context(f"{item.nodeid}|{phase}")
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """A part of a test."""
    return (yield from _phase(item, "setup"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A part of a test."""
    return (yield from _phase(item, "call"))


def run(seed: int, count: int, only: list[str]) -> None:
    """Make the changes one after the other and append what came of each to the results."""
    results = WORK / f"results-{seed}.jsonl"
    done = {(row["file"], row["start"], row["text"]) for row in _rows(results)}
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "3"}
    os.environ["PYTHONPATH"] = str(TREE)
    for name in HEAVY:
        __import__(name)  # once; every change is then tested in a fork
    tests = Tests()
    for change in draw(seed, count, only):
        if (change.file, change.start, change.text) in done:
            continue
        source = (TREE / change.file).read_text()
        killer = tests.killer(change)
        new = change.applied(source)
        diff = [
            line for line in unified_diff(source.splitlines(), new.splitlines(), n=0, lineterm="") if line[:1] in "+-"
        ][2:]
        row = {**vars(change), "chapter": change.chapter, "killed": killer is not None, "by": killer, "diff": diff}
        with results.open("a") as log:
            log.write(json.dumps(row) + "\n")
        print(
            "killed  " if killer else "SURVIVED",
            f"{change.file}:{change.line}",
            change.kind,
            *([] if killer else diff),
            sep="  ",
            flush=True,
        )


def _rows(results: Path) -> list[dict]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def score() -> None:
    """Print what was noticed by chapter; a row with "equivalent": "why", written by hand, does not count."""
    rows = [row for file in WORK.glob("results-*.jsonl") for row in _rows(file)]
    counts = {
        kind: Counter(row["chapter"] for row in rows if test(row))
        for kind, test in {
            "n": lambda row: True,
            "killed": lambda row: row["killed"],
            "equivalent": lambda row: "equivalent" in row,
        }.items()
    }
    print("| chapter | changes | equivalent | noticed | score |\n|---|---|---|---|---|")
    for name in [*sorted(counts["n"]), "all"]:
        n, killed, same = (sum(found.values()) if name == "all" else found[name] for found in counts.values())
        print(f"| {name} | {n} | {same} | {killed} | {killed / max(1, n - same):.0%} |")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("map", "run", "score"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--chapter", action="append", default=[], help="draw from this one alone; may be repeated")
    asked, words = parser.parse_known_args()
    {"map": lambda: make_map(words), "run": lambda: run(asked.seed, asked.count, asked.chapter), "score": score}[
        asked.what
    ]()


if __name__ == "__main__":
    main()
