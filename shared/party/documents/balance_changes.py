"""Changes of the projected balance that the events of a document make: wafers by day, of supply and of demand."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from shared.documents.document import Kind
from shared.documents.saying import SaidEvent

_SIDES: Mapping[Kind, str] = {"commits": "supply", "orders": "demand"}


def balance_changes(kind: Kind, events: Sequence[SaidEvent]) -> list[dict[str, Any]]:
    """Return, for each product and site, the change of supply or demand by due day, in the form of the aggregator's
    `/what-if`, those with the most wafers first; of other kinds than commits and orders none.

    What is dispatched of a commit is no supply to come any more, whatever the commit becomes.
    """
    if kind not in _SIDES:
        return []
    side, changes = _SIDES[kind], defaultdict[tuple[str, str], dict[str, int]](lambda: defaultdict(int))
    for each in events:
        data, before, dispatched = each.event["data"], each.before, 0
        if before is not None:
            was = before.data["wafers"]
            if kind == "commits" and before.open_wafers is not None:
                was, dispatched = before.open_wafers, was - before.open_wafers
            changes[before.data["product"], before.data["site"]][before.data["due"]] -= was
        changes[data["product"], data["site"]][data["due"]] += max(0, data["wafers"] - dispatched)
    ordered = sorted(changes.items(), key=lambda each: (-sum(map(abs, each[1].values())), each[0]))
    return [
        {"product": product, "site": site, side: ",".join(f"{day}:{days[day]}" for day in sorted(days) if days[day])}
        for (product, site), days in ordered
        if any(days.values())
    ]
