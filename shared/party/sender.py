"""Sender of a party: publishes the outbox on the party's stream until the ledger has a verdict on each event."""

import asyncio
import time
from contextlib import suppress

from shared.party.outbox import Outbox
from shared.party.verdicts import Verdicts
from shared.service.entries import publish_entries
from shared.service.service import Service
from shared.wire.streams import Role, party_stream

_RESEND_AFTER_S = 10.0
_ENTRIES_MAX = 50  # in one round trip


class Sender:
    """Sends the outbox in order, and again from the last verdict where the ledger gives none for a while."""

    def __init__(self, service: Service, outbox: Outbox, verdicts: Verdicts, role: Role) -> None:
        self.service = service
        self.outbox = outbox
        self.verdicts = verdicts
        self.stream = party_stream(role, outbox.source)
        self.sent = 0
        self._woken = asyncio.Event()
        service.run_beside(self._run)

    def wake(self) -> None:
        """Have the outbox sent now."""
        self._woken.set()

    async def _run(self) -> None:
        verdicts = self.verdicts
        since, through, patience = time.monotonic(), verdicts.through, _RESEND_AFTER_S
        while True:
            if self.sent <= verdicts.through:
                since, through, patience = time.monotonic(), verdicts.through, _RESEND_AFTER_S
            elif verdicts.through != through:
                since, through, patience = verdicts.advanced_at, verdicts.through, _RESEND_AFTER_S
            if time.monotonic() - since > patience:
                verdicts.recede()
                self.service.log.warning(
                    "events_resent", position=verdicts.through, events=self.sent - verdicts.through
                )
                self.sent, since = verdicts.through, time.monotonic()
                patience *= 2  # a ledger that is away for long does not need it again and again
            entries = self.outbox.after(max(self.sent, verdicts.through), _ENTRIES_MAX)
            if entries:
                await publish_entries(self.service.redis, [(self.stream, entry.body, "*") for entry in entries])
                events = sum(entry.last - entry.first + 1 for entry in entries)
                self.sent = entries[-1].last
                self.service.tally.info("events_sent", position=self.sent, entries=len(entries), events=events)
                continue
            self._woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), max(0.1, since + patience - time.monotonic()))
