"""The route `/documents` of a party: a planner's sheet in, compared with the lines in force, and stated as events."""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shared.documents.document import KINDS, STATED_BY, Kind
from shared.documents.facts import Catalogue
from shared.documents.problems import DocumentProblem
from shared.documents.profile import Profile, ProfileRefused, read_profile
from shared.documents.sheets import Sheet, read_sheet
from shared.documents.stating import StatedDocument, find_problems, state_document
from shared.http.access import ScopedRoute, publish_scope
from shared.http.answering import JSON
from shared.http.problem import AWAY, BAD_PARAMETER, BUSY, UNFIT, Problem
from shared.http.query import Choice, Query, Text, Yes
from shared.http.request_bounds import BodyBound
from shared.http.tabular import XLSX
from shared.http.turns import RETRY_LATER
from shared.party.documents.ledger_lines import LedgerLines
from shared.party.documents.register import DocumentRegister, RegisteredDocument
from shared.party.intake import Intake, IntakeLine, put_events
from shared.wire.events import PREFIX, VERSION, Event, Refused
from shared.wire.streams import Role

PATH = "/documents"
PROFILE_HEADER = "Waferline-Profile"  # a profile that is sent along: the YAML text in base64
MEDIA_TYPES = {
    ".xlsx": XLSX,
    ".csv": "text/csv; charset=utf-8",
}
_WORKBOOK_BEGINS = b"PK\x03\x04"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Instant(Text):
    """A time with its offset."""

    def read(self, text: str) -> datetime:  # type: ignore[override]
        with suppress(ValueError, OverflowError):
            instant = datetime.fromisoformat(text)
            if instant.tzinfo is not None:
                return instant.astimezone(UTC)
        raise ValueError("a time with an offset, as 2026-07-06T08:00:00Z")


@dataclass(frozen=True, kw_only=True)
class DocumentQuery(Query):
    """The parameters of `POST /documents`."""

    as_: Annotated[Kind, Choice(KINDS), "The facts that the sheet states."]
    profile: Annotated[str, Text("([A-Za-z0-9][A-Za-z0-9._-]{0,63})?", "a name"), "A profile that the party keeps."] = (
        ""
    )
    name: Annotated[str, Text("[^\x00-\x1f\x7f]{0,200}", "one line"), "The name of the file, for messages."] = ""
    number: Annotated[str, Text("[^\x00-\x1f\x7f]{0,100}", "one line"), "The partner's number of the document."] = ""
    issued: Annotated[datetime | None, Instant(), "When the partner issued it; default: now."] = None
    dry_run: Annotated[bool, Yes(), "Only say the effect of an import."] = False
    marked: Annotated[bool, Yes(), "Answer with the file and its problems, where it has some."] = False
    whole: Annotated[bool, Yes(), "Answer with each event whole, as `cloudevent`."] = False


class JudgedDocument(NamedTuple):
    """A document that was read and compared: its events, or its problems."""

    query: DocumentQuery
    profile: Profile
    body: bytes
    sheet: Sheet
    stated: StatedDocument | None
    problems: Sequence[DocumentProblem]  # of the sheet, or of its meaning
    issued: datetime

    def answer(self) -> dict[str, Any]:
        """Return the answer without the verdicts on the events."""
        stated = self.stated
        return {
            "status": "refused" if self.problems else "checked",
            "dry_run": self.query.dry_run,
            "kind": self.query.as_,
            "name": self.query.name,
            "document": None if stated is None else stated.document,
            "sha256": sha256(self.body).hexdigest(),
            "issued": self.issued.isoformat(),
            "new": 0 if stated is None else stated.new,
            "changed": 0 if stated is None else stated.changed,
            "withdrawn": 0 if stated is None else stated.withdrawn,
            "unchanged": 0 if stated is None else stated.unchanged,
            "problems": [_problem(each) for each in self.problems],
            "superseded": [] if stated is None else [_problem(each) for each in stated.superseded],
            "notes": [{"name": note.name, "text": note.text} for note in self.sheet.notes],
            "events": []
            if stated is None
            else [_event(each.event, str(each.place), each.outcome, whole=self.query.whole) for each in stated.events],
        }


