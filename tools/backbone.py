"""Train the small network that `--weights cifar10` uses, measure it on the test set, and store it in the package.

    python tools/backbone.py PICTURES

PICTURES is a folder with `train` and `test`, each with a folder of 32×32 pictures for each of the ten classes of
CIFAR-10 (50,000 and 10,000 pictures); `--download` has Keras fetch them instead. The number of epochs and everything
else is fixed beforehand, so the test set chooses nothing; `--hold-out 5000` measures on a part of train instead, for
those who want to change the plan. A run that was stopped goes on after its last whole epoch, to the same weights.
`--further 18` begins with the weights in the package instead of none, and makes 18 passes of the second round.
See tools/README.md for the time it takes and what came of it.
"""

import argparse
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from toolkit import images
from toolkit.core import framework
from toolkit.core.framework import keras, tf
from toolkit.evaluation.evaluate import wilson
from toolkit.networks import embedded

GREY = 127
AHEAD = 2  # batches that are prepared while one is learned


@dataclass(frozen=True)
class Plan:
    """How the network is trained, in the manner of airbench94 (Jordan, 2024, arXiv:2404.00498).

    Args:
        epochs: passes over the training pictures, in a first round; 0 begins with the weights in the package.
        more: passes in a second round, which begins again with half the rate and covers a part of each picture.
        batch: pictures in a step.
        rate: highest learning rate, a quarter of the way through; it rises from a fifth of it and falls to nothing.
        momentum: of Nesterov's kind.
        decay: of the weights, as a factor on them that is added to their gradient.
        bias_speed: how many times faster biases learn; the normalization has nothing else that does.
        smoothing: share of the probability that a label leaves to the other classes.
        shift: most pixels by which a picture is moved.
        cover: side in pixels of the square that is covered in the second round (DeVries and Taylor, 2017).
        jpeg: share of the pictures that are stored as JPEG of quality 50 to 95 before they are shown, as those that
            people bring have been.
        seed: of everything that is random.
        hold_out: training pictures that are kept out of training, to measure on while a plan is being chosen.
    """

    epochs: int = 18
    more: int = 22
    batch: int = 500
    rate: float = 0.6
    momentum: float = 0.85
    decay: float = 1e-3
    bias_speed: float = 4
    smoothing: float = 0.1
    shift: int = 2
    cover: int = 8
    jpeg: float = 0.0
    seed: int = 1
    hold_out: int = 0

    @property
    def whole(self) -> int:
        """Passes over the training pictures in both rounds."""
        return self.epochs + self.more

    def rate_at(self, epoch: float) -> float:
        """The learning rate after so many epochs: up and down in each round."""
        first, more = self.epochs, self.more
        places = [0, 0.23 * first, first, first + 0.1 * more, first + more]
        return self.rate * float(np.interp(epoch, places, [0.2, 1, 0, 0.5, 0]))


class Normalization(keras.layers.BatchNormalization):
    """Batch normalization in one operation of TensorFlow, which makes an epoch a fifth shorter on processors."""

    def call(self, inputs: object, training: bool = False) -> object:
        """Normalize, and move the statistics if it is training."""
        if not training:
            return super().call(inputs, training=False)
        ones, beta = tf.ones(inputs.shape[-1]), tf.cast(tf.convert_to_tensor(self.beta), tf.float32)
        outputs, mean, variance, *_ = tf.compat.v1.nn.fused_batch_norm(inputs, ones, beta, epsilon=self.epsilon)
        for kept, seen in ((self.moving_mean, mean), (self.moving_variance, variance)):
            kept.assign(self.momentum * kept + (1 - self.momentum) * seen)
        return outputs


def load(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """The pictures of a part, uint8 (n, 32, 32, 3), and the numbers of their classes."""
    files = [
        (file, label)
        for label, name in enumerate(embedded.CLASSES)
        for file in sorted((folder / part / name).iterdir())
    ]
    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(lambda pair: np.asarray(images.read(pair[0])), files))
    return np.stack(pictures), np.array([label for _, label in files])


