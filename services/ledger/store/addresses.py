"""The address of a store: a path of a SQLite file, or a `postgresql://` URL."""

import re
from collections.abc import Mapping
from pathlib import Path

from services.ledger.store.database import WritableDatabase
from services.ledger.store.migrating import StrangeStore
from services.ledger.store.sqlite import SqliteDatabase

_user_and_password_are_encoded = re.compile(r"([^:/]*://)?([^@/%?#]|%[0-9A-Fa-f]{2})*").fullmatch  # a URL up to its @


def connect(
    address: Path | str, *, read_only: bool = False, login: Mapping[str, str] | None = None
) -> WritableDatabase:
    """Return a connection to the database at an address; raise `StrangeStore` where the address names none.

    `login` holds connection options that are not in the URL, as a password or the CA of the server.
    """
    if not is_url(address):
        return SqliteDatabase(address, read_only=read_only)
    address = str(address)
    scheme = address.partition("://")[0]
    if scheme not in ("postgresql", "postgres"):  # else SQLite would make a folder of that name, and a file in it
        raise StrangeStore(f"{scheme}:// names no store: it is a path, or a postgresql:// URL")
    if not _user_and_password_are_encoded(address.rpartition("@")[0]):
        # else the driver would take a piece of the password for the host, and name it in an error
        raise StrangeStore("in its URL write what is special in the password as %40 (@), %2F (/) or %25 (%)")
    from services.ledger.store.postgres import PostgresDatabase  # noqa: PLC0415 (without it, no need of its driver)

    return PostgresDatabase(address, read_only=read_only, login=login)


def is_url(address: Path | str) -> bool:
    """Return whether an address is a URL, and no path of a file."""
    return isinstance(address, str) and "://" in address
