"""Commands on a stack: demo, start, status, publication, deployment secrets, contract documents."""

import shutil
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, Csv, Data, Folder, Json, StoreUrl, Xlsx, Yes, confirm, last_day
from services.operator.commands.output import command_name
from services.operator.stack.errors import StackError
from shared.play.variants import VariantName, variant_named

if TYPE_CHECKING:  # a command imports the modules that it runs when it runs
    from rich.console import Console

    from services.operator.stack.stack import Stack

SECRETS = Path("deploy/secrets")
_EMPTY = (
    "It has no wafers yet. The demo's data are in another folder: `{} up --data data/demo` shows them on the page, and "
    "--play plays the programme here."
)
_VARIANT = "The announced sites, or the headline ramp; announced_sites_only is an earlier name of announced."
_NO_STREAM = {"behind": False, "lag_ms": 0, "age_s": 0.0, "entries": 0}


def demo(
    until: Annotated[str, typer.Option(help="Last day or month to play, at most 2029-12.")] = "2027-12",
    variant: Annotated[VariantName, typer.Option(help=_VARIANT)] = "announced",
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 2026,
    data: Folder = DATA / "demo",
    json_: Json = False,
    picture: Annotated[Path | None, typer.Option(help="Also write the output as an SVG picture.")] = None,
) -> None:
    """Play the reference programme lot by lot through the real services, and print the planner's tables at its end.

    Example: waferline demo --until 2026-06
    """
    from services.operator.commands.played import print_results, read_results, wait_for_end
    from services.operator.show.printing import print_json
    from services.operator.show.table import open_console, save_picture
    from services.operator.stack.folder import StackFolder, foreign_files, refuse_running
    from services.operator.stack.new_file import expect_ending
    from services.operator.stack.stack import ScenarioRun, Stack, started

    with report_errors():
        play = ScenarioRun(variant=variant_named(variant), seed=seed, until=_played_until(until))
        if picture is not None:
            expect_ending(picture, ".svg")
        refuse_running(data)
        foreign = foreign_files(data)
        if foreign:
            raise StackError(
                f"{data} holds a file of no stack ({foreign[0]}), and would be emptied: choose another with --data"
            )
        if StackFolder(data).ledger_store.exists() and data != DATA / "demo" and not (data / "made-by-demo").exists():
            raise StackError(
                f"{data} holds a stack of another command, and would be emptied: choose another with --data"
            )
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        (data / "made-by-demo").touch()  # allows the next demo to empty the folder
        console = open_console(record=picture is not None)
        console.quiet = json_
        stack = Stack(data, play)
        console.print(
            f"Waferline plays {play.variant} of {stack.scenario.name} to {play.until}: every lot, the real services.",
            highlight=False,
        )
        console.print(f"Redis, ledger, aggregator, console, {_count_parties(stack)} start as processes ...")
        with started(stack):
            seconds = wait_for_end(stack, play, console)
            results = read_results(stack, stack.scenario, play)
        if json_:
            print_json(results)
            return
        print_results(results, console)
        count = sum(results["events_by_type"].values())
        console.print(f"{count:,} events played in {seconds:.0f} s. The data is in {data}; try next:", highlight=False)
        for hint in ("verify", "balances --by site", "logs"):
            console.print(f"  {command_name()} {hint} --data {data}", highlight=False)
        console.print(f"On the planner's page: {command_name()} up --data {data}", highlight=False)
        if picture is not None:
            save_picture(console, picture, "make demo")


def _count_parties(stack: "Stack") -> str:
    """Return how many suppliers, data-centre groups and planners a stack has, in words."""
    from services.operator.show.table import counted

    sources = ((stack.suppliers, "supplier"), (stack.datacenters, "data-centre group"), (stack.planners, "planner"))
    *first, last = (counted(len(names), thing) for names, thing in sources if names)
    return f"{', '.join(first)} and {last}" if first else last


