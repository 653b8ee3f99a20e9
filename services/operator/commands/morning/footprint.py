"""The command on the footprint of the sites."""

from typing import Annotated

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, AsOf, Csv, Data, Json, Xlsx


def footprint(
    by: Annotated[
        str, typer.Option(help="Rows by mooring, power_source, country, site, or several of them with commas.")
    ] = "mooring",
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print onshore and floating sites side by side: megawatts, MWh, t CO2, hectares of land, waterplane.

    Energy is that of the megawatts on, by the hours since each phase's day, and that of a year once all planned phases
    are on.

    Example: waferline footprint --by mooring,power_source
    """
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.sites import footprint_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/footprint", by=by or None, as_of=as_of)
    shown = footprint_tables(answer, position_line(data, answer))
    put_out(answer, answer["rows"], shown, json_=json_, csv_=csv_, xlsx=xlsx)
