"""What is done with a stack: played, brought up, spoken to, looked after; and what a deployment needs."""

import shutil
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from services.operator.commands import demo as demo_
from services.operator.commands.options import DATA, Csv, Data, Folder, Json, StoreUrl, errors_told, last_day
from services.operator.contracts.asyncapi import asyncapi
from services.operator.contracts.documents import contract_files, write_contracts
from services.operator.contracts.schemas import json_schemas
from services.operator.record import taping
from services.operator.show.printing import print_answer, print_json
from services.operator.show.table import open_console, save_picture, table
from services.operator.stack.calling import call
from services.operator.stack.finding import StackError, find_stack, refuse_running, running, service_url, strangers_in
from services.operator.stack.provisioning import provision
from services.operator.stack.stack import Elsewhere, Play, Stack, started
from shared.play.scenario import Variant, load_scenario

SECRETS = Path("deploy/secrets")
_NO_STREAM = {"behind": False, "lag_ms": 0, "age_s": 0.0, "entries": 0}


def demo(
    until: Annotated[str, typer.Option(help="The last day or month to play, to 2029-12.")] = "2027-12",
    variant: Annotated[Variant, typer.Option(help="The headline ramp, or announced sites only.")] = "loi_headline",
    seed: Annotated[int, typer.Option(help="Another seed, another life of every lot.")] = 2026,
    data: Folder = DATA / "demo",
    json_: Json = False,
    picture: Annotated[Path | None, typer.Option(help="Write what is printed as an SVG picture, too.")] = None,
) -> None:
    """Play the reference programme lot by lot through the real services, and print what a planner sees at the end.

    Example: waferline demo --until 2026-06
    """
    with errors_told():
        play = Play(variant=variant, seed=seed, until=_played_until(until))
        refuse_running(data)
        strangers = strangers_in(data)
        if strangers:
            raise StackError(
                f"{data} holds what is no stack's ({strangers[0]}), and would be emptied: choose another with --data"
            )
        if (data / "ledger.db").exists() and data != DATA / "demo" and not (data / "made-by-demo").exists():
            raise StackError(
                f"{data} holds a stack that is no demo's, and would be emptied: choose another with --data"
            )
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        (data / "made-by-demo").touch()  # the next demo may empty it again
        console = open_console(record=picture is not None)
        console.quiet = json_
        console.print(f"Waferline plays {play.variant} of Stargate 2026 to {play.until}: every lot, the real services.")
        console.print("Redis, ledger, aggregator, 2 suppliers and 3 data-centre groups start as processes ...")
        with started(Stack(data, play)) as stack:
            seconds = demo_.live_through(stack, play, console)
            found = demo_.findings(stack, stack.scenario, play)
        if json_:
            print_json(found)
            return
        demo_.show(found, console)
        count = sum(found["events_by_type"].values())
        console.print(
            f"{count:,} events played in {seconds:.0f} s. The data lies in {data}; try next:", highlight=False
        )
        for hint in ("verify", "balances --by site", "logs"):
            console.print(f"  .venv/bin/waferline {hint} --data {data}", highlight=False)
        if picture is not None:
            save_picture(console, picture, "make demo")


