"""The rolling net at each event's instant against its naive twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.fold.instants import TIME_MAX, Scratch, net_at_instants
from testing.twins.windows import naive_instants

KEYS = 4
events = st.lists(st.tuples(st.integers(-30, 30), st.integers(0, KEYS - 1), st.integers(-9, 30)), max_size=60)
quick = settings(max_examples=200, deadline=None)


def columns(log):
    time, key, wafers = ([row[n] for row in log] for n in range(3))
    return np.array(time, dtype=np.int64), np.array(key, dtype=np.int32), np.array(wafers, dtype=np.int32)


@quick
@given(events, st.integers(1, 70), st.sampled_from(["given", "sorted", "nearly"]))
def test_instants_agree_with_their_naive_twin_under_any_kernel(log, window, order):
    log = log if order == "given" else sorted(log)
    if order == "nearly" and log:
        log.append(log.pop(len(log) // 2))

    assert net_at_instants(*columns(log), window, keys=KEYS).tolist() == naive_instants(log, window)


@quick
@given(events, st.randoms())
def test_the_order_given_does_not_matter(log, random):
    places = random.sample(range(len(log)), len(log))
    net = net_at_instants(*columns(log), 7, keys=KEYS)

    shuffled = net_at_instants(*columns([log[place] for place in places]), 7, keys=KEYS)

    assert shuffled.tolist() == net[places].tolist()


@pytest.mark.parametrize("late", [0, 0.02, 0.5])
@pytest.mark.parametrize("instants", [3, 400, 100_000])
def test_many_events_agree_with_their_naive_twin_under_any_kernel(late, instants):
    random = np.random.default_rng(instants)
    time = np.sort(random.integers(0, instants, 1_500))
    time -= np.where(random.random(time.size) < late, random.integers(0, instants, time.size), 0)
    log = list(zip(time.tolist(), random.integers(0, KEYS, 1_500), random.integers(-5, 26, 1_500), strict=True))

    net = net_at_instants(*columns(log), instants // 3, keys=KEYS)

    assert net.tolist() == naive_instants(log, instants // 3)


def test_the_greatest_wafers_and_times_add_up():
    log = [(-TIME_MAX, 0, 2**31 - 1), (-TIME_MAX, 0, 2**31 - 1), (TIME_MAX, 0, -(2**31))]

    net = net_at_instants(*columns(log), TIME_MAX, keys=1)

    assert net.tolist() == [2**32 - 2, 2**32 - 2, -(2**31)]


def test_out_is_filled_and_returned():
    out = np.empty(2, dtype=np.int64)

    assert net_at_instants(*columns([(1, 0, 5), (2, 0, 6)]), 9, keys=1, out=out) is out
    assert out.tolist() == [5, 11]


@quick
@given(events, st.randoms())
def test_scratch_of_earlier_events_changes_nothing(log, random):
    scratch = Scratch.of(len(log))
    for _ in range(2):
        random.shuffle(log)

        assert net_at_instants(*columns(log), 7, keys=KEYS, scratch=scratch).tolist() == naive_instants(log, 7)


@pytest.mark.parametrize("at", [0, 1, 2_047, 2_048, 4_999])
@pytest.mark.parametrize(
    ("column", "wrong", "message"),
    [
        (0, TIME_MAX + 1, r"time\[{}\] is 2305843009213693953"),
        (0, -TIME_MAX - 1, r"time\[{}\] is -2305843009213693953"),
        (0, -(2**63), r"time\[{}\] is -9223372036854775808"),
        (1, KEYS, r"key\[{}\] is 4, not 0 to 3"),
        (1, -1, r"key\[{}\] is -1, not 0 to 3"),
    ],
)
def test_the_row_that_is_out_of_bounds_is_named(at, column, wrong, message):
    log = [[n, 1, 1] for n in range(5_000)]
    log[at][column] = wrong

    with pytest.raises(ValueError, match=message.format(at)):
        net_at_instants(*columns(log), 30, keys=KEYS)


@pytest.mark.parametrize("window", [0, TIME_MAX + 1])
def test_a_window_that_makes_no_sense_is_refused(window):
    with pytest.raises(ValueError, match="window is"):
        net_at_instants(*columns([(1, 0, 5)]), window, keys=1)


def test_columns_of_different_lengths_are_refused():
    time, key, wafers = columns([(1, 0, 5), (2, 0, 6)])

    with pytest.raises(ValueError, match="key has 1 rows, time has 2"):
        net_at_instants(time, key[:1], wafers, 9, keys=1)
    with pytest.raises(ValueError, match="scratch has 1 rows, time has 2"):
        net_at_instants(time, key, wafers, 9, keys=1, scratch=Scratch.of(1))
    with pytest.raises(ValueError, match="out has 1 rows, time has 2"):
        net_at_instants(time, key, wafers, 9, keys=1, out=np.empty(1, dtype=np.int64))
