"""`waferline logs`: what it makes of files as real services leave them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.operator.logs.logs import (
    Chosen,
    Summary,
    follow_lines,
    logs_command,
    parse_line,
    parse_since,
    read_lines,
    summarise,
)

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


def line(second: float, log: str, *, level: str = "info", service: str = "ledger", **fields: Any) -> str:
    head = {"timestamp": f"2026-11-23T14:00:{second:09.6f}Z", "level": level, "service": service, "log": log}
    return json.dumps(head | fields, separators=(",", ":")) + "\n"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Return the folder of a stack whose ledger met bad events, crashed, and was killed in mid-line."""
    logs = tmp_path / "logs"
    logs.mkdir()
    refused = {"source": "samsung", "sequence": 7, "id": "x", "path": "data.wafers", "reason": "not 12.5"}
    (logs / "ledger.log").write_text(
        line(0, "service_started", pid=1)
        + line(1, "batch_recorded", source="samsung", position=1, events=60, duplicates=2, ms=50.0)
        + line(2, "event_refused", level="warning", code="fraction", **refused)
        + line(2, "refusals_left_out", level="warning", refused=3, codes={"fraction": 2, "malformed": 1})
        + line(3, "service_stopped", level="critical", reason="Fenced()", trace="Traceback:\n  File x\nFenced")
        + line(4, "service_started", pid=2)
        + line(5, "batch_recorded", source="samsung", position=2, events=40, duplicates=0, ms=50.0)
        + line(6, "service_running", position=2, lag_ms=0)[:40]
        + line(9, "service_started", pid=3)
        + "Fatal Python error: \x1b[31mSegmentation fault\n"
        + line(10, "batch_recorded", source="samsung", position=3, events=100, duplicates=0, ms=100.0, lines_lost=4)
    )
    (logs / "supplier-samsung.log").write_text(
        line(0.5, "service_started", service="supplier", source="samsung")
        + line(2.5, "refusal_heard", level="warning", service="supplier", source="samsung", code="fraction", id="x y")
    )
    (logs / "redis.log").write_text("22425:C 23 Nov 2026 14:06:37.135 # Configuration loaded\n")
    return tmp_path


def summaries_of(stack: Path) -> list[Summary]:
    summaries: dict[str, Summary] = {}
    return summarise(read_lines(stack, Chosen(), summaries), summaries)


