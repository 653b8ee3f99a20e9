"""Do the declarations in force decide horizon, hash and alerts, in whatever order and however often events come?"""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.alerts.finding import find_alerts
from services.aggregator.alerts.thresholds import AlertThresholds
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.snapshot import decode, encode, seal
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.projection import make_plan
from services.ledger.store.as_of import AsOf, batches_as_of
from services.operator.record import curves as offline
from services.operator.record.proof import verify
from shared.play.numbering import Numbering
from shared.programme.declarations import NOTHING_DECLARED
from shared.wire.days import day_number
from shared.wire.events import (
    Event,
    EventReversed,
    ProductDeclared,
    ProgrammeDeclared,
    ProgrammeHorizon,
    SourceAdvanced,
    StockOpened,
    SupplyCommitted,
)
from shared.wire.postings import PostingBatch
from testing.fold import Folded, fold

DEFAULT = (day_number(date(2025, 1, 1)), 2191)
TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOUTH = ProgrammeHorizon(starts_on=date(2026, 1, 1), ends_on=date(2026, 12, 31))
samsung, abilene, planner, other = map(Numbering, ("samsung", "abilene", "planner", "planner-2"))


def key(product: str) -> dict[str, str]:
    return {"product": product, "site": "abilene", "supplier": "samsung"}


def commit(product: str, due: date = date(2026, 6, 1)) -> SupplyCommitted:
    return SupplyCommitted(**key(product), line=f"c-{product}", due=due, firmness="firm", wafers=70, revision=0)


FACTS = [
    samsung.emit(TIME, commit("A")),
    samsung.emit(TIME, commit("NEW-1", date(2025, 6, 1))),
    samsung.emit(TIME, SourceAdvanced(through=date(2026, 2, 28))),
    abilene.emit(TIME, StockOpened(**key("A"), wafers=5)),
    abilene.emit(TIME, SourceAdvanced(through=date(2026, 2, 28))),
]
A = planner.emit(TIME, ProductDeclared(product="A", revision=0))
LATE = planner.emit(TIME, ProductDeclared(product="NEW-1", revision=0))
PROGRAMME = planner.emit(TIME, ProgrammeDeclared(programme="south", revision=0, horizon=SOUTH))
WITHDRAWN = planner.emit(TIME, ProductDeclared(product="NEW-1", revision=1, withdrawn=True))
UNDONE = planner.emit(TIME, EventReversed(reversed=WITHDRAWN.id, reason="too early"))
AGAIN = other.emit(TIME, ProgrammeDeclared(programme="south", revision=1, horizon=None))
DECLARED = [A, LATE, PROGRAMME, WITHDRAWN, UNDONE, AGAIN]


def state_of(folded: Folded, horizon: tuple[int, int] = DEFAULT) -> FoldState:
    """Fold the batches as published, with a horizon that may be another than the one that they declare."""
    state = FoldState(Curves.of(*horizon, NOTHING_DECLARED), default_horizon=DEFAULT)
    for stored in folded.store.published_batches(0, 1_000):
        state.add(PostingBatch.model_validate_json(stored.postings.encode()))
    return state


def fold_log(events: Sequence[Event]) -> FoldState:
    """Fold a log as an aggregator does: anew where its programme declares another horizon."""
    folded = fold(events)
    state = state_of(folded)
    return state if state.declared_horizon == DEFAULT else state_of(folded, state.declared_horizon)


def undeclared(state: FoldState) -> dict[str, tuple[date, dict[str, int]]]:
    alerts = find_alerts(state, make_plan(state.curves), AlertThresholds()).values()
    return {each.subject[0]: (each.day, each.detail) for each in alerts if each.code == "undeclared_product"}


@settings(deadline=None, max_examples=40)
@given(st.permutations([*FACTS, *DECLARED, *FACTS[:2], LATE, PROGRAMME]), st.sampled_from((1, 2, 1000)))
def test_order_repetition_and_batches_do_not_matter(events, batches):
    folded, expected = fold(events, batches=batches), fold_log([*FACTS, *DECLARED])
    state = state_of(folded, expected.curves.horizon)

    assert folded.refusals == []
    assert state.curves.state_hash() == expected.curves.state_hash()
    assert state.declared_horizon == state.curves.horizon
    assert undeclared(state) == undeclared(expected) == {}


