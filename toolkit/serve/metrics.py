"""Metrics of a service, for Prometheus."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import InfoMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
PICTURES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one service.

    Args:
        models: gives the labels of each model that answers, by name, when it is read.
    """

    def __init__(self, models: Callable[[], Iterable[dict[str, str]]]):
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Models(models))
        self.requests = Counter("toolkit_requests", "Requests", ["route", "status"], registry=registry)
        self.seconds = Histogram(
            "toolkit_request_seconds",
            "From its first byte to its answer",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.pictures = Counter("toolkit_pictures", "Pictures by what became of them", ["outcome"], registry=registry)
        self.answers = Counter("toolkit_answers", "Answers by class, sure or not", ["label"], registry=registry)
        self.abstained = Counter(
            "toolkit_abstained", "Answers below the limit of the model, which are not sure", registry=registry
        )
        self.confidence = Histogram(
            "toolkit_confidence", "Largest probability of each answer", buckets=SHARES, registry=registry
        )
        self.familiarity = Histogram(
            "toolkit_familiarity", "How like what was learned, where it is known", buckets=SHARES, registry=registry
        )
        self.kept = Counter("toolkit_kept", "Pictures to keep by what became of them", ["outcome"], registry=registry)
        self.batches = Histogram(
            "toolkit_batch_pictures",
            "Pictures the model was asked about at a time",
            buckets=PICTURES,
            registry=registry,
        )
        self.inference = Histogram("toolkit_inference_seconds", "Of one batch", buckets=SECONDS, registry=registry)

    def gauge(self, name: str, summary: str, value: Callable[[], float]) -> None:
        """A gauge that is computed when it is read."""
        Gauge(f"toolkit_{name}", summary, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All metrics, in the format of Prometheus."""
        return generate_latest(self._registry)


class _Models(Collector):
    """The models that answer, which change when one is exported anew."""

    def __init__(self, models: Callable[[], Iterable[dict[str, str]]]):
        self._models = models

    def collect(self) -> Iterator[InfoMetricFamily]:
        """One sample for each."""
        family = InfoMetricFamily("toolkit_model", "The models that answer")
        for labels in self._models():
            family.add_sample("toolkit_model_info", labels, 1)
        yield family
