"""Tables of rolling balances, days of cover, and available to promise."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from services.operator.show.table import FittedTable, known_at, not_reported_line, table, today_is, window_words
from shared.wire.events import UNATTRIBUTED
from shared.wire.firmness import FIRMNESS


def balances_table(answer: Mapping[str, Any], caption: Text, *, as_of: bool) -> FittedTable:
    """Return the rolling balances, and the wafers in each stage."""
    parts, firmness = answer["by"], answer["firmness"]
    grades = FIRMNESS[FIRMNESS.index(firmness) if firmness else 0 :]
    title = f"{window_words(answer)}, {answer['basis']} basis"
    if as_of:
        by = answer["recorded_by"]
        title += f", {known_at(str(answer['position']) if by is None else by['day'])}"
    rows = answer["rows"]
    # only where the net hides it: where a surplus of one product at one site is netted with the need of another
    lacking = ("lacking",) if any((row["lacking"] or 0) > max(0, -row["net"]) for row in rows) else ()
    missing = not_reported_line(sorted({name for row in rows for name in row["lots_not_reported_by"]}))
    netted = "lacking: of each product at each site, summed; a surplus elsewhere does not cover it\n" if lacking else ""
    return table(
        title + (f", supply committed {firmness} or above" if firmness else ""),
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
        caption=netted + (missing + "\n" if missing else "") + caption.plain,
    )  # fmt: skip


def _reported(row: Mapping[str, Any], name: str) -> int | str | None:
    """Return a number that suppliers report by lots, in words where none does; of no supplier at all there is none."""
    value: int | None = row[name]
    return "not reported" if value is None and row.get("supplier") != UNATTRIBUTED else value


def cover_table(answer: Mapping[str, Any], caption: Text) -> FittedTable:
    """Return the days that the stock on hand covers."""
    return table(
        f"Days of cover, {today_is(answer)}: {len(answer['rows'])} of {answer['count']} products at sites",
        ("site", "product", "on hand", "backorder", "days of cover", "first day not covered"),
        [
            (row["site"], row["product"], row["on_hand"], row["backorder"], row["cover_days"],
             row["first_uncovered_day"])
            for row in answer["rows"]
        ],
        caption="on hand less backorder, over the orders from today on, without receipts\n"
        f"– : the orders end before the stock, or there are none\n{caption.plain}",
    )  # fmt: skip


def weeks_table(answer: Mapping[str, Any], caption: Text) -> FittedTable:
    """Return the weeks of cover of each site, week by week."""
    rows = answer["rows"]
    sites = {row["site"]: [week for week in rows if week["site"] == row["site"]] for row in rows}
    return table(
        f"Weeks of cover, {today_is(answer)}: {len(sites)} of {answer['count']} sites",
        ("site", *dict.fromkeys(row["from"] for row in rows)),
        [(site, *map(_week, weeks)) for site, weeks in sites.items()],
        caption="of the least covered product: the later weeks whose orders the balance at the week's end pays for\n"
        f"−n: n wafers short on a day of the week; all: all later orders\n{caption.plain}",
    )


def _week(week: Mapping[str, Any]) -> str:
    if week["short"]:
        return f"−{week['short']:,}"
    return "all" if week["cover_weeks"] is None else str(week["cover_weeks"])


def atp_table(answer: Mapping[str, Any], caption: Text) -> FittedTable:
    """Return available to promise (ATP), bucket by bucket."""
    return table(
        f"Available to promise, {today_is(answer)}, commits {answer['firmness']} or above",
        ("site", "product", "from", "zone", "orders", "forecast", "net forecast", "receipts", "projected", "ATP",
         "cumulative ATP"),
        [
            (row["site"], row["product"], row["from"], row["zone"], row["orders"], row["forecast"],
             row["net_forecast"], row["receipts"], row["projected"], row["atp"], row["atp_cumulative"])
            for row in answer["rows"]
        ],
        caption="net forecast: not consumed by orders; ATP: of the bucket's own receipts; cumulative ATP: up to it\n"
        + caption.plain,
    )  # fmt: skip
