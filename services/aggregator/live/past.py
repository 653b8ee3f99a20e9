"""The past: the states that were asked for last, each folded anew from what the ledger tells of then."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import httpx

from services.aggregator.alerts.thresholds import AlertThresholds
from services.aggregator.fold.state import FoldState
from services.aggregator.live.view import Reading
from shared.http.peers import Caller, expect_let_in
from shared.http.problem import AWAY, BUSY, NEVER_KNOWN, Problem
from shared.process.credentials import CredentialsError
from shared.service.service import Service
from shared.wire.postings import PostingBatch

_WAITING_MAX = 8  # states that are folded, or wait for their turn
_LATER = {"Retry-After": "5"}


class Past(NamedTuple):
    """What was known of a ledger's store: all batches up to a position, or those of them recorded by a day."""

    epoch: int
    position: int
    day: str | None = None


class History:
    """The states of the past. Who asks for one that is not kept waits until it is folded, in a thread beside the loop.

    One is folded at a time, and who asks for the same waits for the same. The last ones are kept: some, and no more
    than fit into a number of bytes, but always the very last.
    """

    def __init__(
        self,
        service: Service,
        begin: Callable[[], FoldState],
        ledger_url: str,
        caller: Caller,
        thresholds: AlertThresholds,
        states_max: int,
        bytes_max: int,
    ) -> None:
        self.service, self.begin, self.thresholds = service, begin, thresholds
        self.states_max, self.bytes_max = states_max, bytes_max
        self.ledger_url = ledger_url
        # one for all threads: a client of its own for each question would read the CAs of the system anew
        self.ledger = httpx.Client(base_url=ledger_url, timeout=30, headers=caller.headers, verify=caller.verify)
        service.at_end.append(self.ledger.close)
        self._kept: dict[Past, Reading] = {}  # the last one asked for is the last
        self._folding: dict[Past, asyncio.Task[Reading]] = {}
        self._alone = asyncio.Lock()

    async def read(self, as_of: str) -> Reading:
        """Return the state after a batch, or at the end of a day.

        Raises `Problem` where there is no such position or day, or the ledger, which knows, does not answer.
        """
        past = await asyncio.to_thread(self._ask, as_of)
        return self._find(past) or await self._wait(past)

    def _find(self, past: Past) -> Reading | None:
        reading = self._kept.pop(past, None)
        if reading is not None:
            self._kept[past] = reading
        return reading

    async def _wait(self, past: Past) -> Reading:
        task = self._folding.get(past)
        if task is None:
            if len(self._folding) >= _WAITING_MAX:
                detail = f"{_WAITING_MAX} other positions of the past wait to be folded: ask again later"
                raise Problem(BUSY, detail, headers=_LATER)
            task = self._folding[past] = asyncio.create_task(self._fold(past))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # also if nobody waits any more
        return await asyncio.shield(task)  # who goes away leaves the others waiting

    async def _fold(self, past: Past) -> Reading:
        try:
            async with self._alone:
                reading = await asyncio.to_thread(self._replay, past)
            self._keep(past, reading)
            return reading
        finally:
            del self._folding[past]

    def _keep(self, past: Past, reading: Reading) -> None:
        self._kept[past] = reading
        while len(self._kept) > 1 and (len(self._kept) > self.states_max or self._bytes() > self.bytes_max):
            del self._kept[next(iter(self._kept))]

    def _bytes(self) -> int:
        return sum(reading.state.curves.memory_bytes for reading in self._kept.values())

    # ---------------------------------------------------------------- in a thread

    def _ask(self, as_of: str) -> Past:
        try:
            answer = self.ledger.get("/known", params={"as_of": as_of})
        except httpx.HTTPError as failure:
            raise self._missed(failure) from failure
        self._expect_answer(answer)
        known = answer.json()
        return Past(known["epoch"], known["position"], known["day"])

    def _expect_answer(self, answer: httpx.Response) -> None:
        try:
            expect_let_in(answer, f"the ledger at {self.ledger_url}")
        except CredentialsError as why:
            raise _away(str(why)) from why
        if answer.status_code == httpx.codes.NOT_FOUND and answer.json()["type"] == NEVER_KNOWN.type:
            raise Problem(NEVER_KNOWN, answer.json()["detail"], parameter="as_of")
        if answer.is_error:
            raise self._missed(f"HTTP {answer.status_code}")

    def _missed(self, why: object) -> Problem:
        return _away(f"the ledger at {self.ledger_url}, which knows what was then, does not answer ({why}): ask again")

    def _replay(self, past: Past) -> Reading:
        """Return what the ledger tells of then, folded."""
        began, state, batches = time.perf_counter(), self.begin(), 0
        as_of = past.day or str(past.position)
        try:
            with self.ledger.stream("GET", "/postings", params={"as_of": as_of}) as answer:
                if answer.is_error:
                    answer.read()
                    self._expect_answer(answer)
                for line in _lines(answer.iter_bytes()):
                    if self.service.stopping.is_set():
                        raise _away("the aggregator stops: ask again")
                    state.add(PostingBatch.model_validate_json(line))
                    batches += 1
        except httpx.HTTPError as failure:
            raise self._missed(failure) from failure
        if state.curves.position < past.position:
            raise self._missed(f"it told {state.curves.position} of {past.position} batches")
        state.curves.precompute_windows()
        reading = Reading(state, self.thresholds)
        self.service.log.info(
            "past_folded",
            position=state.curves.position,
            day=past.day,
            batches=batches,
            keys=len(state.curves.keys),
            ms=round((time.perf_counter() - began) * 1000, 2),
        )
        return reading


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of what comes in pieces; no text in them ends one, whatever it holds."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


def _away(detail: str) -> Problem:
    return Problem(AWAY, detail, headers=_LATER)
