"""Tables of a bridge: the projected balance then and now, the causes between, and the events of each."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from services.operator.show.table import FittedTable, known_at, table

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
