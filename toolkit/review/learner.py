"""What learns while a person labels: features once, then a head after every few marks, in a thread of its own."""

import threading
import time
import uuid
from collections.abc import Callable, Sequence

import numpy as np

from toolkit.core.words import counted
from toolkit.dataset import split
from toolkit.errors import DatasetError, ToolkitError
from toolkit.review import active, estimate, forecast, known
from toolkit.review.active import NONE, Proposal
from toolkit.review.estimate import Estimate
from toolkit.review.forecast import Forecast
from toolkit.review.known import Labels, Sample
from toolkit.review.session import Session, row_id

NETWORK = "efficientnet_lite0"  # whose weights are installed
REMINDED = 0.25  # share of the pictures that were labelled since the last sample, after which another one is due
FIRST_SAMPLE = 100  # labels
MAP = 1000  # across and down


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
        table = used.table.sort_values("path")
        self.paths = table["path"].tolist()
        self._groups = np.unique(split.groups(table), return_inverse=True)[1]
        self.busy = "looks at the pictures for the first time"
        self.estimate: Estimate | None = None
        self.forecast: Forecast | None = None
        self._asked: Sample | None = None  # whose estimate has no forecast yet
        self._estimated_at, self._drawn = 0, 0
        self._known = session.journal.version, known.labels(session.journal, self.paths)
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

    def propose(self, view: str, *, label: str = "", skip: int = 0, like: str = "") -> Proposal:
        """What a person should look at.

        Args:
            view: "next" for what is most useful; "confirm" for what is taken for `label`, the surest first; "decide"
                for what is doubtful; "like" for what looks like one picture; "unlike" for what looks like nothing that
                has a label; "disagree" for labels that the head doubts; "sample" for a random sample.
            label: a class.
            skip: how many proposals, or pages, to pass over.
            like: path of the picture that others are to look like.
        """
        if self._shares is not None and not set(self._told(self._shares)) <= set(self.session.journal.named):
            self.wait()  # for a head that knows what a class is called now
        now, vectors, shares = self.labels(), self._vectors, self._shares
        if view == "sample":
            return Proposal("sample", self._sampled(now), NONE, np.empty(0, int))
        if view == "disagree":
            return _page("disagree", self._odd[(now.index != NONE)[self._odd] & ~now.kept[self._odd]], skip)
        if vectors is not None and view == "like" and like in self.paths:
            return _page("like", active.alike(vectors, now.open, self.paths.index(like)), skip)
        if vectors is not None and view == "unlike" and (now.index != NONE).any():
            return _page("unlike", active.unlike(vectors, now.index, now.open, seed=self._seed), skip)
        if vectors is None or view in ("like", "unlike") or (view != "next" and shares is None):
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

    def places(self) -> np.ndarray:
        """The map: two principal components of each picture, int array of shape (pictures, 2), 0 to `MAP`."""
        if self._vectors is None or self._vectors.shape[1] < 2:
            return np.empty((0, 2), int)
        plane = self._vectors[:, :2]
        low, high = np.quantile(plane, (0.005, 0.995), axis=0)  # a single odd picture would squeeze the rest
        return ((plane - low) / np.maximum(high - low, 1e-9) * MAP).clip(0, MAP).astype(int)

    def _told(self, shares: np.ndarray) -> list[str]:
        """The classes that a head tells apart."""
        classes = tuple(self.session.journal.classes)
        return [classes[place] for place in np.flatnonzero(shares.any(axis=0))]

    def progress(self) -> dict[str, object]:
        """How far the person is."""
        now = self.labels()
        self._judge(now)
        labelled = int((now.index != NONE).sum())
        due = labelled - self._estimated_at >= max(FIRST_SAMPLE, REMINDED * len(self.paths))
        numbers = np.bincount(now.index[now.index != NONE], minlength=len(now.classes)).tolist()
        counts = dict(zip(now.classes, numbers, strict=True))
        return {
            "pictures": len(self.paths),
            "labelled": labelled,
            "open": int(now.open.sum()),
            "alone": int(now.alone.sum()),
            "classes": [{"label": label, "count": counts.get(label, 0)} for label in self.session.journal.named],
            "disagree": len(self._odd),
            "estimate": vars(self.estimate) | {"enough": self.estimate.enough} if self.estimate else None,
            "forecast": vars(self.forecast) if self.forecast else None,
            "due": due and bool(now.open.sum()) and self._shares is not None,
            "busy": self.busy,
            "ready": self._vectors is not None,
        }

    def labels(self) -> Labels:
        """What is known now, read again only after a mark: of 100,000 pictures that takes a tenth of a second."""
        journal = self.session.journal
        with journal.lock:
            if self._known[0] != journal.version:
                self._known = journal.version, known.labels(journal, self.paths)
            return self._known[1]

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
            self.busy = "learns"
            self._marked.clear()
            self._learn()
            self.busy = ""

    def _learn(self) -> None:
        with self._lock:
            asked, self._asked = self._asked, None  # before the labels: all of its answers are among them
        now = self.labels()
        vectors = self._vectors
        if vectors is not None:
            self._shares = active.head(vectors, now.index, len(now.classes))
            self._odd = active.disagreements(vectors, now.index, seed=self._seed)
            if asked:
                self._foresee(asked, now, vectors)

    def _foresee(self, sample: Sample, now: Labels, vectors: np.ndarray) -> None:
        """Make the forecast that goes with the estimate of a sample."""
        measured = forecast.curve(vectors, now.index, self._groups, seed=self._seed)
        right, is_open = sample.right(now)
        labelled = int(((now.index != NONE) & ~now.alone).sum())
        counts = {"known": int(now.alone.sum()), "open": int(now.open.sum()), "labelled": labelled}
        self.forecast = forecast.of(right, is_open, measured, **counts) if measured and len(right) else None

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
        guesses = [now.name(one) or self.taken_for(one)[0] for one in indices]
        is_open = now.index[indices] == NONE
        return Sample(indices, guesses, is_open, self.session.journal.last, int(now.alone.sum()), len(candidates))

    def _judge(self, now: Labels) -> None:
        """Make an estimate of a sample that was asked about to its end; one with a class renamed since is dropped."""
        with self._lock:
            sample = self._sample
            if sample and set(sample.guesses) - {"", *self.session.journal.named}:
                sample = self._sample = None
            if sample is None or not sample.answered(now).all():
                return
            right, _ = sample.right(now)
            if len(right):
                dropped = len(sample.indices) - len(right)  # which have no label, or are left out
                candidates = sample.candidates - dropped
                self.estimate = estimate.of(right.tolist(), alone=sample.alone, candidates=candidates)
                self._asked = sample
                self._marked.set()
            self._estimated_at, self._sample = int((now.index != NONE).sum()), None


def _page(kind: str, rows: np.ndarray, skip: int) -> Proposal:
    """The page of this number of a list, from its beginning again after its end."""
    pages = max(1, -(-len(rows) // active.PAGE))
    start = skip % pages * active.PAGE
    return Proposal(kind, rows[start : start + active.PAGE], NONE, np.empty(0, int))
