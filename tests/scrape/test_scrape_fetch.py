"""Downloading from a server that is busy, slow, broken or lying."""

import email.utils
import gzip
import re
import socket
import threading
import time
import tracemalloc
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
import zoo
from hypothesis import given
from hypothesis import strategies as st

from toolkit import images
from toolkit.scrape.fetch import Fetcher, Refused, retry_after
from toolkit.scrape.item import Options

HERE = ("127.0.0.0/8", "::1/128")  # where the tests' server may be reached
PICTURE = zoo.encoded(zoo.scene(), "PNG")


class Site:
    """A server on this machine: `pages` gives for a path what it answers, one after the other, the last for ever."""

    def __init__(self):
        self.pages, self.asked, self.headers, self.lock = {}, Counter(), [], threading.Lock()
        self.taken = []  # paths whose endless answer was read to its end

    def address(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, handler):
        path = urlsplit(handler.path).path
        with self.lock:
            self.asked[path] += 1
            self.headers.append(dict(handler.headers))
            answers = self.pages.get(path, [reply(404)])
            page = answers.pop(0) if len(answers) > 1 else answers[0]
        page(handler)


def reply(status=200, body=b"", length=None, **headers):
    """Answer with a status, a body, and headers; `length` is what it claims."""

    def page(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, text in headers.items():
            handler.send_header(name.replace("_", "-"), text)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = length is not None

    return page


def drop(handler):
    """Hang up without an answer."""
    handler.close_connection = True


def drip(handler):
    """Send a picture byte by byte, for twenty seconds."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(PICTURE[:16])
    for _ in range(1000):
        handler.wfile.write(b"\0")
        handler.wfile.flush()
        time.sleep(0.02)


def dripping_head(handler):
    """Begin an answer and come to its end late, with a picture."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(200):
        handler.wfile.write(f"X-{number % 50}: a\r\n".encode())
        handler.wfile.flush()
        time.sleep(0.02)
    handler.wfile.write(b"\r\n" + PICTURE)


def endless_redirect(handler):
    """Redirect, with a body of five seconds; note when all of it was taken."""
    handler.send_response(302)
    handler.send_header("Location", "/a.png")
    handler.end_headers()
    for _ in range(500):
        handler.wfile.write(bytes(1 << 16))
        time.sleep(0.01)
    handler.taken.append(handler.path)


GOOD = reply(200, PICTURE, Content_Type="image/png")


@pytest.fixture
def site():
    here = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version, taken = "HTTP/1.1", here.taken

        def do_GET(self):
            here.answer(self)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads, block_on_close, request_queue_size = True, False, 64

        def handle_error(self, request, client_address):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    here.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield here
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def fetcher(slept):
    made = Fetcher(Options(allow=HERE, timeout=5), sleep=slept.append)
    yield made
    made._session().close()


def refused(fetcher, address):
    with pytest.raises(Refused) as caught:
        fetcher.get(address)
    return caught.value.reason


def test_a_picture_is_downloaded_with_a_name_in_the_request(site, fetcher, slept):
    site.pages["/a.png"] = [GOOD]
    assert fetcher.get(site.address("/a.png?width=640&s=AbC")) == PICTURE
    assert slept == []
    assert site.headers[0]["User-Agent"].startswith("image-classifier-toolkit/")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 524])
def test_a_busy_server_is_asked_again(site, fetcher, slept, status):
    site.pages["/a.png"] = [reply(status), reply(status), GOOD]
    assert fetcher.get(site.address("/a.png")) == PICTURE
    assert site.asked["/a.png"] == 3
    assert len(slept) == 2 and all(0 <= pause <= 1 for pause in slept)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 204])
def test_a_final_answer_is_not_asked_for_again(site, fetcher, slept, status):
    site.pages["/a.png"] = [reply(status), GOOD]
    assert refused(fetcher, site.address("/a.png")) == f"HTTP {status}"
    assert site.asked["/a.png"] == 1 and slept == []


