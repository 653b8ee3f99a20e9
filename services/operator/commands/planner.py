"""What a planner asks: each command is a question to the aggregator, now or as of any position or day."""

from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from services.aggregator.http.queries import DETAILED_MAX
from services.aggregator.terms import LAGS, Basis
from services.operator.ask.asking import ask, ask_all
from services.operator.ask.programme import ask_programme, busy_months
from services.operator.commands.options import (
    DATA,
    AsOf,
    AtLeast,
    Csv,
    Data,
    Json,
    Product,
    Site,
    Supplier,
    errors_told,
)
from services.operator.show.balances import atp_table, balances_table, cover_table
from services.operator.show.months import months_bars, months_tables
from services.operator.show.printing import print_answer
from services.operator.show.programme import alerts_tables, programme_tables
from services.operator.show.shortages import shortages_tables, why_tables
from services.operator.show.sites import site_tables, sites_tables
from services.operator.show.suppliers import performance_tables, suppliers_tables
from services.operator.show.table import position_line
from services.operator.stack.finding import find_stack
from shared.wire.alerts import SUBJECTS
from shared.wire.events import Firmness

Limit = Annotated[int, typer.Option(help="How many rows.", min=1, max=200)]


def programme(as_of: AsOf = None, data: Data = DATA, json_: Json = False, csv_: Csv = False) -> None:
    """Print the programme at a glance: supply, demand and net of 30 days, who runs short first, and the months.

    Example: waferline programme --as-of 2026-08-31
    """
    with errors_told():
        data = find_stack(data)
        found = ask_programme(data, as_of)
    print_answer(found, found["months"], programme_tables(found, position_line(data, found)), json_=json_, csv_=csv_)


