"""Past states: those of the last `as_of` queries, each folded from the batches that the ledger had recorded by then."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import httpx

from services.aggregator.alerts.thresholds import AlertThresholds
from services.aggregator.fold.state import FoldState, MakeState
from services.aggregator.live.meters import elapsed_ms
from services.aggregator.live.view import LiveView, RecordedDay
from shared.http.peers import Caller, expect_access
from shared.http.problem import AWAY, BUSY, NEVER_KNOWN, Problem
from shared.http.turns import RETRY_LATER
from shared.process.credentials import CredentialsError
from shared.service.service import Service
from shared.wire.postings import PostingBatch

_QUEUED_MAX = 8  # states that are being folded, or wait for their turn
_THREADS = 4  # one folds, the others ask the ledger or compute answers
_POSITION_WITHIN_S = 5.0  # the ledger looks it up in an index

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class PastPosition(NamedTuple):
    """All batches of a store up to a position, or those of them that were recorded by the end of a day."""

    epoch: int
    position: int
    day: str | None = None


class PastStates:
    """Cache of past states. A query of a missing one waits until a thread beside the event loop has folded it.

    One state is folded at a time; queries of the same state wait for the same fold. The cache holds the last states
    queried, up to a number of states and of bytes, and always the very last.
    """

    def __init__(
        self,
        service: Service,
        make_state: MakeState,
        ledger_url: str,
        caller: Caller,
        thresholds: AlertThresholds,
        states_max: int,
        bytes_max: int,
        wait_s: float,
        horizon: Callable[[], tuple[int, int]],
    ) -> None:
        self.service, self.make_state, self.thresholds = service, make_state, thresholds
        self.states_max, self.bytes_max, self.wait_s = states_max, bytes_max, wait_s
        self.ledger_url = ledger_url
        # one client for all threads: one for each query would read the CAs of the system anew
        self.ledger = httpx.Client(base_url=ledger_url, timeout=30, headers=caller.headers, verify=caller.verify)
        # threads of their own: one that waits for a ledger that stands still must keep no query of the present waiting
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="past")
        service.at_end.append(self._close)
        self._views: dict[PastPosition, LiveView] = {}  # in the order of their last query
        self._folding: dict[PastPosition, asyncio.Task[LiveView]] = {}
        self._fold_turn = asyncio.Lock()
        self._likely_horizon = horizon  # that of the present: with another one a past state is folded twice

    async def read(self, as_of: str) -> LiveView:
        """Return the state after a batch, or at the end of a day.

        Raise `Problem` where there is no such position or day, the ledger does not answer, or it takes too long.
        """
        try:
            async with asyncio.timeout(self.wait_s):
                past = await self._in_thread(self._find_position, as_of)
                return self._cached(past) or await self._wait(past)
        except TimeoutError as late:
            detail = f"{as_of} is not folded after {self.wait_s:g} s (WAFERLINE_PAST_WAIT_S): ask again, it goes on"
            raise Problem(BUSY, detail, headers=RETRY_LATER) from late

    def _in_thread(self, work: Callable[[Argument], Result], argument: Argument) -> asyncio.Future[Result]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work, argument)

    def _close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.ledger.close()

    def _cached(self, past: PastPosition) -> LiveView | None:
        view = self._views.pop(past, None)
        if view is not None:
            self._views[past] = view
        return view

    async def _wait(self, past: PastPosition) -> LiveView:
        task = self._folding.get(past)
        if task is None:
            if len(self._folding) >= _QUEUED_MAX:
                detail = f"{_QUEUED_MAX} other positions of the past wait to be folded: ask again later"
                raise Problem(BUSY, detail, headers=RETRY_LATER)
            task = self._folding[past] = asyncio.create_task(self._fold(past))
            # the failure counts as seen even if no query waits any more
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)  # a query that is cancelled leaves the others waiting

    async def _fold(self, past: PastPosition) -> LiveView:
        try:
            async with self._fold_turn:
                view = await self._in_thread(self._replay, past)
            self._cache(past, view)
            return view
        finally:
            del self._folding[past]

    def _cache(self, past: PastPosition, view: LiveView) -> None:
        self._views[past] = view
        while len(self._views) > 1 and (len(self._views) > self.states_max or self._bytes() > self.bytes_max):
            del self._views[next(iter(self._views))]

    def _bytes(self) -> int:
        return sum(view.state.curves.memory_bytes for view in self._views.values())

    # ---------------------------------------------------------------- in a thread

    def _find_position(self, as_of: str) -> PastPosition:
        try:
            answer = self.ledger.get("/known", params={"as_of": as_of}, timeout=_POSITION_WITHIN_S)
        except httpx.HTTPError as failure:
            raise self._ledger_away(failure) from failure
        self._check_answer(answer)
        body = answer.json()
        return PastPosition(body["epoch"], body["position"], body["day"])

    def _check_answer(self, answer: httpx.Response) -> None:
        try:
            expect_access(answer, f"the ledger at {self.ledger_url}")
        except CredentialsError as why:
            raise _away(str(why)) from why
        if answer.status_code == httpx.codes.NOT_FOUND and answer.json()["type"] == NEVER_KNOWN.type:
            raise Problem(NEVER_KNOWN, answer.json()["detail"], parameter="as_of")
        if answer.is_error:
            raise self._ledger_away(f"HTTP {answer.status_code}")

    def _ledger_away(self, why: object) -> Problem:
        return _away(f"the ledger at {self.ledger_url}, which holds the past, does not answer ({why}): ask again")

    def _replay(self, past: PastPosition) -> LiveView:
        """Fold the batches that the ledger sends for a position."""
        began = time.perf_counter()
        state, batches = self._fold_batches(past, self.make_state(self._likely_horizon()))
        if state.declared_horizon != state.curves.horizon:
            state, batches = self._fold_batches(past, self.make_state(state.declared_horizon))
        state.curves.precompute_windows()
        recorded_by = None if past.day is None else RecordedDay(past.day, batches)
        view = LiveView(state, self.thresholds, recorded_by, self._threads)
        self.service.log.info(
            "past_folded",
            position=state.curves.position,
            day=past.day,
            batches=batches,
            keys=len(state.curves.keys),
            ms=elapsed_ms(began),
        )
        return view

    def _fold_batches(self, past: PastPosition, state: FoldState) -> tuple[FoldState, int]:
        """Return the state with the batches that the ledger sends for a position folded, and their number."""
        with _without_collector():
            batches = state.add_all(self._batches(past))
        if state.curves.position < past.position:
            raise self._ledger_away(f"it sent {state.curves.position} of {past.position} batches")
        return state, batches

    def _batches(self, past: PastPosition) -> Iterator[PostingBatch]:
        try:
            with self.ledger.stream("GET", "/postings", params={"as_of": past.day or str(past.position)}) as answer:
                if answer.is_error:
                    answer.read()
                    self._check_answer(answer)
                for line in _lines(answer.iter_bytes()):
                    if self.service.stopping.is_set():
                        raise _away("the aggregator stops: ask again")
                    yield PostingBatch.model_validate_json(line)
        except httpx.HTTPError as failure:
            raise self._ledger_away(failure) from failure


@contextmanager
def _without_collector() -> Iterator[None]:
    """Fold without the collector of cycles: a state has none, and the collector would search it again and again.

    A whole log is folded in a third less time. Only one state is folded at a time, so none begins it too early.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a body that arrives in pieces; only a line feed ends a line, other separators are text."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


def _away(detail: str) -> Problem:
    return Problem(AWAY, detail, headers=RETRY_LATER)
