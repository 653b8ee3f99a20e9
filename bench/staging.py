"""New rows into PostgreSQL: COPY straight into the table, or into a staging one and from there ON CONFLICT DO NOTHING.

In turn, each into a database of its own on one server, every commit durable. Ends with a line of JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from bench.ledger import new_database, postgres_server
from services.ledger.store.migrating import migrate
from services.ledger.store.postgres import PostgresDatabase

SIZE = 4000
_COLUMNS = ("seq", "source", "id", "body")
_BODY = (
    '["samsung",%d,"0192f000-8c3b-7000-8abc-%012x","lot.finished",%d,"L%06d",20454,25,null,"HBM4-12H","abilene",'
    '"samsung",null,null,null]'
)

Way = Callable[[PostgresDatabase, Sequence[Any]], None]


def copy_straight(database: PostgresDatabase, rows: Sequence[Any]) -> None:
    """Add rows as the store does: a row that is there already clashes."""
    database.append("events", _COLUMNS, rows)


def copy_staged(database: PostgresDatabase, rows: Sequence[Any]) -> None:
    """Add rows over a staging table: a row that is there already is left out."""
    staging = database._stage("events")
    database._copy(staging, "events", _COLUMNS, rows)
    database.execute(f"INSERT INTO events SELECT * FROM {staging} ON CONFLICT (source, id) DO NOTHING")  # noqa: S608


def main() -> None:
    """Measure both, and print their rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=60, help=f"of {SIZE:,} rows, each way")
    batches = parser.parse_args().batches
    ways: tuple[Way, ...] = (copy_straight, copy_staged)
    taken: dict[str, list[float]] = {way.__name__: [] for way in ways}
    with postgres_server() as server:
        if server is None:
            raise SystemExit("there is no PostgreSQL here")
        for n in range(2):  # each way has the younger database once
            for way in ways if n else ways[::-1]:
                with new_database(server) as address, closing(PostgresDatabase(address)) as database:
                    migrate(database)
                    for batch in range(batches // 2):
                        first = batch * SIZE
                        rows = [(k, 1, k.to_bytes(16), _BODY % (k, k, k, k)) for k in range(first, first + SIZE)]
                        began = time.perf_counter()
                        database.begin()
                        way(database, rows)
                        database.commit()
                        taken[way.__name__].append(time.perf_counter() - began)
    rates = {name: round(SIZE / statistics.median(times)) for name, times in taken.items()}
    ratio = round(rates["copy_straight"] / rates["copy_staged"], 2)
    print(json.dumps({"bench": "staging", "events_per_s": rates, "straight_vs_staged": ratio, "batches": batches}))


if __name__ == "__main__":
    main()
