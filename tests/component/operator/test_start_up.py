"""The packages that a command loads: --help only typer, a query besides it an HTTP client and tables.

A party and the console start without the library of workbooks.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes
from services.aggregator.live.view import LiveView
from services.aggregator.settings import AggregatorSettings
from shared.service.service import Service
from testing.servers.served import free_port, no_past, served
from testing.twins.curves import batch_of
from tests.component.operator.test_elsewhere import PLANNED

SERVERS = {
    "alembic", "cryptography", "faststream", "numba", "numpy", "prometheus_client", "psycopg", "pyarrow", "redis",
    "sqlalchemy", "starlette", "structlog", "uvicorn", "yaml",
}  # fmt: skip
CLIENTS = {"httpx", "pydantic_settings"}
RUN = "import sys\nfrom services.operator.cli import app\ntry: app()\nfinally: print(*sys.modules, file=sys.stderr)"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of a stack whose aggregator answers over HTTP."""

    def aggregator() -> Service:
        service = Service("aggregator", AggregatorSettings(http_port=free_port()))
        curves = Curves()
        curves.add(batch_of(1, [], {"samsung": 20_500}, ["samsung"]))
        service.routes += routes(lambda: LiveView(FoldState(curves)), no_past)
        return service

    with served(aggregator) as url:
        path = tmp_path_factory.mktemp("stack") / "stack.json"
        path.write_text(json.dumps({"services": {"aggregator": url}}))
        yield path


def loaded(*arguments: str) -> set[str]:
    """Run a command in a process of its own; return the packages that it loaded."""
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {module.partition(".")[0] for module in done.stderr.split()}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["shortages", "--help"], ["replay", "--help"], ["secrets", "--help"]]
)
def test_help_loads_neither_a_server_nor_a_client(arguments: list[str]) -> None:
    assert "typer" in (packages := loaded(*arguments))
    assert packages & (SERVERS | CLIENTS) == set()


@pytest.mark.parametrize("command", PLANNED, ids=lambda command: command[0])
def test_a_query_loads_no_server(command: list[str], stack: Path) -> None:
    assert {"httpx", "rich"} <= (packages := loaded(*command, "--data", str(stack)))
    assert packages & SERVERS == set()


@pytest.mark.parametrize("service", ["supplier", "datacenter", "planner", "console"])
def test_a_service_starts_without_the_library_of_workbooks(service: str) -> None:
    run = f"import sys, services.{service}.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)

    assert {"openpyxl", "numpy"} & set(done.stdout.split()) == set()