def test_a_server_that_stays_busy_is_given_up(site, fetcher, slept):
    site.pages["/a.png"] = [reply(503)]
    assert refused(fetcher, site.address("/a.png")) == "HTTP 503"
    assert site.asked["/a.png"] == 4 and len(slept) == 3


def test_the_time_a_server_asks_for_is_waited(site, fetcher, slept):
    site.pages["/a.png"] = [reply(429, Retry_After="7"), GOOD]
    assert fetcher.get(site.address("/a.png")) == PICTURE
    assert slept[0] == 7
    assert 6 < slept[1] <= 7  # nobody waited in truth, so the host still wants its time


def test_a_date_to_come_back_at_is_waited_for(site, fetcher, slept):
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    site.pages["/a.png"] = [reply(503, Retry_After=date), GOOD]
    assert fetcher.get(site.address("/a.png")) == PICTURE
    assert 25 < slept[0] <= 31


def test_no_server_is_waited_for_longer_than_the_limit(site, slept):
    site.pages["/a.png"] = [reply(429, Retry_After="86400"), GOOD]
    assert Fetcher(Options(allow=HERE, max_wait=20), sleep=slept.append).get(site.address("/a.png")) == PICTURE
    assert all(pause <= 20 for pause in slept)


def test_other_pictures_of_a_busy_host_wait_too_and_other_hosts_do_not(site, fetcher, slept):
    site.pages["/busy.png"], site.pages["/a.png"] = [reply(404, Retry_After="9")], [GOOD]
    site.pages["/busy.png"] = [reply(429, Retry_After="9")]
    refused(fetcher, site.address("/busy.png"))
    slept.clear()
    fetcher.get(site.address("/a.png"))
    assert len(slept) == 1 and 7 < slept[0] <= 9
    slept.clear()
    fetcher.get(site.address("/a.png").replace("127.0.0.1", "localhost"))
    assert slept == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("", 0), ("7", 7), (" 12 ", 12), ("-3", 0), ("soon", 0), ("²", 0), ("1.5", 0)]
    + [
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0),
        ("Thu, 99 Jan 9999 99:99:99 GMT", 0),
    ],
)
def test_a_retry_after_is_seconds_or_a_date_or_nothing(header, seconds):
    assert retry_after(header, now=60.0) == seconds


@given(st.one_of(st.text(), st.from_regex(r"\w{3}, \d{1,3} Jan \d{1,5} \d\d:\d\d:\d\d (GMT|[+-]\d{4})")))
def test_no_retry_after_is_an_error(header):
    assert retry_after(header, now=0.0) >= 0


# What comes back


def test_a_declared_size_beyond_the_limit_is_refused_before_it_is_read(site, slept):
    site.pages["/a.png"] = [reply(200, PICTURE[:50], length=10**9)]
    fetcher = Fetcher(Options(allow=HERE, max_bytes=1000), sleep=slept.append)
    assert refused(fetcher, site.address("/a.png")) == "1,000,000,000 bytes, more than the limit of 1,000"
    assert slept == []


def test_a_size_that_was_not_declared_is_counted(site, slept):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(PICTURE + bytes(5000))
        handler.close_connection = True

    site.pages["/a.png"] = [endless]
    fetcher = Fetcher(Options(allow=HERE, max_bytes=4000), sleep=slept.append)
    assert refused(fetcher, site.address("/a.png")) == "more than the limit of 4,000 bytes"
    assert slept == []


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (reply(200, b"<html>", Content_Type="text/html; charset=utf-8"), "a web page, not a picture"),
        (reply(200, b"<!doctype html>", Content_Type="image/jpeg"), "not a picture in a format that is read"),
        (reply(200, b'{"error": 1}', Content_Type="application/json"), "not a picture in a format that is read"),
        (reply(200, b""), "empty"),
    ],
)
def test_what_is_no_picture_is_refused(site, fetcher, slept, page, reason):
    site.pages["/a.png"] = [page]
    assert refused(fetcher, site.address("/a.png")) == reason
    assert slept == []


def test_a_picture_that_is_called_a_web_page_is_taken(site, fetcher):
    site.pages["/a.png"] = [reply(200, PICTURE, Content_Type="text/html; charset=UTF-8")]
    assert fetcher.get(site.address("/a.png")) == PICTURE


