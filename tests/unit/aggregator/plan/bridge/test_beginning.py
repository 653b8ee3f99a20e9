"""The day since which as much is ordered as now, against a twin that looks at each day."""

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.plan.bridge.beginning import StatedOrder, find_reached

orders = st.lists(st.lists(st.builds(StatedOrder, st.integers(0, 12), st.integers(0, 9)), min_size=1, max_size=4))


def twin(orders):
    """Of each day: the last statement of each order that was stated by then."""
    sums = []
    for day in range(14):
        held = [[each.wafers for each in order if each.day <= day] for order in orders]
        sums.append(sum(wafers[-1] for wafers in held if wafers))
    lower = [day for day, wafers in enumerate(sums) if wafers < sums[-1]]
    if sums[-1] == 0:
        return None
    return lower[-1] + 1 if lower else 0


@given(orders)
def test_since_the_day_the_orders_never_were_fewer(orders):
    assert find_reached(orders) == twin(orders)


def test_an_order_that_takes_the_wafers_off_another_one_does_not_move_the_day():
    first = [StatedOrder(3, 100), StatedOrder(20, 40)]
    anew = [StatedOrder(20, 60)]

    assert find_reached([first]) == 3
    assert find_reached([first, anew]) == 3


def test_a_new_order_moves_the_day():
    assert find_reached([[StatedOrder(3, 100)], [StatedOrder(20, 60)]]) == 20
