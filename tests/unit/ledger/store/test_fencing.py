"""Two ledgers on one store, one interrupted by the other at every statement: what it remembers is of one moment."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import OperationalError

import orjson
import pytest

from services.ledger.store.recording import Outcome, record_entries
from services.ledger.store.writer import Fenced, StoreWriter
from shared.play.numbering import Numbering
from shared.wire.events import Event, EventReversed, StockOpened
from shared.wire.streams import party_stream
from testing.fold import NOW, cells_of
from testing.twins.ledger import sum_up
from tests.simulation.stores import make_store, open_store, recorded_rows

_BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
_OPENED = StockOpened(product="HBM4-12H", site="abilene", supplier="samsung", wafers=5)
_STATEMENTS = 40  # more than opening a store and recording a batch take


def _record(store: StoreWriter, entry: str, event: Event) -> Outcome:
    stream, body = party_stream("datacenter", event.source), orjson.dumps(event.cloud_event())
    return record_entries(store, stream, event.source, "datacenter", [(entry, body)], now=NOW)


class _Interruption:
    """Does something once, when so many statements have been visited."""

    def __init__(self, at: int, do: object) -> None:
        self.left, self.do = at, do

    def __call__(self, _: str) -> None:
        self.left -= 1
        if self.left == 0:
            with suppress(OperationalError):  # the store is locked: nobody else can come here
                self.do()


@pytest.mark.parametrize("at", range(1, _STATEMENTS))
def test_a_store_opened_while_another_ledger_records_is_whole_or_fenced(tmp_path: Path, at: int):
    numbering = Numbering("abilene")
    first = numbering.emit(_BEGIN, _OPENED)
    opened = numbering.emit(_BEGIN + timedelta(days=1), _OPENED)
    undone = numbering.emit(_BEGIN + timedelta(days=2), EventReversed(reversed=opened.id, reason="said in error"))
    make_store(tmp_path / "ledger.db")
    other = open_store(tmp_path / "ledger.db")
    _record(other, "1-0", first)

    store = open_store(tmp_path / "ledger.db", _Interruption(at, lambda: _record(other, "2-0", undone)))
    with suppress(Fenced, OperationalError):
        _record(store, "3-0", opened)

    again = open_store(tmp_path / "ledger.db")
    assert cells_of(again) == sum_up([row.event() for row in recorded_rows(again)])


@pytest.mark.parametrize("at", range(1, _STATEMENTS))
def test_entries_are_not_recorded_behind_those_of_another_ledger(tmp_path: Path, at: int):
    numbering = Numbering("abilene")
    first, second = numbering.emit(_BEGIN, _OPENED), numbering.emit(_BEGIN, _OPENED)
    conflict = numbering.emit(_BEGIN, _OPENED).model_copy(update={"id": first.id})  # found at the second look only
    make_store(tmp_path / "ledger.db")
    other, heads = open_store(tmp_path / "ledger.db"), []
    _record(other, "1-0", first)

    interruption = _Interruption(10_000, lambda: heads.append(_record(other, "2-0", second).head))
    store = open_store(tmp_path / "ledger.db", interruption)
    interruption.left = at
    with suppress(Fenced, OperationalError):
        outcome = _record(store, "1-1", conflict)
        assert not heads or heads[0].batch > outcome.head.batch, "it was decided on what another ledger has changed"


def test_a_ledger_that_was_overtaken_tells_what_it_knows(tmp_path: Path):
    make_store(tmp_path / "ledger.db")
    other = open_store(tmp_path / "ledger.db")
    _record(other, "1-0", Numbering("abilene").emit(_BEGIN, _OPENED))
    overtaken = open_store(tmp_path / "ledger.db")
    elsewhere = _OPENED.model_copy(update={"site": "shackelford"})
    _record(other, "2-0", Numbering("shackelford").emit(_BEGIN, elsewhere))

    assert [told.postings.batch for told in overtaken.published_batches(0, 16)] == [1]
    assert overtaken.published_batches(1, 16) == []
    assert [told.postings.batch for told in other.published_batches(0, 16)] == [1, 2]
