"""Intake of a party: CloudEvents that come in over HTTP, numbered and put into the outbox."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.http.access import ScopedRoute, publish_scope
from shared.http.problem import NO_ROOM, SIMULATED, TOO_LONG, TOO_MANY_NAMES, TOO_MANY_WAIT, Problem
from shared.party.completing import LineRevision, complete, greatest_revisions
from shared.party.declared import DeclaredProducts
from shared.party.outbox import Outbox, OutboxEntry, pack_events
from shared.party.sender import Sender
from shared.party.settings import PartySettings
from shared.party.verdicts import Verdicts
from shared.process.settings import NEAR_LIMIT
from shared.service.service import Service
from shared.wire.batch import ENTRY_BYTES_MAX
from shared.wire.events import Event, EventData, Keyed, Refused, StockTransferred, canonical, parse_strictly
from shared.wire.postings import EventEffect
from shared.wire.refusal import Refusal

VERDICT_TIMEOUT_S = 10.0
_ID_LENGTH_MAX = 200  # characters, in an answer
_SLICE_S = 0.01  # of reading, before other requests have their turn
_ANY_SEQUENCE = "1"  # to read an event that has none yet


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
        settings: PartySettings,
        declared: DeclaredProducts,
        verdict_timeout_s: float = VERDICT_TIMEOUT_S,
    ) -> None:
        self.service = service
        self.declared = declared
        self.outbox = outbox
        self.sender = sender
        self.verdicts = verdicts
        self.settings = settings
        self.verdict_timeout_s = verdict_timeout_s
        self.simulated = False  # a simulated source takes no events
        self.reading = asyncio.Lock()  # held while events get their sequences
        self._warned_of_names = False
        scope = publish_scope(outbox.source)
        service.routes.append(ScopedRoute("/events", self._answer, scope=scope, methods=["POST"]))

    async def _answer(self, request: Request) -> Response:
        began = time.perf_counter()
        self.refuse_early()
        body = await request.body()  # shared/http bounds it
        lines = await self._take(body)
        self.sender.wake()
        answers = await self.wait_for_verdicts(lines)
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

    def refuse_early(self) -> None:
        """Raise `Problem` where a request is refused before its body is read."""
        source, unrecorded, most = self.outbox.source, self.verdicts.unrecorded, self.settings.unrecorded_max
        if self.simulated:
            raise Problem(SIMULATED, f"{source} is simulated in this run and takes no events from outside")
        if unrecorded >= most:
            raise Problem(
                TOO_MANY_WAIT, f"{unrecorded} events of {source} wait for the ledger (WAFERLINE_UNRECORDED_MAX is"
                f" {most}): send these again when it has caught up",
            )  # fmt: skip

    async def _take(self, body: bytes) -> list[IntakeLine]:
        """Put the events of a body into the outbox, one body at a time, and let other requests pass meanwhile."""
        lines_max = self.settings.request_events_max
        if body.count(b"\n") + body.count(b"\r") > lines_max and count_lines(body) > lines_max:
            detail = f"the body has more than {lines_max} lines (WAFERLINE_REQUEST_EVENTS_MAX), one for each event"
            detail += ": send it in parts"
            raise Problem(TOO_LONG, detail)
        async with self.reading:
            read, pause_at = list[ReadLine](), time.monotonic() + _SLICE_S
            for line in read_lines(body, self.outbox.source):
                read.append(line)
                if time.monotonic() > pause_at:
                    await asyncio.sleep(0)
                    pause_at = time.monotonic() + _SLICE_S
            self.verdicts.recede()
            lines, lost = number_lines(
                read,
                self.outbox,
                self.settings.names_max,
                self.declared.refuse,
                judged=self.verdicts.through,
                last_revision=self._last_revision,
            )
            self.resend(lost)
        self._warn_of_names()
        return lines

    def _last_revision(self, line: str) -> int:
        """Return the greatest revision of a line that came through the door, or is declared by any planner."""
        return max(self.outbox.revision(line), self.declared.last_revision(line))

    def resend(self, lost: int) -> None:
        """Have the sender begin again after the last event that the ledger has judged, where it has lost some."""
        if lost:
            self.sender.sent = min(self.sender.sent, self.verdicts.through)

    def _warn_of_names(self) -> None:
        """Log once that the names of this source are near their limit."""
        names, most = len(self.outbox.names), self.settings.names_max
        if names >= most * NEAR_LIMIT and not self._warned_of_names:
            self._warned_of_names = True
            self.service.log.warning("names_near_limit", names=names, names_max=most)

    async def wait_for_verdicts(self, lines: Sequence[IntakeLine]) -> list[dict[str, Any]]:
        """Return the status of each line, once the ledger has its verdicts or the time is up."""
        verdicts, sequences = self.verdicts, [line.sequence for line in lines if line.sequence is not None]
        last = max(sequences, default=0)
        async with verdicts.changed:
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    verdicts.changed.wait_for(lambda: verdicts.judged >= last), self.verdict_timeout_s
                )
        refusals, effects = self.outbox.refusals(sequences), self.outbox.effects(sequences)
        return [line.answer(verdicts.judged, refusals, effects) for line in lines]


class ReadLine(NamedTuple):
    """One line of a body, read and checked, before its event has a sequence."""

    line: int
    id: str | None
    content: dict[str, Any]  # of the event, without a sequence
    digests: list[bytes]  # of its content, the first to be kept
    names: tuple[str, ...]  # the keys that it brings to the balances; none where the ledger will refuse it
    refused: Refused | None
    product: str | None = None  # of an event that is valid
    revision: LineRevision | None = None  # of an event that revises a line


def count_lines(body: bytes) -> int:
    """Return the number of lines, empty ones included."""
    return body.count(b"\n") + body.count(b"\r") - body.count(b"\r\n") + (not body.endswith((b"\n", b"\r")))


def read_lines(body: bytes, source: str) -> Iterator[ReadLine]:
    """Yield the lines of a body of CloudEvents, one a line; the empty ones are left out."""
    for number, text in enumerate(body.splitlines(), start=1):
        if not text.strip():
            continue
        id_ = None
        try:
            event = parse_strictly(text)
            id_ = _printable_id(event)
            completed = complete(_check_event(event, source), source)
        except Refused as why:
            yield ReadLine(number, id_, {}, [], (), why)
            continue
        content, as_sent, revision = completed
        if revision is not None and revision.stated is None:
            content["data"]["revision"] = 0  # until the outbox gives the next one
        digests, data = _digests(content)
        digests = digests if as_sent is None else [as_sent]
        names, product = () if data is None else names_of(data), data.product if isinstance(data, Keyed) else None
        yield ReadLine(number, _printable_id(content), content, digests, names, None, product, revision)


def number_lines(
    read: Sequence[ReadLine],
    outbox: Outbox,
    names_max: int,
    refuse_product: Callable[[str], Refused | None] = lambda _: None,
    *,
    judged: int | None = None,
    last_revision: Callable[[str], int] | None = None,
) -> tuple[list[IntakeLine], int]:
    """Put the events of some lines into the outbox; return the outcome of each line, and how many events were lost.

    The intake gives the sequence: an event's own is dropped; and the revision, where an event of a line has none: the
    one after the `last_revision`, by default the greatest that came through this door. It refuses only an event that
    the ledger could not name by its sequence, as the sender would resend that for ever, or one of a product that is not
    declared, which the ledger would record, or one whose revision nobody can tell. The ledger refuses any other, and
    keeps the refusal. An event that was taken before and that the ledger has lost since, as it has judged up to
    `judged` only, is sent again under its sequence. Raises `Problem`, and takes none of them, where the source would
    have more names than it may.
    """
    lines: list[IntakeLine] = []
    entries, again = list[OutboxEntry](), list[OutboxEntry]()
    taken: dict[bytes, int] = {}
    names, revisions = dict[str, None](), dict[str, int]()
    last_revision = last_revision or outbox.revision
    for line in read:
        sequence = outbox.last + len(entries) + 1
        if line.refused is not None:
            lines.append(IntakeLine(line.line, line.id, None, False, line.refused))
            continue
        before = next((n for each in line.digests if (n := taken.get(each) or outbox.taken(each)) is not None), None)
        if before is not None and _is_lost(before, outbox, judged):
            again.append(OutboxEntry(before, before, _write_entry(line, before, last_revision, revisions)))
        if before is None:
            refused = None if line.product is None else refuse_product(line.product)
            refused = refused or _refuse_unknown_revision(line, outbox, last_revision, revisions)
            if refused is not None:
                lines.append(IntakeLine(line.line, line.id, None, False, refused))
                continue
            entry = _write_entry(line, sequence, last_revision, revisions)
            if len(entry) > ENTRY_BYTES_MAX:
                why = Refused(
                    "out_of_bounds", "", f"takes {len(entry)} bytes once written in ASCII, more than {ENTRY_BYTES_MAX}"
                )
                lines.append(IntakeLine(line.line, line.id, None, False, why))
                continue
            taken[line.digests[0]] = sequence
            entries.append(OutboxEntry(sequence, sequence, entry))
            names |= dict.fromkeys(name for name in line.names if name not in outbox.names)
            if len(outbox.names) + len(names) > names_max and names:
                raise _too_many_names(line.line, outbox, names, names_max)
        lines.append(IntakeLine(line.line, line.id, before or sequence, before is not None, None))
    return lines, _put(outbox, entries, again, taken=[*taken.items()], names=[*names], revisions=revisions)


def _put(outbox: Outbox, new: Sequence[OutboxEntry], again: Sequence[OutboxEntry], **beside: Any) -> int:
    """Store new entries, and those that the ledger has lost; return how many of the latter were not there any more."""
    try:
        outbox.put(new, **beside)
        return outbox.put_again(again)  # those that still wait are there
    except sqlite3.OperationalError as why:  # the disk is full, or can only be read
        raise Problem(NO_ROOM, f"the outbox cannot be written ({why}): hand the same body in again") from why


def put_events(
    events: Sequence[Event],
    outbox: Outbox,
    names_max: int,
    beside: Callable[[Sequence[int]], None],
    *,
    judged: int | None = None,
) -> tuple[list[IntakeLine], int]:
    """Put events into the outbox, as few entries; return the outcome of each, and how many events were lost.

    They get their sequences here; one that the ledger has lost, as it has judged up to `judged` only, keeps its own and
    is sent again. `beside` writes to the same transaction, given the sequences of all of them. Raises `Problem`, and
    takes none of them, where the source would have more names than it may.
    """
    lines: list[IntakeLine] = []
    new, lost = list[Event](), list[Event]()
    taken: dict[bytes, int] = {}
    names = dict[str, None]()
    for number, event in enumerate(events, start=1):
        content = event.content()
        del content["sequence"]
        digest = sha256(canonical(content)).digest()
        before = taken.get(digest) or outbox.taken(digest)
        sequence = before or outbox.last + len(new) + 1
        line = IntakeLine(number, event.id, sequence, before is not None, None)
        lines.append(line)
        numbered = event.model_copy(update={"sequence": sequence})
        if before is not None and _is_lost(before, outbox, judged):
            lost.append(numbered)
        if before is None:
            taken[digest] = sequence
            new.append(numbered)
            names |= dict.fromkeys(name for name in names_of(event.data) if name not in outbox.names)
            if len(outbox.names) + len(names) > names_max and names:
                raise _too_many_names(number, outbox, names, names_max)
    sequences = [line.sequence for line in lines if line.sequence is not None]
    again = [entry for each in lost for entry in pack_events([each], None)]
    count = _put(
        outbox, [*pack_events(new, None)], again, taken=[*taken.items()], names=[*names],
        revisions=greatest_revisions(new), beside=lambda: beside(sequences),
    )  # fmt: skip
    return lines, count


def _is_lost(sequence: int, outbox: Outbox, judged: int | None) -> bool:
    """Return whether the ledger no longer has an event that left the outbox: it has judged up to `judged` only."""
    return judged is not None and judged < sequence <= outbox.last


def _refuse_unknown_revision(
    line: ReadLine, outbox: Outbox, last_revision: Callable[[str], int], revisions: Mapping[str, int]
) -> Refused | None:
    """Return why no revision can be made for an event that leaves it out, if so: it might be below one that holds."""
    if line.revision is None or line.revision.stated is not None or not outbox.is_without_older_revisions:
        return None
    name = line.revision.line
    if name in revisions or last_revision(name) >= 0:
        return None
    reason = "is missing, and an earlier version of Waferline did not keep the revisions of this line: state it once"
    return Refused("malformed", "data.revision", reason)


def _write_entry(
    line: ReadLine, sequence: int, last_revision: Callable[[str], int], revisions: dict[str, int]
) -> bytes:
    """Return the entry of a line's event, which gets its revision here where it has none."""
    _revise(line, last_revision, revisions)
    return json.dumps(line.content | {"sequence": str(sequence)}).encode()


