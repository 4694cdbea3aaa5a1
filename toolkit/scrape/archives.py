"""Members of archives and objects of buckets: names in one form, links resolved within, nothing that leads outside."""

import io
import posixpath
import re
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from toolkit.errors import SourceError
from toolkit.images import files
from toolkit.images.files import Passed

MAX_MEMBERS = 2_000_000
MAX_RATIO = 200  # unpacked to packed size of an archive; pictures hardly compress, bombs do
AS_WRITTEN = "-as-written"  # ends the version of a file whose name is written in another form than it is compared in
HOPS = 20  # links that lead to links
LOCKED = 1  # bit of a member of a zip that has a password
SAYS_UTF8 = 0x800  # bit of one whose name is in UTF-8
UNICODE_PATH = 0x7075  # extra field that holds the name in UTF-8 as well
CHANGED = ("ETag", "etag", "mtime", "LastModified", "created")  # what tells of an object that it is another
DOS, JAPANESE = "cp437", "cp932"
ONLY_JAPANESE = re.compile(r"(?![\s\S]*([A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]))[\x00-\x7f぀-ヿ一-鿿々]*")


@dataclass(frozen=True)
class Member:
    """A member of an archive, or an object of a bucket.

    Args:
        name: as it is written there, with `/`.
        size: bytes, as they are told.
        version: changes when the content does.
        open: gives its bytes; None of a folder or of what is no file.
        target: the name of the member that it is a link to; "" if it is none.
        refused: why it is passed over; "" if it is not.
        order: in which its bytes come.
    """

    name: str
    size: int = 0
    version: str = ""
    open: Callable[[], IO[bytes]] | None = None
    target: str = ""
    refused: str = ""
    order: int = 0


def of_zip(archive: zipfile.ZipFile, place: str, size: int) -> list[Member]:
    """The members of a zip.

    Args:
        archive: open.
        place: its name, for messages.
        size: of it, in bytes.

    Raises:
        SourceError: it grows beyond measure.
    """
    infos = list(_bomb_checked(archive.infolist(), place, size, of=lambda info: info.file_size))
    return [_zipped(archive, info, name) for info, name in zip(infos, _names(infos, place), strict=True)]


def _zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Member:
    name = name.replace("\\", "/")  # as old tools of Windows write it
    if name.endswith("/"):
        return Member(name)
    locked = "has a password" if info.flag_bits & LOCKED else ""
    version, target = f"{info.file_size}-{info.CRC:08x}", ""
    if stat.S_ISLNK(info.external_attr >> 16) and info.file_size < 4096 and not locked:
        target = _beside(name, archive.read(info).decode(errors="replace"))
    return Member(name, info.file_size, version, partial(archive.open, info), target, locked)


def of_tar(archive: tarfile.TarFile, place: str, size: int) -> list[Member]:
    """The members of a tar; arguments and errors as in `of_zip`."""
    contents = _Contents(archive)
    return [_packed(contents, info) for info in _bomb_checked(archive, place, size, of=lambda info: info.size)]


class _Contents:
    """The bytes of a tar's members; the last ones are kept, since a packed tar can only be read onwards."""

    def __init__(self, archive: tarfile.TarFile):
        self._archive, self._last, self._content = archive, -1, b""

    def open(self, info: tarfile.TarInfo) -> IO[bytes]:
        if info.offset_data != self._last:
            stream = self._archive.extractfile(info)
            if stream is None:
                raise tarfile.TarError(f"expected a file, got another kind of member: {info.name}")
            self._content = stream.read()
            self._last = info.offset_data
            if len(self._content) < info.size:
                raise tarfile.TarError("unexpected end of data")
        return io.BytesIO(self._content)


def _packed(contents: _Contents, info: tarfile.TarInfo) -> Member:
    name = _text(info.name)
    if info.isdir():
        return Member(name + "/")
    if info.issym() or info.islnk():
        target = _beside(name, _text(info.linkname)) if info.issym() else _text(info.linkname)
        return Member(name, target=target)
    if not info.isfile():
        return Member(name, refused="pipe or device")
    version = f"{info.size}-{int(info.mtime)}-{info.offset_data}"
    return Member(name, info.size, version, partial(contents.open, info), order=info.offset_data)


def of_bucket(place: Path) -> list[Member]:
    """The objects below a URL."""
    members = []
    for name, facts in sorted(place.fs.find(place.path, detail=True).items()):  # type: ignore[attr-defined]
        below = PurePosixPath(name).relative_to(PurePosixPath(place.path)).as_posix()  # type: ignore[attr-defined]
        changed = next((facts[key] for key in CHANGED if facts.get(key)), "")
        opened = partial(place.fs.open, name, "rb")  # type: ignore[attr-defined]
        if facts.get("type") != "directory":
            members.append(Member(below, facts.get("size") or 0, f"{facts.get('size')}-{changed}", opened))
    return members


