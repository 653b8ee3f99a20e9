"""One valid example of each event and each batch, for the documents."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from services.operator.contracts.schemas import BATCHES
from shared.play.numbering import Numbering
from shared.wire.alerts import AlertBatch, AlertChange, AlertName, change_id
from shared.wire.batch import EventBatch
from shared.wire.events import (
    UNALLOCATED,
    UNATTRIBUTED,
    AlertAcknowledged,
    DemandForecast,
    DemandRequired,
    Event,
    EventData,
    EventReversed,
    Facility,
    LotFinished,
    LotScrapped,
    LotStarted,
    MilestoneDelay,
    MilestoneReported,
    NoteAdded,
    PartyDeclared,
    PartyRole,
    PhasePlanned,
    PlatformDeclared,
    ProductDeclared,
    ProgrammeDeclared,
    ProgrammeHorizon,
    ProgrammeTarget,
    Rack,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    ShipmentReturned,
    ShipmentRevised,
    SiteDeclared,
    SourceAdvanced,
    SourceEnded,
    StockCounted,
    StockOpened,
    StockTransferred,
    SupplyAgreed,
    SupplyCommitted,
    WaferModel,
    WafersConsumed,
)
from shared.wire.postings import BalanceBatch, Measure, PostingBatch, Recorded
from shared.wire.refusal import Refusal
from shared.wire.rows import Row, canonical_bodies
from shared.wire.streams import Role


def example_events() -> dict[str, Event]:
    """Return one valid event of each type, by its name."""
    supplier, datacenter = Numbering("memory-one"), Numbering("cloud-north")
    start, first = datetime(2026, 3, 2, 6, 30, tzinfo=UTC), date(2026, 3, 2)
    key = {"product": "HBM-12H", "site": "north", "supplier": supplier.source}
    examples: tuple[EventData, ...] = (
        SupplyAgreed(
            product="HBM-12H", site=UNALLOCATED, supplier=supplier.source, agreement="LOI-2025-10-01",
            instrument="LOI",
            wafers_per_month=450_000, starts_on=date(2026, 1, 1), ends_on=date(2029, 12, 31), revision=0,
        ),
        SupplyCommitted(
            **key, line="C-2026-07-A", due=date(2026, 7, 15), firmness="firm", wafers=12_000, revision=2,
            reason="pull-in",
        ),
        LotStarted(**key, lot="P4L-26090417", fab="P4L", wafers=25, due_out=first + timedelta(days=120)),
        LotScrapped(**key, lot="P4L-26090417", wafers=1, cause="edge chip"),
        LotFinished(**key, lot="P4L-26090417", wafers=23, yield_variance=1),
        ShipmentDispatched(
            **key, shipment="S-000871", commit="C-2026-07-A", wafers=48, eta=first + timedelta(days=9),
            lots=["P4L-26090417", "P4L-26090418"],
        ),
        ShipmentRevised(**key, shipment="S-000871", eta=first + timedelta(days=12), revision=1),
        ShipmentLost(**key, shipment="S-000870", owner=supplier.source, wafers=3),
        SiteDeclared(
            site="north", name="North campus", country="US", mooring="onshore", mw=1200, pue_percent=120, land_ha=445,
            waterplane_m2=None, kg_co2_per_mwh=380, evidence="press release of 21 January 2025", confidence="sourced",
            revision=0,
        ),
        PhasePlanned(
            site="north", phase="north-3", mw=200, platform="RACK-72", energise_on=date(2026, 9, 1), status="planned",
            revision=1, follows=MilestoneDelay(milestone="hall-3-handed-over", days=45),
        ),
        DemandForecast(
            product="HBM-12H", site="north", supplier=UNATTRIBUTED, line="F-north-3", due=date(2026, 8, 1),
            wafers=9_000, revision=0,
        ),
        DemandRequired(
            **key, line="O-north-3-1", due=date(2026, 8, 1), start_by=date(2026, 3, 15), priority=3, wafers=6_000,
            revision=0,
        ),
        ShipmentReceived(**key, shipment="S-000871", owner=supplier.source, wafers=47, wafers_damaged=1),
        WafersConsumed(**key, phase="north-2", wafers=40),
        StockOpened(**key, wafers=1_500),
        StockTransferred(**key, to_site="shackelford", wafers=100),
        StockCounted(**key, counted=1_406, revision=0),
        EventReversed(reversed="019cacc2-7b40-7a69-9d19-3fc4e9c1b2d7", reason="entered twice"),
        SourceAdvanced(through=first),
        ShipmentReturned(**key, shipment="S-000871", owner=supplier.source, wafers=7, reason="warped"),
        SourceEnded(through=first, successor="cloud-europe"),
        *_declarations(),
        *_remarks(),
        MilestoneReported(
            site="north", milestone="hall-3-handed-over", day=date(2026, 7, 18), revision=1,
            evidence="the builder's report of February 2026",
        ),
    )  # fmt: skip
    numberings: dict[Role, Numbering] = {
        "supplier": supplier, "datacenter": datacenter, "planner": Numbering("planner"),
    }  # fmt: skip
    return {
        data.type: numberings[next(role for role in numberings if role in data.published_by)].emit(
            start + timedelta(minutes=n), data
        )
        for n, data in enumerate(examples)
    }


def _remarks() -> tuple[EventData, ...]:
    return (
        AlertAcknowledged(
            alert="short_within/HBM-12H/north/2026-03-18", assignee="Kim", note="asked memory-one to pull in",
            snoozed_until=date(2026, 3, 9), by="Park", revision=0,
        ),
        NoteAdded(
            note="n-1", about="line/commit/memory-one/C-2026-07-A", text="the fab confirms by Friday", by="Kim",
            revision=0,
        ),
    )  # fmt: skip


def _declarations() -> tuple[EventData, ...]:
    return (
        ProductDeclared(
            product="HBM-12H", family="HBM", basis="assumed", revision=0,
            wafer_model=WaferModel(
                gb_per_die=3, die_mm2=130, layers=12, line_yield="0.97", probe_yield="0.74", layer_yield="0.99",
                final_yield="0.97",
            ),
        ),
        PlatformDeclared(
            platform="RACK-72", basis="announced", revision=0,
            rack=Rack(rack_kw=210, accelerators=72, memory_gb={"HBM-12H": 20_736, "LP-16G": 54_000}),
        ),
        ProgrammeDeclared(
            programme="example", title="An example", revision=0,
            target=ProgrammeTarget(wafers_per_month=450_000, basis="letter of intent of 1 October 2025"),
            horizon=ProgrammeHorizon(starts_on=date(2025, 1, 1), ends_on=date(2030, 12, 31)),
            facility=Facility(
                pue="1.2", accelerator_share="0.9", server_share="0.05", server_kw="1",
                server_memory_gb={"DDR-32G": 1_500}, spares="0.03",
            ),
        ),
        PartyDeclared(
            party="cloud-one", name="Cloud One", basis="its annual report", revision=0,
            roles=[
                PartyRole(role="tenant", of="site", name="north", basis="lease of 12 January 2026"),
                PartyRole(role="customer", of="supplier", name="memory-one"),
            ],
        ),
    )  # fmt: skip


def example_payloads() -> dict[str, dict[str, Any]]:
    """Return one valid payload of each message, by its name."""
    events = example_events()
    silent = AlertName("source_silent", ("memory-two",), None)
    short = AlertName("short_within", ("HBM-12H", "north"), 20_530)
    of_supplier = [event for event in events.values() if event.source == "memory-one"][2:4]
    batches: tuple[EventBatch | PostingBatch | Recorded | BalanceBatch | AlertBatch, ...] = (
        EventBatch.of(of_supplier),
        PostingBatch(
            epoch=1, batch=7, previous=6, events=3, head="9f" * 32, names=["HBM-12H", "north", "memory-one"],
            products=[0, 0, 0, 0], sites=[1, 1, 1, 1], suppliers=[2, 2, 2, 2],
            measures=[Measure.STARTED, Measure.SCRAPPED, Measure.DISPATCHED, Measure.TRANSIT_DUE],
            days=[20_514, 20_514, 20_514, 20_523], wafers=[25, 1, 48, 48], watermarks={"memory-one": 20_513},
            sources=["memory-one"], said=canonical_bodies([Row.of(events["shipment.dispatched"])]),
        ),
        Recorded(
            batch=7, source="memory-one", through=5, recorded=3, duplicates=1,
            refusals=[
                Refusal(
                    sequence=5, id=events["lot.finished"].id, code="fraction", path="data.wafers",
                    message="should be a valid integer, not 23.5",
                )
            ],
        ),
        BalanceBatch(
            epoch=1, position=7, day=20_513, products=["HBM-12H"], sites=["north"], suppliers=["memory-one"], wip=[24],
            finished=[0], in_transit=[0], on_hand=[1_406], open_commit=[12_000],
        ),
        AlertBatch(
            epoch=1, number=2, position=7, complete_through=20_513,
            changes=[
                AlertChange(
                    id=change_id(1, 2, "cleared", silent), code="source_silent",
                    status="cleared", subject={"source": "memory-two"}, day=None, detail={}, causes=[],
                    name=silent.text,
                ),
                AlertChange(
                    id=change_id(1, 2, "raised", short), code="short_within",
                    status="raised", subject={"product": "HBM-12H", "site": "north"}, day=20_530,
                    detail={"first_short_day": 20_530, "wafers": 120, "wafers_at_worst": 3_400},
                    causes=[f"memory-one/{events['supply.committed'].id}"], name=short.text,
                ),
            ],
        ),
    )  # fmt: skip
    payloads = {name: event.cloud_event() for name, event in events.items()}
    return payloads | {name: orjson.loads(batch.encode()) for name, batch in zip(BATCHES, batches, strict=True)}
