"""The section of the report on the thing or the place: what else than the thing could tell the label."""

from toolkit.dataset.manifest import Manifest
from toolkit.selection import shortcuts

FORMS = {"balanced accuracy": "{:.1%}", "low": "{:.1%}", "high": "{:.1%}", "chance": "{:.1%}", "p": "{:.3f}"}


def values(manifest: Manifest) -> dict[str, object]:
    """What the template of the report tells of it: words, a row per property, and what was left out at once.

    Args:
        manifest: the dataset.
    """
    alone = shortcuts.predictors(manifest)
    rows = alone.assign(**{name: alone[name].map(form.format) for name, form in FORMS.items()})
    return {
        "words": shortcuts.in_words(alone),
        "rows": rows.to_dict(orient="records"),
        "left_out": [str(found) for found in shortcuts.stored(manifest)],
        "columns": [name for name in ("source", "creator") if manifest.table[name].nunique() > 1],
    }
