"""Lines by a column: those without a value last, equal ones as before, and the same order the other way round."""

from functools import cmp_to_key

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fold.lines.listing import ListedLine, days_overdue, sort_lines
from services.aggregator.terms import LINE_COLUMNS
from shared.wire.firmness import FIRMNESS

TODAY = 10
few = st.integers(0, 20)
names = st.sampled_from(["a", "B", "c"])
lines = st.builds(
    ListedLine, due=few, kind=st.sampled_from(["commit", "order", "forecast"]), source=names, name=names,
    key=st.tuples(names, names, names), event=names, wafers=few, open_wafers=st.integers(0, 2),
    firmness=st.one_of(st.none(), st.sampled_from(FIRMNESS)), priority=st.none(), revision=st.none(),
    stated_on=few, reason=st.none(),
)  # fmt: skip


def value_of(line: ListedLine, column: str) -> object:
    """Return the value of a column as an answer of `/lines` has it."""
    product, site, supplier = line.key
    named = {"line": line.name, "product": product, "site": site, "supplier": supplier}
    value = named.get(column, days_overdue(line, TODAY) if column == "days_overdue" else getattr(line, column, None))
    return FIRMNESS.index(value) if column == "firmness" and value is not None else value


@pytest.mark.parametrize("column", LINE_COLUMNS)
@given(st.lists(lines, max_size=8), st.booleans())
def test_lines_are_in_the_order_of_their_column(column, found, is_down):
    def compare(one: ListedLine, other: ListedLine) -> int:
        a, b = value_of(one, column), value_of(other, column)
        if a is None or b is None:
            return (a is None) - (b is None)
        return ((a > b) - (a < b)) * (-1 if is_down else 1)

    assert sort_lines(found, f"-{column}" if is_down else column, TODAY) == sorted(found, key=cmp_to_key(compare))