def whitening(pictures: np.ndarray, *, epsilon: float = 1e-4) -> np.ndarray:
    """Filters of 2×2 pixels whose answers are uncorrelated and of equal variance, each with its negative."""
    scaled = pictures.astype(np.float32) / 127.5 - 1
    corners = [scaled[:, top : top + 31, left : left + 31] for top in (0, 1) for left in (0, 1)]
    values, vectors = np.linalg.eigh(np.cov(np.stack(corners, axis=-2).reshape(-1, 12).T))
    filters = (vectors / np.sqrt(values + epsilon)).reshape(2, 2, 3, 12)
    return np.concatenate([filters, -filters], axis=-1)


def fresh(plan: Plan, pictures: np.ndarray) -> keras.Model:
    """A network before training: the first convolution whitens, the others pass on what they get, with some noise."""
    framework.reproducible(plan.seed)
    generator = np.random.default_rng(plan.seed)
    model = embedded.with_head(embedded.network(32, normalization=Normalization))
    for layer in model.layers:
        if layer.name == "whitening":
            layer.kernel.assign(whitening(pictures[generator.permutation(len(pictures))[:5000]]))
        elif isinstance(layer, keras.layers.Conv2D):
            kernel = generator.uniform(-1, 1, layer.kernel.shape) / np.sqrt(np.prod(layer.kernel.shape[:3]))
            through = np.arange(min(kernel.shape[2:]))
            kernel[:, :, through, through] = np.eye(9)[4].reshape(3, 3, 1)
            layer.kernel.assign(kernel)
        elif layer.name == "head":
            layer.kernel.assign(np.zeros(layer.kernel.shape))
    return model


def unmerged(plan: Plan, pictures: np.ndarray) -> keras.Model:
    """The network in the package as it was before `embedded.merge_normalization`, so that it can go on learning."""
    model, weights = fresh(plan, pictures), embedded.read()
    for layer in model.layers:
        if isinstance(layer, Normalization):
            name = layer.name.removesuffix(embedded.NORMAL)
            before = keras.Model(model.input, layer.input)
            mean = np.mean(before.predict(pictures[:5000], batch_size=500, verbose=0), axis=(0, 1, 2), dtype=np.float64)
            layer.set_weights([weights[f"{name}/bias"] + mean, mean, np.full(len(mean), 1 - embedded.EPSILON)])
        elif f"{layer.name}/kernel" in weights:
            layer.kernel.assign(weights[f"{layer.name}/kernel"])
            if layer.use_bias:
                layer.bias.assign(weights[f"{layer.name}/bias"])
    return model


def views(pictures: np.ndarray, plan: Plan, epoch: int, order: np.ndarray) -> np.ndarray:
    """Pictures moved by a few pixels, each mirrored in every other epoch, in the second round with a part covered."""
    generator = np.random.default_rng((plan.seed, epoch, order[0]))
    shift = plan.shift
    padded = np.pad(pictures[order], ((0, 0), (shift, shift), (shift, shift), (0, 0)), "reflect")
    moved = np.empty((len(order), *pictures.shape[1:]), np.uint8)
    places = generator.integers(0, 2 * shift + 1, (len(order), 2))
    mirrored = (np.random.default_rng(plan.seed).integers(0, 2, len(pictures))[order] + epoch) % 2
    for number, ((top, left), mirror) in enumerate(zip(places, mirrored, strict=True)):
        window = padded[number, top : top + moved.shape[1], left : left + moved.shape[2]]
        moved[number] = window[:, ::-1] if mirror else window
    if epoch >= plan.epochs:
        for number, (top, left) in enumerate(generator.integers(0, moved.shape[1] - plan.cover + 1, (len(order), 2))):
            moved[number, top : top + plan.cover, left : left + plan.cover] = GREY
    for number in np.flatnonzero(generator.random(len(order)) < plan.jpeg):
        stored = io.BytesIO()
        Image.fromarray(moved[number]).save(stored, "JPEG", quality=int(generator.integers(50, 96)))
        moved[number] = np.asarray(Image.open(stored))
    return moved


