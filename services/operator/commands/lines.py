"""Commands on single lines, and on the sources by the day that each has completed."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from services.aggregator.terms import LineKind
from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, AsOf, Csv, Data, Json, Product, Site, Supplier, Xlsx, last_day
from services.operator.stack.errors import StackError

_LINES_MAX = 100_000
_WITH_WATERMARKS = ("supplier-", "datacenter-")  # services by the roles that complete days


def lines(
    kind: Annotated[LineKind | None, typer.Option(help="Only lines of this kind.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those due before today and still open.")] = False,
    due: Annotated[
        Literal["this_week", "next_week"] | None, typer.Option(help="Only those due from Monday to Sunday.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also lines with no wafers open.")] = False,
    product: Product = None,
    site: Site = None,
    supplier: Supplier = None,
    source: Annotated[str | None, typer.Option(help="Only lines of this party.")] = None,
    limit: Annotated[int, typer.Option(help="Number of rows, at most.", min=1, max=_LINES_MAX)] = 50,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """List commits, orders, forecasts and shipments by due day: those with wafers still open, or all.

    Example: waferline lines --kind commit --overdue --supplier samsung
    """
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.lines import lines_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    if overdue and due:
        raise typer.BadParameter("choose one of them", param_hint="--overdue, --due")
    query: dict[str, Any] = {
        "kind": kind, "due": "overdue" if overdue else due, "state": "all" if all_ else "open", "product": product,
        "site": site, "supplier": supplier, "source": source, "as_of": as_of,
    }  # fmt: skip
    with report_errors():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/lines", limit=min(limit, 200), **query)
        rows = list(answer["rows"])
        while answer["next"] is not None and len(rows) < limit:
            page = min(limit - len(rows), 200)
            answer = ask(data, "aggregator", "/lines", limit=page, offset=answer["next"], **query)
            rows += answer["rows"]
    answer["rows"] = rows
    put_out(answer, rows, lines_tables(answer, position_line(data, answer)), json_=json_, csv_=csv_, xlsx=xlsx)


def watermarks(
    as_of: AsOf = None, data: Data = DATA, json_: Json = False, csv_: Csv = False, xlsx: Xlsx = None
) -> None:
    """Print the day that each source has completed, and which sources hold up the last complete day.

    Example: waferline watermarks
    """
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.lines import watermarks_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/watermarks", as_of=as_of)
    shown = watermarks_tables(answer, position_line(data, answer))
    put_out(answer, answer["rows"], shown, json_=json_, csv_=csv_, xlsx=xlsx)


def advance(
    through: Annotated[str, typer.Argument(help="Last day, or month, through which all that happened is published.")],
    source: Annotated[
        list[str] | None,
        typer.Option(help="A supplier or data-centre group that has completed it; give one each."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every supplier and data-centre group of the stack.")] = False,
    ahead: Annotated[bool, typer.Option("--ahead", help="Complete a day although it has not ended yet.")] = False,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Complete a day: state that sources have published everything that happened through it.

    The plan begins on the day after the last one that is complete: that all sources with a watermark have completed.
    Exit with 1 if the ledger refuses one.

    Example: waferline advance 2026-06-30 --all
    """
    from services.operator.ask.publishing import advance_sources
    from services.operator.commands.output import expect_output, put_out
    from services.operator.show.table import table
    from services.operator.stack.location import find_stack, running_stack

    if bool(source) == all_:
        raise typer.BadParameter("name the sources, or all of them", param_hint="--source, --all")
    with report_errors():
        expect_output(json_=json_, csv_=csv_, xlsx=xlsx)
        last = last_day(through)
        if last >= datetime.now(UTC).date() and not ahead:
            raise StackError(f"{last} has not ended yet: --ahead completes it all the same")
        data = find_stack(data, writes=True)
        facts = running_stack(data)
        parties = {name.partition("-")[2]: name for name in facts["services"] if name.startswith(_WITH_WATERMARKS)}
        unknown = [each for each in source or () if each not in parties]
        if unknown:
            raise StackError(f"{unknown[0]!r} completes no day in {data}; there are {', '.join(parties)}")
        rows = advance_sources(facts, [parties[each] for each in source or parties], last)
    columns = ("source", "through", "status", "code", "message")
    cells = [[row.get(column) for column in columns] for row in rows]
    shown = table(f"Days completed, to the stack in {data}", columns, cells)
    put_out(rows, rows, [shown], json_=json_, csv_=csv_, xlsx=xlsx)
    if any(row["status"] == "refused" for row in rows):
        raise typer.Exit(1)
