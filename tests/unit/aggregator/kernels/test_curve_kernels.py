"""Each kernel against its naive twin, on random arrays."""

import numpy as np
import pytest

from services.aggregator.kernels import curves as kernels

ROWS, MOVEMENTS, PLANS, SERIES, GROUPS = 12, 3, 4, 5, 3
LAST = ROWS + 1  # the row that holds what lies beyond
LONG = 100  # rows: some blocks, and the beginning of another


@pytest.fixture(params=range(5))
def random(request):
    return np.random.default_rng(request.param)


def some(random, *shape):
    return random.integers(-9, 10, shape)


def some_postings(random, count=200):
    return [random.integers(0, high, count) for high in (SERIES, MOVEMENTS + PLANS, LAST + 1)] + [some(random, count)]


def some_cumulative(random):
    return some(random, ROWS + 1, SERIES).cumsum(axis=0)


def some_choice(random, *highs):
    """Some of the series, and for each of them a number below each of the others."""
    series = random.permutation(SERIES)[:4]
    return [series, *(random.integers(0, high, series.size) for high in highs)]


def blocks_of(plans):
    """What is planned in each block of rows."""
    return np.add.reduceat(plans, range(0, plans.shape[1], kernels.BLOCK), axis=1)


@pytest.mark.parametrize("codes", [3, 40, 2**60])
def test_intern_agrees_with_its_naive_twin(random, codes):
    code = random.integers(0, codes, 64)
    place_code, place_key = np.full(256, -1), np.zeros(256, dtype=np.int64)
    key, fresh = np.full(64, 99), np.full(64, 99)
    numbers = {}
    expected = [numbers.setdefault(each, len(numbers)) for each in code.tolist()]

    first = kernels.intern(place_code, place_key, 0, code[:20], key[:20], fresh[:20])
    second = kernels.intern(place_code, place_key, first, code[20:], key[20:], fresh[20:])

    assert key.tolist() == expected
    assert [*code[fresh[:first]], *code[20:][fresh[20 : 20 + second]]] == list(numbers)


def test_carry_forward_agrees_with_its_naive_twin(random):
    cumulative = np.zeros((ROWS + 1, SERIES), dtype=np.int64)
    cumulative[:5] = some(random, 5, SERIES)
    last_row = np.array([4])
    expected = cumulative.tolist()
    for row in range(5, 10):
        expected[row] = [*expected[4][:3], 0, 0]

    kernels.carry_forward(cumulative, last_row, 9, 3)

    assert cumulative.tolist() == expected
    assert last_row[0] == 9


def test_carry_forward_never_goes_back(random):
    cumulative = some_cumulative(random)
    last_row, before = np.array([6]), cumulative.copy()

    kernels.carry_forward(cumulative, last_row, 2, SERIES)

    assert (cumulative == before).all()
    assert last_row[0] == 6


def test_add_movements_agrees_with_its_naive_twin(random):
    cumulative = np.zeros((ROWS + 1, SERIES), dtype=np.int64)
    beyond, last_row = np.zeros(SERIES, dtype=np.int64), np.zeros(1, dtype=np.int64)
    series, slot, row, wafers = some_postings(random)
    daily = np.zeros((LAST + 1, SERIES), dtype=np.int64)
    for n in range(series.size):
        if slot[n] < MOVEMENTS:
            daily[row[n], series[n]] += wafers[n]

    for half in (slice(0, 100), slice(100, None)):
        kernels.add_movements(
            cumulative, beyond, last_row, SERIES, MOVEMENTS, series[half], slot[half], row[half], wafers[half]
        )

    assert (cumulative[: last_row[0] + 1] == daily[: last_row[0] + 1].cumsum(axis=0)).all()
    assert not cumulative[last_row[0] + 1 :].any()
    assert (beyond == daily[LAST]).all()
    assert last_row[0] == max(row[(slot < MOVEMENTS) & (row < LAST)])


def test_what_is_scattered_and_accumulated_is_what_is_added(random):
    (a, b), (beyond_a, beyond_b) = np.zeros((2, ROWS + 1, SERIES), np.int64), np.zeros((2, SERIES), np.int64)
    last_row_a, last_row_b = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    postings = some_postings(random)

    kernels.add_movements(a, beyond_a, last_row_a, SERIES, MOVEMENTS, *postings)
    kernels.scatter_movements(b, beyond_b, last_row_b, MOVEMENTS, *postings)
    kernels.accumulate(b, last_row_b[0], SERIES)

    assert (a == b).all()
    assert (beyond_a == beyond_b).all()
    assert last_row_a[0] == last_row_b[0]


