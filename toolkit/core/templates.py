"""Pages and cards from the templates that lie beside the module that fills them."""

from pathlib import Path

import jinja2

from toolkit.core.words import markdown


def environment(*folders: Path, html: bool = True) -> jinja2.Environment:
    """A Jinja environment for the templates in folders: blocks leave no blank lines, and an unknown name raises.

    Args:
        folders: where the templates lie, often `Path(__file__).parent / "templates"`.
        html: escape what is filled in as a page needs it; False for Markdown, where `markdown` does.

    >>> environment(Path(".")).from_string("{{ name }}").render(name="<b>")
    '&lt;b&gt;'
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=html,
        finalize=None if html else lambda value: markdown(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["percent"] = lambda share: f"{share:.1%}"
    return made
