"""Tables of supplier performance: commits against receipts, WIP by age, and yield."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from services.operator.show.sparklines import sparkline
from services.operator.show.table import FittedTable, table


def suppliers_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield commit performance, WIP by age and yield, the suppliers side by side by product."""
    rows = sorted(answer["rows"], key=lambda row: (row["product"], row["supplier"]))
    yield table(
        f"Commits due through {answer['complete_through'] or 'no day yet'} against receipts, each commit as it stood "
        f"{answer['lag_days']} days before its due day",
        ("product", "supplier", "due", "received", "in full, on time %", "to the day %", "churn %", "bias %",
         "slip days", "at most", "still open"),
        [
            (
                row["product"], row["supplier"], row["wafers_due"], row["wafers_received"],
                _percent(row["otif_tolerant"]), _percent(row["otif"]), _percent(row["churn"]),
                _percent(row["bias"]), row["slip_days"], row["slip_greatest"], row["open_wafers"],
            )
            for row in rows
        ],
        caption="in full, on time: within the tolerance of the programme; to the day: whole by the due day\n"
        "– : no commits, or none so early; more on each: waferline performance SUPPLIER"
        + f"\nmade and promised for synthetic sites, too: {', '.join(answer['synthetic_sites'])}"
        * bool(answer["synthetic_sites"]),
    )  # fmt: skip
    ages = next(([_age(each) for each in row["wip_by_age"]] for row in rows if row["wip_by_age"] is not None), [])
    yield table(
        "WIP by age in days, first in first out, and yield against the planned yield",
        ("product", "supplier", "WIP", *ages, "scrapped %", "yield %", "by month", "last month %"),
        [
            (row["product"], row["supplier"], "not reported", *[None] * (len(ages) + 4)) if row["wip"] is None else
            (
                row["product"], row["supplier"], row["wip"], *(each["wafers"] for each in row["wip_by_age"]),
                row["scrap"]["percent"], _yield(row["yield"]), _yields(row),
                _yield(row["yield_by_month"][-1]) if row["yield_by_month"] else None,
            )
            for row in rows
        ],
        caption="the age is the least possible; scrapped: of the wafers started; yield: of lots that have finished,\n"
        "100 %: as planned; not reported: the supplier publishes no lots of the product",
    )  # fmt: skip
    yield caption


def _yield(ratio: Mapping[str, Any]) -> float | str:
    """Return a yield in percent; it is not known yet while no lot has finished."""
    percent: float | None = ratio["percent"]
    return "not known yet" if percent is None else percent


def _yields(row: Mapping[str, Any]) -> str:
    return sparkline([each["percent"] for each in row["yield_by_month"]], from_zero=False)


def _percent(ratio: Mapping[str, Any] | None) -> float | None:
    return None if ratio is None else ratio["percent"]


def _age(each: Mapping[str, Any]) -> str:
    if each["before_days"] is None:
        return f"{each['from_days']}+"
    return f"{each['from_days']}–{each['before_days'] - 1}"


def performance_tables(answer: Mapping[str, Any]) -> tuple[FittedTable, FittedTable]:
    """Return a supplier's commit performance by product, and against its commits of some days before."""
    kept = table(
        f"Commits and receipts of {answer['supplier']}, due through {answer['complete_through'] or 'no day yet'}",
        ("product", "due", "received", "churn %", "in answer %", "commits due", "in full to the day", "%",
         "judged", "within the tolerance", "%"),
        [
            (
                row["product"], row["wafers_due"], row["wafers_received"], row["churn"]["percent"],
                row["answered"]["percent"],
                *(row["otif"]["strict"][name] for name in ("denominator", "numerator", "percent")),
                *(row["otif"]["tolerant"][name] for name in ("denominator", "numerator", "percent")),
            )
            for row in answer["rows"]
        ],
        caption="each commit by the day that stood when it was due\n"
        "churn: wafers by which the supplier itself changed the commits that are now due, and not only replaced them,\n"
        "over their wafers; in answer: by which it changed them in answer to orders and forecasts\n"
        + _grace(answer["rows"]),
    )  # fmt: skip
    lags = table(
        "Against the commits of some days before the due day",
        ("product", "days before", "committed", "in full, on time %", "to the day %", "received less committed",
         "bias %", "days behind", "at most", "still open"),
        [
            (
                row["product"], at["lag_days"], at["committed"], at["otif"]["tolerant"]["percent"],
                at["otif"]["strict"]["percent"],
                at["bias"]["numerator"], at["bias"]["percent"],
                at["slip"]["mean_days"], at["slip"]["greatest_days"], at["slip"]["open_wafers"],
            )
            for row in answer["rows"]
            for at in row["lags"]
        ],
        caption="days behind: from the committed day to the receipt, a mean over the wafers; below zero is early\n"
        "– : no commits so early",
    )  # fmt: skip
    return kept, lags


def _grace(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "no commits"
    grace = rows[0]["otif"]["tolerant"]
    early = "" if grace["days_early"] is None else f"at most {grace['days_early']} days early, "
    short = f"at least {100 - grace['percent_of_grace']} %"
    return f"within the tolerance of the programme: {early}at most {grace['days_of_grace']} days late, {short}"
