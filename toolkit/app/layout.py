"""The layout of all pages: style, choice of a network, navigation, and errors as messages."""

from pathlib import Path

import streamlit as st

from toolkit.app import camera, model_page, quiz, review_page, state, upload
from toolkit.core.words import markdown
from toolkit.errors import ToolkitError

TEMPLATES = Path(__file__).parent / "templates"
PAGES = {
    "model": ("Model", model_page.show),
    "predict": ("Predict", upload.show),
    "camera": ("Camera", camera.show),
    "test": ("Test", quiz.show),
    "review": ("Review", review_page.show),
}


def show() -> None:
    """Show the page that was chosen."""
    settings = state.settings()
    st.set_page_config(page_title=_title(settings), page_icon=str(TEMPLATES / "app.svg"), layout="centered")
    st.html(TEMPLATES / "app.css")
    pages = [
        st.Page(show_page, title=title, url_path=name, default=name == settings.page)
        for name, (title, show_page) in PAGES.items()
    ]
    page = st.navigation(pages, position="hidden")
    with st.container(key="pages", horizontal=True, gap="xsmall"):
        for entry in pages:  # on a phone they are in sight, too
            st.page_link(entry, width="content")
    if len(settings.models) > 1:
        models = dict(zip(settings.models, (model.name for model in settings.models), strict=True))
        st.selectbox(
            "Network", models, format_func=models.__getitem__, key=state.CHOSEN, label_visibility="collapsed", width=260
        )
    try:
        page.run()
    except (ToolkitError, OSError) as error:
        st.error(markdown(error))


def _title(settings: state.Settings) -> str:
    """Of the browser's tab: the dataset, or the model where that is not there."""
    return f"{(settings.dataset or state.run_folder(settings.models[0])).name}: toolkit"
