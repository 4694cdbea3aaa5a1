"""Training: it learns, stops in time, gives the same again, and goes on where it was killed."""

import json
import os
import random
import re
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
from toolkit.core.framework import tf
from toolkit.core.runs import as_stored
from toolkit.errors import BundleError, DatasetError
from toolkit.training import batches, tensorboard
from toolkit.training.augment import Augmentation
from toolkit.training.train import Config, config_from
from toolkit.training.trainer import Trainer

SMALL = {
    "network": "vgg",
    "style": "classic",
    "size": 32,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "precision": "float32",
}
SMALL |= {"options": {"width": 0.1}, "epochs": 4, "calibrate": False}
SCRIPT = """
import json, sys
from toolkit import manifest, train
train.fit(train.config_from(json.loads(sys.argv[2])), manifest.load(sys.argv[1]), name="killed", checkpoint_seconds=0)
"""
pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def table(place):
    return ready_dataset(place / "set", per_class=30)


@pytest.fixture(scope="module")
def hard(place):
    """Hardly anything to learn and much to learn by heart: the loss on val soon rises."""
    return ready_dataset(place / "hard", per_class=14, noise=3000)


@pytest.fixture(scope="module")
def trained(place, table):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_HOME", str(place / "home"))
        return train.fit(Config(**SMALL), table, name="first")


def same_weights(one, other):
    pairs = zip(one.model.get_weights(), other.model.get_weights(), strict=True)
    return all(np.array_equal(*pair) for pair in pairs)


def val_loss(run, table):
    examples = batches.examples(table, split="val", size=run.size)
    shares = run.probabilities(examples.pixels)[np.arange(len(examples)), examples.labels]
    return -np.log(shares).mean()


def test_a_network_learns(trained):
    history = trained.history
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0]
    assert history["val_accuracy"].max() >= 0.9


def test_the_epoch_with_the_lowest_val_loss_is_the_one_that_is_kept(trained, table):
    history = trained.history
    assert trained.facts["best_epoch"] == history["val_loss"].argmin()
    assert val_loss(trained, table) == pytest.approx(history["val_loss"].min(), rel=1e-4, abs=1e-6)


def test_what_was_done_is_stored_beside_the_model(trained, table):
    facts = trained.facts
    assert vars(config_from(facts["config"])) == vars(Config(**SMALL).resolved())
    assert facts["manifest"] == table.fingerprint()
    assert facts["parameters"] == trained.model.count_params()
    assert facts["pictures"] == len(table.where(split="train"))
    assert {"python", "toolkit", "keras", "tensorflow", "numpy", "pillow"} <= set(facts["versions"])
    names = {bundle.MODEL, bundle.FACTS, bundle.SEEN, bundle.PICTURES, bundle.HISTORY}
    assert {file.name for file in trained.folder.iterdir()} == names


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_one_others(trained, table):
    again = train.fit(Config(**SMALL), table, name="second")
    assert same_weights(trained, again)
    pd.testing.assert_frame_equal(trained.history, again.history, check_exact=True)
    other = train.fit(Config(**{**SMALL, "seed": 8, "epochs": 1}), table, name="other seed")
    assert not same_weights(trained, other)


def test_a_run_that_is_complete_is_given_back_untouched(trained, table):
    before = {file: file.stat().st_mtime_ns for file in trained.folder.iterdir()}
    again = train.fit(Config(**SMALL), table, name="first")
    assert again.facts == trained.facts
    assert {file: file.stat().st_mtime_ns for file in trained.folder.iterdir()} == before


@pytest.mark.slow
def test_a_run_of_that_name_with_other_settings_is_not_replaced_unless_allowed(trained, table):
    shorter = Config(**{**SMALL, "epochs": 1})
    first = train.fit(shorter, table, name="taken")
    (first.folder / bundle.METRICS).write_text('{"accuracy": 1.0}')
    longer = Config(**{**SMALL, "epochs": 1, "seed": 9})
    with pytest.raises(BundleError, match="other settings or other pictures"):
        train.fit(longer, table, name="taken")
    replaced = train.fit(longer, table, name="taken", overwrite=True)
    assert replaced.facts["config"]["seed"] == 9
    assert replaced.metrics == {}  # those were the old one's


def test_other_pictures_are_another_training(trained, table):
    fewer = table.update({table.where(split="train").table["path"].iloc[0]: {"status": "excluded", "split": ""}})
    with pytest.raises(BundleError, match="other settings or other pictures"):
        train.fit(Config(**SMALL), fewer, name="first")


@pytest.mark.slow
def test_a_damaged_run_can_be_trained_again(table):
    short = Config(**{**SMALL, "epochs": 1})
    run = train.fit(short, table, name="damaged")
    (run.folder / bundle.MODEL).write_bytes(b"half")
    with pytest.raises(BundleError, match="--overwrite"):
        train.fit(short, table, name="damaged")
    assert train.fit(short, table, name="damaged", overwrite=True).model


