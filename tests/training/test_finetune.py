"""Fine-tuning: what should stand still does to the last bit, deeper layers move less, and a kill changes nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import ready_dataset

from toolkit import bundle, networks, paths, train
from toolkit.core.framework import keras, tf
from toolkit.core.runs import as_stored
from toolkit.errors import BundleError
from toolkit.training import finetune
from toolkit.training.checkpoint import Checkpoint
from toolkit.training.finetune import FineTune
from toolkit.training.loop import Loop
from toolkit.training.mixing import Mixing
from toolkit.training.train import Config
from toolkit.training.trainer import Trainer

layers = keras.layers
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[3])
import test_finetune
test_finetune.register()
from toolkit import manifest, train
train.fit(train.config_from(json.loads(sys.argv[2])), manifest.load(sys.argv[1]), name="killed", checkpoint_seconds=0)
"""


def small_base(size):
    """Convolutions with batch normalization between, as any backbone has them, and a model within it."""
    keras.utils.set_random_seed(5)
    outputs = inputs = keras.Input((size, size, 3))
    for number, filters in enumerate((8, 8, 16), start=1):
        outputs = layers.Conv2D(filters, 3, strides=2, padding="same", name=f"block{number}")(outputs)
        outputs = layers.BatchNormalization(momentum=0.5, name=f"block{number}_bn")(outputs)
        outputs = layers.ReLU(name=f"block{number}_relu")(outputs)
    return keras.Model(inputs, outputs, name="base")


def build_small(*, classes, size, style, base=None):
    base = base or small_base(size)
    base.trainable = False
    inputs = keras.Input((size, size, 3))
    features = layers.GlobalAveragePooling2D()(base(layers.Rescaling(1 / 127.5, offset=-1)(inputs)))
    outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="decides")(
        layers.Dropout(0.2)(features)
    )
    return keras.Model(inputs, outputs, name="small")


def register():
    """A pretrained network small enough to train here, under the name of a known one."""
    known, real = networks.get("vgg"), networks.get
    small = networks.Network(**{**vars(known), "draw": build_small, "options": ()})
    networks.get = lambda name: small if name == "small" else real(name)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(networks, "get", networks.get)
    register()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("finetune") / "set", per_class=16, noise=400)


def config(**changes):
    how = {"epochs": 3, "patience": 2, "batch_size": 8, "learning_rate": 1e-2, "precision": "float32", "clip": 1.0}
    tuning = {"epochs": 3, "share": 0.7, "learning_rate": 1e-2}
    mixing = {"mixup": 0.4, "cutmix": 0.4, "alpha": 0.5}
    how |= {"label_smoothing": 0.1, "ema": 0.8, "mixing": mixing, "fine_tune": tuning}
    return train.config_from({"network": "small", "size": 32, **how, **changes})


def statistics(model):
    """Everything that batch normalizations know."""
    found = [layer for layer in model._flatten_layers() if isinstance(layer, layers.BatchNormalization)]
    return [weight for layer in found for weight in layer.get_weights()]


@pytest.mark.slow
def test_batch_normalization_stands_still_and_the_last_layers_move(small, table):
    run = train.fit(config(), table, name="still")
    fresh = small_base(32)
    tuned = finetune.base_of(run.model)
    assert all(np.array_equal(*pair) for pair in zip(statistics(tuned), statistics(fresh), strict=True))
    moved = {
        name: not np.array_equal(tuned.get_layer(name).kernel, fresh.get_layer(name).kernel)
        for name in ("block1", "block2", "block3")
    }
    assert moved == {"block1": False, "block2": True, "block3": True}
    assert run.history["phase"].tolist() == ["train"] * 3 + ["fine-tune"] * 3
    best = run.history[["val_loss", "average_val_loss"]].min(axis=1).argmin()
    assert run.facts["best_epoch"] == best
    assert train.config_from(run.facts["config"]).fine_tune == FineTune(epochs=3, share=0.7, learning_rate=1e-2)


@pytest.mark.slow
def test_the_average_moves_no_statistics_either(small, table):
    trainer = Trainer(config().resolved(), table, Checkpoint(paths.models(table.root) / "average", {}, 1e9))
    before = statistics(trainer.model)
    trainer.run()
    for model in (trainer.model, trainer.average):
        assert all(np.array_equal(*pair) for pair in zip(statistics(model), before, strict=True))
    assert not np.array_equal(trainer.average.get_weights()[-1], trainer.model.get_weights()[-1])


@pytest.mark.slow
def test_deeper_layers_take_smaller_steps():
    model = build_small(classes=2, size=32, style="modern")
    finetune.unfreeze(model, share=1.0)
    rates = finetune.rates(model, decay=0.5)
    assert {path: rate for path, rate in rates.items() if path.endswith("kernel")} == {
        "block3/kernel": 0.5,
        "block2/kernel": 0.25,
        "block1/kernel": 0.125,
    }
    plain, slowed = steps_of(rates={}), steps_of(rates=rates)
    for path, step in plain.items():
        assert np.allclose(slowed[path], rates.get(path, 1) * step, atol=1e-7)
        assert np.abs(step).max() > 0


