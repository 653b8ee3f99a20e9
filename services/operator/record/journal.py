"""A store as a journal of hledger: one transaction for each event and day, with every balance asserted at the end."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import sum_moved, sum_moved_beyond
from services.aggregator.fold.series import SLOTS
from services.aggregator.terms import PARTS
from services.ledger.books.lines import Key
from services.ledger.books.restatement import Replay
from services.ledger.store.reader import StoreReader
from services.operator.record.curves import fold
from services.operator.record.store import expect_sealed
from shared.wire.days import iso_day, iso_time
from shared.wire.postings import STAGES, Measure
from shared.wire.rows import Row

_CLOSING_PAYEE = "waferline"  # of the last transaction
_HEADER = """\
; The wafers of a Waferline ledger, as a journal of hledger (https://hledger.org).
;
; epoch: {epoch}
; position: {position}
; head: {head}
; state: {state}
;
; A transaction holds the movements of one event on one day, from stage to stage: the account is stage:supplier:site,
; the commodity the product. Its date is the day of the movement; its tag `recorded` is the recording time. A reversal
; is a transaction of its own, opposite to the reversed one (tag `reverses`). A counted difference that no movement
; explains comes from `adjustment`. Wafers of a shipment that go to another site than they were dispatched to pass
; through `diverted`, in the transaction of the event that names the other site: of a revision on the day of the
; dispatch, of a receipt, damage or loss on its own day.
; Plans move no wafers: agreements, commits, forecasts, orders and expected arrivals are left out.
;
; The last transaction asserts every balance, as Waferline's fold computes it, at the end of all days:
;     hledger -f FILE check --strict ordereddates payees

"""


class _Posted(NamedTuple):
    """An event and its own movements: the store keeps only the sums of a batch."""

    batch: int
    recorded: int
    row: Row
    moved: dict[int, list[tuple[Measure, Key, int]]]  # day -> measure, key, wafers


def write_journal(store: StoreReader, file: BinaryIO, advance: Callable[[int], None]) -> None:
    """Write a store as a journal: every movement by its day, and at the end an assertion of every balance."""
    curves = fold(store)
    due = _balances(curves)
    payees, cells = {_CLOSING_PAYEE}, set(due)
    days, ends = array("q"), array("q", [0])
    with TemporaryFile() as spool:  # in recording order; a year of lots would fill the memory
        for posted in _post_again(store, advance):
            payees.add(posted.row.source)
            for day, moved in sorted(posted.moved.items()):
                entries = [entry for movement in moved for entry in _entries(*movement)]
                cells.update((account, product) for account, product, _ in entries)
                days.append(day)
                ends.append(ends[-1] + spool.write(_transaction(day, posted, entries)))
        head = _HEADER.format(
            epoch=store.epoch, position=store.head.batch, head=store.head.hash.hex(), state=curves.state_hash()
        )
        file.write(head.encode())
        file.writelines(f'commodity 1000. "{product}"\n'.encode() for product in sorted({cell[1] for cell in cells}))
        file.writelines(f"account {account}\n".encode() for account in sorted({cell[0] for cell in cells}))
        file.writelines(f"payee {payee}\n".encode() for payee in sorted(payees))
        for n in np.argsort(np.array(days, dtype=np.int64), kind="stable").tolist():
            spool.seek(ends[n])
            file.write(spool.read(ends[n + 1] - ends[n]))
    if cells:
        closing = [
            f'    {account}  0 "{product}" = {due.get((account, product), 0)} "{product}"'
            for account, product in sorted(cells)
        ]
        last = max(days, default=curves.last_day)
        file.write("\n".join([f"\n{iso_day(last)} {_CLOSING_PAYEE} | balances", *closing, ""]).encode())


def _transaction(day: int, posted: _Posted, entries: Iterable[tuple[str, str, int]]) -> bytes:
    row = posted.row
    line = "" if row.line is None else f" {row.line}"
    tags = f"id:{row.id}, source:{row.source}, batch:{posted.batch}, recorded:{iso_time(posted.recorded)}"
    if row.name == "event.reversed":
        tags += f", reverses:{row.others['reversed']}"
    lines = [f'    {account}  {wafers} "{product}"' for account, product, wafers in entries]
    return "\n".join([f"\n{iso_day(day)} {row.source} | {row.name}{line}  ; {tags}", *lines, ""]).encode()


def _entries(measure: Measure, key: Key, wafers: int) -> Iterator[tuple[str, str, int]]:
    """Yield the two entries of a movement: account, product, wafers."""
    product, site, supplier = key
    from_stage, to_stage = STAGES[measure]
    yield _account(to_stage, supplier, site), product, wafers
    yield _account(from_stage, supplier, site), product, -wafers


@lru_cache(maxsize=65_536)
def _account(stage: str, supplier: str, site: str) -> str:
    """Return the account of a stage; a colon in a name is escaped, as it would begin a subaccount."""
    return ":".join(part.replace(":", "%3A") for part in (stage, supplier, site))


def _balances(curves: Curves) -> dict[tuple[str, str], int]:
    """Return the wafers of each account and product, from the aggregator's sums; zeros are left out."""
    grouping = curves.group(PARTS)
    moved = sum_moved(curves, grouping, curves.last_day) + sum_moved_beyond(curves, grouping)
    balances: dict[tuple[str, str], int] = {}
    for column, (product, site, supplier) in enumerate(grouping.labels):
        for measure in STAGES:
            wafers = int(moved[SLOTS[measure], column])
            for account, _, added in _entries(measure, (product, site, supplier), wafers):
                balances[account, product] = balances.get((account, product), 0) + added
    return {cell: wafers for cell, wafers in balances.items() if wafers}


def _post_again(store: StoreReader, advance: Callable[[int], None]) -> Iterator[_Posted]:
    """Yield each event that moves wafers, in recording order."""
    replay = Replay(store.find_event)
    for sealed in expect_sealed(store.sealed_batches()):
        header = sealed.batch.header
        for row in map(Row.read, sealed.bodies):
            moved: dict[int, list[tuple[Measure, Key, int]]] = {}
            for (measure, day, key), wafers in replay.post([row]).postings():
                if measure in STAGES:
                    moved.setdefault(day, []).append((measure, key, wafers))
            if moved:
                yield _Posted(header.batch, header.recorded, row, moved)
        advance(1)
