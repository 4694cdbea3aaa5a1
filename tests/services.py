"""Wikimedia Commons, Openverse, Flickr and Kaggle on this machine, faults included."""

import contextlib
import io
import json
import socket
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from helpers import coloured, encoded

CC = "https://creativecommons.org"
KAGGLE = "gatewayadam/cars-and-tanks-image-classification"
DROP, DRIP = {"drop": True}, {"drip": True}
TORN = {"body": b'{"query": {"pages": [', "headers": {"Content-Length": "5000", "Connection": "close"}}
HTML = {"body": b"<!DOCTYPE html><html><title>Wikimedia Error</title></html>", "type": "text/html"}


def status(number, body=b"", **headers):
    """A fault: this status once; headers with _ for -."""
    return {"status": number, "body": body, "headers": {name.replace("_", "-"): text for name, text in headers.items()}}


@dataclass
class Services:
    """All services at one address.

    Args:
        port: 0 takes a free one.
    """

    port: int = 0
    log: list = field(default_factory=list)  # (path, parameters, headers) of every question to a service
    pictures: list = field(default_factory=list)  # names of the pictures that were asked for
    faults: list = field(default_factory=list)  # in place of the next answers of a service, in order
    always: dict | None = None  # in place of all answers
    files: list = field(default_factory=list)  # of Commons
    results: list = field(default_factory=list)  # of Openverse
    photos: list = field(default_factory=list)  # of Flickr
    batch: int = 3  # files of Commons at a time
    depth: int = 12  # pages of Openverse
    most: int = 4000  # results of a query of Flickr
    circle: bool = False  # whether continuations lead back
    version: int = 1  # of the Kaggle set
    hang: threading.Event | None = None  # Kaggle answers when it is set

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), _Handler)
        self.server.services = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def endpoints(self):
        addresses = {"wikimedia": "/w/api.php", "openverse": "/v1/", "flickr": "/services/rest/"}
        return {kind: self.url + path for kind, path in addresses.items()}

    # What there is

    def file(self, number, license="CC BY-SA 4.0", *, width=4000, **changes):
        """A file page of Commons, as `prop=imageinfo` describes it."""
        path = f"{self.url}/p/wikipedia/commons"
        fields = {
            "LicenseShortName": license,
            "LicenseUrl": f"{CC}/licenses/by-sa/4.0",
            "Artist": f'<a href="//commons.wikimedia.org/wiki/User:Ann{number}" title="User">Ann &amp; Co {number}</a>',
        }
        info = {
            "size": 1_234_567,
            "width": width,
            "height": width * 3 // 4,
            "thumburl": f"{path}/thumb/960px-{number}.png",
            "thumbwidth": 960,
            "url": f"{path}/{number}.png",
            "descriptionurl": f"https://commons.wikimedia.org/wiki/File:Tank_{number}.jpg",
            "sha1": f"{number:040x}",
            "mime": "image/jpeg",
            "extmetadata": {
                name: {"value": value, "source": "commons-desc-page"} for name, value in fields.items() if value
            },
        }
        page = {"pageid": 1000 + number, "ns": 6, "title": f"File:Tank {number}.jpg", "imagerepository": "local"}
        return page | {"index": number, "imageinfo": [info | changes]}

    def result(self, number, license="by", **changes):
        """A result of Openverse."""
        return {
            "id": f"36537842-b067-4ca0-ad67-{number:012}",
            "title": f"Pizza {number}",
            "foreign_landing_url": f"https://www.flickr.com/photos/ann/{number}",
            "url": f"{self.url}/p/staticflickr/{number}.png",
            "creator": f"Ann {number}",
            "creator_url": "https://www.flickr.com/photos/ann",
            "license": license,
            "license_version": "2.0",
            "license_url": f"{CC}/licenses/{license}/2.0/",
            "provider": "flickr",
            "source": "flickr",
            "category": None,
            "attribution": f'"Pizza {number}" by Ann {number} is licensed under CC {license.upper()} 2.0.',
            "mature": False,
            "height": 768,
            "width": 1024,
            **changes,
        }

    def photo(self, number, license="4", **changes):
        """A photograph of Flickr, with the extras that are asked for; `uploaded` is not told."""
        return {
            "id": str(5_000_000 + number),
            "owner": "12345678@N00",
            "secret": "abcdef",
            "server": "65535",
            "farm": 66,
            "title": f"Thumbs up {number}",
            "ispublic": 1,
            "license": license,
            "ownername": f"Ann {number}",
            "media": "photo",
            "media_status": "ready",
            "url_l": f"{self.url}/p/live/{number}_b.png",
            "height_l": 768,
            "width_l": "1024",
            "uploaded": 1_100_000_000 + number * 1000,
            **changes,
        }

    # How it is told

    def answer(self, path, query):
        if path == "/w/api.php":
            return self._commons(query)
        if path == "/v1/auth_tokens/token/":
            right = query["client_secret"] == "right"
            return {"access_token": "T0KEN", "expires_in": 43200} if right else (401, {"error": "invalid_client"})
        if path == "/v1/images/":
            return self._openverse(int(query["page"]), int(query["page_size"]), query["license"].split(","))
        if path == "/services/rest/":
            return self._flickr(query)
        if path.endswith("/GetDataset"):
            facts = {"id": 1, "ref": KAGGLE, "currentVersionNumber": self.version, "licenseName": "CC BY-SA 4.0"}
            return facts | {"title": "Cars and Tanks", "ownerName": "Gateway Adam"}
        if path.endswith("/DownloadDataset"):
            return 302, f"http://localhost:{self.server.server_port}/blob.zip"
        return 404, {"detail": "Not found."}

    def _commons(self, query):
        start = int(query.get("gcmcontinue") or query.get("gsroffset") or 0)
        pages = self.files[start : start + self.batch]
        if not self.files:
            return {"batchcomplete": True}
        answer = {"batchcomplete": True, "query": {"pages": pages[::-1]}}
        after = 0 if self.circle and start else start + self.batch
        if after < len(self.files):
            name = "gcmcontinue" if query["generator"] == "categorymembers" else "gsroffset"
            answer["continue"] = {name: str(after), "continue": f"{name}||"}
        return answer

    def _openverse(self, page, size, licenses):
        if page > self.depth:
            return 401, {"detail": "Page depth is limited to 12 for anonymous requests."}
        found = [one for one in self.results if not isinstance(one, dict) or one.get("license") in (*licenses, None)]
        start = 0 if self.circle else (page - 1) * size
        pages = 99 if self.circle else -(-len(found) // size)
        shown = {"result_count": len(found), "page_count": pages, "page_size": size, "page": page}
        return shown | {"results": found[start : start + size]}

    def _flickr(self, query):
        if query["api_key"] != "k3y":
            return {"stat": "fail", "code": 100, "message": "Invalid API Key (Key has invalid format)"}
        first, last = (int(query[f"{end}_upload_date"]) for end in ("min", "max"))
        wanted = query["license"].split(",")
        found = [one for one in self.photos if first <= one.get("uploaded", first) <= last]
        found = [one for one in found if one.get("license") in (*wanted, None)]
        page, size = int(query["page"]), int(query["per_page"])
        start = (page - 1) * size if page * size <= self.most else 0  # past the cap it tells the first page again
        shown = [{name: value for name, value in one.items() if name != "uploaded"} for one in found]
        photos = {"page": page, "pages": -(-len(found) // size), "perpage": size, "total": str(len(found))}
        return {"photos": photos | {"photo": shown[start : start + size]}, "stat": "ok"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1

    def log_message(self, *_):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path.startswith("/p/"):
            self.server.services.pictures.append(parts.path)
            self._send(200, picture(parts.path), "image/png")
        elif parts.path == "/blob.zip":
            self._send(200, archive(), "application/zip")
        else:
            self._tell(parts.path, parts.query)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self._tell(urlsplit(self.path).path, "" if body.startswith("{") else body)

    def _tell(self, path, query):
        services = self.server.services
        if services.hang and not services.hang.is_set():
            services.hang.wait(30)
        query = {name: values[0] for name, values in parse_qs(query).items()}
        services.log.append((path, query, dict(self.headers)))
        fault = services.faults.pop(0) if services.faults else services.always
        if fault == DROP:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault == DRIP:
            self._drip()
        elif fault:
            words = fault.get("body") or b'{"detail": "No."}'
            self._send(fault.get("status", 200), words, fault.get("type", "application/json"), fault.get("headers"))
        else:
            answer = services.answer(path, query)
            code, told = answer if isinstance(answer, tuple) else (200, answer)
            moved = {"Location": told} if code == 302 else {}
            self._send(code, b"" if moved else json.dumps(told).encode(), "application/json", moved)

    def _drip(self):
        """A letter now and then, for ten seconds."""
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(500):
                time.sleep(0.02)
                self.wfile.write(b" ")
                self.wfile.flush()

    def _send(self, code, body, kind, headers=None):
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": len(body), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def picture(path):
    """A picture for an address: the same every time, another for every address."""
    return encoded(coloured(0, _number(path), side=40))


def _number(path):
    return sum(place * letter for place, letter in enumerate(path.encode(), start=1))


def archive():
    """What Kaggle sends: class folders within a folder, and a file that is no picture."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("README.txt", "cars and tanks")
        for place, label in enumerate(("cars", "tanks")):
            for number in range(3):
                packed.writestr(f"data/train/{label}/{number}.png", encoded(coloured(place, number)))
    return buffer.getvalue()
