"""Open alerts rank by week, megawatts waiting and wafers; kinds that flood are grouped, and none is left out."""

from collections import Counter
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.alerts.finding import DOUBTFUL, Alert
from services.aggregator.alerts.ranking import group_alerts, rank_alerts
from shared.wire.alerts import SUBJECTS

TODAY = 20_000


class Waiting:
    """A megawatt for each ten wafers at sites whose name begins with m, and none known elsewhere."""

    def waiting(self, _: str, site: str, wafers: int) -> Fraction | None:
        return Fraction(wafers, 10) if site.startswith("m") else None


def short(site: str, days: int, wafers: int, product: str = "P") -> Alert:
    detail = {"first_short_day": TODAY + days, "wafers": 1, "wafers_at_worst": wafers}
    return Alert("short_within", (product, site), TODAY + days, detail)


def ranked(*alerts: Alert, synthetic: frozenset[str] = frozenset()) -> list[str]:
    found = rank_alerts(alerts, Waiting(), TODAY, synthetic)
    return [each.alert.subject[-1] for each in found]


def test_the_earlier_week_comes_first_then_megawatts_then_wafers():
    alerts = [
        short("next", 8, 900),
        short("few", 6, 10),
        short("many", 6, 800),
        short("m1", 3, 50),
        short("m2", -40, 60),
    ]

    assert ranked(*alerts) == ["many", "m2", "m1", "few", "next"]


def test_an_alert_that_makes_others_doubtful_stays_first_and_a_synthetic_site_last():
    silent = Alert("source_silent", ("samsung",), TODAY - 1, {})

    assert ranked(short("pool", 1, 900), short("a", 9, 1), silent, synthetic=frozenset({"pool"})) == [
        "samsung", "a", "pool"
    ]  # fmt: skip


def test_wafers_of_an_alert_that_makes_others_doubtful_keep_no_megawatts_waiting():
    below = Alert("stock_negative", ("P", "m1"), TODAY - 1, {"wafers": 50})

    found = {each.alert.code: each for each in rank_alerts([below, short("m1", 3, 50)], Waiting(), TODAY, set())}

    assert {code: (each.wafers, each.megawatts) for code, each in found.items()} == {
        "stock_negative": (50, None), "short_within": (50, 5)
    }  # fmt: skip


def test_a_product_or_a_source_with_the_name_of_a_synthetic_site_is_not_one():
    silent = Alert("source_silent", ("pool",), TODAY - 1, {})
    found = rank_alerts([silent, short("a", 1, 9, "pool"), short("pool", 1, 9)], Waiting(), TODAY, {"pool"})

    assert [each.synthetic for each in found] == [False, False, True]


def test_a_kind_that_floods_is_grouped_by_product_and_six_products_by_the_kind():
    few = rank_alerts([short(f"s{n}", n, 10, f"P{n % 2}") for n in range(6)], Waiting(), TODAY, set())
    many = rank_alerts([short(f"s{n}", n, 10, f"P{n}") for n in range(6)], Waiting(), TODAY, set())

    assert [(group.subject, len(group.alerts)) for group in group_alerts(few)] == [
        ({"product": "P0"}, 3), ({"product": "P1"}, 3)
    ]  # fmt: skip
    assert [(group.subject, len(group.alerts)) for group in group_alerts(many)] == [({}, 6)]


@st.composite
def alerts(draw):
    code = draw(st.sampled_from(list(SUBJECTS)))
    subject = tuple(draw(st.sampled_from("abcdefgh")) for _ in SUBJECTS[code])
    return Alert(code, subject, TODAY + draw(st.integers(-20, 20)), {"wafers": draw(st.integers(0, 99))})


@given(st.lists(alerts(), max_size=60, unique_by=lambda alert: alert.cause), st.sets(st.sampled_from("abc")))
def test_every_alert_is_in_one_group_of_its_code_and_no_kind_floods(found, synthetic):
    ordered = rank_alerts(found, Waiting(), TODAY, synthetic)
    groups = group_alerts(ordered)

    assert Counter(each.alert.cause for each in ordered) == Counter(alert.cause for alert in found)
    assert sorted(each.alert.cause for group in groups for each in group.alerts) == sorted(a.cause for a in found)
    assert all(each.alert.code == group.code for group in groups for each in group.alerts)
    assert max(Counter((group.code, group.alerts[0].synthetic) for group in groups).values(), default=0) <= 5
    kinds = [(each.synthetic, each.alert.code not in DOUBTFUL) for each in ordered]
    assert kinds == sorted(kinds)