@pytest.mark.slow
@pytest.mark.parametrize("network", ["vgg", "xception"])
def test_a_class_that_is_gone_from_train_is_named_whatever_the_network(table, network):
    gone = table.table["split"].where(~((table.table["label"] == "tanks") & (table.table["split"] == "train")), "")
    options = {"weights": "cifar10"} if network == "xception" else {"width": 0.1}
    config = Config(network, style="modern", size=32, epochs=1, options=options)
    with pytest.raises(DatasetError, match="of every class to learn from, and some to choose by, got none of 'tanks'"):
        train.fit(config, table.assign(split=gone), name="gone")
    assert not (paths.models(table.root) / "gone").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, see pyproject.toml
def test_a_class_that_is_not_in_val_is_told(table):
    splits = table.table["split"].where(~((table.table["label"] == "tanks") & (table.table["split"] == "val")), "")
    with pytest.warns(UserWarning, match="val has no picture of tanks: the epoch and the temperature are chosen"):
        train.fit(Config(**{**SMALL, "epochs": 1}), table.assign(split=splits), name="lacking")


@pytest.mark.slow
def test_training_stops_when_it_gets_no_better_and_keeps_the_best(hard):
    config = {**SMALL, "epochs": 40, "patience": 2, "augmentation": None, "learning_rate": 5e-3}
    run = train.fit(Config(**config), hard, name="stops")
    history = run.history
    best = int(history["val_loss"].argmin())
    assert len(history) == best + 1 + 2 < 40
    assert run.facts["best_epoch"] == best
    assert val_loss(run, hard) == pytest.approx(history["val_loss"].min(), rel=1e-4)


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_the_training(table):
    with pytest.raises(BundleError, match="try a lower learning_rate"):
        train.fit(Config(**{**SMALL, "learning_rate": 1e30}), table, name="wild")


@pytest.mark.slow
def test_training_in_bfloat16_gives_a_model_that_computes_in_float32(table):
    run = train.fit(Config(**{**SMALL, "precision": "bfloat16", "epochs": 1}), table, name="half")
    assert run.facts["precision"] == "bfloat16"
    assert {layer.compute_dtype for layer in run.model.layers} == {"float32"}


@pytest.mark.slow
@pytest.mark.parametrize("state", ['{"identity": {"config": "another"}}', None])
def test_what_another_training_left_half_written_is_not_taken_up(table, home, monkeypatch, state):
    name = "stale" if state else "half written"
    folder = paths.models(table.root) / name / train.CHECKPOINT
    folder.mkdir(parents=True)
    (folder / "best-1.npz").write_bytes(b"not the weights of this training")
    if state:
        (folder / "state.json").write_text(state)
    short = Config(**{**SMALL, "epochs": 2})
    stop_before(monkeypatch, epoch=1)
    with pytest.raises(KeyboardInterrupt):
        train.fit(short, table, name=name, checkpoint_seconds=0)
    monkeypatch.undo()
    monkeypatch.setenv("TOOLKIT_HOME", str(home))
    resumed = train.fit(short, table, name=name, checkpoint_seconds=0)
    assert same_weights(resumed, train.fit(short, table, name="fresh"))
    assert not folder.exists()


def stop_before(monkeypatch, *, epoch):
    """Let a person press Ctrl-C when the training comes to this epoch."""
    carry_on = Trainer._epoch

    def stopping(trainer, phase, number, tell):
        if number == epoch:
            raise KeyboardInterrupt
        carry_on(trainer, phase, number, tell)

    monkeypatch.setattr(Trainer, "_epoch", stopping)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_training_with_momentum_and_a_schedule_goes_on_in_the_middle_of_it(table, home, monkeypatch, optimizer):
    schedule = {"sgd": {1: 4e-3, 3: 1e-3}, "adamw": "cosine"}[optimizer]
    config = Config(**{**SMALL, "optimizer": optimizer, "schedule": schedule, "learning_rate": 1e-2})
    stop_before(monkeypatch, epoch=2)
    with pytest.raises(KeyboardInterrupt):
        train.fit(config, table, name=optimizer, checkpoint_seconds=0)
    monkeypatch.undo()
    monkeypatch.setenv("TOOLKIT_HOME", str(home))
    resumed = train.fit(config, table, name=optimizer, checkpoint_seconds=0)
    undisturbed = train.fit(config, table, name=f"{optimizer} undisturbed")
    assert same_weights(resumed, undisturbed)
    pd.testing.assert_frame_equal(resumed.history, undisturbed.history, check_exact=True)


@pytest.mark.slow
def test_a_schedule_changes_what_is_learned_from_its_epoch_on(table):
    config = {**SMALL, "epochs": 3, "patience": 2, "optimizer": "sgd", "momentum": 0.0, "schedule": {1: 1e-12}}
    first, *others = train.fit(Config(**config), table, name="stands still").history["val_loss"]
    assert others == pytest.approx([first] * 2, rel=1e-6)


@pytest.mark.slow
def test_the_best_epoch_may_be_that_of_the_highest_accuracy(hard):
    config = {**SMALL, "epochs": 12, "patience": 11, "augmentation": None, "learning_rate": 5e-3}
    run = train.fit(Config(**config, monitor="val_accuracy"), hard, name="by accuracy")
    assert run.facts["best_epoch"] == run.history["val_accuracy"].argmax()