def steps_of(rates):
    """How far every weight goes in one step."""
    model = build_small(classes=2, size=32, style="modern")
    model.get_layer("decides").set_weights([np.linspace(-1, 1, 32).reshape(16, 2), np.zeros(2)])
    model.layers[-2].rate = 0.0
    finetune.unfreeze(model, share=1.0)
    model.compile(keras.optimizers.SGD(0.01))
    model.optimizer.build(model.trainable_variables)
    before = {weight.path: weight.numpy() for weight in model.trainable_variables}
    pictures = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3)).astype(np.float32)
    batch = (pictures, np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], np.ones(4, np.float32))
    data = tf.data.Dataset.from_tensor_slices(batch).batch(4)
    Loop(model, tf.distribute.get_strategy(), rates=rates).train_epoch(data, 1)
    return {weight.path: weight.numpy() - before[weight.path] for weight in model.trainable_variables}


@pytest.mark.slow
def test_a_gradient_is_no_longer_than_the_clip():
    model = keras.Sequential([keras.Input((2, 2, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.SGD(1.0))
    model.optimizer.build(model.trainable_variables)
    before = model.get_weights()
    batch = (
        np.full((4, 2, 2, 3), 255.0, np.float32),
        np.eye(2, dtype=np.float32)[[0, 1, 1, 1]],
        np.ones(4, np.float32),
    )
    Loop(model, tf.distribute.get_strategy(), clip_norm=0.5).train_epoch(tf.data.Dataset.from_tensors(batch), 1)
    step = np.concatenate([(new - old).ravel() for new, old in zip(model.get_weights(), before, strict=True)])
    assert np.linalg.norm(step) == pytest.approx(0.5, rel=1e-4)


def test_a_network_without_a_base_cannot_be_fine_tuned(table):
    with pytest.raises(ValueError, match="one pretrained base to fine-tune, got vgg with 0"):
        train.fit(
            Config("vgg", style="classic", size=32, options={"width": 0.1}, fine_tune=FineTune()), table, name="none"
        )


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"share": 0}, {"share": 1.1}, {"decay": 0}, {"learning_rate": 0}, {"weight_decay": -1}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        FineTune(**wrong)


@pytest.mark.parametrize("wrong", [{"label_smoothing": 1}, {"ema": 1.0}, {"clip": -1}, {"strategy": "many"}])
def test_a_config_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Config("vgg", **wrong).resolved()


def test_a_config_survives_being_stored():
    settings = Config("vgg", mixing=Mixing(mixup=0.5), fine_tune=FineTune(decay=0.8))
    assert train.config_from(as_stored(asdict(settings))) == settings


@pytest.mark.slow
def test_a_training_that_is_killed_in_both_phases_ends_as_if_nothing_had_happened(small, table, tmp_path):
    settings = config(epochs=5, patience=4, fine_tune={"epochs": 5, "share": 0.7, "learning_rate": 1e-2})
    folder, done = paths.models(table.root) / "killed", 0
    for phase, least in (("train", 1), ("fine-tune", 6)):
        done = killed_after(
            folder / train.CHECKPOINT / "state.json", max(done + 1, least), settings, table.root, tmp_path
        )
        assert json.loads((folder / train.CHECKPOINT / "state.json").read_text())["rows"][-1]["phase"] == phase
        assert not (folder / bundle.FACTS).exists()
    resumed = train.fit(settings, table, name="killed")
    undisturbed = train.fit(settings, table, name="undisturbed")
    pairs = zip(resumed.model.get_weights(), undisturbed.model.get_weights(), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)
    pd.testing.assert_frame_equal(resumed.history, undisturbed.history, check_exact=True)


def killed_after(state, epochs, settings, root, tmp_path):
    """Train in another process and kill it when so many epochs are safe; the epochs that are."""
    (tmp_path / "train_it.py").write_text(SCRIPT)
    here = Path(__file__).parent
    words = [str(root), json.dumps(asdict(settings)), str(here)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (here.parents[1], here.parent)))}
    process = subprocess.Popen([sys.executable, str(tmp_path / "train_it.py"), *words], env=environment, cwd=tmp_path)
    safe = lambda: len(json.loads(state.read_text())["rows"]) if state.exists() else 0  # noqa: E731
    try:
        limit = time.monotonic() + 120
        while process.poll() is None and safe() < epochs and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.1))
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return safe()


@pytest.mark.slow
def test_weights_that_are_no_numbers_stop_the_training(small, table):
    with pytest.raises(BundleError, match="try a lower learning_rate"):
        train.fit(config(learning_rate=1e38, clip=0.0), table, name="wild")
