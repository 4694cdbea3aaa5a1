"""A page in the browser for people: what a model is, its answers for their pictures and their camera, and a game.

    model      how good it is, what it learned from, how it compares, its card
    predict    pictures are put in; answers with bars come out, and where it looked
    camera     a snapshot, or live video
    test       twenty test pictures: who is better, you or the network?
    review     starts the review page of the dataset

It runs on this machine, reaches no other, and opens a model once for all who look at it. An exported model needs no
TensorFlow; where it looked is drawn for runs only.
"""

from collections.abc import Callable
from pathlib import Path

__all__ = ["PAGES", "serve"]

PAGES = ("model", "predict", "camera", "test", "review")


def serve(
    name: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    page: str = "model",
    abstain_below: float | None = None,
    on_start: Callable[[str], object] = lambda url: None,
) -> None:
    """Serve the app until interrupted.

    Args:
        name: a run, a `.tflite`, `.onnx` or `.keras` file, or a dataset for all its runs, the best first.
        host: address to listen at: this machine alone, or one of its addresses in the network, for a phone.
        port: None takes 8501, or any that is free.
        page: of `PAGES`, what is shown first.
        abstain_below: probability below which an answer is "not sure", 0 to 1; None does as the model says.
        on_start: called with the address of the app when it listens.

    Raises:
        ToolkitError: there is no such model or dataset, or the address is taken.
        ValueError: an option is out of range.

    >>> serve("cars_tanks/xception", on_start=print)  # doctest: +SKIP
    http://127.0.0.1:8501
    """
    if page not in PAGES or not 0 <= (abstain_below or 0) <= 1:
        raise ValueError(
            f"expected a page of {', '.join(PAGES)} and abstain_below from 0 to 1, got {page!r} and {abstain_below}"
        )
    from toolkit.app import server, state
    from toolkit.core import sockets

    private = sockets.is_loopback(host)
    settings = state.find(name, page=page, abstain_below=abstain_below, private=private)
    server.run(settings, host=host, port=port, on_start=on_start)
