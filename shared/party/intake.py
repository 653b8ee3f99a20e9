"""Intake of a party: CloudEvents that come in over HTTP, numbered and put into the outbox."""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.http.access import ScopedRoute, publish_scope
from shared.http.problem import SIMULATED, TOO_LONG, TOO_MANY_WAIT, problem
from shared.party.outbox import Outbox, OutboxEntry
from shared.party.sender import Sender
from shared.party.verdicts import Verdicts
from shared.service.service import Service
from shared.wire.events import Event, Refused, canonical, parse_strictly
from shared.wire.postings import EventEffect
from shared.wire.refusal import Refusal

INTAKE_BYTES_MAX = 1 << 20  # of a body, and of one entry: the ledger reads no longer one
VERDICT_TIMEOUT_S = 10.0
_ID_LENGTH_MAX = 200  # characters, in an answer


class IntakeLine(NamedTuple):
    """One line of a body: the sequence that its event got, or why the intake refused it."""

    line: int
    id: str | None
    sequence: int | None
    duplicate: bool
    refused: Refused | None

    def answer(
        self, through: int, refusals: Mapping[int, Refusal], effects: Mapping[int, EventEffect] = {}
    ) -> dict[str, Any]:
        """Return the line's status, given the ledger's verdicts up to a sequence."""
        answer: dict[str, Any] = {"line": self.line, "id": self.id, "sequence": self.sequence}
        why: Refused | Refusal | None = self.refused
        if self.sequence is not None:
            why = refusals.get(self.sequence)
            if why is None and through < self.sequence:
                return answer | {"status": "pending"}
        if why is None:
            answer["status"] = "duplicate" if self.duplicate else "recorded"
            effect = None if self.sequence is None else effects.get(self.sequence)
            return answer if effect is None else answer | {"effect": effect.effect, "why": effect.why}
        return answer | {"status": "refused", "code": why.code, "path": why.path, "message": why.message}


class Intake:
    """The route `/events` of a party: stores the events of a request, and answers with the ledger's verdicts."""

    def __init__(
        self,
        service: Service,
        outbox: Outbox,
        sender: Sender,
        verdicts: Verdicts,
        *,
        unrecorded_max: int,
        verdict_timeout_s: float = VERDICT_TIMEOUT_S,
    ) -> None:
        self.service = service
        self.outbox = outbox
        self.sender = sender
        self.verdicts = verdicts
        self.unrecorded_max = unrecorded_max
        self.verdict_timeout_s = verdict_timeout_s
        self.simulated = False  # a simulated source takes no events
        scope = publish_scope(outbox.source)
        service.routes.append(ScopedRoute("/events", self._answer, scope=scope, methods=["POST"]))

    async def _answer(self, request: Request) -> Response:
        began = time.perf_counter()
        refusal = self._refuse_early(request)
        if refusal is not None:
            return refusal
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > INTAKE_BYTES_MAX:
                self.service.log.warning("request_refused", status=413, reason="too long", bytes=len(body))
                detail = f"the body has more than {INTAKE_BYTES_MAX} bytes: send it in parts"
                return problem(TOO_LONG, detail, None, request)
        lines = take_events(body, self.outbox)
        self.sender.wake()
        answers = await self._wait_for_verdicts(lines)
        statuses = [answer["status"] for answer in answers]
        ms = round((time.perf_counter() - began) * 1000, 2)
        self.service.tally.info(
            "events_taken",
            position=self.outbox.last,
            requests=1,
            events=len(lines),
            duplicates=statuses.count("duplicate"),
            refused=statuses.count("refused"),
            pending=statuses.count("pending"),
            bytes=len(body),
            ms=ms,
            ms_max=ms,
        )
        return JSONResponse(answers, status_code=202 if "pending" in statuses else 200)

    def _refuse_early(self, request: Request) -> Response | None:
        """Return the answer to a request that is refused before its body is read."""
        source, unrecorded = self.outbox.source, self.verdicts.unrecorded
        if self.simulated:
            self.service.log.warning("request_refused", status=409, reason="simulated")
            return problem(
                SIMULATED, f"{source} is simulated in this run and takes no events from outside", None, request
            )
        if unrecorded >= self.unrecorded_max:
            self.service.log.warning("request_refused", status=429, reason="too many wait")
            detail = f"{unrecorded} events of {source} wait for the ledger: send these again when it has caught up"
            detail += f" (WAFERLINE_UNRECORDED_MAX is {self.unrecorded_max})"
            return problem(TOO_MANY_WAIT, detail, None, request)
        return None

    async def _wait_for_verdicts(self, lines: list[IntakeLine]) -> list[dict[str, Any]]:
        """Return the status of each line, once the ledger has its verdicts or the time is up."""
        verdicts = self.verdicts
        last = max((line.sequence for line in lines if line.sequence is not None), default=0)
        async with verdicts.changed:
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    verdicts.changed.wait_for(lambda: verdicts.through >= last), self.verdict_timeout_s
                )
        return [line.answer(verdicts.through, verdicts.refusals, verdicts.effects) for line in lines]


