"""Where modules are now that once lay flat in the package: a hint for those who still import them from there."""

MOVED: dict[str, str] = {}
