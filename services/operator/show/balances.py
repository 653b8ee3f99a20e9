"""Tables of rolling balances, days of cover, and available to promise."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from services.operator.show.lines import remark_cells, remark_column
from services.operator.show.table import (
    SYNTHETIC,
    FittedTable,
    known_at,
    not_reported_line,
    table,
    today_is,
    window_words,
)
from shared.wire.events import UNATTRIBUTED
from shared.wire.firmness import FIRMNESS


def balances_tables(answer: Mapping[str, Any], caption: Text, *, as_of: bool) -> Iterator[FittedTable | Text]:
    """Yield the rolling balances, and the wafers in each stage; those of synthetic sites in a table of their own."""
    firmness = answer["firmness"]
    title = f"{window_words(answer)}, {answer['basis']} basis"
    if as_of:
        by = answer["recorded_by"]
        title += f", {known_at(str(answer['position']) if by is None else by['day'])}"
    title += f", supply committed {firmness} or above" if firmness else ""
    yield from (_balances_table(answer, rows, prefix + title) for prefix, rows in _apart(answer["rows"]))
    yield caption


def _balances_table(answer: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], title: str) -> FittedTable:
    parts, firmness = answer["by"], answer["firmness"]
    grades = FIRMNESS[FIRMNESS.index(firmness) if firmness else 0 :]
    # only where the net hides it: where a surplus of one product at one site is netted with the need of another
    lacking = ("lacking",) if any((row["lacking"] or 0) > max(0, -(row["net"] or 0)) for row in rows) else ()
    missing = not_reported_line(sorted({name for row in rows for name in row["lots_not_reported_by"]}))
    netted = "lacking: of each product at each site, summed; a surplus elsewhere does not cover it\n" if lacking else ""
    return table(
        title,
        (*parts, "supply", "demand", "net", *lacking, "WIP", "finished", "in transit", "on hand", "open commit now"),
        [
            (
                *(row[part] for part in parts), _reported(row, "supply"), row["demand"], _reported(row, "net"),
                *(row[name] for name in lacking), _reported(row, "wip"), _reported(row, "finished"),
                row["in_transit"], row["on_hand"],
                sum(row["open_commit"][grade] for grade in grades),
            )
            for row in rows
        ],
        caption=netted + missing,
    )  # fmt: skip


def _apart(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Yield the rows of all but synthetic sites, and those of synthetic ones, if any, with the words before a title."""
    apart = [row for row in rows if row["synthetic"]]
    if len(apart) < len(rows) or not apart:
        yield "", [row for row in rows if not row["synthetic"]]
    if apart:
        yield SYNTHETIC, apart


def _reported(row: Mapping[str, Any], name: str) -> int | str | None:
    """Return a number that suppliers report by lots, in words where none does; of no supplier at all there is none."""
    value: int | None = row[name]
    return "not reported" if value is None and row.get("supplier") != UNATTRIBUTED else value


def cover_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield the days that the stock on hand covers; at synthetic sites in a table of its own."""
    for prefix, rows in _apart(answer["rows"]):
        count = answer["synthetic_count"] if prefix else answer["count"] - answer["synthetic_count"]
        column = remark_column(rows)
        yield table(
            f"{prefix}Days of cover, {today_is(answer)}: {len(rows)} of {count} products at sites",
            ("site", "product", "on hand", "backorder", "days of cover", "first day not covered", *column),
            [
                (row["site"], row["product"], row["on_hand"], row["backorder"], row["cover_days"],
                 row["first_uncovered_day"], *remark_cells(column, row))
                for row in rows
            ],
            caption="on hand less backorder, over the orders from today on, without receipts\n"
            "– : the orders end before the stock, or there are none",
        )  # fmt: skip
    yield caption


def atp_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield the promises that suppliers and pools can make, or those made to sites, bucket by bucket."""
    for prefix, rows in _apart(answer["rows"]):
        yield (_site_table if answer["at"] == "sites" else _supply_table)(answer, rows, prefix)
    yield caption


def _supply_table(answer: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], prefix: str) -> FittedTable:
    return table(
        f"{prefix}Available to promise, {today_is(answer)}, commits {answer['firmness']} or above",
        ("supplier or pool", "product", "from", "supply", "promised", "ATP", "cumulative ATP"),
        [
            (row["supplier"] or row["site"], row["product"], row["from"], row["supply"], row["promised"], row["atp"],
             row["atp_cumulative"])
            for row in rows
        ],
        caption="supply: finished, and in process by the day on which it comes; promised: open commits by due day\n"
        "until the lead time is over: for later days wafers can still be started, as far as the supplier has room\n"
        "a product without rows: no lots are reported, or no order states its lead time",
    )  # fmt: skip


def weeks_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield the weeks of cover of each site, week by week; those of synthetic sites in a table of their own."""
    for prefix, rows in _apart(answer["rows"]):
        sites = {row["site"]: [week for week in rows if week["site"] == row["site"]] for row in rows}
        yield table(
            f"{prefix}Weeks of cover, {today_is(answer)}: {len(sites)} of {answer['count']} sites",
            ("site", *dict.fromkeys(row["from"] for row in rows)),
            [(site, *map(_week, weeks)) for site, weeks in sites.items()],
            caption="of the least covered product: later weeks whose orders the balance at the week's end pays for\n"
            "−n: n wafers short on a day of the week; all: all later orders",
        )
    yield caption


def _week(week: Mapping[str, Any]) -> str:
    if week["short"]:
        return f"−{week['short']:,}"
    return "all" if week["cover_weeks"] is None else str(week["cover_weeks"])


def _site_table(answer: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], prefix: str) -> FittedTable:
    return table(
        f"{prefix}Orders, and what is promised for them, {today_is(answer)}, commits {answer['firmness']} or above",
        ("site", "product", "from", "zone", "orders", "forecast", "net forecast", "promised", "projected", "to spare"),
        [
            (row["site"], row["product"], row["from"], row["zone"], row["orders"], row["forecast"],
             row["net_forecast"], row["receipts"], row["projected"], max(0, row["atp_cumulative"]))
            for row in rows
        ],
        caption="net forecast: not consumed by orders; promised: in transit to it by eta, open commits by due day\n"
        "to spare: no order of the site needs them, by then or later; what suppliers can still promise: waferline atp",
    )  # fmt: skip
