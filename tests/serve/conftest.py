"""Services that end without waiting, for tests that start many."""

import pytest

from toolkit.serve import server


@pytest.fixture(scope="module")
def stops_at_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "QUIET", 0)
        patch.setattr(server, "LAST", 0)
        yield
