"""Tables of a bridge, from the balance projected then to that now, and of all that changed since a moment."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from services.console.http.since import changes_of, effect_of, group_words
from services.operator.show.lines import remark_words
from services.operator.show.table import FittedTable, escape_controls, known_at, table

_LISTED_MAX = 10  # alerts and phases; --json has all
_ENTRIES_MAX = 5  # of a cause; --json has fifty


def bridge_tables(answer: Mapping[str, Any]) -> Iterator[FittedTable | Text]:
    """Yield the table of the causes, that of the lines behind them, and those of the events that the answer holds."""
    since, causes = answer["since"], answer["rows"]
    if answer["today"] is None:
        yield Text("Not known: a balance is projected from the first day that is complete.\n")
        return
    then = f"projected at position {since['position']}"
    yield table(
        f"{answer['product']} at {answer['site']}, projected for {answer['day']}, "
        f"commits {answer['firmness']} or above",
        ("", "wafers"),
        [
            (then, answer["projected_then"]),
            *((row["cause"].replace("_", " "), row["wafers"]) for row in causes),
            ("projected now", answer["projected_now"]),
        ],
        caption=f"then: {known_at(since['as_of'])}, complete through {since['complete_through'] or 'no day yet'}",
    )
    if remarks := remark_words(answer):
        yield Text(f"Remarks: {escape_controls(remarks)}\n")
    shown = [(row["cause"], entry) for row in causes for entry in row["entries"][:_ENTRIES_MAX]]
    yield table(
        f"Behind them: {len(shown)} of {sum(row['entries_count'] for row in causes)}",
        ("cause", "wafers", "kind", "source", "line", "event"),
        [
            (
                cause.replace("_", " "),
                entry["wafers"],
                entry["kind"],
                entry["event_source"] or entry["source"],
                entry["line"],
                entry["event"],
            )
            for cause, entry in shown
        ],
        caption="an event and its proof: waferline event SOURCE/EVENT; more: --json",
    )
    for row in causes:
        if "events" in row:
            yield _events_table(row["cause"], row["events"])


def _events_table(cause: str, events: Mapping[str, Any]) -> FittedTable:
    """Return the events of a bar of movements."""
    rows = [
        (f"{each['source']}/{each['id']}", each["type"], each["time"], each["site"], each["to_site"] or "",
         each["supplier"], each["wafers"], each["batch"], each["effect"])
        for each in events["rows"]
    ]  # fmt: skip
    columns = ("event", "type", "time", "site", "to", "supplier", "wafers", "batch", "effect")
    caption = "" if events["next"] is None else f"more lie behind place {events['next']} of the log: GET /movements"
    return table(f"Events of {cause.replace('_', ' ')}: {len(rows)}", columns, rows, caption=caption)


# ---------------------------------------------------------------- since


def since_tables(answer: Mapping[str, Any]) -> Iterator[FittedTable | Text]:
    """Yield the whole change in a sentence, the table of the rows, and those of all else that changed."""
    then = answer["since"]
    if answer["today"] is None:
        yield Text("Not known: no source has completed a day yet.\n")
        return
    more = answer["short_now"] - answer["short_then"]
    whole = f"{abs(more):,} {'more' if more > 0 else 'fewer'} wafers short at worst" if more else "As short as then"
    counted = answer["without_effect"]
    yield table(
        f"{whole}: {answer['short_then']:,} then ({known_at(then['as_of'])}), {answer['short_now']:,} now",
        ("more short", "change", "effect"),
        [
            (
                row["more_short"],
                changes_of(row, group_words(row)) + ("; synthetic" if row["synthetic"] else ""),
                effect_of(row),
            )
            for row in answer["rows"]
        ],
        caption=_rest(answer) + f"{counted['lines']:,} of {counted['of_lines']:,} lines that were altered moved no "
        "shortage",
    )
    for title, alerts in (("Alerts raised", answer["alerts_raised"]), ("Alerts cleared", answer["alerts_cleared"])):
        if alerts:
            yield _listed(title, ("code", "about", "day", "wafers"), [
                (each["code"], ", ".join(each["subject"].values()), each["day"], each["wafers"]) for each in alerts
            ])  # fmt: skip
    if answer["phases"]:
        yield _listed("Phases that are new or were changed", ("site", "phase", "MW", "energises", "was", "status"), [
            (each["site"], each["phase"], each["mw_now"], each["energise_on_now"],
             each["energise_on_then"] or "new", each["status_now"]) for each in answer["phases"]
        ])  # fmt: skip
    remarks = [(f"alert/{each['alert']}", each["note"] or "acknowledged", each["assignee"] or each["by"])
               for each in answer["acknowledged"]]  # fmt: skip
    remarks += [(note["about"], note["text"], note["by"]) for note in answer["notes"]]
    if remarks:
        yield _listed("Remarks made", ("about", "remark", "by"), remarks)


def _rest(answer: Mapping[str, Any]) -> str:
    left = answer["count"] - len(answer["rows"])
    return f"{left:,} more rows: --limit, or name a --site or a --product; " if left else ""


def _listed(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> FittedTable:
    rest = len(rows) - _LISTED_MAX
    caption = f"{rest:,} more: --json" if rest > 0 else ""
    return table(f"{title}: {len(rows)}", columns, rows[:_LISTED_MAX], caption=caption)
