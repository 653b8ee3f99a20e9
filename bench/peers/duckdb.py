"""The workloads with DuckDB, in SQL alone and with numpy's windows; its tables lie in memory."""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from bench.peers.numpy import Buffers, roll_by_day
from bench.workloads import DAY_MS, INSTANT_MS, OPENING, START_MS, WINDOWS, Events, History, Ints, Touched

_DAY = f"((time - {START_MS}) // {DAY_MS})"
_SUPPLY, _DEMAND = "wafers * (1 - side)", "wafers * side"  # faster than CASE, and than FILTER


def connect(given: pa.Table) -> duckdb.DuckDBPyConnection:
    """Return a database that has the events in a table of its own, and uses one core."""
    connection = duckdb.connect(config={"threads": 1})
    connection.register("given", given)
    connection.execute("CREATE TABLE events AS SELECT * FROM given")
    connection.unregister("given")
    return connection


def table_of(events: Events) -> pa.Table:
    """Return the columns as an Arrow table."""
    return pa.table({name: getattr(events, name) for name in events._fields[:4]})


class Rolled:
    """W1: grouped into days, joined with all days, running totals, then their distances by `lag`."""

    def __init__(self, events: Events) -> None:
        """Make the table."""
        self.keys, self.days = events.keys, events.days
        self.connection = connect(table_of(events))

    def run(self) -> tuple[pa.Table, pa.Table]:
        """Return the history, a row for each key and day, and the first short days."""
        windows = ", ".join(
            f"supply - lag(supply, {w}, 0) OVER days AS supply_{w},"
            f" demand - lag(demand, {w}, 0) OVER days AS demand_{w},"
            f" supply_{w} - demand_{w} AS net_{w}"
            for w in WINDOWS
        )
        history = self.connection.sql(f"""
            WITH daily AS (
                SELECT (key * {self.days} + {_DAY})::INT AS cell,
                    sum({_SUPPLY})::BIGINT AS s, sum({_DEMAND})::BIGINT AS d
                FROM events GROUP BY cell
            ), dense AS (
                SELECT (range // {self.days})::INT AS key, (range % {self.days})::INT AS day,
                    coalesce(s, 0) AS s, coalesce(d, 0) AS d
                FROM range({self.keys * self.days}) LEFT JOIN daily ON daily.cell = range
            ), running AS (
                SELECT key, day, (sum(s) OVER days)::BIGINT AS supply, (sum(d) OVER days)::BIGINT AS demand
                FROM dense WINDOW days AS (PARTITION BY key ORDER BY day)
            )
            SELECT key, day, {windows}, supply - demand + {OPENING} AS balance
            FROM running WINDOW days AS (PARTITION BY key ORDER BY day)
        """).to_arrow_table()  # noqa: S608
        short = duckdb.from_arrow(history, connection=self.connection).filter("balance < 0")
        return history, short.aggregate("key, min(day) AS day").to_arrow_table()

    def answer(self, result: tuple[pa.Table, pa.Table]) -> History:
        """Say it by key."""
        history, short = result
        place = history["key"].to_numpy().astype(np.int64) * self.days + history["day"].to_numpy()

        def by_key(name: str) -> Ints:
            placed = np.empty(self.keys * self.days, dtype=np.int64)
            placed[place] = history[name].to_numpy()
            return placed.reshape(self.keys, self.days)

        first_short = np.full(self.keys, -1)
        first_short[short["key"].to_numpy()] = short["day"].to_numpy()
        supply, demand, net = ([by_key(f"{name}_{w}") for w in WINDOWS] for name in ("supply", "demand", "net"))
        return History(False, supply, demand, net, by_key("balance"), first_short)


class Grouped:
    """W1: grouped into days, numpy's windows."""

    def __init__(self, events: Events) -> None:
        """Make the table and the arrays of the answer."""
        self.keys, self.days = events.keys, events.days
        self.connection = connect(table_of(events))
        self.buffers = Buffers((events.days, events.keys))

    def run(self) -> History:
        """Return the history, by day."""
        sums = self.connection.execute(
            f"SELECT ({_DAY} * {self.keys} + key)::INT AS cell, sum({_SUPPLY})::BIGINT AS supply,"  # noqa: S608
            f" sum({_DEMAND})::BIGINT AS demand FROM events GROUP BY cell"
        ).fetchnumpy()
        daily = np.zeros((self.days, 2, self.keys), dtype=np.int64)
        day, key = np.divmod(sums["cell"], self.keys)
        daily[day, 0, key], daily[day, 1, key] = sums["supply"], sums["demand"]
        return roll_by_day(daily, self.buffers)

    @staticmethod
    def answer(result: History) -> History:
        """Return it as it is."""
        return result


