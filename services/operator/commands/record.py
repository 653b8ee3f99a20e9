"""Commands on the record: tapes, replays, exports, rebuilds, rolling histories."""

import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.aggregator.terms import Basis
from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, Data, Json, StoreUrl, Xlsx, first_day, last_day
from services.operator.record.formats import AnyFormat
from services.operator.stack.errors import StackError


def record(
    tape: Annotated[Path, typer.Argument(help="New file to write; one named .gz is compressed.")],
    after: Annotated[int, typer.Option(help="Begin with the batch after this one.", min=0)] = 0,
    until: Annotated[int | None, typer.Option(help="Last batch.", min=1)] = None,
    data: Data = DATA,
) -> None:
    """Write the events that a stack's ledger has recorded and refused as a tape: one CloudEvent a line, in order.

    Example: waferline record run.ndjson.gz
    """
    from services.operator.record.store import open_store
    from services.operator.record.tapes import record_lines, write_tape
    from services.operator.show.printing import progress_bar
    from services.operator.show.table import open_console
    from services.operator.stack.location import find_stack
    from services.operator.stack.new_file import expect_absent, new_file, refuse_other_format

    with report_errors():
        data = find_stack(data)
        store = open_store(data)
        refuse_other_format(tape, ".ndjson", ".jsonl", ".gz")
        expect_absent(tape)
        last = store.head.batch if until is None else min(until, store.head.batch)
        if after > last:
            raise StackError(f"there is no batch after {after} to record: the last one is {last}")
        console = open_console()
        count = 0
        batches = last - after
        with (
            new_file(tape) as part,
            write_tape(part, compressed=tape.suffix == ".gz") as out,
            progress_bar(console, "recording", batches) as (bar, task),
        ):
            for _, lines in record_lines(store, after, until):
                out.writelines(line + b"\n" for line in lines)
                count += len(lines)
                bar.advance(task)
        console.print(f"{count:,} events of the stack in {data}, in {tape}", highlight=False, soft_wrap=True)


def replay(
    tape: Annotated[Path, typer.Argument(help="Tape of `waferline record`, or other CloudEvents, one a line.")],
    data: Annotated[Path, typer.Option("--data", help="New folder for the replay's store.")] = Path("data/replay"),
    speed: Annotated[
        float | None, typer.Option(min=0.001, help="Multiple of the original pace; default: unpaced.")
    ] = None,
    from_: Annotated[str, typer.Option("--from", help="First day or month.")] = "2000-01-01",
    until: Annotated[str, typer.Option(help="Last day or month.")] = "2100-12-31",
    expect: Annotated[str | None, typer.Option(help="Expected state hash; exit with 1 on another one.")] = None,
    json_: Json = False,
) -> None:
    """Play a tape through the real services into a new store, and print the resulting state hash.

    Example: waferline replay tests/replay/tape.ndjson.gz --data /tmp/again
    """
    from services.operator.ask.client import ask
    from services.operator.record.tapes import entries, fill_outboxes, play, read_tape, source_roles
    from services.operator.show.printing import print_json, progress_bar
    from services.operator.show.table import open_console
    from services.operator.stack.folder import refuse_running, remove_unfinished
    from services.operator.stack.stack import Stack, started
    from shared.party.completing import note_revision

    with report_errors():
        remove_unfinished(data)
        refuse_running(data)
        if data.exists():
            raise StackError(f"{data} is there already: a replay needs a new store; remove it or name another")
        if not tape.exists():
            raise StackError(f"{tape} is not there; `waferline record` writes one")
        console = open_console()
        console.quiet = json_
        roles, count = source_roles(read_tape(tape))
        revisions = defaultdict[str, dict[str, int]](dict)
        stack = Stack(data, trust_recorded=True, parties=False, until_finished=True)
        stack.suppliers = sorted({*stack.suppliers, *(s for s, role in roles.items() if role == "supplier")})
        stack.datacenters = sorted({*stack.datacenters, *(s for s, role in roles.items() if role == "datacenter")})
        stack.planners = sorted({*stack.planners, *(s for s, role in roles.items() if role == "planner")})
        with started(stack):
            with progress_bar(console, "replaying", count) as (bar, task):
                selected = entries(
                    read_tape(tape),
                    first_day(from_),
                    last_day(until),
                    lambda event: note_revision(revisions[event.source], event.data),
                )
                play(stack, selected, speed, partial(bar.advance, task))
            state = ask(stack.folder, "aggregator", "/state")
            head = ask(stack.folder, "ledger", "/head")
        fill_outboxes(stack.folder / "outbox", head, revisions)
        stack.files.unfinished.unlink()
    if json_:
        print_json(state)
    else:
        console.print(f"{count:,} events on the tape", highlight=False)
        console.print(f"position: {state['position']}, postings: {state['postings']:,}, data: {data}", highlight=False)
        console.print(f"chain head: {state['head']}", highlight=False, soft_wrap=True)
        console.print(f"state hash: {state['state_hash']}", highlight=False, soft_wrap=True)
    if expect is not None and state["state_hash"] != expect:
        typer.secho(f"waferline: the state hash is {state['state_hash']}, not {expect}", fg="red", err=True)
        raise typer.Exit(1)


