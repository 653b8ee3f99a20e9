"""What the parties of a world say: events of every kind, some late, some reversed, some wrong, some in conflict."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import orjson

from shared.party.outbox import OutboxEntry
from shared.wire.batch import EventBatch
from shared.wire.events import EVENTS, Event, EventData, MilestoneDelay, event_id
from shared.wire.firmness import FIRMNESS
from shared.wire.streams import Role
from testing.fold import Horizon

BEGINS = datetime(2026, 3, 25, tzinfo=UTC)  # the world's clock; what is said lies in the weeks before
HORIZON = Horizon(date(2026, 2, 1), 60)  # some of what is said lies beyond it
PRODUCTS = ("HBM3E-12H", "HBM4-12H")
SUPPLIERS = ("samsung", "skhynix")
DATACENTERS = ("abilene", "narvik")


def _day(random: Random) -> date:
    return date(2026, 3, 1) + timedelta(days=random.randrange(20))


def _one_of(*values: Any) -> Callable[[Random], Any]:
    return lambda random: random.choice(values)


def _up_to(most: int, least: int = 0) -> Callable[[Random], int]:
    return lambda random: random.randint(least, most)


_FIELDS: dict[str, Callable[[Random], Any]] = {  # few names: the lines of a world are to meet
    **dict.fromkeys(("starts_on", "due", "due_out", "eta", "energise_on", "start_by", "through", "day"), _day),
    **dict.fromkeys(("reason", "cause", "name", "evidence"), _one_of("", "yield", 'Größe, "\\" 晶')),
    **dict.fromkeys(("site", "to_site"), _one_of(*DATACENTERS)),
    **dict.fromkeys(("counted", "wafers_per_month"), _up_to(40)),
    "product": _one_of(*PRODUCTS), "supplier": _one_of(*SUPPLIERS, "unattributed"), "owner": _one_of(*SUPPLIERS),
    "wafers": _up_to(25, least=1), "wafers_damaged": _up_to(3), "yield_variance": _up_to(5, least=-5),
    "revision": _up_to(3), "line": _one_of("C0", "C1"), "commit": _one_of("C0", "C1", None), "agreement": _one_of("A0"),
    "order": _one_of("C0", "C1", None), "successor": _one_of(*DATACENTERS, None),
    "shipment": _one_of("S0", "S1"), "lot": _one_of("L0", "L1"), "lots": lambda _: [], "phase": _one_of("P0", "P1"),
    "fab": _one_of("P4"), "instrument": _one_of("LOI", "LTA"), "ends_on": _one_of(date(2026, 3, 31), date(2026, 6, 1)),
    "firmness": _one_of(*FIRMNESS), "priority": _up_to(9, least=1), "country": _one_of("US"),
    "mooring": _one_of("onshore"), "mw": _up_to(100), "pue_percent": _up_to(150, least=100),
    "land_ha": _one_of(None, 5), "waterplane_m2": _one_of(None), "kg_co2_per_mwh": _up_to(400),
    "confidence": _one_of("sourced", "assumed"), "synthetic": _one_of(False, True), "power_source": _one_of("", "grid"),
    "platform": _one_of("VR-NVL72"), "status": _one_of("planned"),
    "milestone": _one_of("M0", "M1"), "follows": _one_of(None, MilestoneDelay(milestone="M0", days=3)),
}  # fmt: skip


@dataclass
class Part:
    """What one party says: the entries in order, when each is due, and what is to become of each sequence."""

    source: str
    role: Role
    entries: list[OutboxEntry] = field(default_factory=list)
    due_ms: list[int] = field(default_factory=list)
    good: dict[int, Event] = field(default_factory=dict)  # by sequence: of those that share an id, one is recorded
    bad: set[int] = field(default_factory=set)  # sequences of what is refused in any case


def write_script(random: Random) -> list[Part]:
    """Return what 2 or 3 parties say in a world: 20 to 60 events."""
    parties: list[tuple[str, Role]] = [(SUPPLIERS[0], "supplier"), (DATACENTERS[0], "datacenter")]
    parties += random.choice(([], [(SUPPLIERS[1], "supplier")], [(DATACENTERS[1], "datacenter")]))
    events = random.randint(20, 60)
    return [_write_part(random, source, role, events // len(parties)) for source, role in parties]


def _write_part(random: Random, source: str, role: Role, count: int) -> Part:
    part = Part(source, role)
    kinds = [kind for kind in EVENTS.values() if role in kind.published_by]
    events = []
    for sequence in range(1, count + 1):
        time = datetime.combine(_day(random), datetime.min.time(), UTC) + timedelta(seconds=random.randrange(86_400))
        said = [event.id for event in part.good.values()]
        id_, kind, wrong = event_id(time, source, "", sequence), random.choice(kinds), random.random()
        if wrong < 0.06 and said:
            id_ = random.choice(said)  # an identity that was used before, for something else
        elif wrong < 0.10 and kind.movement:
            time += timedelta(days=200)  # it cannot have happened
            part.bad.add(sequence)
        elif wrong < 0.16:
            part.bad.add(sequence)
        data = _draw(random, kind, source if role == "supplier" else None, random.choice([*said, id_]))
        event = Event(id=id_, source=source, sequence=sequence, time=time, data=data)
        events.append(event)
        if sequence not in part.bad:
            part.good[sequence] = event
    cuts = sorted({0, count, *random.sample(range(count), random.randint(count // 3, count // 2))})
    for first, last in pairwise(cuts):
        part.entries.append(OutboxEntry(first + 1, last, _encode(random, events[first:last], part.bad)))
        part.due_ms.append(
            random.randint(0, 60_000) + (part.due_ms[-1] if random.random() < 0.3 else 0) if part.due_ms else 0
        )
    part.due_ms.sort()
    return part


def _draw(random: Random, kind: type[EventData], supplier: str | None, reversed_: str) -> EventData:
    fields = {name: reversed_ if name == "reversed" else _FIELDS[name](random) for name in kind.model_fields}
    if supplier is not None and "supplier" in fields:
        fields["supplier"] = supplier
    return kind(**fields)


def _encode(random: Random, events: list[Event], bad: set[int]) -> bytes:
    """Return an entry in columns, or one CloudEvent, with what is to be refused made wrong."""
    spoil = {event.sequence for event in events if event.sequence in bad and event.time < BEGINS}
    if len(events) == 1 and random.random() < 0.5:
        content = events[0].cloud_event()
        if spoil:
            content |= random.choice(({"type": "waferline.lot.sold.v1"}, {"time": "2026-02-30"}, {"causationid": "x"}))
        return orjson.dumps(content)
    columns: dict[str, Any] = orjson.loads(EventBatch.of(events).encode())
    for row, event in enumerate(events):
        if event.sequence in spoil:
            column, cell = random.choice((("types", "lot.sold"), ("times", 10**17), ("causes", "x")))
            columns.setdefault(column, [None] * len(events))[row] = cell
    return orjson.dumps(columns)
