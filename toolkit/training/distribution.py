"""Distribution strategies: one training on several devices of this machine, or on several machines.

Every replica (a device that holds a copy of the network) gets its own part of each batch; their gradients are added up,
so all copies stay the same. Which part is whose depends on the order of the pictures alone, as with one device.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from toolkit.core.framework import tf
from toolkit.errors import ToolkitError

STRATEGIES = ("none", "mirrored", "multi-worker")


@dataclass(frozen=True)
class Shard:
    """The part of every batch that the replicas of one machine take.

    Args:
        first: number of the machine's first replica, from 0.
        count: replicas on this machine, at least 1.
        total: replicas on all machines; 1 leaves the batches whole.
    """

    first: int = 0
    count: int = 1
    total: int = 1


def strategy(name: str) -> tf.distribute.Strategy:
    """Strategy of `tf.distribute` by its name.

    Args:
        name: "none", one device; "mirrored", all graphics cards of this machine, or all its logical processors;
            "multi-worker", all machines that the environment variable TF_CONFIG lists.

    Raises:
        ValueError: an unknown name, or no usable TF_CONFIG.

    >>> strategy("none").num_replicas_in_sync
    1
    """
    if name not in STRATEGIES:
        raise ValueError(f"expected a strategy of {', '.join(STRATEGIES)}, got {name!r}")
    return tf.distribute.get_strategy() if name == "none" else _strategy(name)


def is_chief() -> bool:
    """Whether this process writes what is shared; with one worker it does."""
    task = _cluster().get("task", {})
    return task.get("type", "chief") == "chief" or (
        "chief" not in _cluster().get("cluster", {}) and task.get("index", 0) == 0
    )


def distribute(
    strategy: tf.distribute.Strategy, make: Callable[[Shard], tf.data.Dataset]
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Batches for the replicas of this machine.

    Args:
        strategy: from `strategy`.
        make: gives the batches of a shard.
    """
    if strategy.num_replicas_in_sync == 1:
        return make(Shard())

    def local(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = context.num_replicas_in_sync // context.num_input_pipelines
        return make(Shard(context.input_pipeline_id * count, count, context.num_replicas_in_sync))

    return strategy.distribute_datasets_from_function(local)


@contextmanager
def worker_lost_in_one_line() -> Iterator[None]:
    """Report in one line that another worker is gone; the rest of its group cannot go on without it.

    Raises:
        ToolkitError: instead of what TensorFlow raises.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if not _cluster():
            raise
        raise ToolkitError(
            "expected all workers to stay, lost one; start those that ended again, and they go on from the last "
            f"checkpoint ({str(error.message).splitlines()[0][:200]})"
        ) from error


def check_same_state(strategy: tf.distribute.Strategy, state: object) -> None:
    """Wait for every worker, and compare their states.

    Args:
        strategy: from `strategy`.
        state: of the training, its settings included; must survive `json.dumps`.

    Raises:
        ToolkitError: another worker has other settings, other pictures or another checkpoint.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    number = int(hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:8], 16) % 1_000_003
    mine = tf.constant([number, number * number], tf.int64)
    everyone = tf.function(lambda: strategy.reduce("SUM", strategy.run(lambda: tf.identity(mine)), axis=None))
    total, squares = (int(part) for part in everyone())
    count = strategy.num_replicas_in_sync
    if (total, squares) != (count * number, count * number * number):
        raise ToolkitError(
            "expected workers with the same settings, pictures and checkpoint, got different ones; give all the same "
            "command and let them share one project folder"
        )


@cache  # collective operations can be set up only once in a process
def _strategy(name: str) -> tf.distribute.Strategy:
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if not _cluster().get("cluster", {}).get("worker") or "task" not in _cluster():
        raise ValueError(
            "expected TF_CONFIG to list the workers and say which one this is, such as "
            '{"cluster": {"worker": ["one:12345", "other:12345"]}, "task": {"type": "worker", "index": 0}}'
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def _cluster() -> dict:
    try:
        return json.loads(os.environ.get("TF_CONFIG") or "{}")
    except ValueError as error:
        raise ValueError(f"expected JSON in TF_CONFIG, got: {error}") from error