@pytest.mark.slow
def test_the_course_can_be_written_for_tensorboard_and_goes_on_after_an_interruption(table, home, monkeypatch):
    config = Config(**{**SMALL, "epochs": 3})
    stop_before(monkeypatch, epoch=2)
    with pytest.raises(KeyboardInterrupt):
        train.fit(config, table, name="watched", checkpoint_seconds=0, tensorboard=True)
    monkeypatch.undo()
    monkeypatch.setenv("TOOLKIT_HOME", str(home))
    run = train.fit(config, table, name="watched", checkpoint_seconds=0, tensorboard=True)
    for kind, start in (("train", ""), ("validation", "val_")):
        points = scalars(run.folder / tensorboard.FOLDER / kind)
        assert {name for name, _, _ in points} == {"loss", "accuracy"}
        for name in ("loss", "accuracy"):
            shown = [value for tag, step, value in sorted(points, key=lambda point: point[1]) if tag == name]
            assert shown == pytest.approx(run.history[start + name].tolist())


def scalars(folder):
    """Name, step and value of all that event files hold."""
    found = []
    for file in folder.iterdir():
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            found += [(value.tag, event.step, tf.make_ndarray(value.tensor).item()) for value in event.summary.value]
    return found


@pytest.mark.slow
def test_a_training_that_is_killed_twice_ends_as_if_nothing_had_happened(hard, home, tmp_path):
    config = {**SMALL, "epochs": 24, "patience": 23}
    folder = paths.models(hard.root) / "killed"
    done = 0
    for _ in range(2):
        done = killed_after(folder / train.CHECKPOINT / "state.json", done, config, hard.root, tmp_path)
        assert 0 < done < 24
        assert not (folder / bundle.FACTS).exists()
    resumed = train.fit(Config(**config), hard, name="killed", checkpoint_seconds=0)
    undisturbed = train.fit(Config(**config), hard, name="undisturbed")
    assert same_weights(resumed, undisturbed)
    pd.testing.assert_frame_equal(resumed.history, undisturbed.history, check_exact=True)
    assert len(resumed.history) == 24
    assert not (folder / train.CHECKPOINT).exists()


def killed_after(state, done, config, root, tmp_path):
    """Train in another process, kill it at a random moment after it has got further; the epochs that are safe."""
    (tmp_path / "train_it.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "train_it.py"), str(root), json.dumps(config)]
    checkout = str(Path(__file__).parents[2])
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": checkout}, cwd=tmp_path)
    try:
        limit = time.monotonic() + 120
        while process.poll() is None and epochs_in(state) <= done and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.3))
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert epochs_in(state) > done
    return epochs_in(state)


def epochs_in(state):
    return len(json.loads(state.read_text())["rows"]) if state.exists() else 0


def test_a_config_takes_what_it_is_not_told_from_the_network():
    config, network = Config("xception").resolved(), networks.get("xception")
    assert (config.size, config.epochs, config.patience) == (network.size, network.epochs, network.patience)
    assert config.learning_rate == network.learning_rates["modern"]
    assert Config("vgg", epochs=3).resolved().patience == 2
    assert Config("vgg", epochs=1).resolved().epochs == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"epochs": 0},
        {"epochs": 5, "patience": 5},
        {"epochs": 5, "patience": 9},
        {"patience": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": -1.0},
        {"seed": -1},
        {"seed": 2**32},
        {"network": "resnet"},
        {"optimizer": "lion"},
        {"schedule": "linear"},
        {"schedule": {0: 0.1}},
        {"momentum": 1.0},
        {"weight_decay": -1.0},
        {"warm_up": 1.0},
        {"monitor": "accuracy"},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Config(**{"network": "vgg", **wrong}).resolved()


def test_a_config_survives_being_stored():
    config = Config(
        "dual_stack", augmentation=Augmentation(rotation=5), options={"width": 0.5}, seed=3, schedule={3: 0.1, 12: 0.01}
    )
    stored = as_stored(asdict(config))
    assert config_from(stored) == config
    assert config_from({"network": "vgg", "augmentation": None}).augmentation is None


def test_an_unknown_key_is_refused():
    with pytest.raises(ValueError, match="got 'epoch'"):
        config_from({"network": "vgg", "epoch": 3})


@pytest.mark.slow
def test_the_bar_tells_epoch_loss_and_accuracy_within_80_columns(table, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "fileno", lambda: 99)  # no terminal to ask for its size
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("TOOLKIT_PROGRESS")
    trained = train.fit(Config(**SMALL | {"epochs": 2}), table, name="told")
    drawn = [line.strip() for line in re.split(r"[\r\n]", capsys.readouterr().err)]
    first = [line for line in drawn if line.startswith("train vgg 1/2 ")]
    second = [line for line in drawn if line.startswith("train vgg 2/2 ")]
    assert first and not any("val accuracy" in line for line in first)
    accuracy = f"{trained.history['val_accuracy'][0]:.1%}"
    assert any(re.search(rf"\d%\|.*loss \d+\.\d{{3}}, val accuracy {accuracy}$", line) for line in second)
    assert max(map(len, drawn)) <= 80
