"""TensorBoard: the curves of a training, for `tensorboard --logdir models`.

Why not Keras' callback: it writes what `Model.fit` does, and there is none here; nor `tf.summary.scalar`: it needs
TensorBoard installed, and only who looks at the curves should.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from toolkit.core.framework import tf
from toolkit.model.epochs import Row

FOLDER = "events"
KINDS = {"val_": "validation", "average_val_": "average", "": "train"}  # by how the name of a value begins


class Events:
    """Writes event files as epochs are done. After an interruption the files begin anew, from the first epoch on.

    Args:
        folder: of the run; the files go into `events/` in it.
    """

    def __init__(self, folder: Path):
        self.folder, self.written = folder / FOLDER, 0
        self.writers: dict[str, tf.summary.SummaryWriter] = {}

    def __call__(self, rows: Sequence[Row]) -> None:
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
        start = max((start for start in KINDS if name.startswith(start)), key=len)
        kind = KINDS[start]
        if kind not in self.writers:
            self.writers[kind] = tf.summary.create_file_writer(str(self.folder / kind))
        with self.writers[kind].as_default():
            tf.summary.write(name.removeprefix(start), tf.constant(value), step=step, metadata=_scalars())


def _scalars() -> tf.compat.v1.SummaryMetadata:
    """Metadata that marks a value as a point of a curve."""
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"
    return metadata