def take_events(body: bytes, outbox: Outbox) -> list[IntakeLine]:
    """Put the CloudEvents in `body`, one a line, into the outbox; return the outcome of each line.

    The intake gives the sequence: an event's own is dropped. It refuses only an event that the ledger could not name by
    its sequence, as the sender would resend that for ever. The ledger refuses any other, and keeps the refusal.
    """
    lines: list[IntakeLine] = []
    entries: list[OutboxEntry] = []
    taken: dict[bytes, int] = {}
    for number, text in enumerate(body.splitlines(), start=1):
        if not text.strip():
            continue
        sequence = outbox.last + len(entries) + 1
        id_ = None
        try:
            event = parse_strictly(text)
            id_ = _printable_id(event)
            digests, entry = _encode(event, outbox.source, sequence)
        except Refused as why:
            lines.append(IntakeLine(number, id_, None, False, why))
            continue
        before = next((n for each in digests if (n := taken.get(each) or outbox.taken(each)) is not None), None)
        if before is None:
            taken[digests[0]] = sequence
            entries.append(OutboxEntry(sequence, sequence, entry))
        lines.append(IntakeLine(number, id_, before or sequence, before is not None, None))
    outbox.put(entries, taken=[*taken.items()])
    return lines


def _printable_id(event: dict[str, Any]) -> str | None:
    """Return the id as an answer may hold it: JSON cannot carry a lone surrogate."""
    id_ = event.get("id")
    return id_ if isinstance(id_, str) and id_.isprintable() and len(id_) <= _ID_LENGTH_MAX else None


def _encode(event: dict[str, Any], source: str, sequence: int) -> tuple[list[bytes], bytes]:
    """Return the digests of an event, the first to be kept, and its entry; raise `Refused` where it can have none."""
    if event.get("source") != source:
        raise Refused("foreign_source", "source", f"is not {source!r}, who takes this")
    for column in ("ids", "types"):
        if column in event:
            raise Refused("malformed", column, "is no field of a CloudEvent: the ledger would take this for columns")
    content = {name: value for name, value in event.items() if name not in ("sequence", "recordedtime")}
    numbered = content | {"sequence": str(sequence)}
    entry = json.dumps(numbered).encode()
    if len(entry) > INTAKE_BYTES_MAX:
        raise Refused(
            "out_of_bounds", "", f"takes {len(entry)} bytes once written in ASCII, more than {INTAKE_BYTES_MAX}"
        )
    return _digests(content, numbered), entry


def _digests(content: dict[str, Any], numbered: dict[str, Any]) -> list[bytes]:
    """Return the digest of an event's canonical content, as the ledger compares it, and that of its spelling.

    The spelling stands for an event that the ledger will refuse as unreadable, and older outboxes hold no other digest.
    """
    spelled = sha256(json.dumps(content, sort_keys=True).encode()).digest()
    try:
        read = Event.read(numbered).content()
    except Refused:
        return [spelled]
    del read["sequence"]
    return [sha256(canonical(read)).digest(), spelled]
