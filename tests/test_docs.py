"""The documentation: links that lead somewhere, and a first page that is short."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("*/README.md"))]


def anchors(page):
    """What the headings of a page are called in addresses."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_the_project_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}"


def test_every_page_that_is_linked_to_is_on_the_site():
    gathered = (ROOT / "tools" / "docs.py").read_text()
    for page in {ROOT / "README.md", *ROOT.glob("docs/**/*.md")}:
        for target in re.findall(r"\]\(([^)\s#:]+\.md)", page.read_text()):
            linked = (page.parent / target).resolve().relative_to(ROOT).as_posix()
            assert linked.startswith("docs/") or f'"{linked}":' in gathered, f"{page.name} links to {target}"


def test_the_first_page_is_short_and_leads_to_every_other_page():
    first = (ROOT / "README.md").read_text()
    assert len(first.splitlines()) <= 110
    assert all(f"({page.relative_to(ROOT)})" in first for page in ROOT.glob("docs/*.md"))
