"""Twenty test pictures: the network names each, and so may a person; who is right more often?"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from toolkit import images
from toolkit.app import components, state
from toolkit.model.predict import Prediction

if TYPE_CHECKING:
    import pandas as pd

COUNT, SIDE = 20, 480  # pictures; pixels
BUTTONS = 12  # classes that get a button each; more are chosen from a list
PASS = ""  # a person who does not say
GAME = "game"


@dataclass
class Game:
    """One round, in the state of a session.

    Args:
        model: that plays.
        pictures: their paths in the dataset.
        labels: what they are.
        said: by the person so far, a label or `PASS`.
        answers: of the network for the same.
        looking: whether the outcome of the last picture is being looked at.
    """

    model: str
    pictures: list[str]
    labels: list[str]
    said: list[str] = field(default_factory=list)
    answers: list[Prediction] = field(default_factory=list)
    looking: bool = False

    @property
    def place(self) -> int:
        """The picture that is shown."""
        return len(self.said) - self.looking

    @property
    def over(self) -> bool:
        """Whether all pictures were seen."""
        return self.place == len(self.pictures)

    def outcome(self, place: int, *, network: bool) -> str:
        """How one of both did: right, wrong, or not sure."""
        answer = self.answers[place]
        said = ("" if answer.abstained else answer.label) if network else self.said[place]
        return "not sure" if said == PASS else "right" if said == self.labels[place] else "wrong"


def show() -> None:
    """Show the page."""
    st.title("Test")
    table = state.dataset()
    test = table.where(status="ok", split="test").table if table is not None else []
    run = state.run()
    if len(test) and run:
        test = test[~test["sha256"].isin(run.seen)]
    if not len(test):
        st.info("There are no test pictures here: start the app with a dataset that is split, or with one of its runs.")
        return
    game = st.session_state.get(GAME)
    if game is None or game.model != str(state.chosen()):
        game = _begin(test)
    _score(game)
    if game.over:
        _end(game)
    else:
        _ask(game)


def _begin(test: "pd.DataFrame") -> Game:
    """Draw pictures for a round; each round draws others."""
    rows = test.iloc[np.random.default_rng().permutation(len(test))[:COUNT]]
    game = Game(str(state.chosen()), list(rows["path"]), list(rows["label"]))
    st.session_state[GAME] = game
    return game


def _score(game: Game) -> None:
    seen = range(len(game.answers))
    rows = {
        "You": [game.outcome(place, network=False) for place in seen],
        state.model().name: [game.outcome(place, network=True) for place in seen],
    }
    components.score(rows, count=len(game.pictures))


def _ask(game: Game) -> None:
    classes, place = state.model().classes, game.place
    if game.looking:
        _outcome(game, place)
        left, right = st.columns(2)
        left.button("Next", type="primary", on_click=_next, args=(game,), width="stretch", shortcut="Enter")
    else:
        components.picture(_large(game, place), f"Picture {place + 1} of {len(game.pictures)}: what is it?")
        _buttons(game, classes)
        left, right = st.columns(2)
        left.button("Just show me", on_click=_say, args=(game, PASS), width="stretch", type="tertiary")
    right.button("Let it finish alone", on_click=_finish, args=(game,), width="stretch", type="tertiary")


def _buttons(game: Game, classes: tuple[str, ...]) -> None:
    if len(classes) > BUTTONS:
        said = st.selectbox("It is", sorted(classes), index=None, placeholder="choose a class", key=f"say {game.place}")
        if said:
            _say(game, said)
            st.rerun()
        return
    with st.container(horizontal=True, horizontal_alignment="center"):
        for number, label in enumerate(classes, start=1):
            key = {"shortcut": str(number)} if number < 10 else {}
            st.button(label, on_click=_say, args=(game, label), key=f"say {label}", **key)


def _outcome(game: Game, place: int) -> None:
    label, said, answer = game.labels[place], game.said[place], game.answers[place]
    you = {"right": "You are right: it is", "wrong": f"You said {said}; it is"}.get(
        game.outcome(place, network=False), "It is"
    )
    st.markdown(f"{you} **{label}**.")
    explained = state.can_explain()
    heat = state.heat(game.model, _content(game, place), answer.label) if explained else None
    words = f"{state.model().name} is {game.outcome(place, network=True)}"
    components.answer(words, answer, below=state.threshold(), heat=heat)


def _say(game: Game, said: str) -> None:
    """Take what a person says of the picture that is shown, and ask the network."""
    if game.looking or game.over:  # a second click on its way
        return
    (answer,) = state.answers([_content(game, game.place)], below=state.threshold())
    game.said.append(said)
    game.answers.append(answer)
    game.looking = True


def _next(game: Game) -> None:
    game.looking = False


def _finish(game: Game) -> None:
    _next(game)
    while not game.over:
        _say(game, PASS)
        _next(game)


def _end(game: Game) -> None:
    network = [game.outcome(place, network=True) for place in range(len(game.pictures))]
    cells = []
    for place, (label, answer) in enumerate(zip(game.labels, game.answers, strict=True)):
        named = "not sure" if answer.abstained else answer.label
        words = label if named == label else f"{label}, it said {named}"
        cells.append({"picture": components.embedded(answer.pixels), "words": words, "outcome": network[place]})
    components.thumbnails(cells)
    run = state.run()
    if run and run.metrics:
        metrics = run.metrics
        share = f"{metrics['accuracy']:.1%} of the time ({metrics['low']:.1%} to {metrics['high']:.1%})"
        few, all_of_them = len(game.pictures), f"all {metrics['pictures']:,} test pictures"
        st.caption(f"{few} pictures say little: on {all_of_them} {run.name} is right {share}.")
    st.button("Another round", type="primary", on_click=lambda: st.session_state.pop(GAME, None))


def _content(game: Game, place: int) -> bytes:
    return (state.dataset().root / game.pictures[place]).read_bytes()


def _large(game: Game, place: int) -> np.ndarray:
    """The picture as it is, no larger than the page needs."""
    picture = images.read(_content(game, place), min_side=SIDE)
    picture.thumbnail((2 * SIDE, SIDE))
    return np.asarray(picture)
