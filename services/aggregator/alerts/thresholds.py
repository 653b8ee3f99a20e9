"""Thresholds of the alerts."""

from typing import NamedTuple

from shared.wire.firmness import Firmness


class AlertThresholds(NamedTuple):
    """Thresholds above which an alert is raised."""

    short_days: int = 30
    cover_days: int = 7
    slip_days: int = 14
    silent_days: int = 3
    firmness: Firmness = "planned"  # commits of this grade or above count as supply
    sources: tuple[str, ...] = ()  # expected sources, beside those that have published
