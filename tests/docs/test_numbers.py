"""Is each figure of docs/numbers.md what the functions that answer a planner make of the figures above it?"""

import json
import re
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import accumulate, pairwise, permutations

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.queries import required_by_day, sum_lacking, sum_stages, window_balance
from services.aggregator.fold.sites import PhaseStatement
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.atp import atp_cumulative, atp_discrete
from services.aggregator.plan.bridge.bridge import CAUSES, build_bridge
from services.aggregator.plan.fill_rate import fill_rate, order_fill_rate
from services.aggregator.plan.months import month_table
from services.aggregator.plan.netting import net_forecast, zone_of
from services.aggregator.plan.overviews import collect_site_facts
from services.aggregator.plan.performance import bias, measure_performance, slip
from services.aggregator.plan.populated.energy import energy_mwh
from services.aggregator.plan.populated.footprint import footprint_rows
from services.aggregator.plan.populated.racks import needs_of_phases, populate_phases, tenths_of
from services.aggregator.plan.populated.rates import MegawattRates
from services.aggregator.plan.projection import make_plan
from services.aggregator.plan.schedule import made_wafers, promise_supply, schedule, weeks_of_cover
from services.aggregator.plan.since.effects import share_effects
from services.aggregator.plan.wip import measure_yield, report_stages
from services.aggregator.plan.worklist.megawatts import WaitingMegawatts
from services.aggregator.terms import LAGS, TOLERANT, Tolerance
from shared.play.numbering import Numbering
from shared.programme.changes import find_changes
from shared.programme.declarations import NOTHING_DECLARED, Declarations
from shared.programme.programme_file import read_programme
from shared.programme.shares import percent_of
from shared.programme.wafer_model import gb_per_wafer, gross_dies, wafers_per_mw
from shared.wire.days import day_number
from shared.wire.events import (
    DemandRequired,
    Event,
    EventData,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    SourceAdvanced,
    StockCounted,
    StockOpened,
    SupplyCommitted,
    WafersConsumed,
)
from shared.wire.lines import COMMIT
from shared.wire.postings import Measure
from shared.wire.rows import Row
from testing.cloud_events import Party as Source
from testing.fold import EPOCH, Folded, Horizon, fold
from testing.lines import KEY as ABILENE
from testing.lines import Story as Programme
from testing.lines import bodies_of, fold_lines, lines_of, lines_published
from testing.played import numbered, play
from testing.projection import project
from testing.reference import PROGRAMME_PATH
from testing.twins.curves import batch_of
from tests.docs.pages import Table, blocks, sections, tables

NUMBERS = sections("numbers.md")
KEY = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}
FIRST = date(2026, 4, 1)  # day 1 of a table
DAY_1 = day_number(FIRST)


def the_table(section: str, place: int = 0) -> Table:
    return tables(NUMBERS[section])[place]


def posted(**rows: list[int]) -> Curves:
    """Curves of some measures, a posting a day from day 1 on."""
    curves = Curves(FIRST - timedelta(days=1), 60)
    postings = [
        (tuple(KEY.values()), Measure[name.upper()], DAY_1 + n, wafers)
        for name, row in rows.items()
        for n, wafers in enumerate(row)
    ]
    curves.add(batch_of(1, postings))
    return curves


def posted_with_stock(table: Table, **rows: list[int]) -> Curves:
    """The same, and what was on hand the day before day 1."""
    curves = posted(**rows)
    curves.add(batch_of(2, [(tuple(KEY.values()), Measure.OPENED, DAY_1 - 1, *table["on hand before"])]))
    return curves


class Story:
    """What Samsung and a site say, on the days of a table."""

    def __init__(self) -> None:
        self.numberings = {"supplier": Numbering("samsung"), "datacenter": Numbering("stargate-americas")}
        self.said: dict[str, list] = {"supplier": [], "datacenter": []}

    def say(self, day: int, data: EventData) -> None:
        role = (
            "datacenter" if "datacenter" in data.published_by and not isinstance(data, SourceAdvanced) else "supplier"
        )
        time = datetime(2026, 4, 1, 12, tzinfo=UTC) + timedelta(days=day - 1)
        self.said[role].append(self.numberings[role].emit(time, data))

    def advance(self, through: int) -> None:
        for role, numbering in self.numberings.items():
            time = datetime(2026, 4, through, 23, tzinfo=UTC)
            self.said[role].append(numbering.emit(time, SourceAdvanced(through=time.date())))

    def commit(self, day: int, wafers: int, due: int, revision: int = 0, line: str = "c") -> None:
        data = SupplyCommitted(
            **KEY, line=line, due=FIRST + timedelta(days=due - 1), firmness="firm", wafers=wafers, revision=revision
        )
        self.say(day, data)

    def order(self, day: int, wafers: int, due: int) -> None:
        terms = {"line": "o", "due": date(2026, 4, due), "start_by": FIRST, "priority": 1, "revision": 0}
        self.say(day, DemandRequired(**KEY, **terms, wafers=wafers))

    def send(self, day: int, wafers: int, line: str = "c") -> None:
        eta = date(2026, 4, day + 1)
        self.say(day, ShipmentDispatched(**KEY, shipment=line, commit=line, wafers=wafers, eta=eta, lots=[]))

    def receive(self, day: int, wafers: int, damaged: int = 0, line: str = "c") -> None:
        data = ShipmentReceived(**KEY, shipment=line, owner="samsung", wafers=wafers, wafers_damaged=damaged)
        self.say(day, data)

    def fold(self) -> Folded:
        return fold([*self.said["supplier"], *self.said["datacenter"]], horizon=Horizon(FIRST, 60))

    def lines(self) -> LineBook:
        return fold_lines(stored.postings.said for stored in self.fold().store.published_batches(0, 100))

    def perform(self, tolerant: Tolerance = TOLERANT):
        lines = self.lines()
        lines.tolerate(tolerant)
        return measure_performance(self.fold().curves, lines, "samsung")["HBM4-12H"]


