"""The workloads with pandas."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.workloads import DAY_MS, INSTANT_MS, OPENING, START_MS, SUPPLY, WINDOWS, Events, History, Ints, Touched


class Rolled:
    """W1: a group by into days, made a table of days and keys, then distances between running totals."""

    def __init__(self, events: Events) -> None:
        """Make the frame."""
        self.keys, self.days = events.keys, events.days
        self.events = pd.DataFrame({name: getattr(events, name) for name in events._fields[:4]})

    def run(self) -> tuple[list[tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]], pd.DataFrame, pd.Series]:
        """Return supply, demand and net of each window, the balance, by day, and the first short days."""
        events = self.events
        day = (events["time"] - START_MS) // DAY_MS
        cell = (events["side"].astype(np.int64) * self.days + day) * self.keys + events["key"]
        sums = events["wafers"].groupby(cell, sort=False).sum().reindex(range(2 * self.days * self.keys), fill_value=0)
        daily = pd.DataFrame(sums.to_numpy().reshape(2 * self.days, self.keys))
        supply, demand = (
            daily.iloc[first : first + self.days].reset_index(drop=True).cumsum() for first in (0, self.days)
        )
        windows = []
        for window in WINDOWS:
            supplied = supply - supply.shift(window, fill_value=0)
            demanded = demand - demand.shift(window, fill_value=0)
            windows.append((supplied, demanded, supplied - demanded))
        balance = supply - demand + OPENING
        is_short = balance < 0
        return windows, balance, is_short.idxmax().where(is_short.any(), -1)

    @staticmethod
    def answer(result: tuple[list[tuple[pd.DataFrame, ...]], pd.DataFrame, pd.Series]) -> History:
        """Say it by day."""
        windows, balance, first_short = result
        supply, demand, net = zip(*((frame.to_numpy() for frame in each) for each in windows), strict=True)
        return History(True, supply, demand, net, balance.to_numpy(), first_short.to_numpy())


class Instants:
    """W2: a rolling window of time over each key, sorted by time.

    It cannot group events at one instant: each event of a key at that instant gets the value of the last.
    """

    def __init__(self, events: Events) -> None:
        """Make the frame."""
        self.events = pd.DataFrame(
            {"time": pd.to_datetime(events.time, unit="ms"), "key": events.key, "net": events.signed.astype(np.int64)}
        )

    def run(self) -> pd.Series:
        """Return the net at each event."""
        ordered = self.events.sort_values(["key", "time"], kind="stable")
        window = pd.Timedelta(milliseconds=INSTANT_MS)
        net = ordered.groupby("key").rolling(window, on="time")["net"].sum()
        net.index = ordered.index
        at_once = ordered.duplicated(["key", "time"], keep=False)
        its = ordered[at_once]
        net[at_once] = net[at_once].groupby([its["key"], its["time"]]).transform("last")
        return net

    @staticmethod
    def answer(result: pd.Series) -> Ints:
        """Say it in the order of arrival."""
        return result.sort_index().to_numpy().astype(np.int64)


class Streamed:
    """W3, sums alone: running sums of each key in a frame; the end of a day subtracts the wafers that leave."""

    def __init__(self, history: Events, windows: Sequence[int]) -> None:
        """Take the history."""
        self.windows, self.today = windows, int(history.day.max(initial=0))
        self.daily = [self.prepare(history)]
        self.sums = self._sum(self.daily[0]).reindex(range(history.keys), fill_value=0)

    @staticmethod
    def prepare(batch: Events) -> pd.DataFrame:
        """Make the frame, with the day instead of the time."""
        is_supply = batch.side == SUPPLY
        return pd.DataFrame(
            {
                "key": batch.key,
                "day": batch.day,
                "supply": np.where(is_supply, batch.wafers, 0).astype(np.int64),
                "demand": np.where(is_supply, 0, batch.wafers).astype(np.int64),
            }
        )

    def _sum(self, changes: pd.DataFrame) -> pd.DataFrame:
        """Return the sums of each window for each key."""
        parts = {}
        for window in self.windows:
            inside = changes["day"] > self.today - window
            for name in ("supply", "demand"):
                parts[f"{name}-{window}"] = changes[name].where(inside, 0)
        return pd.DataFrame(parts).groupby(changes["key"]).sum()

    def add(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the batch's keys."""
        newest = int(batch["day"].max())
        if newest > self.today:
            self._end_days(newest)
        self.daily.append(batch)
        changed = self._sum(batch)
        rows = self.sums.loc[changed.index] + changed
        self.sums.loc[changed.index] = rows
        for window in self.windows:
            rows[f"net-{window}"] = rows[f"supply-{window}"] - rows[f"demand-{window}"]
        return rows

    def _end_days(self, newest: int) -> None:
        """Subtract the wafers that leave the windows."""
        self.daily = [pd.concat(self.daily)]
        for window in self.windows:
            leaving = self.daily[0]["day"].between(self.today - window + 1, newest - window)
            gone = self.daily[0][leaving].groupby("key")[["supply", "demand"]].sum()
            self.sums.loc[gone.index, [f"supply-{window}", f"demand-{window}"]] -= gone.to_numpy()
        self.today = newest

    def answer(self, result: pd.DataFrame) -> Touched:
        """Say it in the order of the columns."""
        order = [f"{name}-{window}" for window in self.windows for name in ("supply", "demand", "net")]
        return Touched(result.index.to_numpy(), result[order].to_numpy())
