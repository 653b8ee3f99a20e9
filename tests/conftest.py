"""What any test may ask for."""

import os
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings

from testing.servers.postgres import (
    SAID,
    own_postgres,
    postgres,
    postgres_database,
    postgres_server,
    postgres_store,
    postgres_tables,
)

os.environ["XDG_STATE_HOME"] = mkdtemp(prefix="waferline-state-")  # no test finds the stacks that its user runs

settings.register_profile("no deadline", deadline=None)  # a busy machine is slow
settings.load_profile("no deadline")

# fixtures: a test has them by their name
__all__ = ["own_postgres", "postgres", "postgres_database", "postgres_server", "postgres_store", "postgres_tables"]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out some folders where nobody names them: they need more than pip, or minutes."""
    for name in ("compose", "browser", "abuse"):
        if collection_path == Path(__file__).parent / name:
            return None if any(name in argument for argument in config.args) else True
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which PostgreSQL the tests ran on, also where all is well and pytest is quiet."""
    if SAID in config.stash:
        terminalreporter.write_line(f"PostgreSQL of the tests: {config.stash[SAID]}")
