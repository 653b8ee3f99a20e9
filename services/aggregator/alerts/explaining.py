"""Events that caused an alert: changes of lines that no other line made good, and orders that nobody promised."""

from collections.abc import Iterator

from services.aggregator.alerts.finding import CAUSES_MAX, Alert
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.lines.causes import find_lasting_causes
from services.aggregator.fold.lines.line import PlanLine
from services.aggregator.fold.state import FoldState
from shared.wire.lines import COMMIT

_Ranked = tuple[bool, int, str]  # whether it was only planned, less wafers, and the event


def explain_alert(state: FoldState, alert: Alert) -> Alert:
    """Return an alert with the events that caused it, where the lines have them.

    For a shortage: the events that lowered supply or raised demand by the first short day, and the orders never
    promised, the greatest first; commits that were only ever planned come after all of these, as an order that nobody
    has promised is short, also where wafers were planned for it. For a slip: the events in force of the supplier's open
    lines, the earliest due first.
    """
    events: dict[str, None] = {}
    if alert.code == "short_within":
        product, site = alert.subject
        day, short = alert.detail["first_short_day"], alert.detail["wafers"]
        causes = [
            *_lasting_changes(state.lines, product, site, day),
            *_unpromised_orders(state.lines, product, site, day, short),
        ]
        events = dict.fromkeys(event for _, _, event in sorted(causes))
    elif alert.code == "slip_beyond":
        supplier, product = alert.subject
        sites = [site for _, site in state.curves.group(("product", "site"), product=product).labels]
        due = sorted(
            line for site in sites for line in state.lines.supplies_of(product, site) if line.supplier == supplier
        )
        events = dict.fromkeys(f"{line.name[0]}/{line.event}" for line in due)
    return alert._replace(causes=tuple(events)[:CAUSES_MAX]) if events else alert


def _lasting_changes(lines: LineBook, product: str, site: str, day: int) -> Iterator[_Ranked]:
    for cause in find_lasting_causes(lines, product, site, day):
        plan = lines.plans.get(cause.name)
        is_outlook = plan is not None and plan.name[1] == COMMIT and _was_only_planned(plan)
        yield is_outlook, -cause.wafers, f"{cause.source}/{cause.event}"


def _unpromised_orders(lines: LineBook, product: str, site: str, day: int, short: int) -> Iterator[_Ranked]:
    """Yield the event of each order due by a day of which some wafers were never promised, `short` at most.

    The orders due first are promised first. A promise counts as it was first made, unless it is more now; wafers that
    new commits replaced do not count twice, those that a change of demand took off do not count, and those that were
    only ever planned count as they are now.
    """
    promised = 0
    for name in lines.names_of.get((product, site), ()):
        plan = lines.plans.get(name)
        if plan is None or name[1] != COMMIT or not plan.statements:
            continue
        first, now = plan.statements[0], plan.statements[-1]
        if now.key[:2] == (product, site) and now.due <= day:
            at_first = 0 if _was_only_planned(plan) else first.wafers - plan.excused()
            promised += max(at_first, now.wafers, plan.dispatched)
    orders = [order for order in lines.orders_of(product, site) if order.day <= day]
    unpromised = min(short, sum(order.wafers for order in orders) - promised)
    for order in reversed(orders):
        wafers = min(order.wafers, unpromised)
        if wafers <= 0:
            break
        unpromised -= wafers
        yield False, -wafers, f"{order.name[0]}/{order.event}"


def _was_only_planned(commit: PlanLine) -> bool:
    return all(statement.firmness == "planned" for statement in commit.statements)
