"""The benchmark by kinds: what it draws differs, and what it counts is what happens."""

from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.slow
def test_every_kind_draws_pictures_that_differ():
    import kinds_drawn

    for name, kind in (kinds_drawn.CHOSEN | kinds_drawn.UNSEEN).items():
        drawn = [np.asarray(kind(number, np.random.default_rng(number))) for number in range(3)]
        assert all(drawn[0].shape == picture.shape for picture in drawn), name
        assert not any((drawn[0] == picture).all() for picture in drawn[1:]), name


@pytest.mark.slow
def test_different_pictures_and_copies_are_counted(tmp_path):
    import kinds
    import kinds_drawn

    row = kinds.different(kinds_drawn.gauge, tmp_path / "different", 6)
    assert (row["pictures"], row["out of use"], row["classes lost"]) == (6, 0, 0)
    rows = {
        row["copies"]: row for row in kinds.found([kinds_drawn.scene(1), kinds_drawn.scene(2)], tmp_path / "copies")
    }
    assert rows["half"]["alike"] == rows["half"]["out of use"] == 1
    assert rows["watermark"]["out of use"] == 0
    assert rows["of another picture, or such pairs"]["out of use"] == 0
