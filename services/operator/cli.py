"""The command line: one function a command, each of which asks somebody else to do it."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer
from rich.markup import escape

from services.aggregator.api import DETAILED_MAX
from services.aggregator.curves import Basis
from services.ledger.checkpoint import (
    Untrusted,
    append_checkpoint,
    checkpoint_of,
    make_key,
    read_signer,
    sign_checkpoint,
)
from services.operator import demo as demo_
from services.operator import taping
from services.operator.asking import ask, failures, find_stack, fold, open_store, unreadable
from services.operator.calling import call
from services.operator.exporting import Format
from services.operator.exporting import export as write_export
from services.operator.histories import write_history, write_instants
from services.operator.logs import Chosen, Streamed, logs_command, read_lines
from services.operator.proof import contradicted, kept_checkpoints, verify_chain
from services.operator.proof import verify as prove
from services.operator.provisioning import provision
from services.operator.rebuilding import rebuild_export
from services.operator.stack import (
    Elsewhere,
    Play,
    Stack,
    StackError,
    refuse_running,
    running,
    service_url,
    started,
    strangers_in,
)
from services.operator.tables import (
    alerts_tables,
    open_console,
    performance_tables,
    save_picture,
    shortages_tables,
    table,
    trace_tables,
    why_tables,
)
from services.operator.tracing import begin_of, steps_of, trace_event, unsaid
from shared import contracts
from shared.credentials import CredentialsError
from shared.events import FIRMNESS, Firmness
from shared.scenario import Variant, last_of_month, load_scenario

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A live, provable balance of DRAM wafers between their suppliers and the AI data-centre sites that need them.",
)

DATA = Path("data")
SECRETS = Path("deploy/secrets")
_NO_STREAM = {"behind": False, "lag_ms": 0, "age_s": 0.0, "entries": 0}
Folder = Annotated[Path, typer.Option("--data", help="The folder of the stack.")]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="WAFERLINE_STACK",
        help="The folder of the stack; of `data`, the one that runs or the demo's. Or the .json file that says where "
        "the services of a stack elsewhere are.",
    ),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="WAFERLINE_STORE",  # what stands on a command line can be read by everyone on the machine
        help="A postgresql:// URL, for a store that is not in a stack's folder.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of tables for a person.")]


@contextmanager
def _errors_told() -> Iterator[None]:
    """Tell what went wrong and what to do next, in a line, and exit with 1."""
    try:
        yield
    except (StackError, CredentialsError, Untrusted) as error:
        typer.secho(f"waferline: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    except BrokenPipeError:
        raise  # whoever reads what we write has seen enough: typer ends without a word
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        typer.secho(f"waferline: {place}{error.strerror or error}", fg="red", err=True)
        raise typer.Exit(1) from error
    except failures() as error:
        typer.secho(f"waferline: {unreadable(error)}", fg="red", err=True)
        raise typer.Exit(1) from error


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1))


@app.command()
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
    with _errors_told():
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
            _print_json(found)
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


@app.command()
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
    with _errors_told():
        console, play = open_console(), Play(until=_played_until(until))
        console.quiet = json_
        stack = Elsewhere(data, load_scenario())
        seconds = demo_.live_through(stack, play, console)
        found = demo_.findings(stack, stack.scenario, play)
        if json_:
            _print_json(found)
            return
        demo_.show(found, console)
        count = sum(found["events_by_type"].values())
        console.print(f"{count:,} events, to the last of them {seconds:.0f} s were waited.", highlight=False)


@app.command()
def up(
    data: Folder = DATA / "up",
    play: Annotated[bool, typer.Option("--play", help="Have the parties play the scenario, a day a second.")] = False,
    pace: Annotated[float, typer.Option(help="Seconds that a played day takes.", min=0)] = 1.0,
    variant: Annotated[Variant, typer.Option(help="What to play.")] = "loi_headline",
    until: Annotated[str, typer.Option(help="The last day or month to play.")] = "2029-12",
    store_url: StoreUrl = None,
) -> None:
    """Start Redis, the ledger, the aggregator and the parties, and stay up until Ctrl-C.

    What stops is started again; Ctrl-C stops all in an order that loses nothing. Example: waferline up --play
    """
    with _errors_told():
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


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="CloudEvents, one a line; - for standard input.", allow_dash=True)],
    source: Annotated[str, typer.Option(help="Who says them: a supplier or a data-centre group of the stack.")],
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Hand events to the party that says them, and print the ledger's word on each; exit with 1 if one is refused.

    Example: waferline publish events.ndjson --source samsung
    """
    with _errors_told():
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
    if json_:
        _print_json(verdicts)
    else:
        columns = ("line", "id", "status", "code", "path", "message")
        open_console().print(
            table(f"{len(verdicts)} events of {source}", columns, [[v.get(c) for c in columns] for v in verdicts])
        )
    if any(verdict["status"] == "refused" for verdict in verdicts):
        raise typer.Exit(1)


