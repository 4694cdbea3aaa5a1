"""The page that starts the review of the dataset, which is served beside the app, to this machine alone."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from toolkit.app import state
from toolkit.core.words import markdown
from toolkit.dataset.manifest import Manifest
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.review.server import Server


class Reviews:
    """The review pages that are open, one per dataset, whatever the number of sessions."""

    def __init__(self) -> None:
        self._open: dict[Path, Server] = {}
        self._lock = threading.Lock()

    def url(self, root: Path) -> str:
        """Address of the page of a dataset, "" if none is open."""
        server = self._open.get(root)
        return server.url if server else ""

    def start(self, table: Manifest) -> None:
        """Open the page of a dataset, if it is not; what prevents that is shown."""
        from toolkit import review

        with self._lock:
            if table.root in self._open:  # in another session
                return
            try:
                self._open[table.root] = review.open(table)
            except ToolkitError as error:
                st.session_state["problem"] = str(error)

    def end(self, root: Path) -> None:
        """Close the page of a dataset, and save."""
        with self._lock:
            server = self._open.pop(root, None)
        if server:
            server.close()

    def close(self) -> None:
        """Close all pages, and save."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


reviews = Reviews()


def show() -> None:
    """Show the page."""
    st.title("Review")
    table, settings = state.dataset(), state.settings()
    if table is None:
        st.info("There is no dataset here to review: start the app with a dataset, or with one of its runs.")
        return
    st.markdown(
        f"Go through what looks wrong in **{markdown(table.name)}** with the keyboard: one picture under two labels, "
        "confident mistakes, copies, then all pictures, the odd ones first. Every mark is on disk before it counts, "
        "and can be undone. No file is moved."
    )
    _counts(table)
    if not settings.private:
        st.info(f"Reviewing is for the machine itself: run `toolkit review {markdown(table.name)}` there.")
    elif url := reviews.url(table.root):
        st.link_button("Open the review page", url, type="primary")
        st.button("End the review", on_click=reviews.end, args=(table.root,))
    else:
        st.button("Start the review", on_click=reviews.start, args=(table,), type="primary")
    problem = st.session_state.pop("problem", "")
    if problem:
        st.error(markdown(problem))


def _counts(table: Manifest) -> None:
    reviewed = (table.table["reviewed"] != "").sum()
    left_out = len(table.left_out())
    st.caption(f"{len(table):,} pictures, {left_out:,} left out, {reviewed:,} reviewed so far.")
