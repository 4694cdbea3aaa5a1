"""A service under load, before bad manners, and when it is stopped: real sockets, real signals."""

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import requests
from helpers import coloured, encoded

from toolkit import runtime, serve
from toolkit.model.classifier import Classifier
from toolkit.serve import server

PICTURE = encoded(coloured(0, 1, side=48))


class Slow(Classifier):
    """A model that takes as long as it is told."""

    name = "slow"

    def __init__(self, inner, seconds):
        self.inner, self.seconds, self.batches = inner, seconds, []
        self.classes, self.size, self.resize_mode = inner.classes, inner.size, inner.resize_mode

    def _answers(self, pictures):
        self.batches.append(len(pictures))
        time.sleep(self.seconds)
        return self.inner._answers(pictures)


@pytest.fixture
def slow(exported):
    return Slow(runtime.load(exported / "small.tflite", threads=1), 0.2)


@pytest.fixture
def serving(exported, monkeypatch):
    monkeypatch.setattr(server, "QUIET", 0)
    monkeypatch.setattr(server, "LAST", 0)
    with contextlib.ExitStack() as open_services:

        def start(model=exported / "small.tflite", **limits):
            return open_services.enter_context(serve.open(model, serve.Config(port=0, **limits)))

        yield start


def post(service, content=PICTURE, **how):
    return requests.post(f"{service.url}/predict", data=content, timeout=30, **how)


def address(service):
    return "127.0.0.1", int(service.url.rpartition(":")[2])


def spoken(service, *parts, pause=0.0, patience=10, sent=None):
    """All that comes back for these bytes, sent with pauses; `sent` gets those that could be sent."""
    with socket.create_connection(address(service), timeout=patience) as line:
        with contextlib.suppress(OSError):  # it may be closed before all is said
            for part in parts:
                line.sendall(part)
                if sent is not None:
                    sent.append(part)
                time.sleep(pause)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := line.recv(65536):
                received += part
    return received


def refused(received):
    """Status and code of the last answer."""
    head, _, body = received.rpartition(b"\r\n\r\n")
    return int(re.findall(rb"HTTP/1.1 (\d+)", head)[-1]), json.loads(body)["error"]["code"]