@pytest.mark.parametrize(
    ("status", "headers", "taken"),
    [
        (203, {}, True),
        (206, {"Content_Range": f"bytes 0-{len(PICTURE) - 1}/{len(PICTURE)}"}, True),
        (206, {"Content_Range": f"bytes 0-{len(PICTURE) - 1}/{len(PICTURE) + 1}"}, False),
        (206, {}, False),
        (204, {}, False),
    ],
)
def test_a_whole_picture_is_taken_whatever_kind_of_success_it_is_called(site, fetcher, status, headers, taken):
    site.pages["/a.png"] = [reply(status, PICTURE, **headers)]
    if taken:
        assert fetcher.get(site.address("/a.png")) == PICTURE
    else:
        assert refused(fetcher, site.address("/a.png")) == f"HTTP {status}"


def raw_deflate(content):
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(content) + packing.flush()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(PICTURE), "gzip"),
        (gzip.compress(PICTURE), "x-gzip"),
        (gzip.compress(PICTURE), ""),  # which no header says
        (zlib.compress(PICTURE), "deflate"),
        (raw_deflate(PICTURE), "deflate"),
        (gzip.compress(zlib.compress(PICTURE)), "deflate, gzip"),
        (PICTURE, "gzip"),  # which is not true
        (PICTURE, "deflate"),
        (PICTURE, "identity"),
    ],
)
def test_a_picture_that_comes_packed_is_unpacked(site, fetcher, body, encoding):
    site.pages["/a.png"] = [reply(200, body, **({"Content_Encoding": encoding} if encoding else {}))]
    assert fetcher.get(site.address("/a.png")) == PICTURE


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (gzip.compress(PICTURE + bytes(50_000_000)), "gzip", "more than the limit of 60,000 bytes"),
        (gzip.compress(PICTURE)[:-20], "gzip", "damaged: it breaks off within what is packed"),
        (gzip.compress(PICTURE)[:-8] + bytes(8), "gzip", "damaged: Error -3 while decompressing data"),
        (PICTURE, "br", "packed as br, which was not asked for"),
        (gzip.compress(b"<html>", mtime=0), "gzip", "not a picture in a format that is read"),
    ],
)
def test_what_is_packed_is_bounded_as_what_is_not(site, slept, body, encoding, reason):
    site.pages["/a.png"] = [reply(200, body, Content_Encoding=encoding)]
    fetcher = Fetcher(Options(allow=HERE, max_bytes=60_000), sleep=slept.append)
    tracemalloc.start()
    assert refused(fetcher, site.address("/a.png")).startswith(reason)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_web_page_is_not_read_to_its_end(site, fetcher):
    page = b"<html>" + bytes(3_000_000)
    site.pages["/a.png"] = [reply(200, page, length=20_000_000, Content_Type="text/html")]
    assert refused(fetcher, site.address("/a.png")) == "a web page, not a picture"


@pytest.mark.parametrize(
    "header",
    ["noai", "noimageai", "noindex, nofollow", "NOINDEX", "none", "otherbot: noai", "max-snippet:0,noimageindex"],
)
def test_a_site_that_asks_not_to_be_used_is_not_used(site, fetcher, slept, header):
    site.pages["/a.png"] = [reply(200, PICTURE, X_Robots_Tag=header)]
    assert refused(fetcher, site.address("/a.png")).startswith("its site asks not to use it (X-Robots-Tag: no")
    assert slept == []


