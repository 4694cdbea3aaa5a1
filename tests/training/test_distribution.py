"""Several devices and several machines train one network: all end with the same weights, also when one is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import ready_dataset

from toolkit import bundle, paths
from toolkit.core.framework import tf
from toolkit.errors import ToolkitError
from toolkit.training import batches, distribution
from toolkit.training.distribution import Shard

CONFIG = {"network": "vgg", "style": "modern", "size": 32, "batch_size": 8, "options": {"width": 0.1}, "ema": 0.9}
CONFIG |= {"epochs": 4, "precision": "float32"}
SCRIPT = """
import json, os, sys
import numpy as np
root, config, name, out, devices = sys.argv[1:]
from toolkit.core.framework import tf
if int(devices) > 1:
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * int(devices)
    )
from toolkit import errors, manifest, train
from toolkit.training.trainer import Trainer
run = Trainer.run
def run_and_report(trainer):
    run(trainer)
    np.savez(out, *trainer.model.get_weights(), *trainer.best)
Trainer.run = run_and_report
try:
    train.fit(train.config_from(json.loads(config)), manifest.load(root), name=name, checkpoint_seconds=0)
except errors.ToolkitError as error:
    sys.exit(str(error))
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("distribution") / "set", per_class=21)


@pytest.fixture
def start(table, tmp_path, monkeypatch):
    """Starts a process that trains; it says what it weighs at the end."""
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "home"))
    (tmp_path / "train_it.py").write_text(SCRIPT)
    processes = []

    def run(out, name, *, devices=1, cluster=None, **config):
        words = [str(table.root), json.dumps({**CONFIG, **config}), name, str(tmp_path / out), str(devices)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        if cluster:
            environment["TF_CONFIG"] = json.dumps(cluster)
        command = [sys.executable, str(tmp_path / "train_it.py"), *words]
        with (tmp_path / f"{out}.log").open("w") as log:
            processes.append(subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log))
        return processes[-1]

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def workers(start, name, **config):
    """Two processes that train together."""
    config = {"strategy": "multi-worker", **config}
    return [
        start(f"{name}{place}.npz", name, cluster=cluster, **config) for place, cluster in enumerate(clusters_of_two())
    ]


def clusters_of_two():
    """TF_CONFIG of two workers on free ports of this machine."""
    with socket.socket() as one, socket.socket() as other:
        for end in (one, other):
            end.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{end.getsockname()[1]}" for end in (one, other)]
    return [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": place}} for place in range(2)]


def weights(file):
    with np.load(file) as stored:
        return [stored[name] for name in stored.files]


def same(one, other):
    return all(np.array_equal(*pair) for pair in zip(weights(one), weights(other), strict=True))


def test_the_parts_of_all_replicas_are_the_batches_of_one(table):
    examples = batches.examples(table, split="train", size=32)
    how = {"batch_size": 8, "augmentation": None, "seed": 3, "epoch": 1}
    whole = [labels.numpy() for _, labels, _ in batches.training(examples, **how)]
    parts = []
    for shard in (Shard(0, 2, 4), Shard(2, 2, 4)):
        mine = list(batches.training(examples, **how, shard=shard))
        assert {len(labels) for _, labels, _ in mine} == {2}
        assert len(mine) == 2 * len(whole) == 2 * batches.steps(examples, batch_size=8)
        parts.append(mine)
    for number, labels in enumerate(whole):
        pieces = [parts[worker][2 * number + place] for worker in range(2) for place in range(2)]
        assert np.array_equal(np.concatenate([labels for _, labels, _ in pieces])[: len(labels)], labels)
        weighing = np.concatenate([weight for _, _, weight in pieces])
        assert (weighing > 0).sum() == len(labels)
        assert weighing.sum() / 8 == pytest.approx(examples.class_weights()[labels.argmax(1)].mean(), rel=1e-5)


def test_a_batch_that_cannot_be_divided_is_refused(table):
    examples = batches.examples(table, split="val", size=32)
    with pytest.raises(ValueError, match="divided by 3 replicas, got 8"):
        batches.evaluation(examples, batch_size=8, shard=Shard(0, 1, 3))


def test_one_process_is_its_own_chief(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert distribution.is_chief()
    for place, chief in ((0, True), (1, False)):
        cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": place}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
        assert distribution.is_chief() is chief


@pytest.mark.parametrize("config", ["", "{}", '{"cluster": {"worker": ["a:1"]}}', "no json"])
def test_workers_that_are_not_listed_are_refused(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match="TF_CONFIG"):
        distribution.strategy("multi-worker")


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="expected a strategy of none, mirrored, multi-worker, got 'many'"):
        distribution.strategy("many")


@pytest.mark.slow
def test_two_devices_learn_together(start, table, tmp_path):
    process = start("mirrored.npz", "mirrored", devices=2, strategy="mirrored")
    assert process.wait(240) == 0
    history = bundle.load(paths.models(table.root) / "mirrored").history
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0]
    assert weights(tmp_path / "mirrored.npz")


@pytest.mark.slow
def test_two_workers_end_alike_also_when_one_is_killed_and_both_are_started_again(start, table, tmp_path):
    epochs = 6
    for process in workers(start, "undisturbed", epochs=epochs, patience=5):
        assert process.wait(240) == 0
    assert same(tmp_path / "undisturbed0.npz", tmp_path / "undisturbed1.npz")

    folder = paths.models(table.root) / "disturbed"
    state = folder / "checkpoint" / "state.json"
    survivor, victim = workers(start, "disturbed", epochs=epochs, patience=5)
    limit = time.monotonic() + 240
    while not state.exists() and survivor.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)
    victim.send_signal(signal.SIGKILL)
    assert survivor.wait(240) == 1
    assert "lost one; start those that ended again" in (tmp_path / "disturbed0.npz.log").read_text()
    assert 0 < len(json.loads(state.read_text())["rows"]) < epochs
    assert not (folder / bundle.FACTS).exists()

    for process in workers(start, "disturbed", epochs=epochs, patience=5):
        assert process.wait(240) == 0
    for file in ("disturbed0.npz", "disturbed1.npz"):
        assert same(tmp_path / "undisturbed0.npz", tmp_path / file)
    assert len(bundle.load(folder).history) == epochs


@pytest.mark.slow
def test_workers_with_different_settings_do_not_start(start, tmp_path):
    one, other = (
        start(f"{place}.npz", "differ", cluster=cluster, strategy="multi-worker", seed=place)
        for place, cluster in enumerate(clusters_of_two())
    )
    for place, process in enumerate((one, other)):
        assert process.wait(240) == 1
        assert "expected workers with the same settings" in (tmp_path / f"{place}.npz.log").read_text()


def test_a_lost_worker_is_said_in_one_line_but_other_errors_stay_what_they_are(monkeypatch):
    failure = tf.errors.UnavailableError(None, None, "peer is gone\nand more")
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}')
    with pytest.raises(ToolkitError, match="lost one"), distribution.worker_lost_in_one_line():
        raise failure
    monkeypatch.delenv("TF_CONFIG")
    with pytest.raises(tf.errors.UnavailableError), distribution.worker_lost_in_one_line():
        raise failure
