"""The Grafana dashboard, one panel a line: `python deploy/grafana/dashboard.py` writes dashboards/waferline.json."""

import json
from pathlib import Path
from typing import Any, NamedTuple

PATH = Path(__file__).parent / "dashboards" / "waferline.json"
COLUMNS, HEIGHT = 24, 8
SOURCE = {"type": "prometheus", "uid": "prometheus"}
UP = [{"type": "value", "options": {"0": {"text": "DOWN", "color": "red"}, "1": {"text": "up", "color": "green"}}}]


class Panel(NamedTuple):
    """One panel: its width in 24ths, and the query of each legend."""

    title: str
    width: int
    unit: str  # Grafana's name
    queries: dict[str, str]
    kind: str = "timeseries"
    about: str = ""


def _quantiles(histogram: str) -> dict[str, str]:
    rates = f"sum by (le) (rate({histogram}_bucket[$__rate_interval]))"
    return {f"p{share}": f"histogram_quantile(0.{share}, {rates})" for share in (50, 99)}


def _rate(counter: str) -> str:
    return f"sum by (source) (rate({counter}[$__rate_interval]))"


PANELS = [
    Panel("Services", 12, "none", {"{{service}}": 'up{job="waferline"}'}, "stat"),
    Panel("Redis, as each service sees it", 6, "none", {"Redis": "min(waferline_redis_up)"}, "stat"),
    Panel(
        "PostgreSQL, as the ledger sees it", 6, "none", {"ledger": 'up{job="waferline", service="ledger"}'}, "stat",
        about="The ledger stops if its store is away.",
    ),
    Panel("Events recorded", 8, "eps", {"{{source}}": _rate("waferline_events_recorded_total")}),
    Panel("Events refused", 8, "eps", {
        "{{source}} {{code}}": "sum by (source, code) (rate(waferline_events_refused_total[$__rate_interval])) > 0",
    }),
    Panel("Events in, and duplicates among them", 8, "eps", {
        "in": "sum(rate(waferline_events_recorded_total[$__rate_interval]))"
        " + sum(rate(waferline_events_refused_total[$__rate_interval]))"
        " + sum(rate(waferline_events_duplicated_total[$__rate_interval]))",
        "again": "sum(rate(waferline_events_duplicated_total[$__rate_interval]))",
    }),
    Panel("Lag: from stream to balance", 8, "s", _quantiles("waferline_rolling_lag_seconds")),
    Panel("Lag: from stream to store", 8, "s", _quantiles("waferline_recording_lag_seconds")),
    Panel("An entry waits", 8, "s", {
        "{{service}} {{stream}}": "max by (service, stream) (waferline_stream_waiting_seconds) > 0",
    }),
    Panel("Batch time: ledger", 8, "s", _quantiles("waferline_recording_seconds")),
    Panel("Batch time: aggregator", 8, "s", _quantiles("waferline_rolling_seconds")),
    Panel("Postings folded", 8, "ops", {"postings": "sum(rate(waferline_postings_folded_total[$__rate_interval]))"}),
    Panel("Positions", 12, "none", {
        "recorded": "max(waferline_ledger_position)",
        "told": "max(waferline_ledger_told)",
        "signed": "max(waferline_checkpoint_position)",
        "folded": "max(waferline_aggregator_position)",
        "planned": "max(waferline_plan_position)",
    }, about="One line if all is well; look at the one that stays below."),
    Panel("Requests refused at a bound", 8, "reqps", {
        "{{service}} {{code}}": "sum by (service, code) (rate(waferline_requests_refused_total[$__rate_interval])) > 0",
    }),
    Panel("Open connections, and logins at the console", 8, "none", {
        "{{service}}": "waferline_http_connections", "logins": "waferline_console_sessions",
    }),
    Panel("Names, of those allowed", 8, "percentunit", {"{{service}}": "waferline_names / waferline_names_max"}),
    Panel("Declarations in force", 8, "none", {"{{service}} {{kind}}": "waferline_declarations"}),
    Panel("Queries of the past at work", 8, "none", {"{{service}}": "waferline_past_queries"}),
    Panel("Entries of a read", 8, "none", {"{{service}} {{stream}}": "waferline_read_entries"}),
    Panel("Outboxes: events not yet judged", 6, "none", {"{{service}}": "waferline_outbox_events"}),
    Panel("Sequences missing", 6, "none", {"{{source}}": "waferline_sequences_missing"}),
    Panel("Planning alerts open", 8, "none", {"{{code}}": "sum by (code) (waferline_alerts_open)"}),
    Panel("Messages about alerts, a minute", 8, "none", {
        "to {{target}}": "60 * sum by (target) (rate(waferline_messages_sent_total[$__rate_interval])) > 0",
        "failed, to {{target}}": "60 * sum by (target) (rate(waferline_messages_failed_total[$__rate_interval])) > 0",
        "waiting": "sum(waferline_messages_waiting) > 0",
    }),
    Panel("Rules that fire", 8, "none", {
        "{{alertname}} {{service}}": 'sum by (alertname, service) (ALERTS{alertstate="firing"})',
    }),
    Panel("Memory", 8, "bytes", {"{{service}}": 'process_resident_memory_bytes{job="waferline"}'}),
]  # fmt: skip


def dashboard() -> dict[str, Any]:
    """Return the dashboard in the format of Grafana."""
    panels, x, y = [], 0, 0
    for number, panel in enumerate(PANELS, start=1):
        if x + panel.width > COLUMNS:
            x, y = 0, y + HEIGHT
        panels.append(_drawn(number, panel, {"x": x, "y": y, "w": panel.width, "h": HEIGHT}))
        x += panel.width
    return {
        "uid": "waferline",
        "title": "Waferline",
        "tags": ["waferline"],
        "timezone": "utc",
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "schemaVersion": 39,
        "panels": panels,
    }


def _drawn(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + n), "datasource": SOURCE, "expr": query, "legendFormat": legend}
        for n, (legend, query) in enumerate(panel.queries.items())
    ]
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.kind == "stat":
        defaults["mappings"] = UP
    return {
        "id": number,
        "title": panel.title,
        "description": panel.about,
        "type": panel.kind,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": targets,
    }


def written() -> str:
    """Return the text of the file."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(written())