@app.command()
def balances(
    by: Annotated[
        str, typer.Option(help="product, site, supplier, or some of them with commas; empty: in total.")
    ] = "product",
    window: Annotated[int, typer.Option(help="Days of the rolling window: 1, 7, 30, 90 or 365.")] = 30,
    basis: Annotated[Basis, typer.Option(help="start: started against to be started; receipt: at the dock.")] = "start",
    firmness: Annotated[
        Firmness | None, typer.Option(help="Supply is what is committed at this grade or above.")
    ] = None,
    day: Annotated[
        str | None, typer.Option(help="The last day of the window; the last complete one by default.")
    ] = None,
    product: str | None = None,
    site: str | None = None,
    supplier: str | None = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="What was known after this batch, or at the end of this UTC day."),
    ] = None,
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Print the rolling balance and what stands in each stage, as it is known now or was known then.

    Example: waferline balances --by site,product --basis receipt --firmness firm --as-of 2026-08-31
    """
    query: dict[str, Any] = {
        "by": by or None, "window": window, "basis": basis, "firmness": firmness, "day": day,
        "product": product, "site": site, "supplier": supplier,
    }  # fmt: skip
    with _errors_told():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/balances", as_of=as_of, **query)
        rows = list(answer["rows"])
        while answer["next"] is not None:
            answer = ask(data, "aggregator", "/balances", as_of=as_of, after=answer["next"], **query)
            rows += answer["rows"]
    answer["rows"] = rows
    if json_:
        _print_json(answer)
        return
    parts = answer["by"]
    grades = FIRMNESS[FIRMNESS.index(firmness) if firmness else 0 :]
    title = f"{window} days to {answer['day']}, {basis} basis"
    if as_of is not None:
        title += f", as it was known after batch {answer['position']}"
    open_console().print(
        table(
            title + (f", supply committed {firmness} or above" if firmness else ""),
            (*parts, "supply", "demand", "net", "in process", "finished", "in transit", "on hand", "open commit now"),
            [
                (
                    *(row[part] for part in parts), row["supply"], row["demand"], row["net"], row["wip"],
                    row["finished"], row["in_transit"], row["on_hand"],
                    sum(row["open_commit"][grade] for grade in grades),
                )
                for row in rows
            ],
            caption=_standing(data, answer),
        )
    )  # fmt: skip


def _standing(data: Path, answer: dict[str, Any]) -> str:
    """Return what the numbers rest on."""
    through, place = answer["complete_through"], f"position {answer['position']}, head {answer['head'][:16]}"
    if through is None:
        return f"{data}: {place}; no day is complete yet: each source says source.advanced when it has said all of one"
    return f"{data}: complete through {through}, {place}"


@app.command()
def shortages(
    firmness: Annotated[Firmness, typer.Option(help="Count commits of this grade or above.")] = "planned",
    why: Annotated[bool, typer.Option("--why", help="And what is behind each: orders, supply, events.")] = False,
    product: Annotated[str | None, typer.Option(help="This product only.")] = None,
    site: Annotated[str | None, typer.Option(help="This site only.")] = None,
    limit: Annotated[int, typer.Option(help="How many rows.", min=1, max=200)] = 20,
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Print which sites run short of what, first ones first, and with --why what is behind it.

    That is: the orders that are short or late, which supply is meant for them, what is overdue, and the events that
    caused it. Example: waferline shortages --why --site abilene --product HBM4-12H
    """
    query: dict[str, Any] = {"firmness": firmness, "product": product, "site": site}
    page = DETAILED_MAX if why else limit
    if why:
        query["why"] = "true"
    with _errors_told():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/shortages", limit=min(page, limit), **query)
        rows = list(answer["rows"])
        while why and answer["next"] is not None and answer["next"] < limit:
            begin = answer["next"]
            answer = ask(data, "aggregator", "/shortages", offset=begin, limit=min(page, limit - begin), **query)
            rows += answer["rows"]
    answer["rows"] = rows
    if json_:
        _print_json(answer)
        return
    console = open_console()
    if answer["today"] is not None:
        for each in why_tables(answer) if why else shortages_tables(answer, limit):
            console.print(each)
    console.print(_standing(data, answer), style="dim")


