"""The ledger's metrics."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.ledger.store.reader import StoreReader
from services.ledger.store.recording import Outcome
from shared.service.service import TIME_BUCKETS_S
from shared.wire.events import ReasonCode


class LedgerMeters:
    """The metrics of recording, by source, and the ledger's positions."""

    def __init__(self, registry: CollectorRegistry, store: StoreReader) -> None:
        self.published = 0  # the last batch published
        self.events = Counter("waferline_events_recorded", "Events recorded", ["source"], registry=registry)
        self.refused = Counter("waferline_events_refused", "Events refused", ["source", "code"], registry=registry)
        self.duplicates = Counter("waferline_events_duplicated", "Events received again", ["source"], registry=registry)
        self.missing = Gauge(
            "waferline_sequences_missing", "Sequences missing below the newest", ["source"], registry=registry
        )
        head = Gauge("waferline_ledger_position", "The last batch recorded", registry=registry)
        head.set_function(lambda: store.head.batch)
        published = Gauge("waferline_ledger_told", "The last batch published on the streams", registry=registry)
        published.set_function(lambda: self.published)
        self.work = Histogram(
            "waferline_recording_seconds", "Time a batch takes", registry=registry, buckets=TIME_BUCKETS_S
        )
        self.lag = Histogram(
            "waferline_recording_lag_seconds", "From stream to store", registry=registry, buckets=TIME_BUCKETS_S
        )

    def begin(self, source: str) -> None:
        """Count the events of a source from 0: a counter that starts at 1 shows no rise."""
        self.events.labels(source)
        self.duplicates.labels(source)
        for code in get_args(ReasonCode):
            self.refused.labels(source, code)

    def count(self, source: str, outcome: Outcome, ms: float, lag_ms: float) -> None:
        """Count a batch of a source."""
        self.work.observe(ms / 1000)
        self.lag.observe(lag_ms / 1000)
        self.events.labels(source).inc(outcome.events)
        self.duplicates.labels(source).inc(outcome.duplicates)
        for refused in outcome.refused:
            self.refused.labels(source, refused.code).inc()
