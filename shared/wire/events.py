"""Events: their fields and allowed values, the CloudEvents envelope, and strict reading."""

import json
import re
import reprlib
from collections import Counter
from datetime import UTC, date, datetime
from functools import partial
from hashlib import sha256
from math import isinf, isnan
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.wire.alerts import NAMED_BY, SUBJECTS
from shared.wire.days import iso_time, microseconds
from shared.wire.firmness import Firmness
from shared.wire.streams import Role

WAFERS_MAX = 1_000_000
COUNTED_MAX = 10**12
LOT_WAFERS_MAX = 25
DAY_MIN = date(2000, 1, 1)
DAY_MAX = date(2100, 12, 31)
SEQUENCE_MAX = 10**18 - 1
DIE_MM2_MAX = 5_000  # of which a wafer holds 4; a larger one is a typo
ROLES_MAX = 200  # of a company
NESTING_MAX = 8  # an event needs 3
UNALLOCATED = "unallocated"  # no site yet
UNATTRIBUTED = "unattributed"  # no supplier yet
PREFIX = "waferline."
VERSION = ".v1"

ReasonCode = Literal[
    "malformed",
    "duplicate_key",
    "unknown_type",
    "unknown_version",
    "unknown_product",
    "fraction",
    "out_of_bounds",
    "date_out_of_bounds",
    "movement_in_future",
    "watermark_in_future",
    "identity_conflict",
    "foreign_source",
]
"""Why an event was refused; stable, so that a program may act on it."""

# ---------------------------------------------------------------- values


def _bounded_day(day: date) -> date:
    if not DAY_MIN <= day <= DAY_MAX:
        raise PydanticCustomError("date_out_of_bounds", "is outside 2000-01-01 to 2100-12-31")
    return day


def _whole_day(value: object) -> object:
    """Parse a day only as YYYY-MM-DD (or a `date`): pydantic would also parse a midnight, or seconds."""
    if isinstance(value, str) and not re.fullmatch(r"(?a)\d{4}-\d{2}-\d{2}", value):
        raise PydanticCustomError("malformed", "is not a day as YYYY-MM-DD")
    return date.fromisoformat(value) if isinstance(value, str) else value


def _bounded_time(time: datetime) -> datetime:
    try:
        time = time.astimezone(UTC)
    except OverflowError:  # before the year 1 or after 9999, once its offset is taken off
        raise PydanticCustomError("date_out_of_bounds", "is outside 2000-01-01 to 2100-12-31") from None
    _bounded_day(time.date())
    return time


_is_time = re.compile(
    r"(?a)(?P<whole>\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:(?P<second>\d\d))(?P<fraction>\.\d+)?(?P<offset>[Zz]|[+-]\d\d:\d\d)"
).fullmatch


def _parse_time(value: object) -> object:
    """Parse an instant in RFC 3339 form with an offset; digits of a fraction beyond microseconds are cut off."""
    if not isinstance(value, str):
        return value
    found = _is_time(value)
    if found is None:
        raise PydanticCustomError("malformed", "is not an RFC 3339 time with an offset")
    if found["second"] == "60":
        raise PydanticCustomError("malformed", "is a leap second (:60): give the second before it or after it")
    return datetime.fromisoformat(f"{found['whole']}{(found['fraction'] or '')[:7]}{found['offset']}".upper())


def _parse_sequence(value: object) -> object:
    """Parse a sequence in its CloudEvents form, a string of digits."""
    if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]{0,17}", value):
        return int(value)
    raise PydanticCustomError("malformed", "is not a positive whole number as a string of at most 18 digits")


NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}"
_DAY = r"(20[0-9]{2}|2100)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
Name = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN}$")]
# one line: PostgreSQL stores no NUL in a text, and a log line or a CSV cell holds no line break
Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
EventId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Wafers = Annotated[int, Field(ge=1, le=WAFERS_MAX)]
WafersOrNone = Annotated[int, Field(ge=0, le=WAFERS_MAX)]
Revision = Annotated[int, Field(ge=0, le=1_000_000)]
Day = Annotated[
    date,
    BeforeValidator(_whole_day),
    AfterValidator(_bounded_day),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date",
            "pattern": f"^{_DAY}$",
        }
    ),
]
Time = Annotated[
    AwareDatetime,
    BeforeValidator(_parse_time),
    AfterValidator(_bounded_time),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            # an offset takes the ends into the years beside
            "pattern": r"^(1999|20[0-9]{2}|210[01])-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
            r"([Zz]|[+-][0-9]{2}:[0-9]{2})$",
        }
    ),
]
Sequence = Annotated[
    int,
    BeforeValidator(_parse_sequence),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}),
]

