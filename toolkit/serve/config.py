"""Settings of a service: its address and its limits."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from toolkit import images

TOKEN = "TOOLKIT_TOKEN"  # the environment variable; an option could be read by whoever lists the processes
FORMATS = ("jpg", "png", "webp", "gif", "bmp", "tif", "avif")  # what `images` opens, as `images.sniff` names it


def _option(default: Any, help: str, least: float | None = None) -> Any:
    return field(default=default, metadata={"help": help, "least": least})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of a service. Every limit holds before a picture is decoded.

    Args:
        host: address to listen at; any but that of this machine itself lets others on the network in.
        port: to listen at; 0 takes any that is free.
        name: of the model in addresses; "" takes the name of the run, or of the file.
        hosts: names that it is asked by, as its clients write them, besides localhost, `host` and addresses in figures;
            () takes those alone on an address of this machine itself, where a page in a browser might ask by a name of
            its own (DNS rebinding), and any elsewhere.
        token: bearer token that all requests but those about health need; "" for none.
        formats: of pictures that are opened, of `FORMATS`.
        max_megabytes: of the body of a request, in millions of bytes.
        max_pixels: width times height of a picture, at most `images.MAX_PIXELS`.
        max_pictures: in one request.
        max_values: numbers and strings in a JSON body, in which a file in base64 is one: parsing blocks other requests.
        max_queue: pictures that wait for their answer; further requests are refused.
        max_batch: pictures of one batch of the model.
        max_connections: open at a time; further ones are closed.
        held_megabytes: of all bodies at a time.
        receive_seconds: in which a request has to arrive.
        answer_seconds: from its arrival to its answer.
        open_seconds: in which one picture has to be opened; a process that takes longer is ended.
        stop_seconds: that requests under way have left when the service is stopped.
        rate: requests per second from one address; 0 sets no limit. As many may come at once as in two seconds.
        root_path: prefix under which a proxy offers the service, such as "/classifier", whether or not it takes that
            off the paths it passes on; "" for none.
        allow_origins: origins of web pages that may ask from a browser (CORS), such as "https://example.org"; "*" for
            all, () for none.
        proxy: address of a trusted proxy, whose X-Forwarded-For names the client; "" for none.
        keep: folder into which pictures that were asked about are kept, for a person to label; "" keeps none.
        keep_share: of all pictures, that are kept by chance, 0 to 1.
        keep_below: largest probability of an answer, 0 to 1, below which its picture is kept in any case, as one
            that is unlike anything learned is.
        keep_pictures: in the folder, at most.
        keep_megabytes: of the folder, at most, in millions of bytes.
        sessions: copies of the model that answer in parallel; 0 for one per core.
        threads: of one copy.

    Raises:
        ValueError: out of range, with the range.

    >>> Config(port=0, max_pictures=1).max_pictures
    1
    """

    host: str = _option("127.0.0.1", "address to listen at (default: 127.0.0.1, this machine alone)")
    port: int = _option(8000, "to listen at (default: 8000); 0 takes any that is free", 0)
    name: str = _option("", "of the model in addresses (default: that of the run or the file)")
    hosts: tuple[str, ...] = _option((), "names that it is asked by, with commas (default: this machine's own, or any)")
    token: str = field(default="", repr=False)
    formats: tuple[str, ...] = _option(
        ("jpg", "png", "webp"), f"of pictures, with commas, of {','.join(FORMATS)} (default: jpg,png,webp)"
    )
    max_megabytes: float = _option(16.0, "of a request, in millions of bytes (default: 16)", 0.001)
    max_pixels: int = _option(50_000_000, "width times height of a picture (default: 50,000,000)", 1)
    max_pictures: int = _option(32, "in one request (default: 32)", 1)
    max_values: int = _option(1_000_000, "numbers and texts in JSON, which others wait for (default: 1,000,000)", 1)
    max_queue: int = _option(128, "pictures that wait, before further ones are turned away (default: 128)", 1)
    max_batch: int = _option(16, "pictures the model is asked about at a time (default: 16)", 1)
    max_connections: int = _option(512, "at a time (default: 512)", 1)
    held_megabytes: float = _option(256.0, "of all requests at a time (default: 256)", 0.001)
    receive_seconds: float = _option(20.0, "in which a request has to arrive (default: 20)", 0.001)
    answer_seconds: float = _option(10.0, "from its arrival to its answer (default: 10)", 0.001)
    open_seconds: float = _option(5.0, "in which a picture has to be opened (default: 5)", 0.001)
    stop_seconds: float = _option(20.0, "that requests have left when it is stopped (default: 20)", 0)
    rate: float = _option(0.0, "requests per second from one address (default: 0, no limit)", 0)
    root_path: str = _option("", "prefix under which a proxy offers it, such as /classifier (default: none)")
    allow_origins: tuple[str, ...] = _option(
        (), "web pages that may ask, with commas: https://example.org, or * for all (default: none)"
    )
    proxy: str = _option("", "address of a proxy whose word on who asks is taken (default: none)")
    keep: str = _option("", "folder for pictures that it was asked about, to label later (default: none)")
    keep_share: float = _option(0.01, "share of them that is kept by chance (default: 0.01)", 0)
    keep_below: float = _option(0.7, "largest probability below which all are kept (default: 0.7)", 0)
    keep_pictures: int = _option(10_000, "kept, at most (default: 10,000)", 0)
    keep_megabytes: float = _option(1000.0, "kept, at most, in millions of bytes (default: 1000)", 0)
    sessions: int = _option(0, "how often the model is opened, to work side by side (default: 0, one per core)", 0)
    threads: int = _option(1, "that one answer is computed with (default: 1)", 1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "formats", tuple(self.formats))
        object.__setattr__(self, "hosts", tuple(self.hosts))
        object.__setattr__(self, "allow_origins", tuple(origin.rstrip("/") for origin in self.allow_origins))
        object.__setattr__(self, "root_path", self.root_path.rstrip("/"))
        for setting in fields(self):
            least, value = setting.metadata.get("least"), getattr(self, setting.name)
            if least is not None and not value >= least:
                raise ValueError(f"expected {setting.name} of at least {least}, got {value}")
        if not self.formats or not set(self.formats) <= set(FORMATS):
            raise ValueError(f"expected formats of {', '.join(FORMATS)}, got {', '.join(self.formats) or 'none'}")
        if max(self.keep_share, self.keep_below) > 1:
            raise ValueError(
                f"expected keep_share and keep_below of at most 1, got {self.keep_share}, {self.keep_below}"
            )
        if self.max_pixels > images.MAX_PIXELS:
            raise ValueError(f"expected max_pixels of at most {images.MAX_PIXELS:,}, got {self.max_pixels:,}")
        if self.max_pictures > self.max_queue:
            raise ValueError(f"expected a max_queue of at least {self.max_pictures} pictures, got {self.max_queue}")
        if self.root_path and not self.root_path.startswith("/"):
            raise ValueError(f"expected a root_path such as /classifier, got {self.root_path!r}")
        origins = [origin for origin in self.allow_origins if origin != "*" and "://" not in origin]
        if origins:
            raise ValueError(f"expected allow_origins such as https://example.org or *, got {origins[0]!r}")
        if self.port > 65_535:
            raise ValueError(f"expected a port of at most 65535, got {self.port}")

    @property
    def max_bytes(self) -> int:
        """Of the body of a request."""
        return int(self.max_megabytes * 1e6)


def options() -> list[tuple[str, Callable, str]]:
    """Name, type and help text of each setting that is an option on the command line."""
    kinds: dict[type, Callable] = {tuple: lambda text: tuple(part.strip() for part in text.split(","))}
    return [
        (setting.name, kinds.get(type(setting.default), type(setting.default)), setting.metadata["help"])
        for setting in fields(Config)
        if "help" in setting.metadata
    ]
