"""Earlier names of keywords still work, and say what they are called now."""

import inspect

import pytest

from toolkit import crossval, labels, review, serve, train, tune
from toolkit.core import moved

EARLIER = [(crossval.run, "log"), (labels.check, "log"), (tune.search, "log"), (train.fit, "on_epoch")]


@moved.keywords(say="log", watch="on_epoch")
def done(subject, *, log=None, on_epoch=None):
    return subject, log, on_epoch


def test_an_earlier_keyword_does_what_todays_does_and_says_its_name():
    with pytest.warns(FutureWarning, match="say of .*test_moved.done is now called log"):
        assert done(1, say=2) == (1, 2, None)
    assert done(1, log=2, on_epoch=3) == (1, 2, 3)


def test_an_unknown_keyword_is_refused_as_ever():
    with pytest.raises(TypeError, match="told"):
        done(1, told=2)


@pytest.mark.parametrize("function", [serve.run, review.serve])
def test_services_are_told_of_by_both_names(function):
    with pytest.warns(FutureWarning, match="told of .* is now called on_start"), pytest.raises(TypeError):
        function(told=print)  # what is to be served is missing


@pytest.mark.parametrize(("function", "name"), EARLIER)
def test_the_signature_shows_todays_names(function, name):
    assert name in inspect.signature(function).parameters
