"""Are the declarations in force a function of the events, in whatever order and however often these come?"""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.programme.declarations import NOTHING_DECLARED, Declarations, nearest_names
from shared.programme.party_scope import PartyScope
from shared.wire.events import (
    Event,
    EventData,
    EventReversed,
    PartyDeclared,
    PartyRole,
    PlatformDeclared,
    ProductDeclared,
    ProgrammeDeclared,
    ProgrammeHorizon,
    ProgrammeTarget,
    Rack,
    WaferModel,
    event_id,
)
from shared.wire.rows import Row

START = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = WaferModel(
    gb_per_die=3, die_mm2=121, layers=12, line_yield="0.97", probe_yield="0.8", layer_yield="0.99", final_yield="0.98"
)


def row(data: EventData, n: int, *, source: str = "planner", hours: int = 0) -> Row:
    time = START + timedelta(hours=hours)
    return Row.of(Event(id=event_id(time, source, "test", n), source=source, sequence=n, time=time, data=data))


def fold(*rows: Row) -> Declarations:
    declarations = Declarations()
    declarations.add(rows)
    return declarations


def product(name: str = "HBM4E-16H", revision: int = 0, **others: object) -> ProductDeclared:
    return ProductDeclared(product=name, revision=revision, **others)


def reversal(target: Row, n: int) -> Row:
    return row(EventReversed(reversed=target.id, reason="a test"), n, source=target.source)


def programme(revision: int, name: str = "north", **others: object) -> ProgrammeDeclared:
    return ProgrammeDeclared(programme=name, revision=revision, **others)


@st.composite
def logs(draw: st.DrawFn) -> list[Row]:
    """Draw declarations of few things by two planners, of which some are reversed."""
    rows: list[Row] = []
    for n in range(1, draw(st.integers(1, 12)) + 1):
        source, hours = draw(st.sampled_from(("planner", "planner-2"))), draw(st.integers(0, 3))
        revision, withdrawn = draw(st.integers(0, 2)), draw(st.booleans())
        own = [each for each in rows if each.source == source]
        kind = draw(st.integers(0, 3 if own else 2))
        data: EventData
        if kind == 0:
            name, wafer_model = draw(st.sampled_from("AB")), draw(st.sampled_from((None, MODEL)))
            data = product(name, revision, withdrawn=withdrawn, wafer_model=wafer_model)
        elif kind == 1:
            rack = Rack(rack_kw=draw(st.integers(1, 3)), accelerators=1, memory_gb={"B": 1, "A": 2})
            data = PlatformDeclared(platform="P", revision=revision, withdrawn=withdrawn, rack=rack)
        elif kind == 2:
            data = programme(revision, draw(st.sampled_from("XY")), withdrawn=withdrawn)
        else:
            data = EventReversed(reversed=draw(st.sampled_from(own)).id, reason="")
        rows.append(row(data, n, source=source, hours=hours))
    return rows


@given(logs(), st.randoms())
def test_neither_order_nor_repetition_matters(log, random):
    shuffled = random.sample([*log, *log], 2 * len(log))

    assert fold(*shuffled).digest() == fold(*log).digest()
    assert fold(*shuffled).state() == fold(*log).state()


@given(logs(), st.integers(0, 12))
def test_a_state_read_back_goes_on_as_it_was(log, cut):
    before = Declarations.read(fold(*log[:cut]).state())
    before.add(log[cut:])

    assert before.state() == fold(*log).state()
    assert before.digest() == fold(*log).digest()


@given(logs())
def test_the_declaration_in_force_is_the_greatest_that_is_not_reversed(log):
    undone = {(each.source, each.others["reversed"]) for each in log if each.name == "event.reversed"}
    for name in "AB":
        held = [
            each
            for each in log
            if each.name == "product.declared" and each.product == name and (each.source, each.id) not in undone
        ]
        greatest = max(held, key=lambda each: (each.revision, each.time, each.id), default=None)
        in_force = fold(*log).products.get(name)

        if greatest is None or greatest.others["withdrawn"]:
            assert in_force is None
        else:
            assert in_force == greatest.event().data


def test_an_id_with_another_content_changes_nothing_as_the_ledger_refuses_it():
    first, second = row(product("A"), 1), row(product("B"), 2)

    assert fold(first, second._replace(id=first.id)).products.keys() == {"A"}


def test_a_withdrawn_product_is_not_in_force():
    declared, withdrawn = row(product(revision=0), 1), row(product(revision=1, withdrawn=True), 2)

    assert list(fold(declared).products) == ["HBM4E-16H"]
    assert fold(declared, withdrawn).products == {}
    assert fold(declared, withdrawn).digest() == fold().digest() == NOTHING_DECLARED


def test_a_party_is_in_force_with_its_roles_until_it_is_withdrawn():
    roles = [PartyRole(role="tenant", of="site", name="north"), PartyRole(role="customer", of="supplier", name="s")]
    first = row(PartyDeclared(party="cloud", name="Cloud", roles=roles[:1], revision=0), 1)
    second = row(PartyDeclared(party="cloud", name="Cloud", roles=roles, revision=1), 2)
    withdrawn = row(PartyDeclared(party="cloud", revision=2, withdrawn=True), 3)

    assert fold(second, first).parties["cloud"].roles == roles
    assert len({fold().digest(), fold(first).digest(), fold(first, second).digest()}) == 3
    assert fold(withdrawn, first, second).parties == {}
    assert fold(withdrawn, first, second).digest() == NOTHING_DECLARED
    assert fold(first, second).revision(PartyDeclared(party="cloud", revision=0)) == 2
    assert PartyScope.of(fold(second).parties["cloud"]) == ({"north"}, {"s"})


def test_a_reversal_brings_back_the_declaration_before_it():
    first, second = row(product(revision=0, basis="a"), 1), row(product(revision=1, basis="b"), 2)

    assert fold(second, reversal(second, 3), first).digest() == fold(first).digest()


def test_there_is_one_programme_of_any_name():
    target, horizon = (
        ProgrammeTarget(wafers_per_month=1_000),
        ProgrammeHorizon(starts_on=START.date(), ends_on=START.date()),
    )
    old = row(programme(0, "north", target=target), 1)
    new = row(programme(1, "south", horizon=horizon), 2)

    assert (fold(old).target_wafers, fold(old).horizon) == (1_000, None)
    assert (fold(new, old).target_wafers, fold(new, old).horizon) == (None, horizon)


def test_the_next_revision_is_beyond_the_withdrawn_one():
    declarations = fold(row(product(revision=4, withdrawn=True), 1))

    assert declarations.revision(product()) == 5
    assert declarations.revision(product("OTHER")) == 0
    assert declarations.revision(programme(9)) == 0


def test_only_products_with_a_model_can_be_converted():
    declarations = fold(row(product("A", wafer_model=MODEL), 1), row(product("B"), 2))

    assert declarations.wafer_models == {"A": MODEL}


def test_nearest_names_come_first():
    names = ["HBM4-12H", "HBM3E-12H", "DDR5-16G", "LP5X-16G"]

    assert nearest_names("HBM4-12", names)[0] == "HBM4-12H"
    assert nearest_names("hbm4-12h", names)[0] == "HBM4-12H"
    assert nearest_names("zzzz", names) == []
