"""A site whose energised megawatts wait for one product, in the reference programme, asked in memory."""

from datetime import UTC, date, datetime

from shared.play.numbering import Numbering
from shared.programme.changes import find_changes
from shared.programme.declarations import Declarations
from shared.programme.programme_file import read_programme
from shared.wire.events import Event, PhasePlanned, SiteDeclared, StockOpened, SupplyCommitted, WafersConsumed
from testing.asked import Asked
from testing.lines import KEY, Story
from testing.reference import PROGRAMME_PATH

_SITE = SiteDeclared(
    site="abilene", name="Abilene", country="US", mooring="onshore", mw=150, pue_percent=120, land_ha=100,
    waterplane_m2=None, kg_co2_per_mwh=400, evidence="", confidence="sourced", revision=0, power_source="grid",
)  # fmt: skip


def programme_events() -> list[Event]:
    """Return the declarations of the reference programme."""
    planner = Numbering("planner")
    changes = find_changes(read_programme(PROGRAMME_PATH.read_text()).entries(), Declarations())
    return [planner.emit(datetime(2026, 4, 1, tzinfo=UTC), each.declared) for each in changes]


def half_populated(arrived_on: int | None = None) -> Asked:
    """Return Abilene on 16 April: of 100 MW on since the 10th, half have LP5X, and half of that is installed.

    The rest of it is committed for May, when 50 MW more are on, or all of it has come on a day of April; there is HBM4
    for 100 MW and a few racks.
    """
    story = Story()
    phase = PhasePlanned(
        site="abilene", phase="a1", mw=100, platform="VR-NVL72", energise_on=date(2026, 4, 10), status="planned",
        revision=0,
    )  # fmt: skip
    story.say(1, _SITE)
    story.say(1, phase)
    story.say(1, phase.model_copy(update={"phase": "a2", "mw": 50, "energise_on": date(2026, 5, 20)}))
    for product, wafers in (("HBM4-12H", 9_000), ("LP5X-16G", 1_673), ("DDR5-32G", 4_000)):
        story.say(2, StockOpened(**KEY | {"product": product}, wafers=wafers))
    story.say(11, WafersConsumed(**KEY | {"product": "LP5X-16G"}, wafers=1_000, phase="a1"))
    commit = KEY | {"product": "LP5X-16G", "line": "c", "firmness": "firm", "revision": 0}
    story.say(3, SupplyCommitted(**commit, wafers=4_000, due=date(2026, 5, 10)))
    if arrived_on is not None:
        story.send(12, 4_000, arrived_on, "c", product="LP5X-16G")
        story.receive(arrived_on, 4_000, product="LP5X-16G")
    return Asked([*story.log, *programme_events()], date(2026, 4, 16))
