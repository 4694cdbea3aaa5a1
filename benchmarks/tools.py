"""One tool searches one folder for duplicates, in this process. `clean.py` calls it, and watches the process.

python benchmarks/tools.py TOOL FOLDER PAIRS_FILE [LIMIT]

Each function here imports its tool and gives back the search as a person would write it by the tool's documentation,
for two cores. The search gives back the pairs it found, as (path, path, distance), lazily where the tool has them in
another form, so that bringing them into this form is not timed.
"""

import csv
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
CORES = 2
Pairs = Iterable[tuple[str, str, float]]
Search = Callable[[Path, str], Pairs]


def toolkit_() -> Search:
    """The stages verify and dedup on a dataset that has been brought in; LIMIT is an option to switch on."""
    from toolkit import dedup, manifest, verify

    def search(folder: Path, limit: str) -> Pairs:
        options = {limit: True} if limit else {}
        checked = verify.check(manifest.load(folder), jobs=CORES)
        dedup.group(checked, **options).save()
        return original_names(checked, lambda: dedup.pairs(checked, **options))

    return search


def original_names(manifest: object, pairs: Callable[[], object]) -> Pairs:
    """The pairs, once they are asked for, under the names that the files had before they were brought in."""
    before = dict(zip(manifest.table["path"], manifest.table["source_id"], strict=True))
    named = {path: name.rpartition("@")[0].partition("/")[2] for path, name in before.items()}
    found = pairs()
    for path, other, distance in zip(found["path"], found["other"], found["distance"], strict=True):
        yield named[path], named[other], distance


def copies_() -> Search:
    """The toolkit's search in a folder as it is, without a dataset."""
    from toolkit import copies

    def search(folder: Path, limit: str) -> Pairs:
        found = copies.among(folder, jobs=CORES)
        return ((within(folder, pair.path), within(folder, pair.other), pair.distance) for pair in found.pairs())

    return search


def import_() -> Search:
    """What comes before: the folder is brought into a new dataset, which lies beside PAIRS_FILE."""
    from toolkit import scrape

    def search(folder: Path, into: str) -> Pairs:
        scrape.collect(f"folder:{folder}", into=Path(into))
        return ()

    return search


def verify_() -> Search:
    """The stage verify alone."""
    from toolkit import manifest, verify

    def search(folder: Path, limit: str) -> Pairs:
        verify.check(manifest.load(folder), jobs=CORES).save()
        return ()

    return search


def dedup_() -> Search:
    """The stage dedup alone; gives the pairs of a test picture and one in train."""
    from toolkit import dedup, manifest

    def search(folder: Path, limit: str) -> Pairs:
        checked = manifest.load(folder)
        dedup.group(checked).save()
        split = checked.table.set_index("path")["split"]

        def leaked() -> object:
            found = dedup.pairs(checked)
            both = split[found["path"]].to_numpy() + split[found["other"]].to_numpy()
            return found[(both == "testtrain") | (both == "traintest")]

        return original_names(checked, leaked)

    return search


def imagehash() -> Search:
    """Perceptual hashes and a loop over all pairs, in one thread: the library has no search."""
    import imagehash as library
    from PIL import Image

    def search(folder: Path, limit: str) -> Pairs:
        most = int(limit or 10)
        names = files(folder)
        hashes = [library.phash(Image.open(folder / name)) for name in names]
        return [
            (names[one], names[other], hashes[one] - hashes[other])
            for one, other in combinations(range(len(names)), 2)
            if hashes[one] - hashes[other] <= most
        ]

    return search


def imagededup() -> Search:
    """PHash with its own search in Cython, two workers."""
    from imagededup.methods import PHash

    def search(folder: Path, limit: str) -> Pairs:
        method = PHash(verbose=False)
        hashes = method.encode_images(folder, recursive=True, num_enc_workers=CORES)
        found = method.find_duplicates(
            encoding_map=hashes, max_distance_threshold=int(limit or 10), num_dist_workers=CORES
        )
        return (
            (one, other, (int(hashes[one], 16) ^ int(hashes[other], 16)).bit_count())
            for one, others in found.items()
            for other in others
        )

    return search


def difpy() -> Search:
    """Mean squared differences of all pairs, in four turns; LIMIT is the difference, or "similar"."""
    import difPy

    def search(folder: Path, limit: str) -> Pairs:
        built = difPy.build(str(folder), show_progress=False, processes=CORES)
        found = difPy.search(built, similarity=limit or "duplicates", show_progress=False, processes=CORES)
        return (
            (within(folder, one), within(folder, other), difference)
            for one, others in found.result.items()
            for other, difference in others
        )

    return search


def czkawka() -> Search:
    """Rust, a thread per core. It gives groups: any two pictures of one are called the same."""
    from czkawka import ImageSimilarity

    def search(folder: Path, limit: str) -> Pairs:
        finder = ImageSimilarity()
        finder.set_directories([folder])
        finder.set_similarity(int(limit or 10))
        groups = finder.find_similar()
        return (
            (within(folder, one), within(folder, other), 0) for group in groups for one, other in combinations(group, 2)
        )

    return search


def cleanvision() -> Search:
    """Its two searches for duplicates: equal pixels, and equal perceptual hashes."""
    from cleanvision import Imagelab

    def search(folder: Path, limit: str) -> Pairs:
        lab = Imagelab(data_path=str(folder))
        lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=CORES, verbose=False)
        sets = [one for kind in ("exact_duplicates", "near_duplicates") for one in lab.info[kind]["sets"]]
        return (
            (within(folder, one), within(folder, other), 0) for same in sets for one, other in combinations(same, 2)
        )

    return search


def within(folder: Path, file: object) -> str:
    """Path of a file below the folder."""
    return Path(file).relative_to(folder).as_posix()


def files(folder: Path) -> list[str]:
    """Paths of all pictures below the folder, sorted."""
    found = (file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS)
    return sorted(file.relative_to(folder).as_posix() for file in found)


def main(tool: str, folder: str, pairs_file: str, limit: str = "") -> None:
    """Search, print when it began and ended on the clock of the machine, then write the pairs."""
    logging.disable(logging.CRITICAL)
    search = globals()[tool]()
    begun = time.monotonic()
    found = search(Path(folder), limit)
    marks = {"begun": begun, "ended": time.monotonic()}
    with Path(pairs_file).open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(
            sorted({(*sorted((one, other)), distance) for one, other, distance in found})
        )
    print(json.dumps(marks))


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    main(*sys.argv[1:])
