"""What learns while a person labels: features once, then a head after every few marks, in a thread of its own."""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.core.words import counted
from toolkit.errors import DatasetError, ToolkitError
from toolkit.review import active, estimate
from toolkit.review.active import NONE, Proposal
from toolkit.review.estimate import Estimate
from toolkit.review.session import Session, row_id

NETWORK = "efficientnet_lite0"  # whose weights are installed
REMINDED = 0.25  # share of the pictures that were labelled since the last sample, after which another one is due
FIRST_SAMPLE = 100  # labels
GONE: dict[str, Any] = {
    "status": "excluded",
    "label": "",
    "reviewed": "",
    "seen": "",
    "mark": 0,
}  # a row that was pruned
RIGHT = ("label", "keep")  # marks that say what a picture is


@dataclass(frozen=True)
class Labels:
    """What is known of the pictures at one moment, in arrays of shape (pictures,).

    Args:
        classes: names, in their order.
        index: of each label in `classes`, or `active.NONE`.
        open: whether a picture is still to be labelled.
        alone: whether a person has looked at it alone.
        mark: number of its last mark.
        settled: whether its last mark says what it is.
        kept: whether it says that the label it had is right.
    """

    classes: tuple[str, ...]
    index: np.ndarray
    open: np.ndarray
    alone: np.ndarray
    mark: np.ndarray
    settled: np.ndarray
    kept: np.ndarray


@dataclass
class Sample:
    """A random sample that is being asked about.

    Args:
        indices: of its pictures.
        guesses: what each had, or was taken for, before it was asked about: a class name, or "".
        since: number of the last mark before.
        alone, candidates: see `estimate.of`.
    """

    indices: np.ndarray
    guesses: list[str]
    since: int
    alone: int
    candidates: int

    def answered(self, now: Labels) -> np.ndarray:
        """Which of them a person has said something of since: alone, or that it is none of the classes."""
        return (now.mark > self.since)[self.indices] & (now.alone | ~now.settled)[self.indices]


