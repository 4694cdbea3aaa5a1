"""What an answer takes: told by the system of a process that does nothing else."""

import json
import math
import subprocess
import sys

import pytest
from helpers import untrained

from toolkit import bundle
from toolkit.errors import BundleError
from toolkit.evaluation import memory


@pytest.mark.slow
def test_memory_is_measured_in_a_fresh_process_and_kept(tmp_path):
    runs = [untrained(tmp_path / "small"), untrained(tmp_path / "large", size=64)]
    assert math.isnan(memory.stored(runs[0]))
    found = memory.measure(runs)
    assert list(found) == ["small", "large"]
    assert all(100 < megabytes < 4000 for megabytes in found.values())  # TensorFlow alone takes hundreds
    assert memory.stored(bundle.load(runs[1].folder)) == found["large"]
    stored = json.loads((runs[0].folder / memory.FILE).read_text())
    (runs[0].folder / memory.FILE).write_text(json.dumps(stored | {"megabytes": 1.5}))
    assert memory.measure(runs)["small"] == 1.5


def test_what_was_measured_of_another_model_does_not_count(tmp_path):
    run = untrained(tmp_path / "run")
    (run.folder / memory.FILE).write_text(json.dumps({"sha256": "of another", "megabytes": 9.0}))
    assert math.isnan(memory.stored(run))


@pytest.mark.slow
def test_a_model_that_cannot_be_opened_is_named_with_the_reason(tmp_path):
    run = untrained(tmp_path / "run")
    (run.folder / bundle.MODEL).write_bytes(b"no model")
    with pytest.raises(BundleError, match="run to answer in a process of its own, got: .*train the run again"):
        memory.measure([run])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no peak to tell")
def test_the_peak_is_that_of_the_process_in_megabytes():
    program = "from toolkit import memory; held = bytearray(200_000_000); del held; print(memory._peak())"
    plain = program.replace("200_000_000", "1")
    peaks = [
        float(subprocess.run([sys.executable, "-c", one], capture_output=True, text=True, check=True).stdout)
        for one in (plain, program)
    ]
    assert 180 < peaks[1] - peaks[0] < 220