class DocumentDoor:
    """Takes documents: reads one, compares it with the lines in force, and puts its events into the outbox, or none.

    One document at a time: the next one sees the lines of the one before. Long work runs in a thread.
    """

    def __init__(self, intake: Intake, role: Role, catalogue: Callable[[], Catalogue]) -> None:
        self.intake, self.catalogue = intake, catalogue
        self.kinds = [kind for kind in KINDS if STATED_BY[kind] == role]
        self.settings, self.outbox, self.log = intake.settings, intake.outbox, intake.service.log
        self.register = DocumentRegister(intake.outbox.connection)
        self.ledger = LedgerLines(intake.settings)
        self.waiting = 0
        self._turn = asyncio.Lock()
        service, scope = intake.service, publish_scope(intake.outbox.source)
        service.routes.append(ScopedRoute(PATH, self._answer, scope=scope, methods=["GET", "POST"]))
        service.bodies[PATH] = BodyBound(self.settings.document_bytes_max, "WAFERLINE_DOCUMENT_BYTES_MAX")

    async def _answer(self, request: Request) -> Response:
        """Return the register, or the outcome of a document."""
        if request.method != "POST":
            profiles = sorted(path.stem for path in self.settings.profiles.glob("*.yaml"))
            return _json({"kinds": self.kinds, "profiles": profiles, "documents": self.register.documents()})
        query = DocumentQuery.read(request.query_params.multi_items())
        if query.as_ not in self.kinds:
            detail = f"{self.outbox.source} states {', '.join(self.kinds)}, not {query.as_}"
            raise Problem(BAD_PARAMETER, detail, parameter="as")
        if not query.dry_run:
            self.intake.refuse_early()
        profile = self._profile(query.profile, request.headers.get(PROFILE_HEADER))
        body = await request.body()  # shared/http bounds it
        async with self._take_turn():
            judged = await self._judge(query, profile, body, request.headers.get("authorization"))
            answer, lines = judged.answer(), list[IntakeLine]()
            if judged.stated is not None and not judged.problems and not query.dry_run:
                lines = await self._take(judged, judged.stated)
                answer["status"] = "taken"
        if judged.problems and query.marked:
            return await _marked(judged)
        verdicts = await self.intake.wait_for_verdicts(lines)
        for event, verdict in zip(answer["events"], verdicts, strict=False):
            event |= {name: verdict[name] for name in verdict if name not in ("line", "id")}
        self._log(judged, answer)
        if judged.problems and not query.dry_run:
            return _json(answer, status=422)
        return _json(answer, status=202 if any(each["status"] == "pending" for each in verdicts) else 200)

    def _profile(self, name: str, sent: str | None) -> Profile:
        """Return the profile that a request sends or names; without either the one of our own columns."""
        try:
            if sent is not None:
                return read_profile(base64.b64decode(sent, validate=True), name or "profile")
            if not name:
                return Profile()
            path = self.settings.profiles / f"{name}.yaml"
            return read_profile(path.read_bytes(), path.name)
        except (ProfileRefused, binascii.Error) as why:
            raise Problem(UNFIT, str(why), parameter="profile") from why
        except OSError as why:
            there = ", ".join(sorted(path.stem for path in self.settings.profiles.glob("*.yaml"))) or "none"
            detail = f"the party keeps no profile {name!r} in {self.settings.profiles}; there are {there}"
            raise Problem(UNFIT, detail, parameter="profile") from why

    @asynccontextmanager
    async def _take_turn(self) -> AsyncIterator[None]:
        """Hold the turn of one document; raise `Problem` where too many wait for it."""
        if self.waiting >= self.settings.documents_max:
            detail = f"{self.waiting} documents are being read (WAFERLINE_DOCUMENTS_MAX): send this one again later"
            raise Problem(BUSY, detail, headers=RETRY_LATER)
        self.waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self.waiting -= 1

    async def _judge(
        self, query: DocumentQuery, profile: Profile, body: bytes, authorization: str | None
    ) -> JudgedDocument:
        """Read a document, and compare it with the lines in force."""
        kind, now = query.as_, datetime.now(UTC).replace(microsecond=0)
        source, catalogue = self.outbox.source, self.catalogue()
        sheet = await run_in_threadpool(read_sheet, query.name, body, profile, kind)
        document = sheet.document
        if document is None or sheet.problems:
            found = await run_in_threadpool(find_problems, sheet, source, profile, catalogue, query.issued or now)
            return JudgedDocument(query, profile, body, sheet, None, found, query.issued or now)
        issued = query.issued or now
        await self._drain()
        in_force = await run_in_threadpool(self.ledger.load, kind, authorization)
        carried = None
        if document.starts_on is not None:
            carried = self.register.carried(kind, profile.partner, document.starts_on)
        applied = self.register.applied_plans(kind)

        def compare() -> StatedDocument:
            return state_document(
                document, in_force, source, profile, catalogue, issued, number=query.number,
                applied=applied, carried=carried,
            )  # fmt: skip

        stated = await run_in_threadpool(compare)
        return JudgedDocument(query, profile, body, sheet, stated, stated.problems, issued)

    async def _drain(self) -> None:
        """Wait until the ledger has judged all events of the source, so that its lines are those in force."""
        verdicts = self.intake.verdicts
        async with verdicts.changed:
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    verdicts.changed.wait_for(lambda: verdicts.unrecorded <= 0), self.intake.verdict_timeout_s
                )
        if verdicts.unrecorded > 0:
            detail = (
                f"{verdicts.unrecorded} events of {self.outbox.source} wait for the ledger: send the document again"
            )
            raise Problem(AWAY, f"{detail} when it has judged them", headers=RETRY_LATER)

    async def _take(self, judged: JudgedDocument, stated: StatedDocument) -> list[IntakeLine]:
        """Put the events of a document into the outbox and register it, all in one transaction."""
        query = judged.query

        def add(sequences: Sequence[int]) -> None:
            document = RegisteredDocument(
                stated.document, datetime.now(UTC).isoformat(), query.as_, query.name, query.number,
                judged.profile.partner, sha256(judged.body).hexdigest(), len(judged.body), judged.issued.isoformat(),
                stated.new, stated.changed, stated.withdrawn, stated.unchanged, min(sequences, default=None),
                max(sequences, default=None),
            )  # fmt: skip
            self.register.add(document, stated.applied, stated.running)

        contents = [each.event for each in stated.events]
        events = await run_in_threadpool(_read_events, contents)
        async with self.intake.reading:
            self.intake.verdicts.recede()
            judged_through = self.intake.verdicts.through
            lines, lost = put_events(events, self.outbox, self.settings.names_max, add, judged=judged_through)
            self.intake.resend(lost)
        self.intake.sender.wake()
        return lines

    def _log(self, judged: JudgedDocument, answer: Mapping[str, Any]) -> None:
        self.intake.service.log.info(
            "document_compared",
            document=judged.query.as_,
            outcome=answer["status"],
            dry_run=judged.query.dry_run,
            new=answer["new"],
            changed=answer["changed"],
            withdrawn=answer["withdrawn"],
            unchanged=answer["unchanged"],
            problems=len(judged.problems),
            bytes=len(judged.body),
            position=self.outbox.last,
        )


