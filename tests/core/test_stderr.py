"""A word in a terminal while something takes long, which leaves nothing behind."""

import sys

import pytest

from toolkit.core import parallel, stderr


@pytest.fixture
def screen(monkeypatch, capsys):
    """Standard error, which becomes a terminal with the first call."""

    def written():
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.delenv("TOOLKIT_PROGRESS", raising=False)
        return capsys.readouterr().err

    return written


def test_a_notice_stands_in_a_terminal_and_is_erased_even_after_an_error(screen):
    screen()
    with pytest.raises(KeyError), stderr.notice("loading …"):
        assert screen() == "loading …"
        raise KeyError
    assert screen() == "\r         \r"


def test_no_notice_is_written_into_a_log(capsys, monkeypatch):
    monkeypatch.delenv("TOOLKIT_PROGRESS")
    with stderr.notice("loading …"):
        pass
    assert capsys.readouterr().err == ""


def test_no_notice_where_progress_is_switched_off(screen, monkeypatch):
    screen()
    monkeypatch.setenv("TOOLKIT_PROGRESS", "0")
    with stderr.notice("loading …"):
        pass
    assert screen() == ""


def test_no_notice_is_written_over_a_progress_bar(screen):
    screen()
    with parallel.progress(None, total=2, description="train"), stderr.notice("loading …"):
        pass
    said = screen()
    assert "train" in said and "loading" not in said
