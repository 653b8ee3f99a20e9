"""The command on the worklist."""

from typing import Annotated

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import (
    DATA,
    AsOf,
    AtLeast,
    Csv,
    Data,
    Json,
    Party,
    Product,
    Site,
    Supplier,
    Xlsx,
)


def worklist(
    items: Annotated[
        bool, typer.Option("--items", help="Also print the items of rows that stand for several.")
    ] = False,
    resting: Annotated[
        bool, typer.Option("--resting", help="Also items whose alert is snoozed until a later day.")
    ] = False,
    firmness: AtLeast = "planned",
    product: Product = None,
    site: Site = None,
    supplier: Supplier = None,
    party: Party = None,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the work that can still be done about shortages, idle stock and overdue lines, the first to act on first.

    Each row has its wafers, the megawatts that wait for them, and the days left. Kinds that flood are grouped, and
    nothing is left out but snoozed items (`waferline acknowledge --snooze-until`).

    Example: waferline worklist --site TX-MILAM
    """
    from services.operator.ask.client import ask
    from services.operator.ask.views import work_rows
    from services.operator.commands.output import put_out
    from services.operator.show.shortages import worklist_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        answer = ask(
            data, "aggregator", "/worklist", firmness=firmness, resting="true" if resting else None, product=product,
            site=site, supplier=supplier, party=party, as_of=as_of,
        )  # fmt: skip
    shown = [*worklist_tables(answer, items=items), position_line(data, answer)]
    put_out(answer, work_rows(answer), shown, json_=json_, csv_=csv_, xlsx=xlsx)