def test_a_product_is_undeclared_until_a_declaration_comes_or_its_events_are_reversed():
    reversal = Numbering("samsung")
    reversal.sequence = 3
    undone = reversal.emit(TIME, EventReversed(reversed=FACTS[1].id, reason="a typo"))
    first_day = day_number(date(2025, 6, 1))

    assert undeclared(fold_log([*FACTS, A])) == {"NEW-1": (first_day, {"keys": 1})}
    assert undeclared(fold_log([*FACTS, A, LATE])) == {}
    assert undeclared(fold_log([*FACTS, A, LATE, WITHDRAWN])) == {"NEW-1": (first_day, {"keys": 1})}
    assert undeclared(fold_log([*FACTS, A, undone])) == {}


def test_no_product_is_undeclared_where_there_is_no_programme():
    assert undeclared(fold_log(FACTS)) == {}


def test_another_horizon_is_folded_anew_to_the_state_of_a_fresh_fold():
    declared = [*FACTS, A, LATE, PROGRAMME]
    state = state_of(fold(declared))

    assert state.curves.horizon == DEFAULT
    assert state.declared_horizon == (day_number(date(2026, 1, 1)), 365)
    anew, fresh = fold_log(declared), fold_log([PROGRAMME, *declared])
    assert anew.curves.horizon == (day_number(date(2026, 1, 1)), 365)
    assert anew.curves.state_hash() == fresh.curves.state_hash() != state.curves.state_hash()


def test_a_programme_without_a_horizon_has_the_default():
    assert fold_log([*FACTS, *DECLARED]).curves.horizon == DEFAULT


def test_declarations_are_in_the_hash_and_a_log_without_them_keeps_its_own():
    hashes = {fold_log([*FACTS, *more]).curves.state_hash() for more in ([], [A], [A, LATE], [A, LATE, WITHDRAWN])}
    plain = fold(FACTS)
    curves = Curves.of(*DEFAULT, NOTHING_DECLARED)
    for stored in plain.store.published_batches(0, 1_000):
        curves.add(stored.postings)

    assert len(hashes) == 3  # a withdrawn product is as one that was never declared
    assert curves.state_hash() == fold_log(FACTS).curves.state_hash()


def test_a_planner_is_no_source_of_the_hash_and_holds_up_no_day():
    folded = fold([*DECLARED, *FACTS])
    state = state_of(folded)

    assert state.curves.sources == {"samsung", "abilene"} == folded.store.watermarks(folded.store.head.batch).keys()
    assert state.curves.complete_through == day_number(date(2026, 2, 28))


def test_the_store_gives_the_same_state_offline_as_of_then_and_in_a_proof():
    folded = fold([*FACTS, A, LATE, PROGRAMME], batches=1)
    expected = fold_log([*FACTS, A, LATE, PROGRAMME]).curves.state_hash()
    before = AsOf(folded.store.head.batch - 1)

    assert offline.fold(folded.store).state_hash() == expected
    proof = verify(folded.store)
    assert (proof.wrong, proof.state_hash) == (None, expected)
    then = FoldState(Curves.of(*DEFAULT, NOTHING_DECLARED))
    for batch in batches_as_of(folded.store, before):
        then.add(batch)
    assert offline.fold(folded.store, until=before.position).state_hash() == then.curves.state_hash() != expected


def test_a_snapshot_brings_the_declarations_back_and_their_horizon():
    state = fold_log([*FACTS, A, LATE, PROGRAMME])
    pieces = encode(state)
    restored = decode(b"".join([*pieces, seal(pieces)]), *DEFAULT, NOTHING_DECLARED)

    assert restored.curves.state_hash() == state.curves.state_hash()
    assert restored.declarations.state() == state.declarations.state()
    assert restored.default_horizon == DEFAULT
    assert restored.declared_horizon == restored.curves.horizon == (day_number(date(2026, 1, 1)), 365)
