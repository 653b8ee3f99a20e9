"""A sheet sent to its party, and a template filled with the lines in force."""

import base64
from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from services.operator.ask.client import ask
from services.operator.ask.first_look import ask_effect, find_doubts
from services.operator.stack.calls import call
from services.operator.stack.errors import StackError
from services.operator.stack.location import running_stack, service_url
from services.operator.stack.new_file import new_file
from shared.documents.document import STATED_BY, Kind

_WITHIN_S = 120.0
_PROFILE_ENDINGS = (".yaml", ".yml")
_SHEET_ENDINGS = (".csv", ".xlsx")
_ANSWERED = (HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.UNPROCESSABLE_ENTITY)


def find_party(data: Path, role: str, source: str | None) -> str:
    """Return the address of the party of a role that a source names, or of the only one; raise `StackError`."""
    facts = running_stack(data)
    names = [name for name in facts["services"] if name.partition("-")[0] == role]
    found = [name for name in names if source in (None, name.partition("-")[2])]
    there = ", ".join(name.partition("-")[2] for name in names) or "none"
    if not found:
        raise StackError(f"{source or role!r} is no {role} of the stack in {data}; there are {there}")
    if len(found) > 1:
        raise StackError(f"several sources can state this: name one of {there} with --source")
    return service_url(facts, found[0])


def send_sheet(
    url: str, file: Path, profile: str | None, query: Mapping[str, str], *, marked: Path | None = None
) -> dict[str, Any]:
    """Return the party's answer to a sheet; with `marked`, write the sheet with its problems there instead."""
    if file.suffix.lower() not in _SHEET_ENDINGS:
        raise StackError(f"{file} is neither .csv nor .xlsx: save the sheet as one of them")
    headers = {}
    params = {**query, "name": file.name}
    if profile is not None and Path(profile).suffix in _PROFILE_ENDINGS:
        headers["Waferline-Profile"] = base64.b64encode(Path(profile).read_bytes()).decode()
        params["profile"] = Path(profile).stem
    elif profile is not None:
        params["profile"] = profile
    try:
        response = call(
            f"{url}/documents", method="POST", params=params, content=file.read_bytes(), headers=headers,
            within_s=_WITHIN_S,
        )  # fmt: skip
    except httpx.TransportError as failure:
        raise StackError(f"the party does not answer at {url} ({failure})") from failure
    if response.status_code not in _ANSWERED or "problem+json" in response.headers["content-type"]:
        raise StackError(response.json()["detail"])
    if marked is None:
        return dict(response.json())
    ending = ".xlsx" if "spreadsheetml" in response.headers["content-type"] else ".csv"
    if marked.suffix.lower() != ending:
        raise StackError(f"{marked}: the file with the problems is in the format of the sheet: name it {ending}")
    if marked.exists() and marked.samefile(file):
        raise StackError(f"{marked} is the sheet itself: name another file")
    marked.write_bytes(response.content)
    return {}


def add_first_look(data: Path, answer: dict[str, Any]) -> None:
    """Add to the answer of a dry run the doubtful values of its rows, and the effect on the shortages.

    The answer has each event whole; that is left out of it again.
    """
    events = answer["events"]
    answer["effect"] = ask_effect(data, [event.pop("cloudevent") for event in events])
    doubts, unchecked = find_doubts(data, [(event["type"], event) for event in events])
    warnings = defaultdict[int, list[str]](list)
    for index, doubtful in doubts:
        warnings[index].append(doubtful.reason)
    for index, event in enumerate(events):
        event["warning"] = "; ".join(warnings[index]) or None
    if unchecked:
        answer["unchecked"] = unchecked


def write_template(data: Path, kind: Kind, to: Path | None, source: str | None) -> Path:
    """Write a workbook of a kind to fill; with a source it holds the lines in force. Return its path."""
    from shared.documents.templates import template  # noqa: PLC0415 (loads the writer of workbooks)
    from shared.party.documents.ledger_lines import lines_query, read_lines  # noqa: PLC0415

    if to is None or to.suffix.lower() != ".xlsx":
        raise StackError("name the template's file, an .xlsx, with --to")
    rows: list[dict[str, Any]] = []
    if source is not None:
        find_party(data, STATED_BY[kind], source)
        path, query = lines_query(kind)
        page = ask(data, "ledger", path, source=source, **query)
        while page["next"] is not None:
            rows += page["rows"]
            page = ask(data, "ledger", path, source=source, after=page["next"], **query)
        rows += page["rows"]
    with new_file(to) as part:
        part.write_bytes(template(kind, read_lines(kind, rows)))
    return to
