"""Tables of shortages, and of the orders, supplies and events behind each."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.text import Text

from services.operator.show.table import table

_ROWS_MAX = 5  # orders, overdue supplies and causes of a shortage; --json has all


def shortages_tables(answer: Mapping[str, Any], rows_max: int) -> tuple[Group, Group]:
    """Return the products short already, and those that run short next, counting all commits and firm ones only."""
    already = [row for row in answer["rows"] if row["short_since"] is not None]
    coming = [row for row in answer["rows"] if row["short_since"] is None]
    shown = {"Short already": already, "Next to run short": coming}
    tables = [
        table(
            f"{title}, today is {answer['today']}: {min(rows_max, len(rows))} of {len(rows)} products at sites",
            (
                "site", "product", "on hand", "short since", "first short day", "short by then", "at worst",
                "at worst, firm only",
            ),
            [
                (row["site"], row["product"], row["on_hand"], row["short_since"], row["first_short_day"],
                 row["first_shortage"], row["shortage"], row["by_firmness"]["firm"]["shortage"])
                for row in rows[:rows_max]
            ],
            caption="on hand + in transit + open commits - orders not yet consumed; overdue supply does not count"
            if rows is already else "all: waferline shortages --limit 200",
        )
        for title, rows in shown.items()
    ]  # fmt: skip
    return tables[0], tables[1]


def last_plan_table(answer: Mapping[str, Any], rows_max: int) -> Group:
    """Return the shortages of the last plan before the day went back."""
    rows = answer["rows"][:rows_max]
    return table(
        f"The last plan before, position {answer['position']}, complete through {answer['complete_through']}: "
        f"{len(rows)} of {answer['count']} products at sites",
        ("site", "product", "on hand", "short since", "first short day", "short by then", "at worst"),
        [
            (row["site"], row["product"], row["on_hand"], row["short_since"], row["first_short_day"],
             row["first_shortage"], row["shortage"])
            for row in rows
        ],
    )  # fmt: skip


def no_shortage_line(answer: Mapping[str, Any]) -> Text:
    """Return that nothing runs short, or that this is not known."""
    if answer["today"] is None:
        return Text("Not known whether anything runs short: no source has completed a day yet.\n")
    missing = ", ".join(answer["missing_sources"])
    return Text(f"Nothing runs short by what is recorded{f'; {missing}: not known' if missing else ''}.\n")


def why_tables(answer: Mapping[str, Any]) -> Iterator[Group]:
    """Yield the reasons of each shortage: its orders with their pegged supply, overdue supply, and causes.

    A row that has ceased to be short since it was ranked has no reasons.
    """
    for row in answer["rows"]:
        if "why" not in row:
            continue
        since = f", short since {row['short_since']}" if row["short_since"] else ""
        yield Group(
            Text(f"{row['product']} at {row['site']}", style="bold underline"),
            Text(
                f"{row['first_shortage']:,} wafers short on {row['first_short_day']}, {row['shortage']:,} at worst; "
                f"today is {answer['today']}, commits {answer['firmness']} or above; "
                f"{row['on_hand']:,} on hand{since}\n"
            ),
            *_behind(row["why"]),
        )
    if answer["rows"]:
        hint = "an event and its proof: waferline event SOURCE/EVENT; the whole lists: --json"
        yield Group(Text(hint, style="dim"))
    more = answer["count"] - len(answer["rows"])
    if more > 0:
        yield Group(Text(f"{more:,} more run short: name a --site or a --product", style="dim"))


def _behind(why: Mapping[str, Any]) -> Iterator[Group]:
    orders, overdue, causes = why["orders"][:_ROWS_MAX], why["overdue"][:_ROWS_MAX], why["causes"][:_ROWS_MAX]
    rows: list[tuple[Any, ...]] = []
    for order in orders:
        missing = [{"kind": "no supply", "wafers": order["short"]}] if order["short"] else []
        named = (order["line"], order["due"], f"{order['wafers']:,}")  # only on the order's first row
        for peg in (*order["pegs"], *missing):
            rows.append((*named, peg["wafers"], _line(peg), peg.get("day"), peg.get("days_late"), peg.get("event")))
            named = ("", "", "")
    overdrawn = "" if not why["overdrawn"] else (
        f"{why['overdrawn']:,} more left the stock than ever came: receipts make up for that first"
    )  # fmt: skip
    yield table(
        f"Orders short or late: {len(orders)} of {why['orders_count']}",
        ("order", "due", "ordered", "pegged", "supply", "on", "days late", "event"),
        rows,
        caption=overdrawn,
    )
    if overdue:
        yield table(
            f"Overdue, not counted until its source publishes a new day for it: {len(overdue)} of "
            f"{len(why['overdue'])}",
            ("supply", "due", "wafers", "event"),
            [(_line(each), each["day"], each["wafers"], each["event"]) for each in overdue],
        )
    yield table(
        f"Causes, the largest first: {len(causes)} of {why['causes_count']}",
        ("wafers", "change", "line", "source", "event"),
        [(each["wafers"], each["what"], _line(each), each["said_by"], each["event"]) for each in causes],
        caption=""
        if causes
        else "none of commits, orders and shipments; counts, transfers and consumption: waferline bridge",
    )


_KINDS = {"supply.committed": "commit", "demand.required": "order", "on_hand": "on hand"}


def _line(entry: Mapping[str, Any]) -> str:
    """Return a line in words: its source, its kind, and its name."""
    kind = _KINDS.get(entry["kind"], entry["kind"])
    return f"{entry['source']} {kind} {entry['line']}" if "line" in entry else kind
