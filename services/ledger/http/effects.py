"""The effect that a recorded event has now, by the working state of the store."""

from typing import cast

from services.ledger.books.effects import HOLDS, REVERSED, UNKNOWN_TARGET, Effect, reversal_effect, statement_effect
from services.ledger.books.line_postings import STATEMENTS
from services.ledger.store.reader import StoreReader
from shared.wire.days import DAY_US, iso_day
from shared.wire.lines import line_of
from shared.wire.postings import SITE_EVENTS
from shared.wire.rows import Row


def find_effect(store: StoreReader, row: Row) -> Effect | None:
    """Return the effect of a recorded event, None for one of a site or phase: the ledger keeps no state of those."""
    state = store.working_state
    if row.name == "event.reversed":
        target = row.others["reversed"]
        found = store.load_event(row.source, target)
        return reversal_effect(found, _why_missing(store, row.source, target) if found is None else "")
    if state.is_reversed(row.source, row.id):
        return REVERSED
    if row.name in STATEMENTS:
        name = line_of(row)
        return statement_effect(row.id, state.load_lines([name])[name].in_force_id())
    if row.name == "stock.counted":
        stock = state.load_stock((str(row.product), str(row.site), str(row.supplier)))
        return statement_effect(row.id, stock.in_force(row.time // DAY_US).id)
    if row.name == "source.advanced":
        advanced = store.progress[row.source].advanced
        if advanced is not None and advanced > cast(int, row.day):
            return Effect("none", f"its source is complete through {iso_day(advanced)}")
    return None if row.name in SITE_EVENTS else HOLDS


def _why_missing(store: StoreReader, source: str, id_: str) -> str:
    if store.is_refused(source, id_):
        return "the event of that id was refused: one that comes right under the id will have no effect"
    others = [other for other in store.progress if other != source]
    found = store.working_state.find_events([(other, id_) for other in others])
    if found:
        return f"the event is of {min(found)[0]}, and only its own source reverses an event"
    return UNKNOWN_TARGET
