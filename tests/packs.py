"""Folders and archives of pictures, whatever their members are called."""

import io
import struct
import tarfile
import zipfile
import zlib

import zoo
from PIL import Image


def picture(shade):
    """A small picture like no other."""
    return zoo.encoded(Image.new("RGB", (20, 20), (shade, 90, 30)), "PNG")


def folder(root, files):
    """A folder with these files, given by name below it."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def archive(file, files):
    """A zip or tar, as its name says, with these members under whatever names they claim."""
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w") as pack:
            for name, content in files.items():
                pack.writestr(name, content)
    else:
        with tarfile.open(file, f"w:{file.suffix[1:].replace('tar', '').replace('tgz', 'gz')}") as pack:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                pack.addfile(member, io.BytesIO(content))
    return file


def raw_zip(file, members, *, flags=0, extra=lambda name: b""):
    """A zip whose names are these bytes, which its members say nothing about, as old tools write it."""
    out, central = io.BytesIO(), []
    for name, content in members:
        place, total, more = out.tell(), zlib.crc32(content), extra(name)
        sizes = (total, len(content), len(content), len(name), len(more))
        out.write(struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, flags, 0, 0, 0x5000, *sizes) + name + more + content)
        head = struct.pack("<4sHHHHHHIIIHH", b"PK\x01\x02", 0x0314, 20, flags, 0, 0, 0x5000, *sizes)
        central.append(head + struct.pack("<HHHII", 0, 0, 0, 0, place) + name + more)
    start = out.tell()
    out.write(b"".join(central))
    count = len(central)
    out.write(struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, out.tell() - start, start, 0))
    file.write_bytes(out.getvalue())
    return file