def judged(members: list[Member], *, also: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Member] | Passed]:
    """What may be a picture, with its parts below the place; and what is passed over, as `files.below` does in folders.

    Args:
        members: in their order; of several with one name the last counts, as it does when they are unpacked.
        also: names of files that are given, too.
    """
    by_name = {_plain(member.name): member for member in members}
    filled = {folder for name in by_name for folder in _above(name)}
    told: set[str] = set()
    for member in members:
        name = _plain(member.name)
        parts = tuple(files.in_one_form(part) for part in name.split("/") if part)
        shown = "/".join(parts)
        system = next((place for place, part in enumerate(parts) if files.of_system(part)), None)
        if system is not None:
            shown = "/".join(parts[: system + 1])
            if shown not in told:
                told.add(shown)
                yield Passed(files.of_system(parts[system]), shown)
        elif by_name[name] is not member:
            if member.open:
                yield Passed("replaced by a later file of its name", shown)
        elif member.name.endswith("/"):
            if name and name not in filled:
                yield Passed(files.EMPTY, shown)
        elif parts:
            found = _one(member, parts, by_name, filled, also)
            if shown != name and not isinstance(found, Passed):
                found = parts, replace(found[1], version=found[1].version + AS_WRITTEN)
            yield found


def _one(
    member: Member, parts: tuple[str, ...], by_name: dict[str, Member], filled: set[str], also: tuple[str, ...]
) -> tuple[tuple[str, ...], Member] | Passed:
    shown, seen = "/".join(parts), 0
    while member.target and seen < HOPS:
        name, seen = _plain(member.target), seen + 1
        if name in filled:
            return Passed(files.AGAIN, shown)
        member = by_name.get(name, Member(name))
    if not member.open:
        return Passed(member.refused or files.TO_NOTHING, shown)
    said = "" if parts[-1] in also else files.judged(parts[-1], member.open) or member.refused
    return Passed(said, shown) if said else (parts, member)


def _plain(name: str) -> str:
    """A name without drive, root, `.` and `..`, with `/` between its parts."""
    name = re.sub(r"^[A-Za-z]:", "", name.replace("\\", "/"))
    return posixpath.normpath("/" + name.strip("/")).strip("/")


def _beside(name: str, target: str) -> str:
    """Where a link at `name` leads."""
    return target if target.startswith("/") else posixpath.join(posixpath.dirname(name), target)


def _above(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _names(infos: list[zipfile.ZipInfo], place: str) -> list[str]:
    """The names of a zip's members: as they say they are written, or as they decode best together."""
    says = [bool(info.flag_bits & SAYS_UTF8) for info in infos]
    raw = [info.orig_filename.encode(DOS, "replace") for info in infos]
    told = [
        info.orig_filename if utf8 else _extra(info, name) for info, utf8, name in zip(infos, says, raw, strict=True)
    ]
    untold = [name for name, text in zip(raw, told, strict=True) if not text]
    encoding = _encoding(untold)
    odd = [name.decode(encoding, "replace") for name in untold if not name.isascii()]
    if odd and encoding != "utf-8":
        how = "Shift-JIS" if encoding == JAPANESE else "code page 437"
        warnings.warn(f"the names in {place} do not say how they are written; read as {how}: {odd[0]}", stacklevel=2)
    return [text or name.decode(encoding, "replace") for name, text in zip(raw, told, strict=True)]


def _extra(info: zipfile.ZipInfo, raw: bytes) -> str:
    """The name in UTF-8 that some tools add (field "up" of Info-ZIP), if it is that of this name."""
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == UNICODE_PATH and len(body) > 5 and int.from_bytes(body[1:5], "little") == zlib.crc32(raw):
            return body[5:].decode(errors="replace")
    return ""


def _encoding(names: Iterable[bytes]) -> str:
    """UTF-8 if all names are; else Shift-JIS if that gives kana and kanji alone; else that of DOS."""
    names = [name for name in names if not name.isascii()]
    if all(_decodes(name, "utf-8") for name in names):
        return "utf-8"
    japanese = all(ONLY_JAPANESE.fullmatch(_decodes(name, JAPANESE) or "A\xe9") for name in names)
    return JAPANESE if japanese else DOS


def _decodes(name: bytes, encoding: str) -> str:
    try:
        return name.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _text(name: str) -> str:
    """A name of a tar; one that is not in UTF-8 as it decodes best."""
    raw = name.encode("utf-8", "surrogateescape")
    return raw.decode(_encoding([raw]))


def _bomb_checked(members: Iterable[Any], place: str, size: int, *, of: Callable[[Any], int]) -> Iterator[Any]:
    """The members, until they are more or larger than any honest archive of pictures."""
    total = 0
    for count, member in enumerate(members, start=1):
        total += of(member)
        if count > MAX_MEMBERS or total > MAX_RATIO * size:
            raise SourceError(
                f"expected an archive of at most {MAX_MEMBERS:,} files that grows at most {MAX_RATIO} times, got more "
                f"in {place}; unpack it yourself if you trust it"
            )
        yield member
