"""What the benchmark's contenders answer, on an event or two a day: each that is installed here agrees with numpy."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from bench import workloads
from bench.kernels import FULL, OURS, PEERS, SORTED, Contender, Measured, best_of, limit_of
from bench.limits import Limits
from bench.peers.worker import Streaming, Whole

KEYS, EVENTS, DAYS = 5, 200, 120
WHOLE = [(w, c) for w in ("w1", "w2") for c in (OURS[w], *PEERS[w])] + [("w2", SORTED)]
STREAMED = [OURS["w3"], FULL, *PEERS["w3"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events")
    events = workloads.make_events(EVENTS, KEYS, DAYS, late=0.3)
    at_once = events.time.copy()
    at_once[100:110] = at_once[100]  # events at the same instant
    events = events._replace(time=at_once)
    workloads.save_events(folder, events)
    workloads.save_history(folder, workloads.history_of(events))
    np.save(folder / "net.npy", workloads.net_at_each(events))
    return folder


def class_of(contender: Contender) -> type:
    package = contender.module if contender.environment else "numpy"
    pytest.importorskip(package)
    kind = getattr(importlib.import_module(contender.path), contender.kind)
    assert isinstance(kind, type)
    return kind


@pytest.mark.parametrize(("workload", "contender"), WHOLE, ids=lambda value: getattr(value, "name", value))
def test_a_whole_history_is_answered_as_by_numpy(workload: str, contender: Contender, folder: Path) -> None:
    whole = Whole(class_of(contender), folder, workload, KEYS)

    assert whole.run()["wrong"] is None
    assert whole.run()["wrong"] is None  # what is written over is written over in full


@pytest.mark.parametrize("contender", STREAMED, ids=lambda contender: contender.name)
def test_batches_are_answered_as_by_numpy(contender: Contender, folder: Path) -> None:
    streaming = Streaming(class_of(contender), folder, contender.full, size=8)

    assert streaming.run(5) == {"cpu_us": pytest.approx([0] * 5, abs=1e9), "wrong": None}
    assert streaming.run(5)["wrong"] is None


def test_some_keys_of_all_are_compared_with_their_own(folder: Path) -> None:
    whole = Whole(class_of(OURS["w1"]), folder, "w1", keys=2)

    assert whole.run()["wrong"] is None


def test_a_wrong_value_is_found(folder: Path) -> None:
    events = workloads.load_events(folder)
    history = workloads.history_of(events)
    history.balance[3, 40] += 1

    assert "balance[3, 40]" in str(workloads.wrong_history(folder, history, KEYS))


def test_a_day_is_the_sum_of_its_events(folder: Path) -> None:
    events = workloads.load_events(folder)
    daily = workloads.daily_sums(events)
    naive = np.zeros_like(daily)
    for time, key, side, wafers in zip(*(column.tolist() for column in events[:4]), strict=True):
        naive[side, key, (time - workloads.START_MS) // workloads.DAY_MS] += wafers

    assert (daily == naive).all()


def test_a_window_is_the_sum_of_its_days(folder: Path) -> None:
    events = workloads.load_events(folder)
    daily = workloads.daily_sums(events)
    history = workloads.history_of(events)
    naive = [[daily[0, key, max(0, day - 29) : day + 1].sum() for day in range(DAYS)] for key in range(KEYS)]

    assert (np.array(naive) == history.supply[1]).all()


def test_the_net_at_an_instant_is_that_of_its_window(folder: Path) -> None:
    events = workloads.load_events(folder)
    net = workloads.net_at_each(events)

    for time, key, expected in zip(events.time, events.key, net, strict=True):
        inside = (events.key == key) & (events.time <= time) & (events.time > time - workloads.INSTANT_MS)
        assert events.signed[inside].sum() == expected


def measured(*rounds: float, failed: str | None = None) -> Measured:
    one = Measured()
    one.rounds, one.failed = list(rounds), failed
    return one


def test_who_is_wrong_is_not_ranked() -> None:
    wrong, slow, slower, *others = PEERS["w2"]
    table = {OURS["w2"]: measured(1, 2), wrong: measured(0.5, 0.5, failed="wrong: net[0] is 1, not 2")}
    table |= {slow: measured(3, 8), slower: measured(9)} | {other: measured(failed="no") for other in others}

    assert best_of(table, "w2") == (slow.name, 3.5)  # of 3 and 4: each round is compared with its own


def test_a_limit_counts_the_bytes_that_must_be_moved() -> None:
    limits = Measured()
    limits.rates = [{"read": 17.0, "write": 1.0, "write past the cache": 8.0, "sum of a key": 0.5, "batch": 0.25}]

    limit = limit_of(limits, keys=1, events=100)

    assert limit.w1 == 100 + 10 * workloads.DAYS + 1
    assert limit.w2 == 400
    assert limit.w3 == 0.25


def test_the_limits_are_measured_by_loops_that_do_their_work() -> None:
    limits = Limits(workloads.make_events(5_000, 10), streamed=8_000)

    assert all(rate > 0 for rate in limits.run().values())
    assert limits.column.min() == 1
    assert (limits.target == 1).all()  # the copy comes last
    supplied, demanded = limits.streamed[1]
    assert 0 < demanded.sum() != supplied.sum() > 0
