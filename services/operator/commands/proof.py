"""Commands that prove the record, and print one event with its proof or trace."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, Data, Json, StoreUrl, Xlsx

if TYPE_CHECKING:
    from rich.console import Console

    from services.ledger.checkpoint.notes import Checkpoint
    from services.operator.record.proof import Proof


def event(
    event: Annotated[str, typer.Argument(help="source/id, as in the logs and in `waferline shortages --why`.")],
    data: Data = DATA,
    json_: Json = False,
    xlsx: Xlsx = None,
) -> None:
    """Print an event as published, and its proof: the sealed batch that holds it, hashed again; exit with 1 if wrong.

    `waferline trace` prints its effects, and `waferline verify` proves the whole store.

    Example: waferline event samsung/0197f0c0-5a00-7000-8000-000000000001
    """
    from services.operator.ask.event_proof import prove_event
    from services.operator.commands.output import put_out
    from services.operator.show.events import event_tables
    from services.operator.show.table import open_console
    from services.operator.stack.location import find_stack

    source, id_ = _identity(event)
    with report_errors():
        data = find_stack(data)
        found = prove_event(data, source, id_)
    if json_ or xlsx is not None:
        put_out(found, [], event_tables(found), json_=json_, csv_=False, xlsx=xlsx)
    else:
        console = open_console()
        for each in event_tables(found):
            console.print(each, soft_wrap=True)
        console.print(f"from the stack in {data}", style="dim", soft_wrap=True, highlight=False)
    if not found["proved"]:
        raise typer.Exit(1)


def trace(
    event: Annotated[str, typer.Argument(help="source/id, as in the logs and in the answer of `waferline publish`.")],
    logs: Annotated[
        Path | None,
        typer.Option(
            "--logs",
            help="Output of `docker compose logs`; - is standard input. Default: the stack's logs.",
        ),
    ] = None,
    data: Data = DATA,
    store_url: StoreUrl = None,
    json_: Json = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the trace of one event: batch, postings, balances before and after, and the time of each step.

    Example: waferline trace samsung/0197f0c0-5a00-7000-8000-000000000001
    """
    from services.operator.ask.tracing import earliest_line, logged_steps, missing_steps, trace_event
    from services.operator.commands.output import put_out
    from services.operator.logs.lines import LineFilter
    from services.operator.logs.sources import LogStream, read_folder
    from services.operator.show.events import trace_tables
    from services.operator.show.table import open_console
    from services.operator.stack.location import find_stack

    source, id_ = _identity(event)
    with report_errors():
        data = find_stack(data)
        found = trace_event(data, source, id_, store_url)
        line_filter = LineFilter(since=earliest_line(found))
        lines = LogStream(logs).read(line_filter) if logs is not None else read_folder(data, line_filter)
        steps = logged_steps(found, lines)
    found |= {"steps": steps, "unsaid": missing_steps(steps)}
    put_out(found, [], trace_tables(found), json_=json_, csv_=False, xlsx=xlsx)
    if not json_ and xlsx is None:
        open_console().print(f"from the stack in {data}", style="dim", soft_wrap=True, highlight=False)


def verify(
    data: Data = DATA,
    store_url: StoreUrl = None,
    chain: Annotated[bool, typer.Option("--chain", help="Verify only the chain: quick for any length.")] = False,
    checkpoints: Annotated[
        Path | None, typer.Option(help="File of signed checkpoints; default: the one in the stack's folder.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Public key of the checkpoints; default: the stack's.")] = None,
    json_: Json = False,
) -> None:
    """Prove a store: its chain, its checkpoints, and that its balances follow from its events; exit with 1 if not.

    It replays all events, posts them again, and compares; a running aggregator must have the same state hash. Of a
    store that earlier rules posted, and no ledger has restated yet, it proves the chain, and exits with 1.

    Example: waferline verify --data data/demo
    """
    from services.ledger.books.posting import RULES
    from services.ledger.store.migrating import earlier_rules
    from services.operator.ask.client import ask
    from services.operator.record.checkpoints import find_contradiction, kept_checkpoints
    from services.operator.record.proof import verify as verify_store
    from services.operator.record.proof import verify_chain
    from services.operator.record.store import open_store
    from services.operator.show.printing import print_json, progress_bar
    from services.operator.show.table import open_console
    from services.operator.stack.location import find_stack, stack_facts

    with report_errors():
        data = find_stack(data)
        # read before the store is opened: a running ledger may sign batches that the opened store does not show
        kept = kept_checkpoints(data, checkpoints, key) if store_url is None or checkpoints else []
        store = open_store(data, store_url, any_rules=True)
        unrestated = not chain and store.rules.version != RULES
        chain = chain or unrestated
        console = open_console()
        console.quiet = json_
        with progress_bar(console, "verifying", store.head.batch) as (bar, task):
            proof = (verify_chain if chain else verify_store)(store, partial(bar.advance, task))
        wrong = proof.wrong
        for checkpoint in kept if wrong is None else ():
            wrong = wrong or find_contradiction(store, checkpoint)
        if wrong is None and proof.state_hash is not None and store_url is None and stack_facts(data):
            live = ask(data, "aggregator", "/state")
            if live["position"] == proof.batches and live["state_hash"] != proof.state_hash:
                wrong = f"the running aggregator has the state hash {live['state_hash']}, the replay {proof.state_hash}"
    if not json_:
        place = f"the stack in {data}" if store_url is None else "the store at the URL"
        console.print(f"verified: {place}", highlight=False, soft_wrap=True)
        _print_proof(console, proof, kept, wrong, chain=chain)
    if wrong is None and unrestated:
        wrong = earlier_rules(store.rules.version)
        console.print(f"[bold red]NOT proved: {wrong}; then verify again", soft_wrap=True)
    if json_:
        print_json(proof._asdict() | {"checkpoints": len(kept), "wrong": wrong, "proved": wrong is None})
    if wrong is not None:
        raise typer.Exit(1)


