"""Modules and keywords that had another name: they still work under it, with a warning that says the new one."""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Returned = TypeVar("Returned")

MOVED: dict[str, str] = {
    "batches": "toolkit.training.batches",
    "buckets": "toolkit.duplicates.hamming_loops",
    "card": "toolkit.report.card",
    "classifier": "toolkit.model.classifier",
    "colour": "toolkit.images.colour",
    "config": "toolkit.training.config",
    "cost": "toolkit.evaluation.memory",
    "distribution": "toolkit.training.distribution",
    "disturb": "toolkit.evaluation.corruptions",
    "events": "toolkit.training.tensorboard",
    "facts": "toolkit.images.measure",
    "features": "toolkit.training.features",
    "finetune": "toolkit.training.finetune",
    "framework": "toolkit.core.framework",
    "geometry": "toolkit.evaluation.receptive_fields",
    "hashes": "toolkit.images.hashes",
    "jpeg": "toolkit.images.jpeg",
    "likeness": "toolkit.duplicates.difference",
    "links": "toolkit.duplicates.matching",
    "loop": "toolkit.training.loop",
    "luma": "toolkit.images.luma",
    "optimizers": "toolkit.training.optimizers",
    "page": "toolkit.report.html",
    "probe": "toolkit.training.probe",
    "quiet": "toolkit.core.stderr",
    "remote": "toolkit.core.remote",
    "scrape.crew": "toolkit.scrape.host_pool",
    "scrape.guard": "toolkit.scrape.public_only",
    "scrape.journal": "toolkit.scrape.listing_progress",
    "scrape.page": "toolkit.scrape.result_page",
    "scrape.posts": "toolkit.scrape.reddit_posts",
    "scrape.profile": "toolkit.scrape.page_profile",
    "scrape.rows": "toolkit.scrape.manifest_rows",
    "scrape.store": "toolkit.scrape.downloads",
    "search": "toolkit.duplicates.hamming",
    "serve.guard": "toolkit.serve.limits",
    "signatures": "toolkit.dataset.signatures",
    "significance": "toolkit.evaluation.significance",
    "sockets": "toolkit.core.sockets",
    "spaces": "toolkit.selection.search_space",
    "study": "toolkit.selection.study",
    "suspects": "toolkit.dataset.label_issues",
    "trials": "toolkit.selection.trial",
    "uncertainty": "toolkit.model.uncertainty",
    "workers": "toolkit.core.workers",
}


def keywords(**today: str) -> Callable[[Callable[Given, Returned]], Callable[Given, Returned]]:
    """Let a function take keywords under earlier names, too.

    Args:
        today: the name that each earlier one has now.

    >>> @keywords(say="log")
    ... def run(*, log):
    ...     return log
    """

    def renamed(function: Callable[Given, Returned]) -> Callable[Given, Returned]:
        @wraps(function)
        def call(*values: Given.args, **options: Given.kwargs) -> Returned:
            for earlier in today.keys() & options.keys():
                advice = f"{earlier} of {function.__module__}.{function.__name__} is now called {today[earlier]}"
                warnings.warn(advice, FutureWarning, stacklevel=2)
                options[today[earlier]] = options.pop(earlier)
            return function(*values, **options)

        return call

    return renamed