def test_add_plans_agrees_with_its_naive_twin(random):
    plans = np.zeros((SERIES, LONG), dtype=np.int64)
    blocks = np.zeros((SERIES, -(-LONG // kernels.BLOCK)), dtype=np.int64)
    totals, ends = np.zeros((2, SERIES), dtype=np.int64)
    series, slot, row, wafers = some_postings(random)
    row = random.integers(0, LONG, row.size)
    expected = np.zeros_like(plans)
    for n in range(series.size):
        if slot[n] >= MOVEMENTS:
            expected[series[n], row[n]] += wafers[n]

    kernels.add_plans(plans, blocks, totals, ends, MOVEMENTS, series, slot, row, wafers)

    assert (plans == expected).all()
    assert (blocks == blocks_of(expected)).all()
    assert (totals == expected.sum(axis=1)).all()
    assert ends.tolist() == [
        max((int(row[n]) + 1 for n in range(series.size) if series[n] == each and slot[n] >= MOVEMENTS), default=0)
        for each in range(SERIES)
    ]


def test_choose_series_agrees_with_its_naive_twin(random):
    series, of_key = random.integers(-1, 50, (6, PLANS)), random.integers(0, GROUPS, 6)
    keys, slots = random.permutation(6)[:4], random.permutation(PLANS)[:2]
    columns = np.full((3, 8), 99)
    expected = [
        (series[key, slot], place, of_key[key])
        for key in keys for place, slot in enumerate(slots) if series[key, slot] >= 0
    ]  # fmt: skip

    count = kernels.choose_series(*columns, series, keys, of_key, slots)

    assert columns[:, :count].T.tolist() == [list(each) for each in expected]


@pytest.mark.parametrize(("since", "until"), [(-1, 0), (-1, 12), (0, 0), (0, 12), (3, 4), (5, 12)])
def test_sum_movements_agrees_with_its_naive_twin(random, since, until):
    daily, (series, movement, group) = some(random, ROWS + 1, SERIES), some_choice(random, MOVEMENTS, GROUPS)
    sums = np.zeros((MOVEMENTS, GROUPS), dtype=np.int64)
    expected = np.zeros_like(sums)
    for n in range(series.size):
        expected[movement[n], group[n]] += daily[since + 1 : until + 1, series[n]].sum()

    kernels.sum_movements(sums, daily.cumsum(axis=0), series, movement, group, since, until)

    assert (sums == expected).all()


@pytest.mark.parametrize(("first", "last_row"), [(0, 0), (0, 7), (7, 7), (5, ROWS)])
def test_sum_movement_curves_agrees_with_its_naive_twin(random, first, last_row):
    cumulative, (series, group, sign) = some_cumulative(random), some_choice(random, GROUPS, 2)
    sign = 2 * sign - 1
    curves = np.zeros((GROUPS, LAST + 1), dtype=np.int64)
    expected = np.zeros_like(curves)
    for row in range(first, LAST + 1):
        for n in range(series.size):
            expected[group[n], row] += sign[n] * cumulative[min(row, last_row), series[n]]

    kernels.sum_movement_curves(curves, cumulative, first, last_row, series, sign, group)

    assert (curves == expected).all()


@pytest.mark.parametrize(
    ("since", "until"), [(-1, 0), (-1, 99), (0, 0), (0, 33), (3, 4), (5, 37), (5, 38), (31, 63), (31, 64), (30, 98)]
)
def test_sum_plans_agrees_with_its_naive_twin(random, since, until):
    plans, (series, line, group) = some(random, SERIES, LONG), some_choice(random, 2, GROUPS)
    sums = np.zeros((2, GROUPS), dtype=np.int64)
    expected = np.zeros_like(sums)
    for n in range(series.size):
        expected[line[n], group[n]] += plans[series[n], since + 1 : until + 1].sum()

    kernels.sum_plans(sums, plans, blocks_of(plans), series, line, group, since, until)

    assert (sums == expected).all()


def test_sum_plan_curves_agrees_with_its_naive_twin(random):
    plans, (series, group) = some(random, SERIES, LAST + 1), some_choice(random, GROUPS)
    ends = random.integers(0, LAST + 2, SERIES)
    plans[np.arange(LAST + 1) >= ends[:, None]] = 0
    curves = np.zeros((GROUPS, LAST + 1), dtype=np.int64)
    expected = np.zeros_like(curves)
    for n in range(series.size):
        expected[group[n]] += plans[series[n]]

    kernels.sum_plan_curves(curves, plans, ends, series, group)

    assert (curves == expected).all()


def pairs(daily, series, day):
    """The days of a series that are not zero, each followed by its wafers."""
    return [number for row, wafers in enumerate(daily[:, series]) if wafers for number in (day + row, int(wafers))]


def places(lengths):
    """Where each of some series begins when they lie one behind the other with a number between them."""
    return np.cumsum([0, *(length + 1 for length in lengths[:-1])])


@pytest.mark.parametrize("last_row", [0, 7, ROWS])
def test_moved_days_are_counted_and_packed_as_by_their_naive_twin(random, last_row):
    daily = some(random, LAST + 1, SERIES) * random.integers(0, 2, (LAST + 1, SERIES))
    daily[last_row + 1 : LAST] = 0
    filled, series = np.full(SERIES, 99), np.array([4, 1])
    expected = [pairs(daily, each, 1000) for each in range(SERIES)]
    packed, place = np.full(99, 77), places([len(expected[each]) for each in series])

    kernels.count_moved_days(filled, daily[:LAST].cumsum(axis=0), daily[LAST].copy(), last_row)
    kernels.pack_moved_days(packed, place, daily[:LAST].cumsum(axis=0), daily[LAST].copy(), last_row, series, 1000)

    assert filled.tolist() == [len(each) // 2 for each in expected]
    cells = [*expected[4], 77, *expected[1]]
    assert packed.tolist() == cells + [77] * (99 - len(cells))
    assert place.tolist() == [len(expected[4]), len(cells)]


def test_planned_days_are_counted_and_packed_as_by_their_naive_twin(random):
    daily = some(random, LAST + 1, SERIES) * random.integers(0, 2, (LAST + 1, SERIES))
    filled, series = np.full(SERIES, 99), np.array([4, 1])
    expected = [pairs(daily, each, 1000) for each in range(SERIES)]
    packed, place = np.full(99, 77), places([len(expected[each]) for each in series])

    kernels.count_planned_days(filled, daily.T.copy())
    kernels.pack_planned_days(packed, place, daily.T.copy(), series, 1000)

    assert filled.tolist() == [len(each) // 2 for each in expected]
    cells = [*expected[4], 77, *expected[1]]
    assert packed.tolist() == cells + [77] * (99 - len(cells))
    assert place.tolist() == [len(expected[4]), len(cells)]
