"""The command on sheets: a planner's CSV file or workbook into a party, and a template to fill."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, Csv, Data, Json
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what an import would do.")] = False,
    problems: Annotated[
        Path | None, typer.Option(help="File to write if there are problems: the sheet, with place and reason added.")
    ] = None,
    number: Annotated[str, typer.Option(help="The partner's number of the document.")] = "",
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
) -> None:
    """Import a sheet through its party: print what is new, changed, withdrawn and unchanged, or all its problems.

    A sheet states all its lines or none. Exit with 1 if it has problems, or if the ledger refuses an event.
    With --template and --to, write a workbook to fill; with --source it holds the lines in force.

    Example: waferline import commits.xlsx --as commits --dry-run
    """
    from services.operator.ask.sheets import find_party, first_short_days, send_sheet, write_template
    from services.operator.show.printing import print_answer
    from services.operator.show.table import open_console
    from services.operator.stack.location import find_stack

    with report_errors():
        data = find_stack(data, writes=template is None or source is not None)
        if template is not None:
            path = write_template(data, template, to, source)
            open_console().print(f"{template} in {path}", highlight=False, soft_wrap=True)
            return
        if file is None or as_ is None:
            raise typer.BadParameter(f"name a file and one of {', '.join(KINDS)}", param_hint="FILE, --as")
        url = find_party(data, STATED_BY[as_], source)
        query = {"as": as_, "number": number} | ({} if issued is None else {"issued": issued})
        answer = send_sheet(url, file, profile, query | {"dry_run": str(dry_run).lower()})
        if answer["problems"] and problems is not None:
            send_sheet(url, file, profile, query | {"dry_run": "true", "marked": "true"}, marked=problems)
        if dry_run and not answer["problems"]:
            answer["first_short_days"], answer["first_short_days_left_out"] = first_short_days(data, answer)
    rows = answer["problems"] or answer["events"]
    print_answer(answer, rows, _tables(file, data, answer, problems), json_=json_, csv_=csv_)
    if answer["problems"] or any(event.get("status") == "refused" for event in answer["events"]):
        raise typer.Exit(1)


def _tables(file: Path, data: Path, answer: Mapping[str, Any], problems: Path | None) -> list[Any]:
    """Return the counts, and the problems or the first events, as tables."""
    from services.operator.show.table import counted, table

    title = f"{answer['kind']} of {file.name}, to the stack in {data}: {answer['status']}"
    if answer["problems"]:
        caption = "nothing is stated: correct the sheet" + (f", or {problems}, and import it" if problems else "")
        rows = [(each["place"], each["code"], each["reason"]) for each in answer["problems"]]
        title = f"{title}, {counted(len(rows), 'problem')}"
        return [table(title, ("place", "code", "reason"), rows, caption=caption)]
    shown = [table(title, _COUNTS, [[answer[name] for name in _COUNTS]])]
    events = answer["events"]
    names = [name for name in _EVENT_COLUMNS if any(name in event for event in events)]
    if events:
        left = len(events) - _EVENTS_SHOWN
        cells = [[each.get(name, "") for name in names] for each in events[:_EVENTS_SHOWN]]
        caption = f"and {left:,} more: --json or --csv prints all" if left > 0 else ""
        shown.append(table(counted(len(events), "event"), names, cells, caption=caption))
    if answer.get("first_short_days") or answer.get("first_short_days_left_out"):
        shown.append(_first_short_table(answer))
    if answer["superseded"]:
        rows = [(each["place"], each["code"], each["reason"]) for each in answer["superseded"]]
        shown.append(table(f"{counted(len(rows), 'line')} left out", ("place", "code", "reason"), rows))
    if answer["notes"]:
        shown.append(table("notes", ("note", "text"), [(each["name"], each["text"]) for each in answer["notes"]]))
    return shown


def _first_short_table(answer: Mapping[str, Any]) -> Any:
    """Return the first short days, now and after the import, at any firmness."""
    from services.operator.show.table import table

    columns = ("product", "site", "first short day now", "after the import", "short at worst now", "after it")
    rows = [list(each.values()) for each in answer["first_short_days"]]
    if not rows:
        return f"First short days: {answer['first_short_days_left_out']}\n"
    return table("First short days", columns, rows, caption=answer["first_short_days_left_out"])
