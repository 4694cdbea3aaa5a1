"""What comes into a dataset while it is labelled: frames of a camera, by class, which wait until it is off.

A frame is on disk, in `camera/`, before it counts. One that a crash left there is brought in when the page is opened
again.
"""

import hashlib
import json
import shutil
from pathlib import Path

from toolkit.core import contained, paths
from toolkit.core.paths import check_label
from toolkit.dataset import verify
from toolkit.dataset.manifest import Manifest
from toolkit.duplicates import dedup
from toolkit.errors import DatasetError

FOLDER = "camera"
METADATA = "metadata.jsonl"  # as the source imagefolder: reads it, since a class may be called train
JPEG = b"\xff\xd8\xff"


def keep(root: Path, label: str, frame: bytes) -> int:
    """Write a frame, once whatever is sent again, and return how many of its class wait.

    Args:
        root: folder of the dataset.
        label: its class, which may be a new one.
        frame: the bytes of a JPEG.

    Raises:
        DatasetError: the label cannot be one, or the bytes are no JPEG.
    """
    if not frame.startswith(JPEG):
        raise DatasetError(f"expected a frame as JPEG, got {len(frame):,} other bytes")
    folder = contained.folder(root) / FOLDER / check_label(label)
    folder.mkdir(parents=True, exist_ok=True)
    paths.write(folder / f"{hashlib.sha256(frame).hexdigest()[:24]}.jpg", frame)
    return len(list(folder.glob("*.jpg")))


def bring_in(manifest: Manifest) -> Manifest:
    """The manifest with the frames that wait, and with what is new verified and searched for copies; saved."""
    waiting = manifest.root / FOLDER
    if any(waiting.glob("*/*.jpg")):
        from toolkit import scrape  # here, since few datasets have frames that wait

        files = sorted(waiting.glob("*/*.jpg"))
        lines = [{"file_name": f"{file.parent.name}/{file.name}", "label": file.parent.name} for file in files]
        paths.write(waiting / METADATA, "".join(json.dumps(line) + "\n" for line in lines))
        manifest = scrape.collect(f"imagefolder:{waiting}", into=manifest.root)
        shutil.rmtree(waiting)
    if not (manifest.table["status"] == "new").any():
        return manifest
    return dedup.group(verify.check(manifest).save()).save()
