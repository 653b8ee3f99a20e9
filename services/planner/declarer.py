"""Declarer: declares the entries of a programme that differ from the declarations in force."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import Gauge
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.http.access import READ, ScopedRoute, publish_scope
from shared.http.problem import BUSY, UNFIT, Problem
from shared.party.intake import IntakeLine
from shared.party.party import Party
from shared.play.numbering import Numbering
from shared.play.scenario import load_programme
from shared.process.log import why
from shared.process.watched_file import WatchedFile
from shared.programme.changes import (
    ProgrammeChange,
    entries_in_force,
    find_changes,
    find_never_declared,
    find_unknown_products,
)
from shared.programme.programme_file import (
    DeclaredEntries,
    explain_fault,
    group_fields,
    path_in_file,
)
from shared.wire.days import microseconds
from shared.wire.events import Event, Refused, parse_strictly
from shared.wire.rows import Row

_LISTED_WITHIN_S = 1.0
_WATCH_INTERVAL_S = 1.0
_READ_WITHIN_S = 10.0
_FAULTS_MAX = 20  # in one answer

Declared = tuple[ProgrammeChange, Event]


class Declarer:
    """Declares on the stream of one planner, and answers `/declarations`: GET those in force, POST entries."""

    def __init__(self, party: Party) -> None:
        self.party = party
        service, outbox = party.service, party.outbox
        self.declared = party.declared
        self._declaring = asyncio.Lock()
        in_force = Gauge("waferline_declarations", "Declarations in force", ["kind"], registry=service.registry)
        in_force.labels("product").set_function(lambda: len(self.declared.declarations.products))
        in_force.labels("party").set_function(lambda: len(self.declared.declarations.parties))
        in_force.labels("platform").set_function(lambda: len(self.declared.declarations.platforms))
        service.routes += [
            ScopedRoute("/declarations", self._answer_declared, scope=READ),
            ScopedRoute("/declarations", self._answer, scope=publish_scope(outbox.source), methods=["POST"]),
        ]

    def follow_file(self, path: Path) -> None:
        """Declare the programme of a file at the start, and whenever its entries change; log a file with faults.

        Raises `ProgrammeFileError` where the file has faults at the start.
        """
        file = WatchedFile(path)
        file.has_changed()
        at_start = load_programme(path).entries()

        async def follow() -> None:
            entries = at_start
            await self.declare(entries)
            while True:
                await asyncio.sleep(_WATCH_INTERVAL_S)
                if not file.has_changed():
                    continue
                try:
                    before, entries = entries, load_programme(path).entries()
                except (OSError, ValueError) as failure:
                    self.party.service.log.warning("programme_refused", path=str(path), reason=why(failure))
                    continue
                if entries != before:
                    await self.declare(entries)

        self.party.service.run_beside(follow)

    async def declare(
        self, entries: DeclaredEntries, played_at: datetime | None = None, *, dry_run: bool = False
    ) -> list[Declared]:
        """Declare the entries that differ; return each change and the event that states it.

        At a time of the play nothing is declared twice: an earlier programme would else follow a later one when the
        play starts again.
        """
        outbox, declared = self.party.outbox, self.declared
        async with self._declaring:
            await self._read_declared()
            changes = find_changes(entries, declared.declarations)
            if played_at is not None and declared.declarations.has_any(outbox.source, microseconds(played_at)):
                changes = []
            time = played_at or datetime.now(UTC)
            numbering = Numbering(outbox.source)
            numbering.sequence = outbox.last
            events = [numbering.emit(time, change.declared) for change in changes]
            if events and not dry_run:
                self.party.publish(events, None if played_at is None else microseconds(played_at))
                declared.fold([Row.of(event) for event in events])
        if not dry_run:
            changed = [change.change for change in changes]
            self.party.service.log.info(
                "programme_declared",
                position=outbox.last,
                new=changed.count("new"),
                changed=changed.count("changed"),
                withdrawn=changed.count("withdrawn"),
            )
        return list(zip(changes, events, strict=True))

    async def _read_declared(self) -> None:
        """Read all declarations, those of this planner that are not sent yet included."""
        outbox = self.party.outbox
        await self.declared.wait_until_read()
        self.declared.fold_bodies(outbox.source, (entry.body for entry in outbox.after(0, len(outbox))))

    async def _answer_declared(self, _: Request) -> Response:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.declared.wait_until_read(), _LISTED_WITHIN_S)
        return Response(orjson.dumps(entries_in_force(self.declared.declarations)), media_type="application/json")

    async def _answer(self, request: Request) -> Response:
        """Declare the entries of a body: those that differ, or, with `dry_run=true`, only say which.

        With `merge=true`, the fields that an entry does not name stay as they are in force, and what was never declared
        cannot be withdrawn.
        """
        self.party.intake.refuse_early()
        try:
            raw = parse_strictly(await request.body())
        except Refused as why:
            raise Problem(UNFIT, f"the body {why.message}") from None
        dry_run = request.query_params.get("dry_run") == "true"
        try:
            await asyncio.wait_for(self.declared.wait_until_read(), _READ_WITHIN_S)
        except TimeoutError:
            raise Problem(BUSY, "the streams of the planners are not read to their ends: is Redis there?") from None
        merges = request.query_params.get("merge") == "true"
        if merges:
            raw = merge(entries_in_force(self.declared.declarations), raw)
        entries = self._read_entries(raw)
        unknown = find_never_declared(entries, self.declared.declarations) if merges else []
        if unknown:
            raise Problem(UNFIT, "; ".join(unknown))
        declared = await self.declare(entries, dry_run=dry_run)
        lines = [IntakeLine(n, event.id, event.sequence, False, None) for n, (_, event) in enumerate(declared, 1)]
        if dry_run:
            answers = [{"id": None, "sequence": None, "status": "dry run"} for _ in declared]
        else:
            answers = await self.party.intake.wait_for_verdicts(lines)
        rows = [
            {
                "kind": change.kind,
                "name": change.name,
                "change": change.change,
                "fields": change.fields,
                "revision": change.declared.revision,
                **answer,
            }
            for (change, _), answer in zip(declared, answers, strict=True)
        ]
        return JSONResponse(rows, status_code=202 if any(row["status"] == "pending" for row in rows) else 200)

    def _read_entries(self, raw: Mapping[str, Any]) -> DeclaredEntries:
        try:
            entries = DeclaredEntries.model_validate(group_fields(raw))
        except ValidationError as invalid:
            faults = invalid.errors(include_url=False)[:_FAULTS_MAX]
            reasons = [f"{'.'.join(path_in_file(fault['loc'])) or 'it'} {explain_fault(fault)}" for fault in faults]
            raise Problem(UNFIT, "; ".join(reasons)) from None
        unknown = find_unknown_products(entries, self.declared.declarations)
        if unknown:
            raise Problem(UNFIT, "; ".join(unknown))
        return entries


def merge(in_force: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `raw`, each with the fields in force that it does not name."""
    in_force, raw = group_fields(in_force), group_fields(raw)
    merged: dict[str, Any] = {}
    for kind in ("products", "platforms", "companies"):
        entries = raw.get(kind)
        if isinstance(entries, dict):
            merged[kind] = {name: _merge(in_force[kind].get(name, {}), entry) for name, entry in entries.items()}
    if "programme" in raw:
        merged["programme"] = _merge(in_force["programme"] or {}, raw["programme"])
    return dict(raw) | merged


def _merge(before: Any, after: Any) -> Any:
    if isinstance(before, dict) and isinstance(after, dict):
        return before | {name: _merge(before.get(name), value) for name, value in after.items()}
    return after
