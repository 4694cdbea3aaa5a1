"""The page of the test: a game of twenty test pictures between a person and the network."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pandas as pd
import streamlit as st

from toolkit import images
from toolkit.app import components, state
from toolkit.core.words import markdown
from toolkit.dataset.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.model.bundle import Bundle
from toolkit.model.predict import Prediction

COUNT, SIDE = 20, 480  # pictures; pixels
BUTTONS = 12  # classes that get a button each; more are chosen from a list
PASS = ""  # instead of a label
GAME = "game"


@dataclass
class Game:
    """One round, in the state of a session.

    Args:
        model: path of the model that plays.
        root: folder of the dataset.
        pictures: their paths in the dataset.
        labels: their true classes.
        guesses: labels by the person so far, or `PASS`; None for a picture that only the network was asked about.
        answers: of the network for the same pictures.
        looking: whether the outcome of the last picture is shown.
    """

    model: str
    root: Path
    pictures: list[str]
    labels: list[str]
    guesses: list[str | None] = field(default_factory=list)
    answers: list[Prediction] = field(default_factory=list)
    looking: bool = False

    @property
    def index(self) -> int:
        """Of the picture that is shown, from 0."""
        return len(self.guesses) - self.looking

    @property
    def over(self) -> bool:
        """Whether all pictures were seen."""
        return self.index == len(self.pictures)

    def outcome(self, index: int, *, network: bool) -> str:
        """What the network's answer, or the person's, is for a picture: right, wrong, not sure, or "" if not asked."""
        answer = self.answers[index]
        label = (PASS if answer.abstained else answer.label) if network else self.guesses[index]
        if label is None:
            return ""
        if label == PASS:
            return "not sure"
        return "right" if label == self.labels[index] else "wrong"


def show() -> None:
    """Show the page."""
    st.title("Test")
    table = state.dataset()
    test = _unseen(table, state.run()) if table is not None else ()
    if table is None or not len(test):
        st.info("There are no test pictures here: start the app with a dataset that is split, or with one of its runs.")
        return
    game = st.session_state.get(GAME)
    if game is None or game.model != str(state.chosen()):
        game = _begin(table.root, test)
    _score(game)
    if game.over:
        _end(game)
    else:
        _ask(game)


def _unseen(table: Manifest, run: Bundle | None) -> pd.DataFrame:
    """The rows of the test pictures that the network has not learned from."""
    test = table.where(status="ok", split="test").table
    return test[~test["sha256"].isin(run.seen)] if run else test


def _begin(root: Path, test: pd.DataFrame) -> Game:
    """Draw pictures for a round; each round draws others."""
    rows = test.iloc[np.random.default_rng().permutation(len(test))[:COUNT]]
    game = Game(str(state.chosen()), root, list(rows["path"]), list(rows["label"]))
    st.session_state[GAME] = game
    return game


def _score(game: Game) -> None:
    answered = range(len(game.answers))
    rows = {
        "You": [game.outcome(index, network=False) for index in answered],
        state.model().name: [game.outcome(index, network=True) for index in answered],
    }
    components.score(rows, count=len(game.pictures))


def winner(game: Game, name: str) -> str:
    """Who was right more often, in words, of the pictures that a person was asked about; "" if there were none."""
    asked = [index for index, guess in enumerate(game.guesses) if guess is not None]
    if not asked:
        return ""
    person, network = (sum(game.outcome(index, network=which) == "right" for index in asked) for which in (False, True))
    count = "the one picture" if len(asked) == 1 else f"the {len(asked)} pictures"
    both = f"Of {count} that you were asked about, you named {person} right and {name} {network}"
    return f"{both}: {'you win' if person > network else f'{name} wins' if network > person else 'a draw'}."


def _ask(game: Game) -> None:
    if game.looking:
        _outcome(game, game.index)
        left, right = st.columns(2)
        left.button("Next", type="primary", on_click=_next, args=(game,), width="stretch", shortcut="Enter")
    else:
        question = f"Picture {game.index + 1} of {len(game.pictures)}: what is it?"
        components.picture(_large(game, game.index), question)
        _buttons(game, state.model().classes)
        left, right = st.columns(2)
        left.button("Just show me", on_click=_guess, args=(game, PASS), width="stretch")
    right.button("Let it finish alone", on_click=_finish, args=(game,), width="stretch")


def _buttons(game: Game, classes: tuple[str, ...]) -> None:
    if len(classes) > BUTTONS:
        guess = st.selectbox(
            "It is", sorted(classes), index=None, placeholder="choose a class", key=f"say {game.index}"
        )
        if guess:
            _guess(game, guess)
            st.rerun()
        return
    with st.container(horizontal=True, horizontal_alignment="center"):
        for label, shortcut in zip(classes, keys(classes), strict=True):
            st.button(markdown(label), on_click=_guess, args=(game, label), key=f"say {label}", shortcut=shortcut)


def keys(classes: Sequence[str]) -> list[str | None]:
    """A key for each class: itself where all are one letter or digit; else a digit, or letters where names begin so.

    >>> keys(["cars", "tanks"]), keys("012"), keys(["1 leg", "2 legs"])
    (['1', '2'], ['0', '1', '2'], ['a', 'b'])
    """
    if all(len(label) == 1 and label.isascii() and label.isalnum() for label in classes):
        return list(classes)
    free = ascii_lowercase if any(label[:1].isdigit() for label in classes) else "123456789"
    return [free[place] if place < len(free) else None for place in range(len(classes))]


def _outcome(game: Game, index: int) -> None:
    guess = markdown(game.guesses[index] or "")
    captions = {"right": "You are right: it is", "wrong": f"You said {guess}; it is", "not sure": "It is"}
    st.markdown(f"{captions[game.outcome(index, network=False)]} **{markdown(game.labels[index])}**.")
    answer = game.answers[index]
    heat = state.heat(game.model, _content(game, index), answer.label)
    caption = f"{state.model().name} is {game.outcome(index, network=True)}"
    components.answer(caption, answer, below=state.threshold(), heat=heat)


def _guess(game: Game, guess: str | None) -> None:
    """Take what a person says of the picture that is shown, None for nothing, and ask the network."""
    if game.looking or game.over:  # a second click on its way
        return
    (answer,) = state.answers([_content(game, game.index)], below=state.threshold())
    if not isinstance(answer, Prediction):
        raise DatasetError(f"{game.pictures[game.index]} is damaged ({answer.reason}); run verify --again")
    game.guesses.append(guess)
    game.answers.append(answer)
    game.looking = True


def _next(game: Game) -> None:
    game.looking = False


def _finish(game: Game) -> None:
    _next(game)
    while not game.over:
        _guess(game, None)
        _next(game)


def _end(game: Game) -> None:
    if words := winner(game, state.model().name):
        st.markdown(f"**{markdown(words)}**")
    cells = []
    for index, (label, answer) in enumerate(zip(game.labels, game.answers, strict=True)):
        named = "not sure" if answer.abstained else answer.label
        caption = label if named == label else f"{label}, it said {named}"
        outcome = game.outcome(index, network=True)
        cells.append({"picture": components.embedded(answer.pixels), "words": caption, "outcome": outcome})
    components.thumbnails(cells)
    run = state.run()
    if run and run.metrics:
        metrics = run.metrics
        share = f"{metrics['accuracy']:.1%} of the time ({metrics['low']:.1%} to {metrics['high']:.1%})"
        few, all_of_them = len(game.pictures), f"all {metrics['pictures']:,} test pictures"
        st.caption(f"{few} pictures say little: on {all_of_them} {markdown(run.name)} is right {share}.")
    st.button("Another round", type="primary", on_click=lambda: st.session_state.pop(GAME, None))


def _content(game: Game, index: int) -> bytes:
    return (game.root / game.pictures[index]).read_bytes()


def _large(game: Game, index: int) -> np.ndarray:
    """The picture as it is, no larger than the page needs."""
    picture = images.read(_content(game, index), min_side=SIDE)
    picture.thumbnail((2 * SIDE, SIDE))
    return np.asarray(picture)
