"""The curves against their naive twin, and what must hold of them for any postings."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.fold.columns import Columns, FoldPosition
from services.aggregator.fold.curves import WAFERS_SUM_MAX, Curves, Gap
from services.aggregator.fold.queries import balance_batch, received_by_day, sum_stages
from shared.wire.postings import Measure
from testing.fold import rolling
from testing.twins.curves import GRADES, PARTS, NaiveCurves, batch_of

START, DAYS = 20_089, 40  # 2025-01-01
FIRST_DAY = date(2025, 1, 1)
KEY = ("HBM4-12H", "abilene", "samsung")
OTHER = ("HBM4-12H", "narvik", "skhynix")

keys = st.tuples(
    st.sampled_from(["HBM4-12H", "DDR5-16G"]),
    st.sampled_from(["abilene", "narvik", "unallocated"]),
    st.sampled_from(["samsung", "skhynix"]),
)
days = st.integers(START - 4, START + DAYS + 3)
postings = st.tuples(keys, st.sampled_from(Measure), days, st.integers(-50, 50))
logs = st.lists(postings, max_size=40)
plans = st.sampled_from(Measure).filter(lambda measure: measure.name.startswith(("REQUIRED", "COMMITTED")))
near_ends = st.integers(START + 16, START + 30) | st.integers(START + 106, START + 120)  # of a window of 90 days
plans_near = st.lists(st.tuples(keys, plans, near_ends, st.integers(1, 50)), max_size=20)
watermarks = st.lists(st.tuples(st.sampled_from(["samsung", "skhynix", "abilene"]), days), max_size=5)
only = st.fixed_dictionaries(
    {}, optional={"product": st.just("HBM4-12H"), "site": st.just("narvik"), "supplier": st.just("nobody")}
)
by = st.lists(st.sampled_from(PARTS), unique=True)
quick = settings(max_examples=60, deadline=None)


def empty():
    return Curves(FIRST_DAY, DAYS, "catalogue-1")


def fold(log, marks=(), cuts=()):
    """Fold a log in batches cut at some places, each watermark in a batch of its own."""
    curves = empty()
    edges = [0, *sorted(cut % (len(log) + 1) for cut in cuts), len(log)]
    batches = [(log[a:b], {}) for a, b in pairwise(edges)]
    batches += [([], {source: day}) for source, day in marks]
    for number, (part, marks) in enumerate(batches, start=1):
        curves.add(batch_of(number, part, marks, ["samsung"]))
    return curves


def fold_naively(log, marks=()):
    naive = NaiveCurves(START, DAYS, "catalogue-1")
    naive.add(log, {}, ["samsung"])
    for source, day in marks:
        naive.add([], {source: day}, [])
    return naive


# ---------------------------------------------------------------- whatever is posted


@given(logs, watermarks, st.lists(st.integers(0, 40), max_size=6))
@quick
def test_the_state_hash_is_that_of_the_naive_twin(log, marks, cuts):
    assert fold(log, marks, cuts).state_hash() == fold_naively(log, marks).state_hash()


@given(logs, watermarks, st.lists(st.integers(0, 40), max_size=6), st.randoms(use_true_random=False))
@quick
def test_neither_order_nor_batching_changes_the_state_hash(log, marks, cuts, random):
    shuffled, marks_shuffled = random.sample(log, len(log)), random.sample(marks, len(marks))

    assert fold(shuffled, marks_shuffled, cuts).state_hash() == fold(log, marks).state_hash()


@given(logs, st.lists(st.integers(1, 9), max_size=9))
@quick
def test_a_batch_that_comes_again_changes_nothing(log, again):
    curves, once = empty(), fold(log)
    parts = [log[at : at + 5] for at in range(0, len(log) + 1, 5)]
    batches = [batch_of(n, part, {}, ["samsung"]) for n, part in enumerate(parts, start=1)]
    for n, batch in enumerate(batches):
        curves.add(batch)
        for late in again:
            assert curves.add(batches[min(late, n)]).size == 0

    assert curves.state_hash() == once.state_hash()


@given(logs, days, by, only)
@quick
def test_stages_and_open_commits_are_those_of_the_naive_twin(log, day, by, only):
    curves, naive = fold(log), fold_naively(log)

    grouping = curves.group(by, **only)
    stages = sum_stages(curves, grouping, day)

    expected = naive.groups(by, only)
    assert grouping.labels == list(expected)
    for n, chosen in enumerate(expected.values()):
        held = {name: int(getattr(stages, name)[n]) for name in ("wip", "finished", "in_transit", "on_hand")}
        assert held == naive.stages(chosen, day)
        assert stages.open_commit[:, n].tolist() == naive.open_commit(chosen)


@given(
    logs, days, st.sampled_from([1, 7, 30, 90, 365]), st.sampled_from(["start", "receipt"]), by,
    st.none() | st.sampled_from(GRADES), only,
)  # fmt: skip
@quick
def test_rolling_balances_are_those_of_the_naive_twin(log, day, window, basis, by, firmness, only):
    curves, naive = fold(log), fold_naively(log)
    basis = basis if firmness is None else "receipt"

    assert rolling(curves, day, window, basis, by, firmness, **only) == naive.rolling(
        day, window, basis, by, firmness, only
    )


@given(logs, st.lists(st.integers(0, 40), max_size=3))
@quick
def test_published_balances_are_the_latest_of_the_keys_that_changed(log, cuts):
    curves, naive = fold(log, cuts=cuts), fold_naively(log)

    balances = balance_batch(curves, np.arange(len(curves.keys)), told=5)

    assert balances.position == curves.position
    for n, key in enumerate(zip(balances.products, balances.sites, balances.suppliers, strict=True)):
        held = {name: getattr(balances, name)[n] for name in ("wip", "finished", "in_transit", "on_hand")}
        assert held == naive.stages([key], START + DAYS)
        assert balances.open_commit[n] == sum(naive.open_commit([key]))


@given(logs, logs)
@quick
def test_what_is_received_by_day_is_kept_up(first, second):
    curves = fold(first)
    received_by_day(curves, "samsung")
    curves.add(batch_of(2, second, {}, ["samsung"]))

    received = {key[0]: np.zeros(DAYS + 1, dtype=np.int64) for key, *_ in first + second if key[2] == "samsung"}
    for (product, _, supplier), measure, day, wafers in first + second:
        if supplier == "samsung" and measure is Measure.RECEIVED:
            received[product][max(0, day - START + 1) :] += wafers
    found = {product: each[: DAYS + 1].tolist() for product, each in received_by_day(curves, "samsung").items()}
    assert found == {product: each.tolist() for product, each in received.items()}


@given(
    st.lists(st.tuples(plans_near, st.sampled_from([0, 1, 2, 9])), min_size=2, max_size=6), st.sampled_from([90, 365]),
    st.none() | st.sampled_from(GRADES), by, only,
)  # fmt: skip
@quick
def test_the_window_to_the_last_complete_day_is_kept_up(parts, window, firmness, by, only):
    curves, log, complete = Curves(FIRST_DAY, 200), [], START + 106
    for number, (part, days_on) in enumerate(parts, start=1):
        log, complete = log + part, complete + days_on
        curves.add(batch_of(number, part, {"samsung": complete}, ["samsung"]))
        if number != 2:  # then a query asks for a day that was completed since
            curves.precompute_windows()

        naive = NaiveCurves(START, 200, "")
        naive.add(log, {}, ["samsung"])
        query = complete, window, "receipt", by, firmness
        assert rolling(curves, *query, **only) == naive.rolling(*query, only)


@given(logs)
@quick
def test_what_is_posted_and_taken_back_leaves_no_trace(log):
    back = [(key, measure, day, -wafers) for key, measure, day, wafers in log]

    assert fold(log + back).state_hash() == fold([]).state_hash()


@given(logs, logs, by, only)
@quick
def test_groups_that_were_asked_for_before_know_the_keys_that_came_since(first, second, by, only):
    curves = empty()
    for number, log in enumerate((first, second), start=1):
        curves.add(batch_of(number, log))
        naive = fold_naively([*first, *second][: len(first) + len(second) * (number - 1)])

        assert curves.group(by, **only).labels == list(naive.groups(by, only))


@given(logs)
@quick
def test_the_blocks_that_are_hashed_do_not_matter(log):
    whole = fold(log).state_hash()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.aggregator.fold.state_hash.PACKED_MAX", 4)
        assert fold(log).state_hash() == whole


# ---------------------------------------------------------------- the chain of batches


def test_a_batch_that_is_missing_is_a_gap():
    curves = empty()
    curves.add(batch_of(1, []))

    with pytest.raises(Gap, match="batch 3 follows 2, not 1"):
        curves.add(batch_of(3, []))


def test_a_batch_of_another_store_is_a_gap_and_not_a_duplicate():
    curves = empty()
    curves.add(batch_of(1, []))

    with pytest.raises(Gap, match="epoch 8, not 7"):
        curves.add(batch_of(1, [], epoch=8))


def test_the_changed_keys_are_told_once_each_and_sorted():
    curves = empty()
    curves.add(batch_of(1, [(KEY, Measure.STARTED, START, 1), (OTHER, Measure.STARTED, START, 1)]))

    changed = curves.add(batch_of(2, [(OTHER, Measure.OPENED, START, 1), (OTHER, Measure.FORECAST, START, 1)]))

    assert [curves.keys[key] for key in changed] == [OTHER]
    assert (curves.position, curves.head, curves.epoch, curves.postings) == (2, "head-2", 7, 4)


def test_more_keys_than_there_was_room_for_keep_their_wafers():
    measures = [Measure.STARTED, Measure.FORECAST]
    log = [
        ((f"P{n % 7}", f"S{n}", "samsung"), measures[n % 2], START - 1 + n % (DAYS + 3), n + 1) for n in range(9_000)
    ]

    curves = fold(log, cuts=range(0, 9_000, 700))

    assert len(curves.keys) == 9_000
    assert curves.state_hash() == fold_naively(log).state_hash()


# ---------------------------------------------------------------- how far it is complete


def test_it_is_complete_through_no_day_before_the_first_watermark():
    curves = empty()
    curves.add(batch_of(1, [], sources=["samsung", "abilene"]))

    assert (curves.complete_through, curves.today) == (None, None)


def test_a_source_without_a_watermark_holds_no_day_back():
    curves = empty()
    curves.add(batch_of(1, [], {"samsung": START + 3}, ["samsung", "abilene"]))

    assert (curves.complete_through, curves.today, curves.setback) == (START + 3, START + 4, None)


def test_a_first_watermark_before_the_others_takes_the_day_back_until_it_is_reached_again():
    curves, days = empty(), []
    curves.add(batch_of(1, [], {"samsung": START + 3}))
    for batch, (source, day) in enumerate(
        [("abilene", START + 1), ("samsung", START + 5), ("abilene", START + 2), ("abilene", START + 3)], 2
    ):
        curves.add(batch_of(batch, [], {source: day}))
        days.append((curves.complete_through, curves.setback))

    reached = (START + 3, 1)
    assert days == [(START + 1, reached), (START + 1, reached), (START + 2, reached), (START + 3, None)]


def test_a_watermark_never_goes_back():
    curves = empty()
    curves.add(batch_of(1, [], {"samsung": START + 3}))

    curves.add(batch_of(2, [], {"samsung": START + 1}))

    assert curves.complete_through == START + 3


# ---------------------------------------------------------------- what compiled code must not see


GOOD = batch_of(1, [(KEY, Measure.STARTED, START, 5), (KEY, Measure.FORECAST, START, 7)])


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("products", [0, 3], r"products\[1\] is 3, not 0 to 2"),
        ("sites", [-1, 1], r"sites\[0\] is -1"),
        ("suppliers", [2, 2, 2], r"suppliers has 3 rows, wafers has 2"),
        ("measures", [0, 31], r"measures\[1\] is 31, which is no Measure"),
        ("measures", [64, 0], r"measures\[0\] is 64"),
        ("measures", [0, -1], r"measures\[1\] is -1"),
        ("days", [0, 2**40], r"days\[1\] is 1099511627776"),
        ("wafers", [1, 2**80], r"wafers\[1\] is 1208925819614629174706176"),
        ("wafers", [-(2**41), 1], r"wafers\[0\] is -2199023255552"),
    ],
)
def test_a_broken_column_is_named_with_its_row_and_nothing_is_folded(column, values, message):
    curves, untouched = empty(), empty().state_hash()

    with pytest.raises(ValueError, match=message):
        curves.add(GOOD.model_copy(update={column: values}))

    assert (curves.position, curves.keys, curves.state_hash()) == (0, [], untouched)


def test_sums_are_stopped_before_they_could_leave_int64():
    curves, big = empty(), 2**40
    rows = WAFERS_SUM_MAX // big
    batch = batch_of(1, [(KEY, Measure.STARTED, START, big)])
    full = batch.model_copy(
        update={"wafers": [big] * rows}
        | {name: getattr(batch, name) * rows for name in ("products", "sites", "suppliers", "measures", "days")}
    )
    curves.add(full)

    with pytest.raises(ValueError, match="bring the sum of all postings to"):
        curves.add(batch_of(2, [(KEY, Measure.STARTED, START, -1)]))


@pytest.mark.parametrize(("day", "supply"), [(START - 1, 0), (START, 2), (START + DAYS - 1, 6), (START + DAYS, 6)])
def test_a_window_counts_only_days_inside_the_horizon(day, supply):
    log = [
        (KEY, measure, START + at, wafers)
        for measure in (Measure.RECEIVED, Measure.COMMITTED_FIRM)
        for at, wafers in [(-1, 1), (0, 2), (DAYS - 1, 4), (DAYS, 8)]
    ]

    for firmness in (None, "firm"):
        ((_, rolled, _, _),) = rolling(fold(log), day, 365, "receipt", firmness=firmness)
        assert rolled == supply


def test_firmness_has_no_basis_start():
    with pytest.raises(ValueError, match="receipt"):
        rolling(empty(), START, 30, "start", firmness="firm")


# ---------------------------------------------------------------- the proof


def test_the_state_hash_depends_on_horizon_catalogue_sources_and_watermarks():
    base = batch_of(1, [(KEY, Measure.STARTED, START, 5)], {"samsung": START}, ["samsung"])
    hashes = set()
    for curves, batch in [
        (Curves(FIRST_DAY, DAYS), base),
        (Curves(FIRST_DAY, DAYS + 1), base),
        (Curves(date(2025, 1, 2), DAYS), base),
        (Curves(FIRST_DAY, DAYS, "another"), base),
        (Curves(FIRST_DAY, DAYS), base.model_copy(update={"sources": ["samsung", "abilene"]})),
        (Curves(FIRST_DAY, DAYS), base.model_copy(update={"watermarks": {"samsung": START + 1}})),
        (Curves(FIRST_DAY, DAYS), base.model_copy(update={"wafers": [6]})),
        (Curves(FIRST_DAY, DAYS), base.model_copy(update={"days": [START + 1]})),
    ]:
        curves.add(batch)
        hashes.add(curves.state_hash())

    assert len(hashes) == 8


def test_a_new_posting_changes_a_state_hash_that_was_asked_for():
    curves = fold([])
    before = curves.state_hash()

    curves.add(batch_of(2, [(KEY, Measure.STARTED, START, 5)]))

    assert curves.state_hash() != before


def test_memory_is_that_of_all_arrays_and_no_more_than_is_stated():
    log = [
        ((f"P{n}", "narvik", "samsung"), m, START, 1) for n in range(5_000) for m in (Measure.STARTED, Measure.AGREED)
    ]

    for curves in (empty(), fold(log)):
        values = [*vars(curves).values(), *vars(curves.index).values()]
        arrays = [value for value in values if isinstance(value, np.ndarray) and value is not curves._last_row]
        room = curves.beyond.size + curves.ends.size
        memory_bytes = curves.memory_bytes - curves.windows.nbytes
        assert memory_bytes == sum(array.nbytes for array in arrays)
        assert memory_bytes <= room * 8 * (DAYS + 8 + DAYS / 32) + (240 + 128) * curves.index.numbers.shape[0]


# ---------------------------------------------------------------- the windows that end today


@given(logs)
@quick
def test_the_windows_that_are_told_are_those_of_the_naive_twin(log):
    curves = fold(log)
    batch = balance_batch(curves, np.arange(len(curves.keys)))

    for n, key in enumerate(curves.keys):
        brought, taken, balance = naive_hand(log, key, batch.today)
        short = [day for day in range(max(START, batch.today - 364), batch.today + 1) if balance(day) < 0]
        assert batch.short_since[n] == (short[0] if short else None)
        assert batch.cover_hundredths[n] == (
            100 * max(0, balance(batch.today)) * 7 // taken(7) if taken(7) > 0 else None
        )
        for window, days in enumerate(batch.window_days):
            assert (batch.brought[window][n], batch.taken[window][n]) == (brought(days), taken(days))
            first = max(START, batch.today - days + 1)
            assert batch.lowest[window][n] == min(balance(day) for day in range(first, batch.today + 1))


def naive_hand(log, key, today):
    """Functions of what came to hand in a window, of what went from it, and of what was there at the end of a day."""
    hand = {Measure.RECEIVED, Measure.OPENED, Measure.TRANSFERRED_IN, Measure.ADJUSTED}
    gone = {Measure.CONSUMED, Measure.TRANSFERRED_OUT, Measure.RETURNED}

    def moved(measures, since, until):
        return sum(w for k, m, day, w in log if k == key and m in measures and since < day <= until)

    return (
        lambda days: moved(hand, max(START - 1, today - days), today),
        lambda days: moved(gone, max(START - 1, today - days), today),
        lambda day: moved(hand, -(10**9), day) - moved(gone, -(10**9), day),
    )


def test_loading_brings_the_same_windows_as_folding():
    log = [(KEY, Measure.RECEIVED, START + n, n % 7) for n in range(60)]
    log += [(KEY, Measure.CONSUMED, START + n, 4) for n in range(0, 60, 2)] + [(OTHER, Measure.OPENED, START - 3, 9)]
    folded, again = fold(log), empty()
    again.load([Columns.of(batch_of(1, log))], FoldPosition(7, 1, "head-1", {}, []))

    keys = np.arange(2)
    loaded, added = (balance_batch(each, keys).model_dump(exclude={"told"}) for each in (again, folded))
    assert loaded == added
