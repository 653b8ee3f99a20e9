"""Migration of a store: makes a new one, updates an older one, refuses a later one."""

from pathlib import Path
from typing import Any, NamedTuple

from services.ledger.books.posting import RULES
from services.ledger.store.database import Database, WritableDatabase

NEWEST = "0002"  # the last of migrations/versions; repeated here, as alembic takes a third of a second to load
_BEFORE_RULES = "0001"  # a store of this version has batches of the first posting rules only
_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x7761666572  # "wafer": the lock on PostgreSQL for making the tables


class StrangeStore(Exception):
    """The store cannot be used: it is no ledger's, or of another version than this code's."""


class PostingRules(NamedTuple):
    """The rules by which the last batches of a store are posted."""

    version: int
    first: int  # the batch from which on they apply


def migrate(database: WritableDatabase, *, epoch: int = 0) -> None:
    """Update a store to this code's version, in one transaction; make a missing one, named by its epoch."""
    if _version(database) != NEWEST:
        _upgrade(database, epoch)
    version = read_rules(database).version
    if version > RULES:
        raise StrangeStore(f"the store is posted by rules {version}, this Waferline knows {RULES}: start a newer one")


def has_ledger_tables(database: Database) -> bool:
    """Return whether a database has the ledger's tables; raise `StrangeStore` where it has other ones."""
    return _version(database) is not None


def read_rules(database: Database) -> PostingRules:
    """Return the rules of the last batches of a store, also of one that is still to be updated."""
    if _version(database) == _BEFORE_RULES:
        return PostingRules(1, 1)
    [(version, first)] = database.query("SELECT version, first FROM rules ORDER BY first DESC LIMIT 1")
    return PostingRules(version, first)


def expect_newest(database: Database) -> None:
    """Raise `StrangeStore` unless the store is of this code's version, and posted by its rules, as a reader needs."""
    expect_readable(database)
    rules = read_rules(database)
    if rules.version != RULES:
        raise StrangeStore(earlier_rules(rules.version))


def expect_readable(database: Database) -> None:
    """Raise `StrangeStore` unless the store's log can be read, whatever the rules of its postings."""
    version = _version(database)
    if version not in (_BEFORE_RULES, NEWEST):
        raise StrangeStore(f"the store is of version {version or 'none'}, and this Waferline reads {NEWEST}")


def earlier_rules(version: int) -> str:
    """Return the advice for a store with balances that were posted by earlier rules."""
    return (
        f"its balances were posted by rules {version}, and this Waferline posts by rules {RULES}: start the ledger on"
        " it, which restates them (docs/proof.md)"
    )


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
                    database.execute("INSERT INTO rules (first, version) VALUES (1, ?)", (RULES,))
            database.commit()
        except BaseException:
            database.rollback()
            raise
