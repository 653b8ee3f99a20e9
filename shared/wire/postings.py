"""Postings and verdicts, which the ledger publishes, and balances, which the aggregator publishes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict, Field

from shared.wire.refusal import Refusal
from shared.wire.rows import DECLARATIONS, REMARKS, WATERMARKS


class Measure(IntEnum):
    """The quantity that a posting changes. The numbers are on the wire and in stores, and are never reused.

    0 to 31 are movements: wafers that went from one stage to another on a past day.
    32 and above are plans: wafers expected on a day, posted as differences to the plan before.
    """

    STARTED = 0
    SCRAPPED = 1
    FINISHED = 2
    YIELD_VARIANCE = 3
    DISPATCHED = 4
    RECEIVED = 5
    DAMAGED = 6
    LOST = 7
    CONSUMED = 8
    OPENED = 9
    TRANSFERRED_IN = 10
    TRANSFERRED_OUT = 11
    ADJUSTED = 12
    DIVERTED_IN = 13  # by a revision on the day of the dispatch, by a receipt or loss elsewhere on its own day
    DIVERTED_OUT = 14
    RETURNED = 15

    FORECAST = 32  # by its due day at the dock
    REQUIRED = 33  # by its due day at the dock
    REQUIRED_START = 34  # the same wafers by their start_by day
    AGREED = 35  # headline rate, on the first day of each month
    TRANSIT_DUE = 36  # in transit, by eta
    REQUIRED_MOVED = 37  # consumed for an order before it is due: off the due day, onto the day of the consumption
    COMMITTED_PLANNED = 40  # by due day, at the current firmness
    COMMITTED_MATERIAL = 41
    COMMITTED_MANUFACTURING = 42
    COMMITTED_FIRM = 43
    COMMITTED_IMMEDIATE = 44
    OPEN_PLANNED = 48  # the undispatched rest of a commit, by due day and firmness
    OPEN_MATERIAL = 49
    OPEN_MANUFACTURING = 50
    OPEN_FIRM = 51
    OPEN_IMMEDIATE = 52


MOVEMENTS: tuple[Measure, ...] = tuple(m for m in Measure if m < 32)
PLANS: tuple[Measure, ...] = tuple(m for m in Measure if m >= 32)

STAGES: dict[Measure, tuple[str, str]] = {
    Measure.STARTED: ("fab", "wip"),
    Measure.SCRAPPED: ("wip", "scrap"),
    Measure.FINISHED: ("wip", "finished"),
    Measure.YIELD_VARIANCE: ("wip", "yield_variance"),
    Measure.DISPATCHED: ("finished", "transit"),
    Measure.RECEIVED: ("transit", "on_hand"),
    Measure.DAMAGED: ("transit", "damaged"),
    Measure.LOST: ("transit", "lost"),
    Measure.CONSUMED: ("on_hand", "installed"),
    Measure.OPENED: ("opening", "on_hand"),
    Measure.TRANSFERRED_IN: ("transferred", "on_hand"),
    Measure.TRANSFERRED_OUT: ("on_hand", "transferred"),
    Measure.ADJUSTED: ("adjustment", "on_hand"),
    Measure.DIVERTED_IN: ("diverted", "transit"),
    Measure.DIVERTED_OUT: ("transit", "diverted"),
    Measure.RETURNED: ("on_hand", "returned"),
}
"""Double entry: the stage that each movement takes wafers from, and the one it brings them to."""


POSTING_WAFERS_MAX = 2**40 - 1  # of one posting, either way

LINE_EVENTS: frozenset[str] = frozenset(
    {
        "supply.committed", "demand.required", "demand.forecast", "shipment.dispatched", "shipment.revised",
        "shipment.received", "shipment.lost", "wafers.consumed", "event.reversed",
    }
)  # fmt: skip
"""The events about commits, orders, forecasts and shipments, consumption, and those that reverse them."""

SITE_EVENTS: frozenset[str] = frozenset({"site.declared", "phase.planned", "milestone.reported", "event.reversed"})
"""The events about sites, their phases and milestones, and those that reverse them."""

PUBLISHED_EVENTS: frozenset[str] = LINE_EVENTS | SITE_EVENTS | WATERMARKS | DECLARATIONS | REMARKS
"""The events that the ledger publishes with the postings, as postings name no line, no site and no sequence.

