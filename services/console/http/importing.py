"""Import of a sheet on the page: upload, preview, confirmation. The party reads the sheet, and judges it."""

import base64
import binascii
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx
import orjson

from services.console.http.months import Numbers
from services.console.http.uploads import FormField, UnreadableForm
from services.console.live.upstream import NoAnswer, Upstream
from shared.documents.document import KINDS, STATED_BY
from shared.programme.doubtful_values import DeclaredBounds, find_doubtful_values

PATH = "/import"
_EVENTS_SHOWN = 100
_PROBLEMS_SHOWN = 500
_ANSWERED = (HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.UNPROCESSABLE_ENTITY)
LOOKED_AHEAD = ("preview", "tables")
"""The steps that show the effect of an import."""

_STEPS = (*LOOKED_AHEAD, "import", "problems")


class ImportedSheet(NamedTuple):
    """The fields of the form: the sheet, the party that states it, and its profile."""

    step: str
    party: str  # the name of its service
    kind: str
    name: str
    body: bytes
    profile: str
    profile_body: bytes
    issued: str

    @classmethod
    def of(cls, form: Mapping[str, FormField]) -> "ImportedSheet":
        """Return the sheet of a form; raise `UnreadableForm` where a field is missing or wrong."""
        empty = FormField(b"")
        party, _, kind = form.get("target", empty).text.partition("/")
        step, sheet = form.get("step", empty).text, form.get("sheet", empty)
        name, body = sheet.filename, sheet.value
        profile_body = form.get("profile_file", empty).value
        if "kept" in form:  # the preview sends the file back
            try:
                name, body = form["name"].text, base64.b64decode(form["kept"].value, validate=True)
                profile_body = base64.b64decode(form.get("kept_profile", empty).value, validate=True)
            except (KeyError, binascii.Error) as why:
                raise UnreadableForm("the file did not come back whole: choose it again") from why
        if step not in _STEPS or kind not in KINDS:
            raise UnreadableForm("the form names no facts of a source: choose them on the page")
        if not body:
            raise UnreadableForm("no file was chosen, or it is empty: choose one")
        issued = form.get("issued", empty).text
        return cls(step, party, kind, name, body, form.get("profile", empty).text, profile_body, issued)

    def query(self) -> dict[str, str]:
        """Return the parameters of the party's route."""
        query = {"as": self.kind, "name": self.name, "profile": self.profile, "issued": self.issued}
        query |= {"dry_run": "false"} if self.step == "import" else {"dry_run": "true"}
        query |= {"whole": "true"} if self.step in LOOKED_AHEAD else {}
        return {name: value for name, value in query.items() if value} | (
            {"marked": "true"} if self.step == "problems" else {}
        )

    def kept(self) -> dict[str, str]:
        """Return the fields by which the page sends the same sheet again."""
        return {
            "target": f"{self.party}/{self.kind}",
            "name": self.name,
            "profile": self.profile,
            "kept": base64.b64encode(self.body).decode(),
            "kept_profile": base64.b64encode(self.profile_body).decode(),
        }


def targets(service_urls: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Return, for each source, the facts that it states: the value of a choice, and its words."""
    found = {}
    for name in service_urls:
        role, _, source = name.partition("-")
        kinds = [kind for kind in KINDS if STATED_BY[kind] == role]
        if source and kinds:
            found[source] = [(f"{name}/{kind}", f"{kind} of {source}") for kind in kinds]
    return found


async def send_sheet(upstream: Upstream, service_urls: Mapping[str, str], sheet: ImportedSheet) -> httpx.Response:
    """Return the party's answer: JSON, or the sheet with its problems; raise `NoAnswer` where it refuses to judge."""
    url = service_urls.get(sheet.party)
    if url is None or "-" not in sheet.party:
        raise NoAnswer(404, f"no party of this stack is {sheet.party[:80]!r}: choose one on the page")
    headers = {}
    if sheet.profile_body:
        headers["Waferline-Profile"] = base64.b64encode(sheet.profile_body).decode()
    answer = await upstream.post(sheet.party, f"{url}/documents", sheet.query(), sheet.body, headers)
    if answer.status_code in _ANSWERED and "problem+json" not in answer.headers["content-type"]:
        return answer
    detail = _detail(answer)
    if answer.status_code == HTTPStatus.FORBIDDEN:
        _, _, source = sheet.party.partition("-")
        detail = f"your token may not publish for {source} ({detail}). Log in with one that has publish:{source}"
    raise NoAnswer(answer.status_code, detail)


async def look_ahead(upstream: Upstream, aggregator_url: str, answer: Mapping[str, Any]) -> Numbers:
    """Return the doubtful values of a preview, and its effect on the shortages.

    The answer has each event whole; that is left out of it again.
    """
    events = [event.pop("cloudevent") for event in answer["events"]]
    look: dict[str, Any] = {
        "doubts": [],
        "unchecked": "",
        "unknown": "",
        "moved": [],
        "today": None,
        "would_refuse": [],
    }
    if not events:
        return look
    try:
        declared = DeclaredBounds.of(await _sites(upstream), await upstream.aggregator("/state"))
    except NoAnswer as why:
        look["unchecked"] = str(why)
    else:
        facts = [(event["type"], event) for event in answer["events"]]
        for index, doubtful in find_doubtful_values(facts, declared):
            event = answer["events"][index]
            event["warning"] = "; ".join(filter(None, (event.get("warning"), doubtful.reason)))
            look["doubts"].append({"place": event["place"], "reason": doubtful.reason})
    params = {"source": events[0]["source"]}
    body = b"\n".join(map(orjson.dumps, events))
    try:
        found = await upstream.post("aggregator", f"{aggregator_url}/what-if", params, body, {})
    except NoAnswer as why:
        return look | {"unknown": str(why)}
    if found.status_code != HTTPStatus.OK:
        return look | {"unknown": _detail(found)}
    effect = found.json()
    if effect["rows"] and effect["today"] is None:
        return look | {"unknown": "no source has completed a day"}
    return look | {
        "moved": [row for row in effect["rows"] if row["before"] != row["after"]],
        "today": effect["today"],
        "would_refuse": effect["refused"],
    }


async def _sites(upstream: Upstream) -> list[dict[str, Any]]:
    """Return all sites."""
    page = await upstream.aggregator("/sites")
    rows = list(page["rows"])
    while page["next"] is not None:
        page = await upstream.aggregator("/sites", {"after": page["next"]})
        rows += page["rows"]
    return rows


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, LookupError, TypeError):
        return f"HTTP {answer.status_code}"


def outcome_tables(answer: Mapping[str, Any], look: Mapping[str, Any]) -> dict[str, list[Numbers]]:
    """Return the tables of a preview, all rows of each, by their names in the template."""
    return {"events": answer["events"], "problems": answer["problems"], "effect": look["moved"]}


def outcome(answer: Mapping[str, Any], sheet: ImportedSheet) -> Numbers:
    """Return the numbers of the page for the party's answer."""
    events, problems = answer["events"], answer["problems"]
    return {
        "answer": answer,
        "source": sheet.party.partition("-")[2],
        "events": events[:_EVENTS_SHOWN],
        "more_events": max(0, len(events) - _EVENTS_SHOWN),
        "problems": problems[:_PROBLEMS_SHOWN],
        "more_problems": max(0, len(problems) - _PROBLEMS_SHOWN),
        "refused": [event for event in events if event.get("status") == "refused"],
        "kept": sheet.kept() | {"issued": answer["issued"]},
    }
