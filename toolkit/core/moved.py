"""Where modules are now that once lay flat in the package: a hint for those who still import them from there."""

MOVED: dict[str, str] = {
    "buckets": "toolkit.duplicates.hamming_loops",
    "classifier": "toolkit.model.classifier",
    "colour": "toolkit.images.colour",
    "facts": "toolkit.images.measure",
    "framework": "toolkit.core.framework",
    "hashes": "toolkit.images.hashes",
    "jpeg": "toolkit.images.jpeg",
    "likeness": "toolkit.duplicates.difference",
    "links": "toolkit.duplicates.matching",
    "luma": "toolkit.images.luma",
    "quiet": "toolkit.core.stderr",
    "remote": "toolkit.core.remote",
    "search": "toolkit.duplicates.hamming",
    "signatures": "toolkit.dataset.signatures",
    "sockets": "toolkit.core.sockets",
    "suspects": "toolkit.dataset.label_issues",
    "uncertainty": "toolkit.model.uncertainty",
    "workers": "toolkit.core.workers",
}
