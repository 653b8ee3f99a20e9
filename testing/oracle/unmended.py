"""The definitions that the services do not follow yet, each with its item: delete a line once its item is mended.

`TAME` takes out of a log what is answered wrongly, so that all the rest is compared. `LEFT_OUT` names the fields that
are not compared, by path.
"""

from collections.abc import Callable

from testing.cloud_events import CloudEvent
from testing.oracle.book import Book, day, day_of

Log = list[CloudEvent]


def without(log: Log, unwanted: Callable[[CloudEvent], bool]) -> Log:
    return [event for event in log if not unwanted(event)]


def one_promise_a_line(log: Log) -> Log:
    """Leave out the revisions of a commit that is re-dated or altered after its day, and commits for days gone by."""
    twice: set[tuple[str, str]] = set()
    for line, statements in Book(log).statements("supply.committed", "line").items():
        days = {day(statement["data"]["due"]) for statement in statements}
        if len(days) > 1 or max(map(day_of, statements)) > min(days):
            kept = [] if day_of(statements[0]) > day(statements[0]["data"]["due"]) else statements[:1]
            twice |= {(line[0], statement["id"]) for statement in statements if statement not in kept}
    return without(log, lambda e: (e["source"], e["id"]) in twice)


TAME: dict[str, Callable[[Log], Log]] = {
    "4 one promise at each lag": one_promise_a_line,
}

UNALLOCATED = ("/cover", "the site unallocated")
LEFT_OUT: dict[str, set[tuple[str, str]]] = {}