def _revise(line: ReadLine, last_revision: Callable[[str], int], revisions: dict[str, int]) -> None:
    """Give an event of a line its revision where it has none, and note the greatest of each line."""
    if line.revision is None:
        return
    name, stated = line.revision
    greatest = revisions[name] if name in revisions else last_revision(name)
    if stated is None:
        stated = line.content["data"]["revision"] = greatest + 1
    revisions[name] = max(greatest, stated)


def take_events(body: bytes, outbox: Outbox, names_max: int = 10**9) -> list[IntakeLine]:
    """Put the CloudEvents in `body`, one a line, into the outbox; return the outcome of each line."""
    return number_lines([*read_lines(body, outbox.source)], outbox, names_max)[0]


def _too_many_names(line: int, outbox: Outbox, names: Iterable[str], most: int) -> Problem:
    detail = (
        f"{outbox.source} has used {len(outbox.names)} names, and line {line} brings one more than the {most} of"
        f" WAFERLINE_NAMES_MAX: {[*names][-1]}. Nothing of this body is taken. Is the name right? If so, the operator"
        " raises the limit"
    )
    return Problem(TOO_MANY_NAMES, detail)


def _printable_id(event: dict[str, Any]) -> str | None:
    """Return the id as an answer may hold it: JSON cannot carry a lone surrogate."""
    id_ = event.get("id")
    return id_ if isinstance(id_, str) and id_.isprintable() and len(id_) <= _ID_LENGTH_MAX else None


