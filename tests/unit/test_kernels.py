"""Each kernel against its naive twin, on random arrays."""

import numpy as np
import pytest

from services.aggregator import kernels

ROWS, MOVEMENTS, PLANS, KEYS, GROUPS = 12, 3, 4, 5, 3
LAST = ROWS + 1  # the row that holds what lies beyond


@pytest.fixture(params=range(5))
def random(request):
    return np.random.default_rng(request.param)


def some(random, *shape):
    return random.integers(-9, 10, shape)


def some_groups(random):
    return random.integers(-1, GROUPS, KEYS)


def some_postings(random, slots, count=200):
    return [random.integers(0, high, count) for high in (KEYS, slots, LAST + 1)] + [some(random, count)]


def some_cumulative(random):
    return some(random, ROWS + 1, MOVEMENTS, KEYS).cumsum(axis=0)


def test_roll_over_agrees_with_its_naive_twin(random):
    cumulative = np.zeros((ROWS + 1, MOVEMENTS, KEYS), dtype=np.int64)
    cumulative[:5] = some(random, 5, MOVEMENTS, KEYS)
    rolled = np.array([4])
    expected = cumulative.tolist()
    for row in range(5, 10):
        expected[row] = [[*measure[:3], 0, 0] for measure in expected[4]]

    kernels.roll_over(cumulative, rolled, 9, 3)

    assert cumulative.tolist() == expected
    assert rolled[0] == 9


def test_roll_over_never_goes_back(random):
    cumulative = some_cumulative(random)
    rolled, before = np.array([6]), cumulative.copy()

    kernels.roll_over(cumulative, rolled, 2, KEYS)

    assert (cumulative == before).all()
    assert rolled[0] == 6


def test_add_movements_agrees_with_its_naive_twin(random):
    cumulative = np.zeros((ROWS + 1, MOVEMENTS, KEYS), dtype=np.int64)
    beyond, rolled = np.zeros((MOVEMENTS, KEYS), dtype=np.int64), np.zeros(1, dtype=np.int64)
    key, slot, row, wafers = some_postings(random, MOVEMENTS + PLANS)
    daily = np.zeros((LAST + 1, MOVEMENTS, KEYS), dtype=np.int64)
    for n in range(key.size):
        if slot[n] < MOVEMENTS:
            daily[row[n], slot[n], key[n]] += wafers[n]

    for half in (slice(0, 100), slice(100, None)):
        kernels.add_movements(cumulative, beyond, rolled, KEYS, key[half], slot[half], row[half], wafers[half])

    assert (cumulative[: rolled[0] + 1] == daily[: rolled[0] + 1].cumsum(axis=0)).all()
    assert not cumulative[rolled[0] + 1 :].any()
    assert (beyond == daily[LAST]).all()
    assert rolled[0] == max(row[(slot < MOVEMENTS) & (row < LAST)])


def test_add_plans_agrees_with_its_naive_twin(random):
    plans = np.zeros((KEYS, PLANS, LAST + 1), dtype=np.int64)
    totals = np.zeros((KEYS, PLANS), dtype=np.int64)
    key, slot, row, wafers = some_postings(random, MOVEMENTS + PLANS)
    expected = np.zeros_like(plans)
    for n in range(key.size):
        if slot[n] >= MOVEMENTS:
            expected[key[n], slot[n] - MOVEMENTS, row[n]] += wafers[n]

    kernels.add_plans(plans, totals, MOVEMENTS, key, slot, row, wafers)

    assert (plans == expected).all()
    assert (totals == expected.sum(axis=2)).all()


@pytest.mark.parametrize(("since", "until"), [(-1, 0), (-1, 12), (0, 0), (0, 12), (3, 4), (5, 12)])
def test_sum_movements_agrees_with_its_naive_twin(random, since, until):
    daily, group = some(random, ROWS + 1, MOVEMENTS, KEYS), some_groups(random)
    sums = np.zeros((MOVEMENTS, GROUPS), dtype=np.int64)
    expected = np.zeros_like(sums)
    for key in range(KEYS):
        if group[key] >= 0:
            expected[:, group[key]] += daily[since + 1 : until + 1, :, key].sum(axis=0)

    kernels.sum_movements(sums, daily.cumsum(axis=0), group, since, until)

    assert (sums == expected).all()