# exact fractions: a float would not add up to the same wafers on every machine
Yield = Annotated[str, StringConstraints(pattern=r"^(1(\.0{1,9})?|0\.0{0,8}[1-9][0-9]{0,8})$")]
Share = Annotated[str, StringConstraints(pattern=r"^(1(\.0{1,9})?|0(\.[0-9]{1,9})?)$")]
Pue = Annotated[str, StringConstraints(pattern=r"^[1-9](\.[0-9]{1,9})?$")]
Kilowatts = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,5}(\.[0-9]{1,9})?|0\.0{0,8}[1-9][0-9]{0,8})$")]
MemoryGb = Annotated[dict[Name, Annotated[int, Field(ge=1, le=10_000_000)]], Field(max_length=20)]


def _alert_pattern() -> str:
    """Return the pattern of the names of alerts: the codes with as many names, and a day where one names them."""
    codes: dict[str, list[str]] = {}
    for code, names in SUBJECTS.items():
        day = "" if NAMED_BY[code] is None else f"(/{_DAY})?"
        codes.setdefault(f"(/{NAME_PATTERN}){{{len(names)}}}{day}", []).append(code)
    return "|".join(f"({'|'.join(of_form)}){form}" for form, of_form in codes.items())


_ALERT = _alert_pattern()
_LINE_KINDS = "commit|order|forecast|shipment"
AlertText = Annotated[str, StringConstraints(pattern=f"^({_ALERT})$", max_length=250)]
# the subject of a note: a line by its kind, party and name, a site, a product, or an alert
AboutText = Annotated[
    str,
    StringConstraints(
        pattern=f"^(line/({_LINE_KINDS})/{NAME_PATTERN}/{NAME_PATTERN}|(site|product)/{NAME_PATTERN}|alert/({_ALERT}))$",
        max_length=260,
    ),
]

# ---------------------------------------------------------------- the data of each event


_STRICT = ConfigDict(frozen=True, strict=True, extra="forbid")


class EventData(BaseModel):
    """The data of an event, as distinct from its envelope."""

    model_config = _STRICT

    type: ClassVar[str]
    published_by: ClassVar[frozenset[Role]]
    """The parties that may publish it."""
    movement: ClassVar[bool] = False
    columns: ClassVar[dict[str, str]] = {}
    """The fields for the columns `line`, `day` and `wafers` of a batch, where their names differ."""
    revised: ClassVar[str] = ""
    """The field whose value its revisions are of, where that is not its line."""


SUPPLIER: frozenset[Role] = frozenset({"supplier"})
DATACENTER: frozenset[Role] = frozenset({"datacenter"})
EVERYONE = SUPPLIER | DATACENTER
PLANNER: frozenset[Role] = frozenset({"planner"})


class Keyed(EventData):
    """Event data about one product, at one site, of one supplier."""

    product: Name
    site: Name
    supplier: Name


class Movement(Keyed):
    """Wafers that move from one stage to another on the day of the event's time."""

    movement: ClassVar[bool] = True
    wafers: Wafers


class SupplyAgreed(Keyed):
    """A letter of intent or a contract states a rate: a headline, never counted as supply."""

    type = "supply.agreed"
    published_by = SUPPLIER
    columns = {"line": "agreement", "wafers": "wafers_per_month", "day": "starts_on"}
    agreement: Name
    instrument: Literal["LOI", "MOU", "LTA"]
    wafers_per_month: WafersOrNone
    starts_on: Day
    ends_on: Day
    revision: Revision


class SupplyCommitted(Keyed):
    """A supplier commits to wafers at the dock by a day; 0 withdraws the commit."""

    type = "supply.committed"
    published_by = SUPPLIER
    columns = {"day": "due"}
    line: Name
    due: Day
    firmness: Firmness
    wafers: WafersOrNone
    revision: Revision
    reason: Text = ""


