"""The planner's commands: each is a query to the aggregator, from all that is known, or was at a batch or a day."""

from typing import Annotated, Any, Literal

import typer

from services.aggregator.terms import LAGS, Basis
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
from shared.wire.firmness import Firmness


def _alert_codes() -> list[str]:
    from shared.wire.alerts import SUBJECTS

    return list(SUBJECTS)


Limit = Annotated[int, typer.Option(help="Number of rows, at most.", min=1, max=200)]


def programme(as_of: AsOf = None, data: Data = DATA, json_: Json = False, csv_: Csv = False, xlsx: Xlsx = None) -> None:
    """Print an overview of the programme: supply, demand and net of 30 days, the first shortages, and the months.

    Example: waferline programme --as-of 2026-08-31
    """
    from services.operator.ask.programme import ask_programme
    from services.operator.commands.output import put_out
    from services.operator.show.programme import programme_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        found = ask_programme(data, as_of)
    put_out(
        found, found["months"], programme_tables(found, position_line(data, found)), json_=json_, csv_=csv_, xlsx=xlsx
    )


def months(
    from_: Annotated[str | None, typer.Option("--from", help="First month: 2026-01.")] = None,
    to: Annotated[str | None, typer.Option(help="Last month: 2027-12.")] = None,
    product: Product = None,
    site: Site = None,
    supplier: Supplier = None,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the months: demand, wafers started and received, supply by firmness as bars, the cumulative gap.

    Synthetic sites have tables of their own, and are in no other number.

    Example: waferline months --from 2026-01 --to 2027-12 --product HBM4-12H
    """
    from services.operator.ask.client import ask
    from services.operator.ask.programme import busy_months
    from services.operator.commands.output import put_out
    from services.operator.show.months import months_bars, months_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        query: dict[str, Any] = {"from_": from_, "to": to, "product": product, "site": site, "supplier": supplier}
        answer = ask(data, "aggregator", "/months", as_of=as_of, **query)
    answer |= {kind: busy_months(answer[kind]) for kind in ("rows", "synthetic")}
    shown: list[Any] = [*months_tables(answer), *([months_bars(answer)] if answer["rows"] else [])]
    rows = [{"synthetic": kind == "synthetic"} | row for kind in ("rows", "synthetic") for row in answer[kind]]
    shown = [*(shown or ["No month has a plan or a movement."]), position_line(data, answer)]
    put_out(answer, rows, shown, json_=json_, csv_=csv_, xlsx=xlsx)


def sites(
    mooring: Annotated[Literal["onshore", "floating"] | None, typer.Option(help="Only sites of this mooring.")] = None,
    party: Party = None,
    firmness: AtLeast = "planned",
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print each site: onshore or floating, megawatts on, populated and planned, wafers due, the first shortage.

    Example: waferline sites --mooring floating
    """
    from services.operator.ask.client import ask_all
    from services.operator.commands.output import put_out
    from services.operator.show.sites import sites_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        answer = ask_all(data, "/sites", as_of=as_of, mooring=mooring, party=party, firmness=firmness)
    put_out(
        answer, answer["rows"], sites_tables(answer, position_line(data, answer)), json_=json_, csv_=csv_, xlsx=xlsx
    )


def site(
    name: Annotated[str, typer.Argument(help="Name of a site; `waferline sites` lists them.")],
    product: Product = None,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Annotated[bool, typer.Option("--csv", help="Print the months as CSV for a spreadsheet instead.")] = False,
    xlsx: Xlsx = None,
) -> None:
    """Print one site: its phases, and for each month the megawatts on and populated, wafers due, received and used.

    Example: waferline site TX-MILAM --product HBM4-12H
    """
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.sites import site_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack
    from shared.http.peers import path_of

    with report_errors():
        data = find_stack(data)
        answer = ask(data, "aggregator", path_of("sites", name, "timeline"), as_of=as_of, product=product)
        answer["described"] = ask(data, "aggregator", "/sites", as_of=as_of, site=name)["rows"][0]
    put_out(
        answer, answer["months"], site_tables(answer, position_line(data, answer)), json_=json_, csv_=csv_, xlsx=xlsx
    )


def suppliers(
    supplier: Supplier = None,
    product: Product = None,
    lag: Annotated[int, typer.Option(help=f"Compare receipts with the commits of this many days before: {LAGS}.")] = 28,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the suppliers side by side: commits against receipts, slip, churn, yield, and WIP by age.

    Example: waferline suppliers --product HBM4-12H
    """
    from services.operator.ask.client import ask_all
    from services.operator.commands.output import put_out
    from services.operator.show.suppliers import suppliers_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        answer = ask_all(data, "/suppliers", as_of=as_of, supplier=supplier, product=product, lag=lag)
    rows = [
        row | {f"wip_from_{each['from_days']}_days": each["wafers"] for each in row["wip_by_age"] or ()}
        for row in answer["rows"]
    ]
    put_out(answer, rows, suppliers_tables(answer, position_line(data, answer)), json_=json_, csv_=csv_, xlsx=xlsx)


def balances(
    by: Annotated[
        str, typer.Option(help="Rows by product, site, supplier, or several of them with commas; empty: one total.")
    ] = "product",
    window: Annotated[int, typer.Option(help="Days of the rolling window: 1, 7, 30, 90 or 365.")] = 30,
    basis: Annotated[
        Basis, typer.Option(help="start: wafers started against starts required; receipt: received.")
    ] = "start",
    firmness: Annotated[
        Firmness | None, typer.Option(help="Count as supply the commits of this grade or above.")
    ] = None,
    day: Annotated[
        str | None, typer.Option(help="Day of the balance, the last of the window; default: the last complete day.")
    ] = None,
    product: Product = None,
    site: Site = None,
    supplier: Supplier = None,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the rolling balance and the wafers in each stage; synthetic sites apart, and in no other row.

    Example: waferline balances --by site,product --basis receipt --firmness firm --as-of 2026-08-31
    """
    from services.operator.ask.client import ask_all
    from services.operator.commands.output import put_out
    from services.operator.show.balances import balances_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    query: dict[str, Any] = {
        "by": by or None, "window": window, "basis": basis, "firmness": firmness, "day": day,
        "product": product, "site": site, "supplier": supplier,
    }  # fmt: skip
    with report_errors():
        data = find_stack(data)
        answer = ask_all(data, "/balances", as_of=as_of, **query)
    shown = balances_tables(answer, position_line(data, answer), as_of=as_of is not None)
    put_out(answer, answer["rows"], shown, json_=json_, csv_=csv_, xlsx=xlsx)


def shortages(
    firmness: AtLeast = "planned",
    why: Annotated[bool, typer.Option("--why", help="Also print the cause of each: orders, supply, events.")] = False,
    product: Product = None,
    site: Site = None,
    party: Party = None,
    limit: Limit = 20,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the shortages by site and product, those to act on first; with --why their causes.

    First come those for which wafers can still be started, the soonest first. The causes are the short or late orders,
    the supply pegged to them, overdue supply, and the bridge since the orders were placed; `waferline event` prints
    an event as published.

    Example: waferline shortages --why --site TX-MILAM --product HBM4-12H
    """
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.shortages import (
        forecast_gap_tables,
        last_plan_table,
        no_shortage_line,
        shortages_tables,
        why_tables,
    )
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    query: dict[str, Any] = {
        "firmness": firmness, "product": product, "site": site, "party": party, "as_of": as_of, "order": "act_by",
    }  # fmt: skip
    page = limit
    if why:
        from services.aggregator.http.queries import DETAILED_MAX

        page, query["why"] = DETAILED_MAX, "true"
    with report_errors():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/shortages", limit=min(page, limit), **query)
        rows = list(answer["rows"])
        while why and answer["next"] is not None and answer["next"] < limit:
            begin = answer["next"]
            answer = ask(data, "aggregator", "/shortages", offset=begin, limit=min(page, limit - begin), **query)
            rows += answer["rows"]
        for row in rows if why else ():
            if "why" in row:
                chosen = {name: row[name] for name in ("product", "site")} | {"day": row["first_short_day"]}
                row["bridge"] = ask(data, "aggregator", "/bridge", firmness=firmness, as_of=as_of, **chosen)
        back, before = answer["went_back"], []
        if back is not None:
            past = query | {"as_of": str(back["position"])}
            past.pop("why", None)
            before.append(last_plan_table(ask(data, "aggregator", "/shortages", limit=limit, **past), limit))
    answer["rows"] = rows
    shown: list[Any] = [] if rows else [no_shortage_line(answer), *forecast_gap_tables(answer, limit)]
    if rows:
        shown += why_tables(answer) if why else shortages_tables(answer, limit)
    shown += before
    put_out(answer, rows, [*shown, position_line(data, answer)], json_=json_, csv_=csv_, xlsx=xlsx)


def bridge(
    product: Annotated[str, typer.Option(help="The product.")],
    site: Annotated[str, typer.Option(help="The site.")],
    day: Annotated[str | None, typer.Option(help="Day of the balance; default: the first short day, or today.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Earlier day of knowledge (2026-08-31) or batch (1234) to compare with; default: when the order was "
            "placed."
        ),
    ] = None,
    firmness: AtLeast = "planned",
    events: Annotated[
        bool, typer.Option("--events", help="Also list the events of movements of stock, 200 of a cause at most.")
    ] = False,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print how the balance projected for a day has changed since an earlier position, by cause.

    The causes sum to the difference, and each leads to its events: those of lines stand beside it, --events lists those
    of movements of stock.

    Example: waferline bridge --site TX-MILAM --product HBM4-12H --since 2026-06-30
    """
    from services.operator.ask.client import ask
    from services.operator.ask.movements import ask_movements
    from services.operator.commands.output import put_out
    from services.operator.show.bridge import bridge_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    query = {"product": product, "site": site, "day": day, "since": since, "firmness": firmness, "as_of": as_of}
    with report_errors():
        data = find_stack(data)
        answer = ask(data, "aggregator", "/bridge", **query)
        for row in answer["rows"] if events else ():
            if row["movements"] is not None:
                row["events"] = ask_movements(data, product, site, row["movements"])
    shown: list[Any] = [*bridge_tables(answer), position_line(data, answer)]
    put_out(answer, answer["rows"], shown, json_=json_, csv_=csv_, xlsx=xlsx)


def performance(
    supplier: Annotated[str, typer.Argument(help="Name of a supplier.")],
    product: Product = None,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the delivery performance of a supplier by product: on time, in full, and against its first commits.

    Example: waferline performance samsung --product HBM4-12H
    """
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.suppliers import performance_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack
    from shared.http.peers import path_of

    with report_errors():
        data = find_stack(data)
        path = path_of("suppliers", supplier, "performance")
        answer = ask(data, "aggregator", path, as_of=as_of, product=product)
    rows = [  # one for each lag
        {name: value for name, value in row.items() if name != "lags"} | at
        for row in answer["rows"]
        for at in row["lags"]
    ]
    put_out(answer, rows, [*performance_tables(answer), position_line(data, answer)], json_=json_, csv_=csv_, xlsx=xlsx)


def alerts(
    code: Annotated[
        str | None,
        typer.Option(help="Only alerts of this code: short_within, slip_beyond, ...", autocompletion=_alert_codes),
    ] = None,
    product: Product = None,
    site: Site = None,
    supplier: Supplier = None,
    party: Party = None,
    limit: Limit = 20,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the open alerts, those to act on first; a kind with more than four also in groups.

    An alert that names no product, site or supplier concerns all of them, and is printed with each.

    Example: waferline alerts --code short_within --site TX-MILAM
    """
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.programme import alerts_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        query = {"code": code, "product": product, "site": site, "supplier": supplier, "party": party}
        answer = ask(data, "aggregator", "/alerts", as_of=as_of, **query, limit=limit)
    put_out(
        answer, answer["rows"], [*alerts_tables(answer), position_line(data, answer)], json_=json_, csv_=csv_, xlsx=xlsx
    )


def cover(
    product: Product = None,
    site: Site = None,
    party: Party = None,
    weeks: Annotated[
        int | None, typer.Option(help="Instead, weeks of cover of each site in so many weeks from today.")
    ] = None,
    limit: Limit = 20,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the days of cover of each product at each site, the least first; or of each site its weeks of cover.

    Example: waferline cover --site TX-MILAM

    Example: waferline cover --weeks 8
    """
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.balances import cover_tables, weeks_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        path, tables = ("/cover", cover_tables) if weeks is None else ("/cover/weeks", weeks_tables)
        query = {"product": product, "site": site, "party": party, "weeks": weeks}
        answer = ask(data, "aggregator", path, as_of=as_of, **query, limit=limit)
    put_out(answer, answer["rows"], tables(answer, position_line(data, answer)), json_=json_, csv_=csv_, xlsx=xlsx)


def atp(
    product: Product = None,
    site: Site = None,
    supplier: Supplier = None,
    bucket: Annotated[str, typer.Option(help="Length of a bucket: day or week.")] = "week",
    buckets: Annotated[int, typer.Option(help="Number of buckets.")] = 13,
    firmness: AtLeast = "planned",
    early_days: Annotated[
        int, typer.Option(help="With --site: days before its due day whose forecast an order consumes.")
    ] = 7,
    late_days: Annotated[
        int, typer.Option(help="With --site: days after its due day whose forecast an order consumes.")
    ] = 7,
    limit: Limit = 26,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Print the wafers available to promise (ATP): of each supplier's products, and of synthetic pools, week by week.

    At a supplier they are the wafers finished and in process, less the open commits due within the lead time. With
    --site it prints the orders of that site, and the wafers promised to it.

    Example: waferline atp --supplier skhynix --product HBM4-12H

    Example: waferline atp --site TX-MILAM --product HBM4-12H
    """
    from services.operator.ask.client import ask
    from services.operator.commands.output import put_out
    from services.operator.show.balances import atp_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        answer = ask(
            data, "aggregator", "/atp", as_of=as_of, product=product, site=site, supplier=supplier, bucket=bucket,
            buckets=buckets, firmness=firmness, early_days=early_days, late_days=late_days, limit=limit,
        )  # fmt: skip
    shown = atp_tables(answer, position_line(data, answer))
    put_out(answer, answer["rows"], shown, json_=json_, csv_=csv_, xlsx=xlsx)
