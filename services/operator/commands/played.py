"""The played programme: waiting for its end, and its results as tables."""

import time
from typing import Any

import httpx
from rich.console import Console

from services.operator.ask.client import ask
from services.operator.show.events import counts_table, refusals_table
from services.operator.show.months import ahead_tables, months_tables
from services.operator.show.printing import progress_bar
from services.operator.show.programme import alerts_tables
from services.operator.show.shortages import shortages_tables
from services.operator.stack.calls import call
from services.operator.stack.errors import StackError
from services.operator.stack.remote import RemoteStack
from services.operator.stack.settling import settle
from services.operator.stack.stack import ScenarioRun, Stack
from shared.play.months import add_months
from shared.play.scenario import Scenario
from shared.wire.days import date_of

_POLL_S = 0.5
_MONTHS_AHEAD = 9
_STALLED_AFTER_S = 90.0
_SHORTAGES_SHOWN = 8
_ALERTS_SHOWN = 12


def wait_for_end(stack: Stack | RemoteStack, play: ScenarioRun, console: Console) -> float:
    """Wait until every party has played its last day and the stack has settled; return the seconds it took."""
    began = time.monotonic()
    start, end = stack.scenario.starts_on, play.until
    parties = len(stack.suppliers) + len(stack.datacenters)
    with progress_bar(console, f"{start} to {end}", (end - start).days + 1) as (progress, task):
        day, events, polled = start, 0, time.monotonic()
        last_change = polled
        while day < end:
            time.sleep(_POLL_S)
            stack.tend()
            try:
                head = call(stack.url("ledger") + "/head", within_s=60).json()
            except httpx.TransportError:
                continue  # the ledger is being restarted
            advanced = [source["advanced"] for source in head["sources"].values() if source["advanced"] is not None]
            if len(advanced) == parties:
                day = date_of(min(advanced))
            if head["events"] > events:
                last_change = time.monotonic()
            elif time.monotonic() - last_change > _STALLED_AFTER_S:
                raise StackError(
                    f"nothing was recorded for {_STALLED_AFTER_S:.0f} s; see the logs of the stack, {stack.folder}"
                )
            rate = (head["events"] - events) / (time.monotonic() - polled)
            events, polled = head["events"], time.monotonic()
            progress.update(
                task,
                completed=(day - start).days + 1,
                description=f"played to {day}: {events:,} events recorded, {rate:,.0f} a second",
            )
    settle(stack)
    return time.monotonic() - began


def read_results(stack: Stack | RemoteStack, scenario: Scenario, play: ScenarioRun) -> dict[str, Any]:
    """Return the results at the end of a run: counts, refusals, months, shortages, alerts, hashes."""
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


def print_results(results: dict[str, Any], console: Console) -> None:
    """Print the results as tables."""
    console.print(counts_table(results["events_by_type"], len(results["refusals"])))
    for months in (*months_tables(results["months"]), *ahead_tables(results["ahead"])):
        console.print(months)
    for short in shortages_tables(results["shortages"], _SHORTAGES_SHOWN):
        console.print(short)
    for alerts in alerts_tables(results["alerts"]):
        console.print(alerts)
    console.print(refusals_table(results["refusals"]))
    console.print(f"chain head: {results['chain_head']}", soft_wrap=True, highlight=False)
    console.print(f"state hash: {results['state_hash']}", soft_wrap=True, highlight=False)
