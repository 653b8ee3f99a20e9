"""Failures of a store's database, and the message for each; importing this loads no database driver."""

import sqlite3
import sys


def database_failures() -> tuple[type[Exception], ...]:
    """Return the exceptions of the database drivers: PostgreSQL's only if its driver is loaded."""
    driver = sys.modules.get("psycopg")
    return (sqlite3.Error,) if driver is None else (sqlite3.Error, driver.Error)


def explain_failure(why: Exception) -> str:
    """Return the message for a database that cannot be opened or read."""
    words = " ".join(str(why).split())
    advice = "is it there, whole, and one of Waferline? See docs/proof.md: If a proof fails"
    return f"the store cannot be read ({words}): {advice}"
