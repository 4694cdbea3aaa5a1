"""Weights from a legacy PyTorch file, without PyTorch and without running anything that the file says.

Until PyTorch 1.6, `torch.save` wrote five pickles (a magic number, the version of the format, facts about the machine,
the tensors without their values, the keys of their storages) and then the values of each storage. A pickle is a
program, and `pickle.load` runs it. Here its instructions are only read, by a machine that knows dictionaries, lists,
tuples, strings, whole numbers and tensors, and has no instruction that imports or calls anything.
"""

import hashlib
import io
import math
import pickletools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from toolkit.errors import BundleError

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
DICTIONARY, TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
DTYPES: dict[str, np.dtype] = {"torch FloatStorage": np.dtype("<f4"), "torch LongStorage": np.dtype("<i8")}
NAMES = {DICTIONARY, TENSOR, *DTYPES}  # all that a file of weights has reason to import
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"}  # instructions that carry their value
MARK = object()


class Name(NamedTuple):
    """What a pickle would import: its module and its name."""

    words: str


class Storage(NamedTuple):
    """A run of values, which several tensors may share."""

    dtype: np.dtype
    key: str
    size: int


class Tensor(NamedTuple):
    """A view of a storage; offset and strides count values, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(file: Path, *, sha256: str) -> dict[str, np.ndarray]:
    """The state dictionary in a legacy PyTorch file: its tensors by name.

    Args:
        file: what `torch.save(model.state_dict(), file)` wrote before PyTorch 1.6.
        sha256: of the file, in hexadecimal digits; it is compared before anything of the file is interpreted.

    Returns:
        float32 and int64 arrays, in the order of the file.

    Raises:
        BundleError: the file is missing, another one, damaged, or holds anything but tensors.

    >>> read(Path("lite0.pth"), sha256="579344…")["_conv_stem.weight"].shape  # doctest: +SKIP
    (32, 3, 3, 3)
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BundleError(f"expected weights in {file}, could not read it: {error.strerror}") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise BundleError(f"expected {file} with sha256 {sha256[:12]}…, got {actual[:12]}…; get it again")
    try:
        return _tensors(io.BytesIO(content))
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, struct.error) as error:
        raise BundleError(f"expected tensors as PyTorch before 1.6 stored them in {file}, got: {error}") from error


def _tensors(stream: BinaryIO) -> dict[str, np.ndarray]:
    magic, version, machine = (_unpickled(stream) for _ in range(3))
    if (
        (magic, version) != (MAGIC, VERSION)
        or not isinstance(machine, dict)
        or machine.get("little_endian") is not True
    ):
        raise ValueError("another format")
    tensors, keys = _unpickled(stream), _unpickled(stream)
    if not isinstance(tensors, dict) or not isinstance(keys, list):
        raise ValueError("something else than a dictionary and a list")
    if not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in tensors.items()):
        raise ValueError("a dictionary of something else than tensors")
    storages = {tensor.storage for tensor in tensors.values()}
    if sorted(storage.key for storage in storages) != sorted(keys):
        raise ValueError("other storages than those of its tensors")
    by_key = {storage.key: storage for storage in storages}
    values = {key: _values(stream, by_key[key]) for key in keys}
    if stream.read(1):
        raise ValueError("something after its last storage")
    return {name: _array(tensor, values[tensor.storage.key]) for name, tensor in tensors.items()}


def _values(stream: BinaryIO, storage: Storage) -> np.ndarray:
    """The values of a storage, whose number stands before them once more."""
    length = 8 + storage.size * storage.dtype.itemsize
    content = stream.read(length)
    if len(content) != length or struct.unpack_from("<q", content) != (storage.size,):
        raise ValueError(f"a storage without its {storage.size} values")
    return np.frombuffer(content, storage.dtype, offset=8)