def percent(numerator: int, denominator: int) -> str:
    return f"{100 * numerator / denominator:.1f} %".replace("-", "−")


# ---------------------------------------------------------------- what they count


def test_what_a_wafer_gives_and_a_megawatt_takes():
    dies, planned, gigabytes = the_table("Wafers (WSE)")["HBM4-12H"]
    needs = the_table("Wafers (WSE)", 1)
    programme = read_programme(PROGRAMME_PATH.read_text(encoding="utf-8"))
    model = programme.wafer_models["HBM4-12H"]
    rates = wafers_per_mw(programme.platforms["VR-NVL72"].rack, programme.facility, programme.wafer_models)

    whole = gb_per_wafer(model) / gross_dies(model.die_mm2) / model.gb_per_die
    assert (gross_dies(model.die_mm2), round(float(100 * whole), 1)) == (dies, planned)
    assert round(float(gb_per_wafer(model)), 1) == gigabytes
    assert {product: [round(float(rate), 1), round(rate * 200)] for product, rate in rates.items()} == {
        product: cells for product, cells in needs.items() if product != "product"
    }


def test_the_earliest_of_all_days_is_complete():
    days = {name: day_number(date.fromisoformat(cells[0])) for name, cells in
            the_table("Days, and complete_through").items() if name != "source"}  # fmt: skip
    together = days.pop("all of them")
    curves = Curves(FIRST, 200)
    curves.add(batch_of(1, [], days, sources=list(days)))

    assert (curves.complete_through, curves.today) == (together, together + 1)


def test_the_state_hash_is_the_one_shown_whatever_the_order():
    section = NUMBERS["State hash"]
    said = [json.loads(line) for line in blocks(section, "json")[0].splitlines()]

    for order in permutations(said):
        folded = fold([event | {"sequence": str(n)} for n, event in enumerate(order, 1)])
        curves = Curves(catalogue=NOTHING_DECLARED)
        for stored in folded.store.published_batches(0, 100):
            curves.add(stored.postings)
        assert f"\n    {curves.state_hash()}\n" in section
        assert f"leave {sum_stages(curves, curves.group()).on_hand[0]:,} wafers" in section


# ---------------------------------------------------------------- what has been


def test_stages():
    table = the_table("On hand, in transit, WIP", 1)
    story = Story()
    found = []
    for day in table["day"]:
        row = {name: cells[day - 1] for name, cells in table.items()}
        if day == 1:
            story.commit(1, row["committed, 100 for day 4"], due=4)
        if row["dispatched"]:
            story.send(day, row["dispatched"])
        if row["received"]:
            story.receive(day, row["received"], row["damaged"])
        if row["consumed"]:
            story.say(day, WafersConsumed(**KEY, phase="TX-ABILENE.1", wafers=row["consumed"]))
        stages = story.fold().stages()
        found.append((stages["in_transit"], stages["on_hand"], stages["open_commit"]))

    assert found == list(zip(table["in transit"], table["on hand"], table["open commit"], strict=True))


def test_stages_that_a_supplier_does_not_report():
    table = the_table("On hand, in transit, WIP")
    curves = Curves(FIRST, 60)
    rows = {"started": Measure.STARTED, "lots finished": Measure.FINISHED, "dispatched": Measure.DISPATCHED}
    suppliers = table["supplier"][:2]
    curves.add(
        batch_of(
            1,
            [
                ((KEY["product"], KEY["site"], supplier), measure, DAY_1, wafers)
                for name, measure in rows.items()
                for supplier, wafers in zip(suppliers, table[name], strict=False)
            ],
        )
    )
    found = []
    for parts in (("supplier",), ()):
        grouping = curves.group(parts)
        found.append(report_stages(curves, grouping, DAY_1, sum_stages(curves, grouping, DAY_1), parts))

    for name in ("wip", "finished"):
        shown = table["WIP" if name == "wip" else "finished"]
        assert ["not reported" if each is None else each for one in found for each in getattr(one, name)] == shown
    assert found[1].lots_not_reported_by == [[suppliers[1]]]


def test_in_transit_by_shipment():
    table = the_table("On hand, in transit, WIP", 2)
    story = Story()
    for n, day in enumerate(table["day"]):
        for line, which in (("c", "one shipment"), ("d", "another")):
            if table[f"dispatched on {which}"][n]:
                story.send(day, table[f"dispatched on {which}"][n], line)
            if table[f"received on {which}"][n]:
                story.receive(day, table[f"received on {which}"][n], line=line)
    found = [story.fold().stages(FIRST + timedelta(days=day - 1))["in_transit"] for day in table["day"]]

    assert found == table["in transit"]