@pytest.mark.parametrize(("first", "rolled"), [(0, 0), (0, 7), (7, 7), (5, ROWS)])
def test_sum_movement_curves_agrees_with_its_naive_twin(random, first, rolled):
    cumulative, group, sign = some_cumulative(random), some_groups(random), np.array([1, 0, -1])
    curves = np.zeros((GROUPS, LAST + 1), dtype=np.int64)
    expected = np.zeros_like(curves)
    for row in range(first, LAST + 1):
        for key in range(KEYS):
            if group[key] >= 0:
                known = cumulative[min(row, rolled), :, key]
                expected[group[key], row] += known[0] - known[2]

    kernels.sum_movement_curves(curves, cumulative, first, rolled, sign, group)

    assert (curves == expected).all()


@pytest.mark.parametrize(("since", "until"), [(-1, 0), (-1, LAST), (0, 0), (0, ROWS), (3, 4), (5, LAST)])
def test_sum_plans_agrees_with_its_naive_twin(random, since, until):
    plans, group, plan = some(random, KEYS, PLANS, LAST + 1), some_groups(random), np.array([2, 0])
    sums = np.zeros((2, GROUPS), dtype=np.int64)
    expected = np.zeros_like(sums)
    for key in range(KEYS):
        if group[key] >= 0:
            for choice in range(2):
                expected[choice, group[key]] += plans[key, plan[choice], since + 1 : until + 1].sum()

    kernels.sum_plans(sums, plans, plan, group, since, until)

    assert (sums == expected).all()


def test_sum_plan_curves_agrees_with_its_naive_twin(random):
    plans, group, plan = some(random, KEYS, PLANS, LAST + 1), some_groups(random), np.array([3, 1])
    curves = np.zeros((GROUPS, LAST + 1), dtype=np.int64)
    expected = np.zeros_like(curves)
    for key in range(KEYS):
        if group[key] >= 0:
            expected[group[key]] += plans[key, 3] + plans[key, 1]

    kernels.sum_plan_curves(curves, plans, plan, group)

    assert (curves == expected).all()


@pytest.mark.parametrize("past_due", [0, 1])
@pytest.mark.parametrize("today", [1, 6, ROWS])
def test_project_balances_agrees_with_its_naive_twin(random, today, past_due):
    supplied, receipts, required = (some(random, GROUPS, LAST + 1) for _ in range(3))
    days = ROWS + 1 - today
    balance = np.full((GROUPS, days), 99)
    first_short, first_shortage, shortage = (np.full(GROUPS, 99) for _ in range(3))
    expected = []
    for group in range(GROUPS):
        for row in range(today, ROWS + 1):
            expected_receipts = receipts[group, 0 if past_due else today : row + 1].sum()
            expected.append(int(supplied[group, row] + expected_receipts - required[group, : row + 1].sum()))

    kernels.project_balances(
        balance, first_short, first_shortage, shortage, supplied, receipts, required, today, past_due
    )

    assert balance.ravel().tolist() == expected
    for group in range(GROUPS):
        short = [(today + n, -wafers) for n, wafers in enumerate(balance[group].tolist()) if wafers < 0]
        assert (first_short[group], first_shortage[group]) == (short[0] if short else (-1, 0))
        assert shortage[group] == max((wafers for _, wafers in short), default=0)


@pytest.mark.parametrize("rolled", [0, 7, ROWS])
def test_read_daily_agrees_with_its_naive_twin(random, rolled):
    cumulative, beyond = some_cumulative(random), some(random, MOVEMENTS, KEYS)
    daily, key = np.full((3, MOVEMENTS, LAST + 1), 99), np.array([4, 1])
    expected = np.zeros((2, MOVEMENTS, LAST + 1), dtype=np.int64)
    for n in range(2):
        for row in range(rolled + 1):
            before = cumulative[row - 1, :, key[n]] if row else 0
            expected[n, :, row] = cumulative[row, :, key[n]] - before
        expected[n, :, LAST] = beyond[:, key[n]]

    kernels.read_daily(daily, cumulative, beyond, rolled, key)

    assert (daily[:2] == expected).all()
