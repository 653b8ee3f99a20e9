"""The workloads with chdb, the ClickHouse within a process: in its SQL alone and with numpy's windows.

It has no W2: its windows by RANGE reach back 2^31 - 1 at most, and 30 days have more milliseconds.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from chdb import session

from bench.peers.numpy import Buffers, roll_by_day
from bench.workloads import DAY_MS, DEMAND, OPENING, START_MS, SUPPLY, WINDOWS, Events, History, Ints, Touched

_DAY = f"intDiv(time - {START_MS}, {DAY_MS})"
_SUPPLY, _DEMAND = f"sumIf(wafers, side = {SUPPLY})", f"sumIf(wafers, side = {DEMAND})"


class Database:
    """A database of its own that has the events, in memory, and uses one core."""

    def __init__(self, events: Events) -> None:
        """Make it."""
        self.session = session.Session()
        for sql in (
            "SET max_threads = 1",
            "CREATE DATABASE bench",
            "CREATE TABLE bench.events (time Int64, key Int32, side UInt8, wafers Int32) ENGINE = Memory",
        ):
            self.session.query(sql)
        self.insert(events)

    def insert(self, events: Events) -> None:
        """Add some events."""
        given = pa.table({name: getattr(events, name) for name in events._fields[:4]})  # noqa: F841 - the SQL names it
        self.session.query("INSERT INTO bench.events SELECT time, key, side, wafers FROM Python(given)")

    def ask(self, sql: str) -> pa.Table:
        """Return the result of a query."""
        return self.session.query(sql, "ArrowTable")


class Rolled:
    """W1: grouped into days, each key's days an array, windows as distances between running totals."""

    def __init__(self, events: Events) -> None:
        """Make the table."""
        self.keys, self.days = events.keys, events.days
        self.database = Database(events)

    def run(self) -> pa.Table:
        """Return the history, a row for each key, its days in arrays."""

        def distance(side: str, window: int) -> str:
            earlier = f"arraySlice({side}, 1, {self.days - window})"
            before = f"arrayConcat(arrayWithConstant({window}, toInt64(0)), {earlier})"
            return f"arrayMap((now, then) -> now - then, {side}, {before}) AS {side}_{window}"

        windows = ", ".join(
            f"{distance('supply', w)}, {distance('demand', w)},"
            f" arrayMap((s, d) -> s - d, supply_{w}, demand_{w}) AS net_{w}"
            for w in WINDOWS
        )
        running = f"arrayCumSum(groupArrayInsertAt(toInt64(0), {self.days})"
        return self.database.ask(f"""
            SELECT key, {windows}, arrayMap((s, d) -> s - d + {OPENING}, supply, demand) AS balance,
                toInt64(arrayFirstIndex(wafers -> wafers < 0, balance)) - 1 AS first_short
            FROM (
                SELECT key, {running}(s, day)) AS supply, {running}(d, day)) AS demand
                FROM (
                    SELECT key, toUInt16({_DAY}) AS day, {_SUPPLY} AS s, {_DEMAND} AS d
                    FROM bench.events GROUP BY key, day
                ) GROUP BY key ORDER BY key
            )
        """)  # noqa: S608

    def answer(self, result: pa.Table) -> History:
        """Say it by key; a key without events has no row."""
        key = result["key"].to_numpy()

        def by_key(name: str, empty: int = 0) -> Ints:
            placed = np.full((self.keys, self.days), empty, dtype=np.int64)
            placed[key] = result[name].combine_chunks().flatten().to_numpy().reshape(key.size, self.days)
            return placed

        first_short = np.full(self.keys, -1)
        first_short[key] = result["first_short"].to_numpy()
        supply, demand, net = ([by_key(f"{name}_{w}") for w in WINDOWS] for name in ("supply", "demand", "net"))
        return History(False, supply, demand, net, by_key("balance", OPENING), first_short)


class Grouped:
    """W1: grouped into days, numpy's windows."""

    def __init__(self, events: Events) -> None:
        """Make the table and the arrays of the answer."""
        self.keys, self.days = events.keys, events.days
        self.database = Database(events)
        self.buffers = Buffers((events.days, events.keys))

    def run(self) -> History:
        """Return the history, by day."""
        sums = self.database.ask(
            f"SELECT toUInt32(({_DAY} * 2 + side) * {self.keys} + key) AS cell, sum(wafers) AS wafers"  # noqa: S608
            " FROM bench.events GROUP BY cell"
        )
        daily = np.zeros(self.days * 2 * self.keys, dtype=np.int64)
        daily[sums["cell"].to_numpy()] = sums["wafers"].to_numpy()
        return roll_by_day(daily.reshape(self.days, 2, self.keys), self.buffers)

    @staticmethod
    def answer(result: History) -> History:
        """Return it as it is."""
        return result


class Streamed:
    """W3, sums alone: a batch is added to a table of daily wafers, ordered by key, and its keys are summed anew."""

    def __init__(self, history: Events, windows: Sequence[int]) -> None:
        """Take the history."""
        self.windows, self.today = windows, int(history.day.max(initial=0))
        self.database = Database(history)
        columns = "key Int32, day UInt16, supply Int64, demand Int64"
        self.database.ask(f"CREATE TABLE bench.daily ({columns}) ENGINE = MergeTree ORDER BY (key, day)")
        self.database.ask(f"CREATE TABLE bench.late ({columns}) ENGINE = Memory")
        daily = f"SELECT key, toUInt16({_DAY}) AS day, {_SUPPLY}, {_DEMAND} FROM bench.events GROUP BY key, day"  # noqa: S608
        self.database.ask(f"INSERT INTO bench.daily {daily}")
        self.database.ask("DROP TABLE bench.events")

    @staticmethod
    def prepare(batch: Events) -> pa.Table:
        """Make the table, with the day instead of the time."""
        return pa.table({"day": batch.day, "key": batch.key, "side": batch.side, "wafers": batch.wafers})

    def add(self, batch: pa.Table) -> pa.Table:
        """Return the rows of the batch's keys."""
        self.today = max(self.today, int(batch["day"].to_numpy().max()))
        self.database.ask(
            f"INSERT INTO bench.late SELECT key, toUInt16(day) AS day, {_SUPPLY}, {_DEMAND}"  # noqa: S608
            " FROM Python(batch) GROUP BY key, day"
        )
        columns = ", ".join(
            f"sumIf(supply, day > {self.today - w}) AS supply_{w}, sumIf(demand, day > {self.today - w}) AS demand_{w},"
            f" supply_{w} - demand_{w} AS net_{w}"
            for w in self.windows
        )
        its = "key IN (SELECT key FROM Python(batch))"
        return self.database.ask(
            f"SELECT key, {columns} FROM (SELECT * FROM bench.daily"  # noqa: S608
            f" WHERE {its} UNION ALL SELECT * FROM bench.late WHERE {its}) GROUP BY key"
        )

    def answer(self, result: pa.Table) -> Touched:
        """Say it in the order of the columns."""
        keys, *columns = (column.to_numpy() for column in result.columns)
        return Touched(keys, np.column_stack(columns))
