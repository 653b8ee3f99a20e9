"""Do both databases do as the store asks of them? The same questions to SQLite and to a real PostgreSQL."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from services.ledger.store.database import Database
from services.ledger.store.migrating import NEWEST, StrangeStore, expect_newest, migrate
from services.ledger.store.postgres import PostgresDatabase
from services.ledger.store.reader import open_reader
from testing.books import connect_to
from testing.servers.postgres import cut_off

ROOT = Path(__file__).parents[3]
EVENTS = ("seq", "source", "id", "body")
LINES = (("owner", "kind", "line"), ("state",))
GREATEST, LEAST = 2**63 - 1, -(2**63)
TEXTS = [
    "",
    "a",
    "Z",
    "ä",
    "日本",
    "😀",
    'it\'s "so"',
    "a\\nb\\.\\N",
    "tab\tline\nreturn\r",
    "100 % ? %s $1",
    "\\u0000",
]
# what a second process does with a store: `database` is its own connection
_PROCESS = """
import os, signal, sys
from services.ledger.store.migrating import migrate
from services.ledger.store.postgres import PostgresDatabase
from services.ledger.store.sqlite import SqliteDatabase
address = sys.argv[1]
database = PostgresDatabase(address) if address.startswith("postgresql:") else SqliteDatabase(address)
"""


@pytest.fixture
def connect(address: str) -> Iterator[Callable[..., Any]]:
    with ExitStack() as until_the_end:

        def connect(*, read_only: bool = False) -> Database:
            database = connect_to(address, read_only=read_only)
            until_the_end.callback(database.close)
            return database

        yield connect


@pytest.fixture
def database(connect: Callable[..., Any]) -> Any:
    database = connect()
    migrate(database, epoch=7)
    return database


def start(address: str, does: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PROCESS + does, address], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def event(seq: int, body: str = "[]") -> tuple[int, int, bytes, str]:
    return (seq, 1, seq.to_bytes(16), body)


def append(database: Database, *rows: tuple[int, int, bytes, str]) -> None:
    database.begin()
    database.append("events", EVENTS, rows)
    database.commit()


def held(database: Database) -> list[int]:
    return [seq for (seq,) in database.query("SELECT seq FROM events ORDER BY seq")]


# ---------------------------------------------------------------- making the tables


def test_a_new_store_is_made_once_with_its_epoch(database, connect):
    migrate(database, epoch=8)
    migrate(connect(), epoch=9)

    assert database.query("SELECT epoch FROM store") == [(7,)]
    assert database.query("SELECT partition, batch, hash FROM head") == [(0, 0, bytes(32))]
    expect_newest(database)


def test_many_that_open_a_new_store_at_once_make_one(address):
    said = "migrate(database, epoch=os.getpid())\nprint(database.query('SELECT epoch FROM store'))"
    processes = [start(address, said) for _ in range(4)]
    epochs = [process.communicate(timeout=60)[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * 4
    assert len(set(epochs)) == 1
    assert epochs[0].count("(") == 1


def test_a_migration_that_is_killed_leaves_nothing_half(address, connect):
    killed = start(
        address,
        "execute = database.execute\n"
        "def die(sql, values=()):\n"
        "    os.kill(os.getpid(), signal.SIGKILL) if 'INSERT INTO head' in sql else execute(sql, values)\n"
        "database.execute = die\n"
        "migrate(database, epoch=1)\n",
    )
    killed.communicate(timeout=60)
    database = connect()

    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(StrangeStore, match="version none"):
        expect_newest(database)
    migrate(database, epoch=2)
    assert database.query("SELECT epoch FROM store") == [(2,)]


def test_a_store_of_a_later_version_is_refused(database):
    database.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StrangeStore, match=f"version 9999, this Waferline knows {NEWEST}"):
        migrate(database)


def test_a_store_from_before_there_were_versions_is_refused(database):
    database.execute("DROP TABLE alembic_version")

    with pytest.raises(StrangeStore, match="start with a new one"):
        migrate(database)


def test_a_database_of_something_else_is_refused(address, connect):
    database = connect()
    database.execute("CREATE TABLE outbox (sequence BIGINT)")

    for look in (migrate, expect_newest):
        with pytest.raises(StrangeStore, match=r"other tables \(outbox\): give the ledger its own"):
            look(database)


@pytest.mark.parametrize("others", ["0001", "27c6a30d7c24", None])
def test_the_versions_of_something_else_are_no_store(address, connect, others):
    database = connect()
    database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    if others:
        database.execute("INSERT INTO alembic_version VALUES (?)", (others,))

    for look in (migrate, expect_newest):
        with pytest.raises(StrangeStore, match="versions of other tables"):
            look(database)


# ---------------------------------------------------------------- what goes in comes out


@pytest.mark.parametrize("wafers", [0, 1, -1, 2**31, 2**53 + 1, GREATEST, LEAST])
def test_a_whole_number_stays_what_it_is(database, wafers):
    database.begin()
    database.append("stock", ("key", "day", "wafers"), [(1, 1, wafers)])
    database.upsert("stock", ("key", "day"), ("wafers",), [(2, 1, wafers)])
    database.execute("INSERT INTO stock (key, day, wafers) VALUES (?, ?, ?)", (3, 1, wafers))
    database.commit()

    assert database.query("SELECT key FROM stock WHERE wafers = ? ORDER BY key", (wafers,)) == [(1,), (2,), (3,)]
    assert database.query("SELECT wafers FROM stock") == [(wafers,)] * 3


@pytest.mark.parametrize("wafers", [GREATEST + 1, LEAST - 1])
def test_a_number_that_is_too_great_is_refused(database, wafers):
    database.begin()
    with pytest.raises(OverflowError):
        database.append("stock", ("key", "day", "wafers"), [(1, 1, 5), (2, 1, wafers)])
    database.rollback()

    assert database.query("SELECT key FROM stock") == []


def test_a_sum_is_a_whole_number(database):
    database.append("stock", ("key", "day", "wafers"), [(1, 1, 2**61), (2, 1, 2**61)])
    ((total, counted),) = database.query("SELECT sum(wafers), count(*) FROM stock")

    assert (total, counted) == (2**62, 2)
    assert (type(total), type(counted)) == (int, int)


def test_texts_and_bytes_stay_what_they_are(database):
    rows = [(n, 1, text.encode() + b"\x00\xff\\", text) for n, text in enumerate(TEXTS)]
    append(database, *rows)

    assert database.query("SELECT seq, source, id, body FROM events ORDER BY seq") == rows
    for n, _, id_, text in rows:
        assert database.query("SELECT seq FROM events WHERE source = ? AND id = ?", (1, id_)) == [(n,)]
        assert (n,) in database.query("SELECT seq FROM events WHERE body = ?", (text,))


def test_texts_are_in_the_order_of_their_bytes(database):
    append(database, *(event(n, text) for n, text in enumerate(TEXTS)))
    said = [body for (body,) in database.query("SELECT body FROM events ORDER BY body")]

    assert said == sorted(TEXTS, key=str.encode)


def test_nothing_is_not_an_empty_text(database):
    columns = ("seq", "batch", "source", "sequence", "id", "code", "path", "message", "body")
    database.append("refusals", columns, [(1, 1, 1, None, None, "malformed", "", "", b"")])
    database.upsert("sources", ("source",), ("advanced",), [(n, None) for n in range(100)])

    assert database.query("SELECT sequence, id, path, body FROM refusals WHERE id IS NULL") == [(None, None, "", b"")]
    assert database.query("SELECT DISTINCT advanced FROM sources") == [(None,)]


def test_what_stands_in_quotes_is_no_placeholder(database):
    assert database.query("SELECT '?', '%s', 5 % 3, CAST(? AS TEXT)", ("%?",)) == [("?", "%s", 2, "%?")]


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize("count", [0, 1, 32, 33, 2000])
def test_rows_are_appended(database, count):
    append(database, *map(event, range(count)))

    assert held(database) == list(range(count))


@pytest.mark.parametrize("count", [1, 32, 33, 500])
def test_an_upsert_adds_and_replaces(database, count):
    database.begin()
    database.upsert("lines", *LINES, [(1, "order", f"{n}", "old") for n in range(0, count, 2)])
    database.commit()
    database.begin()
    database.upsert("lines", *LINES, [(1, "order", f"{n}", "new") for n in range(count)])
    database.upsert("lines", *LINES, [(2, "order", f"{n}", "new") for n in range(count)])  # again in one transaction
    database.commit()

    assert database.query("SELECT owner, count(*) FROM lines WHERE state = 'new' GROUP BY owner ORDER BY owner") == [
        (1, count),
        (2, count),
    ]
    assert database.query("SELECT count(*) FROM lines") == [(2 * count,)]


@pytest.mark.parametrize("count", [1, 100])
def test_an_upsert_of_keys_alone_adds_what_is_not_there(database, count):
    rows = [(1, n.to_bytes(16)) for n in range(count)]
    database.upsert("reversals", ("source", "id"), (), rows[: count // 2])
    database.upsert("reversals", ("source", "id"), (), rows)

    assert database.query("SELECT source, id FROM reversals ORDER BY id") == rows


def test_a_statement_says_how_many_rows_it_has_changed(database):
    append(database, *map(event, range(5)))

    assert database.execute("UPDATE events SET body = ? WHERE seq > ?", ("{}", 1)) == 3
    assert database.execute("DELETE FROM events WHERE seq = ?", (9,)) == 0


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_rows_are_found_by_their_keys(database, count):
    rows = [(n % 3, text, f"{text}{n}", f"{n}") for n in range(count) for text in TEXTS[: max(1, 11 - count)]]
    database.upsert("lines", *LINES, rows)
    missing = [(7, "order", "no"), (0, "", "a"), (0, "A", "0")]

    assert database.find("lines", *LINES, []) == database.find("lines", *LINES, missing) == []
    for asked in (rows, rows[::2], rows[:1]):
        found = database.find("lines", *LINES, [row[:3] for row in asked] + missing)
        assert sorted(found) == sorted(asked)


def test_rows_are_found_by_bytes(database):
    append(database, *map(event, range(50)))

    found = database.find("events", ("source", "id"), ("body",), [(1, n.to_bytes(16)) for n in (49, 50, 7)])
    assert sorted(found) == [(1, n.to_bytes(16), "[]") for n in (7, 49)]


# ---------------------------------------------------------------- transactions


def test_what_is_rolled_back_is_gone(database):
    database.begin()
    database.append("events", EVENTS, [event(1)])
    database.upsert("lines", *LINES, [(1, "order", f"{n}", "") for n in range(100)])
    database.rollback()
    append(database, event(2))

    assert held(database) == [2]
    assert database.query("SELECT count(*) FROM lines") == [(0,)]


def test_an_upsert_goes_on_after_a_rollback(database):
    rows = [(1, "order", f"{n}", "") for n in range(100)]
    for end in (database.rollback, database.commit, database.rollback, database.commit):
        database.begin()
        database.upsert("lines", *LINES, rows)
        end()

    assert database.query("SELECT count(*) FROM lines") == [(100,)]


def test_a_rollback_outside_a_transaction_does_nothing(database):
    append(database, event(1))
    database.rollback()
    database.rollback()

    assert held(database) == [1]


def test_a_row_that_is_there_clashes_and_takes_its_batch_with_it(database):
    append(database, event(1))
    database.begin()
    with pytest.raises(database.clash) as raised:
        database.append("events", EVENTS, [event(2), (3, *event(1)[1:]), event(4)])
    database.rollback()

    assert isinstance(raised.value, database.failure)
    assert held(database) == [1]


def test_a_wrong_statement_is_a_failure_and_no_clash(database):
    database.begin()
    with pytest.raises(database.failure) as raised:
        database.execute("INSERT INTO nowhere VALUES (1)")
    database.rollback()

    assert not isinstance(raised.value, database.clash)
    append(database, event(1))
    assert held(database) == [1]


def test_another_connection_sees_what_is_committed_and_no_more(database, connect):
    other = connect()
    append(database, event(1))
    database.begin()
    database.append("events", EVENTS, [event(2)])

    assert held(other) == [1]
    database.commit()
    assert held(other) == [1, 2]


def test_whoever_only_reads_sees_the_store_as_it_was_when_it_was_opened(database, connect):
    append(database, event(1))
    reader = connect(read_only=True)
    append(database, event(2))  # before the reader has asked anything

    assert held(reader) == [1]
    append(database, event(3))
    assert held(reader) == [1]
    assert held(connect(read_only=True)) == [1, 2, 3]


def test_whoever_only_reads_cannot_write(database, connect):
    reader = connect(read_only=True)

    with pytest.raises(reader.failure):
        reader.execute("DELETE FROM events")


def test_the_second_to_take_a_batch_waits_and_has_not_got_it(database, address):
    assert take_at_once(database, address) == [0]
    assert database.query("SELECT batch, hash FROM head") == [(1, b"1" * 32)]


def take_at_once(database: Database, address: str) -> list[int]:
    """Have a second ledger take a batch that a first one is writing; return how many rows it has changed."""
    take = "UPDATE head SET batch = ?, hash = ? WHERE partition = 0 AND batch = ? AND hash = ?"
    begins, taken = threading.Event(), []

    def second() -> None:
        other = connect_to(address)  # here: a SQLite connection belongs to its thread
        begins.set()
        other.begin()
        with suppress(other.failure):
            taken.append(other.execute(take, (1, b"2" * 32, 0, bytes(32))))
        other.rollback()
        other.close()

    database.begin()
    assert database.execute(take, (1, b"1" * 32, 0, bytes(32))) == 1
    thread = threading.Thread(target=second)
    thread.start()
    assert begins.wait(10)
    thread.join(0.2)
    assert thread.is_alive()  # it waits
    database.commit()
    thread.join(10)
    return taken


def test_a_process_that_is_killed_in_its_transaction_leaves_nothing(database, address):
    killed = start(
        address,
        "database.begin()\n"
        "database.execute('UPDATE head SET batch = 1')\n"
        "database.append('events', ('seq', 'source', 'id', 'body'), [(n, 1, b'%d' % n, '[]') for n in range(4000)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n",
    )
    killed.communicate(timeout=60)
    append(database, event(1))

    assert killed.returncode == -signal.SIGKILL
    assert held(database) == [1]
    assert database.query("SELECT batch FROM head") == [(0,)]


# ---------------------------------------------------------------- what an auditor sees


def test_the_views_say_events_and_postings_by_name(database):
    said = [
        "a",
        3,
        "0" * 36,
        "order",
        1_767_225_600_000_000,
        'L"é',
        20454,
        None,
        None,
        "p",
        "s",
        "a",
        '{"x":1}',
        None,
        None,
    ]
    body = orjson.dumps(said).decode()
    columns = ("batch", "recorded", "first_event", "events", "first_posting", "postings")
    others = ("source", "stream", "entry", "told", "through", "watermark", "duplicates", "refusals", "hash")
    other = (1, 1, "1-0", None, 0, None, 0, 0, b"")
    database.append("names", ("id", "name"), [(1, "a"), (2, "p"), (3, "s")])
    database.append("keys", ("id", "product", "site", "supplier"), [(5, 2, 3, 1)])
    append(database, event(1, body), event(2, body), event(3, body))
    database.append("postings", ("seq", "measure", "day", "key", "wafers"), [(1, 33, 20454, 5, -25)])
    # the second batch holds no event, and the last event is in no batch
    batches = [(1, 8, 1, 1, 1, 0), (2, 9, 2, 0, 1, 0), (3, 10, 2, 1, 1, 1)]
    database.append("batches", columns + others, [batch + other for batch in batches])

    assert database.query("SELECT * FROM said ORDER BY seq") == [(1, 1, 8, *said), (2, 3, 10, *said)]
    assert database.query("SELECT * FROM posted") == [(3, 10, 33, 20454, "p", "s", "a", -25)]


# ---------------------------------------------------------------- PostgreSQL alone


@pytest.fixture
def server(postgres: str) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(postgres)
    migrate(database)
    yield database
    database.close()


def cut(database: PostgresDatabase, address: str) -> None:
    """End a connection at the server, as its restart would."""
    with psycopg.connect(address, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (database.connection.info.backend_pid,))


def test_a_connection_that_was_lost_takes_its_transaction_with_it_and_comes_again(server, postgres):
    server.begin()
    server.append("events", EVENTS, [event(1)])
    cut(server, postgres)

    for _ in range(2):  # the rest of the transaction does not run by itself on a new connection
        with pytest.raises(server.failure):
            server.append("events", EVENTS, [event(2)])
    with pytest.raises(server.failure):
        server.commit()
    server.rollback()
    append(server, event(3))
    server.upsert("lines", *LINES, [(1, "order", f"{n}", "") for n in range(100)])
    assert held(server) == [3]


def test_a_snapshot_that_was_lost_does_not_come_again_as_another(server, postgres):
    reader = PostgresDatabase(postgres, read_only=True)
    cut(reader, postgres)

    for _ in range(2):
        with pytest.raises(reader.failure):
            held(reader)
    reader.close()


def test_a_connection_that_was_lost_while_nobody_looked_takes_its_transaction_with_it(server, postgres):
    server.begin()
    server.append("events", EVENTS, [event(1)])
    cut(server, postgres)
    server.rollback()
    append(server, event(2))

    assert held(server) == [2]


def set_server(address: str, setting: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET {setting}".encode())


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_who_waits_for_a_batch_has_not_got_it_whatever_the_server_is_set_to(postgres, level):
    set_server(postgres, f"default_transaction_isolation = '{level}'")
    database = PostgresDatabase(postgres)
    migrate(database)

    assert take_at_once(database, postgres) == [0]
    database.close()


def test_a_ledger_that_hangs_in_a_batch_is_cut_off_and_a_reader_is_not(postgres):
    for read_only, waits in ((False, "30s"), (True, "0")):
        database = PostgresDatabase(postgres, read_only=read_only)
        assert database.query("SHOW idle_in_transaction_session_timeout") == [(waits,)]
        database.close()


def test_a_store_that_cannot_be_opened_leaves_no_connection(postgres):
    with pytest.raises(StrangeStore):
        open_reader(postgres)

    assert cut_off(postgres) == 0


def test_a_commit_waits_for_the_disk_whatever_the_server_is_set_to(postgres):
    set_server(postgres, "synchronous_commit = off")
    database = PostgresDatabase(postgres)

    assert database.query("SHOW synchronous_commit") == [("on",)]
    database.close()


def test_a_nul_in_a_text_is_refused(server):
    server.begin()
    with pytest.raises(server.failure):
        server.append("events", EVENTS, [event(1, "\x00")])
    server.rollback()

    assert held(server) == []