class Instants:
    """W2: a window by RANGE over each key."""

    def __init__(self, events: Events) -> None:
        """Make the table, its events numbered."""
        place = np.arange(events.time.size, dtype=np.int32)
        given = {"time": events.time, "key": events.key, "net": events.signed, "place": place}
        self.connection = connect(pa.table(given))

    def run(self) -> pa.Table:
        """Return the net at each event."""
        return self.connection.sql(
            f"SELECT place, (sum(net) OVER (PARTITION BY key ORDER BY time"  # noqa: S608
            f" RANGE BETWEEN {INSTANT_MS - 1} PRECEDING AND CURRENT ROW))::BIGINT AS net FROM events"
        ).to_arrow_table()

    @staticmethod
    def answer(result: pa.Table) -> Ints:
        """Say it in the order of arrival."""
        net = np.empty(result.num_rows, dtype=np.int64)
        net[result["place"].to_numpy()] = result["net"].to_numpy()
        return net


class Streamed:
    """W3, sums alone: running sums of each key in a table, updated; the end of a day subtracts leaving wafers."""

    def __init__(self, history: Events, windows: Sequence[int]) -> None:
        """Take the history."""
        self.windows, self.today = windows, int(history.day.max(initial=0))
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.register("batch", self.prepare(history))
        self.connection.execute(f"""
            CREATE TABLE daily AS
            SELECT key, day, sum({_SUPPLY})::BIGINT AS supply, sum({_DEMAND})::BIGINT AS demand
            FROM batch GROUP BY key, day
        """)  # noqa: S608
        self.connection.execute(f"""
            CREATE TABLE sums AS SELECT range::INT AS key, {self._sums("supply", "demand")}
            FROM range({history.keys}) LEFT JOIN daily ON daily.key = range GROUP BY range ORDER BY range
        """)  # noqa: S608

    def _sums(self, supply: str, demand: str) -> str:
        """Return the sums of each window, as SQL."""
        return ", ".join(
            f"coalesce(sum({wafers}) FILTER (day > {self.today - window}), 0)::BIGINT AS {side}_{window}"
            for window in self.windows
            for side, wafers in (("supply", supply), ("demand", demand))
        )

    @staticmethod
    def prepare(batch: Events) -> pa.Table:
        """Make the table, with the day instead of the time."""
        return pa.table({"day": batch.day, "key": batch.key, "side": batch.side, "wafers": batch.wafers})

    def add(self, batch: pa.Table) -> pa.Table:
        """Return the rows of the batch's keys."""
        execute = self.connection.execute
        self.connection.register("batch", batch)
        newest = execute("SELECT max(day) FROM batch").fetchall()[0][0]
        if newest > self.today:
            self._end_days(newest)
        execute(f"INSERT INTO daily SELECT key, day, {_SUPPLY}, {_DEMAND} FROM batch")  # noqa: S608
        names = [f"{side}_{window}" for window in self.windows for side in ("supply", "demand")]
        added = ", ".join(f"{name} = sums.{name} + changed.{name}" for name in names)
        changed = f"SELECT key, {self._sums(_SUPPLY, _DEMAND)} FROM batch GROUP BY key"  # noqa: S608
        execute(f"UPDATE sums SET {added} FROM ({changed}) AS changed WHERE sums.key = changed.key")  # noqa: S608
        net = ", ".join(f"supply_{window} - demand_{window} AS net_{window}" for window in self.windows)
        rows = f"SELECT *, {net} FROM sums WHERE key IN (SELECT key FROM batch)"  # noqa: S608
        return self.connection.sql(rows).to_arrow_table()

    def _end_days(self, newest: int) -> None:
        """Subtract the wafers that leave the windows."""
        for window in self.windows:
            self.connection.execute(f"""
                UPDATE sums SET supply_{window} = supply_{window} - s, demand_{window} = demand_{window} - d
                FROM (
                    SELECT key, sum(supply)::BIGINT AS s, sum(demand)::BIGINT AS d FROM daily
                    WHERE day BETWEEN {self.today - window + 1} AND {newest - window} GROUP BY key
                ) AS gone
                WHERE sums.key = gone.key
            """)  # noqa: S608
        self.today = newest

    def answer(self, result: pa.Table) -> Touched:
        """Say it in the order of the columns."""
        order = [f"{name}_{window}" for window in self.windows for name in ("supply", "demand", "net")]
        return Touched(result["key"].to_numpy(), np.column_stack([result[name].to_numpy() for name in order]))
