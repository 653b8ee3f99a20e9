"""A growing table keeps its rows."""

import numpy as np
import pytest

from services.aggregator.fold.growing_table import GrowingTable


@pytest.mark.parametrize("held", [False, True])
def test_a_table_grows_with_what_lies_in_it(held):
    table = GrowingTable(5, 3)
    table.rows()[:] = np.arange(15).reshape(5, 3)
    holder = table.rows() if held else None

    table.grow(200_000)

    assert table.rows().shape == (200_000, 3)
    assert table.rows()[:5].tolist() == np.arange(15).reshape(5, 3).tolist()
    assert not table.rows()[5:].any()
    assert holder is None or holder.tolist() == table.rows()[:5].tolist()