@pytest.mark.parametrize("header", ["all", "nofollow", "unavailable_after: 2030-01-01", "noarchive", ""])
def test_other_wishes_of_a_site_are_no_refusal(site, fetcher, header):
    site.pages["/a.png"] = [reply(200, PICTURE, X_Robots_Tag=header)]
    assert fetcher.get(site.address("/a.png")) == PICTURE


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(site, slept):
    site.pages["/a.png"] = [reply(200, PICTURE)]
    fetcher = Fetcher(Options(allow=HERE, max_pixels=zoo.scene().width * zoo.scene().height - 1), sleep=slept.append)
    assert "pixels" in refused(fetcher, site.address("/a.png")) and slept == []
    bomb = bytearray(PICTURE)
    bomb[16:24] = (200_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    site.pages["/b.png"] = [reply(200, bytes(bomb))]
    fetcher = Fetcher(Options(allow=HERE), sleep=slept.append)
    assert refused(fetcher, site.address("/b.png")) == f"more than the limit of {images.MAX_PIXELS:,} pixels"


def test_a_picture_with_no_or_another_type_is_taken(site, fetcher):
    site.pages["/a.png"] = [reply(200, PICTURE), reply(200, PICTURE, Content_Type="text/plain")]
    assert fetcher.get(site.address("/a.png")) == fetcher.get(site.address("/a.png")) == PICTURE


@pytest.mark.parametrize("fault", [drop, reply(200, PICTURE[:100], length=len(PICTURE))])
def test_a_connection_that_breaks_is_tried_again(site, fetcher, slept, fault):
    site.pages["/a.png"] = [fault, GOOD]
    assert fetcher.get(site.address("/a.png")) == PICTURE
    assert len(slept) == 1
    site.pages["/b.png"] = [fault]
    assert refused(fetcher, site.address("/b.png")).startswith("connection: ")


@pytest.mark.slow
def test_a_slow_drip_meets_the_deadline(site, slept):
    site.pages["/a.png"] = [drip]
    fetcher = Fetcher(Options(allow=HERE, deadline=0.5, tries=2), sleep=slept.append)
    assert refused(fetcher, site.address("/a.png")) == "slower than 0.5 seconds"


def test_an_answer_whose_head_never_ends_meets_the_deadline(site, slept):
    site.pages["/a.png"] = [dripping_head]
    fetcher = Fetcher(Options(allow=HERE, deadline=0.3, tries=2), sleep=slept.append)
    assert refused(fetcher, site.address("/a.png")).startswith("connection: ")


@pytest.mark.slow
def test_waiting_for_ones_turn_does_not_count_as_slow(site):
    def slow(handler):
        time.sleep(0.3)
        GOOD(handler)

    site.pages["/a.png"] = [slow]
    fetcher = Fetcher(Options(allow=HERE, deadline=0.7, per_host=1, tries=1))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fetcher.get, [site.address("/a.png")] * 4)) == [PICTURE] * 4


def test_a_server_that_says_nothing_is_left(site, slept):
    site.pages["/a.png"] = [lambda handler: time.sleep(2)]
    fetcher = Fetcher(Options(allow=HERE, timeout=0.2, tries=2), sleep=slept.append)
    assert refused(fetcher, site.address("/a.png")) == "connection: ReadTimeout"


# Redirects and addresses


def test_a_redirect_is_followed_but_not_in_circles(site, fetcher):
    site.pages["/old.png"], site.pages["/a.png"] = [reply(301, Location="/a.png")], [GOOD]
    assert fetcher.get(site.address("/old.png")) == PICTURE
    site.pages["/loop.png"] = [reply(302, Location="/loop.png")]
    assert (
        refused(fetcher, site.address("/loop.png"))
        == "too many redirects; the site may want cookies, which are not kept"
    )
    assert site.asked["/loop.png"] <= 7


def test_a_redirect_to_the_picture_of_a_removed_picture_is_refused(site, fetcher):
    site.pages["/a.png"] = [reply(302, Location="/i.imgur.com/removed.png")]
    site.pages["/i.imgur.com/removed.png"] = [GOOD]
    assert refused(fetcher, site.address("/a.png")) == "placeholder of a removed picture"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a.png", "http://["])
def test_a_redirect_to_what_is_no_web_address_is_refused(site, fetcher, slept, target):
    site.pages["/a.png"] = [reply(302, Location=target)]
    assert refused(fetcher, site.address("/a.png")).startswith("bad address: ")
    assert slept == []


def test_a_redirect_is_followed_without_reading_what_comes_with_it(site, fetcher):
    site.pages["/old.png"], site.pages["/a.png"] = [endless_redirect], [GOOD]
    assert fetcher.get(site.address("/old.png")) == PICTURE
    assert site.taken == []