def run(stack: Path, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(logs_command)
    result = CliRunner().invoke(app, ["--data", str(stack), *arguments])
    return result.exit_code, result.output


def test_a_summary_counts_what_each_process_said(stack):
    ledger, samsung = summaries_of(stack)

    assert (ledger.process, samsung.process) == ("ledger", "supplier-samsung")
    assert ledger.levels == {"info": 6, "warning": 2, "critical": 1}
    assert ledger.names["batch_recorded"] == 3
    assert ledger.refused == {"fraction": 3, "malformed": 1}
    assert (ledger.first[17:19], ledger.last[17:19], samsung.lines) == ("00", "10", 2)


def test_rates_are_over_the_time_covered(stack):
    ledger, _ = summaries_of(stack)

    assert (ledger.seconds, ledger.rates()["events"], ledger.facts()["busy"]) == (10.0, 20.0, 0.02)


def test_a_start_without_a_stop_before_it_is_a_kill(stack):
    ledger, samsung = summaries_of(stack)

    assert (ledger.restarts, ledger.killed) == (2, 1)
    assert (samsung.restarts, samsung.killed) == (0, 0)


def test_damaged_lines_are_counted_and_what_follows_them_is_read(stack):
    ledger, _ = summaries_of(stack)

    assert (ledger.damaged, ledger.lost) == (2, 4)
    assert ledger.names["service_started"] == 3
    assert "Segmentation fault" in ledger.damaged_last
    assert "\x1b" not in ledger.damaged_last


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


def test_the_summary_shows_what_was_critical_with_its_trace(stack):
    code, output = run(stack)

    assert code == 0
    assert "reason=Fenced()" in output
    assert "      File x\n    Fenced" in output
    assert "\x1b" not in output
    assert "redis" not in output


def test_a_trace_that_comes_again_is_shown_once(stack):
    crash = {"level": "critical", "reason": "OSError: no", "trace": "Traceback:\n  File y\nOSError: no"}
    crashes = [line(n, "service_started") + line(n, "service_stopped", **crash) for n in range(30)]
    (stack / "logs" / "ledger.log").write_text("".join(crashes))

    _, output = run(stack)

    assert output.count("File y") == 1
    assert output.count("reason=") == 20
    assert "10 critical lines before" in output


def test_the_summary_as_json_is_one_object(stack):
    _, output = run(stack, "--json", "--service", "ledger")

    summary = json.loads(output)
    assert list(summary) == ["ledger"]
    assert summary["ledger"]["refused"] == {"fraction": 3, "malformed": 1}
    assert summary["ledger"]["criticals"][0]["reason"] == "Fenced()"


def test_a_name_or_a_level_gives_the_lines_merged_by_time(stack):
    _, output = run(stack, "--level", "warning")

    said = [" ".join(text.split()[2:4]) for text in output.splitlines() if text.startswith("2026")]
    assert said == [
        "ledger event_refused",
        "ledger refusals_left_out",
        "supplier-samsung refusal_heard",
        "ledger service_stopped",
    ]
    assert 'id="x y"' in output


def test_lines_as_json_are_the_lines_of_the_file(stack):
    _, output = run(stack, "--name", "batch_recorded", "--json")

    kept = (stack / "logs" / "ledger.log").read_text().splitlines()
    assert len(output.splitlines()) == 3
    assert set(output.splitlines()) <= set(kept)


def test_a_kind_of_service_is_all_of_its_kind(stack):
    _, output = run(stack, "--service", "supplier", "--level", "info", "--since", "2026-11-23T14:00:02")

    assert [text.split()[2:4] for text in output.splitlines()] == [["supplier-samsung", "refusal_heard"]]


def test_a_partner_cannot_speak_to_the_terminal(stack):
    (stack / "logs" / "ledger.log").write_text(
        line(1, "event_refused", level="warning", id="\x1b[2J", reason="a\nb\x9b")
    )

    _, output = run(stack, "--level", "warning", "--service", "ledger")

    assert len(output.splitlines()) == 1
    assert all(c.isprintable() for c in output.strip())


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


@pytest.mark.parametrize("text", ["5x", "", "yesterday", "99999999999d"])
def test_a_wrong_since_is_told(stack, text):
    code, output = run(stack, "--since", text)

    assert code == 2
    assert "neither 5m nor a time" in output


def test_a_folder_without_logs_is_told(tmp_path):
    code, output = run(tmp_path)

    assert code == 1
    assert "has a stack run there?" in output


def take_step(steps: Iterator[Callable[[], Any]]) -> None:
    for step in islice(steps, 1):
        step()


def test_following_merges_what_comes_by_time_and_waits_for_whole_lines(stack):
    ledger, samsung = (stack / "logs" / f"{name}.log" for name in ("ledger", "supplier-samsung"))
    late = stack / "logs" / "aggregator.log"
    looks = iter(range(20, 60))
    steps = iter(
        [
            lambda: append(samsung, line(20.9, "b_said") + line(20.95, "half_said")[:30]),
            lambda: append(ledger, line(20.8, "a_said")),  # written a moment later than it was said
            lambda: append(samsung, line(20.95, "half_said")[30:]),
            lambda: append(late, line(23, "c_said")),
        ]
    )

    def append(path: Path, text: str) -> None:
        with path.open("a") as file:
            file.write(text)

    followed = follow_lines(
        stack,
        Chosen(),
        now=lambda: f"2026-11-23T14:00:{next(looks):09.6f}Z",
        wait=lambda: take_step(steps),
    )

    said = [line.fields["log"] for line in islice(followed, 10 + 4)]
    assert said[9] == "batch_recorded"
    assert said[10:] == ["a_said", "b_said", "half_said", "c_said"]


def test_following_goes_on_in_a_new_file_of_the_same_name(stack):
    ledger = stack / "logs" / "ledger.log"
    steps = iter([lambda: ledger.write_text(line(30, "service_started", pid=4))])

    followed = follow_lines(stack, Chosen(service="ledger"), now=lambda: "2026-11-23T15", wait=lambda: take_step(steps))

    assert list(islice(followed, 10))[-1].fields["pid"] == 4


def read_composed(text: str, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(logs_command)
    result = CliRunner().invoke(app, ["-", *arguments], input=text)
    return result.exit_code, result.output


def composed(stack: Path) -> str:
    """Return what compose prints of a stack: all in one, foreign lines among them, some with their container's name."""
    ledger, samsung = ((stack / "logs" / f"{name}.log").read_text() for name in ("ledger", "supplier-samsung"))
    prefixed = "".join(f"supplier-samsung-1  | {text}\n" for text in samsung.splitlines())
    foreign = "1:M 23 Nov 2026 14:06:37.135 * Ready\n\n2026-11-23 14:06:37 UTC [1] LOG:  ready\n"
    return foreign + ledger + prefixed


def test_what_compose_prints_is_read_as_the_files_are(stack):
    _, kept = run(stack, "--json")
    _, streamed = read_composed(composed(stack), "--json")

    kept, streamed = json.loads(kept), json.loads(streamed)
    others = streamed.pop("others")
    assert others["damaged"] == 2 + kept["ledger"]["damaged"], "foreign lines are counted, and fatal to nobody"
    for summary in (*kept.values(), *streamed.values()):
        del summary["damaged"], summary["damaged_last"]
    assert streamed == kept


def test_lines_of_a_stream_are_chosen_by_who_says_them(stack):
    _, chosen = read_composed(composed(stack), "--service", "supplier", "--level", "warning", "--json")
    _, followed = read_composed(composed(stack), "--service", "supplier", "--follow", "--json")

    assert [json.loads(text)["log"] for text in chosen.splitlines()] == ["refusal_heard"]
    assert [json.loads(text)["log"] for text in followed.splitlines()] == ["service_started", "refusal_heard"]


def test_a_file_that_is_not_there_is_told(tmp_path):
    app = typer.Typer()
    app.command()(logs_command)

    result = CliRunner().invoke(app, [str(tmp_path / "none.log")])

    assert (result.exit_code, "No such file" in result.output) == (1, True)


def test_what_a_service_says_while_it_starts_is_no_life_that_was_killed(stack):
    started_twice = line(1, "service_started") + line(2, "service_stopped") + line(3, "batch_recorded", position=9)
    (stack / "logs" / "ledger.log").write_text(started_twice + line(4, "service_started"))

    ledger, _ = summaries_of(stack)

    assert (ledger.restarts, ledger.killed) == (1, 0)
