"""Rehearsed events: the batch that the ledger says they would become, on top of the state of that very position."""

import asyncio
import time
from typing import Any, NamedTuple

import httpx
import orjson

from services.aggregator.live.view import LiveView
from services.aggregator.plan.what_if.overlay import ShortageChange, find_changes
from shared.http.peers import Caller, expect_access
from shared.http.problem import AWAY, BUSY, UNFIT, UNKNOWN_NAME, Problem
from shared.http.turns import RETRY_LATER
from shared.process.credentials import CredentialsError
from shared.wire.firmness import Firmness
from shared.wire.postings import PostingBatch

_TRIES = 20  # while other events are recorded between the rehearsal and the reading of the state
_POLL_S = 0.005
_BEHIND_S = 5.0
_REHEARSED_WITHIN_S = 30.0
_PASSED_ON = {kind.type: kind for kind in (UNFIT, UNKNOWN_NAME, BUSY)}


class WhatIf(NamedTuple):
    """The shortages that some events alter, the position that they are on top of, and the events that do not count."""

    position: int
    head: str
    today: int | None
    changes: list[ShortageChange]
    duplicates: int
    refused: list[dict[str, Any]]


class Rehearsals:
    """Asks the ledger for the postings of events, and projects the product-sites that the postings touch."""

    def __init__(self, ledger_url: str, caller: Caller) -> None:
        self.ledger_url, self.caller = ledger_url, caller

    async def find(self, view: LiveView, source: str, events: bytes, firmness: Firmness, *, past_due: bool) -> WhatIf:
        """Return the shortages that the CloudEvents of a source, one a line, would alter; nothing of them is kept.

        Raise `Problem` where the ledger does not answer, or refuses the whole, or other events keep coming between.
        """
        for _ in range(_TRIES):
            answer = await self._rehearse(source, events)
            batch = PostingBatch.model_validate(answer["postings"])
            await self._wait_until(view, batch)

            def project(batch: PostingBatch = batch) -> tuple[int, str, int | None, list[ShortageChange]] | None:
                curves = view.state.curves
                if (curves.epoch or batch.epoch, curves.position) != (batch.epoch, batch.previous):
                    return None
                changes = list(find_changes(curves, batch, firmness, past_due=past_due))
                return curves.position, curves.head, curves.today, changes

            found = await view.run_paused(project)
            if found is not None:
                return WhatIf(*found, answer["duplicates"], answer["refused"])
        detail = "other events are recorded so quickly that the ledger and this state are never of one position"
        raise Problem(BUSY, f"{detail}: ask again", headers=RETRY_LATER)

    async def _rehearse(self, source: str, events: bytes) -> dict[str, Any]:
        headers, verify = self.caller
        try:
            async with httpx.AsyncClient(
                base_url=self.ledger_url, timeout=_REHEARSED_WITHIN_S, headers=headers, verify=verify
            ) as ledger:
                answer = await ledger.post("/rehearsal", params={"source": source}, content=events)
            expect_access(answer, f"the ledger at {self.ledger_url}")
            body: dict[str, Any] = orjson.loads(answer.content)
        except (httpx.HTTPError, CredentialsError, ValueError) as why:
            raise self._away(str(why) or type(why).__name__) from why
        if answer.is_error:
            kind = _PASSED_ON.get(body.get("type", ""))
            if kind is None:
                raise self._away(f"HTTP {answer.status_code}")
            raise Problem(kind, body["detail"], parameter=body.get("parameter"))
        return body

    def _away(self, reason: str) -> Problem:
        detail = f"the ledger at {self.ledger_url}, which says how events are posted, does not answer ({reason})"
        return Problem(AWAY, f"{detail}: ask again", headers=RETRY_LATER)

    async def _wait_until(self, view: LiveView, batch: PostingBatch) -> None:
        """Wait until the state is of the position that a batch follows, or of a later one."""
        deadline = time.monotonic() + _BEHIND_S
        while (behind := batch.previous - view.state.curves.position) > 0:
            if time.monotonic() > deadline:
                raise Problem(BUSY, f"the aggregator is {behind} batches behind: ask again", headers=RETRY_LATER)
            await asyncio.sleep(_POLL_S)
