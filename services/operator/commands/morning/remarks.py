"""Commands on remarks: alerts that are acknowledged, and notes on lines, sites, products and alerts."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, AsOf, Csv, Data, Json, Xlsx

Planner = Annotated[str | None, typer.Option("--source", help="The planner that says it; default: the only one.")]
By = Annotated[str, typer.Option(envvar="WAFERLINE_BY", help="Who says it.")]
Withdrawn = Annotated[bool, typer.Option("--withdrawn", help="Take it back.")]


def acknowledge(
    alert: Annotated[str, typer.Argument(help="The alert's name, without its day: of the one that is open.")],
    assignee: Annotated[str, typer.Option(help="The person that follows it up.")] = "",
    note: Annotated[str, typer.Option(help="A note of one line.")] = "",
    snoozed_until: Annotated[
        str | None,
        typer.Option("--snooze-until", help="Leave it out of the worklist before this day (2026-09-30) is today."),
    ] = None,
    by: By = "",
    withdrawn: Withdrawn = False,
    source: Planner = None,
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Acknowledge an open alert: name its assignee, and the day until which it may rest.

    Parts that are left out stay as they were. One acknowledgement holds of an alert: of several planners' the one of
    the greatest revision.

    It is a fact of the planner in the log, shown beside the alert wherever it is shown, also where a past day is. It
    holds of the alert of this very name: one of another day is another alert.

    Example: waferline acknowledge short_within/HBM4-12H/TX-MILAM --assignee Kim --snooze-until 2026-09-30
    """
    from services.operator.ask.remarks import find_alert, publish_remark
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data, writes=True)
        found = find_alert(data, alert)
        before = found["acknowledged"] or {}
        content: dict[str, Any] = {
            "alert": found["name"],
            "assignee": assignee or before.get("assignee", ""),
            "note": note or before.get("note", ""),
            "snoozed_until": snoozed_until or before.get("snoozed_until"),
            "by": by,
            "withdrawn": withdrawn,
        }
        verdict = publish_remark(data, source, "alert.acknowledged", content, found["acknowledged"])
    _print(f"{found['name']} is {'no more ' if withdrawn else ''}acknowledged", verdict, json_=json_)


def note(
    about: Annotated[
        str,
        typer.Argument(help="line/KIND/PARTY/LINE, site/SITE, product/PRODUCT or alert/ALERT."),
    ],
    text: Annotated[str, typer.Argument(help="The note, one line.")] = "",
    name: Annotated[str, typer.Option(help="Name of the note, to revise one; default: a new note.")] = "",
    by: By = "",
    withdrawn: Withdrawn = False,
    source: Planner = None,
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Write a note on a line, a site, a product or an alert; with --name write it anew, or take it back.

    It is a fact of the planner in the log, shown beside the number wherever that is shown, also where a past day is.

    Example: waferline note site/TX-MILAM "the second hall opens a month early" --by Kim
    """
    from services.operator.ask.remarks import expect_known, find_note, publish_remark
    from services.operator.stack.errors import StackError
    from services.operator.stack.location import find_stack
    from shared.programme.remarks import note_name

    with report_errors():
        data = find_stack(data, writes=True)
        if not text and not withdrawn:
            raise StackError("write the note, or take one back with --name and --withdrawn")
        if withdrawn and not name:
            raise StackError("name the note to take back with --name: waferline remarks lists them")
        expect_known(data, about)
        before = find_note(data, about, name)
        if withdrawn and before is None:
            raise StackError(f"no note {name} is on {about}: waferline remarks --about {about} lists them")
        made = name or note_name(about, text, datetime.now(UTC))
        content = {"note": made, "about": about, "text": text, "by": by, "withdrawn": withdrawn}
        verdict = publish_remark(data, source, "note.added", content, before)
    _print(f"note {content['note']} on {about}{' is taken back' if withdrawn else ''}", verdict, json_=json_)


def remarks(
    about: Annotated[
        str | None,
        typer.Option(help="Only on this: line/KIND/PARTY/LINE, site/SITE, product/PRODUCT or alert/ALERT."),
    ] = None,
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """List the remarks of the planners: the alerts that are acknowledged, and the notes.

    Example: waferline remarks --about site/TX-MILAM
    """
    from services.operator.ask.client import ask_all
    from services.operator.commands.output import put_out
    from services.operator.show.lines import remarks_tables
    from services.operator.show.table import position_line
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data)
        answer = ask_all(data, "/remarks", about=about, as_of=as_of)
    rows = answer["rows"]
    flat = [*({"about": f"alert/{each['alert']}", **each} for each in answer["acknowledged"]), *rows]
    put_out(answer, flat, remarks_tables(answer, position_line(data, answer)), json_=json_, csv_=csv_, xlsx=xlsx)


def _print(outcome: str, verdict: dict[str, Any], *, json_: bool) -> None:
    from services.operator.show.printing import print_json

    if json_:
        print_json(verdict)
        return
    typer.echo(f"{outcome}: {verdict['status']}, event {verdict['source']}/{verdict['id']}")
