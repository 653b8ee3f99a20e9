"""A change since then reads as a planner says it; and the page says that a state is being folded."""

import pytest

from services.aggregator.plan.bridge.bridge import CAUSES
from services.console.http.since import PHRASES, sentence

ROW = {
    "product": "HBM4-12H", "site": "TX-ABILENE", "source": "skhynix", "supplier": None, "more_short": 3200, "parts": 1,
    "first_short_then": "2026-06-02", "first_short_now": "2026-05-14",
    "changes": [
        {"cause": "slipped", "wafers": -3200, "lines": 1, "due_then": "2026-05-12", "due_now": "2026-05-26",
         "reason": None}
    ],
}  # fmt: skip


def change(cause, wafers, **other):
    return {"cause": cause, "wafers": wafers, "lines": 1, "due_then": None, "due_now": None, "reason": None} | other


def test_the_party_its_change_and_the_effect():
    assert sentence(ROW) == (
        "skhynix moved 3,200 wafers of HBM4-12H for TX-ABILENE from 12 to 26 May 2026: "
        "3,200 wafers more short at worst, first short day 14 May 2026 instead of 2 Jun 2026"
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"first_short_then": None}, "at worst, first short day 14 May 2026, none before"),
        ({"first_short_now": None, "more_short": -1}, "1 wafer fewer short at worst, no longer short"),
        ({"parts": 3}, "at worst; with 2 other changes: first short day 14 May 2026 instead of 2 Jun 2026"),
        ({"first_short_then": "2026-05-14"}, "3,200 wafers more short at worst"),
        ({"source": None, "supplier": "samsung", "changes": [change("counted", -2)]},
         "the stock of samsung was counted 2 wafers of HBM4-12H for TX-ABILENE lower"),
        ({"source": None, "supplier": "unattributed", "changes": [change("opened", 2)]}, "the stock opened with"),
        ({"source": None, "changes": [change("consumed_beyond", -2)]}, "the site consumed 2 wafers of"),
        ({"changes": [change("commits_lowered", -9, reason="cut: no room in TSV")]}, "(cut: no room in TSV)"),
        ({"changes": [change("lost", -9), change("damaged", -8), change("overdue", -7)]},
         "lost 9 wafers of HBM4-12H for TX-ABILENE on the way and delivered 8 wafers damaged, and 1 smaller change"),
        ({"changes": [change("slipped", -9, lines=4, due_then="2026-12-28", due_now="2027-01-03")]},
         "TX-ABILENE later, most of them from 28 Dec 2026 to 3 Jan 2027"),
    ],
)  # fmt: skip
def test_its_parts_fit_what_there_is(changed, words):
    assert words in sentence(ROW | changed)


def test_each_cause_has_its_words_and_its_wafers():
    assert list(PHRASES) == sorted(CAUSES, key=list(PHRASES).index)
    for cause, phrases in PHRASES.items():
        for wafers, phrase in zip((-5, 5), phrases, strict=True):
            assert not phrase or "5 wafers of HBM4-12H" in sentence(ROW | {"changes": [change(cause, wafers)]})