def test_rolling_balance():
    table = the_table("Rolling balance, net", 1)
    curves = posted(started=table["started"], required_start=table["to be started"])

    for n, day in enumerate(table["day"]):
        (rolled,) = window_balance(curves, curves.group(), DAY_1 + day - 1, 7, "start")
        assert rolled[1:] == (table["supply"][n], table["demand"][n], table["net"][n])


def test_lacking():
    table = the_table("Rolling balance, net", 2)
    curves = Curves(FIRST, 60)
    rows = {"supply": Measure.STARTED, "demand": Measure.REQUIRED_START}
    curves.add(
        batch_of(
            1,
            [
                ((product, KEY["site"], KEY["supplier"]), measure, DAY_1, wafers)
                for name, measure in rows.items()
                for product, wafers in zip(table["product"][:2], table[name], strict=False)
            ],
        )
    )
    by_product, both = curves.group(("product",)), curves.group()
    shown = dict(zip(table["product"], zip(table["net"], table["lacking"], strict=True), strict=True))

    for grouping in (by_product, both):
        rolled = window_balance(curves, grouping, DAY_1, 7, "start")
        lacking = sum_lacking(curves, grouping, DAY_1, 7, "start")
        for row, wafers in zip(rolled, lacking, strict=True):
            assert (row.net, wafers) == shown[row.group[0] if row.group else "*both*"]


def test_months_on_the_receipt_basis():
    table = the_table("Share of the target, and cumulative gap", 1)
    curves, key = Curves(date(2026, 1, 1), 365), tuple(KEY.values())
    rows = {
        "on hand at first": (Measure.OPENED, 7), "received": (Measure.RECEIVED, 7),
        "in transit, by eta": (Measure.TRANSIT_DUE, 20), "open commits, overdue": (Measure.OPEN_FIRM, 14),
        "open commits, from today on": (Measure.OPEN_PLANNED, 15), "due": (Measure.REQUIRED, 7),
    }  # fmt: skip
    postings = [
        (key, measure, day_number(date(2026, month, day)), wafers)
        for name, (measure, day) in rows.items()
        for month, wafers in zip(table["month"], table[name], strict=True)
    ]
    curves.add(batch_of(1, postings, {"samsung": day_number(date(2026, 2, 14))}, sources=["samsung"]))

    months = [row.receipt for row in month_table(curves, date(2026, 1, 1), date(2026, 3, 1))]
    assert [sum(row.to_come.values()) for row in months] == table["to come"]
    assert [row.net for row in months] == table["net"]
    assert [row.cumulative_gap for row in months] == table["cumulative gap"]


def test_months():
    table = the_table("Share of the target, and cumulative gap")
    curves = Curves(date(2026, 1, 1), 365)
    rows = {"on hand at first": Measure.OPENED, "started": Measure.STARTED, "to be started": Measure.REQUIRED_START}
    key = tuple(KEY.values())
    curves.add(
        batch_of(
            1,
            [
                (key, measure, day_number(date(2026, month, 7)), wafers)
                for name, measure in rows.items()
                for month, wafers in zip(table["month"], table[name], strict=True)
            ],
        )
    )

    months = [row.start for row in month_table(curves, date(2026, 1, 1), date(2026, 3, 1), 900_000)]
    assert [row.net for row in months] == table["net"]
    assert [row.cumulative_gap for row in months] == table["cumulative gap"]
    assert [row.share_percent for row in months] == table["share, %"]


def test_backorder():
    table = the_table("Backorder")
    curves = posted(required=table["due"], consumed=table["consumed"])

    assert [make_plan(curves, DAY_1 + day).backorder(0) for day in table["day"]] == table["backorder"]


def test_consumption_for_an_order():
    table = the_table("Backorder", 1)
    story = Story()
    (due,) = (day for day, wafers in zip(table["day"], table["ordered"], strict=True) if wafers)
    story.order(1, max(table["ordered"]), due)
    for day, wafers in zip(table["day"], table["consumed for the order"], strict=True):
        if wafers:
            story.say(day, WafersConsumed(**KEY, phase="TX-ABILENE.1", wafers=wafers, order="o"))
    curves = story.fold().curves

    first = curves.row_of(DAY_1)
    assert required_by_day(curves, curves.group())[0, first : first + len(table["day"])].tolist() == table["due"]
    assert [make_plan(curves, DAY_1 + day).backorder(0) for day in table["day"]] == table["backorder"]


def test_fill_rate():
    section, table = NUMBERS["Fill rate"], the_table("Fill rate")
    hand = {
        "opened": table["opened"], "transferred_in": table["transferred in"], "received": table["received"],
        "adjusted": table["counted beyond it"],
    }  # fmt: skip
    came = [sum(sum(wafers[: n + 1]) for wafers in hand.values()) for n in range(4)]
    curves = posted(required=table["due"], **hand)
    curves.add(batch_of(2, [], {"samsung": DAY_1 + 3}))
    had_come = [fill_rate([[0] * n + [table["due"][n]]], [_after(table, came, n)]).numerator[0] for n in range(4)]
    rate = fill_rate([table["due"]], [came])

    assert had_come == table["had come of it"]
    assert [*map(list, order_fill_rate(curves, curves.group()))] == [*map(list, rate)]
    numerator, denominator = int(rate.numerator[0]), int(rate.denominator[0])
    assert f"{numerator} of {denominator}: {percent(numerator, denominator)}" in section