Declarations and remarks are among them, which post nothing."""


class PostingBatch(BaseModel):
    """The postings of one batch of the ledger, in columns: row n is `wafers[n]` of a measure on a day for a key.

    `products`, `sites` and `suppliers` are indices into `names`; days are days since 1970.
    `previous` is the batch before it: a reader that has not read that one has a gap.
    `said` holds its events of `PUBLISHED_EVENTS`, then for each day the one of its other events with the greatest
    sequence, both in the order of the sequences: postings are net by key, and name no line, no site and no sequence.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    epoch: int
    batch: int
    previous: int
    events: int
    head: str
    names: list[str]
    products: list[int]
    sites: list[int]
    suppliers: list[int]
    measures: list[int]
    days: list[int]
    wafers: list[int]
    watermarks: dict[str, int]  # source -> the day it has advanced through; 1,000,000 more once it has ended
    sources: list[str]  # sources with an event in this batch, planners left out: they say no watermark
    told: int | None = None  # when its earliest event was published: wall clock, microseconds since 1970
    restated: dict[str, int | None] = {}  # source -> its watermark after a reversal of one; None: it has none left
    said: list[str] = []  # canonical bytes of events (docs/proof.md), as text

    @classmethod
    def of(cls, postings: Sequence[tuple[int, int, tuple[str, str, str], int]], **others: Any) -> "PostingBatch":
        """Return the batch of some postings (measure, day, key, wafers), unchecked."""
        keys = [key for _, _, key, _ in postings]
        index = {name: n for n, name in enumerate(dict.fromkeys(name for key in keys for name in key))}
        return cls.model_construct(
            names=list(index),
            products=[index[product] for product, _, _ in keys],
            sites=[index[site] for _, site, _ in keys],
            suppliers=[index[supplier] for _, _, supplier in keys],
            measures=[int(measure) for measure, _, _, _ in postings],
            days=[day for _, day, _, _ in postings],
            wafers=[wafers for _, _, _, wafers in postings],
            **others,
        )

    def encode(self) -> bytes:
        """Return the JSON that an entry carries; `restated` is left out where it is empty, as it mostly is."""
        fields = dict(self)
        if not self.restated:
            del fields["restated"]
        return orjson.dumps(fields)


@dataclass(frozen=True, slots=True)
class EventEffect:
    """The effect of a recorded event that did not hold when its batch was recorded."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    sequence: int
    id: str
    effect: str  # `superseded by <id>`, or `none`
    why: str


class Recorded(BaseModel):
    """The ledger's verdict for a source: every sequence up to `through` is recorded or refused.

    `effects` has the recorded events that do not hold. It is left out where there are none, and where a restarted
    ledger publishes a verdict again: `GET /events/{source}/{id}` always has the effect.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    batch: int
    source: str
    through: Annotated[int, Field(ge=0)]
    recorded: int
    duplicates: int
    refusals: list[Refusal]
    effects: list[EventEffect] = []

    def encode(self) -> bytes:
        """Return the JSON that an entry carries."""
        return self.model_dump_json(exclude=None if self.effects else {"effects"}).encode()


class BalanceBatch(BaseModel):
    """The wafers in each stage for the keys that some postings changed, in columns, as of the batch `position`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    epoch: int
    position: int
    day: int | None  # complete through this day, days since 1970; None before the first watermark
    products: list[str]
    sites: list[str]
    suppliers: list[str]
    wip: list[int]
    finished: list[int]
    in_transit: list[int]
    on_hand: list[int]
    open_commit: list[int]
    told: int | None = None
    today: int | None = None  # the day on which the windows end: the last with a movement of stock on hand
    window_days: list[int] = []
    brought: list[list[int]] = []  # [window][row] wafers added to stock on hand
    taken: list[list[int]] = []  # [window][row] wafers taken from stock on hand
    lowest: list[list[int]] = []  # [window][row] lowest on hand at the end of a day
    unmet: list[list[int]] = []  # [window][row] growth of the greatest shortfall so far
    short_since: list[int | None] = []  # [row] first day in the longest window with negative on hand
    cover_hundredths: list[int | None] = []  # [row] hundredths of a day of cover, at the second window's rate

    def encode(self) -> bytes:
        """Return the JSON that an entry carries."""
        return orjson.dumps(dict(self))
