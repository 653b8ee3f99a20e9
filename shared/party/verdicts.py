"""Verdicts of the ledger on a party's events: recorded up to a sequence, and the refusals."""

import asyncio
import time
from collections import Counter

from shared.party.outbox import Outbox
from shared.process.log import LineRation
from shared.service.entries import Entry, log_garbled
from shared.service.service import Service
from shared.wire.postings import Recorded
from shared.wire.streams import recorded_stream

_QUIET_S = 15.0  # without a verdict: all are read, and a ledger that finds some lost has published them again


class Verdicts:
    """Reads the verdicts on one source's events, and drops from its outbox the events that have one."""

    def __init__(self, service: Service, outbox: Outbox) -> None:
        self.service = service
        self.outbox = outbox
        self.through = outbox.last - len(outbox)  # each event up to here has its verdict, and is out of the outbox
        self.advanced_at = time.monotonic()  # when `through` grew last
        self._latest: int | None = None  # sequence of the verdict read last; none since the start
        self._read_at = time.monotonic()
        self.changed = asyncio.Condition()
        self._logged_through = self.through  # a restart reads all verdicts again, and logs no refusal twice
        self._position = self.through  # of the last verdict of which refusals were logged
        self._ration = LineRation(self._log_others)
        service.at_end.append(self._ration.flush)
        service.reads(recorded_stream(outbox.source), after="0-0")(self._read)

    @property
    def unrecorded(self) -> int:
        """The events in the outbox that have no verdict yet."""
        return self.outbox.last - self.through

    @property
    def judged(self) -> int:
        """The sequence up to which the ledger itself has said since the start that it has a verdict.

        `through` is the outbox's memory: the ledger may have lost some of it.
        """
        return min(self.through, self._latest or 0)

    def recede(self) -> bool:
        """Go back to where the ledger is, if it has lost events that left the outbox; return whether it has.

        Where an older copy of its store was put back, the verdicts end before those that the outbox remembers.
        """
        is_read = self._latest is not None and time.monotonic() - self._read_at > _QUIET_S
        if not is_read or self.judged == self.through:
            return False
        self.service.log.warning("ledger_receded", position=self.judged, position_before=self.through)
        self.through = self.judged
        return True

    async def _read(self, entries: list[Entry]) -> None:
        for entry_id, body in entries:
            try:
                verdict = Recorded.model_validate_json(body)
            except ValueError as failure:  # a later verdict covers its events, or they are sent again
                log_garbled(self.service.log, recorded_stream(self.outbox.source), entry_id, failure)
                continue
            if verdict.through > self.outbox.last:
                raise RuntimeError(
                    f"the ledger has {verdict.through} events of {self.outbox.source}, its outbox holds"
                    f" {self.outbox.last}: was the outbox lost, or an old copy put back? Put the newer one back"
                )
            if verdict.through > self.through:
                self.through, self.advanced_at = verdict.through, time.monotonic()
            self._latest, self._read_at = verdict.through, time.monotonic()
            self._log_refusals(verdict)
            self.outbox.keep_verdicts(verdict.refusals, verdict.effects)
        self.outbox.forget(self.through)
        self.service.tally.info("verdicts_heard", position=self.through, batches=len(entries))
        async with self.changed:
            self.changed.notify_all()

    def _log_refusals(self, verdict: Recorded) -> None:
        new = [r for r in verdict.refusals if r.sequence is None or r.sequence > self._logged_through]
        self._position = verdict.through
        for refusal in new:
            if not self._ration.admits(refusal.code):
                continue
            self.service.log.warning(
                "refusal_heard",
                sequence=refusal.sequence,
                id=refusal.id,
                code=refusal.code,
                path=refusal.path,
                reason=refusal.message,
                position=verdict.through,
            )

    def _log_others(self, codes: Counter[str]) -> None:
        """Log the count of the refusals beyond those of which there is a line."""
        self.service.log.warning("refusals_left_out", refused=codes.total(), codes=dict(codes), position=self._position)
