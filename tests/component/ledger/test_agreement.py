"""Does PostgreSQL come to what SQLite comes to, whatever is said, in whatever order and batches?"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ledger.store.writer import StoreWriter
from services.operator.record.curves import fold as fold_store
from services.operator.record.proof import verify
from testing.fold import Folded, fold
from testing.twins.ledger import sum_up
from tests.unit.ledger.books.test_posting import HORIZON, logs

# the database is emptied by each fold, not by the fixture
few = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def closed(folded: Folded) -> Folded:
    folded.store.close()
    return folded


def outcome(folded: Folded) -> tuple[Any, ...]:
    """All that a store is asked for, save the numbers that it gives to names."""
    store: StoreWriter = folded.store
    at_once = fold_store(store)
    return (
        store.head, store.progress, store.tallies, store.offsets(), store.row_counts(), store.memory.reversed,
        [*store.sealed_batches()], store.published_batches(0, 1000), store.refusals(),
        {name: line.state() for name, line in store.working_state.lines()}, dict(store.working_state.stocks()),
        folded.outcomes, folded.state_hash,
        at_once.state_hash(), at_once.watermarks, at_once.postings,
    )  # fmt: skip


@few
@given(logs(), st.randoms(use_true_random=False), st.lists(st.integers(1, 5), max_size=10))
def test_neither_order_nor_batches_nor_restarts_alter_what_a_log_comes_to(place, log, shuffle, sizes):
    again = log + shuffle.sample(log, len(log) // 4)
    shuffled = shuffle.sample(again, len(again))
    folded = fold(shuffled, batches=sizes, horizon=HORIZON, path=place, reopen=shuffle.random() < 0.5)
    cells = folded.cells()
    folded.store.close()

    assert cells == sum_up(log)
    assert folded.state_hash == closed(fold(log, horizon=HORIZON)).state_hash


@few
@given(logs(), st.randoms(use_true_random=False), st.lists(st.integers(1, 5), max_size=10))
def test_both_databases_hold_the_same_to_the_last_byte_of_the_chain(postgres_store, log, shuffle, sizes):
    wrong = [{"source": "samsung", "id": "?", "sequence": "5"}, {"source": "americas", "type": None, "note": "\x00é😀"}]
    said = [*shuffle.sample(log, len(log)), *log[:3], *wrong]
    both = [fold(said, batches=sizes, horizon=HORIZON, path=address) for address in (":memory:", postgres_store)]
    found, proofs = [outcome(folded) for folded in both], [verify(folded.store).wrong for folded in both]
    for folded in both:
        folded.store.close()

    assert found[0] == found[1]
    assert proofs == [None, None]
