"""GrowingTable for a table: it grows with what lies in it."""

import numpy as np
import pytest

from services.aggregator.fold.growing_table import GrowingTable


@pytest.mark.parametrize("held", [False, True])
def test_a_table_grows_with_what_lies_in_it(held):
    room = GrowingTable(5, 3)
    room.table()[:] = np.arange(15).reshape(5, 3)
    holder = room.table() if held else None

    room.grow(200_000)

    assert room.table().shape == (200_000, 3)
    assert room.table()[:5].tolist() == np.arange(15).reshape(5, 3).tolist()
    assert not room.table()[5:].any()
    assert holder is None or holder.tolist() == room.table()[:5].tolist()
