"""A document against the lines in force: what it states, in which order documents may come, and what stays unsaid."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.documents.document import Document, DocumentLine, Place, Value
from shared.documents.facts import line_name
from shared.documents.profile import Profile, read_profile
from shared.documents.saying import AppliedPlan, StandingLine, find_problems, line_in_force, say
from shared.documents.sheets import read_sheet
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

    def say(self, document, issued=ISSUED, profile=DEFAULT, catalogue=CATALOGUE, **more):
        said = say(document, self.standing(), self.source, profile, catalogue, issued, applied=self.applied, **more)
        for each in said.events:
            event = Event.read(each.event | {"sequence": "1"})
            assert self.events.setdefault(event.id, event).content() == event.content()
        self.applied += said.applied
        return said

    def standing(self):
        undone = {event.data.reversed for event in self.events.values() if event.data.type == "event.reversed"}
        held = {}
        for id_, event in sorted(self.events.items(), key=in_force_last):
            if id_ in undone or event.data.type == "event.reversed":
                continue
            data = event.data.model_dump(mode="json")
            movement = event.data.movement
            key = (data.get("shipment"), data["product"], data["site"], event.time) if movement else event.subject
            held[key] = StandingLine(data, event.time, id_)
        return list(held.values())

    def wafers(self):
        lines = [line.data for line in self.standing()]
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


def counts(said):
    assert said.problems == ()
    return said.new, said.changed, said.withdrawn, said.unchanged


WEEKS = st.dictionaries(st.integers(0, 8), st.integers(0, 5), min_size=1)
LINES = st.tuples(st.sampled_from("ABCD"), st.integers(0, 8), st.integers(0, 5))
NAMED = st.lists(LINES, unique_by=lambda line: line[0])
PLANS = st.builds(forecast, WEEKS, st.booleans(), NAMED)

# ---------------------------------------------------------------- replacement


def test_a_plan_says_only_what_differs():
    source = Source()
    source.say(forecast({0: 4, 1: 5, 2: 6, 5: 9}))

    said = source.say(forecast({1: 5, 2: 7, 3: 8, 4: 0}), ISSUED + timedelta(days=7))

    assert counts(said) == (1, 1, 0, 1)
    assert source.by_week() == {MONDAY + timedelta(weeks=week): wafers for week, wafers in
                                {0: 4, 1: 5, 2: 7, 3: 8, 5: 9}.items()}  # fmt: skip


def test_a_line_that_a_plan_does_not_name_is_withdrawn_within_its_horizon():
    source = Source()
    source.say(forecast({0: 4, 1: 5, 2: 6}))

    said = source.say(forecast({0: 4, 2: 6}), ISSUED + timedelta(days=7))

    assert counts(said) == (0, 0, 1, 2)
    assert said.events[0].event["data"]["wafers"] == 0
    assert said.events[0].event["data"]["revision"] == 1


def test_without_replacement_a_line_that_is_not_named_stays():
    source = Source()
    source.say(forecast({0: 4, 1: 5}))

    assert counts(source.say(forecast({0: 3}, replaces=False), ISSUED + timedelta(days=7))) == (0, 1, 0, 0)
    assert counts(source.say(forecast({1: 0}, replaces=False), ISSUED + timedelta(days=8))) == (0, 0, 1, 0)


def test_the_lines_of_another_product_stay():
    source = Source()
    source.say(forecast({0: 4, 1: 5}, product="DDR-16G"))

    assert counts(source.say(forecast({0: 1, 2: 2}))) == (2, 0, 0, 0)


@relaxed
@given(st.lists(PLANS, max_size=4), WEEKS)
def test_a_replacement_applied_to_any_state_ends_in_the_buckets_of_the_document(before, weeks):
    source, plan = Source(), forecast(weeks)
    for n, document in enumerate(before):
        source.say(document, ISSUED + timedelta(days=n))

    source.say(plan, ISSUED + timedelta(days=30))

    assert source.by_week(plan.starts_on, plan.ends_on) == {
        MONDAY + timedelta(weeks=week): wafers for week, wafers in weeks.items() if wafers
    }


@relaxed
@given(WEEKS, NAMED)
def test_the_events_of_a_first_document_add_up_to_it(weeks, named):
    said = Source().say(forecast(weeks, lines=named))

    total = sum(weeks.values()) + sum(wafers for _, _, wafers in named)
    assert sum(each.event["data"]["wafers"] for each in said.events) == total


@relaxed
@given(st.lists(PLANS, min_size=1, max_size=4), st.data())
def test_documents_in_any_order_are_as_in_the_order_of_their_issue(documents, data):
    dated = [(ISSUED + timedelta(days=n), document) for n, document in enumerate(documents)]
    in_order, shuffled = Source(), Source()
    for issued, document in dated:
        in_order.say(document, issued)
    for issued, document in data.draw(st.permutations(dated)):
        shuffled.say(document, issued)

    assert shuffled.wafers() == in_order.wafers()


@relaxed
@given(st.lists(PLANS, min_size=1, max_size=3))
def test_a_document_that_is_read_twice_is_said_once(documents):
    source = Source()
    for n, document in enumerate(documents):
        source.say(document, ISSUED + timedelta(days=n))
        events = dict(source.events)

        again = source.say(document, ISSUED + timedelta(days=n))

        assert again.events == ()
        assert source.events == events


@relaxed
@given(PLANS)
def test_a_document_that_is_read_twice_without_the_lines_in_force_has_the_same_events(document):
    first, second = Source().say(document), Source().say(document)

    assert [each.event for each in first.events] == [each.event for each in second.events]


def test_an_older_plan_is_superseded():
    source = Source()
    source.say(forecast({0: 4, 1: 5}), ISSUED + timedelta(days=7))

    said = source.say(forecast({0: 9, 1: 9, 2: 9}), ISSUED)

    assert [problem.code for problem in said.superseded] == ["superseded", "superseded"]
    assert counts(said) == (1, 0, 0, 0)


def test_a_later_event_is_not_said_over():
    line = StandingLine(
        {"line": "A", "product": "HBM-12H", "site": "S", "supplier": "unattributed", "due": "2026-07-06", "wafers": 1},
        ISSUED + timedelta(hours=1),
    )  # fmt: skip
    said = say(forecast({0: 3}, lines=[("A", 0, 9)]), [line], "site-group", Profile(), CATALOGUE, ISSUED)

    assert (said.new, said.changed, said.withdrawn) == (1, 0, 0)


# ---------------------------------------------------------------- layout and identity

ROWS = """product,site,supplier,line,due,wafers
HBM-12H,S,north,L-1,2026-07-06,4
HBM-12H,S,north,,2026-07-13,5
DDR-16G,T,,L 2,2026-07-20,6
"""
PROFILE = """
columns: {product: Item, site: Plant, due: Receipt date}
items: {Stack: HBM-12H, Other: DDR-16G}
parties: {Oslo plant: S, Nordic: north}
dates: DMY
"""
OTHER_ROWS = """Some title;;;;;;
Receipt date;Plant;Item;Supplier;Remark;Wafers;Line
20.07.2026;T;Other;;;6;L 2
13.07.2026;Oslo plant;Stack;Nordic;x;5;
06/07/2026;Oslo plant;Stack;Nordic;;4;L-1
"""


def test_the_layout_does_not_matter():
    """Neither does the order of columns and rows, nor the names of the partner."""
    said = []
    for text, profile in ((ROWS, ""), (OTHER_ROWS, PROFILE)):
        sheet = read_sheet("a sheet", text.encode(), read_profile(profile), "forecasts")
        said.append(Source().say(sheet.document, profile=read_profile(profile)))

    first, second = (sorted((each.event for each in of.events), key=lambda event: event["id"]) for of in said)
    assert first == second
    assert len(first) == 3
    assert said[0].document == said[1].document == first[0]["correlationid"]


def test_a_row_without_a_line_is_named_by_what_it_is():
    sheet = read_sheet("a sheet", ROWS.encode(), Profile(), "forecasts")

    names = [each.event["data"]["line"] for each in Source().say(sheet.document).events]

    assert names[:2] == ["L-1", "HBM-12H.S.north.2026-07-13"]
    assert names[2].startswith("L-2-")
    assert len(names[2]) == len("L-2-") + 6


@relaxed
@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_two_names_of_a_partner_never_meet(one, other):
    assert (line_name(one) == line_name(other)) == (one == other) or line_name(one) in (one, other)


# ---------------------------------------------------------------- all or nothing


@pytest.mark.parametrize(
    ("kind", "text", "code", "place"),
    [
        ("forecasts", "product,site,due,wafers\nHBM8,S,2026-07-06,4\n", "unknown_product", "row 2, column product"),
        ("forecasts", "product,site,due,wafers\nP,S,2026-07-06,4.5\n", "fraction", "row 2, column wafers"),
        ("forecasts", "product,site,due,wafers\nP,S,2026-07-06,-4\n", "out_of_bounds", "row 2, column wafers"),
        ("forecasts", "product,site,due,wafers\nP,S,2026-07-06,1000001\n", "out_of_bounds", "row 2, column wafers"),
        ("forecasts", "product,site,due,wafers\nP,S,1999-07-06,1\n", "date_out_of_bounds", "row 2, column due"),
        ("forecasts", "product,site,due,wafers\nP,a b,2026-07-06,1\n", "unknown_party", "row 2, column site"),
        ("forecasts", "product,site,due,wafers,unit\nP,S,2026-07-06,1,box\n", "unknown_unit", "row 2, column unit"),
        ("forecasts", "product,site,due,wafers,unit\nQ,S,2026-07-06,1,gb\n", "no_wafer_model", "row 2, column wafers"),
        ("forecasts", "product,site,due,wafers,unit\nP,S,2026-07-06,1,stack\n", "fraction", "row 2, column wafers"),
        ("forecasts", "product,site,due,wafers\nP,S,2026-07-06,1\nP,S,2026-07-06,1\n", "repeated", "row 3"),
        ("commits", "supplier,product,site,due,wafers,firmness\neast,P,S,2026-07-06,1,firm\n", "unknown_party",
         "row 2, column supplier"),
        ("orders", "product,site,due,wafers\nP,S,2026-07-06,1\n", "missing", "row 2"),
        ("orders", "product,site,due,wafers,start_by,priority\nP,S,2026-07-06,1,2026-01-01,10\n", "out_of_bounds",
         "row 2, column priority"),
        ("receipts", "product,site,shipment,received,wafers\nP,S,S-1,2026-07-01,4\n", "missing", "row 2"),
        ("stock", "product,site,day,counted\nP,S,2026-07-02,4\n", "date_out_of_bounds", "row 2, column day"),
        ("products", "product,gb_per_die\nNEW,3\n", "missing", "row 2, column gb_per_die"),
    ],
)  # fmt: skip
def test_one_problem_says_nothing_of_the_whole_document(kind, text, code, place):
    sheet = read_sheet("a sheet", named(text), Profile(), kind)
    said = say(sheet.document, [], "north", Profile(), CATALOGUE, ISSUED)

    assert [(problem.code, str(problem.place)) for problem in said.problems] == [(code, place)]
    assert said.events == ()


@relaxed
@given(
    st.lists(st.tuples(st.sampled_from(["P", "HBM8", ""]), st.sampled_from(["4", "4.5", "-1", "x", ""])), max_size=5)
)
def test_the_problems_of_a_check_are_those_of_an_import(rows):
    text = "product,site,line,due,wafers\n" + "".join(
        f"{product},S,L-{n},2026-07-06,{wafers}\n" for n, (product, wafers) in enumerate(rows)
    )
    sheet = read_sheet("a sheet", named(text), Profile(), "forecasts")

    found = find_problems(sheet, "group", Profile(), CATALOGUE, ISSUED)

    wrong = {n for n, (product, wafers) in enumerate(rows, start=2) if (product, wafers) != ("P", "4")}
    assert {problem.place.row for problem in found} == wrong
    if sheet.document is not None:
        assert say(sheet.document, [], "group", Profile(), CATALOGUE, ISSUED).problems == found


def test_an_unknown_product_names_the_nearest():
    sheet = read_sheet("a sheet", b"product,site,due,wafers\nHBM8,S,2026-07-06,4\n", Profile(), "forecasts")

    assert "HBM9" in say(sheet.document, [], "north", Profile(), CATALOGUE, ISSUED).problems[0].reason


# ---------------------------------------------------------------- the other kinds

SITES = """site,name,country,mooring,mw,pue_percent,kg_co2_per_mwh,evidence,confidence,land_ha
NO-1,Oslo,NO,onshore,200,115,30,press,assumed,12
"""
PRODUCTS = """product,family,gb_per_die,die_mm2,layers,line_yield,probe_yield,layer_yield,final_yield,basis
NEW-16H,HBM,3,130,16,0.97,0.70,0.99,0.95,assumed
PLAIN,,,,,,,,,
"""


def test_a_receipt_that_changes_is_reversed_and_stated_anew():
    source, head = Source("receipts"), b"product,site,supplier,shipment,received,wafers,wafers_damaged\n"

    def receive(*rows, after):
        sheet = read_sheet("receipts", head + "\n".join(rows).encode(), Profile(), "receipts")
        return source.say(sheet.document, ISSUED + timedelta(days=after))

    first = receive("HBM-12H,S,north,S-1,2026-06-30,40,0", after=0)
    grown = receive("HBM-12H,S,north,S-1,2026-06-30,40,0", "HBM-12H,S,north,S-2,2026-07-01,50,", after=1)
    corrected = receive("HBM-12H,S,north,S-1,2026-06-30,38,2", after=2)
    taken_back = receive("HBM-12H,S,north,S-1,2026-06-30,40,0", after=3)

    assert [counts(each) for each in (first, grown, corrected, taken_back)] == [
        (1, 0, 0, 0), (1, 0, 0, 1), (0, 1, 0, 0), (0, 1, 0, 0),
    ]  # fmt: skip
    assert sorted(line.data["wafers"] for line in source.standing()) == [40, 50]
    assert len(source.events) == 6


def test_a_receipt_has_the_same_id_in_each_sheet_that_lists_it():
    text = b"product,site,supplier,shipment,received,wafers\nHBM-12H,S,north,S-1,2026-06-30,40\n"
    events = [
        say(read_sheet("r", more, Profile(), "receipts").document, [], "group", Profile(), CATALOGUE, issued).events[0]
        for more, issued in (
            (text, ISSUED),
            (text + b"HBM-12H,S,north,S-2,2026-07-01,1\n", ISSUED + timedelta(days=7)),
        )
    ]

    assert events[0].event == events[1].event


def test_a_count_that_changes_is_the_next_revision():
    source = Source("stock")
    for n, counted in enumerate((7, 7, 9)):
        text = f"product,site,day,counted\nHBM-12H,S,2026-06-30,{counted}\n"
        said = source.say(read_sheet("stock", text.encode(), Profile(), "stock").document, ISSUED + timedelta(days=n))

    assert counts(said) == (0, 1, 0, 0)
    assert said.events[0].event["data"] | {"supplier": ""} == {
        "product": "HBM-12H", "site": "S", "supplier": "", "counted": 9, "revision": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text", "type_"),
    [
        ("sites", SITES, "waferline.site.declared.v1"), ("products", PRODUCTS, "waferline.product.declared.v1"),
        ("orders", "product,site,due,wafers,start_by\nP,S,2026-07-06,1,2026-01-01\n", "waferline.demand.required.v1"),
        ("commits", "product,site,due,wafers,firmness\nP,S,2026-07-06,1,firm\n", "waferline.supply.committed.v1"),
    ],
)  # fmt: skip
def test_each_kind_states_its_event(kind, text, type_):
    sheet = read_sheet(kind, named(text), Profile(), kind)
    said = say(sheet.document, [], "north", Profile(), CATALOGUE, ISSUED)

    events = [Event.read(each.event | {"sequence": "1"}) for each in said.events]
    lines = [StandingLine(event.data.model_dump(mode="json"), event.time, event.id) for event in events]
    assert {each.event["type"] for each in said.events} == {type_}
    assert counts(say(sheet.document, lines, "north", Profile(), CATALOGUE, ISSUED))[:3] == (0, 0, 0)


def test_a_unit_of_an_item_is_rounded_as_the_profile_says():
    profile = read_profile("items: {STACK: {product: HBM-12H, unit: stack, rounding: carry}}")
    weeks = dict.fromkeys(range(6), 1000)
    source = Source()

    said = source.say(forecast(weeks, product="STACK"), profile=profile)

    assert list(source.by_week().values()) == [42, 42, 42, 42, 42, 41]
    ((scope, running),) = said.running.items()
    later = source.say(
        forecast(dict.fromkeys(range(2, 6), 1000), product="STACK"), ISSUED + timedelta(days=7), profile,
        carried={scope: running[1][1]},
    )  # fmt: skip
    assert counts(later) == (0, 0, 0, 4)


def test_a_row_of_the_ledgers_lines_is_a_line_in_force():
    row = {
        "source": "north", "kind": "commit", "line": "C-1", "product": "HBM-12H", "site": "S", "supplier": "north",
        "day": "2026-07-06", "wafers": 4, "open_wafers": 4, "revision": 2, "state": "open", "firmness": "firm",
        "start_by": None, "priority": None, "id": "an id", "time": "2026-06-01T00:00:00.000000Z",
    }  # fmt: skip
    text = "product,site,line,due,wafers,firmness\nHBM-12H,S,C-1,2026-07-06,{},firm\n"

    def state(wafers):
        sheet = read_sheet("commits", text.format(wafers).encode(), Profile(), "commits")
        return say(sheet.document, [line_in_force(row)], "north", Profile(), CATALOGUE, ISSUED)

    assert counts(state(4)) == (0, 0, 0, 1)
    assert state(5).events[0].event["data"]["revision"] == 3


@relaxed
@given(PLANS)
def test_the_applied_plans_of_a_replacement_name_its_horizon(document):
    said = Source().say(document)

    horizons = [plan for plan in said.applied if not plan.lines]
    assert all(isinstance(plan, AppliedPlan) for plan in said.applied)
    assert bool(horizons) == document.replaces