def _after(table, came, n):
    """What came up to each day, without what the days before day n had of it."""
    return [max(0, each - sum(table["due"][:n])) for each in came[: n + 1]]


# ---------------------------------------------------------------- what will be


def test_projected_balance():
    table = the_table("Projected balance")
    curves = posted_with_stock(table, open_planned=table["to come"], required=table["required"])
    (projection,) = project(curves, today=DAY_1)

    assert projection.balance[: len(table["day"])].tolist() == table["projected"]


def test_shortages():
    table, short = (the_table("First short day, and shortage", place) for place in (0, 1))
    curves = posted_with_stock(
        table,
        open_planned=table["committed, planned"],
        open_firm=table["committed, firm"],
        required=table["required"],
    )

    for firmness in ("planned", "firm"):
        (projection,) = project(curves, firmness, DAY_1)
        assert projection.balance[: len(table["day"])].tolist() == table[f"projected, {firmness} or above"]
        first = projection.first_short_day - DAY_1 + 1
        assert [first, projection.first_shortage, projection.shortage] == short[f"{firmness} or above"]


def test_forecast_gap():
    section, table = NUMBERS["Forecast gap"], the_table("Forecast gap")
    curves = posted_with_stock(
        table, open_planned=table["to come"], required=table["required"], forecast=table["forecast"]
    )
    days = len(table["day"])
    buckets = schedule(curves, curves.group(), DAY_1, 1, days)
    gap = make_plan(curves, DAY_1).forecast_gap(0, "planned")

    assert (buckets.projected[0].tolist(), buckets.net_forecast[0].tolist()) == (
        table["projected"],
        table["net forecast"],
    )
    gaps = [max(0, f - max(0, b)) for f, b in zip(accumulate(table["net forecast"]), table["projected"], strict=True)]
    assert gaps == table["gap"]
    assert (gap.first_day, gap.wafers) == (DAY_1 + 1, max(gaps))
    assert f"The gap is {gap.wafers}, from day {gap.first_day - DAY_1 + 1} on" in section


def test_act_by():
    table, expected = the_table("Act by"), the_table("Act by", 1)
    curves = posted_with_stock(table, required=table["required"], transit_due=table["to come"])
    # of the product's orders: a lead time of 2, 3 and 9 days
    lines = Programme()
    for n, (start_by, due) in enumerate([(1, 3), (5, 8), (1, 10)]):
        lines.order(1, 10, due, line=f"o{n}", start_by=start_by, **KEY)
    lead_days = fold_lines([bodies_of(lines.log)]).lead_days()
    plan = make_plan(curves, DAY_1, lead_days=lead_days)
    short, course = plan.short(0, "planned"), plan.course_of(0, "planned")

    assert lead_days == {"HBM4-12H": 3}
    assert project(curves, today=DAY_1)[0].balance[: len(table["day"])].tolist() == table["projected"]
    day = DAY_1 - 1
    assert {name: cells[0] for name, cells in expected.items() if name != "read off"} == {
        "first short day": short.first_short_day - day, "short by then": short.first_shortage,
        "worst day": course.worst_day - day, "at worst": short.shortage, "short until": course.short_until - day,
        "act for": course.act_for - day, "act by": course.act_by - day, "wafers to start": course.act_wafers,
    }  # fmt: skip


def declared_reference() -> Declarations:
    programme, declarations = read_programme(PROGRAMME_PATH.read_text()), Declarations()
    numbering = Numbering("planner")
    changes = find_changes(programme.entries(), declarations)
    declarations.add([Row.of(numbering.emit(datetime(2026, 1, 1, tzinfo=UTC), each.declared)) for each in changes])
    return declarations


def test_megawatts_waiting():
    phases = [
        [PhaseStatement(0, 0, name, "s", "site", name, mw, platform, DAY_1, "planned")]
        for name, mw, platform in (("p1", 100, "VR-NVL72"), ("p2", 50, "GB300-NVL72"))
    ]
    waiting = WaitingMegawatts({"site": phases}, {}, MegawattRates(declared_reference()))

    table = the_table("Megawatts waiting")
    found = {wafers: waiting.waiting("HBM4-12H", "site", wafers) for wafers in (888, 4_440, 20_000)}

    assert {int(name.replace(",", "")): cells[0] for name, cells in table.items() if name != "HBM4-12H missing"} == {
        wafers: round(float(megawatts), 1) for wafers, megawatts in found.items()
    }
    assert waiting.waiting("HBM4-12H", "elsewhere", 1) is None
    assert waiting.waiting("NEW-1", "site", 1) == 0  # no phase takes it


