"""Snapshot file of the state: read at the start, written beside the fold and at the end."""

import asyncio
import os
import time
from pathlib import Path
from threading import Lock

import httpx

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.snapshot import Unusable, decode, encode, seal
from services.aggregator.live.fold_loop import FoldLoop
from services.aggregator.live.meters import elapsed_ms
from shared.http.peers import ANONYMOUS, Caller, expect_access
from shared.service.service import Service
from shared.wire.postings import PostingBatch

_LEDGER_DEADLINE_S = 10.0  # for a ledger that starts at the same time
_RETRY_S = 0.05  # while balances are being published
_Position = tuple[int, int]  # epoch and batch


class SnapshotFile:
    """Replaces the file atomically; ignores an older position."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position: _Position | None = None  # of the snapshot that was read or written last
        self._lock = Lock()

    def read(self) -> bytes:
        """Return the content; raise `Unusable` where there is no file, or it cannot be read."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError as why:
            raise Unusable("missing", f"{self.path} is not there") from why
        except OSError as why:
            raise Unusable("unreadable", f"{self.path}: {why.strerror}") from why

    def write(self, pieces: list[bytes], position: _Position) -> int:
        """Replace the snapshot by that of a later position; return its bytes, 0 where the file is as new or newer.

        Raise OSError where it cannot be written; the file is then unchanged.
        """
        part = self.path.with_name(self.path.name + ".part")
        with self._lock:
            if self.position is not None and position <= self.position:
                return 0
            with part.open("wb") as file:
                file.writelines([*pieces, seal(pieces)])
                size = file.tell()
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
            _sync(self.path.parent)
            self.position = position
        return size


def _sync(folder: Path) -> None:
    """Have a folder's new names survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class SnapshotLoop:
    """Restores the state from the snapshot file, and writes it there at intervals and at the end."""

    def __init__(
        self, service: Service, fold_loop: FoldLoop, path: Path, every_s: float, ledger_url: str, caller: Caller
    ) -> None:
        self.service, self.fold_loop, self.view = service, fold_loop, fold_loop.view
        self.every_s, self.ledger_url, self.caller = every_s, ledger_url, caller
        self.file = SnapshotFile(path)

    async def restore(self) -> None:
        """Begin with the snapshot, if it is whole, has the same settings, and is of this ledger's store."""
        began, log, fresh = time.perf_counter(), self.service.log, self.view.state.curves
        try:
            state = decode(self.file.read(), *fresh.horizon, fresh.catalogue)
            await check_against_ledger(state.curves, self.ledger_url, self.caller)
        except Unusable as why:
            if why.code != "missing":
                log.warning("snapshot_refused", code=why.code, reason=str(why))
            return
        curves = state.curves
        self.file.position = _position(curves)
        self.fold_loop.adopt(state)
        log.info(
            "snapshot_restored",
            position=curves.position,
            head=curves.head,
            keys=len(curves.keys),
            ms=elapsed_ms(began),
        )

    async def run(self) -> None:
        """Write a snapshot at each interval, as soon as the balances of the state are published."""
        pause_s = self.every_s
        while True:
            await asyncio.sleep(pause_s)
            began = time.perf_counter()
            encoded = await self.view.run_paused(self._encode)
            ms = (time.perf_counter() - began) * 1000
            if encoded is not None:
                await asyncio.to_thread(self._write, *encoded, ms)
            pause_s = self.every_s if self.fold_loop.is_published else _RETRY_S

    def write_last(self) -> None:
        """Write the state with which the service ends."""
        encoded = self._encode()
        if encoded is not None and self.service.failure is None:  # after a failure half a batch may be folded
            self._write(*encoded, 0)

    def _encode(self) -> tuple[list[bytes], _Position] | None:
        """Return the snapshot of the state; None where the file has it, or balances are still to be published.

        A restart from a snapshot that is ahead of the published balances would never publish them.
        """
        curves = self.view.state.curves
        if not self.fold_loop.is_published or curves.position == 0 or _position(curves) == self.file.position:
            return None
        return encode(self.view.state), _position(curves)

    def _write(self, pieces: list[bytes], position: _Position, ms: float) -> None:
        """Write a snapshot and log it; where that fails, the next start takes longer, and no data is lost."""
        began, log = time.perf_counter(), self.service.log
        try:
            size = self.file.write(pieces, position)
        except OSError as why:
            log.warning("snapshot_failed", position=position[1], reason=str(why))
            return
        log.info("snapshot_written", position=position[1], bytes=size, ms=round(ms, 2), written_ms=elapsed_ms(began))


def _position(curves: Curves) -> _Position:
    return curves.epoch or 0, curves.position


async def check_against_ledger(
    curves: Curves, ledger_url: str, caller: Caller = ANONYMOUS, deadline_s: float = _LEDGER_DEADLINE_S
) -> None:
    """Raise `Unusable` where the ledger does not hold the very batch that the curves end with, or does not answer.

    A ledger that refuses our token is no reason to fold anew: it would not send the batches of a gap, either.
    """
    deadline = time.monotonic() + deadline_s
    client = httpx.AsyncClient(base_url=ledger_url, timeout=deadline_s, headers=caller.headers, verify=caller.verify)
    async with client as ledger:
        while True:
            try:
                page = await ledger.get("/postings", params={"after": curves.position - 1, "limit": 1})
                expect_access(page, f"the ledger at {ledger_url}")
                page.raise_for_status()
                break
            except httpx.HTTPError as why:
                if time.monotonic() > deadline:
                    raise Unusable("ledger_missed", f"the ledger at {ledger_url} does not answer: {why!r}") from why
                await asyncio.sleep(0.1)
    if not page.content:
        raise Unusable("ahead_of_ledger", f"the ledger has no batch {curves.position}")
    batch = PostingBatch.model_validate_json(page.content)
    ours, theirs = (curves.epoch, curves.position, curves.head), (batch.epoch, batch.batch, batch.head)
    if ours != theirs:
        raise Unusable("foreign_ledger", f"epoch, batch and head are {ours}, the ledger has {theirs}")
