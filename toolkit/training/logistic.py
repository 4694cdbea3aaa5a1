"""Logistic regression on standardized features, read in slices: what fits the head of a network (a linear probe).

Multinomial, with an L2 penalty; the objective is that of `sklearn.linear_model.LogisticRegression`, and so is C. It is
found by L-BFGS. Features may lie in memory or on disk: they are standardized in passes, and no copy of them is made
where they are many.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import OptimizeResult, minimize
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from toolkit.core import arrays

if TYPE_CHECKING:
    import keras

STEPS = 500  # of the solver, at most; it needs 20 to 100
LAST, LEFT = 5, 1e-3  # it ends when its last steps together have gained no more than this share of the loss
HELD = 4 << 30  # bytes of standardized features that are held in memory; more are read again in every step
COPIED = 512 << 20  # bytes of those of a fold, say, that are copied side by side; more are gathered in every step
AT_ONCE = 16 << 20  # numbers that are computed with at a time
MANY = 1_000_000_000  # products in a step, from which on all cores share them; fewer are slower with more

Solution = tuple[np.ndarray, np.ndarray]  # kernel and bias on standardized rows, a column per class


@dataclass(frozen=True, eq=False)
class Probe:
    """A dense layer with a softmax, on features as the backbone gives them.

    Args:
        kernel: float32 array of shape (features, classes).
        bias: float32 array of shape (classes,).
    """

    kernel: np.ndarray
    bias: np.ndarray

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """For features of shape (n, features): float32 array of shape (n, classes); rows sum to 1."""
        return softmax(features @ self.kernel + self.bias, axis=1)

    def copy_into(self, model: "keras.Model") -> None:
        """Set the weights of the last layer of a network with the same backbone, which then answers as the probe."""
        model.layers[-1].set_weights([self.kernel, self.bias])


def regularization_path(
    vectors: np.ndarray, labels: np.ndarray, *, Cs: tuple[float, ...], weighted: bool = True
) -> list[tuple[float, Probe]]:
    """Regularization path: a probe per C, from the strongest regularization on, each begun where the last one ended.

    Args:
        vectors: features of shape (n, features), or (n, views, features).
        labels: shape (n,), indices of the classes, from 0 without a gap.
        Cs: as of `sklearn.linear_model.LogisticRegression`, above 0, in rising order.
        weighted: weight rare classes up.

    Returns:
        (C, probe) for each.
    """
    probes = Solver(vectors).path(np.arange(len(vectors)), labels, Cs, weighted)
    return list(zip(Cs, probes, strict=True))


class Solver:
    """Logistic regression on standardized features, in no more columns than there are pictures.

    Args:
        vectors: see `regularization_path`; in memory, or on disk, see `arrays.Rows`.
        used: indices of the pictures it is for, and by which they are standardized; None takes all. All other indices
            count among these.
    """

    def __init__(self, vectors: np.ndarray | arrays.Rows, used: np.ndarray | None = None):
        self.vectors = vectors[:, None] if isinstance(vectors, np.ndarray) and vectors.ndim == 2 else vectors
        self.used = np.arange(len(vectors)) if used is None else used
        self.views, self.width = int(self.vectors.shape[1]), int(self.vectors.shape[2])
        count = len(self.used) * self.views
        self.mean, self.deviation = self._moments(count)
        is_small = count * self.width * 4 <= HELD
        self.scaled = self._all_scaled(count) if is_small else None
        self.lower = _root(self.scaled) if self.scaled is not None and count < self.width else None
        held = self.scaled if self.lower is None else self.lower
        self.columns = self.width if held is None else held.shape[1]
        self.held = None if held is None else held.reshape(len(self.used), self.views, self.columns)

    @property
    def rows(self) -> np.ndarray:
        """Standardized rows of all pictures in memory, of shape (pictures, views, columns)."""
        return self._rows(np.arange(len(self.used))) if self.held is None else self.held

    def path(self, indices: np.ndarray, labels: np.ndarray, Cs: tuple[float, ...], weighted: bool) -> list[Probe]:
        """See `regularization_path`, of the pictures at these indices alone."""
        return self.probes(self.solutions(indices, labels, Cs, weighted))

    def answers(
        self, indices: np.ndarray, labels: np.ndarray, asked: np.ndarray, *, Cs: tuple[float, ...], weighted: bool
    ) -> np.ndarray:
        """What the probes of `path` say of the pictures at `asked`, in their first view, without making the probes.

        Returns:
            Probabilities of shape (Cs, asked, classes).
        """
        solutions = self.solutions(indices, labels, Cs, weighted)
        rows = self._rows(asked)[:, 0]
        return softmax(np.stack([rows @ kernel + bias for kernel, bias in solutions]), axis=2)

    def solutions(
        self,
        indices: np.ndarray,
        labels: np.ndarray,
        Cs: tuple[float, ...],
        weighted: bool,
        start: Solution | None = None,
    ) -> list[Solution]:
        """The solution for each C, each begun where the last one ended, the first at `start`, or at nothing."""
        problem = _Problem(self, indices, labels, weighted)
        solutions = []
        with threadpool_limits(1 if self.suits_one_core(len(indices), problem.classes) else None):
            for C in Cs:
                start = problem.solve(C, start)
                solutions.append(start)
        return solutions

    def suits_one_core(self, pictures: int, classes: int) -> bool:
        """Whether one core alone is quickest to find the head of so many pictures."""
        return pictures * self.views * self.columns * classes < MANY

    def probes(self, solutions: list[Solution]) -> list[Probe]:
        """The probes on features that answer as these kernels and biases do on rows."""
        kernels = np.hstack([kernel for kernel, _ in solutions])
        if self.lower is not None and self.scaled is not None:
            kernels = self.scaled.T @ solve_triangular(self.lower, kernels, lower=True, trans="T")
        kernels = kernels.astype(np.float64) / self.deviation[:, None]  # features are taken as they are
        return [
            Probe(kernel.astype(np.float32), (bias - self.mean @ kernel).astype(np.float32))
            for kernel, (_, bias) in zip(np.split(kernels, len(solutions), axis=1), solutions, strict=True)
        ]

    def on_rows(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Kernel and bias as rows are multiplied with them: those that are read from disk are not standardized."""
        if self.held is not None:
            return weights[:-1].astype(np.float32), weights[-1].astype(np.float32)
        kernel = weights[:-1] / self.deviation[:, None]
        return kernel.astype(np.float32), (weights[-1] - self.mean @ kernel).astype(np.float32)

    def of_weights(self, gradient: np.ndarray) -> np.ndarray:
        """The gradient by standardized weights, from that by those of `on_rows`."""
        if self.held is None:
            gradient[:-1] = (gradient[:-1] - self.mean[:, None] * gradient[-1]) / self.deviation[:, None]
        return gradient

    def _rows(self, indices: np.ndarray) -> np.ndarray:
        """Standardized rows of shape (pictures, views, columns)."""
        return self._scale(self.vectors[self.used[indices]]) if self.held is None else self.held[indices]

    def _scale(self, raw: np.ndarray) -> np.ndarray:
        """Features as rows, in place if they are a copy already."""
        scaled = np.subtract(raw, self.mean.astype(np.float32), dtype=np.float32)
        scaled /= self.deviation.astype(np.float32)
        return scaled

    def _raw(self) -> Iterator[tuple[slice, np.ndarray]]:
        """The features of the pictures in use, some at a time."""
        step = max(1, AT_ONCE // (self.views * self.width))
        for first in range(0, len(self.used), step):
            part = slice(first, first + step)
            yield part, self.vectors[self.used[part]]

    def _all_scaled(self, count: int) -> np.ndarray:
        scaled = np.empty((len(self.used), self.views, self.width), np.float32)
        for part, raw in self._raw():
            scaled[part] = self._scale(raw)
        return scaled.reshape(count, self.width)

    def _moments(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each feature, in two passes; infinity where it is the same for all."""
        total, squares = np.zeros(self.width), np.zeros(self.width)
        for _, raw in self._raw():
            total += raw.sum(axis=(0, 1), dtype=np.float64)
        mean = total / count
        for _, raw in self._raw():
            squares += np.square(raw - mean.astype(np.float32)).sum(axis=(0, 1), dtype=np.float64)
        deviation = np.sqrt(squares / count)
        deviation[deviation <= 1e-6 * deviation.max()] = np.inf  # what is the same for all pictures says nothing
        return mean, deviation


class _Problem:
    """The loss of a head on some pictures, and its best weights for a C."""

    def __init__(self, solver: Solver, indices: np.ndarray, labels: np.ndarray, weighted: bool):
        self.solver, self.indices = solver, indices
        self.held = self._side_by_side()
        self.labels = np.repeat(labels, solver.views)
        counts = np.bincount(labels)
        self.classes = len(counts)
        each = len(labels) / (self.classes * counts) if weighted else np.ones(self.classes)
        self.weights = each.astype(np.float32)[self.labels]
        self.total = float(self.weights.sum(dtype=np.float64))

    def solve(self, C: float, start: Solution | None) -> Solution:
        """The best kernel and bias, found from `start` on."""
        columns, classes = self.solver.columns, self.classes
        weights = np.zeros((columns + 1, classes)) if start is None else np.vstack([start[0], start[1][None]])
        penalty = (2 if classes == 2 else 1) / (C * self.total)  # scikit-learn has one kernel for two classes
        found = minimize(
            self._loss_and_gradient,
            weights.ravel(),
            args=(penalty,),
            jac=True,
            method="L-BFGS-B",
            callback=_Patience(),
            options={"maxiter": STEPS, "maxls": 50, "gtol": 1e-9, "ftol": 1e-12},
        )
        weights = found.x.reshape(columns + 1, classes)
        return weights[:-1].astype(np.float32), weights[-1]

    def _side_by_side(self) -> np.ndarray | None:
        """The rows of these pictures in one piece; None where they are gathered in every step."""
        held, indices = self.solver.held, self.indices
        if held is None or (len(indices) == len(held) and bool((indices == np.arange(len(held))).all())):
            return held
        return held[indices] if len(indices) * held[0].nbytes <= COPIED else None

    def _blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows of the pictures, some at a time: which they are, and float32 of shape (rows, columns)."""
        solver = self.solver
        step = max(1, AT_ONCE // (solver.views * max(solver.columns, self.classes)))
        for first in range(0, len(self.indices), step):
            chosen = self.indices[first : first + step]
            if self.held is not None:
                rows = self.held[first : first + step]
            else:
                rows = solver.vectors[solver.used[chosen]] if solver.held is None else solver.held[chosen]
            rows = rows.reshape(-1, solver.columns)
            yield slice(first * solver.views, first * solver.views + len(rows)), rows

    def _loss_and_gradient(self, flat: np.ndarray, penalty: float) -> tuple[float, np.ndarray]:
        weights = flat.reshape(-1, self.classes)
        kernel, bias = self.solver.on_rows(weights)
        loss, gradient = 0.0, np.zeros_like(weights)
        for own, rows in self._blocks():
            of_block, error = _cross_entropy(rows @ kernel + bias, self.labels[own], self.weights[own])
            loss += of_block
            gradient[:-1] += rows.T @ error
            gradient[-1] += error.sum(axis=0, dtype=np.float64)
        gradient = self.solver.of_weights(gradient) / self.total
        gradient[:-1] += penalty * weights[:-1]
        return loss / self.total + penalty / 2 * float(np.square(weights[:-1]).sum()), gradient.ravel()


class _Patience:
    """Ends a search when its last steps gained next to nothing: what is left to gain is about as much again."""

    def __init__(self) -> None:
        self._losses: list[float] = []

    def __call__(self, intermediate_result: OptimizeResult) -> None:
        self._losses.append(float(intermediate_result.fun))
        if len(self._losses) > LAST and self._losses[-1 - LAST] - self._losses[-1] < LEFT * self._losses[-1]:
            raise StopIteration


def _cross_entropy(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """The weighted sum of losses of rows, and the derivative by their scores, for which the scores give way."""
    rows = np.arange(len(labels))
    scores -= scores.max(axis=1, keepdims=True)
    of_truth = scores[rows, labels]
    np.exp(scores, out=scores)
    sums = scores.sum(axis=1, keepdims=True)
    loss = float(((np.log(sums[:, 0]) - of_truth) * weights).sum(dtype=np.float64))
    scores *= weights[:, None] / sums
    scores[rows, labels] -= weights
    return loss, scores


def _root(scaled: np.ndarray) -> np.ndarray:
    """Cholesky factor: the same problem in fewer columns, for n pictures span n directions only.

    Returns:
        L with L Lᵀ = X Xᵀ, which tells the pictures apart as X does. Weights w on L are Xᵀ L⁻ᵀ w on X, of the same
        norm, so the penalty is the same.
    """
    products = (scaled @ scaled.T).astype(np.float64)
    mean = np.trace(products) / len(scaled) or 1.0  # 0 where no feature tells any pictures apart
    products[np.diag_indices(len(scaled))] += 1e-5 * mean  # or rounding leaves it no root
    return cholesky(products, lower=True).astype(np.float32)
