"""A profile is checked when it is read: a wrong one names its file, the path in it and the reason."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.documents.profile import FIELDS, Item, Profile, ProfileRefused, read_profile
from shared.documents.units import WSE, Unit

relaxed = settings(deadline=None)  # a busy machine is slow

WHOLE = """
partner: north
columns: {product: [Item, Material], due: Receipt date}
defaults: {firmness: planned}
codes: {firmness: {Confirmed: firm}, "680": {Z: firm}}
parties: {Oslo plant: NO-OSLO}
items:
  STACK-16: {product: HBM4E-16H, unit: stack, rounding: carry}
  MODULE: {product: DDR5, unit: {EA: {gb: 64}, BOX: {gb: 640}}}
  PLAIN: HBM4E-16H
units: {PB: {gb: 1000000}, Lot: {per_wafer: "0.04"}}
unit: wse
rounding: nearest
dates: DMY
decimal: ","
sheet: Plan
header_row: 3
bucket_due: end
replace: true
lead_days: {HBM4E-16H: 130}
priority: 2
zone: UTC
"""


def test_a_profile_is_read_whole():
    profile = read_profile(WHOLE)

    assert profile.columns == {"product": ("Item", "Material"), "due": ("Receipt date",)}
    assert profile.items["STACK-16"] == Item("HBM4E-16H", {"": Unit("stack")}, "carry")
    assert profile.items["MODULE"].units == {"ea": Unit("gb", Fraction(64)), "box": Unit("gb", Fraction(640))}
    assert profile.units == {"pb": Unit("gb", Fraction(10**6)), "lot": Unit("per_wafer", Fraction(1, 25))}
    assert profile.codes == {"firmness": {"confirmed": "firm"}}
    assert (profile.unit, profile.rounding, profile.dates, profile.header_row) == (WSE, "nearest", "DMY", 3)


def test_an_empty_profile_is_the_default():
    assert read_profile("") == read_profile("# nothing\n") == Profile()


def test_each_field_of_a_profile_is_described():
    assert set(FIELDS) == set(Profile._fields)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("unknown: 1", "unknown"), ("dates: YMD", "dates"), ("priority: 10", "priority"), ("priority: yes", "priority"),
        ("items: {A: {unit: wse}}", "items.A"), ("items: {A: {product: P, unit: box}}", "items.A.unit"),
        ("units: {BOX: {gb: 0}}", "units.BOX.gb"), ("units: {BOX: {gb: -1}}", "units.BOX.gb"),
        ("columns: {colour: Colour}", "columns.colour"), ("codes: {colour: {a: b}}", "codes.colour"),
        ("lead_days: {P: 1.5}", "lead_days.P"), ("replace: 1", "replace"), ("- a", "the whole"),
        ("dates: DMY\ndates: MDY", "named twice"),
        ("".join(f"a{n}: 1\n" for n in range(12_000)) + "a7: 2", "named twice"),
        ("a: &x [1]\nb: *x", "line 2"), ("a: [", "line 1"),
        ("a: 2026-02-30", ""),
    ],
)  # fmt: skip
def test_a_wrong_profile_names_the_place(text, place):
    with pytest.raises(ProfileRefused) as refused:
        read_profile(text, "north.yaml")

    assert str(refused.value).startswith("north.yaml")
    assert place in str(refused.value)


@relaxed
@given(st.one_of(st.text(), st.binary(), st.sampled_from([WHOLE]).flatmap(lambda text: st.just(text[:300]))))
def test_any_text_is_a_profile_or_refused(text):
    try:
        profile = read_profile(text)
    except ProfileRefused:
        return
    assert isinstance(profile, Profile)