class LotStarted(Movement):
    """A lot of up to 25 wafers enters the fab."""

    type = "lot.started"
    published_by = SUPPLIER
    columns = {"line": "lot", "day": "due_out"}
    lot: Name
    fab: Name
    wafers: Annotated[int, Field(ge=1, le=LOT_WAFERS_MAX)]
    due_out: Day


class LotScrapped(Movement):
    """Wafers of a lot are scrapped in the fab."""

    type = "lot.scrapped"
    published_by = SUPPLIER
    columns = {"line": "lot"}
    lot: Name
    cause: Text


class LotFinished(Movement):
    """A lot leaves the last test, credited with the wafers that give its real yield at planned yield.

    `yield_variance` is the lot's wafers in process less the credit, negative where the credit exceeds them.
    """

    type = "lot.finished"
    published_by = SUPPLIER
    columns = {"line": "lot"}
    lot: Name
    wafers: WafersOrNone
    yield_variance: Annotated[int, Field(ge=-WAFERS_MAX, le=WAFERS_MAX)]


class ShipmentDispatched(Movement):
    """Finished wafers leave for a site, on a commit line or on none."""

    type = "shipment.dispatched"
    published_by = SUPPLIER
    columns = {"line": "shipment", "day": "eta"}
    shipment: Name
    commit: Name | None
    eta: Day
    lots: Annotated[list[Name], Field(max_length=1000)]


class ShipmentRevised(Keyed):
    """A shipment gets another ETA, or another site."""

    type = "shipment.revised"
    published_by = SUPPLIER
    columns = {"line": "shipment", "day": "eta"}
    shipment: Name
    eta: Day
    revision: Revision


class ShipmentLost(Movement):
    """Wafers of a shipment are lost in transit."""

    type = "shipment.lost"
    published_by = EVERYONE
    columns = {"line": "shipment"}
    shipment: Name
    owner: Name


class SiteDeclared(EventData):
    """A site exists or is planned: its country, size and evidence."""

    type = "site.declared"
    published_by = DATACENTER
    columns = {"line": "site"}
    site: Name
    name: Text
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    mooring: Literal["onshore", "floating"]
    mw: Annotated[int, Field(ge=0, le=100_000)]
    pue_percent: Annotated[int, Field(ge=100, le=300)]
    land_ha: Annotated[int, Field(ge=1, le=1_000_000)] | None
    waterplane_m2: Annotated[int, Field(ge=1, le=100_000_000)] | None
    kg_co2_per_mwh: Annotated[int, Field(ge=0, le=2_000)]
    evidence: Text
    confidence: Literal["sourced", "assumed"]
    revision: Revision
    synthetic: bool = False  # no site: demand that is put there to make a total
    power_source: Text = ""  # as grid or gas; empty: not stated


class MilestoneDelay(BaseModel):
    """A milestone of a phase's site, and the days from it until the phase is energised."""

    model_config = _STRICT

    milestone: Name
    days: Annotated[int, Field(ge=0, le=3_650)]


class PhasePlanned(EventData):
    """A site plans to energise MW of a platform on a day. MW is a stock, wafers are a flow.

    A phase that `follows` a milestone is energised so many days after the day that is reported of it at the site;
    `energise_on` is the day until one is reported.
    """

    type = "phase.planned"
    published_by = DATACENTER
    columns = {"line": "phase", "day": "energise_on"}
    site: Name
    phase: Name
    mw: Annotated[int, Field(ge=0, le=100_000)]
    platform: Name
    energise_on: Day
    status: Literal["planned", "paused", "cancelled", "transferred"]
    revision: Revision
    follows: MilestoneDelay | None = None


class MilestoneReported(EventData):
    """A site reports the day of a milestone, past or to come, as a yard does: of all that report it the last holds."""

    type = "milestone.reported"
    published_by = DATACENTER
    columns = {"line": "milestone"}
    site: Name
    milestone: Name
    day: Day
    revision: Revision
    evidence: Text = ""


class DemandForecast(Keyed):
    """A site forecasts wafers at its dock by a day; never part of available to promise (ATP)."""

    type = "demand.forecast"
    published_by = DATACENTER
    columns = {"day": "due"}
    line: Name
    due: Day
    wafers: WafersOrNone
    revision: Revision