class Training:
    """A network, its momenta, and the number of epochs done; `save` and `restore` make a killed run go on."""

    def __init__(self, plan: Plan, model: keras.Model):
        self.plan, self.model, self.done, self.minutes = plan, model, 0, 0.0
        learning = [weight for weight in model.trainable_variables if weight is not model.get_layer("whitening").kernel]
        self.learning = [weight.value for weight in learning]
        self.momenta = [tf.Variable(tf.zeros_like(weight)) for weight in self.learning]
        self.state = [*(weight.value for weight in model.weights), *self.momenta]
        self.step = tf.function(self._step, jit_compile=False)

    def _step(self, pictures: tf.Tensor, labels: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        wanted = tf.one_hot(labels, len(embedded.CLASSES)) * (1 - self.plan.smoothing)
        wanted += self.plan.smoothing / len(embedded.CLASSES)
        with tf.GradientTape() as tape:
            answers = self.model(tf.cast(pictures, tf.float32), training=True)
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(wanted, answers))
        gradients = tape.gradient(loss, self.learning)
        for weight, momentum, gradient in zip(self.learning, self.momenta, gradients, strict=True):
            speed = self.plan.bias_speed if weight.shape.rank == 1 else 1.0
            gradient += self.plan.decay / speed * weight
            momentum.assign(self.plan.momentum * momentum + gradient)
            weight.assign_sub(rate * speed * (gradient + self.plan.momentum * momentum))
        return loss

    def epoch(self, pictures: np.ndarray, labels: np.ndarray) -> float:
        """One pass; returns the mean loss."""
        plan, began = self.plan, time.monotonic()
        order = np.random.default_rng((plan.seed, self.done)).permutation(len(pictures))
        batches = [order[start : start + plan.batch] for start in range(0, len(order) - plan.batch + 1, plan.batch)]
        losses = []
        with ThreadPoolExecutor(1) as ahead:
            waiting = [ahead.submit(views, pictures, plan, self.done, batch) for batch in batches[:AHEAD]]
            for number, batch in enumerate(batches):
                shown = waiting.pop(0).result()
                waiting += [
                    ahead.submit(views, pictures, plan, self.done, after) for after in batches[number + AHEAD :][:1]
                ]
                rate = plan.rate_at(self.done + number / len(batches))
                losses.append(float(self.step(shown, labels[batch], np.float32(rate))))
        self.done += 1
        self.minutes += (time.monotonic() - began) / 60
        return float(np.mean(losses))

    def save(self, file: Path) -> None:
        """Keep what the next epoch needs; whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial.npz")
        state = {f"state{number}": value.numpy() for number, value in enumerate(self.state)}
        np.savez(partial, plan=json.dumps(asdict(self.plan)), done=self.done, minutes=self.minutes, **state)
        partial.replace(file)

    def restore(self, file: Path) -> None:
        """Go on from a saved state."""
        with np.load(file, allow_pickle=False) as saved:
            if json.loads(str(saved["plan"])) != asdict(self.plan):
                raise SystemExit(f"expected {file} to hold a run of this plan, it holds another; name another --state")
            self.done, self.minutes = int(saved["done"]), float(saved["minutes"])
            for number, value in enumerate(self.state):
                value.assign(saved[f"state{number}"])


def probabilities(model: keras.Model, pictures: np.ndarray) -> np.ndarray:
    """What a model says, 1,000 pictures at a time."""
    answer = tf.function(lambda shown: model(shown, training=False))
    parts = [answer(pictures[start : start + 1000].astype(np.float32)) for start in range(0, len(pictures), 1000)]
    return np.concatenate(parts)


def measure(model: keras.Model, pictures: np.ndarray, labels: np.ndarray) -> list[dict]:
    """Accuracy, asked once; about the mirrored picture too; and about both moved by a pixel, as airbench94 does."""

    def both(shown: np.ndarray) -> np.ndarray:
        return probabilities(model, shown) + probabilities(model, shown[:, :, ::-1])

    side, straight = pictures.shape[1], both(pictures)
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    moved = both(padded[:, :side, :side]) + both(padded[:, 2:, 2:])
    answers = {
        "1": probabilities(model, pictures),
        "2, one mirrored": straight,
        "6, moved and mirrored": straight / 2 + moved / 4,
    }
    rows = []
    for views_, shares in answers.items():
        right = int((shares.argmax(axis=1) == labels).sum())
        low, high = wilson(right, len(labels))
        rows.append(
            {"views": views_, "accuracy": right / len(labels), "low": low, "high": high, "pictures": len(labels)}
        )
    return rows


def show(rows: list[dict]) -> None:
    """Print the rows of `measure` as a table."""
    print(f"| {'views':21} | accuracy | 95 % interval    | pictures |\n|{'-' * 23}|{'-' * 10}|{'-' * 18}|{'-' * 10}|")
    for row in rows:
        interval = f"{row['low']:.2%} to {row['high']:.2%}"
        print(f"| {row['views']:21} | {row['accuracy']:8.2%} | {interval:16} | {row['pictures']:8,} |")


def train(plan: Plan, pictures: np.ndarray, labels: np.ndarray, state: Path, *, precision: str) -> Training:
    """All epochs, from where a former run of the same plan was stopped."""
    with framework.compute_policy(precision):
        training = Training(plan, fresh(plan, pictures) if plan.epochs else unmerged(plan, pictures))
    if state.exists():
        training.restore(state)
        print(f"going on after epoch {training.done}", flush=True)
    while training.done < plan.whole:
        loss = training.epoch(pictures, labels)
        training.save(state)
        print(f"epoch {training.done} of {plan.whole}: loss {loss:.4f}, {training.minutes:.1f} minutes", flush=True)
    return training


def ship(training: Training, folder: Path, pictures: np.ndarray, labels: np.ndarray) -> None:
    """Merge, store, read back, and measure what was stored; and how often float16 changes a label."""
    former = embedded.facts()
    with framework.compute_policy("float32"):
        exact, stored = (embedded.with_head(embedded.network(32)) for _ in range(2))
    merged = embedded.merge_normalization(training.model)
    embedded.set_weights(exact, merged)
    embedded.write(merged, folder)
    embedded.set_weights(stored, embedded.read(folder))
    rows = measure(stored, pictures, labels)
    facts = {"plan": asdict(training.plan), "parameters": stored.count_params(), "test": rows}
    facts |= {} if training.plan.epochs else {"before": {name: former[name] for name in ("plan", "test")}}
    files = embedded.write(merged, folder, **facts)
    show(rows)
    same = (probabilities(exact, pictures).argmax(axis=1) == probabilities(stored, pictures).argmax(axis=1)).mean()
    size = sum(file.stat().st_size for file in files)
    print(f"{stored.count_params():,} parameters, {size / 1e6:.2f} MB, in {folder}")
    print(f"float16 gives the label of float32 for {same:.2%} of the pictures")


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="?", help="folder with train and test; without it Keras downloads")
    parser.add_argument("--epochs", type=int, default=Plan.epochs)
    parser.add_argument("--further", type=int, help="go on with the weights in the package, for so many passes")
    parser.add_argument("--rate", type=float, default=Plan.rate)
    parser.add_argument("--jpeg", type=float, default=Plan.jpeg, help="share of the pictures that become JPEG first")
    parser.add_argument("--precision", choices=framework.PRECISIONS, default="auto")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument(
        "--hold-out", type=int, default=Plan.hold_out, help="measure on so many of train, and store nothing"
    )
    parser.add_argument("--into", type=Path, default=embedded.SHIPPED, help="folder of the stored weights")
    parser.add_argument(
        "--state", type=Path, default=Path("build/backbone.npz"), help="where a stopped run goes on from"
    )
    return parser.parse_args()


def main() -> None:
    """Train, measure, store."""
    asked = arguments()
    passes = {"epochs": 0, "more": asked.further} if asked.further else {"epochs": asked.epochs}
    plan = Plan(**passes, rate=asked.rate, jpeg=asked.jpeg, seed=asked.seed, hold_out=asked.hold_out)
    if asked.pictures:
        (pictures, labels), test = load(asked.pictures, "train"), load(asked.pictures, "test")
    else:
        (pictures, labels), test = ((x, y.ravel()) for x, y in keras.datasets.cifar10.load_data())
    order = np.random.default_rng(0).permutation(len(pictures))
    held, kept = np.split(order, [plan.hold_out])
    training = train(plan, pictures[kept], labels[kept], asked.state, precision=asked.precision)
    if plan.hold_out:
        show(measure(training.model, pictures[held], labels[held]))
    else:
        ship(training, asked.into, *test)


if __name__ == "__main__":
    main()