def _read_events(contents: Sequence[Mapping[str, Any]]) -> list[Event]:
    """Return the events of a document, without their sequences yet; raise `Problem` for one that is no event."""
    events = []
    for content in contents:
        try:
            events.append(Event.read({**content, "sequence": "1"}))
        except Refused as why:
            detail = f"an event of the document would be refused ({why.path}: {why.message}): correct the sheet"
            raise Problem(UNFIT, detail) from why
    return events


def _mark(judged: JudgedDocument) -> bytes:
    from shared.documents.marking import mark_problems  # noqa: PLC0415 (loads the library of workbooks)

    return mark_problems(judged.query.name, judged.body, judged.problems, judged.profile, judged.query.as_)


async def _marked(judged: JudgedDocument) -> Response:
    """Return the file as it came, with the place and the reason of each problem beside its row."""
    query = judged.query
    body = await run_in_threadpool(_mark, judged)
    ending = ".xlsx" if body.startswith(_WORKBOOK_BEGINS) else ".csv"
    stem = _NOT_IN_NAMES.sub("-", re.sub(r"\.\w{1,5}$", "", query.name)) or query.as_
    disposition = {"Content-Disposition": f'attachment; filename="{stem}-problems{ending}"'}
    return Response(body, headers=disposition, media_type=MEDIA_TYPES[ending])


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type=JSON)


def _problem(problem: DocumentProblem) -> dict[str, Any]:
    place = problem.place
    return {
        "code": problem.code, "place": str(place), "sheet": place.sheet, "row": place.row, "column": place.title,
        "reason": problem.reason,
    }  # fmt: skip


def _event(event: Mapping[str, Any], place: str, outcome: str, *, whole: bool) -> dict[str, Any]:
    """Return an event of an answer: its place in the file, its id, and the terms that a planner looks for."""
    data = event["data"]
    names = ("line", "shipment", "site", "product", "supplier", "due", "wafers", "counted", "revision", "reversed")
    terms = {name: data[name] for name in names if name in data}
    name = str(event["type"]).removeprefix(PREFIX).removesuffix(VERSION)
    shown = {"place": place, "outcome": outcome, "id": event["id"], "type": name, "time": event["time"], **terms}
    return shown | {"cloudevent": event} if whole else shown
