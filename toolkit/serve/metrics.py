"""Metrics of a service, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
PICTURES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one service.

    Args:
        model: labels of the model, by name.
    """

    def __init__(self, model: dict[str, str]):
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("toolkit_model", "The model that answers", registry=registry).info(model)
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