def report(
    until: Annotated[
        str, typer.Option(envvar="WAFERLINE_UNTIL", help="The last day or month that is played, to 2029-12.")
    ] = "2027-12",
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Wait until a stack elsewhere has played the reference programme to its end, and print what a planner sees then.

    Example: waferline report --until 2026-06 --data stack.json
    """
    with errors_told():
        console, play = open_console(), Play(until=_played_until(until))
        console.quiet = json_
        stack = Elsewhere(data, load_scenario())
        seconds = demo_.live_through(stack, play, console)
        found = demo_.findings(stack, stack.scenario, play)
        if json_:
            print_json(found)
            return
        demo_.show(found, console)
        count = sum(found["events_by_type"].values())
        console.print(f"{count:,} events, to the last of them {seconds:.0f} s were waited.", highlight=False)


def up(
    data: Folder = DATA / "up",
    play: Annotated[bool, typer.Option("--play", help="Have the parties play the scenario, a day a second.")] = False,
    pace: Annotated[float, typer.Option(help="Seconds that a played day takes.", min=0)] = 1.0,
    variant: Annotated[Variant, typer.Option(help="What to play.")] = "loi_headline",
    until: Annotated[str, typer.Option(help="The last day or month to play.")] = "2029-12",
    store_url: StoreUrl = None,
) -> None:
    """Start Redis, the ledger, the aggregator and the parties, and stay up until Ctrl-C.

    What stops is started again; Ctrl-C stops all in an order that loses nothing.

    Example: waferline up --play
    """
    with errors_told():
        console = open_console()
        last = _played_until(until)
        scenes = Play(variant=variant, until=last, pace_s=pace) if play else None
        with started(Stack(data, scenes, store=store_url or "")) as stack:
            rows = [(name, stack.url(name), stack.processes[name].pid) for name in stack.services()]
            console.print(
                table(
                    f"Up in {data}, Redis at {stack.redis_url}",
                    ("service", "http", "pid"),
                    [(n, u, str(p)) for n, u, p in rows],
                )
            )
            console.print(f"Ctrl-C stops it. Meanwhile: .venv/bin/waferline status --data {data}", highlight=False)
            try:
                while True:
                    time.sleep(1)
                    stack.tend()
            except KeyboardInterrupt:
                console.print("stopping ...")
        console.print("stopped")


def publish(
    file: Annotated[Path, typer.Argument(help="CloudEvents, one a line; - for standard input.", allow_dash=True)],
    source: Annotated[str, typer.Option(help="Who says them: a supplier or a data-centre group of the stack.")],
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Hand events to the party that says them, and print the ledger's word on each; exit with 1 if one is refused.

    Example: waferline publish events.ndjson --source samsung
    """
    with errors_told():
        data = find_stack(data)
        facts = running(data)
        if facts is None:
            raise StackError(f"no stack is running in {data}: start one with `waferline up`")
        names = [name for name in facts["services"] if name.partition("-")[2] == source]
        if not names:
            known = ", ".join(name.partition("-")[2] for name in facts["services"] if "-" in name)
            raise StackError(f"{source!r} is no party of this stack; there are {known}")
        body = typer.get_binary_stream("stdin").read() if str(file) == "-" else _read(file)
        try:
            answer = call(service_url(facts, names[0]) + "/events", method="POST", content=body)
        except httpx.TransportError as failure:
            raise StackError(f"{names[0]} does not answer ({failure})") from failure
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise StackError(answer.json()["detail"])
        verdicts = answer.json()
    columns = ("line", "id", "status", "code", "path", "message")
    shown = table(f"{len(verdicts)} events of {source}", columns, [[v.get(c) for c in columns] for v in verdicts])
    print_answer(verdicts, verdicts, [shown], json_=json_, csv_=csv_)
    if any(verdict["status"] == "refused" for verdict in verdicts):
        raise typer.Exit(1)


def status(data: Data = DATA, json_: Json = False, csv_: Csv = False) -> None:
    """Print whether each service is well, and the lag and age of each of its streams; exit with 1 if one is not.

    Example: waferline status --json
    """
    with errors_told():
        data = find_stack(data)
        facts = running(data)
        if facts is None:
            raise StackError(f"no stack is running in {data}: start one with `waferline up`")
        healths = {name: _health(url) for name, url in facts["services"].items()}
    columns = ("service", "well", "position", "stream", "behind", "lag_s", "age_s", "entries")
    rows = [
        (name, health["well"], health.get("position", health.get("recorded")), stream,
         lag["behind"], lag["lag_ms"] / 1000, lag["age_s"], lag["entries"])
        for name, health in healths.items()
        for stream, lag in (health.get("streams") or {health.get("reason", "–"): _NO_STREAM}).items()
    ]  # fmt: skip
    caption = "lag: between the newest entry and the last one read; age: since the last entry was done"
    if any(len(health) == 1 for health in healths.values()):
        caption = taping.MORE_IS_TOLD
    shown = table(
        f"Stack in {data}",
        ("service", "well", "position", "stream", "", "lag s", "age s", "entries read"),
        [(*row[:4], "behind" if row[4] else "", *row[5:]) for row in rows],
        caption=caption,
    )
    print_answer(healths, [dict(zip(columns, row, strict=True)) for row in rows], [shown], json_=json_, csv_=csv_)
    if not all(health["well"] for health in healths.values()):
        raise typer.Exit(1)


def _health(url: str) -> dict[str, Any]:
    try:
        health: dict[str, Any] = call(url + "/health", within_s=10).json()
    except httpx.TransportError as failure:
        return {"well": False, "reason": repr(failure)}
    return health


def secrets(
    to: Annotated[Path, typer.Option("--to", help="The folder; it is made, for its owner alone.")] = SECRETS,
    scenario: Annotated[Path | None, typer.Option(help="Whose parties get a user; the reference programme's.")] = None,
    play: Annotated[bool, typer.Option("--play", help="They simulate, and so hear what the other side says.")] = False,
    renew: Annotated[list[str], typer.Option(help="Make this one anew; may be given several times.")] = [],  # noqa: B006
    json_: Json = False,
) -> None:
    """Make the passwords, tokens, keys and certificates of a deployment that are missing, and print their names.

    What is there stays.

    Example: waferline secrets --to deploy/secrets --renew token-planner
    """
    with errors_told():
        parties = load_scenario(scenario)
        done = provision(to, list(parties.suppliers), list(parties.datacenters), playing=play, renew=renew)
    if json_:
        print_json({"folder": str(to), **done._asdict(), "next": done.next_steps()})
        return
    console = open_console()
    for what, names in (("made", done.made), ("changed", done.changed)):
        for name in names:
            console.print(f"{what} {to / name}", highlight=False, soft_wrap=True)
    console.print(f"{len(done.made)} made, {len(done.changed)} changed, {len(done.kept)} kept in {to}", highlight=False)
    for step in done.next_steps():
        console.print(step, highlight=False, soft_wrap=True)


def schemas(
    write: Annotated[bool, typer.Option("--write", help="Write the kept documents of this checkout anew.")] = False,
    json_: Json = False,
) -> None:
    """Tell which documents describe the wire, or print them: JSON Schemas, the AsyncAPI document, the page of events.

    A diff in a kept document is a change of contract: say in the CHANGELOG who must do what.

    Example: waferline schemas
    """
    if write:
        for path in write_contracts(Path()):
            typer.echo(path)
    elif json_:
        print_json(json_schemas() | {"asyncapi": asyncapi()})
    else:
        for path in contract_files():
            typer.echo(path)


def _played_until(text: str) -> date:
    """Return the last day to play; raise `StackError` for one that the scenario does not have."""
    scenario, day = load_scenario(), last_day(text)
    if not scenario.starts_on <= day <= scenario.ends_on:
        raise StackError(f"the programme can be played until {scenario.starts_on} to {scenario.ends_on}, not {day}")
    return day


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise StackError(f"{file}: {error.strerror}") from error
