"""The kernels of the windows at instants on random arrays."""

import numpy as np
import pytest

from services.aggregator.kernels import instants as kernels
from tests.unit.aggregator.kernels.test_window_kernels import KEYS, some_events


@pytest.mark.parametrize("seed", range(5))
def test_merge_late_sorts_and_put_back_undoes_it(seed):
    random = np.random.default_rng(seed)
    time, key, _, wafers = some_events(random)
    survey, late, tied = np.empty(3, dtype=np.int64), *np.empty((2, time.size), dtype=np.int32)
    by_time, (key_by_time, wafers_by_time) = np.empty_like(time), np.empty((2, time.size), dtype=np.int32)

    kernels.survey_instants(survey, late, tied, time, key, KEYS, 10**6)
    late = late[: survey[1]]
    late_by_time = late[time[late].argsort()]
    time_late, turn = np.append(time[late_by_time], kernels.EVER), np.full(late.size + 1, time.size)
    count = kernels.merge_late(
        by_time, key_by_time, wafers_by_time, turn, tied, time, key, wafers, late_by_time, time_late
    )

    assert survey[0] == time.size
    assert late.tolist() == np.flatnonzero(time < np.maximum.accumulate(time)).tolist()
    assert by_time.tolist() == sorted(time.tolist())
    assert tied[:count].tolist() == (np.flatnonzero(np.diff(by_time) == 0) + 1).tolist()

    for merged, given in (
        (by_time, time),
        (key_by_time.astype(np.int64), key),
        (wafers_by_time.astype(np.int64), wafers),
    ):
        kernels.put_back(merged, np.empty(late.size, dtype=np.int64), turn, late, late_by_time)

        assert (merged == given).all()
