"""Days and numbers are read exactly, or refused; never guessed."""

from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.documents.tables.values import Misread, read_bucket, read_number

relaxed = settings(deadline=None)  # a busy machine is slow

WEEK = (date(2026, 7, 20), date(2026, 7, 26))
AUGUST = (date(2026, 8, 1), date(2026, 8, 31))
DAY = (date(2026, 7, 15), date(2026, 7, 15))


@pytest.mark.parametrize(
    ("text", "dates", "bucket"),
    [
        ("2026-07-15", None, DAY), ("2026-7-15", None, DAY), ("2026-07-15 00:00:00", None, DAY),
        ("15.07.2026", None, DAY), ("07/15/2026", None, DAY), ("15-Jul-2026", None, DAY), ("Jul 15, 2026", None, DAY),
        ("15. Juli 2026", None, DAY), ("15.7.26", "DMY", DAY), ("7/15/26", "MDY", DAY),
        ("2026-W30", None, WEEK), ("KW30/2026", None, WEEK), ("W30 2026", None, WEEK), ("2026 KW 30", None, WEEK),
        ("Aug 2026", None, AUGUST), ("August-2026", None, AUGUST), ("08/2026", None, AUGUST), ("2026-08", None, AUGUST),
    ],
)  # fmt: skip
def test_a_bucket_is_read(text, dates, bucket):
    read = read_bucket(text, dates)

    assert (read.first, read.last) == bucket


@pytest.mark.parametrize(
    ("value", "dates", "code"),
    [
        ("03/04/2026", None, "ambiguous_day"), ("15.07.26", None, "ambiguous_day"), ("32.07.2026", None, "bad_day"),
        ("2026-02-30", None, "bad_day"), ("2026-W54", None, "bad_day"), ("15.07.2026", "ISO", "bad_day"),
        ("15/07/2026", "MDY", "bad_day"), ("soon", None, "bad_day"), (46209, None, "bad_day"), (True, None, "bad_day"),
        ("0000-01-01", None, "bad_day"), ("9999-W53", None, "bad_day"), ("\u0662026-07-15", None, "bad_day"),
    ],
)  # fmt: skip
def test_a_day_that_is_none_is_refused(value, dates, code):
    with pytest.raises(Misread) as refused:
        read_bucket(value, dates)

    assert refused.value.code == code


@relaxed
@given(st.dates(), st.sampled_from(["DMY", "MDY"]))
def test_a_day_written_by_the_rule_of_the_profile_is_that_day(day, dates):
    parts = [f"{day.day:02d}", f"{day.month:02d}", f"{day.year:04d}"]
    written = "/".join(parts if dates == "DMY" else [parts[1], parts[0], parts[2]])

    assert read_bucket(written, dates).first == day


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("1200", None, "1200"), ("-4", None, "-4"), ("12,5", None, "12.5"), ("1,200.50", None, "1200.50"),
        ("1.200", ",", "1200"), ("1.200", ".", "1.200"), ("1,200", ".", "1200"), ("1 200", None, "1200"),
        ("1'200'000", None, "1200000"), ("1\u202f200,5", ",", "1200.5"), ("1.200.000", None, "1200000"),
    ],
)  # fmt: skip
def test_a_number_is_read(text, decimal, number):
    assert read_number(text, decimal) == Decimal(number)


@pytest.mark.parametrize(
    ("value", "decimal", "code"),
    [
        ("1.200", None, "bad_number"), ("1e3", None, "bad_number"), ("1,20,000", ".", "bad_number"),
        ("tbd", None, "bad_number"), (True, None, "bad_number"), (date(2026, 1, 1), None, "bad_number"),
        ("9" * 31, None, "bad_number"), (Decimal("Infinity"), None, "out_of_bounds"),
        (Decimal("1e400"), None, "out_of_bounds"), ("\u0661\u0662", None, "bad_number"), ("", None, "bad_number"),
    ],
)  # fmt: skip
def test_a_number_that_is_none_is_refused(value, decimal, code):
    with pytest.raises(Misread) as refused:
        read_number(value, decimal)

    assert refused.value.code == code


@relaxed
@given(st.decimals(-(10**9), 10**9, places=3), st.sampled_from(".,"))
def test_a_number_with_thousands_is_the_number(number, decimal):
    written = f"{number:,}"
    if decimal == ",":
        written = written.translate(str.maketrans(",.", ".,"))

    assert read_number(written, decimal) == number


@relaxed
@given(st.one_of(st.text(), st.integers(), st.decimals(), st.booleans(), st.dates(), st.timedeltas()))
def test_any_value_is_read_or_refused(value):
    for read, how in ((read_bucket, None), (read_bucket, "DMY"), (read_number, None), (read_number, ",")):
        with suppress(Misread):
            read(value, how)
