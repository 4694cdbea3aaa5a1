"""Metrics of a service, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
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
