"""The command `waferline logs`: a summary, selected lines, following, checks."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import Xlsx
from services.operator.logs.lines import Level
from services.operator.stack.errors import StackError

if TYPE_CHECKING:
    from services.operator.logs.checks import LogThresholds
    from services.operator.logs.lines import LineFilter
    from services.operator.logs.sources import LogFolder, LogStream


def logs(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Output of `docker compose logs`; - is standard input. Default: the logs in the stack's folder.",
            allow_dash=True,
        ),
    ] = None,
    data: Annotated[Path, typer.Option("--data", envvar="WAFERLINE_STACK", help="Folder of the stack.")] = Path("data"),
    service: Annotated[str | None, typer.Option(help="Only this service: ledger, supplier, supplier-NAME.")] = None,
    level: Annotated[Level | None, typer.Option(help="Only lines of this level and above.")] = None,
    name: Annotated[str | None, typer.Option(help="Only lines of this name: event_refused.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only lines since 30s, 5m, 2h or 1d ago, or a UTC time: 2026-11-23T13:00.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines as they come, until Ctrl-C.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Print the signs of trouble; exit with 1 if there are any.")
    ] = False,
    silent_s: Annotated[float, typer.Option(help="With --check: seconds that a service may log nothing.")] = 30,
    refused_percent: Annotated[
        float, typer.Option(help="With --check: percent of a source's events that may be refused.")
    ] = 1,
    expect: Annotated[str, typer.Option(help="With --check: services that must have logged: ledger,aggregator.")] = "",
    json_: Annotated[bool, typer.Option("--json", help="Print the lines as logged, and the summary as JSON.")] = False,
    xlsx: Xlsx = None,
) -> None:
    """Print a summary of the services' logs; with --level, --name or --follow the lines themselves.

    Example: waferline logs --level warning --since 1h

    Example: docker compose logs --no-log-prefix --no-color | waferline logs - --check
    """
    from services.operator.logs.checks import LogThresholds
    from services.operator.logs.lines import LineFilter, parse_since
    from services.operator.logs.sources import LogFolder, LogStream
    from services.operator.stack.location import find_stack

    try:
        begin = "" if since is None else parse_since(since, datetime.now(UTC))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{since!r} is neither 5m nor a time", param_hint="--since") from error
    line_filter = LineFilter(service, level or "info", name, begin)
    with report_errors():
        if xlsx is not None and (check or follow or level is not None or name is not None):
            raise StackError("--xlsx takes the summary: leave --check, --follow, --level and --name out")
        if file is not None:
            source: LogFolder | LogStream = LogStream(file)
        else:
            source = LogFolder(find_stack(data), line_filter, required=not follow)
        if check:
            expected = tuple(each for each in expect.split(",") if each)
            _check(source, line_filter, LogThresholds(silent_s, refused_percent, expected), json_=json_)
        elif follow or level is not None or name is not None:
            _print_lines(source, line_filter, follow=follow, json_=json_)
        else:
            _summarise(source, line_filter, json_=json_, xlsx=xlsx)


def _print_lines(source: "LogFolder | LogStream", line_filter: "LineFilter", *, follow: bool, json_: bool) -> None:
    from services.operator.logs.display import format_line

    lines = source.follow(line_filter) if follow else sorted(source.read(line_filter), key=lambda line: line.order)
    try:
        for line in lines:
            typer.echo(line.text if json_ else format_line(line, source.width))
    except KeyboardInterrupt:
        if not follow:
            raise
        raise typer.Exit from None


def _summarise(source: "LogFolder | LogStream", line_filter: "LineFilter", *, json_: bool, xlsx: Path | None) -> None:
    from services.operator.commands.output import put_out
    from services.operator.logs.display import print_criticals, summary_tables
    from services.operator.logs.summary import Summary, summarise

    summaries: dict[str, Summary] = {}
    found = list(summarise(source.read(line_filter, summaries), summaries))
    facts = {summary.process: summary.facts() for summary in found}
    put_out(facts, [], summary_tables(source.place, found), json_=json_, csv_=False, xlsx=xlsx)
    if not json_ and xlsx is None:
        print_criticals(found)


def _check(
    source: "LogFolder | LogStream", line_filter: "LineFilter", thresholds: "LogThresholds", *, json_: bool
) -> None:
    """Print the signs of trouble, a line each; exit with 1 if there are any, or no line at all."""
    from services.operator.logs.checks import LogChecks
    from services.operator.logs.lines import printable

    checks = LogChecks()
    for line in source.read(line_filter):
        checks.add(line.process, line.fields)
    if not checks.lines:
        raise StackError(
            f"not a line of a service in {source.place}: is that their log, and does --since reach back far enough?"
        )
    troubles = checks.troubles(datetime.now(UTC), thresholds)
    if json_:
        typer.echo(json.dumps([trouble._asdict() for trouble in troubles], indent=1))
    elif troubles:
        for trouble in troubles:
            typer.echo(printable(str(trouble)))
    else:
        typer.echo(
            f"nothing needs a person: {checks.lines:,} lines of {len(checks.processes)} services in {source.place}"
        )
    if troubles:
        raise typer.Exit(1)
