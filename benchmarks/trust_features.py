"""Features of real and drawn pictures for `trust.py`, from the backbone of a network, averaged over the picture.

They are computed once and kept in `build/trust`, some hundred at a time, so that it can be interrupted.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toolkit import images, networks
from toolkit.core import paths
from toolkit.practice import draw

KEPT = Path(__file__).resolve().parents[1] / "build" / "trust"
SIZE, BATCH, PART, OF_A_CLASS, DRAWINGS = 224, 32, 256, 250, 300
KNOWN = ("automobile", "truck")  # classes of CIFAR-10 that are no strangers to cars and tanks
Set = tuple[np.ndarray, np.ndarray]  # features and indices of classes


def of(arguments: Namespace) -> dict[str, Set]:
    """Features of all pictures by dataset; "cifar names" are the classes of CIFAR-10 in their place."""
    file = KEPT / f"{arguments.network}.npz"
    if not file.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        np.savez(file, **computed(arguments))
    kept = np.load(file)
    names = ("cars_tanks", "sign_digits", "cifar", "drawings")
    found = {name: (kept[f"{name}_F"], np.unique(kept[f"{name}_y"], return_inverse=True)[1]) for name in names}
    return found | {"cifar names": (kept["cifar_y"], np.zeros(0))}


def computed(arguments: Namespace) -> dict[str, np.ndarray]:
    """Features and labels of all pictures, as arrays by name."""
    network = networks.get(arguments.network)
    backbone = network.backbone(size=SIZE, weights=arguments.weights, pooling="average")
    arrays: dict[str, np.ndarray] = {}
    for name, (pictures, labels) in collected(arguments.pictures).items():
        parts = []
        for start in range(0, len(pictures), PART):
            file = KEPT / arguments.network / f"{name}-{start}.npy"
            if not file.exists():
                with paths.atomic_write(file) as temporary, temporary.open("wb") as opened:
                    np.save(opened, seen(backbone, pictures[start : start + PART]))
                print(f"features of {start + PART:,} of {len(pictures):,} {name}", file=sys.stderr, flush=True)
            parts.append(np.load(file))
        arrays |= {f"{name}_F": np.concatenate(parts), f"{name}_y": np.array(labels)}
    return arrays


def seen(backbone, pictures: Sequence) -> np.ndarray:
    """What a backbone sees in some pictures."""
    parts = []
    for start in range(0, len(pictures), BATCH):
        batch = np.stack([images.prepare(each, SIZE) for each in pictures[start : start + BATCH]])
        parts.append(np.asarray(backbone.predict_on_batch(batch.astype(np.float32))))
    return np.concatenate(parts)


def collected(folder: Path) -> dict[str, tuple[Sequence, list[str]]]:
    """Pictures and labels by dataset."""
    kinds: dict[str, tuple[Sequence, list[str]]] = {
        name: in_folders(folder / name) for name in ("cars_tanks", "sign_digits")
    }
    kinds["cifar"] = in_folders(folder / "cifar" / "train", most=OF_A_CLASS)
    drawings = [draw.vehicle(label, seed=seed).picture for seed in range(DRAWINGS // 2) for label in draw.LABELS]
    kinds["drawings"] = drawings, ["drawn"] * len(drawings)
    return kinds


def strangers(folder: Path) -> dict[str, list]:
    """Pictures of other kinds than cars and tanks."""
    kinds = collected(folder)
    pictures, labels = kinds["cifar"]
    odd = [picture for picture, label in zip(pictures, labels, strict=True) if label not in KNOWN]
    return {"hand signs": list(kinds["sign_digits"][0]), "CIFAR-10": odd, "drawings": list(kinds["drawings"][0])}


def in_folders(root: Path, *, most: int | None = None) -> tuple[list, list[str]]:
    """Files and labels of a folder per class, so many of each at most, drawn by chance."""
    found: list[tuple[Path, str]] = []
    for folder in sorted(root.iterdir()):
        files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
        drawn = np.random.default_rng(0).permutation(len(files))[:most]
        found += [(files[index], folder.name) for index in drawn]
    return [file for file, _ in found], [label for _, label in found]
