"""What must hold when a world has become quiet, whatever went wrong in it."""

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from services.aggregator.fold.curves import Curves
from services.operator.record.proof import verify
from shared.service.entries import entry_order
from shared.wire.events import Event, EventReversed, SourceAdvanced, SourceEnded
from shared.wire.postings import PostingBatch
from shared.wire.rows import Row, watermark_of
from testing.fold import cells_of, fold
from testing.twins.ledger import sum_up
from tests.simulation.script import HORIZON
from tests.simulation.stores import history, judged_runs, open_store, recorded_rows, refused_sequences

if TYPE_CHECKING:
    from tests.simulation.world import World


def check_world(world: "World") -> Counter[str]:
    """Return what was checked and how often; raise AssertionError for the first thing wrong."""
    store = open_store(world.store_path)
    try:
        events = _check_events(world, recorded_rows(store), refused_sequences(store))
        for party in world.parties:
            last = party.part.entries[-1].last
            assert judged_runs(store, party.name) == [(1, last)], (
                f"{party.name} has a gap: {judged_runs(store, party.name)}"
            )
        _check_reading(world, store.offsets())

        proof = verify(store)
        assert proof.wrong is None, proof.wrong
        assert world.heads[1:] == history(store), "the history has changed"
        hashes = {
            "the aggregator's": world.aggregator.curves.state_hash(),
            "a fold from batch 1": _fold_again(store.published_batches(0, 10_000)).state_hash(),
            "a run without faults": fold(events, batches=7, horizon=HORIZON).state_hash,
            "the naive sum": _fold_naively(events).state_hash(),
        }
        assert cells_of(store) == sum_up(events), "the postings are not what the events come to"
        assert len(set(hashes.values())) == 1, f"state hashes differ: {hashes}"
        return Counter({"(events recorded)": len(events), "(batches proved)": proof.batches, "(state hashes)": 4})
    finally:
        store.close()


def _check_events(world: "World", held: list[Row], refused: set[tuple[str, int | None, str]]) -> list[Event]:
    """Return the events that are recorded, in the order of the script; check them against what was said."""
    by_id: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in held:
        by_id[row.source, row.id].append(row)
    twice = next((identity for identity, rows in by_id.items() if len(rows) > 1), None)
    assert twice is None, f"{twice} is recorded twice"

    events = []
    codes = defaultdict(set)
    for source, sequence, code in refused:
        codes[source, sequence].add(code)
    for part in world.parts.values():
        for sequence in range(1, part.entries[-1].last + 1):
            event, found = part.good.get(sequence), codes[part.source, sequence]
            if event is None:
                assert found, f"{part.source} {sequence} is wrong, and was not refused"
                continue
            (row,) = by_id.get((part.source, event.id)) or [None]
            assert row is not None, f"{part.source} {sequence} was acknowledged and is not in the ledger"
            if row.sequence == sequence:
                assert row == Row.of(event), f"{part.source} {sequence} was said otherwise"
                assert not found, f"{part.source} {sequence} is recorded and refused as {found}"
                events.append(event)
            else:
                assert found == {"identity_conflict"}, f"{part.source} {sequence} conflicts, and was refused as {found}"
    assert len(events) == len(held), "the ledger holds what nobody said"
    return events


def _check_reading(world: "World", offsets: dict[str, str]) -> None:
    for stream in world.parts:
        present = {entry_id for entry_id, _ in world.streams.read(stream, "0-0", 10_000)}
        skipped = present - world.consumed[stream] - world.excused[stream]
        assert not skipped, (
            f"{min(skipped, key=entry_order)} of {stream} was never read, the offset is {offsets[stream]}"
        )


def _fold_again(batches: list) -> Curves:
    curves = Curves(*HORIZON)
    for batch in batches:
        curves.add(batch.postings)
    return curves


def _fold_naively(events: list[Event]) -> Curves:
    """Return the curves of what the events come to by definition, posted at once."""
    cells = sum_up(events)
    names = sorted({name for _, _, key in cells for name in key})
    keys = [[names.index(key[n]) for _, _, key in cells] for n in range(3)]
    undone = {(event.source, event.data.reversed) for event in events if isinstance(event.data, EventReversed)}
    watermarks: dict[str, int] = {}
    for event in events:
        if isinstance(event.data, SourceAdvanced | SourceEnded) and (event.source, event.id) not in undone:
            through = watermark_of(Row.of(event))
            watermarks[event.source] = max(through, watermarks.get(event.source, through))
    curves = Curves(*HORIZON)
    curves.add(
        PostingBatch(
            epoch=0, batch=1, previous=0, events=len(events), head="", names=names, products=keys[0], sites=keys[1],
            suppliers=keys[2], measures=[int(measure) for measure, _, _ in cells], days=[day for _, day, _ in cells],
            wafers=list(cells.values()), watermarks=watermarks, sources=sorted({event.source for event in events}),
        )
    )  # fmt: skip
    return curves
