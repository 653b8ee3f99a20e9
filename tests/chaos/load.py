"""The load: deterministic valid events of several sources, handed in at real doors until the word on them is heard."""

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import count, islice

import httpx

from shared.play.numbering import Numbering
from shared.wire.events import (
    DemandRequired,
    Event,
    EventData,
    LotFinished,
    LotStarted,
    ShipmentDispatched,
    ShipmentReceived,
    SourceAdvanced,
    StockOpened,
    SupplyCommitted,
    WafersConsumed,
)
from shared.wire.firmness import FIRMNESS
from shared.wire.streams import Role

Identity = tuple[str, str]  # source, id
_START = datetime(2025, 1, 1, 12, tzinfo=UTC)  # long past: no clock that a test turns makes it the future
_SITES = ("abilene", "narvik", "shackelford")
_DUE = date(2026, 6, 1)
_PAUSE_S = 0.05  # a party that starts again hears every verdict again: what is killed often must not have said too much


def speak(source: str, role: Role, seed: int) -> Iterator[Event]:
    """Yield the events of one source without end, the same for the same seed; any order of them is valid."""
    chance, numbering = random.Random(f"{seed}:{source}"), Numbering(source)  # noqa: S311
    for n in count():
        at = _START + timedelta(days=n // 200 % 360, seconds=n)
        yield numbering.emit(at, (_supply if role == "supplier" else _demand)(n, source, at.date(), chance))


def _supply(n: int, source: str, day: date, chance: random.Random) -> EventData:
    key = {"product": "HBM4-12H", "site": chance.choice(_SITES), "supplier": source}
    due = _DUE + timedelta(days=chance.randrange(200))
    match n % 5:
        case 0:
            return LotStarted(**key, lot=f"L{n}", fab="P3", wafers=25, due_out=due)
        case 1:
            return LotFinished(**key, lot=f"L{n - 1}", wafers=24, yield_variance=1)
        case 2:
            return SupplyCommitted(
                **key, line=f"C{n % 40}", due=due, firmness=chance.choice(FIRMNESS), wafers=n % 900, revision=n
            )
        case 3:
            return ShipmentDispatched(**key, wafers=9, shipment=f"S{n}", commit=f"C{n % 40 - 1}", eta=due, lots=[])
    return SourceAdvanced(through=day)


def _demand(n: int, source: str, day: date, chance: random.Random) -> EventData:
    key = {"product": "HBM4-12H", "site": chance.choice(_SITES), "supplier": "skhynix"}
    due = _DUE + timedelta(days=chance.randrange(200))
    match n % 5:
        case 0:
            return StockOpened(**key, wafers=chance.randint(1, 50))
        case 1:
            return DemandRequired(**key, line=f"R{n % 40}", due=due, start_by=day, priority=1, wafers=n, revision=n)
        case 2:
            return WafersConsumed(**key, wafers=chance.randint(1, 20), phase="P1")
        case 3:
            return ShipmentReceived(**key, wafers=8, wafers_damaged=1, shipment=f"S{n}", owner="skhynix")
    return SourceAdvanced(through=day)


class Load:
    """One thread for each door. An event is attempted once it was sent, and acknowledged once its door said so."""

    def __init__(self, doors: dict[str, tuple[Role, str]], seed: int, tokens: Mapping[str, str] | None = None) -> None:
        self.tokens = tokens or {}  # by source
        self.attempted: dict[Identity, Event] = {}
        self.acknowledged: set[Identity] = set()
        self.heard = dict.fromkeys(doors, 0)  # source -> answers that acknowledged something
        self.refused: list[str] = []
        self.impatient = False  # say more and more without waiting for the word on it; that is asked for later
        self.going, self.ended = threading.Event(), threading.Event()
        self._idle = {source: threading.Event() for source in doors}
        self._again: dict[str, list[Event]] = {source: [] for source in doors}
        self._threads = [
            threading.Thread(target=self._hand_in, args=(source, url, speak(source, role, seed)), daemon=True)
            for source, (role, url) in doors.items()
        ]
        for thread in self._threads:
            thread.start()

    def idle(self) -> bool:
        """Whether it was told to pause, and all that was said is acknowledged."""
        return not self.going.is_set() and all(idle.is_set() for idle in self._idle.values())

    def hand_in_again(self) -> None:
        """Have each door get all of its events once more, from the first on, as after a loss."""
        for source, again in self._again.items():
            again += [event for (of, _), event in self.attempted.items() if of == source]
            self._idle[source].clear()

    def end(self) -> None:
        """End the threads, acknowledged or not."""
        self.ended.set()
        self.going.clear()
        for thread in self._threads:
            thread.join(20)

    def _hand_in(self, source: str, url: str, events: Iterator[Event]) -> None:
        open_: list[Event] = []  # sent, and not yet acknowledged
        token = self.tokens.get(source)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=headers, verify=False) as door:  # noqa: S501 (http: what checks TLS is slow to make)
            while not self.ended.is_set():
                if self._again[source]:
                    open_, self._again[source] = [*self._again[source], *open_], []
                if not open_ and not self.going.is_set():
                    self._idle[source].set()
                    self.going.wait(0.02)
                    continue
                self._idle[source].clear()
                if self.going.is_set() and (not open_ or self.impatient):
                    new = list(islice(events, 300 if self.impatient else 5))
                    self.attempted |= {(source, event.id): event for event in new}
                    if not self._post(door, source, new):
                        open_ += new
                if open_ and not self.impatient and self._post(door, source, open_[:300]):
                    open_ = open_[300:]
                time.sleep(_PAUSE_S)

    def _post(self, door: httpx.Client, source: str, events: list[Event]) -> bool:
        """Hand some events in; return whether all of them are acknowledged."""
        body = "\n".join(json.dumps(event.cloud_event()) for event in events)
        try:
            reply = door.post("/events", content=body, timeout=0.2 if self.impatient else 15)
            if not reply.is_success:  # a problem: as many wait as may, or the body is too long
                return False
            answers = reply.json()
        except (httpx.TransportError, ValueError):  # the door is away, or was killed in the middle of its answer
            return False
        said = {answer["id"] for answer in answers if answer["status"] in ("recorded", "duplicate")}
        self.refused += [str(answer) for answer in answers if answer["status"] == "refused"]
        self.acknowledged |= {(source, id_) for id_ in said}
        self.heard[source] += bool(said)
        return len(said) == len(events)
