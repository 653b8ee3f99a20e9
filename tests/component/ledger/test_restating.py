"""A store of earlier rules on both databases: migrated, restated and proved."""

import gzip
from pathlib import Path

from services.ledger.store.sqlite import SqliteDatabase
from services.ledger.store.writer import open_writer
from services.operator.record.curves import fold as fold_store
from services.operator.record.proof import verify
from testing.books import connect_to
from testing.fold import TABLES, cells_of, fold
from tests.unit.ledger.store import earlier_rules
from tests.unit.ledger.store.earlier_rules.tape import tape

EARLIER = Path(next(iter(earlier_rules.__path__))) / "ledger.db.gz"


def fill(place: str, earlier: Path) -> None:
    """Put the rows of the store that the first rules made where there is a store of today."""
    earlier.write_bytes(gzip.decompress(EARLIER.read_bytes()))
    old, database = SqliteDatabase(earlier), connect_to(place)
    database.begin()
    for table in TABLES:
        database.execute(f"DELETE FROM {table}")  # noqa: S608
        if table != "rules":
            columns = [name for (name,) in old.query("SELECT name FROM pragma_table_info(?)", (table,))]
            database.append(table, columns, old.query(f"SELECT {', '.join(columns)} FROM {table}"))  # noqa: S608
    database.execute("DROP TABLE rules")
    database.execute("UPDATE alembic_version SET version_num = '0001'")
    database.commit()
    database.close()


def test_a_store_of_earlier_rules_is_restated(place, tmp_path):
    fill(place, tmp_path / "earlier.db")
    fresh = fold(tape(), batches=3)
    store = open_writer(place)

    assert store.restated == (17, 2, 23)
    assert cells_of(store) == fresh.cells()
    assert dict(store.working_state.lines()) == dict(fresh.store.working_state.lines())
    assert store.progress == fresh.store.progress
    assert fold_store(store).state_hash() == fold_store(fresh.store).state_hash()
    proof = verify(store)
    assert (proof.wrong, proof.earlier_rules, proof.restated_in) == (None, 17, (18, 19))
    store.close()
    again = open_writer(place)
    assert (again.restated, again.head.batch) == (None, 19)
    again.close()
