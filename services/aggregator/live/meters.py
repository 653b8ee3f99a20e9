"""Metrics of the aggregator."""

import time

from prometheus_client import Counter, Gauge, Histogram

from services.aggregator.live.view import LiveView
from shared.service.service import TIME_BUCKETS_S, Service


class AggregatorMeters:
    """The metrics that `/metrics` serves beside those of every service."""

    def __init__(self, service: Service, view: LiveView, names_max: int) -> None:
        self.postings = Counter("waferline_postings_folded", "Postings folded", registry=service.registry)
        position = Gauge("waferline_aggregator_position", "The last batch folded", registry=service.registry)
        position.set_function(lambda: view.state.curves.position)
        planned = Gauge("waferline_plan_position", "The batch that the plan is of", registry=service.registry)
        planned.set_function(lambda: view.plan.position)
        names = Gauge("waferline_names", "Products at sites of suppliers", registry=service.registry)
        names.set_function(lambda: len(view.state.curves.keys))
        Gauge("waferline_names_max", "The most that are planned for", registry=service.registry).set(names_max)
        self.work = Histogram(
            "waferline_rolling_seconds", "Time a read takes", registry=service.registry, buckets=TIME_BUCKETS_S
        )
        self.lag = Histogram(
            "waferline_rolling_lag_seconds",
            "From stream to balance",
            registry=service.registry,
            buckets=TIME_BUCKETS_S,
        )

    def count(self, postings: int, ms: float, lag_ms: float | None) -> None:
        """Count one read of the stream: its postings, the time it took, and its lag where the entries carry a time."""
        self.postings.inc(postings)
        self.work.observe(ms / 1000)
        if lag_ms is not None:
            self.lag.observe(lag_ms / 1000)


def elapsed_ms(began: float) -> float:
    """Return the milliseconds since a reading of `time.perf_counter`, to a hundredth."""
    return round((time.perf_counter() - began) * 1000, 2)
