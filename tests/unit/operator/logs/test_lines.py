"""Log lines as files hold them, damaged ones too, and the times of --since."""

from datetime import UTC, datetime

import pytest

from services.operator.logs.lines import parse_line, parse_since
from testing.log_lines import line

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("end", range(1, len(line(1, "service_started", pid=1)) - 1))
def test_a_line_cut_anywhere_costs_no_other(end):
    whole = line(1, "service_started", pid=1).strip().encode()

    read, damaged = parse_line("ledger", whole[:end] + whole)

    assert read is not None
    assert (read.text, damaged) == (whole, whole[:end])


@pytest.mark.parametrize(
    "text", [b"[]", b"1", b'{"log":"x"}', b'{"timestamp":1,"level":"info","log":"x"}', b"\xff\x00", b"{"]
)
def test_what_is_no_line_of_ours_is_damaged(text):
    assert parse_line("ledger", text) == (None, text)


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("30s", "2026-11-23T14:29:30.000000Z"),
        ("5m", "2026-11-23T14:25:00.000000Z"),
        ("2h", "2026-11-23T12:30:00.000000Z"),
        ("1d", "2026-11-22T14:30:00.000000Z"),
        ("2026-11-23T13:00", "2026-11-23T13:00:00.000000Z"),
        ("2026-11-23", "2026-11-23T00:00:00.000000Z"),
        ("2026-11-23T13:00+02:00", "2026-11-23T11:00:00.000000Z"),
    ],
)
def test_since_is_a_while_ago_or_a_time(text, since):
    assert parse_since(text, NOW) == since
