"""The definitions that the services do not follow yet, each with its item: delete a line once its item is mended.

`TAME` takes out of a log what is answered wrongly, so that all the rest is compared. `LEFT_OUT` names the fields that
are not compared, by path.
"""

from collections.abc import Callable

from testing.cloud_events import CloudEvent
from testing.oracle.book import Book, day, day_of, name_of

Log = list[CloudEvent]


def without(log: Log, unwanted: Callable[[CloudEvent], bool]) -> Log:
    return [event for event in log if not unwanted(event)]


def no_consumption_beyond_due(log: Log) -> Log:
    """Leave out the consumption where it was, on any day, more than had been due."""
    book = Book(log)
    beyond = set()
    for group in {key[:2] for key, _, _ in book.unnamed}:
        for on in sorted({on for key, on, _ in book.unnamed if key[:2] == group}):
            consumed = sum(wafers for key, each, wafers in book.unnamed if key[:2] == group and each <= on)
            due = sum(wafers for key, each, wafers in book.demand if key[:2] == group and each <= on)
            if consumed > due:
                beyond.add(group)
    return without(
        log, lambda e: name_of(e) == "wafers.consumed" and (e["data"]["product"], e["data"]["site"]) in beyond
    )


def no_consumption_for_an_order(log: Log) -> Log:
    return [{**event, "data": {k: v for k, v in event["data"].items() if k != "order"}} for event in log]


def one_promise_a_line(log: Log) -> Log:
    """Leave out the revisions of a commit that is re-dated or altered after its day, and commits for days gone by."""
    twice: set[tuple[str, str]] = set()
    for line, statements in Book(log).statements("supply.committed", "line").items():
        days = {day(statement["data"]["due"]) for statement in statements}
        if len(days) > 1 or max(map(day_of, statements)) > min(days):
            kept = [] if day_of(statements[0]) > day(statements[0]["data"]["due"]) else statements[:1]
            twice |= {(line[0], statement["id"]) for statement in statements if statement not in kept}
    return without(log, lambda e: (e["source"], e["id"]) in twice)


def no_demand_of_the_last_week(log: Log) -> Log:
    """Leave out the orders and forecasts due in the week before today."""
    through = Book(log).complete_through()
    lines = [event for event in log if name_of(event) in ("demand.required", "demand.forecast")]
    late = {
        (event["source"], event["data"]["line"])
        for event in lines
        if through is not None and through - 7 < day(event["data"]["due"]) <= through
    }
    return without(log, lambda e: e in lines and (e["source"], e["data"]["line"]) in late)


def none_due_beyond_the_horizon(log: Log) -> Log:
    return without(log, lambda e: name_of(e) == "demand.required" and e["data"]["due"] > "2026-12-31")


TAME: dict[str, Callable[[Log], Log]] = {
    "22e due beyond the horizon": none_due_beyond_the_horizon,
    "4 one promise at each lag": one_promise_a_line,
    "7 netting at midnight": no_demand_of_the_last_week,
    "1 consumption for an order": no_consumption_for_an_order,
    "1 backlog": no_consumption_beyond_due,
}

UNALLOCATED = ("/cover", "the site unallocated")
LEFT_OUT: dict[str, set[tuple[str, str]]] = {
    "22d zones from today": {("/atp", "zone"), ("/atp of few buckets", "zone")},
    "22b cumulative ATP": {("/atp of few buckets", "atp"), ("/atp of few buckets", "atp_cumulative")},
}
