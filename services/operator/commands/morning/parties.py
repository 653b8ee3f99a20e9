"""The command on declared parties."""

from typing import Annotated

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, AsOf, AtLeast, Csv, Data, Json, Xlsx


def parties(
    party: Annotated[str | None, typer.Argument(help="Only this declared party, with its roles.")] = None,
    firmness: AtLeast = "planned",
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the declared parties, the megawatts of the sites at which they have a role, and how many are at risk.

    At risk are megawatts that wait for the wafers which run short at worst. A planner declares parties with their roles
    (`companies` in the programme file); `--party` of `sites`, `shortages`, `worklist` and `alerts` shows those of one.

    Example: waferline parties softbank --as-of 2026-08-31
    """
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.sites import parties_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/parties", party=party, firmness=firmness, as_of=as_of)
    rows = [{name: row[name] for name in row if name != "roles"} for row in answer["rows"]]
    shown = [*parties_tables(answer, with_roles=party is not None), position_line(data, answer)]
    put_out(answer, rows, shown, json_=json_, csv_=csv_, xlsx=xlsx)
