"""Signing of checkpoints while the ledger runs, and their check against the store when it starts."""

import asyncio
import fcntl
from pathlib import Path

from prometheus_client import Gauge

from services.ledger.checkpoint.files import append_checkpoint, newest_checkpoint
from services.ledger.checkpoint.keys import Signer, Untrusted
from services.ledger.checkpoint.notes import checkpoint_of, sign_checkpoint
from services.ledger.store.reader import StoreReader
from shared.service.service import Service


class CheckpointSigner:
    """Appends a signed checkpoint of the store to a file at an interval, and at the end."""

    def __init__(self, service: Service, store: StoreReader, signer: Signer, file: Path, interval_s: float) -> None:
        """Raise `RuntimeError` where the newest checkpoint is of another store, or of a later state of this one."""
        self.service, self.store, self.signer, self.file, self.interval_s = service, store, signer, file, interval_s
        self.signed = Gauge("waferline_checkpoint_position", "The last batch signed", registry=service.registry)
        self.signed.set(self._check())

    async def run(self) -> None:
        """Sign at every interval."""
        while True:
            await asyncio.sleep(self.interval_s)
            self.sign()

    def sign_last(self) -> None:
        """Sign the head with which the ledger ends, unless it failed: then the store may be none to vouch for."""
        if self.service.failure is None:
            self.sign()

    def sign(self) -> None:
        """Sign the store's head, unless its batch is signed already."""
        with self.file.open("ab") as locked:
            fcntl.flock(locked, fcntl.LOCK_EX)  # a second ledger on the store may be about to sign, too
            newest = newest_checkpoint(self.file, self.signer.verifier, epoch=self.store.epoch)
            if self.store.head.batch > (0 if newest is None else newest.batch):
                append_checkpoint(self.file, sign_checkpoint(checkpoint_of(self.store), self.signer))
                position, head = self.store.head.batch, self.store.head.hash.hex()
                self.signed.set(position)
                self.service.log.info("checkpoint_signed", position=position, events=self.store.last_event, head=head)

    def _check(self) -> int:
        """Return the batch of the newest checkpoint, 0 if there is none; raise where the store contradicts it."""
        file, store = self.file, self.store
        file.parent.mkdir(parents=True, exist_ok=True)
        file.open("ab").close()  # a file that cannot be written is reported now
        try:
            newest = newest_checkpoint(file, self.signer.verifier, epoch=store.epoch)
        except Untrusted as why:
            if why.fault != "other_origin":
                raise
            raise RuntimeError(
                f"{file} holds the checkpoints of another store than this one, of epoch {store.epoch} at batch"
                f" {store.head.batch}: was the store deleted, or moved? Put it back, or, if a new one is meant, move"
                f" {file} away"
            ) from why
        if newest is not None and (newest.batch > store.head.batch or store.hash_of(newest.batch) != newest.head):
            raise RuntimeError(
                f"the store is at batch {store.head.batch}, and is not what the checkpoint of batch {newest.batch} in"
                f" {file} sealed: was an old copy put back? Put the newer one back, or, if there is none and what came"
                f" after is given up, move {file} away: docs/deployment.md says how"
            )
        return 0 if newest is None else newest.batch
