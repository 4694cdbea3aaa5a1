"""The reader of legacy PyTorch files: what it gives, and that nothing a file says is ever run."""

import hashlib
import os
import pickle

import numpy as np
import pickles
import pytest

from toolkit.errors import BundleError
from toolkit.networks import torch_file

MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)
ARRAYS = {
    "conv.weight": np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 2, 2),
    "turned": MATRIX.T,  # its strides are those of another order of axes
    "bn.num_batches_tracked": np.array(7, np.int64),
    "counts": np.array([3, -(2**40)], np.int64),
}


def read(folder, content, *, sha256=None):
    file = folder / "weights.pth"
    file.write_bytes(content)
    return torch_file.read(file, sha256=sha256 or hashlib.sha256(content).hexdigest())


def refused(folder, content, words="expected"):
    with pytest.raises(BundleError, match=words):
        read(folder, content)


def test_tensors_are_read_as_they_were_stored(tmp_path):
    back = read(tmp_path, pickles.saved(ARRAYS))
    assert list(back) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert np.array_equal(back[name], array)
        back[name][...] = 0  # they are the caller's own


def test_tensors_may_share_a_storage_and_begin_within_it(tmp_path):
    stored = pickles.storage("a", 6)
    views = {
        "all": pickles.tensor(stored, shape=[6], strides=[1]),
        "second row": pickles.tensor(stored, shape=[3], strides=[1], offset=3),
    }
    back = read(tmp_path, pickles.file(pickles.state(views), keys=["a"], values=pickles.stored(MATRIX)))
    assert back["all"].tolist() == [0, 1, 2, 3, 4, 5]
    assert back["second row"].tolist() == [3, 4, 5]


def test_what_pytorch_notes_about_a_dictionary_is_passed_over(tmp_path):
    assert read(tmp_path, pickles.file(pickles.EMPTY + b"}b")) == {}


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"expected weights in .*nothing.pth, could not read it: No such file"):
        torch_file.read(tmp_path / "nothing.pth", sha256="")


def test_another_file_is_refused_before_anything_in_it_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_file, "_tensors", lambda stream: pytest.fail("it was looked at"))
    with pytest.raises(BundleError, match=r"expected .*weights.pth with sha256 000000000000…, got"):
        read(tmp_path, pickles.saved(ARRAYS), sha256="0" * 64)


