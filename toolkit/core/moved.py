"""Where modules are now that once lay flat in the package: a hint for those who still import them from there."""

MOVED: dict[str, str] = {
    "framework": "toolkit.core.framework",
    "quiet": "toolkit.core.stderr",
    "remote": "toolkit.core.remote",
    "sockets": "toolkit.core.sockets",
    "workers": "toolkit.core.workers",
}
