"""The page of the model: how good it is, what it learned from, how it compares, its card."""

import json
from pathlib import Path

import streamlit as st

from toolkit.app import components, state
from toolkit.core import extras
from toolkit.core.words import markdown
from toolkit.dataset import manifest
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError
from toolkit.model import bundle
from toolkit.model.bundle import Bundle

SHOWN = 12  # pictures of the dataset
CARD, EXPORTED = "card.md", Path("export", "export.json")


def show() -> None:
    """Show the page."""
    trained, run, table = state.model(), state.run(), state.dataset()
    st.title(markdown(trained.name))
    kind = "" if state.can_explain() else ", exported" + (f" from {markdown(run.name)}" if run else "")
    st.markdown(f"Names one of {len(trained.classes)} classes for a picture: {markdown(_some(trained.classes))}{kind}.")
    if run and run.metrics:
        _figures(run)
    elif run:
        st.caption("It was not measured yet: run `toolkit evaluate`.")
    if table is not None:
        _data(table)
    if run:
        _comparison(run)
        _exported(run)
        _card(run)
    else:
        st.caption("No run is here that says more of it.")


def _some(names: tuple[str, ...], *, most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _figures(run: Bundle) -> None:
    metrics = run.metrics
    components.figures(
        {
            f"right on {metrics['pictures']:,} test pictures": f"{metrics['accuracy']:.1%}",
            "95 % interval": f"{metrics['low']:.1%} to {metrics['high']:.1%}",
            "for one picture": f"{metrics['milliseconds']:.1f} ms",
            "pixels it sees": f"{run.size} × {run.size}",
        }
    )


def _data(table: Manifest) -> None:
    st.subheader("What it learned from")
    used = table.where(status="ok")
    st.markdown(f"{len(used):,} of {len(table):,} pictures are in use.")
    counts = used.counts("split").reset_index(names="class").to_dict(orient="records")
    components.table([{str(name): _thousands(value) for name, value in row.items()} for row in counts])
    samples = _samples(str(table.root), manifest.stamp(table.root), table)
    if samples:
        components.thumbnails(samples)
    sources = table.provenance()[["source", "license", "pictures"]].to_dict(orient="records")
    named = [{"source": row["source"], "licence": row["license"], "pictures": row["pictures"]} for row in sources]
    components.table([{name: _thousands(value) for name, value in row.items()} for row in named])


def _thousands(value: object) -> object:
    return value if isinstance(value, str) else f"{value:,}"


@st.cache_resource(show_spinner="Looking at the pictures …", max_entries=2)
def _samples(root: str, changed: object, _table: Manifest) -> list[dict[str, object]]:
    """A few pictures of each class, drawn by chance. Drawn again when the manifest has changed."""
    used = _table.where(status="ok").table.sample(frac=1, random_state=0)
    drawn = used.groupby("label").head(max(1, SHOWN // len(_table.classes))).head(SHOWN).sort_values("label")
    cells = []
    for row in drawn.itertuples():
        pixels = state.small(_table.root / row.path)
        cells.append({"picture": components.embedded(pixels), "words": row.label, "outcome": ""})
    return cells


def _comparison(run: Bundle) -> None:
    runs = [folder for folder in run.folder.parent.glob("*") if (folder / bundle.METRICS).is_file()]
    if len(runs) < 2:
        return
    stamps = tuple(sorted((str(folder), (folder / bundle.METRICS).stat().st_mtime_ns) for folder in runs))
    try:
        summary, rows, figure = _compared(stamps)
    except ModuleNotFoundError as error:
        st.caption(f"How it compares needs {error.name}: {extras.remedy(error.name or '')}.")
        return
    except BundleError as error:
        st.caption(f"How it compares cannot be shown: {markdown(error)}")
        return
    st.subheader("Beside the others")
    st.markdown(markdown(summary))
    components.chart(figure, "Accuracy of each network with its interval")
    components.table(rows, best=True)


@st.cache_resource(show_spinner="Comparing …", max_entries=2)
def _compared(stamps: tuple[tuple[str, int], ...]) -> tuple[str, list[dict[str, object]], str]:
    """The comparison of runs in words, as rows, and as SVG."""
    from toolkit import plot
    from toolkit.evaluation import compare

    runs = [bundle.load(folder) for folder, _ in stamps]
    table = compare.table(runs)
    rows = [
        {
            "network": name,
            "right": f"{row['accuracy']:.1%}",
            "95 % interval": f"{row['low']:.1%} to {row['high']:.1%}",
            "pixels": f"{row['size']:.0f}",
            "weights": f"{row['parameters']:,.0f}",
            "per picture": f"{row['milliseconds']:.1f} ms",
            "on disk": f"{row['megabytes']:.1f} MB",
            "began with": row["start"],
        }
        for name, row in table.iterrows()
    ]
    return (
        compare.in_words(table, compare.pairs(runs)),
        rows,
        plot.svg(plot.comparison(table), words="comparison", alone=True),
    )


def _exported(run: Bundle) -> None:
    file = run.folder / EXPORTED
    record = json.loads(file.read_text()) if file.is_file() else {}
    if record.get("model") != run.facts["sha256"]:
        return
    st.subheader("For elsewhere")
    st.markdown("The same network in other formats, each asked about the test pictures in its own runtime.")
    rows = {"as it was trained": record["keras"], **record["artifacts"]}
    components.table([_row(name, facts) for name, facts in rows.items() if facts.get("accuracy") is not None])


def _row(name: str, facts: dict) -> dict[str, object]:
    return {
        "format": name,
        "right": f"{facts['accuracy']:.1%}",
        "same answer": f"{facts['agreement']:.1%}",
        "per picture": f"{facts['milliseconds']:.1f} ms",
        "size": f"{facts['megabytes']:.1f} MB",
        "file": facts["file"] or ("refused" if facts.get("reason") else "in the run"),
    }


def _card(run: Bundle) -> None:
    file = run.folder / CARD
    if not file.is_file():
        st.caption(f"It has no card yet; `toolkit report {markdown(run.folder.parent.name)}` writes one.")
        return
    _, _, text = file.read_text().partition("\n")
    with st.expander("Its card: what it is, how it was trained, and where it fails"):
        st.markdown(text.replace("\n## ", "\n#### ").replace("![", "!\\["))  # a picture would be fetched
        st.download_button("Download the card", file.read_bytes(), f"{run.name}.md", "text/markdown")
