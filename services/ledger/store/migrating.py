"""The version of a store: makes a new one, brings an older one up to date, refuses a later one."""

from pathlib import Path
from typing import Any

from services.ledger.store.database import Database, WritableDatabase

NEWEST = "0001"  # the last of migrations/versions; here too, as alembic takes a third of a second to load
_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x7761666572  # "wafer": whoever holds it on PostgreSQL is making the tables


class StrangeStore(Exception):
    """This code cannot work on the store: it is of a later version, or of one from before there were versions."""


def migrate(database: WritableDatabase, *, epoch: int = 0) -> None:
    """Bring a store up to this code's version, in one transaction; make it, with its epoch, where there is none."""
    if _version(database) != NEWEST:
        _upgrade(database, epoch)


def expect_newest(database: Database) -> None:
    """Raise `StrangeStore` unless the store is of this code's version; for whoever only reads it."""
    version = _version(database)
    if version != NEWEST:
        raise StrangeStore(f"the store is of version {version or 'none'}, and this Waferline reads {NEWEST}")


def _version(database: Database) -> str | None:
    """Return the version of a store, None where there is none yet; raise `StrangeStore` where it is none of ours."""
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
    """Return the tables of a database, of one moment: to_regclass remembers that one was not there a moment ago."""
    if database.dialect == "sqlite":
        found = database.query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    else:
        found = database.query("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
    return [name for (name,) in found]


def _upgrade(database: WritableDatabase, epoch: int) -> None:
    # loaded only here: a store is up to date nearly always
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
    # connected before the transaction begins: what SQLAlchemy asks a new connection, it ends with a rollback
    with engine.connect() as connection:
        database.begin()
        try:
            if database.dialect == "postgresql":  # SQLite's begin has locked the others out
                database.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
            if _version(database) != NEWEST:  # else another process has made it meanwhile
                config = Config(attributes={"connection": connection})
                config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
                connection.begin()  # SQLAlchemy's word for it; alembic then leaves the transaction to us
                command.upgrade(config, "head")
                if not database.query("SELECT 1 FROM store"):
                    database.execute("INSERT INTO store (epoch) VALUES (?)", (epoch,))
                    database.execute("INSERT INTO head (partition, batch, hash) VALUES (0, 0, ?)", (bytes(32),))
            database.commit()
        except BaseException:
            database.rollback()
            raise
