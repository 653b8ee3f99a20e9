"""Tables of the changes since an earlier moment: shortages moved, alerts raised and cleared, phases, and remarks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from services.console.http.since import changes_of, effect_of, since_rows
from services.operator.show.table import FittedTable, known_at, table

__all__ = ["since_rows", "since_tables"]
_LISTED_MAX = 10  # alerts and phases; --json has all


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
            (row["more_short"], changes_of(row) + ("; synthetic" if row["synthetic"] else ""), effect_of(row))
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
        yield _listed("Phases planned anew or otherwise", ("site", "phase", "MW", "energises", "was", "status"), [
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
    return f"{left:,} more rows: --limit; " if left else ""


def _listed(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> FittedTable:
    rest = len(rows) - _LISTED_MAX
    caption = f"{rest:,} more: --json" if rest > 0 else ""
    return table(f"{title}: {len(rows)}", columns, rows[:_LISTED_MAX], caption=caption)
