"""Tables of shortages, of the orders, supplies and events behind each, and of the worklist."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from services.operator.show.lines import remark_cells, remark_column, remark_words
from services.operator.show.table import SYNTHETIC, FittedTable, counted, escape_controls, known_at, table

_ROWS_MAX = 5  # orders and overdue supplies of a shortage; --json has all


def shortages_tables(answer: Mapping[str, Any], rows_max: int) -> Iterator[FittedTable | Text]:
    """Yield the products that run short, those first for which wafers can still be started, and the forecast gaps."""
    parts = [
        (is_apart, each, SYNTHETIC * is_apart + title, [row for row in answer["rows"] if row["synthetic"] is is_apart])
        for is_apart in (False, True)
        for each, title in _STARTABLE.items()
    ]
    of_all = answer["count"] - answer["synthetic_count"], answer["synthetic_count"]
    for is_apart, startable, title, held in parts:
        rows = [row for row in held if row["startable"] == startable]
        if rows:
            is_known, column = startable in ("in_full", "in_part"), remark_column(rows)
            yield table(
                f"{title}, today is {answer['today']}: {len(rows[:rows_max])} of {of_all[is_apart]} products at sites",
                ("site", "product", *(("start by", "wafers to start") if is_known else ()), *_COURSE,
                 *column),
                [
                    (
                        row["site"], row["product"],
                        *((row["act_by"], row["act_wafers"]) if is_known else ()),
                        *_course(row, answer),
                        *remark_cells(column, row),
                    )
                    for row in rows[:rows_max]
                ],
                caption="lead time, as orders state it: "
                + ", ".join(sorted({f"{row['product']} {row['lead_days']} days" for row in rows}))
                if is_known
                else "",
            )  # fmt: skip
    yield Text(
        "on hand + in transit + open commits - orders not yet consumed; overdue supply does not count\n"
        "firm only: at worst, without other commits; all: waferline shortages --limit 200\n",
        style="dim",
    )
    yield from forecast_gap_tables(answer, rows_max)


def forecast_gap_tables(answer: Mapping[str, Any], rows_max: int) -> Iterator[FittedTable | Text]:
    """Yield the table of forecasts without supply where orders alone do not run short."""
    for is_apart in (False, True):
        gaps = [row for row in answer.get("forecast_gaps") or [] if row["synthetic"] is is_apart]
        if gaps:
            yield table(
                f"{SYNTHETIC * is_apart}Forecast without supply, where orders alone do not run short: "
                f"{len(gaps[:rows_max])} of {len(gaps)}",
                ("site", "product", "first day", "wafers at worst"),
                [(row["site"], row["product"], row["first_day"], row["wafers"]) for row in gaps[:rows_max]],
            )


_STARTABLE = {
    "in_full": "Wafers can still be started for all of it, the soonest first",
    "in_part": "Wafers started today meet what is short after their lead time; before it, move or expedite",
    "too_late": "Too late to start wafers: move or expedite",
    None: "Until when to start wafers is not known",
}
_COURSE = (
    "on hand", "short now", "first short day", "at worst", "worst day", "short until", "firm only", "forecast gap",
)  # fmt: skip


def _course(row: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        row["on_hand"], row["short_now"], first_short_words(row, answer), row["shortage"], row["worst_day"],
        until_words(row["short_until"]), row["by_firmness"]["firm"]["shortage"], row["forecast_gap"]["wafers"],
    )  # fmt: skip


def first_short_words(row: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """Return the first short day, or since when a product is short if it still is today."""
    if row["short_since"] and row["first_short_day"] == answer["today"]:
        return f"since {row['short_since']}"
    return str(row["first_short_day"])


def until_words(day: str | None) -> str:
    """Return the day until which a product is short."""
    return "not within the horizon" if day is None else day


def last_plan_table(answer: Mapping[str, Any], rows_max: int) -> FittedTable:
    """Return the shortages of the last plan before the day went back."""
    rows = answer["rows"][:rows_max]
    return table(
        f"The last plan before, position {answer['position']}, complete through "
        f"{answer['complete_through'] or 'no day'}: "
        f"{len(rows)} of {answer['count']} products at sites",
        ("site", "product", "on hand", "short now", "first short day", "short by then", "at worst"),
        [
            (row["site"], row["product"], row["on_hand"], row["short_now"], first_short_words(row, answer),
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


def why_tables(answer: Mapping[str, Any]) -> Iterator[FittedTable | Text]:
    """Yield the reasons of each shortage: its orders with their pegged supply, overdue supply, and the bridge.

    A row that has ceased to be short since it was ranked has no reasons.
    """
    for row in answer["rows"]:
        if "why" not in row:
            continue
        since = f" since {row['short_since']}" if row["short_since"] else ""
        yield Text(f"{row['product']} at {row['site']}", style="bold underline")
        yield Text(
            f"{row['first_shortage']:,} wafers short on {row['first_short_day']}, {row['shortage']:,} at worst on "
            f"{row['worst_day']}; today is {answer['today']}, commits {answer['firmness']} or above\n"
            f"{row['short_now']:,} short now{since}, {row['on_hand']:,} on hand; short until: "
            f"{until_words(row['short_until'])}; {act_on_words(row)}\n"
        )
        if words := remark_words(row):
            yield Text(escape_controls(f"remarks: {words}\n"))
        yield from _behind(row["why"])
        if row.get("bridge"):
            yield _bridge(row["bridge"])
    if answer["rows"]:
        hint = "an event and its proof: waferline event SOURCE/EVENT; the whole lists: --json"
        yield Text(hint, style="dim")
    more = answer["count"] - len(answer["rows"])
    if more > 0:
        yield Text(f"{more:,} more run short: name a --site or a --product", style="dim")


def _behind(why: Mapping[str, Any]) -> Iterator[FittedTable | Text]:
    orders, overdue = why["orders"][:_ROWS_MAX], why["overdue"][:_ROWS_MAX]
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
    reasons = why["reasons"][:_ROWS_MAX]
    if reasons:
        yield table(
            f"Reasons that suppliers state with their commits: {len(reasons)} of {len(why['reasons'])}",
            ("supplier", "reason", "commits", "wafers committed on them"),
            [tuple(each.values()) for each in reasons],
        )
    if overdue:
        yield table(
            f"Overdue, not counted until its source publishes a new day for it: {len(overdue)} of "
            f"{len(why['overdue'])}",
            ("supply", "supplier", "due", "wafers", "days overdue", "reason", "event"),
            [
                (_line(each), each["supplier"], each["day"], each["wafers"], each["days_overdue"], each["reason"],
                 each["event"])
                for each in overdue
            ],
        )  # fmt: skip


def _bridge(bridge: Mapping[str, Any]) -> FittedTable:
    """Return the causes of a shortage since its orders were placed, each with its largest event."""
    largest = [(row, row["entries"][0]) for row in bridge["rows"]]
    return table(
        f"From the balance projected then to that projected now, for {bridge['day']}",
        ("", "wafers", "largest", "source", "line", "event"),
        [
            ("projected then", bridge["projected_then"], None, "", "", ""),
            *(
                (row["cause"].replace("_", " "), row["wafers"], entry["wafers"],
                 entry["event_source"] or entry["source"], entry["line"] or entry["kind"].replace("_", " "),
                 entry["event"] or "")
                for row, entry in largest
            ),
            ("projected now", bridge["projected_now"], None, "", "", ""),
        ],
        caption=f"then: {known_at(bridge['since']['as_of'])}; all events, or another then: waferline bridge",
    )  # fmt: skip


def act_on_words(row: Mapping[str, Any]) -> str:
    """Return how many wafers to start for a shortage, and by when; or that it is too late, or not known."""
    if row["act_by"] is not None:
        return f"start {row['act_wafers']:,} wafers by {row['act_by']}, for {row['act_for']}"
    if row["lead_days"] is None:
        return "until when wafers can be started is not known"
    return f"too late to start wafers, which take {row['lead_days']} days: move or expedite"


_KINDS = {"supply.committed": "commit", "demand.required": "order", "on_hand": "on hand"}


def effect_table(effect: Mapping[str, Any]) -> FittedTable | Text:
    """Return the product-sites with a shortage that some events would alter, or the reason why that is not known."""
    if "unknown" in effect:
        return Text(f"the effect on the first short days is not known: {effect['unknown']}\n")
    rows, today = effect["rows"], effect.get("today")
    if rows and today is None:
        return Text("the effect on the first short days is not known: no source has completed a day\n")
    moved = [row for row in rows if row["before"] != row["after"]]
    refused = f"; the ledger would refuse {len(effect['refused']):,} of the events" if effect["refused"] else ""
    if not moved:
        return Text(f"it would move no first short day, and no number of wafers short{refused}\n")
    days = sum(row["before"]["first_short_day"] != row["after"]["first_short_day"] for row in moved)
    cells = [
        (row["product"], row["site"], row["before"]["first_short_day"], row["after"]["first_short_day"],
         row["before"]["shortage"], row["after"]["shortage"], row["after"]["shortage"] - row["before"]["shortage"])
        for row in moved
    ]  # fmt: skip
    caption = f"projected from {today}, at position {effect['position']}{refused}"
    columns = ("product", "site", "first short", "would be", "wafers short", "would be", "change")
    return table(f"it would move {counted(days, 'first short day')}", columns, cells, caption=caption)


def _line(entry: Mapping[str, Any]) -> str:
    """Return a line in words: its source, its kind, and its name."""
    kind = _KINDS.get(entry["kind"], entry["kind"])
    return f"{entry['source']} {kind} {entry['line']}" if "line" in entry else kind


# ---------------------------------------------------------------- the worklist

WORK = {
    "expedite": "expedite or move: short before newly started wafers can come",
    "promise": "ask for a commit: nobody has promised these wafers; day: last one to start them",
    "pull_in": "pull in: promised, but late; day: last one to start other wafers",
    "secure": "see that the supply comes: the stock covers few days without it; day: the first not covered",
    "move": "move: idle here, and short elsewhere; day: the first one short there",
    "chase": "chase: due before today, and not here; day: the first due",
    "surplus": "no known need: use it elsewhere, or stop its supply",
}
"""The action for the items of each kind."""


def worklist_tables(answer: Mapping[str, Any], *, items: bool) -> Iterator[FittedTable | Text]:
    """Yield the lines of the worklist, and with `items` those of each row that stands for several."""
    rows = answer["rows"]
    rest = f"; {answer['resting']} snoozed" if answer["resting"] else ""
    if not rows:
        is_known = answer["today"] is not None
        yield Text(f"{'Nothing to do' if is_known else 'Not known: no source has completed a day yet'}{rest}.\n")
        return
    remarked = _remarked(rows)
    column = remark_column(remarked)
    kinds = sorted({row["kind"] for row in rows}, key=[*WORK].index)
    whole = f"{counted(len(rows), 'row')} for {counted(answer['count'], 'item')}"
    apart = f", {answer['synthetic_count']} of synthetic demand, last" if answer["synthetic_count"] else ""
    yield table(
        f"Worklist, today is {answer['today']}: {whole}{rest}{apart}",
        ("kind", "what", "wafers", "MW waiting", "day", "days left", *column),
        [
            (row["kind"].replace("_", " "), work_words(row), *_work_figures(row), *remark_cells(column, each))
            for row, each in zip(rows, remarked, strict=True)
        ],
        caption="\n".join(WORK[kind] for kind in kinds),
    )
    for row in rows if items else ():
        if row["count"] > 1:
            column = remark_column(row["items"])
            yield table(
                f"{row['kind'].replace('_', ' ')}: {work_words(row)}",
                ("what", "wafers", "MW waiting", "day", "days left", *column),
                [(work_words(item), *_work_figures(item), *remark_cells(column, item)) for item in row["items"]],
            )


def work_words(row: Mapping[str, Any]) -> str:
    """Return the product and the place of a line or an item of the worklist."""
    if row.get("synthetic"):
        return f"synthetic demand, {counted(row['count'], 'item')}"
    if row.get("count", 1) > 1:
        sites, products = ({item[part] for item in row["items"] if item[part]} for part in ("site", "product"))
        of = row["product"] or row["supplier"] or f"{len(products)} products"
        if row["kind"] == "chase":
            suppliers = {item["supplier"] for item in row["items"]}
            return f"{of}: {counted(len(products), 'product')} of {counted(len(suppliers), 'supplier')}"
        return f"{of} at {row['site'] or f'{len(sites)} sites'}"
    return f"{row['product']} {'of ' + row['supplier'] if row['supplier'] else 'at ' + row['site']}"


def _work_figures(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["wafers"], row["mw_waiting"], row["day"], row["days_left"]


def _remarked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first item of each line that has one item, as rows with remarks; of others an empty row."""
    return [row["items"][0] if row["count"] == 1 else {} for row in rows]