def together(count, function):
    """What a function gives in as many threads."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(function())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def figure(service, name):
    lines = requests.get(f"{service.url}/metrics", timeout=10).text.splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} "))


HEAD = b"POST /predict HTTP/1.1\r\nHost: here\r\n"


@pytest.mark.slow
def test_a_body_in_chunks_is_taken_and_measured_as_it_comes(serving):
    service = serving(max_megabytes=0.1)
    assert post(service, iter([PICTURE[:100], PICTURE[100:]])).status_code == 200
    answer = post(service, iter([bytes(60_000)] * 5))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert figure(service, "toolkit_held_bytes") == 0


def test_who_asks_before_sending_too_much_is_told_without_sending(serving):
    sent = HEAD + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
    received = spoken(serving(), sent)
    assert refused(received) == (413, "too_large")
    assert b"100 Continue" not in received


@pytest.mark.slow
def test_a_body_that_comes_too_slowly_is_refused(serving):
    service = serving(receive_seconds=0.5)
    received = spoken(service, HEAD + b"Content-Length: 1000\r\n\r\n", *[b"x"] * 20, pause=0.1)
    assert refused(received) == (408, "too_slow")
    assert post(service).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("parts", [[b"POST /pre"], [HEAD, b"A: b\r\n", b"C: d\r\n", b"E: f\r\n"]])
def test_headers_that_do_not_come_are_not_waited_for(serving, parts):
    received = spoken(serving(receive_seconds=0.3), *parts, pause=0.15)
    assert refused(received) == (408, "too_slow")


@pytest.mark.slow
def test_a_line_on_which_nothing_comes_is_closed_without_a_word(serving):
    assert spoken(serving(receive_seconds=0.3)) == b""


@pytest.mark.slow
def test_who_is_turned_away_cannot_stay_by_sending_on(serving):
    sent = []
    parts = [HEAD + b"Content-Length: 1000\r\n\r\n", *[b"x"] * 60]
    received = spoken(serving(token="secret"), *parts, pause=0.1, sent=sent)
    assert refused(received) == (401, "unauthorized")
    assert b"connection: close" in received.lower()
    assert len(sent) < len(parts)  # the line was closed while it was still sending


def test_who_is_turned_away_may_ask_again_on_the_same_line(serving):
    service = serving(max_megabytes=0.1)
    one = HEAD + f"Content-Length: {len(PICTURE)}\r\nConnection: close\r\n\r\n".encode()
    received = spoken(service, HEAD + b"Content-Length: 150000\r\n\r\n" + bytes(150_000) + one + PICTURE)
    assert [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", received)] == [413, 200]


def test_headers_without_an_end_are_cut_off(serving):
    received = spoken(serving(), HEAD, *[b"A: " + b"b" * 20_000 + b"\r\n"] * 10)
    assert refused(received) == (413, "too_large")


@pytest.mark.parametrize(
    "words", [b"GARBAGE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", HEAD + b"Content-Length: x\r\n\r\n"]
)
def test_what_is_no_http_is_refused_in_the_same_shape(serving, words):
    assert refused(spoken(serving(), words)) == (400, "bad_request")


def test_requests_behind_one_another_on_one_line_are_answered_in_order(serving):
    one = HEAD + f"Content-Length: {len(PICTURE)}\r\n".encode()
    received = spoken(serving(), one + b"\r\n" + PICTURE + one + b"Connection: close\r\n\r\n" + PICTURE)
    assert received.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.slow
def test_more_connections_than_may_be_are_closed_and_others_live_on(serving):
    service = serving(max_connections=3)
    with contextlib.ExitStack() as lines:
        opened = [lines.enter_context(socket.create_connection(address(service), timeout=5)) for _ in range(6)]
        ended = 0
        for line in opened:
            line.settimeout(0.5)
            try:
                ended += line.recv(10) == b""
            except ConnectionResetError:
                ended += 1
            except TimeoutError:
                pass
        assert ended == 3
    assert post(service).status_code == 200


@pytest.mark.slow
def test_all_requests_together_hold_so_many_bytes_and_no_more(serving):
    service = serving(held_megabytes=0.2, receive_seconds=5)
    with socket.create_connection(address(service), timeout=5) as line:
        line.sendall(HEAD + b"Content-Length: 190000\r\n\r\n" + bytes(150_000))
        deadline = time.monotonic() + 5
        while figure(service, "toolkit_held_bytes") < 150_000 and time.monotonic() < deadline:
            time.sleep(0.02)
        answer = post(service, bytes(100_000))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
    deadline = time.monotonic() + 5
    while figure(service, "toolkit_held_bytes") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert figure(service, "toolkit_held_bytes") == 0  # whoever left holds nothing
    assert post(service).status_code == 200


@pytest.mark.slow
def test_what_waits_is_asked_about_together_and_nothing_waits_when_idle(serving, slow):
    service = serving(slow, max_batch=8)
    assert post(service).status_code == 200
    slow.seconds = 0.5
    assert slow.batches == [1, 1]  # the first when it warmed up
    answers = together(12, lambda: post(service))
    assert {answer.status_code for answer in answers} == {200}
    assert max(slow.batches) > 1
    assert max(slow.batches) <= 8
    assert len(slow.batches) < 2 + 6
    shares = [list(answer.json()["predictions"][0]["probabilities"].values()) for answer in answers]
    assert np.ptp(shares, axis=0).max() < 1e-6


@pytest.mark.slow
def test_too_much_is_turned_away_at_once_with_when_to_ask_again_and_then_all_is_well(serving, slow):
    slow.seconds = 1.0
    service = serving(slow, max_queue=4, max_pictures=4, max_batch=1)

    answers = together(16, lambda: post(service))  # in the order in which they came
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 503}
    assert codes.count(200) >= 4
    assert codes[-3:] == [200] * 3  # those who were turned away did not wait for those who were not
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["error"]["code"] == "overloaded"
            assert answer.headers["retry-after"] == "1"
    assert figure(service, "toolkit_waiting_pictures") == 0
    slow.seconds = 0.0
    assert [post(service).status_code for _ in range(3)] == [200] * 3


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_given_up_and_what_waited_is_not_computed(serving, slow):
    service = serving(slow, answer_seconds=0.3, max_batch=1)
    slow.seconds = 2.0
    found = together(4, lambda: post(service))
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in found} == {(504, "timeout")}
    slow.seconds = 0.0
    time.sleep(2.2)
    assert post(service).status_code == 200
    assert len(slow.batches) == 1 + 1 + 1  # warming up, the one begun, the last
    assert figure(service, "toolkit_waiting_pictures") == 0


def test_what_breaks_inside_is_one_500_that_tells_nothing_and_the_next_is_answered(serving, slow, caplog):
    service = serving(slow)
    slow.seconds = "no number"
    answer = post(service)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "number" not in answer.text
    slow.seconds = 0
    assert post(service).status_code == 200
    assert "TypeError" in caplog.text


@pytest.mark.slow
def test_a_proxy_is_believed_only_if_it_is_named(serving):
    for proxy, expected in (("", 429), ("127.0.0.1", 200)):
        service = serving(rate=0.5, proxy=proxy)
        found = [post(service, headers={"X-Forwarded-For": f"10.0.0.{number}"}).status_code for number in range(3)]
        assert found == [200, expected, expected]


@pytest.fixture
def process(exported):
    """The command line as a process of its own."""
    words = [sys.executable, "-m", "toolkit", "serve", str(exported / "small.tflite"), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        started.url = started.stdout.readline().strip().removesuffix("/docs")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{started.url}/readyz", timeout=5).ok:
                    break
            time.sleep(0.05)
        yield started
        started.kill()


def ask_until_refused(process, keep, lost, answered):
    """Ask over and over; an answer that was begun or asked for and did not come is lost."""
    host = process.url.removeprefix("http://")
    line = http.client.HTTPConnection(host, timeout=20)
    while True:
        if not keep:
            line = http.client.HTTPConnection(host, timeout=20)
        try:
            if line.sock is None:
                line.connect()
        except ConnectionError:
            return
        try:
            line.request("POST", "/predict", PICTURE)
            answer = line.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            lost.append(repr(error))
            return
        answered.append(answer.status)
        if not json.loads(content)["predictions"]:
            lost.append(content)
        if not keep:
            line.close()


@pytest.mark.slow
@pytest.mark.parametrize("keep", [True, False], ids=["one line each", "a new line each time"])
def test_sigterm_in_the_middle_loses_no_request_that_was_taken(process, keep):
    lost, answered = [], []
    threads = [threading.Thread(target=ask_until_refused, args=(process, keep, lost, answered)) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    before = len(answered)
    process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert before > 20
    assert set(answered) == {200}
    assert lost == []
    assert process.wait(20) in (0, -signal.SIGTERM)
    assert process.stderr.read() == ""


@pytest.mark.slow
def test_while_it_stops_it_is_not_ready_and_ctrl_c_is_a_way_to_end_it(process):
    process.send_signal(signal.SIGINT)
    found = set()
    with contextlib.suppress(requests.ConnectionError):
        while True:
            answer = requests.get(f"{process.url}/readyz", timeout=5)
            found.add((answer.status_code, answer.headers.get("connection")))
            time.sleep(0.02)
    assert (503, "close") in found
    assert process.wait(20) == 0
    assert process.stderr.read() == ""
