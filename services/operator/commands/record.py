"""What is done with the record: taken elsewhere, said again, proved, signed, exported, and looked into."""

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from services.aggregator.terms import Basis
from services.ledger.store.checkpoint import append_checkpoint, checkpoint_of, make_key, read_signer, sign_checkpoint
from services.operator.ask.asking import ask
from services.operator.ask.event_proof import prove_event
from services.operator.ask.tracing import begin_of, steps_of, trace_event, unsaid
from services.operator.commands.demo import progress_bar
from services.operator.commands.options import DATA, Data, Json, StoreUrl, errors_told, first_day, last_day
from services.operator.logs.logs import Chosen, Streamed, read_lines
from services.operator.record import taping
from services.operator.record.at_rest import fold, open_store
from services.operator.record.exporting import Format
from services.operator.record.exporting import export as write_export
from services.operator.record.histories import write_history, write_instants
from services.operator.record.proof import contradicted, kept_checkpoints, verify_chain
from services.operator.record.proof import verify as prove
from services.operator.record.rebuilding import rebuild_export
from services.operator.show.events import event_tables, trace_tables
from services.operator.show.printing import print_json
from services.operator.show.table import open_console, table
from services.operator.stack.finding import StackError, find_stack, running
from services.operator.stack.stack import Stack, started


def record(
    tape: Annotated[Path, typer.Argument(help="The new file to write, .gz for a compressed one.")],
    after: Annotated[int, typer.Option(help="Start behind this batch.", min=0)] = 0,
    until: Annotated[int | None, typer.Option(help="The last batch.", min=1)] = None,
    data: Data = DATA,
) -> None:
    """Write what a stack's ledger has recorded and refused as a tape: one CloudEvent a line, in its order.

    Example: waferline record run.ndjson.gz
    """
    with errors_told():
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
        with taping.open_tape(tape, "wb") as out, progress_bar(console, "recording", batches) as (bar, task):
            for _, lines in taping.record(store, after, until):
                out.writelines(line + b"\n" for line in lines)
                count += len(lines)
                bar.advance(task)
        console.print(f"{count:,} events in {tape}", highlight=False)


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
    with errors_told():
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
            with progress_bar(console, "replaying", count) as (bar, task):
                chosen = taping.entries(lines, first_day(from_), last_day(until))
                taping.play(stack, chosen, speed, partial(bar.advance, task))
            state = ask(stack.folder, "aggregator", "/state")
    if json_:
        print_json(state)
    else:
        console.print(f"position: {state['position']}, postings: {state['postings']:,}, data: {data}", highlight=False)
        console.print(f"chain head: {state['head']}", highlight=False, soft_wrap=True)
        console.print(f"state hash: {state['state_hash']}", highlight=False, soft_wrap=True)
    if expect is not None and state["state_hash"] != expect:
        typer.secho(f"waferline: the state hash is {state['state_hash']}, not {expect}", fg="red", err=True)
        raise typer.Exit(1)


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
    with errors_told():
        data = find_stack(data)
        # before the store is opened: a ledger that runs signs on, and what it signs later is not in what we see
        kept = kept_checkpoints(data, checkpoints, key) if store_url is None or checkpoints else []
        store = open_store(data, store_url)
        console = open_console()
        console.quiet = json_
        with progress_bar(console, "verifying", store.head.batch) as (bar, task):
            proof = (verify_chain if chain else prove)(store, partial(bar.advance, task))
        wrong = proof.wrong
        for checkpoint in kept if wrong is None else ():
            wrong = wrong or contradicted(store, checkpoint)
        if wrong is None and proof.state_hash is not None and store_url is None and running(data):
            live = ask(data, "aggregator", "/state")
            if live["position"] == proof.batches and live["state_hash"] != proof.state_hash:
                wrong = f"the running aggregator has the state hash {live['state_hash']}, the replay {proof.state_hash}"
    if json_:
        print_json(proof._asdict() | {"checkpoints": len(kept), "wrong": wrong, "proved": wrong is None})
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
    with errors_told():
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
        print_json(signed._asdict() | {"head": signed.head.hex(), "note": note})
    else:
        typer.echo(note, nl=False)


def export(
    format_: Annotated[Format, typer.Option("--format", help="For hledger, sha256sum, or Arrow and DuckDB.")],
    to: Annotated[str, typer.Option("--to", help="A new file, for parquet a new folder; - is standard output.")],
    data: Data = DATA,
    store_url: StoreUrl = None,
) -> None:
    """Write what a stack's ledger holds for the tools of others: a journal, the documents that are proved, Parquet.

    Example: waferline export --format hledger --to wafers.journal && hledger -f wafers.journal check --strict
    """
    with errors_told():
        store = open_store(find_stack(data), store_url)
        console = open_console()
        console.quiet = to == "-"
        with progress_bar(console, "exporting", store.head.batch) as (bar, task):
            write_export(store, format_, None if to == "-" else Path(to), partial(bar.advance, task))
        console.print(f"{store.head.batch:,} batches in {to}, chain head {store.head.hash.hex()}", highlight=False)


def rebuild(
    folder: Annotated[Path, typer.Argument(help="What `waferline export --format parquet` wrote.")],
    json_: Json = False,
) -> None:
    """Make the aggregator's state again from an export alone, and tell whether it is the one that was exported.

    Exits with 1 if it is not.

    Example: waferline export --format parquet --to wafers && waferline rebuild wafers
    """
    with errors_told():
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
    with errors_told():
        found = write_instants(export, basis, window[0], to) if at_events else write_history(export, basis, window, to)
    if json_:
        print_json(found)
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
    source, id_ = _identity(event)
    with errors_told():
        data = find_stack(data)
        found = trace_event(data, source, id_, store_url)
        chosen = Chosen(since=begin_of(found))
        steps = steps_of(found, Streamed(logs).read(chosen) if logs is not None else read_lines(data, chosen))
    found |= {"steps": steps, "unsaid": unsaid(steps)}
    if json_:
        print_json(found)
        return
    console = open_console()
    for each in trace_tables(found):
        console.print(each)


def event(
    event: Annotated[str, typer.Argument(help="source/id: as `waferline shortages --why`, and the logs, name it.")],
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Print an event as it was said, and its proof: the sealed batch it stands in, hashed again; exit with 1 if wrong.

    What became of it is for `waferline trace` to tell, and that nothing else was changed for `waferline verify`.

    Example: waferline event samsung/0197f0c0-5a00-7000-8000-000000000001
    """
    source, id_ = _identity(event)
    with errors_told():
        data = find_stack(data)
        found = prove_event(data, source, id_)
    if json_:
        print_json(found)
    else:
        console = open_console()
        for each in event_tables(found):
            console.print(each, soft_wrap=True)
    if not found["proved"]:
        raise typer.Exit(1)


def _identity(event: str) -> tuple[str, str]:
    source, _, id_ = event.rpartition("/")
    if not source:
        raise typer.BadParameter(f"{event!r} names no source: samsung/<id>")
    return source, id_
