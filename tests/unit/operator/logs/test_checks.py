"""The checks of `waferline logs --check` find each sign, and nothing in healthy logs."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.operator.logs.checks import LogChecks, LogThresholds

BEGIN = datetime(2026, 11, 23, 14, tzinfo=UTC)
PAGE = Path(__file__).parents[4] / "docs" / "logs.md"
HEAD, OTHER_HEAD = "ab" * 32, "cd" * 32
SAMSUNG = {"service": "supplier", "source": "samsung"}
Said = dict[str, Any]


def said(second: float, log: str, *, level: str = "info", service: str = "ledger", **fields: Any) -> Said:
    at = (BEGIN + timedelta(seconds=second)).isoformat(timespec="microseconds")[:-6] + "Z"
    return {"timestamp": at, "level": level, "service": service, "log": log, **fields}


def runs(second: float, position: int, told: int, head: str = HEAD, service: str = "ledger") -> Said:
    return said(second, "service_running", service=service, position=position, told=told, head=head)


def party(second: float, said_to: int, recorded: int) -> Said:
    return said(second, "service_running", position=recorded, said=said_to, recorded=recorded, **SAMSUNG)


def recorded(second: float, events: int, refused: int) -> Said:
    return said(second, "batch_recorded", source="samsung", events=events, refused=refused)


def warned(second: float, log: str, **fields: Any) -> Said:
    return said(second, log, level="warning", **fields)


def signs(*lines: Said, after_s: float = 1, thresholds: LogThresholds = LogThresholds()) -> list[tuple[str, str]]:  # noqa: B008
    """Return (who, sign) of what is found in some lines a while after the last one."""
    checks = LogChecks()
    for fields in lines:
        checks.add("supplier-samsung" if "supplier" in fields["service"] else fields["service"], fields)
    now = datetime.fromisoformat(lines[-1]["timestamp"]) + timedelta(seconds=after_s)
    return [(trouble.process, trouble.sign) for trouble in checks.troubles(now, thresholds)]


MISSED = warned(1, "sequences_missed", source="samsung", first=3, last=4)
RESENT = [warned(n, "events_resent", events=5, position=7, **SAMSUNG) for n in (10, 30, 70)]
REFUSED = {"source": "samsung", "id": "x", "sequence": 1}
TROUBLED = [
    ("stopped", "ledger", [said(1, "service_stopped", level="critical", reason="no Redis")]),
    ("killed", "ledger", [said(1, "service_started"), said(2, "service_started")]),
    ("fenced", "ledger", [warned(1, "ledger_fenced", reason="batch 3 was taken by another ledger")]),
    ("garbled", "aggregator", [warned(1, "entry_garbled", service="aggregator", stream="s", entry="5-0", reason="r")]),
    ("receded", "ledger", [warned(1, "stream_receded", stream="s", position="5-0", end=None)]),
    ("lost", "supplier-samsung", [warned(1, "ledger_receded", position=100, position_before=200, **SAMSUNG)]),
    ("waited", "ledger", [warned(1, "stream_waited", stream="s")]),
    ("alarming", "ledger", [warned(1, "event_refused", code="foreign_source", **REFUSED)]),
    ("snapshot", "aggregator", [warned(1, "snapshot_failed", service="aggregator", reason="disk full")]),
    ("snapshot", "aggregator", [warned(1, "snapshot_refused", service="aggregator", code="damaged", reason="")]),
    ("store_changed", "aggregator", [warned(1, "store_changed", service="aggregator", epoch=2, epoch_before=1)]),
    ("failed", "ledger", [warned(1, "library_warned", library="uvicorn.error", severity="error", message="m")]),
    ("door_closed", "supplier-samsung", [warned(1, "request_refused", status=429, reason="too many", **SAMSUNG)]),
    ("lines_lost", "ledger", [said(1, "batch_recorded", source="samsung", lines_lost=3)]),
    ("resent", "supplier-samsung", RESENT),
    (
        "not_sent", "notifier",
        [warned(n, "message_not_sent", reason="away", target="mail", service="notifier") for n in (10, 20, 30)],
    ),
    ("redis_missed", "ledger", [warned(n, "redis_missed", reason="away") for n in (10, 20, 30)]),
    ("heads_differ", "aggregator", [runs(1, 5, 5), runs(2, 5, 5, OTHER_HEAD, "aggregator")]),
    ("stuck", "ledger", [runs(n, 9 + n, 5) for n in (10, 20, 30)]),
    ("stuck", "supplier-samsung", [party(n, 9, 5) for n in (10, 20, 30)]),
    ("gap", "ledger", [MISSED, said(90, "service_stopped")]),
    ("batches_missing", "aggregator", [warned(1, "gap_found", service="aggregator", reason="r"), runs(90, 1, 1)]),
    ("refused", "samsung", [recorded(1, 98, 2)]),
]  # fmt: skip


@pytest.mark.parametrize(("sign", "who", "lines"), TROUBLED)
def test_each_sign_is_found(sign: str, who: str, lines: list[Said]) -> None:
    assert signs(*lines) == [(who, sign)]


WELL = [
    [runs(1, 1, 1), said(2, "service_stopped", reason="asked to"), recorded(3, 1, 0), said(4, "service_started")],
    [warned(1, "event_refused", code="fraction", **REFUSED)],
    [warned(1, "snapshot_refused", service="aggregator", code="foreign_horizon", reason="")],
    [warned(1, "library_warned", library="redis", severity="error", message="connection lost")],
    [warned(1, "request_refused", status=413, reason="too long", **SAMSUNG)],
    RESENT[:2],
    [runs(1, 5, 5), runs(2, 6, 6, OTHER_HEAD, "aggregator"), runs(3, 6, 6, OTHER_HEAD)],
    [runs(1, 0, 0), runs(2, 0, 0, "", "aggregator")],  # nothing was recorded yet
    [runs(10, 9, 5), runs(20, 9, 6), runs(30, 9, 9)],
    [runs(10, 5, 5), runs(20, 5, 5), runs(30, 5, 5)],
    [MISSED],
    [MISSED, said(20, "sequences_filled", source="samsung", through=9), said(90, "service_stopped")],
    [recorded(1, 99, 1)],
]  # fmt: skip


@pytest.mark.parametrize("lines", WELL)
def test_nothing_is_found_where_all_is_well(lines: list[Said]) -> None:
    assert signs(*lines) == []


def test_who_says_nothing_for_longer_than_allowed_is_silent_and_who_stopped_is_not() -> None:
    lines = (runs(1, 5, 5), said(2, "service_stopped", service="aggregator", reason="asked to"))

    assert signs(*lines, after_s=28) == []
    assert signs(*lines, after_s=40) == [("ledger", "silent")]
    assert signs(*lines, after_s=40, thresholds=LogThresholds(silent_s=60)) == []


def test_who_is_expected_and_never_spoke_is_missing() -> None:
    assert signs(runs(1, 5, 5), thresholds=LogThresholds(expected=("ledger", "aggregator"))) == [
        ("aggregator", "missing")
    ]


def test_the_page_lists_every_sign_and_no_other() -> None:
    part = PAGE.read_text().split("\n## Signs that need a person\n")[1].split("\n## ")[0]

    assert set(re.findall(r"^\| `(\w+)`", part, re.MULTILINE)) == {sign for sign, _, _ in TROUBLED} | {
        "silent",
        "clock",
        "missing",
    }


def test_lines_of_a_later_time_than_now_are_no_sign_of_health() -> None:
    """With a clock that is behind that of the log, nothing would ever be silent."""
    lines = (said(1, "service_started"), runs(2, 5, 5))

    assert signs(*lines, after_s=-59) == []
    assert signs(*lines, after_s=-61) == [("ledger", "clock")]
    assert signs(*lines, said(3, "service_stopped", reason="asked to"), after_s=-90_000) == [("ledger", "clock")]
