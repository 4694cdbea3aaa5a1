"""The page of predictions: answers for pictures that a person uploads."""

import pandas as pd
import streamlit as st

from toolkit import images
from toolkit.app import components, state
from toolkit.core.words import markdown
from toolkit.model import predict
from toolkit.model.predict import Answer, Prediction

SHOWN = 12  # answers on the page at a time
SAMPLES, SEED = 4, 3  # test pictures to choose from, and which
WIDTH = 132  # pixels of one: two stand beside each other on a phone
SAMPLE = "sample"  # key in the state of a session


def show() -> None:
    """Show the page."""
    st.title("Predict")
    files = st.file_uploader(
        "Your pictures. They go to the machine that runs this page, no further, and are not stored.",
        type=images.ENDINGS,
        accept_multiple_files=True,
    )
    below = threshold()
    if not files:
        _sample(below)
        return
    names, contents = [file.name for file in files], [file.getvalue() for file in files]
    with st.spinner("Looking …"):
        answers = state.answers(contents, below=below)
    if len(answers) > 1:
        _summary(names, answers)
    pages = -(-len(answers) // SHOWN)
    page = st.pagination(pages, key="answers") if pages > 1 else 1
    for index in range(len(answers))[SHOWN * (page - 1) : SHOWN * page]:
        show_answer(names[index], contents[index], answers[index], below=below)
    explain_heat()


def _sample(below: float) -> None:
    """Test pictures of the dataset, for whoever has none at hand: the one that is chosen is answered."""
    table = state.dataset()
    test = table.where(status="ok", split="test") if table is not None else None
    if test is None or not len(test):
        return
    drawn = list(test.table.sample(frac=1, random_state=SEED).groupby("label").head(SAMPLES)["path"].head(SAMPLES))
    st.caption(f"Or one of the test pictures of {markdown(test.name)}:")
    with st.container(horizontal=True):
        for path in drawn:
            with st.container(width=WIDTH):
                st.image(state.small(test.root / path), width="stretch")
                if st.button("What is it?", key=f"sample {path}", width="stretch"):
                    st.session_state[SAMPLE] = path
    chosen = st.session_state.get(SAMPLE)
    if chosen in drawn:
        content = (test.root / str(chosen)).read_bytes()
        show_answer("a test picture", content, state.answers([content], below=below)[0], below=below)
        explain_heat()


def threshold() -> float:
    """A slider for the probability below which an answer is "not sure"."""
    start = state.threshold()
    percent = st.slider(
        "Say “not sure” below",
        0,
        100,
        round(100 * start),
        format="%d %%",
        help="At 0 % it always answers. A network knows only its classes: a picture of something else gets one of "
        "them too, and sometimes with conviction.",
        key=f"below {state.chosen()}",
    )
    return start if percent == round(100 * start) else percent / 100


def show_answer(name: str, content: bytes, answer: Answer, *, below: float) -> None:
    """Show an answer, with a heat map of a run; or why the picture could not be read."""
    if isinstance(answer, Prediction):
        heat = state.heat(str(state.chosen()), content, answer.label)
        components.answer(name, answer, below=below, heat=heat)
    else:
        components.unreadable(name, answer.reason)


def explain_heat() -> None:
    """Say what the heat map means, or why there is none."""
    if state.can_explain():
        st.caption("What spoke for the answer glows (Grad-CAM). It says where, not why.")
    else:
        st.caption("Where it looked is known of runs only, not of a model that was exported.")


def _summary(names: list[str], answers: list[Answer]) -> None:
    labels = [_label(answer) for answer in answers]
    counted = ", ".join(f"{labels.count(label)} {label}" for label in dict.fromkeys(labels))
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.markdown(f"**{len(answers)} pictures:** {markdown(counted)}")
    right.download_button("As a table", _csv(names, answers), "answers.csv", "text/csv", width="stretch")


def _label(answer: Answer) -> str:
    if not isinstance(answer, Prediction):
        return answer.status
    return answer.answer


def _csv(names: list[str], answers: list[Answer]) -> str:
    rows = [predict.row(state.model(), name, answer) for name, answer in zip(names, answers, strict=True)]
    return pd.DataFrame(rows, dtype=object).to_csv(index=False)
