"""Documents and their source for tests: plans of weeks, and the lines that a source has in force."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import settings

from shared.documents.document import Document, DocumentLine, Place, Value
from shared.documents.profile import Profile
from shared.documents.stating import LineInForce, state_document
from shared.wire.events import Event, WaferModel

relaxed = settings(deadline=None)  # a busy machine is slow

MODEL = WaferModel(
    gb_per_die=3, die_mm2=130, layers=12, line_yield="0.97", probe_yield="0.74", layer_yield="0.99", final_yield="0.97"
)
CATALOGUE = {"HBM-12H": MODEL, "DDR-16G": None, "HBM9": None}
DEFAULT = Profile()
ISSUED = datetime(2026, 7, 1, 12, tzinfo=UTC)
MONDAY = date(2026, 7, 6)


def forecast(quantities, replaces=True, lines=(), product="HBM-12H"):
    """Return a plan of weeks, or of named lines (name, week, wafers)."""
    stated = [{"due": week, "wafers": wafers} for week, wafers in quantities.items()]
    stated += [{"line": name, "due": week, "wafers": wafers} for name, week, wafers in lines]
    weeks = [each["due"] for each in stated]
    place = Place("", 1)
    made = []
    for each in stated:
        values = {"product": product, "site": "S", "due": MONDAY + timedelta(weeks=each["due"])}
        values |= {"wafers": Decimal(each["wafers"])} | ({"line": each["line"]} if "line" in each else {})
        made.append(DocumentLine({name: Value(value, place) for name, value in values.items()}, place))
    ends = [MONDAY + timedelta(weeks=week) for week in (min(weeks), max(weeks))] if weeks else [None, None]
    return Document("forecasts", tuple(made), replaces, *ends)


def in_force_last(item):
    id_, event = item
    return getattr(event.data, "revision", 0), event.time, id_


class Source:
    """The lines of one source, as the ledger would hold them: a twin of its rule for the terms in force."""

    def __init__(self, kind="forecasts", source="site-group"):
        self.kind, self.source = kind, source
        self.events = {}
        self.applied = []

    def state(self, document, issued=ISSUED, profile=DEFAULT, catalogue=CATALOGUE, **more):
        stated = state_document(
            document, self.in_force(), self.source, profile, catalogue, issued, applied=self.applied, **more
        )
        for each in stated.events:
            event = Event.read(each.event | {"sequence": "1"})
            assert self.events.setdefault(event.id, event).content() == event.content()
        self.applied += stated.applied
        return stated

    def in_force(self):
        undone = {event.data.reversed for event in self.events.values() if event.data.type == "event.reversed"}
        held = {}
        for id_, event in sorted(self.events.items(), key=in_force_last):
            if id_ in undone or event.data.type == "event.reversed":
                continue
            data = event.data.model_dump(mode="json")
            movement = event.data.movement
            key = (data.get("shipment"), data["product"], data["site"], event.time) if movement else event.subject
            held[key] = LineInForce(data, event.time, id_)
        return list(held.values())

    def wafers(self):
        lines = [line.data for line in self.in_force()]
        return {line["line"]: (line["due"], line["wafers"]) for line in lines if line["wafers"]}

    def by_week(self, starts_on=date.min, ends_on=date.max):
        weeks = {}
        for due, wafers in self.wafers().values():
            if starts_on <= date.fromisoformat(due) <= ends_on:
                weeks[date.fromisoformat(due)] = weeks.get(date.fromisoformat(due), 0) + wafers
        return dict(sorted(weeks.items()))


def named(text):
    """Return a CSV file in which the product P has a wafer model, and Q has none."""
    text = text.replace("\nP,", "\nHBM-12H,").replace("east,P", "east,HBM-12H")
    return text.replace("\nQ,", "\nDDR-16G,").encode()


def counts(stated):
    assert stated.problems == ()
    return stated.new, stated.changed, stated.withdrawn, stated.unchanged
