"""ONNX Runtime for the web, from npm: fetched once, checked, and kept in the user's cache."""

import base64
import gzip
import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from toolkit.core import paths
from toolkit.errors import BundleError

NAME, VERSION = "onnxruntime-web", "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="  # npm's
FILES = {  # in the package: what it is called in the page
    "package/dist/ort.wasm.bundle.min.mjs": "runtime.js",  # many hosts do not know that .mjs is a script
    "package/dist/ort-wasm-simd-threaded.wasm": "runtime.wasm.gz",  # a quarter of it: few hosts compress on the way
}
SECONDS = 300  # for 33 MB
QUICK = (
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=500",
)  # else it waits a minute for a network
BY_HAND = f"fetch it where there is both (`npm pack {NAME}@{VERSION}`), and give it with --runtime FILE.tgz"


def kept() -> Path:
    """Path of the package in the cache; there is none before it was fetched."""
    return paths.cache() / f"{NAME}-{VERSION}.tgz"


def fetch() -> Path:
    """The package, from the cache or from npm.

    Raises:
        BundleError: it is in neither, or is not what it should be.
    """
    if not kept().is_file() or _integrity(kept()) != INTEGRITY:
        with tempfile.TemporaryDirectory() as folder:
            adopt(_packed(Path(folder)))
    return kept()


def adopt(file: Path) -> Path:
    """Copy a package that was fetched by hand into the cache.

    Args:
        file: as `npm pack` writes it.

    Raises:
        BundleError: it is not this version of it, or is damaged.
    """
    if not file.is_file():
        raise BundleError(f"expected the package {NAME} {VERSION} at {file}, found no file")
    if _integrity(file) != INTEGRITY:
        raise BundleError(f"expected {file.name} to be {NAME} {VERSION}, got another file by its hash; fetch it again")
    with paths.atomic_write(kept()) as temporary:
        shutil.copyfile(file, temporary)
    return kept()


def unpack(folder: Path) -> None:
    """Extract the files that the page needs into a folder."""
    with tarfile.open(fetch()) as archive:
        for member, name in FILES.items():
            content = archive.extractfile(member)
            if content is None:
                raise BundleError(f"expected the file {member} in {NAME} {VERSION}, got a folder or a link")
            packed = name.endswith(".gz")
            (folder / name).write_bytes(gzip.compress(content.read(), mtime=0) if packed else content.read())


def _packed(folder: Path) -> Path:
    npm = shutil.which("npm")
    if not npm:
        raise BundleError(f"expected npm to fetch {NAME} {VERSION}, found none; install it, or {BY_HAND}")
    command = [npm, "pack", f"{NAME}@{VERSION}", "--pack-destination", str(folder), *QUICK]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
        line = (done.stderr.strip().splitlines() or ["it failed"])[0]  # "npm error code ENOTFOUND"; more lines follow
        reason = re.sub(r"^npm (error|ERR!) ", "", line) if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    packages = sorted(folder.glob("*.tgz"))
    if reason or not packages:
        raise BundleError(f"expected npm to fetch {NAME} {VERSION}, got: {reason or 'nothing'}; {BY_HAND}")
    return packages[0]


def _integrity(file: Path) -> str:
    with file.open("rb") as opened:
        return "sha512-" + base64.b64encode(hashlib.file_digest(opened, "sha512").digest()).decode()