def test_megawatts_populated():
    needed, phases, afloat = tables(NUMBERS["Megawatts populated"])
    rates = MegawattRates(declared_reference())
    histories = [
        [PhaseStatement(0, 0, name, "s", "site", name, mw, platform, DAY_1, "planned")]
        for name, mw, platform in zip("12", phases["MW energised"][:2], phases["platform"], strict=True)
    ]
    first = {(each[-1].source, each[-1].phase): 0 for each in histories}
    needs = needs_of_phases(histories, first, DAY_1, rates, 120)
    rows = {name: cells for name, cells in needed.items() if name != "product"}
    found = populate_phases(needs, {name: cells[2] for name, cells in rows.items()})
    lacking = {each.product: each for each in found.waits_for}

    for name, cells in rows.items():
        assert cells[:2] == [need.wafers.get(name, 0) for need in needs]
        assert cells[3:] == ([lacking[name].wafers, tenths_up(lacking[name].megawatts)] if name in lacking else [0])
    assert [need.racks for need in needs] == phases["racks"][:2]
    assert [each.racks for each in found.phases.values()] == phases["racks that run"][:2]
    populated = [tenths_of(each.megawatts) / 10 for each in found.phases.values()]
    assert [*populated, tenths_of(found.megawatts) / 10] == phases["MW populated"]
    assert phases["MW waiting"] == [
        round(mw - full, 1) for mw, full in zip(phases["MW energised"], phases["MW populated"], strict=True)
    ]
    assert afloat["HBM4-12H for 100 MW"] == [
        needs_of_phases(histories, first, DAY_1, rates, round(100 * pue))[0].wafers["HBM4-12H"] for pue in afloat["PUE"]
    ]


def tenths_up(megawatts: Fraction) -> float:
    return -tenths_of(-megawatts) / 10


