"""The command on the changes since an earlier moment, by the wafers by which they move shortages."""

from typing import Annotated, Any

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, AtLeast, Csv, Data, Json, Product, Site, Supplier, Xlsx


def since(
    from_: Annotated[
        str | None,
        typer.Argument(
            metavar="[FROM]",
            help="Earlier day of knowledge (2026-08-31) or batch (1234); default: the day before the last complete.",
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Later day of knowledge or batch; default: all that is recorded.")
    ] = None,
    product: Product = None,
    site: Site = None,
    supplier: Supplier = None,
    firmness: AtLeast = "planned",
    limit: Annotated[int, typer.Option(help="Number of rows, at most.", min=1, max=200)] = 20,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the changes since an earlier moment that move shortages, the most wafers first.

    The changes of one party to one product at one site are one row; the rows sum to the change of all shortages. What
    moves no shortage is counted. Below stand the alerts raised and cleared, the phases moved, and the remarks made
    since.

    Example: waferline since 2026-07-31 --to 2026-08-31 --site TX-MILAM
    """
    from services.console.http.since import since_rows
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.bridge import since_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    query: dict[str, Any] = {
        "from_": from_, "to": to, "product": product, "site": site, "supplier": supplier, "firmness": firmness,
    }  # fmt: skip
    with report_errors():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/since", limit=limit, **query)
    shown = [*since_tables(answer), position_line(data, answer)]
    put_out(answer, since_rows(answer), shown, json_=json_, csv_=csv_, xlsx=xlsx)
