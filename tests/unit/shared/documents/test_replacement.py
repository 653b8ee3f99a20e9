"""Plans of a source one after another: which lines each states, withdraws and leaves, in any order of their issue."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.profile import Profile, read_profile
from shared.documents.stating import AppliedPlan, LineInForce, state_document
from testing.documents import CATALOGUE, ISSUED, MONDAY, Source, counts, forecast, relaxed

WEEKS = st.dictionaries(st.integers(0, 8), st.integers(0, 5), min_size=1)
LINES = st.tuples(st.sampled_from("ABCD"), st.integers(0, 8), st.integers(0, 5))
NAMED = st.lists(LINES, unique_by=lambda line: line[0])
PLANS = st.builds(forecast, WEEKS, st.booleans(), NAMED)


def test_a_plan_says_only_what_differs():
    source = Source()
    source.state(forecast({0: 4, 1: 5, 2: 6, 5: 9}))

    stated = source.state(forecast({1: 5, 2: 7, 3: 8, 4: 0}), ISSUED + timedelta(days=7))

    assert counts(stated) == (1, 1, 0, 1)
    assert source.by_week() == {MONDAY + timedelta(weeks=week): wafers for week, wafers in
                                {0: 4, 1: 5, 2: 7, 3: 8, 5: 9}.items()}  # fmt: skip


def test_a_line_that_a_plan_does_not_name_is_withdrawn_within_its_horizon():
    source = Source()
    source.state(forecast({0: 4, 1: 5, 2: 6}))

    stated = source.state(forecast({0: 4, 2: 6}), ISSUED + timedelta(days=7))

    assert counts(stated) == (0, 0, 1, 2)
    assert stated.events[0].event["data"]["wafers"] == 0
    assert stated.events[0].event["data"]["revision"] == 1


def test_without_replacement_a_line_that_is_not_named_stays():
    source = Source()
    source.state(forecast({0: 4, 1: 5}))

    assert counts(source.state(forecast({0: 3}, replaces=False), ISSUED + timedelta(days=7))) == (0, 1, 0, 0)
    assert counts(source.state(forecast({1: 0}, replaces=False), ISSUED + timedelta(days=8))) == (0, 0, 1, 0)


def test_the_lines_of_another_product_stay():
    source = Source()
    source.state(forecast({0: 4, 1: 5}, product="DDR-16G"))

    assert counts(source.state(forecast({0: 1, 2: 2}))) == (2, 0, 0, 0)


@relaxed
@given(st.lists(PLANS, max_size=4), WEEKS)
def test_a_replacement_applied_to_any_state_ends_in_the_buckets_of_the_document(before, weeks):
    source, plan = Source(), forecast(weeks)
    for n, document in enumerate(before):
        source.state(document, ISSUED + timedelta(days=n))

    source.state(plan, ISSUED + timedelta(days=30))

    assert source.by_week(plan.starts_on, plan.ends_on) == {
        MONDAY + timedelta(weeks=week): wafers for week, wafers in weeks.items() if wafers
    }


@relaxed
@given(WEEKS, NAMED)
def test_the_events_of_a_first_document_add_up_to_it(weeks, named):
    stated = Source().state(forecast(weeks, lines=named))

    total = sum(weeks.values()) + sum(wafers for _, _, wafers in named)
    assert sum(each.event["data"]["wafers"] for each in stated.events) == total


@relaxed
@given(st.lists(PLANS, min_size=1, max_size=4), st.data())
def test_documents_in_any_order_are_as_in_the_order_of_their_issue(documents, data):
    dated = [(ISSUED + timedelta(days=n), document) for n, document in enumerate(documents)]
    in_order, shuffled = Source(), Source()
    for issued, document in dated:
        in_order.state(document, issued)
    for issued, document in data.draw(st.permutations(dated)):
        shuffled.state(document, issued)

    assert shuffled.wafers() == in_order.wafers()


@relaxed
@given(st.lists(PLANS, min_size=1, max_size=3))
def test_a_document_that_is_read_twice_is_said_once(documents):
    source = Source()
    for n, document in enumerate(documents):
        source.state(document, ISSUED + timedelta(days=n))
        events = dict(source.events)

        again = source.state(document, ISSUED + timedelta(days=n))

        assert again.events == ()
        assert source.events == events


@relaxed
@given(PLANS)
def test_a_document_that_is_read_twice_without_the_lines_in_force_has_the_same_events(document):
    first, second = Source().state(document), Source().state(document)

    assert [each.event for each in first.events] == [each.event for each in second.events]


def test_an_older_plan_is_superseded():
    source = Source()
    source.state(forecast({0: 4, 1: 5}), ISSUED + timedelta(days=7))

    stated = source.state(forecast({0: 9, 1: 9, 2: 9}), ISSUED)

    assert [problem.code for problem in stated.superseded] == ["superseded", "superseded"]
    assert counts(stated) == (1, 0, 0, 0)


def test_a_later_event_is_not_said_over():
    line = LineInForce(
        {"line": "A", "product": "HBM-12H", "site": "S", "supplier": "unattributed", "due": "2026-07-06", "wafers": 1},
        ISSUED + timedelta(hours=1),
    )  # fmt: skip
    stated = state_document(forecast({0: 3}, lines=[("A", 0, 9)]), [line], "site-group", Profile(), CATALOGUE, ISSUED)

    assert (stated.new, stated.changed, stated.withdrawn) == (1, 0, 0)


def test_a_unit_of_an_item_is_rounded_as_the_profile_says():
    profile = read_profile("items: {STACK: {product: HBM-12H, unit: stack, rounding: carry}}")
    weeks = dict.fromkeys(range(6), 1000)
    source = Source()

    stated = source.state(forecast(weeks, product="STACK"), profile=profile)

    assert list(source.by_week().values()) == [42, 42, 42, 42, 42, 41]
    ((scope, running),) = stated.running.items()
    later = source.state(
        forecast(dict.fromkeys(range(2, 6), 1000), product="STACK"), ISSUED + timedelta(days=7), profile,
        carried={scope: running[1][1]},
    )  # fmt: skip
    assert counts(later) == (0, 0, 0, 4)


@relaxed
@given(PLANS)
def test_the_applied_plans_of_a_replacement_name_its_horizon(document):
    stated = Source().state(document)

    horizons = [plan for plan in stated.applied if not plan.lines]
    assert all(isinstance(plan, AppliedPlan) for plan in stated.applied)
    assert bool(horizons) == document.replaces
