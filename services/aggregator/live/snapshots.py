"""Keeping the snapshot: one file that is whole or not there, read at the start and written beside the fold."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import httpx

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.snapshot import Unusable, decode, encode, seal
from services.aggregator.fold.state import FoldState
from services.aggregator.live.view import Reading
from shared.http.peers import NOBODY, Caller, expect_let_in
from shared.service.service import Service
from shared.wire.postings import PostingBatch

_ANSWERED_WITHIN_S = 10.0  # by a ledger that starts at the same time
_SETTLED_WITHIN_S = 0.05
_Standing = tuple[int, int]  # epoch and position


class Keeper:
    """Where the snapshot lies. Whoever is late with an older one does not write it over a newer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept: _Standing | None = None  # what was read or written last
        self._lock = Lock()

    def read(self) -> bytes:
        """Return what was kept; raise `Unusable` where there is nothing, or it cannot be read."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError as why:
            raise Unusable("missing", f"{self.path} is not there") from why
        except OSError as why:
            raise Unusable("unreadable", f"{self.path}: {why.strerror}") from why

    def write(self, pieces: list[bytes], standing: _Standing) -> int:
        """Write a snapshot in the place of the last one; return its bytes, 0 where a newer one is there.

        Raises OSError where it cannot be written; then the last one still stands.
        """
        part = self.path.with_name(self.path.name + ".part")
        with self._lock:
            if self.kept is not None and standing <= self.kept:
                return 0
            with part.open("wb") as file:
                file.writelines([*pieces, seal(pieces)])
                size = file.tell()
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
            _sync(self.path.parent)
            self.kept = standing
        return size


def _sync(folder: Path) -> None:
    """Have a folder's new names outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Snapshots:
    """The snapshots of a service: it begins with the last one, and writes them beside the fold and at its end."""

    def __init__(
        self,
        service: Service,
        reading: Reading,
        path: Path,
        every_s: float,
        ledger_url: str,
        caller: Caller = NOBODY,
    ) -> None:
        self.service, self.reading, self.every_s = service, reading, every_s
        self.ledger_url, self.caller = ledger_url, caller
        self.keeper = Keeper(path)

    def begin(self, adopt: Callable[[FoldState], None]) -> None:
        """Have the service begin with the snapshot, if it is whole, of the same settings, and of this ledger."""

        async def restore() -> None:
            began, log, fresh = time.perf_counter(), self.service.log, self.reading.state.curves
            try:
                state = decode(self.keeper.read(), fresh.start, fresh.days, fresh.catalogue)
                await expect_held(state.curves, self.ledger_url, self.caller)
            except Unusable as why:
                if why.code != "missing":
                    log.warning("snapshot_refused", code=why.code, reason=str(why))
                return
            curves = state.curves
            self.keeper.kept = _standing(curves)
            adopt(state)
            ms = round((time.perf_counter() - began) * 1000, 2)
            log.info("snapshot_restored", position=curves.position, head=curves.head, keys=len(curves.keys), ms=ms)

        self.service.at_start.append(restore)

    def keep(self, is_told: Callable[[], bool]) -> None:
        """Have the service write snapshots of the state, whenever its balances are told.

        A snapshot that is newer than what was told would lose those balances.
        """

        def encode_new() -> tuple[list[bytes], _Standing] | None:
            curves = self.reading.state.curves
            if not is_told() or curves.position == 0 or _standing(curves) == self.keeper.kept:
                return None
            return encode(self.reading.state), _standing(curves)

        async def keep_now_and_then() -> None:
            pause_s = self.every_s
            while True:
                await asyncio.sleep(pause_s)
                began = time.perf_counter()
                encoded = await self.reading.aside(encode_new)
                ms = (time.perf_counter() - began) * 1000
                if encoded is not None:
                    await asyncio.to_thread(self._write, *encoded, ms)
                pause_s = self.every_s if is_told() else _SETTLED_WITHIN_S

        def keep_last() -> None:
            encoded = encode_new()
            if encoded is not None and self.service.failure is None:  # one that failed may have folded half a batch
                self._write(*encoded, 0)

        self.service.run_beside(keep_now_and_then)
        self.service.at_end.append(keep_last)

    def _write(self, pieces: list[bytes], standing: _Standing, ms: float) -> None:
        """Write a snapshot and say so; where it cannot be, the next start takes longer, and nothing else is lost."""
        began, log, position = time.perf_counter(), self.service.log, standing[1]
        try:
            size = self.keeper.write(pieces, standing)
        except OSError as why:
            log.warning("snapshot_failed", position=position, reason=str(why))
            return
        written_ms = round((time.perf_counter() - began) * 1000, 2)
        log.info("snapshot_written", position=position, bytes=size, ms=round(ms, 2), written_ms=written_ms)


def _standing(curves: Curves) -> _Standing:
    return curves.epoch or 0, curves.position


async def expect_held(curves: Curves, ledger_url: str, caller: Caller = NOBODY) -> None:
    """Raise `Unusable` where the ledger does not hold the very batch that the curves end with, or does not answer.

    One that does not let us in is no reason to fold anew: it would not tell what a gap needs, either.
    """
    deadline = time.monotonic() + _ANSWERED_WITHIN_S
    client = httpx.AsyncClient(
        base_url=ledger_url, timeout=_ANSWERED_WITHIN_S, headers=caller.headers, verify=caller.verify
    )
    async with client as ledger:
        while True:
            try:
                page = await ledger.get("/postings", params={"after": curves.position - 1, "limit": 1})
                expect_let_in(page, f"the ledger at {ledger_url}")
                page.raise_for_status()
                break
            except httpx.HTTPError as why:
                if time.monotonic() > deadline:
                    raise Unusable("ledger_missed", f"the ledger at {ledger_url} does not answer: {why!r}") from why
                await asyncio.sleep(0.1)
    if not page.content:
        raise Unusable("ahead_of_ledger", f"the ledger has no batch {curves.position}")
    held = PostingBatch.model_validate_json(page.content)
    known, found = ((each.epoch, at, each.head) for each, at in ((curves, curves.position), (held, held.batch)))
    if known != found:
        raise Unusable("foreign_ledger", f"epoch, batch and head are {known}, the ledger has {found}")