def test_energy_and_co2():
    table = the_table("Energy and CO2")
    phases = [
        PhaseStatement(0, 0, "", "s", "site", "p", mw, "X", DAY_1 - 1 + day, "planned")
        for mw, day in zip(table["MW"], table["energised on day"], strict=True)
    ]
    single = [energy_mwh([phase], DAY_1 + 30) for phase in phases]

    assert [*single, energy_mwh(phases, DAY_1 + 30)] == table["MWh"]
    assert [table["MWh"][-1] * 380 // 1000] == table["t CO2"]


def test_footprint():
    table = the_table("Footprint")
    sites = [
        {"mooring": mooring, "mw": mw, "kg_co2_per_mwh": kg, "land_ha": ha, "waterplane_m2": water, "energy_mwh": 0,
         "phases": [{"mw": mw, "status": "planned"}], "mw_energised": 0, "mw_populated": 0, "mw_waiting": 0,
         "waits_for": []}
        for mooring, mw, kg, ha, water in zip(
            table["mooring"], table["declared MW, all planned"], table["kg CO2 a MWh"], [*table["ha of land"], None],
            [None, *table["m² of waterplane"]], strict=True)
    ]  # fmt: skip
    rows = {row["mooring"]: row for row in footprint_rows(sites, ["mooring"])}

    for name, field in (("MWh a year", "year_mwh"), ("t CO2 a year", "year_co2_tonnes"), ("m² a MW", "m2_per_mw")):
        assert [rows[mooring][field] for mooring in table["mooring"]] == table[name]


def test_worklist():
    _, given, expected = tables(NUMBERS["Worklist"])
    sites, samsung = Source("stargate-americas"), Source("samsung")

    def day(number: int) -> str:
        return (date(2026, 10, 1) + timedelta(days=number - 1)).isoformat()

    log = []
    for site, (on_hand, *lines) in ((name, cells) for name, cells in given.items() if name != "site"):
        log += [sites.open("2026-09-01", on_hand, site=site)] * (on_hand > 0)
        for kind, text in zip(("order", "commit"), lines, strict=False):
            for wafers, due in re.findall(r"(\d+) \(([−\d]+)\)", str(text)):
                on = int(due.replace("−", "-"))
                if kind == "order":
                    terms = {"site": site, "start_by": day(on - 3)}
                    log.append(sites.order("2026-09-02", f"{site}{due}", int(wafers), day(on), **terms))
                else:
                    name = f"{site}{on}"
                    log.append(samsung.commit("2026-09-02", name.replace("-", "m"), int(wafers), day(on), site=site))
    log = [event for event in log if event] + [sites.advance(day(0)), samsung.advance(day(0))]
    for event in log:
        event["data"].update({"line": event["data"]["line"].replace("−", "m")} if "line" in event["data"] else {})
    answer = play(numbered(log)).ask("/worklist")

    today, found = date(2026, 10, 1), {}
    for line in answer["rows"]:
        for item in line["items"]:
            number = (date.fromisoformat(item["day"]) - today).days + 1
            found[f"{line['kind']} {item['site'] or item['supplier']}"] = [item["wafers"], number, item["days_left"]]
    assert found == {name: cells for name, cells in expected.items() if name != "item"}


def test_effect_on_shortages():
    table = the_table("Effect on shortages")
    parts = {name: wafers for name, (wafers, _) in table.items() if name not in ("part", "all")}

    shares = share_effects(0, 400 - 320, parts)

    assert {name: [parts[name], more] for name, more in shares.items()} == {name: table[name] for name in parts}
    assert table["all"] == [sum(parts.values()), sum(shares.values())]


def test_bridge():
    causes, _, table = tables(NUMBERS["Bridge"])
    story = Programme()
    story.order(1, 380, 12)
    story.commit(1, 400, 10, line="month")
    story.commit(1, 100, 12, line="late")
    before = list(story.log)
    story.commit(2, 0, 10, 1, line="month")
    story.commit(2, 200, 5, line="week-1")
    story.commit(2, 190, 10, line="week-2")
    story.commit(2, 100, 20, 1, line="late")
    story.say(2, StockOpened(wafers=30, **ABILENE))
    story.say(2, StockCounted(counted=25, **ABILENE))
    then, now = (_state_on_day_3(log) for log in (before, story.log))
    bridge = build_bridge(then, now, ("HBM4-12H", "abilene"), DAY_1 + 11)

    bars = {bar.cause: [bar.wafers] for bar in bridge.bars}
    shown = {"projected then": [bridge.then], **bars, "projected now": [bridge.now]}
    assert shown == {name: cells for name, cells in table.items() if name != "then to now"}
    assert [name.strip("`") for row in causes for name in row.split(", ") if row != "bar"] == list(CAUSES)


def _state_on_day_3(log: list[Event]) -> FoldState:
    folded = fold(sorted(log, key=lambda event: event.source), horizon=Horizon(FIRST, 60))
    curves, sources = folded.curves, folded.curves.sources
    curves.add(batch_of(curves.position + 1, [], dict.fromkeys(sources, DAY_1 + 1), epoch=EPOCH))
    return FoldState(curves, lines_published(folded))


def test_cover():
    section, table = NUMBERS["Days of cover"], the_table("Days of cover")
    cover = make_plan(posted_with_stock(table, required=table["required"]), DAY_1).cover(0)

    (stock,) = table["on hand before"]
    assert [stock - sum(table["required"][: n + 1]) for n in range(cover.days)] == table["left"]
    assert f"{cover.days} days and {cover.left} of the {cover.next} of the next" in section
    assert f"shown as {cover.days + cover.left / cover.next:.1f}; day {cover.days + 1} is the first" in section


def test_weeks_of_cover():
    table = the_table("Weeks of cover")
    ordered = [wafers for week in table["ordered"] for wafers in (week, *[0] * 6)]
    curves = posted_with_stock(table, required=ordered)
    grouping = curves.group(("product", "site"))

    cover = weeks_of_cover(curves, grouping, DAY_1, 4)
    assert (cover.tenths[0] / 10).tolist() == table["weeks of cover"]
    assert schedule(curves, grouping, DAY_1, 7, 4).projected[0].tolist() == table["projected"]


def test_available_to_promise():
    discrete = the_table("Available to promise, discrete")
    total = the_table("Available to promise, cumulative")
    plan = (*total["on hand before"], total["receipts"], total["ordered"])

    for table in (discrete, the_table("Available to promise, discrete", 1)):
        promised = atp_discrete(*table["on hand before"], table["receipts"], table["ordered"])
        assert promised.tolist() == table["ATP"]
    assert atp_cumulative(*plan).tolist() == total["cumulative ATP"]
    curves = posted_with_stock(total, open_firm=total["receipts"], required=total["ordered"])
    few = schedule(curves, curves.group(("product", "site")), DAY_1, 1, 2)
    assert few.atp_cumulative[0].tolist() == total["cumulative ATP"][:2]
    u = [plan[0] + sum(plan[1][: n + 1]) - sum(plan[2][: n + 1]) for n in range(4)]
    assert u == total["u"]


def test_available_to_promise_of_a_supplier():
    section = "Available to promise, of a supplier"
    made, table = the_table(section), the_table(section, 1)
    text = NUMBERS[section]
    lead, today = map(int, re.search(r"L of (\d+) days, today being day (\d+)", text).groups())
    due = re.findall(r"(\d+)(?: wafers due)? (?:on|since) day (\d+)", text[text.index("today being") :])
    key, days = tuple(KEY.values()), table["day"]
    postings = [
        (key, Measure[name.upper()], DAY_1 + day - 1, wafers)
        for name in ("started", "finished")
        for day, wafers in zip(made["day"], made[name], strict=True)
    ] + [(key, Measure.OPEN_FIRM, DAY_1 + int(day) - 1, int(wafers)) for wafers, day in due]
    curves = Curves(FIRST - timedelta(days=1), 60)
    curves.add(batch_of(1, postings))

    grouping, first = curves.group(("supplier", "product")), DAY_1 + today - 1
    found = promise_supply(curves, grouping, made_wafers(curves, grouping, first), first, lead, 1)
    names = ("supply", "promised", "ATP", "cumulative ATP")
    assert [each.tolist() for each in found] == [table[name] for name in names]
    assert days == list(range(today, today + lead))
    assert (
        f"{table['cumulative ATP'][-1]} wafers can still be promised for day {days[-1]}, and {-table['ATP'][0]} of"
        in text
    )


def test_synthetic_sites():
    table = the_table("Synthetic sites")
    sites = Source("stargate-americas")
    log = [sites.declare("2026-03-01", site="pool", synthetic=True)]
    for name in ("A", "B", "pool"):
        on_hand, required = table[name]
        log += [
            sites.open("2026-03-01", on_hand, site=name),
            sites.order("2026-03-01", f"o-{name}", required, "2026-03-20", site=name),
        ]
    rows = play(numbered([*log, sites.advance("2026-03-31")])).rows("/balances", basis="receipt")

    assert [[row["on_hand"], row["demand"]] for row in rows] == [table["total"], table["synthetic"]]
    assert [row["synthetic"] for row in rows] == [False, True]


def test_forecast_netting():
    table = the_table("Forecast netting, and zones")

    assert net_forecast(table["forecast"], table["ordered"], 2, 2).tolist() == table["net forecast"]
    curves = posted(forecast=table["forecast"], required=table["ordered"])
    for passed in range(6):
        found = schedule(curves, curves.group(), DAY_1 + passed, 1, 6 - passed, early_days=2, late_days=2)
        assert found.net_forecast[0].tolist() == table["net forecast"][passed:]


def test_zones():
    table = the_table("Forecast netting, and zones", 1)

    zones = [zone_of(day, 0, 10, 40) for day in range(100)]
    assert {zone: zones.index(zone) for zone in table["zone"]} == dict(
        zip(table["zone"], table["from day"], strict=True)
    )


def test_orders_due():
    table = the_table("Orders due")
    curves = Curves(FIRST, (date(2026, 5, 31) - FIRST).days + 1)
    key = tuple(KEY.values())
    orders = [(key, Measure.REQUIRED, day_number(date.fromisoformat(due)), wafers)
              for wafers, due in (table["1"], table["2"])]  # fmt: skip
    curves.add(batch_of(1, orders, {"samsung": DAY_1 - 1}))
    due = collect_site_facts(FoldState(curves), curves.today).orders_due[KEY["site"]]

    assert [due["due"], f"{due['next_due_day']} to {due['last_due_day']}"] == table["all"]


def test_percent():
    table = the_table("Percent")
    pairs = [tuple(int(part.replace(",", "")) for part in ratio.split(" of ")) for ratio in table["ratio"]]

    assert [percent_of(*pair) for pair in pairs] == table["shown"]
    assert [round(100 * part / whole, 4) for part, whole in pairs] == table["exactly"]


# ---------------------------------------------------------------- whether a word was kept


def test_promise_at_a_lag():
    stated = the_table("Promise at a lag")
    story = Story()
    for n in range(3):
        story.commit(stated["stated on day"][n], stated["wafers"][n], due=stated["for day"][n], revision=n)
    (plan,) = story.lines().plans.values()

    promised = the_table("Promise at a lag", 1)
    for n, lag in enumerate(promised["lag L"]):
        promise = plan.promises()[LAGS.index(lag)]
        assert (promise.wafers, promise.due - DAY_1 + 1) == (promised["promised wafers"][n], promised["for day"][n])


def test_otif():
    section, table = NUMBERS["OTIF"], the_table("OTIF")
    kept = []
    for n in range(4):
        story = Story()
        by_due, later = table["received by the due day"][n], table["received by 7 days after"][n]
        story.commit(1, table["committed"][n], due=10)
        story.send(2, later)
        if by_due:
            story.receive(10, by_due)
        if later > by_due:
            story.receive(17, later - by_due)
        story.advance(20)
        kept.append(story.perform().lags[0].kept)

    assert [list(row) for row in zip(*kept, strict=True)] == [table["strict"], table["tolerant"]]
    strict, tolerant = sum(table["strict"]), sum(table["tolerant"])
    assert f"{strict} of 4: {percent(strict, 4)} strict; {tolerant} of 4: {percent(tolerant, 4)} tolerant" in section


def test_otif_within_a_declared_tolerance():
    section, table = NUMBERS["OTIF"], the_table("OTIF", 2)
    early, late, short = map(
        int, re.search(r"days_early: (\d+), days_late: (\d+), percent_short: (\d+)", section).groups()
    )
    received = {12: "received 8 days before", 14: "received 6 days before", 27: "received 7 days after"}
    kept = []
    for n in range(4):
        story = Story()
        story.commit(1, table["committed"][n], due=20)
        story.send(2, sum(table[name][n] for name in received.values()))
        for day, name in received.items():
            if table[name][n]:
                story.receive(day, table[name][n])
        story.advance(29)
        kept.append(story.perform(Tolerance(early, late, short)).lags[0].kept)

    assert [list(row) for row in zip(*kept, strict=True)] == [table["strict"], table["tolerant"]]


def test_what_is_received_counts_for_the_commit_of_the_part_that_it_ends():
    table, story, lines = the_table("OTIF", 1), Story(), {"commit 1": "c1", "commit 2": "c2"}
    shipment = {"shipment": "s", "owner": "samsung"}
    for commit, line in lines.items():
        story.commit(1, sum(table[f"dispatched for {commit}"]), due=4, line=line)
    for n, day in enumerate(table["day"]):
        for commit, line in lines.items():
            if sent := table[f"dispatched for {commit}"][n]:
                eta = date(2026, 4, 9)
                story.say(day, ShipmentDispatched(**KEY, shipment="s", commit=line, wafers=sent, eta=eta, lots=[]))
        if lost := table["lost"][n]:
            story.say(day, ShipmentLost(**KEY, **shipment, wafers=lost))
        if received := table["received"][n]:
            story.say(day, ShipmentReceived(**KEY, **shipment, wafers=received, wafers_damaged=0))
    plans = story.lines().plans

    for commit, line in lines.items():
        receipts = plans["samsung", COMMIT, line].receipts
        assert [receipts.get(DAY_1 + day - 1, 0) for day in table["day"]] == table[f"received for {commit}"]


def test_bias():
    section, table = NUMBERS["Bias"], the_table("Bias")
    found = bias([table["received"]], [table["committed then"]])

    numerator, denominator = int(found.numerator[0]), int(found.denominator[0])
    assert f"−{-numerator} of {denominator}: {percent(numerator, denominator)}" in section


def test_slip():
    section, table = NUMBERS["Slip"], the_table("Slip")
    found = slip([table["committed in all"]], [table["received in all"]], table["day"][-1])

    days, wafers, greatest, open_ = (int(each[0]) for each in found)
    assert f"= {days} wafer days over {wafers} wafers, {greatest} days at most, {open_} wafers still open" in section


def test_churn():
    section, table = NUMBERS["Churn"], the_table("Churn")
    churned = []
    for said in range(1, 4):
        story = Story()
        for n in range(said):
            story.commit(1 + n, table["wafers"][n], due=table["for day"][n], revision=n)
        story.advance(20)
        found = story.perform()
        churned.append(found.churned)

    assert [after - before for before, after in zip([0, *churned], churned, strict=False)] == table["altered by"]
    assert f"{found.churned} of {found.in_force}: {percent(found.churned, found.in_force)}" in section


def test_what_answers_an_order_is_no_churn():
    section, table = NUMBERS["Churn"], the_table("Churn", 1)
    story, orders, sums = Programme(), [], [(0, 0)]
    for n, wafers in enumerate(table["committed"]):
        ordered = table["ordered, by an event of its own"][n : n + 1]
        orders += [story.order(1 + n, each, due=10, revision=n).id for each in ordered]
        story.commit(1 + n, wafers, due=10, revision=n, cause=orders[table["names as its cause order"][n] - 1])
        record = lines_of(story.log).record("samsung")["HBM4-12H"]
        sums.append((int(record.churned.sum()), int(record.answered.sum())))

    steps = [(own - was, answered - had) for (was, had), (own, answered) in pairwise(sums)]
    assert steps == list(zip(table["altered by the supplier itself"], table["altered in answer"], strict=True))
    (own, answered), in_force = sums[-1], int(record.in_force.sum())
    shown = f"{own} of {in_force}: {percent(own, in_force)}; in answer {answered} of {in_force}: "
    assert shown + percent(answered, in_force) in section


def test_a_months_commit_that_weeks_replace_is_no_churn():
    section, table = NUMBERS["Churn"], the_table("Churn", 2)
    month, days = table["a month's commit, for day 20"], table["on day"]
    lowered = [before - after for before, after in zip([month[0], *month], month, strict=False)]
    weeks = list(zip(days[1:], table["wafers"], table["new for a week, for day"], strict=True))
    churned = []
    for said in range(1, len(days) + 1):
        story = Story()
        for n in range(said):
            story.commit(days[n], month[n], due=20, revision=n)
        for on, wafers, due in weeks[: said - 1]:
            story.commit(on, wafers, due=due, line=f"week-{due}")
        story.advance(25)
        found = story.perform()
        churned.append(found.churned)

    altered = [after - before for before, after in zip([0, *churned], churned, strict=False)]
    assert altered == table["altered by"]
    assert lowered == table["lowered by"]
    assert [a - b for a, b in zip(lowered, altered, strict=True)] == table["only replaced"]
    assert f"{found.churned} of {found.in_force}: {percent(found.churned, found.in_force)}" in section


def test_each_number_says_where_it_comes_from_and_where_it_is_shown():
    last = list(NUMBERS).index("Supplier performance")  # names the commands for all numbers below it
    numbers = {heading: text for heading, text in NUMBERS.items() if tables(text) or "*Source*" in text}

    for place, (heading, text) in enumerate(NUMBERS.items()):
        if heading in numbers:
            assert "*Source*" in text or heading == "Wafers (WSE)", heading
            assert "*Shown*" in text or place > last, heading


def test_yield_and_scrap():
    table = the_table("Yield, and scrap")
    credited, in_process = table["credited"][0], table["in process at the end"][0]
    curves = posted(
        started=table["started"][:3], scrapped=table["scrapped"][:3], finished=[credited],
        yield_variance=[in_process - credited],
    )  # fmt: skip
    found = measure_yield(curves, curves.group(), DAY_1 + 10)

    shown = f"Yield {percent(int(found.numerator[0]), int(found.denominator[0]))}, scrap "
    assert (found.numerator[0], found.denominator[0]) == (credited, in_process)
    assert shown + percent(sum(table["scrapped"][:3]), sum(table["started"][:3])) in NUMBERS["Yield, and scrap"]
