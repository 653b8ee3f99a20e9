"""Options that several commands share, the days that they parse, and the question before a doubtful statement."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from services.operator.stack.errors import StackError
from services.operator.stack.folder import STACKS
from shared.process.credentials import CredentialsError
from shared.wire.days import next_month
from shared.wire.firmness import Firmness

DATA = STACKS
Folder = Annotated[Path, typer.Option("--data", help="Folder of the stack.")]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="WAFERLINE_STACK",
        help="Folder of the stack; `data` stands for the running stack in it or in any other folder, else the demo's. "
        "Or the .json file that names the addresses of a stack elsewhere.",
    ),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="WAFERLINE_STORE",  # every user of the machine can read a command line
        help="postgresql:// URL of a store that is not in a stack's folder.",
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        help="Day of knowledge: answer from what was recorded by the end of this UTC day (2026-08-31), or up to this "
        "batch (1234). It is not the day of a balance."
    ),
]


def _names(part: str) -> Callable[[typer.Context, str], list[str]]:
    """Return the completion of the name of a product, a site or a supplier: those of the stack, if it runs."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        from services.operator.ask.client import ask  # a command imports the modules that it runs when it runs
        from services.operator.stack.location import find_stack, stack_facts

        try:
            folder = find_stack(context.params.get("data") or DATA)
            rows = ask(folder, "aggregator", "/balances", by=part)["rows"] if stack_facts(folder) else []
        except (StackError, CredentialsError, OSError):
            return []  # a shell that completes has no place for an error
        return [row[part] for row in rows if row[part].startswith(incomplete)]

    return complete


Product = Annotated[str | None, typer.Option(help="Only this product.", autocompletion=_names("product"))]
Site = Annotated[str | None, typer.Option(help="Only this site.", autocompletion=_names("site"))]
Supplier = Annotated[str | None, typer.Option(help="Only this supplier.", autocompletion=_names("supplier"))]
Party = Annotated[
    str | None,
    typer.Option(
        help="Only sites at which this declared party has a role; of alerts and overdue lines also suppliers."
    ),
]
AtLeast = Annotated[Firmness, typer.Option(help="Count commits of this grade or above.")]
Yes = Annotated[bool, typer.Option("--yes", help="Go on without a question, whatever is doubtful.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of tables.")]
Xlsx = Annotated[
    Path | None, typer.Option("--xlsx", help="Write the tables into this new workbook, .xlsx, a sheet each.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print the rows as CSV instead of tables.")]


def first_day(text: str) -> date:
    """Return the day that a text names, or the first day of its month; raise `StackError` if it names neither."""
    return _parse(text, last=False)


def last_day(text: str) -> date:
    """Return the day that a text names, or the last day of its month; raise `StackError` if it names neither."""
    return _parse(text, last=True)


def _parse(text: str, *, last: bool) -> date:
    try:
        if len(text) != len("2026-12"):
            return date.fromisoformat(text)
        first = date.fromisoformat(text + "-01")
    except ValueError as error:
        raise StackError(f"{text!r} is neither a day (2026-12-31) nor a month (2026-12)") from error
    return next_month(first) - timedelta(days=1) if last else first


def confirm(doubts: Sequence[tuple[str, str]]) -> None:
    """Ask whether to state doubtful values, each a place and a reason; raise `StackError` unless the answer is yes.

    Where nobody can answer, as the input is no terminal, it raises at once. A reason is asked about once.
    """
    if not doubts:
        return
    times = Counter(reason for _, reason in doubts)
    first = {reason: place for place, reason in reversed(doubts)}
    for reason, count in times.items():
        others = f", and {count - 1:,} more" if count > 1 else ""
        typer.secho(f"{first[reason]}{others}: {reason}", fg="yellow", err=True)
    if not sys.stdin.isatty():
        raise StackError("nothing is stated: correct this, or go on with --yes")
    if not typer.confirm("State it all the same?", err=True):
        raise StackError("nothing is stated")
