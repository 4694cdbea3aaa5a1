"""Executed notebooks as pages to read: each leads to the one before and after, and a first page shows them all."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core import paths, templates

if TYPE_CHECKING:
    from nbformat import NotebookNode

INDEX = "index.html"
TEMPLATES = Path(__file__).parent / "templates"
DESCRIBED = """{% extends "index.html.j2" %}
{%- block data_png scoped -%}
{%- set words = output | get_metadata("alt", "image/png") -%}
{{ super() | replace("<img ", '<img alt="' ~ (words | escape_html) ~ '" ', 1) if words else super() }}
{%- endblock data_png -%}
"""  # as nbconvert has it, with the text alternative that a figure gives of itself


@dataclass(frozen=True, eq=False)
class Lesson:
    """A notebook that was executed.

    Args:
        name: of its file, without the ending.
        notebook: with its outputs.
        seconds: that it took; 0 before.
    """

    name: str
    notebook: "NotebookNode"
    seconds: float = 0

    @property
    def page(self) -> str:
        """The file of its page."""
        return f"{self.name}.html"

    @property
    def title(self) -> str:
        """Its heading, such as "2 · Clean"."""
        return self._first(r"^# (.+)$", self.name)

    @property
    def question(self) -> str:
        """The question that it answers, in bold below the heading, without stress on single words."""
        return self._first(r"^\*\*(.+?)\*\*", "").replace("*", "")

    @property
    def thumbnail(self) -> str:
        """Its first figure, as an address; "" without one."""
        for cell in self.notebook.cells:
            for output in cell.get("outputs", []):
                if picture := output.get("data", {}).get("image/png"):
                    content = picture if isinstance(picture, str) else base64.b64encode(picture).decode()
                    return "data:image/png;base64," + "".join(content.split())
        return ""

    def _first(self, pattern: str, otherwise: str) -> str:
        text = "\n".join(cell.source for cell in self.notebook.cells if cell.cell_type == "markdown")
        found = re.search(pattern, text, flags=re.MULTILINE | re.DOTALL if "*" in pattern else re.MULTILINE)
        return " ".join(found[1].split()) if found else otherwise


def write(lessons: Sequence[Lesson], done: int, folder: Path) -> Path:
    """Write the page of the lesson that was just done, and the first page with those done so far.

    Args:
        lessons: all of them in their order, those to come as they are stored.
        done: how many are, at least 1.
        folder: where the pages lie.

    Returns:
        The path of the first page.
    """
    number = done - 1
    before, after = lessons[number - 1 : number], lessons[done : done + 1]
    paths.write(
        folder / lessons[number].page, _page(lessons[number], next(iter(before), None), next(iter(after), None))
    )
    template = templates.environment(TEMPLATES).get_template("lessons.html")
    return paths.write(folder / INDEX, template.render(lessons=lessons[:done]))


def _page(lesson: Lesson, before: Lesson | None, after: Lesson | None) -> str:
    """The page of one, with the way to the others above and below; a link to a notebook leads to its page."""
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter(embed_images=True, raw_template=DESCRIBED).from_notebook_node(
        lesson.notebook, {"metadata": {"name": f"{lesson.title}: {lesson.question}"}}
    )
    page = re.sub(r'(href="[0-9]{2}_\w+)\.ipynb"', r'\1.html"', page)
    template = templates.environment(TEMPLATES).get_template("lesson_way.html")
    way = template.render(before=before, after=after, index=INDEX)
    page = re.sub(r"<body[^>]*>", lambda found: found[0] + way, page, count=1)
    return page.replace("</body>", f"{way}</body>")
