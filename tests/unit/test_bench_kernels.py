"""What the benchmark's contenders answer, on an event or two a day: each that is installed here agrees with numpy."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from bench import workloads
from bench.kernels import FULL, OURS, PEERS, SORTED, Contender
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
