"""Tables of lines by due day, and of the sources by the day that each has completed."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from services.operator.show.table import FittedTable, table, today_is


def lines_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield the lines of an answer."""
    rows, today = answer["rows"], "" if answer["today"] is None else f", {today_is(answer)}"
    if not rows:
        yield Text(f"No such line{today}.\n")
    else:
        yield table(
            f"Lines{today}: {len(rows):,} of {answer['count']:,}, {answer['open_wafers']:,} wafers open",
            ("due", "kind", "site", "product", "wafers", "open", "days overdue", "firmness", "supplier", "source",
             "line", "revision", "event"),
            [
                (row["due"], row["kind"], row["site"], row["product"], row["wafers"], row["open_wafers"],
                 row["days_overdue"], row["firmness"], row["supplier"], row["source"], row["line"], row["revision"],
                 row["event"])
                for row in rows
            ],
            caption="open: not dispatched of a commit, not consumed for an order, under way of a shipment, all of a "
            "forecast",
            spared=("firmness", "supplier", "revision", "event"),
        )  # fmt: skip
    yield caption


def watermarks_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield the sources, those that hold up the last complete day first."""
    yield table(
        "Sources by the day that they have completed",
        ("source", "completed through", "days behind", "holds up the day", "ended", "days with late events"),
        [
            (row["source"], row["completed_through"], row["days_behind"], "yes" if row["holds_up"] else "",
             "yes" if row["ended"] else "", row["days_with_late_events"])
            for row in answer["rows"]
        ],
        caption="the last complete day is the earliest of those not ended; – : no watermark, no number waits for it\n"
        "a source completes a day with source.advanced (waferline advance)",
    )  # fmt: skip
    yield caption
