"""Tables of rolling balances, days of cover, and available to promise."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.text import Text

from services.operator.show.table import known_at, table, today_is, window_words
from shared.wire.catalog import FIRMNESS


def balances_table(answer: Mapping[str, Any], caption: Text, *, as_of: bool) -> Group:
    """Return the rolling balances, and the wafers in each stage."""
    parts, firmness = answer["by"], answer["firmness"]
    grades = FIRMNESS[FIRMNESS.index(firmness) if firmness else 0 :]
    title = f"{window_words(answer)}, {answer['basis']} basis"
    if as_of:
        by = answer["recorded_by"]
        title += f", {known_at(str(answer['position']) if by is None else by['day'])}"
    return table(
        title + (f", supply committed {firmness} or above" if firmness else ""),
        (*parts, "supply", "demand", "net", "WIP", "finished", "in transit", "on hand", "open commit now"),
        [
            (
                *(row[part] for part in parts), row["supply"], row["demand"], row["net"], row["wip"],
                row["finished"], row["in_transit"], row["on_hand"],
                sum(row["open_commit"][grade] for grade in grades),
            )
            for row in answer["rows"]
        ],
        caption=caption.plain,
    )  # fmt: skip


def cover_table(answer: Mapping[str, Any], caption: Text) -> Group:
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


def atp_table(answer: Mapping[str, Any], caption: Text) -> Group:
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
