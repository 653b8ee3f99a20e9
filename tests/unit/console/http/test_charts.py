"""Charts: months, receipts, commits and the gap as they are drawn."""

import orjson

from services.console.http.charts import PAPER, draw_png, draw_svg, gap_chart, months_chart
from shared.wire.firmness import FIRMNESS


def month(name: str, **receipt: int) -> dict[str, object]:
    to_come = {each: receipt.get(each, 0) for each in ("in_transit", *FIRMNESS)}
    return {
        "month": name, "gap": receipt.get("gap", 0), "start": {"agreed": receipt.get("agreed", 0)},
        "receipt": {"due": receipt.get("due", 0), "forecast": receipt.get("forecast", 0),
                    "received": receipt.get("received", 0), "to_come": to_come},
    }  # fmt: skip


MONTHS = [
    month("2026-01", due=50, received=40, gap=-10),
    month("2026-02", due=60, firm=30, planned=20, gap=-20),
    month("2026-03", forecast=70, planned=65, agreed=900, gap=-25),
]


def drawn(spec: dict[str, object], layer: int) -> list[dict[str, object]]:
    return spec["layer"][layer]["data"]["values"]


def test_what_is_past_is_drawn_as_received_and_what_is_to_come_by_firmness():
    bars = drawn(months_chart(MONTHS, "2026-01-31"), 0)

    assert [(bar["month"], bar["grade"], bar["wafers"]) for bar in bars] == [
        ("2026-01", "received", 40), ("2026-02", "planned", 20), ("2026-02", "firm", 30), ("2026-03", "planned", 65),
    ]  # fmt: skip


def test_the_current_month_shows_its_receipts_beside_what_is_in_transit_and_committed():
    now = month("2026-01", due=50, received=40, in_transit=7, immediate=3)
    bars = drawn(months_chart([now, *MONTHS[1:]], "2026-01-30"), 0)

    assert [(bar["grade"], bar["wafers"]) for bar in bars if bar["month"] == "2026-01"] == [
        ("received", 40), ("in transit", 7), ("immediate", 3),
    ]  # fmt: skip


def test_a_letter_of_intent_is_a_line_of_its_own_and_never_a_bar():
    spec = months_chart(MONTHS, "2026-01-31")

    assert [row["wafers"] for row in drawn(spec, 1) if str(row["of"]).startswith("letter")] == [900]
    assert 900 not in [bar["wafers"] for bar in drawn(spec, 0)]


def test_where_no_orders_reach_no_line_says_that_none_is_needed():
    lines = drawn(months_chart(MONTHS, "2026-01-31"), 1)

    assert [row["month"] for row in lines if row["of"] == "required"] == ["2026-01", "2026-02"]
    assert [row["wafers"] for row in lines if row["of"] == "with forecasts"] == [50, 60, 70]


async def test_a_chart_of_a_page_has_the_colours_of_the_page_and_a_picture_its_own():
    spec = gap_chart(MONTHS, "2026-01-31")

    svg, png = await draw_svg(spec), await draw_png(spec)

    assert "var(--gap)" in svg
    assert PAPER["gap"] not in svg
    assert png.startswith(b"\x89PNG")


def test_before_the_first_event_there_is_a_chart_of_nothing():
    assert orjson.loads(orjson.dumps(months_chart([], None)))["layer"][0]["data"]["values"] == []
