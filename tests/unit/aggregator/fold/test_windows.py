"""The rolling windows over days, in bulk and live, against their naive twins."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.aggregator.fold.windows import KEYS_MAX, LiveWindows, roll_history
from testing.rolling_sums import RollingSums
from testing.twins.windows import naive_history, naive_windows

FIRST_DAY, START, DAYS = date(2025, 1, 1), 20_089, 40
LAST = START + DAYS - 1

quick = settings(max_examples=80, deadline=None)
wafers = st.integers(-9, 30)
movements = st.lists(
    st.tuples(st.integers(START - 3, LAST + 3), st.integers(0, 4), st.integers(0, 1), wafers), max_size=40
)
spans = st.lists(st.integers(1, DAYS + 5), min_size=2, max_size=4, unique=True).map(sorted)
cuts = st.lists(st.integers(0, 40), max_size=5)


def columns(log):
    return [np.array([row[n] for row in log], dtype=np.int64) for n in range(4)]


def batches(log, cuts):
    edges = [0, *sorted(cut % (len(log) + 1) for cut in cuts), len(log)]
    return [log[a:b] for a, b in pairwise(edges)]


def figures_of(rolled, n):
    """What `LiveWindows.add` says of the n-th touched key, as the naive twin says it."""
    return rolled.windows[..., n].tolist(), [int(part[n]) for part in rolled[2:]]


def read_windows(rolling, keys, day):
    """The windows of some keys: movements of no wafers touch them."""
    rolled = rolling.add(*columns([(day, key, 0, 0) for key in keys]))
    return [figures_of(rolled, n) for n in range(len(keys))]


# ---------------------------------------------------------------- a whole history


def history(log, *, days=DAYS, windows=(1, 7, 30), opening=0, ticks=1, hour=0, **others):
    day, key, side, wafers = columns(log)
    given = day * ticks + hour, key.astype(np.int32), side.astype(np.uint8), wafers.astype(np.int32)
    return roll_history(
        *given, keys=5, start=FIRST_DAY, days=days, windows=windows, opening=opening, ticks=ticks, **others
    )


events = st.lists(st.tuples(st.integers(START, LAST), st.integers(0, 4), st.integers(0, 1), wafers), max_size=60)


@quick
@given(events, spans, st.integers(-20, 20), st.sampled_from([1, 24, 86_400_000]), st.booleans())
def test_a_history_agrees_with_its_naive_twin_under_any_kernel(log, windows, opening, ticks, by_time):
    log = sorted(log) if by_time else log
    naive = naive_history([(day - START, *rest) for day, *rest in log], 5, DAYS, windows, opening)

    rolled = history(log, windows=windows, opening=opening, ticks=ticks, hour=ticks - 1)

    assert (rolled.sums.tolist(), rolled.balance.tolist(), rolled.first_short.tolist()) == naive


@quick
@given(events, events)
def test_a_history_can_be_written_over(before, log):
    fresh = history(log)

    again = history(log, out=history(before))

    assert all((a == b).all() for a, b in zip(again, fresh, strict=True))


def test_each_key_has_its_own_opening():
    rolled = history([(START, 0, 1, 5)], opening=np.array([3, 4, -1, 0, 0]))

    assert rolled.balance[0].tolist() == [-2, 4, -1, 0, 0]
    assert rolled.first_short.tolist() == [0, -1, 0, -1, -1]


@pytest.mark.parametrize("sign", [1, -1])
def test_days_that_leave_int32_are_summed_in_int64(sign):
    most = sign * (2**31 - 1)

    rolled = history([(START, 0, 0, most), (START, 1, 1, 7), (START, 0, 0, 2 * sign)], windows=(1, 2))

    assert rolled.daily.dtype == np.int64
    assert rolled.sums[1, 0, 1, 0] == sign * (2**31 + 1)
    assert rolled.balance[0, :2].tolist() == [sign * (2**31 + 1), -7]


@pytest.mark.parametrize("at", [0, 1, 4_095, 4_096, 9_999])
@pytest.mark.parametrize(
    ("column", "wrong", "message"),
    [
        (0, START - 1, rf"time\[{{}}\] is {START - 1}, not {START} to {LAST}"),
        (0, LAST + 1, rf"time\[{{}}\] is {LAST + 1}, not {START} to {LAST}"),
        (0, -(2**63), r"time\[{}\] is -9223372036854775808, not "),
        (0, 2**63 - 1, r"time\[{}\] is 9223372036854775807, not "),
        (1, 5, r"key\[{}\] is 5, not 0 to 4"),
        (1, -1, r"key\[{}\] is -1, not 0 to 4"),
        (2, 2, r"side\[{}\] is 2, not 0 to 1"),
        (2, 255, r"side\[{}\] is 255, not 0 to 1"),
    ],
)
def test_a_history_names_the_row_that_is_out_of_bounds(at, column, wrong, message):
    log = [[START, 1, 0, 1] for _ in range(10_000)]
    log[at][column] = wrong

    with pytest.raises(ValueError, match=message.format(at)):
        history(log)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"days": 0}, "days is 0"),
        ({"windows": (7, 0)}, r"windows\[1\] is 0"),
        ({"keys": 0}, "keys is 0"),
        ({"keys": KEYS_MAX + 1}, "keys is"),
        ({"start": date(1969, 12, 31)}, "before 1970"),
        ({"ticks": 0}, "ticks is 0"),
        ({"opening": np.array([0, 2**62 + 1, 0, 0, 0])}, r"opening\[1\] is 4611686018427387905"),
    ],
)
def test_a_history_refuses_what_it_cannot_hold(others, message):
    empty = [np.empty(0, dtype=dtype) for dtype in (np.int64, np.int32, np.uint8, np.int32)]

    with pytest.raises(ValueError, match=message):
        roll_history(*empty, **{"keys": 5, "start": FIRST_DAY, "days": DAYS, "ticks": 1} | others)


def test_columns_of_different_lengths_are_refused():
    day, key, side, wafers = columns([(START, 0, 0, 1)] * 3)
    short = key[:2].astype(np.int32), side.astype(np.uint8), wafers.astype(np.int32)

    with pytest.raises(ValueError, match="key has 2 rows, time has 3"):
        roll_history(day, *short, keys=5, start=FIRST_DAY, days=DAYS, ticks=1)
    with pytest.raises(ValueError, match="key has 2 rows, day has 3"):
        LiveWindows(FIRST_DAY, DAYS).add(day, key[:2], side, wafers)


# ---------------------------------------------------------------- live windows


@settings(max_examples=150, deadline=None)
@given(movements, spans, cuts)
@example([(START, 0, 1, 5), (LAST, 0, 0, 9), (START - 1, 0, 1, 5), (LAST + 1, 0, 1, 5)], [1, DAYS], [1, 2, 3])
def test_live_windows_agree_with_their_naive_twin_under_any_kernel(log, windows, cuts):
    rolling, sums = LiveWindows(FIRST_DAY, DAYS, windows, keys=1), RollingSums(FIRST_DAY, DAYS, windows, keys=1)
    so_far = []
    for batch in batches(log, cuts):
        so_far += batch
        rolled, summed = rolling.add(*columns(batch)), sums.add(*columns(batch))

        assert rolled.keys.tolist() == summed.keys.tolist() == list(dict.fromkeys(key for _, key, *_ in batch))
        for n, key in enumerate(rolled.keys.tolist()):
            naive = naive_windows(so_far, key, START, DAYS, windows)
            assert figures_of(rolled, n) == naive
            assert summed.windows[n].tolist() == [figures[:3] for figures in naive[0]]


@quick
@given(movements, cuts, st.randoms())
def test_neither_order_nor_batches_matter_in_the_end(log, cuts, random):
    one, other = (LiveWindows(FIRST_DAY, DAYS, (1, 7, 30), keys=1) for _ in range(2))
    one.add(*columns(log))
    for batch in batches(random.sample(log, len(log)), cuts):
        other.add(*columns(batch))

    assert one.today == other.today
    assert read_windows(one, range(5), one.today) == read_windows(other, range(5), other.today)
    assert (one.beyond[:, :5] == other.beyond[:, :5]).all()


@pytest.mark.parametrize("seed", range(3))
def test_two_years_with_lateness_of_300_days_agree_with_their_naive_twin_under_any_kernel(seed):
    random = np.random.default_rng(seed)
    days, windows, count = 700, (1, 7, 30, 90, 365), 6_000
    day = np.sort(random.integers(0, days, count))
    late = random.random(count)
    day -= np.where(late < 0.05, random.integers(0, 10, count), 0)
    day -= np.where(late < 0.005, random.integers(0, 300, count), 0)
    given = [START + day, random.integers(0, 6, count), random.integers(0, 2, count), random.integers(-2, 26, count)]
    log = list(zip(*(column.tolist() for column in given), strict=True))
    rolling, sums = (kind(FIRST_DAY, days, windows, keys=2) for kind in (LiveWindows, RollingSums))
    checked = 0
    for since in range(0, count, 40):
        batch = [np.ascontiguousarray(column[since : since + 40]) for column in given]
        rolled, summed = rolling.add(*batch), sums.add(*batch)
        if since % 400 == 0:
            for n, key in enumerate(rolled.keys.tolist()):
                naive = naive_windows(log[: since + 40], key, START, days, windows)
                assert figures_of(rolled, n) == naive
                assert summed.windows[n].tolist() == [figures[:3] for figures in naive[0]]
                checked += 1

    assert checked > 60


def test_a_batch_may_be_read_only():
    batch = columns([(START, 0, 0, 5)])
    for column in batch:
        column.flags.writeable = False

    assert LiveWindows(FIRST_DAY, DAYS).add(*batch).balance.tolist() == [5]


@pytest.mark.parametrize("kind", [LiveWindows, RollingSums])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((2**31, 0, 0, 1), r"day\[1\] is 2147483648"),
        ((-(2**63), 0, 0, 1), r"day\[1\] is -9223372036854775808"),
        ((START, -1, 0, 1), r"key\[1\] is -1"),
        ((START, KEYS_MAX, 0, 1), rf"key\[1\] is {KEYS_MAX}"),
        ((START, 0, 2, 1), r"side\[1\] is 2"),
        ((START, 0, -1, 1), r"side\[1\] is -1"),
        ((START, 0, 0, 2**40), r"wafers\[1\] is 1099511627776"),
        ((START, 0, 0, -(2**63)), r"wafers\[1\] is -9223372036854775808"),
    ],
)
def test_a_batch_with_a_wrong_row_is_refused_whole(kind, wrong, message):
    rolling, other = kind(FIRST_DAY, DAYS), kind(FIRST_DAY, DAYS)
    good = columns([(START, 0, 0, 5)])

    with pytest.raises(ValueError, match=message):
        rolling.add(*columns([(START + 3, 0, 0, 7), wrong]))

    assert rolling.today == START
    assert rolling.add(*good).windows.tolist() == other.add(*good).windows.tolist()


@pytest.mark.parametrize("kind", [LiveWindows, RollingSums])
def test_no_sum_can_leave_int64(kind):
    rolling = kind(FIRST_DAY, DAYS, (1, DAYS))
    batch = columns([(START, 0, 0, 2**40 - 1)] * 4_096)
    fits = rolling.wafers_total_max // (4_096 * (2**40 - 1))
    for _ in range(fits):
        rolling.add(*batch)

    with pytest.raises(ValueError, match="beyond"):
        rolling.add(*batch)
    assert rolling.add(*columns([(START, 0, 0, 0)])).windows.max() == fits * 4_096 * (2**40 - 1)


def test_cover_is_exact_at_the_greatest_balance():
    rolling = LiveWindows(FIRST_DAY, DAYS, (1, 7))
    rolled = rolling.add(*columns([(START, 0, 0, 2**40 - 2), (START, 0, 1, 1)]))

    assert rolled.cover.tolist() == [(2**40 - 3) * 700]


@pytest.mark.parametrize("windows", [(7,), (7, 7), (30, 7), (0, 7), (1, 40_001)])
def test_windows_that_make_no_sense_are_refused(windows):
    with pytest.raises(ValueError, match="windows"):
        LiveWindows(FIRST_DAY, DAYS, windows)


def test_memory_is_as_the_docstrings_say():
    windows, keys = (1, 7, 30), 128

    assert LiveWindows(FIRST_DAY, DAYS, windows, keys=keys).nbytes == keys * (24 * (DAYS + 1) + 8 * (3 + 3 + 4))
    assert RollingSums(FIRST_DAY, DAYS, windows, keys=keys).nbytes == keys * (16 * (DAYS + 1) + 16 * 3 + 24)
