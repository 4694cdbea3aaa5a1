"""The course of a training as TensorBoard shows it: `tensorboard --logdir models`."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolkit.core.framework import tf

FOLDER = "events"
KINDS = {"val_": "validation", "average_val_": "average", "": "train"}  # by how the name of a value begins


class Events:
    """Writes event files as epochs are done. After an interruption the files begin anew with all that is known.

    Args:
        folder: of the run; the files go into `events/` in it.
    """

    def __init__(self, folder: Path):
        self.folder, self.writers, self.written = folder / FOLDER, {}, 0

    def __call__(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Write what is new.

        Args:
            rows: a row per epoch from the first on, as in a run's history.
        """
        if not self.writers:
            shutil.rmtree(self.folder, ignore_errors=True)
        for row in rows[self.written :]:
            for name, value in row.items():
                if isinstance(value, float):
                    self._write(name, value, step=int(row["epoch"]))
        self.written = len(rows)
        for writer in self.writers.values():
            writer.flush()

    def _write(self, name: str, value: float, *, step: int) -> None:
        start = next(start for start in sorted(KINDS, key=len, reverse=True) if name.startswith(start))
        kind = KINDS[start]
        if kind not in self.writers:
            self.writers[kind] = tf.summary.create_file_writer(str(self.folder / kind))
        with self.writers[kind].as_default():
            tf.summary.write(name.removeprefix(start), tf.constant(value), step=step, metadata=_scalars())


def _scalars() -> tf.compat.v1.SummaryMetadata:
    """What marks a value as a point of a curve; `tf.summary.scalar` would want TensorBoard itself for that."""
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"
    return metadata