def results(
    until: Annotated[
        str, typer.Option(envvar="WAFERLINE_UNTIL", help="Last day or month played, at most 2029-12.")
    ] = "2027-12",
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Wait until a stack elsewhere has played the reference programme, and print the planner's tables at its end.

    Example: waferline results --until 2026-06 --data stack.json
    """
    from services.operator.commands.played import print_results, read_results, wait_for_end
    from services.operator.show.printing import print_json
    from services.operator.show.table import open_console
    from services.operator.stack.remote import RemoteStack
    from services.operator.stack.stack import ScenarioRun
    from shared.play.scenario import load_scenario

    with report_errors():
        console, play = open_console(), ScenarioRun(until=_played_until(until))
        console.quiet = json_
        stack = RemoteStack(data, load_scenario())
        seconds = wait_for_end(stack, play, console)
        results = read_results(stack, stack.scenario, play)
        if json_:
            print_json(results)
            return
        print_results(results, console)
        count = sum(results["events_by_type"].values())
        console.print(f"{count:,} events, after waiting {seconds:.0f} s for the last of them.", highlight=False)


def up(
    data: Folder = DATA / "up",
    programme: Annotated[
        Path | None,
        typer.Option(help="Programme file; default: that of the last start, else the reference programme."),
    ] = None,
    play: Annotated[bool, typer.Option("--play", help="Play the scenario, by default a day a second.")] = False,
    pace: Annotated[float, typer.Option(help="Seconds of a played day.", min=0)] = 1.0,
    variant: Annotated[VariantName, typer.Option(help=_VARIANT)] = "announced",
    until: Annotated[str, typer.Option(help="Last day or month to play.")] = "2029-12",
    port: Annotated[
        int | None,
        typer.Option(
            envvar="WAFERLINE_PORT",
            min=1024,
            max=65_000,
            help="Port of the planner's page; the services take those behind it. Default: the ports of the last start.",
        ),
    ] = None,
    notify: Annotated[
        Path | None, typer.Option(help="Also start the notifier, which sends alerts by the rules of this file.")
    ] = None,
    store_url: StoreUrl = None,
) -> None:
    """Start Redis, the ledger, the aggregator, the console and the parties, and run until Ctrl-C.

    A stopped service is restarted; Ctrl-C stops all in an order that loses nothing. The ports stay the same from start
    to start.

    The planners declare the programme at the start, where it differs from the declarations in force. A party that the
    programme file gets meanwhile is started beside the others.

    Example: waferline up --programme scenarios/stargate.yaml
    """
    from services.operator.show.table import open_console, table
    from services.operator.stack.calls import call
    from services.operator.stack.folder import expect_finished, refuse_running
    from services.operator.stack.programmes import programme_of
    from services.operator.stack.stack import ScenarioRun, Stack, started
    from shared.play.scenario import DEFAULT_PROGRAMME

    with report_errors():
        expect_finished(data)
        refuse_running(data)  # before its programme file is named to be another
        console = open_console()
        last = _played_until(until)
        run = ScenarioRun(variant=variant_named(variant), until=last, pace_s=pace) if play else None
        if play and programme is not None:
            raise StackError(
                "--play plays the reference scenario, which names its own programme: leave --programme out"
            )
        file = DEFAULT_PROGRAMME if play else programme_of(data, programme)
        stack = Stack(data, run, programme_file=file, notify=notify, store=store_url or "", first_port=port)
        console.print(f"{_count_parties(stack)} of {file} start ...", highlight=False, soft_wrap=True)
        with started(stack):
            rows = [(name, stack.url(name), str(stack.processes[name].pid)) for name in stack.services()]
            title = f"Up in {data}, Redis at {stack.redis_place}"
            console.print(table(title, ("service", "http", "pid"), rows))
            console.print(f"The planner's page: {stack.url('console')}/", highlight=False, soft_wrap=True)
            published = call(stack.url("ledger") + "/head", within_s=60).json()["sources"].keys()
            if not play and published <= set(stack.planners):  # that declare the programme at the start
                console.print(_EMPTY.format(command_name()), highlight=False, soft_wrap=True)
            console.print(f"Ctrl-C stops it. Meanwhile: {command_name()} status --data {data}", highlight=False)
            try:
                _tend(stack, file, console)
            except KeyboardInterrupt:
                console.print("stopping ...")
        console.print("stopped")


def _tend(stack: "Stack", file: Path, console: "Console") -> None:
    """Keep the stack up until Ctrl-C; unless it plays, start the parties that the programme file gets meanwhile."""
    changed_at = _changed_at(file)
    while True:
        time.sleep(1)
        stack.tend()
        if stack.play is None and (now := _changed_at(file)) != changed_at:
            changed_at = now
            _follow(stack, console)


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0  # an editor replaces it


def _follow(stack: "Stack", console: "Console") -> None:
    """Start the parties that are new in the programme file; a faulty file changes nothing."""
    try:
        for name in stack.follow_programme():
            console.print(f"{name} is new in the programme file: {stack.url(name)}", highlight=False, soft_wrap=True)
    except (StackError, OSError) as faults:
        console.print(f"the programme file is left unread: {faults}", highlight=False, soft_wrap=True)


def publish(
    file: Annotated[
        Path, typer.Argument(help="CloudEvents, one a line or an array; - is standard input.", allow_dash=True)
    ],
    source: Annotated[str, typer.Option(help="Their source: a supplier or a data-centre group of the stack.")],
    yes: Yes = False,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Publish events of a source, and print the ledger's verdict on each; exit with 1 if one is refused.

    The file has one event a line, or an array, or JSON over several lines, with or without a byte order mark. A file
    that is too large for one request is cut. An event may leave out `id`, `revision` and `owner`.

    A site that nobody declares, or a day outside the horizon, may be a typo: on a terminal the command asks before it
    publishes anything, elsewhere it refuses; --yes goes on.

    Example: waferline publish events.ndjson --source samsung
    """
    import httpx

    from services.operator.ask.first_look import find_doubts, read_contents
    from services.operator.ask.publishing import publish_events, read_events
    from services.operator.commands.output import expect_output, put_out
    from services.operator.show.table import counted, table
    from services.operator.stack.location import find_stack, running_stack, service_url

    with report_errors():
        expect_output(json_=json_, csv_=csv_, xlsx=xlsx)
        data = find_stack(data, writes=True)
        facts = running_stack(data)
        names = [name for name in facts["services"] if name.partition("-")[2] == source]
        if not names:
            parties = ", ".join(name.partition("-")[2] for name in facts["services"] if "-" in name)
            raise StackError(f"{source!r} is no party of the stack in {data}; there are {parties}")
        events = read_events(typer.get_binary_stream("stdin").read() if str(file) == "-" else _read(file))
        unchecked = ""
        if not yes:
            doubts, unchecked = find_doubts(data, read_contents(events))
            confirm([(f"line {index + 1}", each.reason) for index, each in doubts])
        try:
            verdicts = publish_events(service_url(facts, names[0]), events)
        except httpx.TransportError as failure:
            raise StackError(f"{names[0]} does not answer ({failure})") from failure
    if unchecked:
        typer.secho(f"sites and due days were not checked: {unchecked}", fg="yellow", err=True)
    columns = ("line", "id", "status", "code", "path", "message")
    shown = table(
        f"{counted(len(verdicts), 'event')} of {source}, to the stack in {data}",
        columns,
        [[v.get(c) for c in columns] for v in verdicts],
    )
    put_out(verdicts, verdicts, [shown], json_=json_, csv_=csv_, xlsx=xlsx)
    if any(verdict["status"] == "refused" for verdict in verdicts):
        raise typer.Exit(1)


def status(data: Data = DATA, json_: Json = False, csv_: Csv = False, xlsx: Xlsx = None) -> None:
    """Print the health of each service, and the lag and age of its streams; exit with 1 if one is not well.

    Of each party it also prints the day that it has completed, and whether it holds up the last complete day.

    Example: waferline status --json
    """
    from services.operator.commands.output import put_out
    from services.operator.show.table import table
    from services.operator.stack.location import find_stack, running_stack
    from services.operator.stack.settling import DETAILS_HINT

    with report_errors():
        data = find_stack(data)
        facts = running_stack(data)
        healths = {name: _health(url) for name, url in facts["services"].items()}
        is_brief = any(len(health) == 1 for health in healths.values())
        completed = _completed_days(data) if healths.get("aggregator", {}).get("well") else {}
        healths = {name: health | completed.get(name.partition("-")[2], {}) for name, health in healths.items()}
    columns = (
        "service", "well", "position", "stream", "behind", "lag_s", "age_s", "entries", "completed_through", "holds_up",
    )  # fmt: skip
    rows = [
        (name, health["well"], health.get("position", health.get("recorded")), stream,
         lag["behind"], lag["lag_ms"] / 1000, lag["age_s"], lag["entries"],
         health.get("completed_through", ""), health.get("holds_up", ""))
        for name, health in healths.items()
        for stream, lag in (health.get("streams") or {health.get("reason", "–"): _NO_STREAM}).items()
    ]  # fmt: skip
    caption = "lag: time from the last entry read to the newest one; age: time since the last entry was processed"
    if is_brief:
        caption = DETAILS_HINT
    shown = table(
        f"Stack in {data}",
        ("service", "well", "position", "stream", "", "lag s", "age s", "entries read", "completed through",
         "holds up the day"),
        [(*row[:4], "behind" if row[4] else "", *row[5:9], "yes" if row[9] else "") for row in rows],
        caption=caption,
        spared=("entries read", "stream"),
    )  # fmt: skip
    put_out(healths, [dict(zip(columns, row, strict=True)) for row in rows], [shown], json_=json_, csv_=csv_, xlsx=xlsx)
    if not all(health["well"] for health in healths.values()):
        raise typer.Exit(1)


def _completed_days(data: Path) -> dict[str, dict[str, Any]]:
    """Return by source the day that it has completed, and whether it holds up the last complete day; {} if unknown."""
    from services.operator.ask.client import ask
    from shared.process.credentials import CredentialsError

    try:
        rows = ask(data, "aggregator", "/watermarks")["rows"]
    except (StackError, CredentialsError):
        return {}  # it is not ready yet, or the token may not read it
    return {row["source"]: {name: row[name] for name in ("completed_through", "holds_up")} for row in rows}


def _health(url: str) -> dict[str, Any]:
    import httpx

    from services.operator.stack.calls import call

    try:
        health: dict[str, Any] = call(url + "/health", within_s=5).json()
    except httpx.TransportError as failure:
        return {"well": False, "reason": repr(failure)}
    return health


def secrets(
    to: Annotated[Path, typer.Option("--to", help="Folder of the secrets; made for its owner alone.")] = SECRETS,
    programme: Annotated[
        Path | None, typer.Option(help="Programme file of the parties; default: the reference programme.")
    ] = None,
    play: Annotated[bool, typer.Option("--play", help="The parties simulate: they read each other's events.")] = False,
    renew: Annotated[list[str], typer.Option(help="Renew this secret; may be repeated.")] = [],  # noqa: B006
    json_: Json = False,
) -> None:
    """Make the missing passwords, tokens, keys and certificates of a deployment, and print their file names.

    Existing ones are kept.

    Example: waferline secrets --to deploy/secrets --renew token-planner
    """
    from services.operator.deployment.deployment_secrets import provision
    from services.operator.show.printing import print_json
    from services.operator.show.table import open_console
    from services.operator.stack.programmes import read_programme_file

    with report_errors():
        parties = read_programme_file(programme).parties
        sources = (list(each) for each in (parties.suppliers, parties.datacenters, parties.planners))
        done = provision(to, *sources, playing=play, renew=renew)
    if json_:
        print_json({"folder": str(to), **done._asdict(), "next": done.next_steps()})
        return
    console = open_console()
    for verb, names in (("made", done.made), ("changed", done.changed)):
        for name in names:
            console.print(f"{verb} {to / name}", highlight=False, soft_wrap=True)
    console.print(f"{len(done.made)} made, {len(done.changed)} changed, {len(done.kept)} kept in {to}", highlight=False)
    for step in done.next_steps():
        console.print(step, highlight=False, soft_wrap=True)


def schemas(
    write: Annotated[bool, typer.Option("--write", help="Write the documents of this checkout again.")] = False,
    json_: Json = False,
) -> None:
    """List the documents of the wire format, or print them: JSON Schemas, AsyncAPI, the page of events.

    A diff in one of them changes the contract: the CHANGELOG says which readers must do something.

    Example: waferline schemas
    """
    from services.operator.contracts.asyncapi import asyncapi
    from services.operator.contracts.documents import contract_files, write_contracts
    from services.operator.contracts.schemas import json_schemas
    from services.operator.show.printing import print_json

    if write:
        for path in write_contracts(Path()):
            typer.echo(path)
    elif json_:
        print_json(json_schemas() | {"asyncapi": asyncapi()})
    else:
        for path in contract_files():
            typer.echo(path)


def _played_until(text: str) -> date:
    """Return the last day to play; raise `StackError` for a day outside the scenario."""
    from shared.play.scenario import load_scenario

    scenario, day = load_scenario(), last_day(text)
    if not scenario.starts_on <= day <= scenario.ends_on:
        raise StackError(f"the programme can be played until {scenario.starts_on} to {scenario.ends_on}, not {day}")
    return day


def _read(file: Path) -> bytes:

    try:
        return file.read_bytes()
    except OSError as error:
        raise StackError(f"{file}: {error.strerror}") from error
