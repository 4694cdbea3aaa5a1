"""What the documentation site needs to know of our docstrings: examples stand at their end, without a heading."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Gives doctests a section of their own, and each of several arguments that are explained together its line."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class or function that was just read."""
        if obj.docstring:
            text = re.sub(r"^( +)(\w+(?:, \w+)+): (.*)$", _apart, obj.docstring.value, flags=re.MULTILINE)
            head, example, tail = text.partition("\n>>> ")
            if example:
                lines = "\n".join(f"    {line}".rstrip() for line in f">>> {tail}".splitlines())
                text = f"{head}\n\nExamples:\n{lines}\n"
            obj.docstring.value = text


def _apart(match: re.Match) -> str:
    return "\n".join(f"{match[1]}{name}: {match[3]}" for name in match[2].split(", "))
