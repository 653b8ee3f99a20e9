"""What any test may ask for."""

import pytest

from tests.postgres import (
    SAID,
    own_postgres,
    postgres,
    postgres_database,
    postgres_server,
    postgres_store,
    postgres_tables,
)

# fixtures: a test has them by their name
__all__ = ["own_postgres", "postgres", "postgres_database", "postgres_server", "postgres_store", "postgres_tables"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which PostgreSQL the tests ran on, also where all is well and pytest is quiet."""
    if SAID in config.stash:
        terminalreporter.write_line(f"PostgreSQL of the tests: {config.stash[SAID]}")