class Learner:
    """The pictures of a session in the order in which to label them.

    Args:
        session: the dataset, open.
        features: gives the features of the pictures in use, in the order of their paths; None computes them with
            EfficientNet-Lite 0.
        seed: another one clusters and draws otherwise.
    """

    def __init__(self, session: Session, *, features: Callable[[], np.ndarray] | None = None, seed: int = 0):
        self.session, self._seed = session, seed
        self._features = features or self._computed
        used = session.manifest.where(status=("new", "ok"))
        self.paths = sorted(used.table["path"])
        self.busy = "looks at the pictures for the first time"
        self.estimate: Estimate | None = None
        self._estimated_at, self._drawn = 0, 0
        self._vectors: np.ndarray | None = None
        self._cluster = np.zeros(len(self.paths), int)
        self._shares: np.ndarray | None = None
        self._odd = np.empty(0, int)
        self._sample: Sample | None = None
        self._lock, self._marked, self._ended = threading.Lock(), threading.Event(), threading.Event()
        session.on_mark = self._marked.set
        self._thread = threading.Thread(target=self._run, name="learn", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Learn no more."""
        self._ended.set()
        self._marked.set()

    def propose(self, view: str, *, label: str = "", skip: int = 0) -> Proposal:
        """What a person should look at.

        Args:
            view: "next" for what is most useful; "confirm" for what is taken for `label`, the surest first; "decide"
                for what is doubtful; "disagree" for labels that the head doubts; "sample" for a random sample.
            label: a class.
            skip: how many proposals, or pages, to pass over.
        """
        now, vectors, shares = self.labels(), self._vectors, self._shares
        if view == "sample":
            return Proposal("sample", self._sampled(now), NONE, np.empty(0, int))
        if view == "disagree":
            return _page("disagree", self._odd[(now.index != NONE)[self._odd] & ~now.kept[self._odd]], skip)
        if vectors is None or (view != "next" and shares is None):
            return _page("group", np.flatnonzero(now.open), skip)
        if view == "next" or shares is None:
            found = active.proposals(vectors, self._cluster, now.index, now.open, shares)
            return found[skip % len(found)] if found else _page("group", np.empty(0, int), 0)
        if view == "decide":
            return _page("decide", active.doubtful(vectors, now.open, shares), skip)
        place = now.classes.index(label) if label in now.classes[: shares.shape[1]] else NONE
        rows = active.surest(now.open, shares, place, most=len(now.open)) if place != NONE else np.empty(0, int)
        return _page("confirm", rows, skip)._replace(label=place)

    def mark(self, indices: Sequence[int], label: str, *, seen: str = "together") -> None:
        """Give pictures a label, as the page does; it may be a new one.

        Args:
            indices: of the pictures in `paths`.
            label: a class.
            seen: how they were seen, see `journal.SEEN`.

        Raises:
            DatasetError: the label cannot be one.
        """
        rows = [row_id(self.paths[index]) for index in indices]
        mark = {"id": uuid.uuid4().hex, "rows": rows, "mark": "label", "label": label, "new": True, "seen": seen}
        for reason in self.session.mark([mark]).values():
            raise DatasetError(reason)

    def wait(self) -> None:
        """Return when it has looked at the pictures, and learned from all marks."""
        while self._thread.is_alive() and (self._marked.is_set() or self.busy):
            time.sleep(0.02)

    def taken_for(self, index: int) -> tuple[str, float]:
        """The class that the head takes a picture for, and its probability; "" and 0 if there is no head yet."""
        shares, classes = self._shares, list(self.session.journal.classes)
        if shares is None or shares.shape[1] > len(classes):
            return "", 0.0
        place = int(shares[index].argmax())
        return classes[place], float(shares[index, place])

    def progress(self) -> dict[str, object]:
        """How far the person is."""
        now = self.labels()
        self._judge(now)
        labelled = int((now.index != NONE).sum())
        due = labelled - self._estimated_at >= max(FIRST_SAMPLE, REMINDED * len(self.paths))
        counts = np.bincount(now.index[now.index != NONE], minlength=len(now.classes)).tolist()
        return {
            "pictures": len(self.paths),
            "labelled": labelled,
            "open": int(now.open.sum()),
            "alone": int(now.alone.sum()),
            "classes": [{"label": label, "count": count} for label, count in zip(now.classes, counts, strict=True)],
            "disagree": len(self._odd),
            "estimate": vars(self.estimate) | {"enough": self.estimate.enough} if self.estimate else None,
            "due": due and bool(now.open.sum()) and self._shares is not None,
            "busy": self.busy,
            "ready": self._vectors is not None,
        }

    def labels(self) -> Labels:
        """What is known now."""
        journal = self.session.journal
        with journal.lock:
            classes = tuple(journal.classes)
            place = {label: number for number, label in enumerate(classes)} | {"": NONE}
            cells = [journal.cells.get(path, GONE) for path in self.paths]
            used = np.array([one["status"] in ("new", "ok") for one in cells], np.bool_)
            index = np.array([place[one["label"]] for one in cells], np.int64)
            reviewed = np.array([one["reviewed"] for one in cells], np.object_)
            alone = np.array([one["seen"] == "alone" for one in cells], np.bool_)
            mark = np.array([one["mark"] for one in cells], np.int64)
        index = np.where(used, index, NONE)
        is_open = used & (index == NONE) & (reviewed != "doubt")
        settled = used & (index != NONE) & np.isin(reviewed, RIGHT)
        return Labels(classes, index, is_open, alone & settled, mark, settled, settled & (reviewed == "keep"))

    def _run(self) -> None:
        try:
            vectors = active.reduced(self._features(), seed=self._seed)
            self._cluster = active.clusters(vectors, seed=self._seed)
            self._vectors = vectors
        except (ToolkitError, OSError) as error:
            self.busy = f"shows the pictures in their order, since they could not be looked at: {error}"
            return
        self._marked.set()
        while self._marked.wait() and not self._ended.is_set():
            self._marked.clear()
            self.busy = "learns"
            self._learn()
            self.busy = ""

    def _learn(self) -> None:
        now = self.labels()
        vectors = self._vectors
        if vectors is not None:
            self._shares = active.head(vectors, now.index, len(now.classes))
            self._odd = active.disagreements(vectors, now.index, seed=self._seed)

    def _computed(self) -> np.ndarray:
        from toolkit.training import features  # here, since it loads TensorFlow

        chosen = self.session.manifest.where(path=self.paths)
        self.busy = f"looks at {counted(len(self.paths))} for the first time"
        found = features.of(chosen, NETWORK)
        if found is None:
            raise ToolkitError("expected features, got none")
        return found[:, 0]

    def _sampled(self, now: Labels) -> np.ndarray:
        """The pictures of the sample that are still to be asked about; of a new one, if there is none."""
        self._judge(now)
        with self._lock:
            if self._sample is None:
                self._sample = self._draw(now)
            return self._sample.indices[~self._sample.answered(now)]

    def _draw(self, now: Labels) -> Sample:
        candidates = np.flatnonzero((now.open | (now.index != NONE)) & ~now.alone)
        indices = estimate.drawn(candidates, seed=self._seed + self._drawn)
        self._drawn += 1
        guesses = [now.classes[now.index[one]] if now.index[one] != NONE else self.taken_for(one)[0] for one in indices]
        return Sample(indices, guesses, self.session.journal.last, int(now.alone.sum()), len(candidates))

    def _judge(self, now: Labels) -> None:
        """Make an estimate of a sample that was asked about to its end."""
        with self._lock:
            sample = self._sample
            if sample is None or not sample.answered(now).all():
                return
            pairs = [(index, guess) for index, guess in zip(sample.indices, sample.guesses, strict=True)]
            said = [now.classes[now.index[index]] == guess for index, guess in pairs if now.settled[index]]
            if said:
                dropped = len(pairs) - len(said)  # which have no label, or are left out
                self.estimate = estimate.of(said, alone=sample.alone, candidates=sample.candidates - dropped)
            self._estimated_at, self._sample = int((now.index != NONE).sum()), None


def _page(kind: str, rows: np.ndarray, skip: int) -> Proposal:
    """The page of this number of a list, from its beginning again after its end."""
    pages = max(1, -(-len(rows) // active.PAGE))
    start = skip % pages * active.PAGE
    return Proposal(kind, rows[start : start + active.PAGE], NONE, np.empty(0, int))