class Command:
    """What runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def attacks(command):
    """Pickles that run a command, by what they are made of: every instruction there is that can call something."""
    call = b"(" + pickles.text(command)
    system = f"c{os.system.__module__}\nsystem\n".encode()
    ways = {f"protocol {protocol}": pickle.dumps(Command(command), protocol) for protocol in range(6)}
    ways["in a dictionary"] = pickle.dumps({"weight": Command(command)}, 2)
    ways["built-in"] = b"cbuiltins\neval\n" + call[:1] + pickles.text(f"__import__('os').system({command!r})") + b"tR."
    ways["an old class"] = call + f"i{os.system.__module__}\nsystem\n.".encode()
    ways["an object"] = b"(" + system + pickles.text(command) + b"o."
    ways["by attributes"] = b"\x80\x04" + pickles.text(os.system.__module__) + pickles.text("system") + b"\x93" + call
    ways["by attributes"] += b"tR."
    ways["a class made new"] = b"\x80\x02" + b"csubprocess\nPopen\n" + call + b"t\x81."
    return ways


@pytest.mark.parametrize("way", attacks(""))
@pytest.mark.parametrize("part", ["tensors", "keys", "first of all"])
def test_a_pickle_that_would_run_a_command_runs_none(tmp_path, way, part):
    attack = attacks(f"touch {tmp_path / 'executed'}")[way]
    header, keys = pickles.file(b"")[: -len(b"\x80\x02." + pickle.dumps([], 2))], pickle.dumps([], 2)
    contents = {
        "tensors": header + attack + keys,
        "keys": header + b"\x80\x02" + pickles.EMPTY + b"." + attack,
        "first of all": attack + header,
    }
    refused(tmp_path, contents[part], "expected tensors as PyTorch before 1.6 stored them in .*weights.pth, got: ")
    assert not (tmp_path / "executed").exists()


def test_the_attacks_are_real_ones(tmp_path):
    marker = tmp_path / "executed"
    for way, attack in attacks(f"touch {marker}").items():
        if way != "a class made new":  # which starts a program of this name, and there is none
            pickle.loads(attack)
            assert marker.exists(), way
            marker.unlink()


FLOATS = b"ctorch\nFloatStorage\n"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"ctorch\nload\n", "the name torch.load, which has no business in a file of weights"),
        (b"ctorch._utils\n_rebuild_parameter\n", "no business"),
        (b"ctoolkit.networks.torch_file\nread\n", "no business"),
        (FLOATS + b")R", "a call that makes neither"),
        (pickles.text("torch FloatStorage") + b")R", "a call that makes neither"),
        (pickles.EMPTY + b")R", "a call that makes neither"),
        (b"ccollections\nOrderedDict\n" + pickles.several(b"]") + b"R", "a call that makes neither"),
        (REBUILD + pickles.several(pickles.number(1)) + b"R", "a call that makes neither"),
        (REBUILD + b")R", "out of range"),
        (REBUILD + b"}b", "an object with a state"),
        (b"ccollections\nOrderedDict\n}b", "an object with a state"),
        (pickles.EMPTY + pickles.several(b"N", b"}") + b"b", "an object with a state"),
        (b"Pmodule\n", "the instruction PERSID"),
        (b"\x82\x01", "the instruction EXT1"),
        (b"G" + bytes(8), "the instruction BINFLOAT"),
        (pickles.text("storage") + b"Q", "to unpack"),
        (pickles.several(pickles.text("module"), *[b"N"] * 5) + b"Q", "something else than a storage"),
        (pickles.storage("a", 1, kind="HalfStorage"), "torch.HalfStorage"),
        (b"0", "the instruction POP"),
        (b"t", "pop from empty list"),
        (b"h\x05", "5"),
        (b"", "not enough values"),
        (b"NN", "too many values"),
        (b"N", "something else than a dictionary and a list"),
        (pickles.EMPTY + b"(" + pickles.text("epoch") + pickles.number(3) + b"u", "something else than tensors"),
        (pickles.EMPTY + b"(" + pickles.text("epoch") + b"u", "shorter"),
        (pickles.EMPTY + b"(}" + pickles.number(3) + b"u", "unhashable"),
    ],
)
def test_what_is_not_a_dictionary_of_tensors_is_refused(tmp_path, body, words):
    refused(tmp_path, pickles.file(body), words)


@pytest.mark.parametrize(
    "change", [{"magic": 7}, {"version": 1002}, {"machine": {"little_endian": False}}, {"machine": 1}]
)
def test_a_file_of_another_kind_is_refused(tmp_path, change):
    refused(tmp_path, pickles.file(pickles.EMPTY, **change), "another format")


@pytest.mark.parametrize(
    "how",
    [
        {"shape": [7], "strides": [1]},
        {"shape": [2, 3], "strides": [4, 1]},
        {"shape": [3], "strides": [1], "offset": 4},
        {"shape": [3], "strides": [-1], "offset": 5},
        {"shape": [-3], "strides": [1]},
        {"shape": [3], "strides": [1], "offset": -1},
        {"shape": [2**31 - 1, 2**31 - 1], "strides": [0, 0]},  # would fill the memory
        {"shape": [2, 3], "strides": [1]},
    ],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path, how):
    body = pickles.state({"weight": pickles.tensor(pickles.storage("a", 6), **how)})
    refused(tmp_path, pickles.file(body, keys=["a"], values=pickles.stored(MATRIX)), "a tensor of shape|argument")


@pytest.mark.parametrize(
    ("size", "keys", "values", "words"),
    [
        (6, ["a"], b"", "a storage without its 6 values"),
        (6, ["a"], pickles.stored(MATRIX)[:-1], "a storage without its 6 values"),
        (6, ["a"], pickles.stored(MATRIX) + b"\0", "something after its last storage"),
        (5, ["a"], pickles.stored(MATRIX), "a storage without its 5 values"),
        (-1, ["a"], pickles.stored(MATRIX), "something else than a storage"),
        (2**31 - 1, ["a"], pickles.stored(MATRIX), "a storage without its"),
        (6, [], pickles.stored(MATRIX), "other storages than those of its tensors"),
        (6, ["a", "a"], 2 * pickles.stored(MATRIX), "other storages than those of its tensors"),
        (6, ["b"], pickles.stored(MATRIX), "other storages than those of its tensors"),
    ],
)
def test_a_storage_that_is_not_as_large_as_it_says_is_refused(tmp_path, size, keys, values, words):
    body = pickles.state({"weight": pickles.tensor(pickles.storage("a", size), shape=[2, 3], strides=[3, 1])})
    refused(tmp_path, pickles.file(body, keys=keys, values=values), words)


def test_a_storage_of_two_kinds_is_refused(tmp_path):
    views = {
        kind: pickles.tensor(pickles.storage("a", 6, kind=kind), shape=[6], strides=[1])
        for kind in ("FloatStorage", "LongStorage")
    }
    refused(tmp_path, pickles.file(pickles.state(views), keys=["a"], values=pickles.stored(MATRIX)), "other storages")


@pytest.mark.slow
def test_a_file_that_ends_too_early_is_refused_wherever_it_ends(tmp_path):
    content = pickles.saved(ARRAYS)
    for length in range(len(content)):
        refused(tmp_path, content[:length])


@pytest.mark.slow
def test_damage_is_refused_or_changes_values_but_never_does_anything_else(tmp_path):
    content, random = pickles.saved(ARRAYS), np.random.default_rng(3)
    for _ in range(1500):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            damaged[place] = random.integers(0, 256)
        try:
            arrays = read(tmp_path, bytes(damaged))
        except BundleError:
            continue
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
