"""W2 with temporian. It takes a whole history, so that it has no W3."""

import numpy as np
import temporian as tp

from bench.workloads import INSTANT_MS, Events, Ints


class Instants:
    """W2: indexed by key, then a moving sum."""

    def __init__(self, events: Events) -> None:
        """Make the event set, its times in seconds as it wants them, its events numbered."""
        # in seconds of a float64, a millisecond of these years is as exact as it needs to be
        self.events = tp.event_set(
            timestamps=events.time / 1000,
            features={"key": events.key, "net": events.signed.astype(np.int64), "place": np.arange(events.time.size)},
        )

    def run(self) -> tuple[tp.EventSet, tp.EventSet]:
        """Return the net at each event, by key."""
        by_key = self.events.add_index("key")
        return by_key["net"].moving_sum(window_length=INSTANT_MS / 1000), by_key

    @staticmethod
    def answer(result: tuple[tp.EventSet, tp.EventSet]) -> Ints:
        """Say it in the order of arrival."""
        nets, by_key = result
        place = by_key.schema.feature_names().index("place")
        net = np.empty(sum(data.timestamps.size for data in nets.data.values()), dtype=np.int64)
        for key, data in nets.data.items():
            net[by_key.data[key].features[place]] = data.features[0]
        return net