def months(
    from_: Annotated[str | None, typer.Option("--from", help="The first month: 2026-01.")] = None,
    to: Annotated[str | None, typer.Option(help="The last month: 2027-12.")] = None,
    product: Product = None,
    site: Site = None,
    supplier: Supplier = None,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Print the months: demand, what was started and received, supply by firmness as bars, the gap up to each.

    Example: waferline months --from 2026-01 --to 2027-12 --product HBM4-12H
    """
    with errors_told():
        data = find_stack(data)
        query: dict[str, Any] = {"from_": from_, "to": to, "product": product, "site": site, "supplier": supplier}
        answer = ask(data, "aggregator", "/months", as_of=as_of, **query)
    answer["rows"] = busy_months(answer["rows"])
    shown = [*months_tables(answer), months_bars(answer)] if answer["rows"] else ["Nothing is planned, nothing moved."]
    print_answer(answer, answer["rows"], [*shown, position_line(data, answer)], json_=json_, csv_=csv_)


def sites(
    mooring: Annotated[Literal["onshore", "floating"] | None, typer.Option(help="Only these.")] = None,
    firmness: AtLeast = "planned",
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Print each site: onshore or floating, megawatts on and to come, what is due, cover, what runs short first.

    Example: waferline sites --mooring floating
    """
    with errors_told():
        data = find_stack(data)
        answer = ask_all(data, "/sites", as_of=as_of, mooring=mooring, firmness=firmness)
    print_answer(answer, answer["rows"], sites_tables(answer, position_line(data, answer)), json_=json_, csv_=csv_)


def site(
    name: Annotated[str, typer.Argument(help="Which site: `waferline sites` lists them.")],
    product: Product = None,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Annotated[bool, typer.Option("--csv", help="Print the months as CSV for a spreadsheet instead.")] = False,
) -> None:
    """Print one site: its phases, what was said of them and when, and month by month what is due, comes and is used.

    Example: waferline site TX-MILAM --product HBM4-12H
    """
    with errors_told():
        data = find_stack(data)
        answer = ask(data, "aggregator", f"/sites/{quote(name, safe='')}/timeline", as_of=as_of, product=product)
        answer["described"] = ask(data, "aggregator", "/sites", as_of=as_of, site=name)["rows"][0]
    print_answer(answer, answer["months"], site_tables(answer, position_line(data, answer)), json_=json_, csv_=csv_)


def suppliers(
    supplier: Supplier = None,
    product: Product = None,
    lag: Annotated[int, typer.Option(help=f"Against what was committed so many days before: {LAGS}.")] = 28,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Print the suppliers side by side: commits against receipts, slip, churn, yield, and what is in process by age.

    Example: waferline suppliers --product HBM4-12H
    """
    with errors_told():
        data = find_stack(data)
        answer = ask_all(data, "/suppliers", as_of=as_of, supplier=supplier, product=product, lag=lag)
    rows = [
        row | {f"wip_from_{each['from_days']}_days": each["wafers"] for each in row["wip_by_age"] or ()}
        for row in answer["rows"]
    ]
    print_answer(answer, rows, suppliers_tables(answer, position_line(data, answer)), json_=json_, csv_=csv_)


def balances(
    by: Annotated[
        str, typer.Option(help="product, site, supplier, or some of them with commas; empty: in total.")
    ] = "product",
    window: Annotated[int, typer.Option(help="Days of the rolling window: 1, 7, 30, 90 or 365.")] = 30,
    basis: Annotated[Basis, typer.Option(help="start: started against to be started; receipt: at the dock.")] = "start",
    firmness: Annotated[
        Firmness | None, typer.Option(help="Supply is what is committed at this grade or above.")
    ] = None,
    day: Annotated[
        str | None, typer.Option(help="The last day of the window; the last complete one by default.")
    ] = None,
    product: Product = None,
    site: Site = None,
    supplier: Supplier = None,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Print the rolling balance and what stands in each stage, as it is known now or was known then.

    Example: waferline balances --by site,product --basis receipt --firmness firm --as-of 2026-08-31
    """
    query: dict[str, Any] = {
        "by": by or None, "window": window, "basis": basis, "firmness": firmness, "day": day,
        "product": product, "site": site, "supplier": supplier,
    }  # fmt: skip
    with errors_told():
        data = find_stack(data)
        answer = ask_all(data, "/balances", as_of=as_of, **query)
    shown = [balances_table(answer, position_line(data, answer), as_of=as_of is not None)]
    print_answer(answer, answer["rows"], shown, json_=json_, csv_=csv_)


def shortages(
    firmness: AtLeast = "planned",
    why: Annotated[bool, typer.Option("--why", help="And what is behind each: orders, supply, events.")] = False,
    product: Product = None,
    site: Site = None,
    limit: Limit = 20,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Print which sites run short of what, first ones first, and with --why what is behind it.

    That is: the orders that are short or late, which supply is meant for them, what is overdue, and the events that
    caused it; `waferline event` shows each as it was said.

    Example: waferline shortages --why --site TX-MILAM --product HBM4-12H
    """
    query: dict[str, Any] = {"firmness": firmness, "product": product, "site": site, "as_of": as_of}
    page = DETAILED_MAX if why else limit
    if why:
        query["why"] = "true"
    with errors_told():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/shortages", limit=min(page, limit), **query)
        rows = list(answer["rows"])
        while why and answer["next"] is not None and answer["next"] < limit:
            begin = answer["next"]
            answer = ask(data, "aggregator", "/shortages", offset=begin, limit=min(page, limit - begin), **query)
            rows += answer["rows"]
    answer["rows"] = rows
    shown: list[Any] = []
    if answer["today"] is not None:
        shown += why_tables(answer) if why else shortages_tables(answer, limit)
    print_answer(answer, rows, [*shown, position_line(data, answer)], json_=json_, csv_=csv_)


def performance(
    supplier: Annotated[str, typer.Argument(help="Whose word it is.")],
    product: Product = None,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Print how a supplier has kept what it committed, by product: in time, in full, and as first said.

    Example: waferline performance samsung --product HBM4-12H
    """
    with errors_told():
        data = find_stack(data)
        path = f"/suppliers/{quote(supplier, safe='')}/performance"
        answer = ask(data, "aggregator", path, as_of=as_of, product=product)
    rows = [  # a row a lag
        {name: value for name, value in row.items() if name != "lags"} | at
        for row in answer["rows"]
        for at in row["lags"]
    ]
    print_answer(answer, rows, [*performance_tables(answer), position_line(data, answer)], json_=json_, csv_=csv_)


def alerts(
    code: Annotated[
        str | None,
        typer.Option(help="Only these: short_within, slip_beyond, ...", autocompletion=lambda: list(SUBJECTS)),
    ] = None,
    limit: Limit = 20,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Print what a planner should look at, the most urgent first.

    Example: waferline alerts --code short_within
    """
    with errors_told():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/alerts", as_of=as_of, code=code, limit=limit)
    print_answer(answer, answer["rows"], [*alerts_tables(answer), position_line(data, answer)], json_=json_, csv_=csv_)


def cover(
    product: Product = None,
    site: Site = None,
    limit: Limit = 20,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Print for how many days each site is covered with each product, the least covered first.

    Example: waferline cover --site TX-MILAM
    """
    with errors_told():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/cover", as_of=as_of, product=product, site=site, limit=limit)
    print_answer(answer, answer["rows"], [cover_table(answer, position_line(data, answer))], json_=json_, csv_=csv_)


def atp(
    product: Product = None,
    site: Site = None,
    bucket: Annotated[str, typer.Option(help="day or week.")] = "week",
    buckets: Annotated[int, typer.Option(help="How many.")] = 13,
    firmness: AtLeast = "planned",
    limit: Limit = 26,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
) -> None:
    """Print what can still be promised of each product at each site, week by week from today.

    Example: waferline atp --site TX-MILAM --product HBM4-12H
    """
    with errors_told():
        data = find_stack(data)
        answer = ask(
            data, "aggregator", "/atp", as_of=as_of, product=product, site=site, bucket=bucket, buckets=buckets,
            firmness=firmness, limit=limit,
        )  # fmt: skip
    print_answer(answer, answer["rows"], [atp_table(answer, position_line(data, answer))], json_=json_, csv_=csv_)
