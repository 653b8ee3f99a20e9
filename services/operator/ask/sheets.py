"""A sheet sent to its party, and a template filled with the lines in force."""

import base64
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from services.operator.ask.client import ask
from services.operator.stack.calls import call
from services.operator.stack.errors import StackError
from services.operator.stack.location import running_stack, service_url
from services.operator.stack.new_file import new_file
from shared.documents.document import STATED_BY, Kind

GROUPS_ASKED = 20
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


def first_short_days(data: Path, answer: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Return the first short day, now and then, of each product and site that a sheet would change; the rest in words.

    Those whose wafers change the most come first, `GROUPS_ASKED` at most.
    """
    rows, changes = [], answer["balance_changes"]
    try:
        for each in changes[:GROUPS_ASKED]:
            found = ask(data, "aggregator", "/what-if", **each)
            if found["today"] is None:
                return [], "not known before a day is complete"
            names = ("first_short_day", "shortage")
            then = {f"{name}_{when}": found[when][name] for name in names for when in ("now", "then")}
            rows.append({"product": each["product"], "site": each["site"], **then})
    except StackError as why:
        return rows, f"not told: {why}"
    left = len(changes) - len(rows)
    return rows, f"and {left:,} more products at sites" if left else ""


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