class DemandRequired(Keyed):
    """A site orders wafers: at its dock by `due`, hence started by `start_by`; 0 withdraws the order."""

    type = "demand.required"
    published_by = DATACENTER
    columns = {"day": "due"}
    line: Name
    due: Day
    start_by: Day
    priority: Annotated[int, Field(ge=1, le=9)]
    wafers: WafersOrNone
    revision: Revision


class ShipmentReceived(Movement):
    """A shipment is received: wafers in good order, and wafers damaged."""

    type = "shipment.received"
    published_by = DATACENTER
    columns = {"line": "shipment"}
    shipment: Name
    owner: Name
    wafers: WafersOrNone
    wafers_damaged: WafersOrNone

    @model_validator(mode="after")
    def _something_arrived(self) -> Self:
        if self.wafers == 0 and self.wafers_damaged == 0:
            raise PydanticCustomError("out_of_bounds", "wafers and wafers_damaged are both 0")
        return self


class WafersConsumed(Movement):
    """Wafers on hand are built into a phase, for the order of this source that `order` names, or for none."""

    type = "wafers.consumed"
    published_by = DATACENTER
    columns = {"line": "phase"}
    phase: Name
    order: Name | None = None


class StockOpened(Movement):
    """Wafers on hand before the log began."""

    type = "stock.opened"
    published_by = DATACENTER


class StockTransferred(Movement):
    """Wafers on hand go to another site."""

    type = "stock.transferred"
    published_by = DATACENTER
    to_site: Name


class StockCounted(Keyed):
    """The wafers on hand are counted at the end of the day; the ledger posts the adjustment.

    With the supplier `unattributed` it counts the whole shelf: all suppliers of the product at the site together.
    """

    type = "stock.counted"
    published_by = DATACENTER
    movement = True
    columns = {"wafers": "counted", "revision": ""}  # the revision came later: without one an event keeps its text
    counted: Annotated[int, Field(ge=0, le=COUNTED_MAX)]
    revision: Revision = 0


class ShipmentReturned(Movement):
    """Wafers of a shipment that were on hand went back to the supplier, and leave the balance.

    They are in transit to no site, and open no commit again: the supplier sends another shipment for them.
    """

    type = "shipment.returned"
    published_by = DATACENTER
    columns = {"line": "shipment"}
    shipment: Name
    owner: Name
    reason: Text = ""


class EventReversed(EventData):
    """A source reverses an event that it published in error."""

    type = "event.reversed"
    published_by = EVERYONE | PLANNER
    reversed: EventId
    reason: Text


class SourceAdvanced(EventData):
    """A watermark: the source has published all its events up to and including a day."""

    type = "source.advanced"
    published_by = EVERYONE
    columns = {"day": "through"}
    through: Day


class SourceEnded(EventData):
    """A source publishes no more: its last watermark. It neither holds the last complete day back nor is silent.

    `successor` is the source that carries its business on, null where none does. A line stays that of its source: one
    that the successor goes on with its source withdraws by a revision to 0 wafers, and the successor states as its own.
    """

    type = "source.ended"
    published_by = EVERYONE
    columns = {"day": "through"}
    through: Day
    successor: Name | None


class Evidence(BaseModel):
    """Evidence of a number: its sources, the day since which it is known, its confidence, and the basis in words."""

    model_config = _STRICT

    basis: Text = ""
    sources: Annotated[list[Name], Field(max_length=20)] = []
    known_from: Day | None = None
    confidence: Literal["high", "medium", "low", "assumed"] | None = None


class WaferModel(BaseModel):
    """Die, layers and planned yields of a product's wafer; a stepped die includes its scribe lane."""

    model_config = _STRICT

    gb_per_die: Annotated[int, Field(ge=1, le=10_000)]
    die_mm2: Annotated[int, Field(ge=1, le=DIE_MM2_MAX)]
    layers: Annotated[int, Field(ge=1, le=1_000)]
    line_yield: Yield
    probe_yield: Yield
    layer_yield: Yield
    final_yield: Yield


class Rack(BaseModel):
    """Power of one rack of a platform, and its memory in gigabytes by product."""

    model_config = _STRICT

    rack_kw: Annotated[int, Field(ge=1, le=100_000)]
    accelerators: Annotated[int, Field(ge=1, le=100_000)]
    memory_gb: MemoryGb