def _check_event(event: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the content of an event; raise `Refused` where it can have no entry."""
    if event.get("source") != source:
        raise Refused("foreign_source", "source", f"is not {source!r}, who takes this")
    for column in ("ids", "types"):
        if column in event:
            raise Refused("malformed", column, "is no field of a CloudEvent: the ledger would take this for columns")
    return {name: value for name, value in event.items() if name not in ("sequence", "recordedtime")}


def _digests(content: dict[str, Any]) -> tuple[list[bytes], EventData | None]:
    """Return the digest of an event's canonical content, as the ledger compares it, and that of its spelling.

    Its data comes with them, None where it is unreadable: the ledger will refuse it, and the spelling stands for it.
    Older outboxes hold no other digest.
    """
    spelled = sha256(json.dumps(content, sort_keys=True).encode()).digest()
    try:
        event = Event.read(content | {"sequence": _ANY_SEQUENCE})
    except Refused:
        return [spelled], None
    read = event.content()
    del read["sequence"]
    return [sha256(canonical(read)).digest(), spelled], event.data


def names_of(data: EventData) -> tuple[str, ...]:
    """Return the places in the balances that an event names: product, site and supplier, apart by a blank."""
    if isinstance(data, StockTransferred):
        return tuple(f"{data.product} {site} {data.supplier}" for site in (data.site, data.to_site))
    if isinstance(data, Keyed):
        return (f"{data.product} {data.site} {data.supplier}",)
    site = getattr(data, "site", None)
    return () if site is None else (f"- {site} -",)