@pytest.mark.parametrize(
    "target",
    ["http://10.0.0.1/a.png", "http://169.254.169.254/latest", "//192.168.1.1/a.png", "http://[::ffff:10.0.0.1]/a.png"],
)
def test_a_redirect_to_a_private_address_is_refused(site, fetcher, slept, target):
    site.pages["/a.png"] = [reply(302, Location=target)]
    assert refused(fetcher, site.address("/a.png")).endswith("which is not a public address")
    assert slept == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "2130706433", "0x7f.1", "127.1", "[::1]"])
def test_this_machine_is_refused_however_it_is_written_before_a_byte_is_sent(site, slept, host):
    site.pages["/a.png"] = [GOOD]
    fetcher = Fetcher(Options(), sleep=slept.append)
    assert refused(fetcher, f"http://{host}:{site.port}/a.png").endswith("which is not a public address")
    assert not site.asked and slept == []


def answering(monkeypatch, *addresses):
    """Every name has these addresses; an address is itself."""
    real, asked = socket.getaddrinfo, []

    def look_up(host, port, *rest, **options):
        if re.fullmatch(r"[\d.]+|.*:.*", host):
            return real(host, port, *rest, **options)
        asked.append(host)
        return [entry for address in addresses for entry in real(address, port, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("addresses", [("1.1.1.1", "10.0.0.1"), ("127.0.0.1", "10.0.0.1"), ("2606:4700::1", "fd00::1")])
def test_a_name_with_a_private_address_among_others_is_refused(monkeypatch, fetcher, slept, addresses):
    answering(monkeypatch, *addresses)
    assert refused(fetcher, "http://mixed.example/a.png") == (
        f"bad address: mixed.example is at {addresses[1]}, which is not a public address"
    )
    assert slept == []


def test_a_name_is_looked_up_once_and_the_server_is_told_the_name(monkeypatch, site, fetcher):
    site.pages["/a.png"] = [GOOD]
    asked = answering(monkeypatch, "127.0.0.2", "127.0.0.1")  # nobody listens at the first
    assert fetcher.get(f"http://cars.example:{site.port}/a.png") == PICTURE
    assert asked == ["cars.example"]
    assert site.headers[-1]["Host"] == f"cars.example:{site.port}"


def test_a_name_that_nobody_knows_is_tried_again(monkeypatch, fetcher, slept):
    def unknown(*place, **options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert refused(fetcher, "http://nowhere.example/a.png").startswith("connection: ")
    assert len(slept) == 3


def test_neither_proxies_nor_cookies_nor_passwords_of_this_machine_are_used(monkeypatch, site, fetcher, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    site.pages["/a.png"] = [reply(200, PICTURE, Set_Cookie="who=me; Path=/")]
    assert fetcher.get(site.address("/a.png")) == fetcher.get(site.address("/a.png")) == PICTURE
    assert not {"Cookie", "Authorization"} & set(site.headers[1])


@pytest.mark.parametrize(
    "address", ["", "a.png", "file:///etc/passwd", "http://", "http://[", "http://127.0.0.1:x/a", "http://a..b/c"]
)
def test_an_address_that_is_none_is_refused_at_once(fetcher, slept, address):
    assert refused(fetcher, address).startswith("bad address: ")
    assert slept == []


def test_a_port_where_nobody_listens_is_a_lost_connection(fetcher, slept):
    assert refused(fetcher, "http://127.0.0.1:9/a.png") == "connection: ConnectionError"
    assert len(slept) == 3


def test_no_more_connections_than_allowed_at_once(site):
    now, most, lock = [0], [0], threading.Lock()

    def busy(handler):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.03)
        with lock:
            now[0] -= 1
        GOOD(handler)

    site.pages["/a.png"] = [busy]
    fetcher = Fetcher(Options(allow=HERE, per_host=3))
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(fetcher.get, [site.address("/a.png")] * 24)) == [PICTURE] * 24
    assert most[0] == 3
