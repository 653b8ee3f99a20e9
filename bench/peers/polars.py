"""The workloads with polars, in expressions alone and with numpy's windows."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from bench.peers.numpy import Buffers, roll_by_day
from bench.workloads import (
    DAY_MS,
    INSTANT_MS,
    OPENING,
    START_MS,
    SUPPLY,
    WINDOWS,
    Events,
    History,
    Ints,
    Touched,
)

_DAY = ((pl.col("time") - START_MS) // DAY_MS).cast(pl.Int32)
_IS_SUPPLY = pl.col("side") == SUPPLY
_BOTH = {
    "supply": pl.when(_IS_SUPPLY).then("wafers").otherwise(0),
    "demand": pl.when(_IS_SUPPLY).then(0).otherwise("wafers"),
}


def _frame(events: Events) -> pl.DataFrame:
    return pl.DataFrame({name: getattr(events, name) for name in events._fields[:4]})


class Rolled:
    """W1: a group by into days, joined with all days, then distances between running totals."""

    def __init__(self, events: Events) -> None:
        """Make the frame, and the one of all days of all keys."""
        self.keys, self.days = events.keys, events.days
        self.events = _frame(events)
        self.cells = pl.DataFrame({"cell": np.arange(self.keys * self.days, dtype=np.int32)})

    def run(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the history, a row for each key and day, and the first short days."""
        both = ("supply", "demand")
        daily = (
            self.events.lazy()
            .select(cell=pl.col("key") * self.days + _DAY, **_BOTH)
            .group_by("cell")
            .agg(pl.col(both).sum())
        )
        dense = self.cells.lazy().join(daily, on="cell", how="left", maintain_order="left")
        day = pl.col("cell") % self.days
        # one running total over all keys, less its value before each key: five times as fast as `over`
        running = dense.select("cell", pl.col(both).fill_null(0).cast(pl.Int64).cum_sum()).with_columns(
            pl.col(name) - pl.when(day == 0).then(pl.col(name).shift(1, fill_value=0)).otherwise(None).forward_fill()
            for name in both
        )
        rolled = running.with_columns(
            (pl.col(name) - pl.when(day >= window).then(pl.col(name).shift(window)).otherwise(0)).alias(
                f"{name}-{window}"
            )
            for window in WINDOWS
            for name in both
        ).with_columns(
            *((pl.col(f"supply-{window}") - pl.col(f"demand-{window}")).alias(f"net-{window}") for window in WINDOWS),
            balance=pl.col("supply") - pl.col("demand") + OPENING,
        )
        history = rolled.drop(both).collect()
        first_short = (
            history.lazy()
            .filter(pl.col("balance") < 0)
            .group_by(key=pl.col("cell") // self.days)
            .agg(day=pl.col("cell").min() % self.days)
            .collect()
        )
        return history, first_short

    def answer(self, result: tuple[pl.DataFrame, pl.DataFrame]) -> History:
        """Say it by key."""
        history, short = result
        first_short = np.full(self.keys, -1)
        first_short[short["key"].to_numpy()] = short["day"].to_numpy()

        def by_key(name: str) -> Ints:
            return history[name].to_numpy().reshape(self.keys, self.days)

        supply, demand, net = (
            [by_key(f"{name}-{window}") for window in WINDOWS] for name in ("supply", "demand", "net")
        )
        return History(False, supply, demand, net, by_key("balance"), first_short)


class Grouped:
    """W1: a group by into days, numpy's windows."""

    def __init__(self, events: Events) -> None:
        """Make the frame and the arrays of the answer."""
        self.keys, self.days = events.keys, events.days
        self.events = _frame(events)
        self.buffers = Buffers((events.days, events.keys))

    def run(self) -> History:
        """Return the history, by day."""
        cell = (_DAY * 2 + pl.col("side").cast(pl.Int32)) * self.keys + pl.col("key")
        sums = self.events.lazy().select("wafers", cell=cell).group_by("cell").agg(pl.col("wafers").sum()).collect()
        daily = np.zeros(self.days * 2 * self.keys, dtype=np.int64)
        daily[sums["cell"].to_numpy()] = sums["wafers"].to_numpy()
        return roll_by_day(daily.reshape(self.days, 2, self.keys), self.buffers)

    @staticmethod
    def answer(result: History) -> History:
        """Return it as it is."""
        return result


class Instants:
    """W2: `rolling_sum_by` over each key, sorted by time."""

    def __init__(self, events: Events) -> None:
        """Make the frame."""
        self.events = pl.DataFrame(
            {"time": events.time, "key": events.key, "net": events.signed.astype(np.int64)}
        ).with_row_index()

    def run(self) -> pl.DataFrame:
        """Return the net at each event, in the order of time."""
        net = pl.col("net").rolling_sum_by("time", window_size=f"{INSTANT_MS}i", closed="right").over("key")
        return self.events.lazy().sort("time").select("index", net).collect()

    @staticmethod
    def answer(result: pl.DataFrame) -> Ints:
        """Say it in the order of arrival."""
        net = np.empty(result.height, dtype=np.int64)
        net[result["index"].to_numpy()] = result["net"].to_numpy()
        return net


class Streamed:
    """W3, sums alone: running sums of each key, gathered, added to and scattered."""

    def __init__(self, history: Events, windows: Sequence[int]) -> None:
        """Take the history."""
        self.windows, self.today = windows, int(history.day.max(initial=0))
        events = self.prepare(history).lazy()
        self.daily = [events.group_by("key", "day").agg(pl.col("supply", "demand").sum()).collect()]
        keys = pl.LazyFrame({"key": np.arange(history.keys, dtype=np.int32)})
        sums = self.daily[0].lazy().group_by("key").agg(self._sums())
        self.sums = keys.join(sums, on="key", how="left").fill_null(0).sort("key").drop("key").collect()

    def _sums(self) -> list[pl.Expr]:
        """Return the sums of each window."""
        return [
            pl.col(name).filter(pl.col("day") > self.today - window).sum().alias(f"{name}-{window}")
            for window in self.windows
            for name in ("supply", "demand")
        ]

    @staticmethod
    def prepare(batch: Events) -> pl.DataFrame:
        """Make the frame, with the day instead of the time."""
        both = {name: wafers.cast(pl.Int64) for name, wafers in _BOTH.items()}
        return _frame(batch).select("key", day=_DAY, **both)

    def add(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of the batch's keys."""
        newest = batch["day"].max()
        assert isinstance(newest, int)
        if newest > self.today:
            self._end_days(newest)
        self.daily.append(batch)
        changed = batch.lazy().group_by("key").agg(self._sums()).collect()
        keys = changed["key"]
        rows = self.sums[keys] + changed.drop("key")
        for n, column in enumerate(rows):
            self.sums.replace_column(n, self.sums.to_series(n).scatter(keys, column))
        return rows.select(
            keys,
            pl.all(),
            *((pl.col(f"supply-{w}") - pl.col(f"demand-{w}")).alias(f"net-{w}") for w in self.windows),
        )

    def _end_days(self, newest: int) -> None:
        """Subtract the wafers that leave the windows."""
        self.daily = [pl.concat(self.daily)]
        for n, window in enumerate(self.windows):
            leaving = pl.col("day").is_between(self.today - window + 1, newest - window)
            gone = self.daily[0].lazy().filter(leaving).group_by("key").agg(pl.col("supply", "demand").sum()).collect()
            for side in (0, 1):
                sums = self.sums.to_series(2 * n + side)
                rest = sums.gather(gone["key"]) - gone.to_series(1 + side)
                self.sums.replace_column(2 * n + side, sums.scatter(gone["key"], rest))
        self.today = newest

    def answer(self, result: pl.DataFrame) -> Touched:
        """Say it in the order of the columns."""
        order = [f"{name}-{window}" for window in self.windows for name in ("supply", "demand", "net")]
        return Touched(result["key"].to_numpy(), result.select(order).to_numpy())
