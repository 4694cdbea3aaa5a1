"""Legacy PyTorch files by hand: the instructions of their pickles, one function each."""

import pickle
import struct

import numpy as np

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
KINDS = {"float32": "FloatStorage", "int64": "LongStorage"}
EMPTY = b"ccollections\nOrderedDict\n)R"


def text(words):
    return b"X" + struct.pack("<I", len(words.encode())) + words.encode()


def number(value):
    return b"J" + struct.pack("<i", value)


def several(*parts):
    return b"(" + b"".join(parts) + b"t"


def storage(key, size, *, kind="FloatStorage"):
    return several(text("storage"), f"ctorch\n{kind}\n".encode(), text(key), text("cpu"), number(size), b"N") + b"Q"


def tensor(stored, *, shape, strides, offset=0):
    sides, steps = several(*map(number, shape)), several(*map(number, strides))
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + several(stored, number(offset), sides, steps, b"\x89", EMPTY) + b"R"


def state(tensors):
    """The instructions that make a state dictionary of these tensors, themselves instructions by name."""
    return EMPTY + b"(" + b"".join(text(name) + made for name, made in tensors.items()) + b"u"


def file(body, *, keys=(), values=b"", magic=MAGIC, version=VERSION, machine=MACHINE):
    """A whole file, around the instructions that make what it holds."""
    header = b"".join(pickle.dumps(part, 2) for part in (magic, version, machine))
    return header + b"\x80\x02" + body + b"." + pickle.dumps(list(keys), 2) + values


def stored(array):
    """The values of a storage as they stand in a file."""
    return struct.pack("<q", array.size) + array.tobytes()


def saved(arrays):
    """The file that PyTorch would have written of these arrays by name, float32 or int64."""
    made = {
        name: tensor(
            storage(f"key{place}", array.size, kind=KINDS[str(array.dtype)]),
            shape=array.shape,
            strides=[step // array.itemsize for step in array.strides],
        )
        for place, (name, array) in enumerate(arrays.items())
    }
    contents = [np.lib.stride_tricks.as_strided(array, (array.size,), (array.itemsize,)) for array in arrays.values()]
    keys = [f"key{place}" for place in range(len(arrays))]
    return file(state(made), keys=keys, values=b"".join(map(stored, contents)))
