"""The command on sheets: a planner's CSV file or workbook into a party, and a template to fill."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, Csv, Data, Json, Xlsx, Yes, confirm
from shared.documents.document import KINDS, STATED_BY, Kind

_EVENTS_SHOWN = 20
_EVENT_COLUMNS = ("place", "outcome", "line", "site", "product", "due", "wafers", "counted", "status")
_COUNTS = ("new", "changed", "withdrawn", "unchanged")


def import_(
    file: Annotated[Path | None, typer.Argument(help="Sheet to read: .csv or .xlsx.")] = None,
    as_: Annotated[Kind | None, typer.Option("--as", help="Facts that it states.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Profile of the partner: a .yaml file, or the name of one that the party keeps.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Source that states them; default: the only one of the stack that can.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the effect of an import.")] = False,
    problems: Annotated[
        Path | None, typer.Option(help="File to write if there are problems: the sheet, with place and reason added.")
    ] = None,
    number: Annotated[str, typer.Option(help="The partner's number of the document.")] = "",
    yes: Yes = False,
    issued: Annotated[
        str | None, typer.Option(help="Time at which the partner issued it; default: as the file says, else now.")
    ] = None,
    template: Annotated[
        Kind | None, typer.Option(help="Write a workbook of this kind to fill, in place of reading.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="The template's file: new, .xlsx.")] = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Import a sheet through its party: print what is new, changed, withdrawn and unchanged, or all its problems.

    A sheet states all its lines or none. Exit with 1 if it has problems, or if the ledger refuses an event.

    With --dry-run it also prints which first short days and wafers short would move; that needs a token that may read.
    A site that nobody declares, or a day outside the horizon, may be a typo: on a terminal the command asks before it
    states anything, elsewhere it refuses; --yes goes on.

    With --template and --to, write a workbook to fill; with --source it holds the lines in force.

    Example: waferline import commits.xlsx --as commits --dry-run
    """
    from services.operator.ask.sheets import add_first_look, find_party, send_sheet, write_template
    from services.operator.commands.output import expect_output, put_out
    from services.operator.show.table import open_console
    from services.operator.stack.location import find_stack

    with report_errors():
        expect_output(json_=json_, csv_=csv_, xlsx=xlsx)
        data = find_stack(data, writes=template is None or source is not None)
        if template is not None:
            path = write_template(data, template, to, source)
            open_console().print(f"{template} in {path}", highlight=False, soft_wrap=True)
            return
        if file is None or as_ is None:
            raise typer.BadParameter(f"name a file and one of {', '.join(KINDS)}", param_hint="FILE, --as")
        url = find_party(data, STATED_BY[as_], source)
        query = {"as": as_, "number": number} | ({} if issued is None else {"issued": issued})
        if dry_run:
            answer = send_sheet(url, file, profile, query | {"dry_run": "true", "whole": "true"})
            add_first_look(data, answer)
        else:
            if not yes:
                query |= {"issued": _ask_first(data, send_sheet(url, file, profile, query | {"dry_run": "true"}))}
            answer = send_sheet(url, file, profile, query | {"dry_run": "false"})
        if answer["problems"] and problems is not None:
            send_sheet(url, file, profile, query | {"dry_run": "true", "marked": "true"}, marked=problems)
    rows = answer["problems"] or answer["events"]
    events_max = None if xlsx is not None else _EVENTS_SHOWN
    tables = _tables(file, data, answer, problems, events_max)
    put_out(answer, rows, tables, json_=json_, csv_=csv_, xlsx=xlsx)
    if answer["problems"] or any(event.get("status") == "refused" for event in answer["events"]):
        raise typer.Exit(1)


def _ask_first(data: Path, checked: Mapping[str, Any]) -> str:
    """Ask about the doubtful values of a sheet that was checked; return the time of its issue, which then holds."""
    from services.operator.ask.first_look import find_doubts

    doubts, unchecked = find_doubts(data, [(event["type"], event) for event in checked["events"]])
    if unchecked:
        typer.secho(f"sites and due days are not checked: {unchecked}", fg="yellow", err=True)
    confirm([(checked["events"][index]["place"], each.reason) for index, each in doubts])
    return str(checked["issued"])


def _tables(
    file: Path, data: Path, answer: Mapping[str, Any], problems: Path | None, events_max: int | None
) -> list[Any]:
    """Return the counts, and the problems or the first events, as tables."""
    from rich.text import Text

    from services.operator.show.shortages import effect_table
    from services.operator.show.table import counted, table

    title = f"{answer['kind']} of {file.name}, to the stack in {data}: {answer['status']}"
    if answer["problems"]:
        caption = "nothing is stated: correct the sheet" + (f", or {problems}, and import it" if problems else "")
        rows = [(each["place"], each["code"], each["reason"]) for each in answer["problems"]]
        title = f"{title}, {counted(len(rows), 'problem')}"
        return [table(title, ("place", "code", "reason"), rows, caption=caption)]
    shown: list[Any] = [table(title, _COUNTS, [[answer[name] for name in _COUNTS]])]
    events = answer["events"]
    names = [name for name in _EVENT_COLUMNS if any(name in event for event in events)]
    if events:
        cells = [[each.get(name, "") for name in names] for each in events[:events_max]]
        left = len(events) - len(cells)
        caption = f"and {left:,} more: --json or --csv prints all" if left > 0 else ""
        shown.append(table(counted(len(events), "event"), names, cells, caption=caption))
    doubtful = [(each["place"], each["warning"]) for each in events if each.get("warning")]
    if doubtful:
        shown.append(
            table(f"{counted(len(doubtful), 'row')} to look at", ("place", "warning"), doubtful[:_EVENTS_SHOWN])
        )
    if "unchecked" in answer:
        shown.append(Text(f"sites and due days are not checked: {answer['unchecked']}\n"))
    if "effect" in answer:
        shown.append(effect_table(answer["effect"]))
    if answer["superseded"]:
        rows = [(each["place"], each["code"], each["reason"]) for each in answer["superseded"]]
        shown.append(table(f"{counted(len(rows), 'line')} left out", ("place", "code", "reason"), rows))
    if answer["notes"]:
        shown.append(table("notes", ("note", "text"), [(each["name"], each["text"]) for each in answer["notes"]]))
    return shown
