"""The kernels of the rolling windows on random arrays: what they write, and what they leave alone."""

import numpy as np
import pytest

from services.aggregator.kernels import history as kernels
from testing.rolling_sums import add_sums

DAYS, KEYS = 12, 37  # no multiple of the lanes that are written at once


@pytest.fixture(params=range(5))
def random(request):
    return np.random.default_rng(request.param)


def some_events(random, count=500):
    time = np.sort(random.integers(0, DAYS * 10, count))
    late = np.where(random.random(count) < 0.1, random.integers(0, 30, count), 0)
    key, side = random.integers(0, KEYS, count).astype(np.int32), random.integers(0, 2, count).astype(np.uint8)
    return np.maximum(time - late, 0), key, side, random.integers(-5, 26, count).astype(np.int32)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_sum_days_agrees_with_its_naive_twin(random, dtype):
    time, key, side, wafers = some_events(random)
    daily, expected = np.full((DAYS, 2, KEYS), 99, dtype=dtype), np.zeros((DAYS, 2, KEYS), dtype=dtype)
    for n in range(time.size):
        expected[time[n] // 10, side[n], key[n]] += wafers[n]

    assert kernels.sum_days(daily, time, key, side, wafers, 0, 10) == time.size
    assert (daily == expected).all()


@pytest.mark.parametrize("at", [0, 250, 499])
def test_sum_days_stops_before_the_first_event_that_it_cannot_add(random, at):
    daily = np.zeros((DAYS, 2, KEYS), dtype=np.int32)
    for column, wrong in ((0, DAYS * 10), (0, -1), (1, KEYS), (1, -1), (2, 2)):
        events = some_events(random)
        events[column][at] = wrong

        assert kernels.sum_days(daily, *events, 0, 10) == at


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("offset", [0, 1])  # from where a line of the cache begins
@pytest.mark.parametrize("keys", [1, 7, 8, 9, 16, KEYS, kernels.KEYS_IN_L2 + 3, kernels.KEYS_IN_L2 + 8])
def test_roll_days_agrees_with_its_naive_twin(random, keys, offset, dtype):
    daily, opening = random.integers(-5, 26, (DAYS, 2, keys), dtype=dtype), random.integers(-9, 30, keys)
    windows = np.array([3, 1, 40])
    room, balance = np.empty(9 * DAYS * keys + 16, dtype=np.int64), np.empty((DAYS, keys), dtype=np.int64)
    first = -(room.ctypes.data // 8) % kernels.LANES + offset
    sums = room[first : first + 9 * DAYS * keys].reshape(3, 3, DAYS, keys)
    first_short = np.empty(keys, dtype=np.int64)
    net = daily[:, 0] - daily[:, 1]

    kernels.roll_days(sums, balance, first_short, daily, windows, opening)

    for n, window in enumerate(windows):
        for day in range(DAYS):
            inside = slice(max(0, day - window + 1), day + 1)
            assert (sums[n, :2, day] == daily[inside].sum(axis=0)).all()
            assert (sums[n, 2, day] == net[inside].sum(axis=0)).all()
    assert (balance == opening + net.cumsum(axis=0)).all()
    short = balance < 0
    assert (first_short == np.where(short.any(axis=0), short.argmax(axis=0), -1)).all()


def test_a_batch_that_is_refused_changes_nothing():
    moved, before = np.zeros((DAYS + 1, KEYS, 2), dtype=np.int64), np.zeros((KEYS, 2, 2), dtype=np.int64)
    beyond, stamp = np.zeros((2, KEYS), dtype=np.int64), np.zeros(KEYS, dtype=np.int64)
    state = np.array([1, 0, 0, 2**50, 0, 0, 1, 7])  # the windows are of 1 and 7 days
    touched, sums = np.empty(4, dtype=np.int64), np.empty((4, 2, 3), dtype=np.int64)
    right = np.array([3]), np.array([1]), np.array([0]), np.array([5])
    for column, wrong in (
        (0, 2**31),
        (0, -(2**31) - 1),
        (1, -1),
        (1, KEYS),
        (2, 2),
        (2, -1),
        (3, 2**40),
        (3, -(2**63)),
    ):
        batch = list(right)
        batch[column] = np.array([wrong])

        found = add_sums(moved, before, beyond, stamp, state, *batch, touched, sums)

        assert found == -1
        assert state.tolist() == [1, 0, 0, 2**50, 0, 0, 1, 7]
        assert not moved.any()
