"""What a server counts of itself, as Prometheus reads it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "cellwright_requests", "Requests for predictions.", ("protocol", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "cellwright_request_seconds",
            "Time from the head of a request to its answer.",
            ("protocol",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.rows = Counter("cellwright_examples", "Examples predicted.", registry=self.registry)
        self.batches = Histogram(
            "cellwright_batch_examples", "Examples of a batch.", buckets=ROWS, registry=self.registry
        )
        self.waiting = Gauge("cellwright_waiting_examples", "Examples that wait.", registry=self.registry)
        self.version = Gauge(
            "cellwright_model", "The version that answers.", ("version",), registry=self.registry
        )
        self.loads = Counter(
            "cellwright_model_loads",
            "Looks at the registry that found another version.",
            ("result",),
            registry=self.registry,
        )
        self.last_look = Gauge(
            "cellwright_registry_seen_timestamp_seconds",
            "When the registry last answered, in seconds since 1970.",
            registry=self.registry,
        )

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self.registry)
