"""The log as the oracle reads it: which events hold, each line as it stands, and every movement of a wafer.

Settled where the documents leave it open:

- Of the statements about a line the one with the greatest (revision, time, id) holds; so of the counts of a day.
- A shipment is known by its owner, its name and a product. Its parts are its dispatches, in the order of (day sent,
  eta, key, id). What is received, damaged or lost of it ends the parts in that order, whatever their sites; what is
  ended beyond all that was sent ends nothing. A part stands at the site, and is due on the day, that the shipment's
  revision names, since the day it was sent; without a revision, that its own dispatch names.
- A receipt or a loss stands at its own site, under the supplier of the shipment's first part; under the one that it
  names where nothing was dispatched.
- A dispatch releases a commit of the same source, product and supplier, at whatever site. Its wafers leave `finished`
  at the site that the dispatch names.
- A count without a supplier (`unattributed`) counts the stock of all suppliers together, after the counts of single
  ones on that day, and is adjusted without a supplier.
- Consumption that names an order of its source, with the order's product and site, serves it day by day up to its
  wafers. What it serves before the due day, and what it has beyond the order, is due on its own day.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

CloudEvent = dict[str, Any]
Key = tuple[str, str, str]
"""A product, a site and a supplier."""

GRADES = ("planned", "material", "manufacturing", "firm", "immediate")
NOBODY = "unattributed"
NOWHERE = "unallocated"


class Movement(NamedTuple):
    """Wafers that a stage gained on a day, or lost."""

    day: int
    key: Key
    what: str
    wafers: int


class Part(NamedTuple):
    """A dispatch of a shipment, and where and when it is to come."""

    sent: int
    eta: int
    id: str
    key: Key  # of the dispatch, with the site that it is to come to
    wafers: int
    commit: tuple[str, str] | None  # source and line


class End(NamedTuple):
    """Wafers of a shipment that came in good order, came damaged, or are lost."""

    day: int
    id: str
    key: Key  # as the event names it
    received: int
    damaged: int
    lost: int

    @property
    def wafers(self) -> int:
        return self.received + self.damaged + self.lost


class Book:
    """What follows from the events of a log, in whatever order they are."""

    def __init__(self, events: Iterable[CloudEvent]) -> None:
        by_identity = {(event["source"], event["id"]): event for event in events}
        self.events = list(by_identity.values())
        undone = {(e["source"], e["data"]["reversed"]) for e in self.events if name_of(e) == "event.reversed"}
        self.holding = [
            event
            for identity, event in by_identity.items()
            if identity not in undone and name_of(event) != "event.reversed"
        ]
        self.parts, self.ends = self._shipments()
        self.commits = self._lines("supply.committed", "line")
        self.orders = self._lines("demand.required", "line")
        self.forecasts = self._lines("demand.forecast", "line")
        self.agreements = self._lines("supply.agreed", "agreement")
        self.target = self._target()
        self.movements = self._movements()
        self.movements += self._adjustments()
        self.open_commits = self._open_commits()
        self.demand = self._demand()
        self.consumed = [(key_of(e), day_of(e), e["data"]["wafers"]) for e in self.of("wafers.consumed")]

    def of(self, *names: str) -> list[CloudEvent]:
        """Return the events of some types that hold."""
        return [event for event in self.holding if name_of(event) in names]

    def statements(self, name: str, line: str) -> dict[tuple[str, str], list[CloudEvent]]:
        """Return what holds of each line, the statement in force last."""
        found = defaultdict(list)
        for event in self.of(name):
            found[event["source"], event["data"][line]].append(event)
        return {each: sorted(events, key=rank) for each, events in found.items()}

    def _lines(self, name: str, line: str) -> dict[tuple[str, str], CloudEvent]:
        return {each: events[-1] for each, events in self.statements(name, line).items()}

    def _target(self) -> int | None:
        """Return the target of the programme in force: there is one programme, of any name, or a withdrawn one."""
        declared = max(self.of("programme.declared"), key=rank, default=None)
        if declared is None or declared["data"]["withdrawn"] or declared["data"]["target"] is None:
            return None
        return int(declared["data"]["target"]["wafers_per_month"])

    @property
    def tolerance(self) -> tuple[int | None, int, int]:
        """Days early and late, and percent short, that the programme in force tolerates, or 7 days late and 5 %."""
        declared = max(self.of("programme.declared"), key=rank, default=None)
        given = None if declared is None or declared["data"]["withdrawn"] else declared["data"].get("on_time")
        if given is None:
            return None, 7, 5
        return given.get("days_early"), given.get("days_late", 7), given.get("percent_short", 5)

    # ---------------------------------------------------------------- watermarks

    def watermarks(self) -> dict[str, int]:
        """Return the last day that each source has completed, of those that have completed one and have not ended."""
        found: dict[str, int] = {}
        for event in self.of("source.advanced"):
            through = day(event["data"]["through"])
            found[event["source"]] = max(through, found.get(event["source"], through))
        for event in self.of("source.ended"):
            found.pop(event["source"], None)
        return found

    def complete_through(self) -> int | None:
        return min(self.watermarks().values(), default=None)

    # ---------------------------------------------------------------- shipments

    def _shipments(self) -> tuple[dict[tuple[str, str, str], list[Part]], dict[tuple[str, str, str], list[End]]]:
        revisions = {each: events[-1] for each, events in self.statements("shipment.revised", "shipment").items()}
        parts = defaultdict(list)
        for event in self.of("shipment.dispatched"):
            data, source = event["data"], event["source"]
            revised = revisions.get((source, data["shipment"]))
            site = data["site"] if revised is None else revised["data"]["site"]
            eta = data["eta"] if revised is None else revised["data"]["eta"]
            commit = None if data["commit"] is None else (source, data["commit"])
            key = (data["product"], site, data["supplier"])
            part = Part(day_of(event), day(eta), event["id"], key, data["wafers"], commit)
            parts[source, data["shipment"], data["product"]].append((day(data["eta"]), key_of(event), part))
        ends = defaultdict(list)
        for event in self.of("shipment.received", "shipment.lost"):
            data = event["data"]
            lost = name_of(event) == "shipment.lost"
            good, damaged = (0, 0) if lost else (data["wafers"], data["wafers_damaged"])
            end = End(day_of(event), event["id"], key_of(event), good, damaged, data["wafers"] if lost else 0)
            ends[data["owner"], data["shipment"], data["product"]].append(end)
        in_turn = {
            shipment: [part for *_, part in sorted(found, key=lambda each: (each[2].sent, *each[:2], each[2].id))]
            for shipment, found in parts.items()
        }
        return in_turn, {shipment: sorted(found) for shipment, found in ends.items()}

    def on_the_way(self, through: int | None = None) -> list[tuple[Part, int]]:
        """Return the parts that were sent by the end of a day, each with what was not ended of it by then."""
        found = []
        for shipment, parts in self.parts.items():
            ended = sum(end.wafers for end in self.ends.get(shipment, []) if through is None or end.day <= through)
            for part in parts:
                if through is None or part.sent <= through:
                    taken = min(ended, part.wafers)
                    ended -= taken
                    found.append((part, part.wafers - taken))
        return found

    # ---------------------------------------------------------------- open commits and orders

    def _open_commits(self) -> list[tuple[Key, int, str, int]]:
        """Return key, due day, grade and wafers that are not dispatched, of each commit."""
        found = []
        for name, event in self.commits.items():
            data = event["data"]
            sent = sum(
                part.wafers
                for parts in self.parts.values()
                for part in parts
                if part.commit == name and part.key[0] == data["product"] and part.key[2] == data["supplier"]
            )
            found.append((key_of(event), day(data["due"]), data["firmness"], max(0, data["wafers"] - sent)))
        return found

    def _demand(self) -> list[tuple[Key, int, int]]:
        """Return key, day and wafers of all that is due: of each order, and of what was consumed in its name."""
        found = []
        for name, event in self.orders.items():
            due = day(event["data"]["due"])
            left = on_its_day = event["data"]["wafers"]
            for key, on, wafers in sorted(self._consumed_for(name), key=lambda each: each[1]):
                served = min(left, wafers)
                left -= served
                early = served if on < due else 0
                on_its_day -= early
                found.append((key, on, early + wafers - served))
            found.append((key_of(event), due, on_its_day))
        return found

    def _consumed_for(self, order: tuple[str, str]) -> list[tuple[Key, int, int]]:
        ordered = self.orders[order]["data"]
        return [
            (key_of(event), day_of(event), event["data"]["wafers"])
            for event in self.of("wafers.consumed")
            if (event["source"], event["data"].get("order")) == order
            and all(event["data"][part] == ordered[part] for part in ("product", "site"))
        ]

    # ---------------------------------------------------------------- movements

    def _movements(self) -> list[Movement]:
        found = []
        for event in self.holding:
            data, on = event["data"], day_of(event)
            match name_of(event):
                case "lot.started":
                    found.append(Movement(on, key_of(event), "started", data["wafers"]))
                case "lot.scrapped":
                    found.append(Movement(on, key_of(event), "scrapped", data["wafers"]))
                case "lot.finished":
                    found.append(Movement(on, key_of(event), "finished", data["wafers"]))
                    found.append(Movement(on, key_of(event), "variance", data["yield_variance"]))
                case "shipment.dispatched":
                    found.append(Movement(on, key_of(event), "dispatched", data["wafers"]))
                case "wafers.consumed":
                    found.append(Movement(on, key_of(event), "consumed", data["wafers"]))
                case "stock.opened":
                    found.append(Movement(on, key_of(event), "opened", data["wafers"]))
                case "shipment.returned":
                    product, site, supplier = key_of(event)
                    parts = self.parts.get((data["owner"], data["shipment"], product))
                    key = (product, site, parts[0].key[2] if parts else supplier)
                    found.append(Movement(on, key, "transferred", -data["wafers"]))
                case "stock.transferred":
                    product, site, supplier = key_of(event)
                    found.append(Movement(on, (product, site, supplier), "transferred", -data["wafers"]))
                    found.append(Movement(on, (product, data["to_site"], supplier), "transferred", data["wafers"]))
        for shipment, ends in self.ends.items():
            parts = self.parts.get(shipment)
            for end in ends:
                product, site, supplier = end.key
                key = (product, site, parts[0].key[2] if parts else supplier)
                found.append(Movement(end.day, key, "received", end.received))
        return found

    def _adjustments(self) -> list[Movement]:
        counts: dict[tuple[int, bool, Key], CloudEvent] = {}
        for event in sorted(self.of("stock.counted"), key=rank):
            key = key_of(event)
            counts[day_of(event), key[2] == NOBODY, key] = event
        found: list[Movement] = []
        for (on, whole_shelf, key), event in sorted(counts.items(), key=lambda each: each[0]):
            stock = 0
            for movement in [*self.movements, *found]:
                same = movement.key[:2] == key[:2] if whole_shelf else movement.key == key
                if movement.day <= on and same:
                    stock += on_hand_by(movement)
            found.append(Movement(on, key, "adjusted", event["data"]["counted"] - stock))
        return found

    def total(self, what: str, keys: Sequence[Key], first: int, last: int) -> int:
        """Return the wafers of one kind of movement from one day to another, both included."""
        return sum(
            each.wafers
            for each in self.movements
            if each.what == what and first <= each.day <= last and each.key in keys
        )


def on_hand_by(movement: Movement) -> int:
    """Return by how much a movement changes what is on hand."""
    if movement.what in ("opened", "received", "transferred", "adjusted"):
        return movement.wafers
    return -movement.wafers if movement.what == "consumed" else 0


def name_of(event: CloudEvent) -> str:
    return str(event["type"]).removeprefix("waferline.").removesuffix(".v1")


def key_of(event: CloudEvent) -> Key:
    data = event["data"]
    return data["product"], data["site"], data["supplier"]


def instant(event: CloudEvent) -> datetime:
    return datetime.fromisoformat(event["time"]).astimezone(UTC)


def day_of(event: CloudEvent) -> int:
    return instant(event).date().toordinal()


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def iso(on: int | None) -> str | None:
    return None if on is None else date.fromordinal(on).isoformat()


def rank(event: CloudEvent) -> tuple[int, datetime, str]:
    """Return the rank of a statement: of those about one line the greatest holds."""
    return event["data"].get("revision", 0), instant(event), event["id"]


def at_least(grade: str, firmness: str) -> bool:
    """Return whether a grade is another one or above it."""
    return GRADES.index(grade) >= GRADES.index(firmness)