def export(
    format_: Annotated[
        AnyFormat,
        typer.Option("--format", help="For hledger, for sha256sum, for Arrow and DuckDB, or for a spreadsheet."),
    ],
    to: Annotated[str, typer.Option("--to", help="New file, for parquet a new folder; - is standard output.")],
    data: Data = DATA,
    store_url: StoreUrl = None,
) -> None:
    """Write a stack's ledger for other tools: a journal, the sealed documents, Parquet tables; or its views as sheets.

    Example: waferline export --format hledger --to wafers.journal && hledger -f wafers.journal check --strict
    """
    from services.operator.record.exports import export as write_export
    from services.operator.record.store import open_store
    from services.operator.show.printing import progress_bar
    from services.operator.show.table import open_console
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        if format_ == "xlsx":
            _export_views(data, to, store_url)
            return
        store = open_store(data, store_url)
        console = open_console()
        console.quiet = to == "-"
        with progress_bar(console, "exporting", store.head.batch) as (bar, task):
            write_export(store, format_, None if to == "-" else Path(to), partial(bar.advance, task))
        place = f"the stack in {data}" if store_url is None else "the store at the URL"
        head = f"chain head {store.head.hash.hex()}"
        console.print(f"{store.head.batch:,} batches of {place}, in {to}, {head}", highlight=False, soft_wrap=True)


def _export_views(data: Path, to: str, store_url: str | None) -> None:
    """Write each view of a stack as a sheet of a new workbook."""
    from services.operator.ask.views import VIEWS, view_sheets
    from services.operator.commands.output import save_workbook
    from services.operator.show.printing import progress_bar
    from services.operator.show.table import open_console
    from services.operator.stack.new_file import expect_absent, expect_ending

    if to == "-" or store_url is not None:
        raise StackError("xlsx takes a new file, --to FILE.xlsx, and the views of a stack, --data")
    expect_ending(Path(to), ".xlsx")
    expect_absent(Path(to))
    console = open_console()
    with progress_bar(console, "exporting", len(VIEWS)) as (bar, task):
        sheets = view_sheets(data, partial(bar.advance, task))
    console.print(f"from the stack in {data}", highlight=False, soft_wrap=True)
    save_workbook(Path(to), sheets)


def rebuild(
    folder: Annotated[Path, typer.Argument(help="Folder of `waferline export --format parquet`.")],
    json_: Json = False,
) -> None:
    """Rebuild the aggregator's state from an export alone; exit with 1 if its hash is not the exported one.

    Example: waferline export --format parquet --to wafers && waferline rebuild wafers
    """
    from services.operator.record.rebuild import rebuild_export
    from services.operator.show.printing import print_json
    from services.operator.show.table import open_console

    with report_errors():
        began = time.perf_counter()
        curves, exported = rebuild_export(folder)
        seconds = round(time.perf_counter() - began, 3)
        state = curves.state_hash()
    if json_:
        facts = {"position": curves.position, "head": curves.head, "keys": len(curves.keys)}
        facts |= {"postings": curves.postings, "seconds": seconds, "state": state, "equal": state == exported}
        print_json(facts)
    else:
        console = open_console()
        console.print(f"{len(curves.keys):,} keys of {curves.postings:,} postings in {seconds} s", highlight=False)
        console.print(f"state hash: {state}", highlight=False, soft_wrap=True)
        verdict = "the one that was exported" if state == exported else f"[bold red]NOT the one exported, {exported}"
        console.print(f"which is {verdict}", highlight=False, soft_wrap=True)
    if state != exported:
        raise typer.Exit(1)


def rolling(
    export: Annotated[Path, typer.Argument(help="Folder of `waferline export --format parquet`.")],
    to: Annotated[Path, typer.Option("--to", help="Table to write: .parquet or .csv.")],
    basis: Annotated[Basis, typer.Option(help="receipt: at the dock; start: in the fab.")] = "receipt",
    window: Annotated[list[int], typer.Option(help="Days of a window; may be repeated.")] = [7, 30, 90],  # noqa: B006
    at_events: Annotated[
        bool, typer.Option("--at-events", help="At each movement's instant, over one window.")
    ] = False,
    json_: Json = False,
    xlsx: Xlsx = None,
) -> None:
    """Write rolling supply, demand, net and balance of every key (product, site, supplier) and day of an export.

    With --at-events: the net of the movements in the first window, at the instant of each movement.

    Example: waferline rolling data/export --to rolling.parquet --basis start --window 30
    """
    from services.operator.commands.output import put_out
    from services.operator.record.histories import write_history, write_instants
    from services.operator.show.table import table

    with report_errors():
        found = write_instants(export, basis, window[0], to) if at_events else write_history(export, basis, window, to)
    if at_events:
        shown = table(
            f"{found['to']}: {found['rows']:,} movements of {found['keys']} keys, {basis} basis",
            ("product", "site", "supplier", f"most in {window[0]} days", "at", "event"),
            [tuple(row.values()) for row in found["greatest"]],
            caption="wafers received less wafers consumed; on the start basis wafers started",
        )
    else:
        shown = table(
            f"{found['to']}: {found['rows']:,} rows, {found['keys']} keys of {found['days']} days, {basis} basis",
            ("product", "site", "supplier", "first day below zero"),
            [tuple(row.values()) for row in found["first_short"]],
            caption="most demand names no supplier, all supply does: sum by product and site",
        )
    put_out(found, [], [shown], json_=json_, csv_=False, xlsx=xlsx)
