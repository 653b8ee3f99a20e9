"""The demo: the reference programme played through the real services, and what a planner sees at its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from services.operator.ask.asking import ask
from services.operator.record.taping import settle
from services.operator.show.events import counts_table, refusals_table
from services.operator.show.months import ahead_table, months_tables
from services.operator.show.programme import alerts_tables
from services.operator.show.shortages import shortages_tables
from services.operator.stack.calling import call
from services.operator.stack.finding import StackError
from services.operator.stack.stack import Elsewhere, Play, Stack
from shared.play.scenario import Scenario, add_months
from shared.wire.days import date_of

_LOOKED_EVERY_S = 0.5
_MONTHS_AHEAD = 9
_STALLED_AFTER_S = 90.0
_SHORT_SHOWN = 8
_ALERTS_SHOWN = 12


@contextmanager
def progress_bar(console: Console, what: str, total: float) -> Iterator[tuple[Progress, Any]]:
    """Show how far a long work has come, where somebody looks on."""
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("left:"),
        TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with progress:
        yield progress, progress.add_task(what, total=total)


def live_through(stack: Stack | Elsewhere, play: Play, console: Console) -> float:
    """Wait until every party has lived through its last day and all of it is folded; return the seconds it took."""
    began = time.monotonic()
    start, end = stack.scenario.starts_on, play.until
    parties = len(stack.suppliers) + len(stack.datacenters)
    with progress_bar(console, f"{start} to {end}", (end - start).days + 1) as (progress, task):
        day, events, looked = start, 0, time.monotonic()
        moved = looked
        while day < end:
            time.sleep(_LOOKED_EVERY_S)
            stack.tend()
            try:
                head = call(stack.url("ledger") + "/head").json()
            except httpx.TransportError:
                continue  # it is being started again
            advanced = [source["advanced"] for source in head["sources"].values() if source["advanced"] is not None]
            if len(advanced) == parties:
                day = date_of(min(advanced))
            if head["events"] > events:
                moved = time.monotonic()
            elif time.monotonic() - moved > _STALLED_AFTER_S:
                raise StackError(
                    f"nothing was recorded for {_STALLED_AFTER_S:.0f} s; see the logs of the stack, {stack.folder}"
                )
            rate = (head["events"] - events) / (time.monotonic() - looked)
            events, looked = head["events"], time.monotonic()
            progress.update(
                task,
                completed=(day - start).days + 1,
                description=f"played to {day}: {events:,} events recorded, {rate:,.0f} a second",
            )
    settle(stack)
    return time.monotonic() - began


def findings(stack: Stack | Elsewhere, scenario: Scenario, play: Play) -> dict[str, Any]:
    """Return what there is to say at the end of a run."""
    folder = stack.folder
    last = min(play.until, scenario.ends_on)
    state = ask(folder, "aggregator", "/state")
    if state["complete_through"] != play.until.isoformat():
        raise StackError(f"the balances are complete through {state['complete_through']}, not {play.until}")
    return {
        "events_by_type": ask(folder, "ledger", "/counts"),
        "refusals": ask(folder, "ledger", "/refusals"),
        "months": ask(folder, "aggregator", "/months", from_=f"{scenario.starts_on:%Y-%m}", to=f"{last:%Y-%m}"),
        "ahead": ask(
            folder,
            "aggregator",
            "/months",
            from_=f"{add_months(last, 1):%Y-%m}",
            to=f"{add_months(last, _MONTHS_AHEAD):%Y-%m}",
        ),
        "shortages": ask(folder, "aggregator", "/shortages", limit=200),
        "alerts": ask(folder, "aggregator", "/alerts", limit=_ALERTS_SHOWN),
        "state": state,
        "chain_head": state["head"],
        "state_hash": state["state_hash"],
        "data": str(folder),
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print the findings for a person."""
    console.print(counts_table(found["events_by_type"], len(found["refusals"])))
    for months in months_tables(found["months"]):
        console.print(months)
    console.print(ahead_table(found["ahead"]))
    for short in shortages_tables(found["shortages"], _SHORT_SHOWN):
        console.print(short)
    for alerts in alerts_tables(found["alerts"]):
        console.print(alerts)
    console.print(refusals_table(found["refusals"]))
    console.print(f"chain head: {found['chain_head']}", soft_wrap=True, highlight=False)
    console.print(f"state hash: {found['state_hash']}", soft_wrap=True, highlight=False)