def _array(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    numbers = (tensor.offset, *tensor.shape, *tensor.strides)
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"a tensor of shape {tensor.shape} and strides {tensor.strides}")
    last = tensor.offset + sum((side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides, strict=True))
    if last >= len(values) or math.prod(tensor.shape) > len(values):
        raise ValueError(f"a tensor of shape {tensor.shape} in a storage of {len(values)} values")
    strides = [stride * values.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides).copy()


def _unpickled(stream: BinaryIO) -> object:
    """The value that the next pickle in a stream describes; the stream then stands after it."""
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(stream):
        machine.step(opcode.name, argument)
    (value,) = machine.stack
    return value


class _Machine:
    """The stack and the memory on which the instructions of a pickle work."""

    def __init__(self) -> None:
        self.stack: list = []
        self.memory: dict[object, object] = {}

    def step(self, instruction: str, argument: object) -> None:
        if instruction in LITERALS:
            self.stack.append(argument)
        elif instruction in CONSTANTS:
            self.stack.append(CONSTANTS[instruction])
        elif instruction in INSTRUCTIONS:
            INSTRUCTIONS[instruction](self, argument)
        elif instruction not in ("PROTO", "STOP"):
            raise ValueError(f"the instruction {instruction}")

    def store(self, number: object) -> None:
        self.memory[number] = self.stack[-1]

    def recall(self, number: object) -> None:
        self.stack.append(self.memory[number])

    def name(self, words: object) -> None:
        if words not in NAMES:
            raise ValueError(f"the name {str(words).replace(' ', '.')}, which has no business in a file of weights")
        self.stack.append(Name(str(words)))

    def last(self, count: int) -> list:
        """Take so many values off the stack."""
        values = [self.stack.pop() for _ in range(count)]
        return values[::-1]

    def marked(self) -> list:
        """Take all values since the last mark off the stack, and the mark."""
        values = []
        while (value := self.stack.pop()) is not MARK:
            values.append(value)
        return values[::-1]

    def extend(self, values: list) -> None:
        self.stack[-1].extend(values)

    def set_items(self, keys_and_values: list) -> None:
        self.stack[-1].update(zip(keys_and_values[::2], keys_and_values[1::2], strict=True))

    def reduce(self, _: object) -> None:
        """Make what a pickle would call a function for: an empty dictionary, or a tensor."""
        callee, arguments = self.last(2)
        if callee == Name(DICTIONARY) and arguments == ():
            self.stack.append({})
        elif callee == Name(TENSOR) and isinstance(arguments[0], Storage):
            self.stack.append(Tensor(*arguments[:4]))  # the others say whether it learns, and hooks
        else:
            raise ValueError("a call that makes neither a dictionary nor a tensor")

    def persistent(self, _: object) -> None:
        kind, name, key, _device, size, view = self.stack.pop()
        if kind != "storage" or type(key) is not str or type(size) is not int or size < 0 or view is not None:
            raise ValueError("something else than a storage")
        self.stack.append(Storage(DTYPES[name.words], key, size))

    def build(self, _: object) -> None:
        """Drop what PyTorch notes about a dictionary of tensors, the versions of its modules."""
        noted = self.stack.pop()
        if not isinstance(noted, dict) or not isinstance(self.stack[-1], dict):
            raise ValueError("an object with a state")


INSTRUCTIONS: dict[str, Callable[[_Machine, object], None]] = {
    "BINPUT": _Machine.store,
    "LONG_BINPUT": _Machine.store,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "GLOBAL": _Machine.name,
    "MARK": lambda machine, _: machine.stack.append(MARK),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.marked())),
    "TUPLE1": lambda machine, _: machine.stack.append(tuple(machine.last(1))),
    "TUPLE2": lambda machine, _: machine.stack.append(tuple(machine.last(2))),
    "TUPLE3": lambda machine, _: machine.stack.append(tuple(machine.last(3))),
    "APPEND": lambda machine, _: machine.extend(machine.last(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.marked()),
    "SETITEM": lambda machine, _: machine.set_items(machine.last(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.marked()),
    "REDUCE": _Machine.reduce,
    "BINPERSID": _Machine.persistent,
    "BUILD": _Machine.build,
}
