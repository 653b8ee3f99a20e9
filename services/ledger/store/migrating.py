"""Migration of a store: makes a new one, updates an older one, refuses a later one."""

from pathlib import Path
from typing import Any

from services.ledger.store.database import Database, WritableDatabase

NEWEST = "0001"  # the last of migrations/versions; repeated here, as alembic takes a third of a second to load
_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x7761666572  # "wafer": the lock on PostgreSQL for making the tables


class StrangeStore(Exception):
    """The store cannot be used: it is no ledger's, or of another version than this code's."""


def migrate(database: WritableDatabase, *, epoch: int = 0) -> None:
    """Update a store to this code's version, in one transaction; make a missing one, named by its epoch."""
    if _version(database) != NEWEST:
        _upgrade(database, epoch)


def expect_newest(database: Database) -> None:
    """Raise `StrangeStore` unless the store is of this code's version, as a reader needs."""
    version = _version(database)
    if version != NEWEST:
        raise StrangeStore(f"the store is of version {version or 'none'}, and this Waferline reads {NEWEST}")


def _version(database: Database) -> str | None:
    """Return the version of a store, None in an empty database; raise `StrangeStore` where it is no ledger's store."""
    tables = _tables(database)
    if "alembic_version" not in tables:
        if "head" in tables:
            raise StrangeStore(
                "the store was made by a Waferline from before stores had versions: start with a new one"
            )
        if tables:
            raise StrangeStore(f"the database holds other tables ({', '.join(tables[:3])}): give the ledger its own")
        return None
    found = database.query("SELECT version_num FROM alembic_version")
    if len(found) != 1 or "store" not in tables:
        raise StrangeStore("the database holds the versions of other tables: give the ledger its own")
    version = str(found[0][0])
    if version > NEWEST:
        raise StrangeStore(f"the store is of version {version}, this Waferline knows {NEWEST}: start a newer one")
    return version


def _tables(database: Database) -> list[str]:
    """Return the tables of a database, by one query: to_regclass caches that a table was missing a moment ago."""
    if database.dialect == "sqlite":
        found = database.query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    else:
        found = database.query("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
    return [name for (name,) in found]


def _upgrade(database: WritableDatabase, epoch: int) -> None:
    # loaded only here: a store is nearly always up to date
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import StaticPool, create_engine  # noqa: PLC0415

    own: dict[str, Any] = {
        "creator": lambda: database.connection,
        "poolclass": StaticPool,
        "pool_reset_on_return": None,
    }
    if database.dialect == "sqlite":
        engine = create_engine("sqlite://", **own)
    else:
        engine = create_engine("postgresql+psycopg://", use_native_hstore=False, **own)
    # connected before the transaction begins: SQLAlchemy's first queries on a connection end with a rollback
    with engine.connect() as connection:
        database.begin()
        try:
            if database.dialect == "postgresql":  # on SQLite `begin` has locked the database
                database.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
            if _version(database) != NEWEST:  # else another process has migrated it meanwhile
                config = Config(attributes={"connection": connection})
                config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
                connection.begin()  # only for SQLAlchemy: alembic then leaves the transaction to us
                command.upgrade(config, "head")
                if not database.query("SELECT 1 FROM store"):
                    database.execute("INSERT INTO store (epoch) VALUES (?)", (epoch,))
                    database.execute("INSERT INTO head (partition, batch, hash) VALUES (0, 0, ?)", (bytes(32),))
            database.commit()
        except BaseException:
            database.rollback()
            raise
