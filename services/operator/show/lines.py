"""Tables of lines by due day, of the sources by the day that each has completed, and of the planners' remarks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from services.operator.show.table import FittedTable, table, today_is


def lines_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield the lines of an answer."""
    rows, today = answer["rows"], "" if answer["today"] is None else f", {today_is(answer)}"
    if not rows:
        yield Text(f"No such line{today}.\n")
    else:
        apart = answer["synthetic_count"], answer["synthetic_open_wafers"]
        column = remark_column(rows)
        beside = f"; {apart[0]:,} of synthetic sites, last, {apart[1]:,} open" * bool(apart[0])
        real = answer["count"] - apart[0]
        yield table(
            f"Lines{today}: {min(len(rows), real):,} of {real:,}, {answer['open_wafers']:,} wafers open{beside}",
            ("due", "kind", "site", "product", "wafers", "open", "days overdue", "firmness", "supplier", "source",
             "line", *column, "revision", "event"),
            [
                (row["due"], row["kind"], row["site"], row["product"], row["wafers"], row["open_wafers"],
                 row["days_overdue"], row["firmness"], row["supplier"], row["source"], row["line"],
                 *remark_cells(column, row), row["revision"], row["event"])
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


def remark_column(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the column of remarks, where any row has one."""
    return ("remarks",) if any(remark_words(row) for row in rows) else ()


def remark_cells(column: tuple[str, ...], row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cell of a row in that column, which may be none."""
    return (remark_words(row),) if column else ()


def remark_words(row: Mapping[str, Any]) -> str:
    """Return the remarks of planners on a row: the assignee, the day until which it is snoozed, and the notes."""
    acknowledged = row.get("acknowledged")
    before = row.get("acknowledged_before")
    parts = []
    if acknowledged is not None:
        parts.append(_acknowledged_words(acknowledged))
    elif before is not None:
        parts.append(f"before, {before['alert'].rpartition('/')[2]}: {_acknowledged_words(before)}")
    parts += [f"{note['text']}{' (' + note['by'] + ')' if note['by'] else ''}" for note in row.get("notes") or ()]
    return "; ".join(parts)


def _acknowledged_words(acknowledged: Mapping[str, Any]) -> str:
    until = f", snoozed until {acknowledged['snoozed_until']}" if acknowledged["is_snoozed"] else ""
    text = f": {acknowledged['note']}" if acknowledged["note"] else ""
    return f"{acknowledged['assignee'] or acknowledged['by'] or 'acknowledged'}{until}{text}"


def remarks_tables(answer: Mapping[str, Any], caption: Text) -> Iterator[FittedTable | Text]:
    """Yield the alerts that are acknowledged, and the notes."""
    acknowledged, notes = answer["acknowledged"], answer["rows"]
    if acknowledged:
        yield table(
            f"Acknowledged alerts, {today_is(answer)}",
            ("alert", "assignee", "snoozed until", "note", "by", "on", "event"),
            [
                (row["alert"], row["assignee"], row["snoozed_until"], row["note"], row["by"], row["on"], row["event"])
                for row in acknowledged
            ],
        )
    if notes:
        yield table(
            "Notes",
            ("about", "note", "text", "by", "on", "event"),
            [(row["about"], row["note"], row["text"], row["by"], row["on"], row["event"]) for row in notes],
        )
    if not acknowledged and not notes:
        yield Text("No planner has acknowledged an alert or written a note.\n")
    yield caption