class Facility(Evidence):
    """Division of a facility's megawatt among racks and servers, the memory of a server by product, and the spares."""

    pue: Pue
    accelerator_share: Share
    server_share: Share
    server_kw: Kilowatts
    server_memory_gb: MemoryGb
    spares: Share


class ProgrammeTarget(Evidence):
    """The wafers a month that a programme aims at, and the source of that number."""

    wafers_per_month: Annotated[int, Field(ge=1, le=10**9)]


class ProgrammeHorizon(BaseModel):
    """The first and the last day that have balances of their own."""

    model_config = _STRICT

    starts_on: Day
    ends_on: Day

    @model_validator(mode="after")
    def _some_days(self) -> Self:
        if self.ends_on < self.starts_on:
            raise PydanticCustomError("out_of_bounds", "ends before it starts")
        return self


class DeliveryTolerance(Evidence):
    """Tolerance of deliveries on time and in full: days before and after the due day, and percent that may be short.

    Without `days_early` wafers count however early they are received.
    """

    days_early: Annotated[int, Field(ge=0, le=366)] | None = None
    days_late: Annotated[int, Field(ge=0, le=366)] = 7
    percent_short: Annotated[int, Field(ge=0, le=100)] = 5


class Declaration(EventData, Evidence):
    """A planner declares a thing of the programme: of all that declare it the greatest (revision, time, id) holds.

    It posts no wafers. One that is `withdrawn` ends the declaration, the others' fields notwithstanding.
    """

    published_by = PLANNER
    revision: Revision
    withdrawn: bool = False


class ProductDeclared(Declaration):
    """A planner declares a product; without a wafer model no capacity can be converted to its wafers."""

    type = "product.declared"
    product: Name
    family: Name | None = None
    wafer_model: WaferModel | None = None


class PlatformDeclared(Declaration):
    """A planner declares a platform; without a rack no megawatt can be converted to wafers."""

    type = "platform.declared"
    columns = {"line": "platform"}
    platform: Name
    rack: Rack | None = None


class ProgrammeDeclared(Declaration):
    """A planner declares the programme: its name, target, horizon, tolerance of deliveries, and facility.

    There is one programme: the greatest (revision, time, id) holds, of any name.
    """

    type = "programme.declared"
    columns = {"line": "programme"}
    programme: Name
    title: Text = ""
    target: ProgrammeTarget | None = None
    horizon: ProgrammeHorizon | None = None
    on_time: DeliveryTolerance | None = None
    facility: Facility | None = None


class PartyRole(BaseModel):
    """A role of a company at a site, or towards a supplier, and the source that states it."""

    model_config = _STRICT

    role: Name
    of: Literal["site", "supplier"]
    name: Name
    basis: Text = ""


class PartyDeclared(Declaration):
    """A planner declares a company: its roles at sites and towards suppliers. It need publish nothing itself."""

    type = "party.declared"
    columns = {"line": "party"}
    party: Name
    name: Text = ""
    roles: Annotated[list[PartyRole], Field(max_length=ROLES_MAX)] = []


class Remark(EventData):
    """A planner remarks on something: of the remarks of one name the greatest (revision, time, id) holds.

    It posts no wafers and changes no number. One that is `withdrawn` ends it, the others' fields notwithstanding.
    """

    published_by = PLANNER
    by: Text = ""
    revision: Revision
    withdrawn: bool = False


class AlertAcknowledged(Remark):
    """A planner has seen an alert: who follows it up, a note, and until which day the worklist leaves it out.

    It is of the alert of just this name: where a day is part of it, the next one of the same code and subject has
    another day, and is not acknowledged. `snoozed_until` is compared with the state's today, the day after the last
    complete one.
    """

    type = "alert.acknowledged"
    revised = "alert"  # a name of an alert is too long for the column of lines
    alert: AlertText
    assignee: Text = ""
    note: Text = ""
    snoozed_until: Day | None = None


class NoteAdded(Remark):
    """A planner writes a note on a line, a site, a product or an alert."""

    type = "note.added"
    columns = {"line": "note"}
    note: Name
    about: AboutText
    text: Text