def _print_proof(
    console: "Console", proof: "Proof", kept: "list[Checkpoint]", wrong: str | None, *, chain: bool
) -> None:
    from rich.markup import escape

    console.print(f"{proof.events:,} events in {proof.batches:,} batches", highlight=False)
    console.print(f"chain head: {proof.head}", highlight=False, soft_wrap=True)
    if proof.state_hash is not None:
        console.print(f"state hash: {proof.state_hash}", highlight=False, soft_wrap=True)
    if proof.earlier_rules:
        restated = f"restated in {_spanned(proof.restated_in)}" if proof.restated_in else "which posted the same"
        earlier = f"batches 1 to {proof.earlier_rules:,} were posted by earlier rules"
        console.print(f"{earlier}, {restated}", highlight=False, soft_wrap=True)
    last = f", the last one of batch {kept[-1].batch:,}" if kept else ""
    console.print(f"checkpoints: {len(kept)}{last}", highlight=False)
    if wrong is not None:
        console.print(f"[bold red]NOT proved: {escape(wrong)}", soft_wrap=True)
        console.print("Keep the store as it is; docs/proof.md, If a proof fails, has the next steps.")
    else:
        proved = ["chain", "checkpoints"] if kept else ["chain"]
        proved += [] if chain else ["postings", "balances are what the events say"]
        console.print(f"proved: {' and '.join(filter(None, (', '.join(proved[:-1]), proved[-1])))}")
        if not kept:
            console.print("No checkpoint: anyone who can write to the store could have sealed it anew (--checkpoints).")


def _spanned(batches: tuple[int, ...]) -> str:
    return f"{batches[0]:,}" if len(batches) == 1 else f"{batches[0]:,} to {batches[-1]:,}"


def checkpoint(
    data: Data = DATA,
    store_url: StoreUrl = None,
    key: Annotated[Path | None, typer.Option(help="Private key; default: the stack's.")] = None,
    new_key: Annotated[
        str | None,
        typer.Option(help="Make the key first: NAME.key, and NAME.key.pub to give to verifiers."),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="File to append the note to, away from the store.")] = None,
    json_: Json = False,
) -> None:
    """Sign the head of the chain and the state hash, and print the note; keep it on another machine than the store's.

    Example: waferline checkpoint --data data/demo --to /mnt/elsewhere/checkpoints.txt
    """
    from services.operator.record.checkpoints import sign_store
    from services.operator.record.store import open_store
    from services.operator.show.printing import print_json
    from services.operator.stack.folder import StackFolder
    from services.operator.stack.location import find_stack
    from services.operator.stack.new_file import refuse_other_format

    with report_errors():
        data = find_stack(data)
        if to is not None:
            refuse_other_format(to)
        store = open_store(data, store_url)
        path = key or (Path(f"{new_key}.key") if new_key else StackFolder(data).checkpoint_key)
        signed, note = sign_store(store, path, new_key=new_key, to=to)
    if json_:
        print_json(signed._asdict() | {"head": signed.head.hex(), "note": note})
    else:
        typer.echo(note, nl=False)


def _identity(event: str) -> tuple[str, str]:
    source, _, id_ = event.rpartition("/")
    if not source:
        raise typer.BadParameter(f"{event!r} names no source: <source>/<id>")
    return source, id_
