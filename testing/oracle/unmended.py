"""The definitions that the services do not follow yet, each with its item: delete a line once its item is mended.

`TAME` takes out of a log what is answered wrongly, so that all the rest is compared. `LEFT_OUT` names the fields that
are not compared, by path.
"""

from collections.abc import Callable

from testing.cloud_events import CloudEvent
from testing.oracle.book import NOBODY, Book, day, day_of, name_of

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


def one_part_a_shipment(log: Log) -> Log:
    """Leave out all parts of a shipment but the first, and what ends more of it than was sent, or elsewhere."""
    seen: set[tuple[str, str]] = set()
    found = []
    for event in log:
        if name_of(event) == "shipment.dispatched":
            shipment = event["source"], event["data"]["shipment"]
            if shipment in seen:
                continue
            seen.add(shipment)
        found.append(event)
    book = Book(found)
    beyond = set()
    for shipment, ends in book.ends.items():
        for on in {end.day for end in ends}:
            sent = sum(part.wafers for part in book.parts.get(shipment, []) if part.sent <= on)
            if sum(end.wafers for end in ends if end.day <= on) > sent:
                beyond.add(shipment[:2])
        if {end.key[1] for end in ends} - {part.key[1] for part in book.parts.get(shipment, [])}:
            beyond.add(shipment[:2])
    ending = ("shipment.received", "shipment.lost")
    return without(found, lambda e: name_of(e) in ending and (e["data"]["owner"], e["data"]["shipment"]) in beyond)


def no_other_suppliers(log: Log) -> Log:
    """Leave out receipts and losses under another supplier, and the commits that dispatches of other products name."""
    products = {(e["source"], e["data"]["line"]): e["data"]["product"] for e in log if name_of(e) == "supply.committed"}
    found = []
    for event in log:
        data, name = event["data"], name_of(event)
        if name in ("shipment.received", "shipment.lost") and data["supplier"] != data["owner"]:
            continue
        if name == "shipment.dispatched" and products.get((event["source"], data["commit"])) != data["product"]:
            found.append({**event, "data": data | {"commit": None}})
        else:
            found.append(event)
    return found


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


def no_watermark_taken_back(log: Log) -> Log:
    watermarks = {event["id"] for event in log if name_of(event) == "source.advanced"}
    return without(log, lambda e: name_of(e) == "event.reversed" and e["data"]["reversed"] in watermarks)


def no_end(log: Log) -> Log:
    return without(log, lambda e: name_of(e) == "source.ended")


def no_count_of_all_suppliers(log: Log) -> Log:
    return without(log, lambda e: name_of(e) == "stock.counted" and e["data"]["supplier"] == NOBODY)


def no_revisions_of_counts(log: Log) -> Log:
    return without(log, lambda e: name_of(e) == "stock.counted" and "revision" in e["data"])


def no_equal_revisions(log: Log) -> Log:
    """Leave out all but the first of the statements of one line that have one revision, and of the counts of a day."""
    seen, found = set(), []
    for event in log:
        data, name = event["data"], name_of(event)
        line = data.get("line") or data.get("agreement") or (data["shipment"] if name == "shipment.revised" else None)
        statement = (name, event["source"], line, data.get("revision"))
        if name == "stock.counted":
            statement = (name, day_of(event), data["product"], data["site"], data["supplier"])
        if (line is None and name != "stock.counted") or statement not in seen:
            found.append(event)
        seen.add(statement)
    return found


def none_due_beyond_the_horizon(log: Log) -> Log:
    return without(log, lambda e: name_of(e) == "demand.required" and e["data"]["due"] > "2026-12-31")


def all_sources_advance(log: Log) -> Log:
    advanced = {event["source"] for event in log if name_of(event) == "source.advanced"}
    return without(log, lambda e: e["source"] not in advanced)


TAME: dict[str, Callable[[Log], Log]] = {
    "17 sources without a watermark": all_sources_advance,
    "5 watermarks taken back": no_watermark_taken_back,
    "5 a source that ends": no_end,
    "18 equal revisions": no_equal_revisions,
    "22e due beyond the horizon": none_due_beyond_the_horizon,
    "6 counts of all suppliers": no_count_of_all_suppliers,
    "6 revisions of counts": no_revisions_of_counts,
    "3 the shipment's supplier": no_other_suppliers,
    "4 one promise at each lag": one_promise_a_line,
    "2 in transit by shipment and part": one_part_a_shipment,
    "7 netting at midnight": no_demand_of_the_last_week,
    "1 consumption for an order": no_consumption_for_an_order,
    "1 backlog": no_consumption_beyond_due,
}

UNALLOCATED = ("/cover", "the site unallocated")
NOT_COMMITTED = ("/suppliers", "what was not committed at the lag asked for")
LEFT_OUT: dict[str, set[tuple[str, str]]] = {
    "16 unallocated in cover": {UNALLOCATED},
    "22d zones from today": {("/atp", "zone"), ("/atp of few buckets", "zone")},
    "README null performance": {NOT_COMMITTED},
    "22b cumulative ATP": {("/atp of few buckets", "atp"), ("/atp of few buckets", "atp_cumulative")},
}
