"""A real browser, Chromium, that says who it is, keeps to itself, and is never downloaded."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core import extras
from toolkit.errors import SourceError
from toolkit.scrape.fetch import user_agent
from toolkit.scrape.item import Options

if TYPE_CHECKING:
    from selenium.webdriver import ChromeOptions, ChromeService
    from selenium.webdriver.remote.webdriver import WebDriver

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DRIVERS = ("chromedriver", "chromium.chromedriver")
QUIET = (  # a browser's own errands: updates, translations, lists of dangerous pages, first-run pages
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-features=Translate,OptimizationHints,MediaRouter,CertificateTransparencyComponentUpdater",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1200,900",
    f"--user-agent=Mozilla/5.0 (compatible; {user_agent()})",
)


@contextmanager
def chromium(options: Options, *, hosts: Iterable[str], words: Iterable[str] = ()) -> Iterator["WebDriver"]:
    """Start Chromium, and stop it at the end of the `with` block; nothing of it is left behind.

    Args:
        options: `browser` and `driver`; None looks for them on the search path.
        hosts: the only hosts it can reach, by name or address.
        words: further ones for its command line.

    Raises:
        SourceError: Selenium, the browser or its driver is missing, or it does not start.

    >>> with chromium(Options(), hosts=["example.org"]) as browser:  # doctest: +SKIP
    ...     browser.get("https://example.org")
    """
    browser = _program("browser", options.browser, BROWSERS)
    program = _program("driver", options.driver, DRIVERS)
    try:
        from selenium import webdriver
    except ImportError as error:
        raise SourceError(f"expected Selenium, found none; {extras.remedy('selenium')}") from error
    service = webdriver.ChromeService(executable_path=program)
    with tempfile.TemporaryDirectory(prefix="toolkit-browser-", ignore_cleanup_errors=True) as folder:
        try:
            driver = _started(service, _settings(browser, folder, hosts, words))
            try:
                yield driver
            finally:
                driver.quit()
        finally:
            service.stop()


def _started(service: "ChromeService", settings: "ChromeOptions") -> "WebDriver":
    """The driver and the browser, put together here: Selenium's own way may look for either on the network."""
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.proxy import Proxy
    from selenium.webdriver.remote.client_config import ClientConfig
    from selenium.webdriver.remote.remote_connection import RemoteConnection

    try:
        service.start()
        direct = Proxy({"proxyType": "DIRECT"})  # whatever the environment says: the driver is on this machine
        config = ClientConfig(remote_server_addr=service.service_url, proxy=direct, timeout=120)
        driver = webdriver.Remote(command_executor=RemoteConnection(client_config=config), options=settings)
        driver.set_page_load_timeout(30)
        driver.set_script_timeout(30)
    except (WebDriverException, OSError) as error:
        raise SourceError(
            f"expected {settings.binary_location} to start with {service.path}, got: {in_words(error)}; take a browser "
            "and a driver of one version"
        ) from error
    return driver


def _program(name: str, given: str | None, usual: tuple[str, ...]) -> str:
    """Path of a program; a path that is given must be one, so that Selenium has no reason to download anything."""
    found = next(filter(None, map(shutil.which, [given] if given else usual)), None)
    if not found:
        raise SourceError(
            f"expected a {name} for pages, found none{f' at {given}' if given else ''}; install Chromium and its "
            "driver (`apt install chromium chromium-driver`, `brew install chromium chromedriver`), or give its path "
            f"with --{name} or Options({name}=…)"
        )
    return str(Path(found).resolve()) if given else found


def _settings(browser: str, folder: str, hosts: Iterable[str], words: Iterable[str]) -> "ChromeOptions":
    from selenium import webdriver

    settings = webdriver.ChromeOptions()
    settings.binary_location = browser
    settings.page_load_strategy = "eager"
    rules = ", ".join(["MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in hosts)])
    for word in (*QUIET, f"--user-data-dir={folder}", f"--host-resolver-rules={rules}", *words):
        settings.add_argument(word)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        settings.add_argument("--no-sandbox")  # Chromium refuses to start for the administrator with it
    return settings


def in_words(error: Exception) -> str:
    """The first line of what Selenium says, which goes on for many."""
    lines = (getattr(error, "msg", None) or str(error)).splitlines()
    return lines[0].removeprefix("unknown error: ") if lines else type(error).__name__
