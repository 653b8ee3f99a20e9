"""Overlay: a batch of postings on top of the curves, and the shortages of the product-sites that it touches."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.aggregator.fold.curves import Curves, excerpt
from services.aggregator.fold.lines.facts import Group
from services.aggregator.plan.projection import ShortageFigures, make_plan
from shared.wire.firmness import Firmness
from shared.wire.postings import PostingBatch

GROUPS_AT_ONCE = 64  # product-sites of which curves are copied at a time: some MB each
_NOT_SHORT = ShortageFigures(None, 0, 0)


class ShortageChange(NamedTuple):
    """When a product runs short at a site, and by how many wafers, without some postings and with them."""

    product: str
    site: str
    before: ShortageFigures
    after: ShortageFigures


def find_changes(
    curves: Curves, batch: PostingBatch, firmness: Firmness = "planned", *, past_due: bool = False
) -> Iterator[ShortageChange]:
    """Yield the shortages of each product-site that a batch touches, sorted; the curves stay as they are.

    The batch is the next one of the curves, and says no watermark. It is folded and projected as any batch is, so that
    the shortages are those after it is recorded. Raise `Gap` where it follows another position.
    """
    touched = sorted({(product, site) for product, site, _ in _keys(batch)})
    of_group: dict[Group, list[int]] = {group: [] for group in touched}
    for number, (product, site, _) in enumerate(curves.keys):
        if (product, site) in of_group:
            of_group[product, site].append(number)
    for first in range(0, len(touched), GROUPS_AT_ONCE):
        groups = touched[first : first + GROUPS_AT_ONCE]
        part = excerpt(curves, [key for group in groups for key in of_group[group]])
        before = _shortages(part, firmness, past_due=past_due)
        part.add(_part_of(batch, set(groups)))
        after = _shortages(part, firmness, past_due=past_due)
        for group in groups:
            yield ShortageChange(*group, before.get(group, _NOT_SHORT), after.get(group, _NOT_SHORT))


def _shortages(curves: Curves, firmness: Firmness, *, past_due: bool) -> dict[tuple[str, ...], ShortageFigures]:
    plan = make_plan(curves)
    labels = plan.grouping.labels
    return {label: plan.short(group, firmness, past_due=past_due) for group, label in enumerate(labels)}


def _keys(batch: PostingBatch) -> Sequence[tuple[str, str, str]]:
    names = batch.names
    numbers = zip(batch.products, batch.sites, batch.suppliers, strict=True)
    return [(names[product], names[site], names[supplier]) for product, site, supplier in numbers]


def _part_of(batch: PostingBatch, groups: set[Group]) -> PostingBatch:
    """Return a batch with those of its postings that are of some product-sites."""
    rows = [row for row, key in enumerate(_keys(batch)) if key[:2] in groups]
    columns = ("products", "sites", "suppliers", "measures", "days", "wafers")
    chosen = {name: [getattr(batch, name)[row] for row in rows] for name in columns}
    return batch.model_copy(update=chosen)
