"""Remarks on the page: the form of an acknowledgement or a note, and its event, which the planner takes and judges."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson

from services.console.live.upstream import NoAnswer, Upstream
from shared.programme.remarks import note_name, remark_event

PATH = "/remarks"
_FIELDS_MAX = 20
_ACKNOWLEDGED, _NOTED = "alert.acknowledged", "note.added"
_FIELDS = {_ACKNOWLEDGED: ("assignee", "note", "snoozed_until"), _NOTED: ("text",)}
_ALERT = "alert/"
_SHOWN_TRIES = 20


class RemarkForm(NamedTuple):
    """A remark as the form has it."""

    planner: str  # the name of its service
    type: str
    fields: Mapping[str, Any]  # of the event's data

    @classmethod
    def read(cls, body: bytes) -> "RemarkForm":
        """Return the remark of a form; raise ValueError with the reason where it is none."""
        form = {name: values[0].strip() for name, values in parse_qs(body.decode(), max_num_fields=_FIELDS_MAX).items()}
        about, kind = form.get("about", ""), form.get("type", "")
        if kind not in _FIELDS or not about or (kind == _ACKNOWLEDGED and not about.startswith(_ALERT)):
            raise ValueError("the form names nothing to remark on: begin at an alert, a line, a site or a product")
        fields: dict[str, Any] = {name: form[name] for name in (*_FIELDS[kind], "by") if form.get(name)}
        if form.get("withdrawn"):
            fields["withdrawn"] = True
        if kind == _ACKNOWLEDGED:
            fields["alert"] = about.removeprefix(_ALERT)
        else:
            if not fields.get("text") and "withdrawn" not in fields:
                raise ValueError("the note is empty: write one")
            text = fields.get("text", "")
            name = form.get("name") or note_name(about, text, datetime.now(UTC))
            fields |= {"about": about, "text": text, "note": name}
        if form.get("revision", "").isdecimal():
            fields["revision"] = int(form["revision"]) + 1
        return cls(form.get("planner", ""), kind, fields)


def planners(service_urls: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Return the service and the source of each planner."""
    return [(name, name.partition("-")[2]) for name in service_urls if name.startswith("planner-")]


async def publish_remark(upstream: Upstream, service_urls: Mapping[str, str], form: RemarkForm) -> None:
    """Publish the remark of a form with the visitor's token; raise `NoAnswer` with the reason where it is refused."""
    url = service_urls.get(form.planner)
    if url is None or not form.planner.startswith("planner-"):
        raise NoAnswer(404, f"no planner of this stack is {form.planner[:80]!r}: choose one on the page")
    source = form.planner.partition("-")[2]
    event = remark_event(source, form.type, form.fields, datetime.now(UTC))
    before = (await upstream.aggregator("/remarks", {"limit": 1}))["position"]
    answer = await upstream.post(form.planner, f"{url}/events", {}, orjson.dumps(event), {})
    if answer.status_code in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED):
        raise NoAnswer(403, f"your token may not publish for {source}: log in with one that has publish:{source}")
    body = answer.json()
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        raise NoAnswer(answer.status_code, str(body["detail"]))
    [verdict] = body
    if verdict["status"] == "refused":
        raise NoAnswer(400, f"the remark is refused: {verdict['path']} {verdict['message']}")
    for _ in range(_SHOWN_TRIES):  # the page of before would look as if nothing was taken, and no move renews it
        if (await upstream.aggregator("/remarks", {"limit": 1}))["position"] > before:
            return
        await asyncio.sleep(0.1)