@app.command()
def performance(
    supplier: Annotated[str, typer.Argument(help="Whose word it is.")],
    product: Annotated[str | None, typer.Option(help="This product only.")] = None,
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Print how a supplier has kept what it committed, by product: in time, in full, and as first said.

    Example: waferline performance samsung --product HBM4-12H
    """
    with _errors_told():
        data = find_stack(data)
        answer = ask(data, "aggregator", f"/suppliers/{quote(supplier, safe='')}/performance", product=product)
    if json_:
        _print_json(answer)
        return
    console = open_console()
    for each in performance_tables(answer):
        console.print(each)
    console.print(_standing(data, answer), style="dim")


@app.command()
def alerts(
    code: Annotated[str | None, typer.Option(help="Only these: short_within, slip_beyond, ...")] = None,
    limit: Annotated[int, typer.Option(help="How many rows.")] = 20,
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Print what a planner should look at, the most urgent first. Example: waferline alerts --code short_within"""
    with _errors_told():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/alerts", code=code, limit=limit)
    if json_:
        _print_json(answer)
        return
    for each in alerts_tables(answer):
        open_console().print(each)
    open_console().print(_standing(data, answer), style="dim")


@app.command()
def cover(
    product: Annotated[str | None, typer.Option(help="This product only.")] = None,
    site: Annotated[str | None, typer.Option(help="This site only.")] = None,
    limit: Annotated[int, typer.Option(help="How many rows.")] = 20,
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Print for how many days each site is covered with each product, the least covered first.

    Example: waferline cover --site abilene
    """
    with _errors_told():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/cover", product=product, site=site, limit=limit)
    if json_:
        _print_json(answer)
        return
    open_console().print(
        table(
            f"Days of cover, as of {answer['today']}: {len(answer['rows'])} of {answer['count']} products at sites",
            ("site", "product", "on hand", "backorder", "days of cover", "first day not covered"),
            [
                (row["site"], row["product"], row["on_hand"], row["backorder"], row["cover_days"],
                 row["first_uncovered_day"])
                for row in answer["rows"]
            ],
            caption="what is on hand, less the backorder, over what is required from today on, without receipts\n"
            "– : the orders that are known end first. " + _standing(data, answer),
        )
    )  # fmt: skip


@app.command()
def atp(
    product: Annotated[str | None, typer.Option(help="This product only.")] = None,
    site: Annotated[str | None, typer.Option(help="This site only.")] = None,
    bucket: Annotated[str, typer.Option(help="day or week.")] = "week",
    buckets: Annotated[int, typer.Option(help="How many.")] = 13,
    firmness: Annotated[Firmness, typer.Option(help="Count commits of this grade or above.")] = "planned",
    limit: Annotated[int, typer.Option(help="How many rows.")] = 26,
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Print what can still be promised of each product at each site, week by week from today.

    Example: waferline atp --site abilene --product HBM4-12H
    """
    with _errors_told():
        data = find_stack(data)
        answer = ask(
            data, "aggregator", "/atp", product=product, site=site, bucket=bucket, buckets=buckets, firmness=firmness,
            limit=limit,
        )  # fmt: skip
    if json_:
        _print_json(answer)
        return
    open_console().print(
        table(
            f"Available to promise, as of {answer['today']}, commits {firmness} or above",
            ("site", "product", "from", "zone", "ordered", "forecast", "of it net", "receipts", "projected",
             "to promise", "in all"),
            [
                (row["site"], row["product"], row["from"], row["zone"], row["orders"], row["forecast"],
                 row["net_forecast"], row["receipts"], row["projected"], row["atp"], row["atp_cumulative"])
                for row in answer["rows"]
            ],
            caption="net: what no order has consumed; to promise: of the bucket's own receipts; in all: up to it\n"
            + _standing(data, answer),
        )
    )  # fmt: skip


@app.command()
def rolling(
    export: Annotated[Path, typer.Argument(help="A folder that `waferline export --format parquet` wrote.")],
    to: Annotated[Path, typer.Option("--to", help="The table to write: .parquet, or .csv.")],
    basis: Annotated[Basis, typer.Option(help="receipt: at the dock; start: in the fab.")] = "receipt",
    window: Annotated[list[int], typer.Option(help="Days; may be given several times.")] = [7, 30, 90],  # noqa: B006
    at_events: Annotated[bool, typer.Option("--at-events", help="At each movement's instant, one window.")] = False,
    json_: Json = False,
) -> None:
    """Write the rolling supply, demand, net and the balance of every key on every day of an export.

    With --at-events the net of what moved, in the first window named, at the very instant of each movement.
    Example: waferline rolling data/export --to rolling.parquet --basis start --window 30
    """
    with _errors_told():
        found = write_instants(export, basis, window[0], to) if at_events else write_history(export, basis, window, to)
    if json_:
        _print_json(found)
        return
    if at_events:
        open_console().print(
            table(
                f"{found['to']}: {found['rows']:,} movements of {found['keys']} keys, {basis} basis",
                ("product", "site", "supplier", f"most in {window[0]} days", "at", "event"),
                [tuple(row.values()) for row in found["greatest"]],
                caption="what was received less what was consumed; on the start basis what was started",
            )
        )
        return
    open_console().print(
        table(
            f"{found['to']}: {found['rows']:,} rows, {found['keys']} keys of {found['days']} days, {basis} basis",
            ("product", "site", "supplier", "first day below zero"),
            [tuple(row.values()) for row in found["first_short"]],
            caption="what is required is mostly of no supplier, what comes is of one: sum by product and site",
        )
    )


@app.command()
def status(data: Data = DATA, json_: Json = False) -> None:
    """Print whether each service is well, and the lag and age of each of its streams; exit with 1 if one is not.

    Example: waferline status --json
    """
    with _errors_told():
        data = find_stack(data)
        facts = running(data)
        if facts is None:
            raise StackError(f"no stack is running in {data}: start one with `waferline up`")
        healths = {name: _health(url) for name, url in facts["services"].items()}
    if json_:
        _print_json(healths)
    else:
        rows = [
            (name, health["well"], health.get("position", health.get("recorded")), stream,
             "behind" if lag["behind"] else "", lag["lag_ms"] / 1000, lag["age_s"], lag["entries"])
            for name, health in healths.items()
            for stream, lag in (health.get("streams") or {health.get("reason", "–"): _NO_STREAM}).items()
        ]  # fmt: skip
        columns = ("service", "well", "position", "stream", "", "lag s", "age s", "entries read")
        caption = "lag: between the newest entry and the last one read; age: since the last entry was done"
        if any(len(health) == 1 for health in healths.values()):
            caption = taping.MORE_IS_TOLD
        open_console().print(table(f"Stack in {data}", columns, rows, caption=caption))
    if not all(health["well"] for health in healths.values()):
        raise typer.Exit(1)


def _health(url: str) -> dict[str, Any]:
    try:
        health: dict[str, Any] = call(url + "/health", within_s=10).json()
    except httpx.TransportError as failure:
        return {"well": False, "reason": repr(failure)}
    return health


@app.command()
def record(
    tape: Annotated[Path, typer.Argument(help="The new file to write, .gz for a compressed one.")],
    after: Annotated[int, typer.Option(help="Start behind this batch.", min=0)] = 0,
    until: Annotated[int | None, typer.Option(help="The last batch.", min=1)] = None,
    data: Data = DATA,
) -> None:
    """Write what a stack's ledger has recorded and refused as a tape: one CloudEvent a line, in its order.

    Example: waferline record run.ndjson.gz
    """
    with _errors_told():
        data = find_stack(data)
        store = open_store(data)
        if tape.exists():
            raise StackError(f"{tape} is there already: remove it or name another")
        last = store.head.batch if until is None else min(until, store.head.batch)
        if after > last:
            raise StackError(f"there is no batch behind {after} to record: the last one is {last}")
        console = open_console()
        count = 0
        batches = last - after
        with taping.open_tape(tape, "wb") as out, demo_.progress_bar(console, "recording", batches) as (bar, task):
            for _, lines in taping.record(store, after, until):
                out.writelines(line + b"\n" for line in lines)
                count += len(lines)
                bar.advance(task)
        console.print(f"{count:,} events in {tape}", highlight=False)


@app.command()
def replay(
    tape: Annotated[Path, typer.Argument(help="A tape that `waferline record` wrote, or any CloudEvents, one a line.")],
    data: Annotated[Path, typer.Option("--data", help="A new folder, for the fresh store.")] = Path("data/replay"),
    speed: Annotated[
        float | None, typer.Option(min=0.001, help="Original pace times this; as fast as it goes by default.")
    ] = None,
    from_: Annotated[str, typer.Option("--from", help="The first day or month.")] = "2000-01-01",
    until: Annotated[str, typer.Option(help="The last day or month.")] = "2100-12-31",
    expect: Annotated[
        str | None, typer.Option(help="The state hash it must come to; exit with 1 if it does not.")
    ] = None,
    json_: Json = False,
) -> None:
    """Say a tape again, through the real services into a fresh store, and print the state hash it comes to.

    Example: waferline replay tests/replay/tape.ndjson.gz --data /tmp/again
    """
    with _errors_told():
        if data.exists():
            raise StackError(f"{data} is there already: a replay goes into a fresh store; remove it or name another")
        if not tape.exists():
            raise StackError(f"{tape} is not there; `waferline record` writes one")
        console = open_console()
        console.quiet = json_
        with taping.open_tape(tape, "rb") as lines:
            roles, count = taping.roles(lines)
        stack = Stack(data, trust_recorded=True, parties=False)
        stack.suppliers = sorted({*stack.suppliers, *(s for s, role in roles.items() if role == "supplier")})
        stack.datacenters = sorted({*stack.datacenters, *(s for s, role in roles.items() if role == "datacenter")})
        with started(stack), taping.open_tape(tape, "rb") as lines:
            with demo_.progress_bar(console, "replaying", count) as (bar, task):
                chosen = taping.entries(lines, _first_day(from_), _last_day(until))
                taping.play(stack, chosen, speed, partial(bar.advance, task))
            state = ask(stack.folder, "aggregator", "/state")
    if json_:
        _print_json(state)
    else:
        console.print(f"position: {state['position']}, postings: {state['postings']:,}, data: {data}", highlight=False)
        console.print(f"chain head: {state['head']}", highlight=False, soft_wrap=True)
        console.print(f"state hash: {state['state_hash']}", highlight=False, soft_wrap=True)
    if expect is not None and state["state_hash"] != expect:
        typer.secho(f"waferline: the state hash is {state['state_hash']}, not {expect}", fg="red", err=True)
        raise typer.Exit(1)


@app.command()
def verify(
    data: Data = DATA,
    store_url: StoreUrl = None,
    chain: Annotated[bool, typer.Option("--chain", help="Only the chain: quick, however long the log is.")] = False,
    checkpoints: Annotated[
        Path | None, typer.Option(help="Signed checkpoints that you kept; those of the stack's folder by default.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The public key that they are signed with; the one of the stack by default.")
    ] = None,
    json_: Json = False,
) -> None:
    """Prove a store: its chain, its checkpoints, and that the balances are what the events say; exit with 1 if not.

    It reads the events again from the first one, posts them again, and compares; a running aggregator must agree.
    Example: waferline verify --data data/demo
    """
    with _errors_told():
        data = find_stack(data)
        # before the store is opened: a ledger that runs signs on, and what it signs later is not in what we see
        kept = kept_checkpoints(data, checkpoints, key) if store_url is None or checkpoints else []
        store = open_store(data, store_url)
        console = open_console()
        console.quiet = json_
        with demo_.progress_bar(console, "verifying", store.head.batch) as (bar, task):
            proof = (verify_chain if chain else prove)(store, partial(bar.advance, task))
        wrong = proof.wrong
        for checkpoint in kept if wrong is None else ():
            wrong = wrong or contradicted(store, checkpoint)
        if wrong is None and proof.state_hash is not None and store_url is None and running(data):
            live = ask(data, "aggregator", "/state")
            if live["position"] == proof.batches and live["state_hash"] != proof.state_hash:
                wrong = f"the running aggregator has the state hash {live['state_hash']}, the replay {proof.state_hash}"
    if json_:
        _print_json(proof._asdict() | {"checkpoints": len(kept), "wrong": wrong, "proved": wrong is None})
    else:
        console.print(f"{proof.events:,} events in {proof.batches:,} batches", highlight=False)
        console.print(f"chain head: {proof.head}", highlight=False, soft_wrap=True)
        if proof.state_hash is not None:
            console.print(f"state hash: {proof.state_hash}", highlight=False, soft_wrap=True)
        last = f", the last one of batch {kept[-1].batch:,}" if kept else ""
        console.print(f"checkpoints: {len(kept)}{last}", highlight=False)
        if wrong is not None:
            console.print(f"[bold red]NOT proved: {escape(wrong)}", soft_wrap=True)
            console.print("Keep the store as it is, and see what to do in docs/proof.md: Where it is not proved.")
        else:
            proved = ["chain", "checkpoints"] if kept else ["chain"]
            proved += [] if chain else ["postings", "balances are what the events say"]
            console.print(f"proved: {' and '.join(filter(None, (', '.join(proved[:-1]), proved[-1])))}")
            if not kept:
                console.print("No checkpoint was there: who can write to the store can seal it anew (--checkpoints).")
    if wrong is not None:
        raise typer.Exit(1)


@app.command()
def checkpoint(
    data: Data = DATA,
    store_url: StoreUrl = None,
    key: Annotated[Path | None, typer.Option(help="The private key; the one of the stack by default.")] = None,
    new_key: Annotated[
        str | None, typer.Option(help="Make the key first, of this name: NAME and a file NAME.key.pub to hand on.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="A file to add it to, where the store is not.")] = None,
    json_: Json = False,
) -> None:
    """Sign how far the chain has come and what its balances are, and print the note; keep it where the store is not.

    Example: waferline checkpoint --data data/demo --to /mnt/elsewhere/checkpoints.txt
    """
    with _errors_told():
        data = find_stack(data)
        store = open_store(data, store_url)
        path = key or (Path(f"{new_key}.key") if new_key else Stack(data).checkpoint_key)
        if new_key:
            make_key(path, new_key)
        if not path.exists():
            raise StackError(f"{path} is not there: name the private key with --key, or make one with --new-key")
        if store.head.batch == 0:
            raise StackError("the store is empty: there is nothing to sign")
        signed = checkpoint_of(store, fold(store).state_hash())
        note = sign_checkpoint(signed, read_signer(path))
        if to is not None:
            append_checkpoint(to, note)
    if json_:
        _print_json(signed._asdict() | {"head": signed.head.hex(), "note": note})
    else:
        typer.echo(note, nl=False)


app.command("logs")(logs_command)


@app.command()
def secrets(
    to: Annotated[Path, typer.Option("--to", help="The folder; it is made, for its owner alone.")] = SECRETS,
    scenario: Annotated[Path | None, typer.Option(help="Whose parties get a user; the reference programme's.")] = None,
    play: Annotated[bool, typer.Option("--play", help="They simulate, and so hear what the other side says.")] = False,
    renew: Annotated[list[str], typer.Option(help="Make this one anew; may be given several times.")] = [],  # noqa: B006
    json_: Json = False,
) -> None:
    """Make the passwords, tokens, keys and certificates of a deployment that are missing, and print their names.

    What is there stays. Example: waferline secrets --to deploy/secrets --renew token-planner
    """
    with _errors_told():
        parties = load_scenario(scenario)
        done = provision(to, list(parties.suppliers), list(parties.datacenters), playing=play, renew=renew)
    if json_:
        _print_json({"folder": str(to), **done._asdict(), "next": done.next_steps()})
        return
    console = open_console()
    for what, names in (("made", done.made), ("changed", done.changed)):
        for name in names:
            console.print(f"{what} {to / name}", highlight=False, soft_wrap=True)
    console.print(f"{len(done.made)} made, {len(done.changed)} changed, {len(done.kept)} kept in {to}", highlight=False)
    for step in done.next_steps():
        console.print(step, highlight=False, soft_wrap=True)


@app.command()
def trace(
    event: Annotated[str, typer.Argument(help="source/id: as the answer to who handed it in, and the logs, name it.")],
    logs: Annotated[
        Path | None,
        typer.Option("--logs", help="What compose has printed; - for standard input. None: the stack's folder."),
    ] = None,
    data: Data = DATA,
    store_url: StoreUrl = None,
    json_: Json = False,
) -> None:
    """Print the way of one event to its balances: batch, postings, balances before and after, and each step's time.

    Example: waferline trace samsung/0197f0c0-5a00-7000-8000-000000000001
    """
    source, _, id_ = event.rpartition("/")
    if not source:
        raise typer.BadParameter(f"{event!r} names no source: samsung/<id>")
    with _errors_told():
        data = find_stack(data)
        found = trace_event(data, source, id_, store_url)
        chosen = Chosen(since=begin_of(found))
        steps = steps_of(found, Streamed(logs).read(chosen) if logs is not None else read_lines(data, chosen))
    found |= {"steps": steps, "unsaid": unsaid(steps)}
    if json_:
        _print_json(found)
        return
    console = open_console()
    for each in trace_tables(found):
        console.print(each)


@app.command()
def schemas(
    write: Annotated[bool, typer.Option("--write", help="Write the kept documents of this checkout anew.")] = False,
    json_: Json = False,
) -> None:
    """Tell which documents describe the wire, or print them: JSON Schemas, the AsyncAPI document, the page of events.

    A diff in a kept document is a change of contract: say in the CHANGELOG who must do what. Example: waferline schemas
    """
    if write:
        for path in contracts.write_contracts(Path()):
            typer.echo(path)
    elif json_:
        _print_json(contracts.json_schemas() | {"asyncapi": contracts.asyncapi()})
    else:
        for path in contracts.contract_files():
            typer.echo(path)


def _played_until(text: str) -> date:
    """Return the last day to play; raise `StackError` for one that the scenario does not have."""
    scenario, day = load_scenario(), _last_day(text)
    if not scenario.starts_on <= day <= scenario.ends_on:
        raise StackError(f"the programme can be played until {scenario.starts_on} to {scenario.ends_on}, not {day}")
    return day


def _first_day(text: str) -> date:
    return _parse(text, last=False)


def _last_day(text: str) -> date:
    return _parse(text, last=True)


def _parse(text: str, *, last: bool) -> date:
    """Return the day that a text names, or the first or last of the month that it names."""
    try:
        if len(text) != len("2026-12"):
            return date.fromisoformat(text)
        first = date.fromisoformat(text + "-01")
    except ValueError as error:
        raise StackError(f"{text!r} is neither a day (2026-12-31) nor a month (2026-12)") from error
    return last_of_month(first) if last else first


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise StackError(f"{file}: {error.strerror}") from error


@app.command()
def export(
    format_: Annotated[Format, typer.Option("--format", help="For hledger, sha256sum, or Arrow and DuckDB.")],
    to: Annotated[str, typer.Option("--to", help="A new file, for parquet a new folder; - is standard output.")],
    data: Data = DATA,
    store_url: StoreUrl = None,
) -> None:
    """Write what a stack's ledger holds for the tools of others: a journal, the documents that are proved, Parquet.

    Example: waferline export --format hledger --to wafers.journal && hledger -f wafers.journal check --strict
    """
    with _errors_told():
        store = open_store(find_stack(data), store_url)
        console = open_console()
        console.quiet = to == "-"
        with demo_.progress_bar(console, "exporting", store.head.batch) as (bar, task):
            write_export(store, format_, None if to == "-" else Path(to), partial(bar.advance, task))
        console.print(f"{store.head.batch:,} batches in {to}, chain head {store.head.hash.hex()}", highlight=False)


@app.command()
def rebuild(
    folder: Annotated[Path, typer.Argument(help="What `waferline export --format parquet` wrote.")],
    json_: Json = False,
) -> None:
    """Make the aggregator's state again from an export alone, and tell whether it is the one that was exported.

    Exits with 1 if it is not. Example: waferline export --format parquet --to wafers && waferline rebuild wafers
    """
    with _errors_told():
        began = time.perf_counter()
        curves, exported = rebuild_export(folder)
        seconds = round(time.perf_counter() - began, 3)
        state = curves.state_hash()
    if json_:
        facts = {"position": curves.position, "head": curves.head, "keys": len(curves.keys)}
        facts |= {"postings": curves.postings, "seconds": seconds, "state": state, "equal": state == exported}
        _print_json(facts)
    else:
        console = open_console()
        console.print(f"{len(curves.keys):,} keys of {curves.postings:,} postings in {seconds} s", highlight=False)
        console.print(f"state hash: {state}", highlight=False, soft_wrap=True)
        verdict = "the one that was exported" if state == exported else f"[bold red]NOT the one exported, {exported}"
        console.print(f"which is {verdict}", highlight=False, soft_wrap=True)
    if state != exported:
        raise typer.Exit(1)