EVENTS: dict[str, type[EventData]] = {
    data.type: data
    for data in (
        SupplyAgreed, SupplyCommitted, LotStarted, LotScrapped, LotFinished, ShipmentDispatched, ShipmentRevised,
        ShipmentLost, SiteDeclared, PhasePlanned, DemandForecast, DemandRequired, ShipmentReceived, WafersConsumed,
        StockOpened, StockTransferred, StockCounted, EventReversed, SourceAdvanced,
        ShipmentReturned,
        SourceEnded,
        ProductDeclared, PlatformDeclared, ProgrammeDeclared, PartyDeclared,
        AlertAcknowledged, NoteAdded,
        MilestoneReported,
    )
}  # fmt: skip
"""Every event by its name: `type` without the prefix and the version."""

# ---------------------------------------------------------------- the envelope


class Envelope(BaseModel):
    """The attributes of a CloudEvent 1.0, with our extensions; `data` is read by its type."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    specversion: Literal["1.0"]
    id: EventId
    source: Name
    type: Annotated[str, StringConstraints(max_length=100)]
    time: Time
    sequence: Sequence
    subject: Text | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    recordedtime: Time | None = None
    partitionkey: Text | None = None
    correlationid: EventId | None = None
    causationid: EventId | None = None
    data: dict[str, Any]


class Refused(Exception):
    """An event is refused; has the reason code, the field's path and a message."""

    def __init__(self, code: ReasonCode, path: str, message: str) -> None:
        self.code: ReasonCode = code
        self.path = _plain(path[:200])
        self.message = _plain(message[:500])
        super().__init__(f"{code} at {self.path or 'the whole'}: {self.message}")


def _plain(text: str) -> str:
    """Return the text with lone surrogates and control characters escaped: no store holds all of them."""
    return text if text.isprintable() else ascii(text)[1:-1]


class Event(BaseModel):
    """One event: an envelope with its `data` read."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    id: str
    source: str
    sequence: int
    time: datetime
    data: EventData
    correlationid: str | None = None
    causationid: str | None = None
    recordedtime: datetime | None = None

    @classmethod
    def read(cls, cloud_event: bytes | dict[str, Any]) -> Self:
        """Return the event of a CloudEvents JSON object; raise `Refused` with the reason and the field's path."""
        raw = parse_strictly(cloud_event) if isinstance(cloud_event, bytes) else cloud_event
        envelope = validate_strictly(Envelope, raw, "")
        data = validate_strictly(data_class(envelope.type), envelope.data, "data.")
        event = cls(
            id=envelope.id,
            source=envelope.source,
            sequence=envelope.sequence,
            time=envelope.time,
            data=data,
            correlationid=envelope.correlationid,
            causationid=envelope.causationid,
            recordedtime=envelope.recordedtime,
        )
        for attribute in ("subject", "partitionkey"):
            given, due = getattr(envelope, attribute), getattr(event, attribute)
            if given is not None and given != due:
                raise Refused("malformed", attribute, f"is {given!r}, but the data says {due!r}")
        return event

    @property
    def subject(self) -> str | None:
        """The line, lot, shipment or site that the event concerns."""
        line = self.data.columns.get("line", "line")
        subject: str | None = getattr(self.data, line, None)
        return subject

    @property
    def partitionkey(self) -> str | None:
        """The product: no formula spans two."""
        return getattr(self.data, "product", None)

    def content(self) -> dict[str, Any]:
        """Return the CloudEvent without `recordedtime`: two events are the same if their contents are.

        A field of the data at its default is left out, so that a field added to a contract alters no event.
        """
        content: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": PREFIX + self.data.type + VERSION,
            "time": iso_time(microseconds(self.time)),
            "sequence": str(self.sequence),
            "datacontenttype": "application/json",
            "data": self.data.model_dump(mode="json", exclude_defaults=True),
        }
        for attribute in ("subject", "partitionkey", "correlationid", "causationid"):
            value = getattr(self, attribute)
            if value is not None:
                content[attribute] = value
        return content

    def cloud_event(self) -> dict[str, Any]:
        """Return the CloudEvents JSON object, `recordedtime` included where the ledger gave one."""
        content = self.content()
        if self.recordedtime is not None:
            content["recordedtime"] = iso_time(microseconds(self.recordedtime))
        return content


