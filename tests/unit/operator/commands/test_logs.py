"""`waferline logs` over files and streams as real services leave them."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from services.operator.commands.logs import logs
from testing.log_lines import line, write_logs


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write_logs(tmp_path)


def run(stack: Path, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(logs)
    result = CliRunner().invoke(app, ["--data", str(stack), *arguments])
    return result.exit_code, result.output


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


@pytest.mark.parametrize("text", ["5x", "", "yesterday", "99999999999d"])
def test_a_wrong_since_is_told(stack, text):
    code, output = run(stack, "--since", text)

    assert code == 2
    assert "neither 5m nor a time" in output


def test_a_folder_without_logs_is_told(tmp_path):
    code, output = run(tmp_path)

    assert code == 1
    assert "has a stack run there?" in output


def read_composed(text: str, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(logs)
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
    app.command()(logs)

    result = CliRunner().invoke(app, [str(tmp_path / "none.log")])

    assert (result.exit_code, "No such file" in result.output) == (1, True)


def check(text: str, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(logs)
    result = CliRunner().invoke(app, ["-", "--check", *arguments], input=text)
    return result.exit_code, result.output


COMPOSED = (
    "1:M 23 Nov 2026 14:06:37.135 * Ready to accept connections\n"
    "postgres-1  | 2026-11-23 14:06:37.135 UTC [1] LOG:  database system is ready\n"
    f"ledger-1  | {line(1, 'service_started').strip()}\n"
)


def test_what_compose_prints_is_checked_line_by_line() -> None:
    stopped = line(3, "service_stopped", level="critical", reason="no Redis within 5 s").strip()

    assert check(COMPOSED, "--silent-s", "1e9")[0] == 0
    code, output = check(COMPOSED + stopped + "\n")
    assert code == 1
    assert output == "ledger: stopped, last at 2026-11-23T14:00:03Z: no Redis within 5 s\n"
    assert json.loads(check(COMPOSED + stopped + "\n", "--json")[1])[0]["sign"] == "stopped"


def test_where_no_service_says_anything_nothing_is_called_well() -> None:
    code, output = check("1:M 23 Nov 2026 14:06:37.135 * Ready to accept connections\n")

    assert code == 1
    assert "not a line of a service in standard input" in output
