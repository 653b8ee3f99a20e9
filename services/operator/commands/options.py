"""What commands have in common: their options, days as they are typed, and errors told in a line."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from services.ledger.store.checkpoint import Untrusted
from services.operator.record.at_rest import failures, unreadable
from services.operator.stack.finding import StackError
from shared.play.scenario import last_of_month
from shared.process.credentials import CredentialsError
from shared.wire.catalog import PRODUCTS
from shared.wire.events import Firmness

DATA = Path("data")
Folder = Annotated[Path, typer.Option("--data", help="The folder of the stack.")]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="WAFERLINE_STACK",
        help="The folder of the stack; of `data`, the one that runs or the demo's. Or the .json file that says where "
        "the services of a stack elsewhere are.",
    ),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="WAFERLINE_STORE",  # what stands on a command line can be read by everyone on the machine
        help="A postgresql:// URL, for a store that is not in a stack's folder.",
    ),
]
AsOf = Annotated[
    str | None, typer.Option(help="What was known after this batch (1234), or at the end of this UTC day (2026-08-31).")
]
Product = Annotated[str | None, typer.Option(help="This product only.", autocompletion=lambda: list(PRODUCTS))]
Site = Annotated[str | None, typer.Option(help="This site only.")]
Supplier = Annotated[str | None, typer.Option(help="This supplier only.")]
AtLeast = Annotated[Firmness, typer.Option(help="Count commits of this grade or above.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of tables for a person.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print the rows as CSV for a spreadsheet instead.")]


@contextmanager
def errors_told() -> Iterator[None]:
    """Tell what went wrong and what to do next, in a line, and exit with 1."""
    try:
        yield
    except (StackError, CredentialsError, Untrusted) as error:
        typer.secho(f"waferline: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    except BrokenPipeError:
        raise  # whoever reads what we write has seen enough: typer ends without a word
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        typer.secho(f"waferline: {place}{error.strerror or error}", fg="red", err=True)
        raise typer.Exit(1) from error
    except failures() as error:
        typer.secho(f"waferline: {unreadable(error)}", fg="red", err=True)
        raise typer.Exit(1) from error


def first_day(text: str) -> date:
    """Return the day that a text names, or the first of the month that it names; raise `StackError` if neither."""
    return _parse(text, last=False)


def last_day(text: str) -> date:
    """Return the day that a text names, or the last of the month that it names; raise `StackError` if neither."""
    return _parse(text, last=True)


def _parse(text: str, *, last: bool) -> date:
    try:
        if len(text) != len("2026-12"):
            return date.fromisoformat(text)
        first = date.fromisoformat(text + "-01")
    except ValueError as error:
        raise StackError(f"{text!r} is neither a day (2026-12-31) nor a month (2026-12)") from error
    return last_of_month(first) if last else first