def data_class(type_: str) -> type[EventData]:
    """Return the class of a CloudEvents `type`; raise `Refused` for an unknown type or version."""
    name, _, version = type_.removeprefix(PREFIX).rpartition(".")
    if not type_.startswith(PREFIX) or name not in EVENTS:
        raise Refused("unknown_type", "type", f"{type_[:80]!r} is none of ours")
    if "." + version != VERSION:
        raise Refused("unknown_version", "type", f"{name} is known as {VERSION[1:]}, not {version}")
    return EVENTS[name]


# ---------------------------------------------------------------- identity


def canonical(content: dict[str, Any]) -> bytes:
    """Return RFC 8785 canonical JSON. Events hold no floats, so sorted keys without blanks are all it takes."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def event_id(time: datetime, source: str, cause: str, n: int = 0) -> str:
    """Return a UUIDv7 (RFC 9562) made of the time and a hash of (source, cause, n).

    It sorts by time, which a unique index likes, and an event published again gets the same id again.
    """
    tail = sha256(f"{source}\n{cause}\n{n}".encode()).digest()
    number = (microseconds(time) // 1000) << 80 | int.from_bytes(tail[:10])
    number = number & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
    return str(UUID(int=number))


# ---------------------------------------------------------------- strict reading


class _Duplicated(dict[str, Any]):
    """A JSON object that named a key twice."""

    key = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        result = _Duplicated(result)
        result.key = Counter(name for name, _ in pairs).most_common(1)[0][0]
    return result


def _whole(digits: str) -> int:
    """Return the number, cut where it is past all bounds: Python refuses to read more than 4,300 digits."""
    return int(digits[:40])


def _check_shape(value: dict[str, Any] | list[Any], path: str = "", depth: int = 1) -> None:
    if depth > NESTING_MAX:
        raise Refused("malformed", path.rstrip("."), "is nested too deeply")
    if isinstance(value, _Duplicated):
        raise Refused("duplicate_key", path + value.key, "is named twice")
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, dict | list):
            _check_shape(inner, f"{path}{name}.", depth + 1)


_parse = partial(json.loads, object_pairs_hook=_object, parse_int=_whole)


def parse_strictly(body: bytes | str) -> dict[str, Any]:
    """Return the JSON object in `body`; raise `Refused` if it is none, names a key twice or is nested too deeply."""
    try:
        value = _parse(body if isinstance(body, str) else body.decode())
    except RecursionError:
        raise Refused("malformed", "", "is nested too deeply") from None
    except ValueError as error:
        raise Refused("malformed", "", f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused("malformed", "", f"is a JSON {type(value).__name__}, not an object")
    _check_shape(value)
    return value


def named_source(body: bytes) -> object:
    """Return the source that a JSON object names, even one with a duplicate key; None if it names none."""
    try:
        return parse_strictly(body).get("source")
    except Refused as why:
        return _parse(body.decode()).get("source") if why.code == "duplicate_key" else None


_CODES: dict[str, ReasonCode] = {
    "date_out_of_bounds": "date_out_of_bounds",
    "out_of_bounds": "out_of_bounds",
    "greater_than_equal": "out_of_bounds",
    "less_than_equal": "out_of_bounds",
    "int_parsing_size": "out_of_bounds",
    "too_long": "out_of_bounds",
    "string_too_long": "out_of_bounds",
}


Model = TypeVar("Model", bound=BaseModel)


def validate_strictly(model: type[Model], value: object, prefix: str) -> Model:
    """Return the model that the value is; raise `Refused` for the first thing wrong, its path after the prefix."""
    if isinstance(value, dict) and not value.keys() <= model.model_fields.keys():
        # pydantic would describe each of a hundred thousand strangers
        stranger = next(name for name in value if name not in model.model_fields)
        raise Refused("malformed", prefix + stranger, "is no field of it")
    try:
        return model.model_validate(value)
    except ValidationError as invalid:
        error = invalid.errors(include_url=False)[0]
    code = _CODES.get(error["type"], "malformed")
    given = error["input"]
    if isinstance(given, float) and error["type"].startswith("int") and not isnan(given):
        code = "out_of_bounds" if isinf(given) else "fraction"
    path = prefix + ".".join(str(part) for part in error["loc"])
    shown = "" if error["type"] in ("missing", "out_of_bounds") else f", not {_shorten(given)}"
    raise Refused(code, path.rstrip("."), error["msg"].removeprefix("Input ") + shown)


def _shorten(value: object) -> str:
    return reprlib.repr(value)[:60]
