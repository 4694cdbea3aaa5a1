"""The way to the review page of the dataset, which is served beside the app, to this machine alone."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from toolkit.app import state
from toolkit.dataset.manifest import Manifest
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.review.server import Server

_open: dict[Path, "Server"] = {}  # one per dataset, whatever the number of sessions
_lock = threading.Lock()


def show() -> None:
    """Show the page."""
    st.title("Review")
    table, settings = state.dataset(), state.settings()
    if table is None:
        st.info("There is no dataset here to review: start the app with a dataset, or with one of its runs.")
        return
    st.markdown(
        f"Go through what looks wrong in **{table.name}** with the keyboard: one picture under two labels, confident "
        "mistakes, copies, then all pictures, the odd ones first. Every mark is on disk before it counts, and can be "
        "undone. No file is moved."
    )
    _counts(table)
    if not settings.private:
        st.info(f"Reviewing is for the machine itself: run `toolkit review {table.name}` there.")
    elif table.root in _open:
        st.link_button("Open the review page", _open[table.root].url, type="primary")
        st.button("End the review", on_click=_end, args=(table.root,))
    else:
        st.button("Start the review", on_click=_start, args=(table,), type="primary")
    problem = st.session_state.pop("problem", "")
    if problem:
        st.error(problem)


def close() -> None:
    """End all reviews, and save."""
    with _lock:
        while _open:
            _open.popitem()[1].close()


def _counts(table: Manifest) -> None:
    reviewed = (table.table["reviewed"] != "").sum()
    left_out = len(table.left_out())
    st.caption(f"{len(table):,} pictures, {left_out:,} left out, {reviewed:,} reviewed so far.")


def _start(table: Manifest) -> None:
    from toolkit import review

    with _lock:
        if table.root in _open:  # in another session
            return
        try:
            _open[table.root] = review.open(table)
        except ToolkitError as error:
            st.session_state["problem"] = str(error)


def _end(root: Path) -> None:
    with _lock:
        server = _open.pop(root, None)
    if server:
        server.close()
