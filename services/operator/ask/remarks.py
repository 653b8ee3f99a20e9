"""Remarks of a planner, published through its party: the alert, note or thing that each is about is looked up first."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from services.operator.ask.client import ask, ask_all
from services.operator.ask.publishing import publish_events
from services.operator.ask.sheets import find_source
from services.operator.stack.errors import StackError
from shared.programme.remarks import remark_event


def find_alert(data: Path, name: str) -> dict[str, Any]:
    """Return the open alert of a name, or of one without its day; raise `StackError` where none is open."""
    code = name.partition("/")[0]
    for row in ask_all(data, "/alerts", code=code)["rows"]:
        if name in (row["name"], "/".join((row["code"], *row["subject"].values()))):
            found: dict[str, Any] = row
            return found
    raise StackError(f"no alert {name} is open; the open ones of this code: waferline alerts --code {code}")


def find_note(data: Path, about: str, name: str) -> dict[str, Any] | None:
    """Return the note of a name on a thing, None where there is none, or no name."""
    rows = ask_all(data, "/remarks", about=about)["rows"] if name else []
    return next((row for row in rows if row["note"] == name), None)


def expect_known(data: Path, about: str) -> None:
    """Raise `StackError` where the thing that a note is about is not known: nobody would see the note."""
    kind, _, name = about.partition("/")
    if kind == "alert":
        find_alert(data, name)
    elif kind == "site":
        ask(data, "aggregator", "/sites", site=name)
    elif kind == "product":
        ask(data, "aggregator", "/months", product=name)
    elif kind == "line" and name.count("/") == 2:
        _expect_line(data, *name.split("/"))
    else:
        raise StackError(
            f"{about!r} is nothing to note on: line/KIND/PARTY/LINE, site/SITE, product/PRODUCT or alert/ALERT"
        )


def _expect_line(data: Path, kind: str, source: str, line: str) -> None:
    rows = ask_all(data, "/lines", kind=kind, source=source, state="all", like=line)["rows"]
    if all(row["line"] != line for row in rows):
        raise StackError(f"{source} has no {kind} {line}; its lines: waferline lines --kind {kind} --all")


def publish_remark(
    data: Path, source: str | None, type_: str, content: Mapping[str, Any], before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Publish a remark through its planner, as a revision of the one before; return the ledger's verdict.

    Raise `StackError` where the ledger refuses it. Fields that are empty or false are left out.
    """
    planner, url = find_source(data, "planner", source)
    fields = {name: value for name, value in content.items() if value not in (None, "", False)}
    if before is not None:
        fields["revision"] = before["revision"] + 1
    if type_ == "note.added":
        fields.setdefault("text", "")
    event = remark_event(planner, type_, fields, datetime.now(UTC))
    [verdict] = publish_events(url, [orjson.dumps(event)])
    if verdict["status"] == "refused":
        raise StackError(f"{verdict['code']} at {verdict['path']}: {verdict['message']}")
    return verdict | {"source": planner}
