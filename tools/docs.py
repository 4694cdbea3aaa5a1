"""Gather the pages of the documentation site in build/docs: README, docs/, notebooks, and a page per public module.

The first page of the site is the README, so nothing is written twice; links between the places are rewritten.
"""

import re
import shutil
import sys
from pathlib import Path

import nbformat
import yaml
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import toolkit  # noqa: E402

PAGES = ROOT / "build" / "docs"
ELSEWHERE = {  # pages that lie outside of docs/, and what they are on the site
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "holes.md",
    "benchmarks/README.md": "benchmarks.md",
    "tools/README.md": "tools.md",
}


def main() -> None:
    """Write all pages anew."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES, ignore=shutil.ignore_patterns("*.py"))
    for page in sorted(ROOT.glob("docs/**/*.md")):
        _write(page, str(page.relative_to(ROOT / "docs")))
    for name, target in ELSEWHERE.items():
        _write(ROOT / name, target)
    lessons = [_lesson(file) for file in sorted(ROOT.glob("notebooks/*.ipynb"))]
    modules = [_reference(name) for name in toolkit.__all__]
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    settings["nav"] += [{"Notebooks": lessons}, {"Reference": modules}]
    settings["nav"] += [
        {
            "Project": [
                "glossary.md",
                "architecture.md",
                "contributing.md",
                "holes.md",
                "changelog.md",
                {"Tools": "tools.md"},
            ]
        }
    ]
    (PAGES.parent / "mkdocs.yml").write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))


def _write(page: Path, target: str) -> None:
    """Copy a page, its links as they are on the site."""

    def link(match: re.Match) -> str:
        address, _, anchor = match[1].partition("#")
        if not address or "://" in address:
            return match[0]
        linked = (page.parent / address).resolve().relative_to(ROOT).as_posix()
        linked = ELSEWHERE.get(linked, linked.removeprefix("docs/").replace(".ipynb", ".md"))
        up = "../" * target.count("/")
        return f"]({up}{linked}{'#' + anchor if anchor else ''})"

    (PAGES / target).parent.mkdir(parents=True, exist_ok=True)
    (PAGES / target).write_text(re.sub(r"\]\(([^)\s]+)\)", link, page.read_text()))


def _lesson(notebook: Path) -> str:
    """A notebook as a page: as it was run by `make demo`, if it was, else its text and code."""
    run = ROOT / "build" / "notebooks" / notebook.name
    book = nbformat.read(run if run.exists() else notebook, as_version=4)
    text, resources = MarkdownExporter().from_notebook_node(book, {"output_files_dir": f"{notebook.stem}_files"})
    folder = PAGES / "notebooks"
    (folder / f"{notebook.stem}_files").mkdir(parents=True, exist_ok=True)
    for name, content in resources["outputs"].items():
        (folder / name).write_bytes(content)
    (folder / f"{notebook.stem}.md").write_text(text.replace(".ipynb)", ".md)"))
    return f"notebooks/{notebook.stem}.md"


def _reference(name: str) -> dict[str, str]:
    """The page of a public module, from its docstrings."""
    page = PAGES / "reference" / f"{name}.md"
    page.parent.mkdir(exist_ok=True)
    where = toolkit.PUBLIC[name].replace(":", ".")
    page.write_text(f"# toolkit.{name}\n\n::: {where}\n    options:\n      show_root_heading: false\n")
    return {f"toolkit.{name}": f"reference/{name}.md"}


if __name__ == "__main__":
    main()
