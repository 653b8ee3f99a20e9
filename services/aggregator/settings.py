"""Settings of the aggregator; importing them loads neither compiled code nor a server."""

from datetime import date
from pathlib import Path

from pydantic import Field

from services.aggregator.alerts.thresholds import AlertThresholds
from shared.process.settings import ServiceSettings, bound
from shared.wire.days import day_number
from shared.wire.firmness import Firmness


class AggregatorSettings(ServiceSettings):
    """Settings that the aggregator reads once, when it starts."""

    ledger_url: str = Field(
        default="http://127.0.0.1:8101", description="the ledger, which has the batches that the stream has lost"
    )
    horizon_start: date = Field(
        default=date(2025, 1, 1),
        description="the first day that has a balance of its own, until a programme declares it",
    )
    horizon_days: int = Field(default=2191, description="days of the horizon, 1 to 40,000; memory grows with it")
    snapshot: Path | None = Field(
        default=None, description="the file that a restart begins with; unset: it replays all"
    )
    snapshot_every_s: float = Field(default=60, gt=0, description="seconds between two snapshots")
    all_names_max: int = bound(
        25_000,
        "products at sites of suppliers that its memory is planned for, some 40 kB each",
        reached="none is refused: an event that is on a stream is recorded and folded",
        watched="`waferline_names`; `names_near_limit` from 80 % on",
    )
    past_states: int = Field(default=3, ge=1, description="past states that are kept for the next query")
    past_mb: int = Field(default=1024, ge=0, description="memory for past states; the last one is always kept")
    past_queries_max: int = bound(
        16,
        "queries of the past, and what-ifs, at once",
        reached="503 `busy`, with Retry-After",
        watched="`waferline_past_queries`",
    )
    past_wait_s: float = bound(
        30, "seconds that a query of the past waits", reached="503 `busy`, with Retry-After; the fold goes on"
    )
    what_if_bytes_max: int = bound(
        16 << 20,
        "bytes of a body of `POST /what-if`",
        reached="413 `too-long`",
        watched="`waferline_requests_refused`",
    )
    sources: str = Field(default="", description="expected sources, separated by commas")
    alert_short_days: int = Field(default=30, ge=0, description="short_within: days ahead")
    alert_cover_days: int = Field(default=7, ge=0, description="cover_below: days of cover")
    alert_slip_days: int = Field(default=14, ge=0, description="slip_beyond: days overdue")
    alert_silent_days: int = Field(default=3, ge=0, description="source_silent: days behind the latest source")
    alert_firmness: Firmness = Field(default="planned", description="commits of this grade or above count")

    def default_horizon(self) -> tuple[int, int]:
        """Return the horizon that holds until a programme declares one: its first day (since 1970), and its days."""
        return day_number(self.horizon_start), self.horizon_days

    def alert_thresholds(self) -> AlertThresholds:
        """Return the thresholds above which an alert is raised."""
        return AlertThresholds(
            self.alert_short_days,
            self.alert_cover_days,
            self.alert_slip_days,
            self.alert_silent_days,
            self.alert_firmness,
            tuple(source for source in self.sources.split(",") if source),
        )
